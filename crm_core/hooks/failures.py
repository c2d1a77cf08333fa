"""What is made of an implementation of a hook that failed: an error that names the plugin, and the log."""

from __future__ import annotations

from sqlalchemy.exc import DBAPIError

from crm_core.errors import CrmError, HookError
from crm_core.hooks.implementations import Implementation
from crm_core.hooks.reasons import Reason
from crm_core.logs import logger

__all__ = ["as_ended", "as_failure", "logged"]


def as_failure(call: Implementation, error: Exception) -> HookError:
    """What somebody raised in an implementation, as the failure of that."""
    if isinstance(error, HookError) and error.values.get("hook") == call.hook:
        return error
    failure = HookError(
        "{plugin}: {hook} failed: {error}",
        mend="Report it to the plugin's author; until then, leave the plugin out of the build.",
        plugin=call.plugin,
        hook=call.hook,
        error=_reason(error),
    )
    failure.__cause__ = error
    return failure


def as_ended(call: Implementation) -> HookError:
    """That an implementation committed or rolled back what whoever asked it had written."""
    return HookError(
        "{plugin}: {hook} ended the transaction of whoever asked it; what they had written is not committed with the"
        " rest.",
        mend="Report it to the plugin's author: a hook neither commits nor rolls back. Until then, leave the plugin out"
        " of the build.",
        plugin=call.plugin,
        hook=call.hook,
    )


def _reason(error: Exception) -> str:
    """What stands in a sentence about an error, which a database tells with its statement on many lines."""
    kind = f"{type(error).__name__}: "
    if isinstance(error, CrmError):
        return Reason(error, kind)
    if isinstance(error, DBAPIError) and str(error.orig):
        return kind + str(error.orig).splitlines()[0]
    return f"{kind}{error}"


def logged(failure: HookError) -> HookError:
    """The failure again, told in the log with the whole story."""
    logger("crm_core.hooks").error("hook failed", plugin=failure.plugin, hook=failure.values["hook"], exc_info=failure)
    return failure
