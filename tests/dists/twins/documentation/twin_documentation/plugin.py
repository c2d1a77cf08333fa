"""The hooks."""

from collections.abc import Iterable, Mapping

import attrs

from crm_core import ChangeBatch, CrmSession, Problem, hookimpl


@attrs.frozen
class Settings:
    """``most`` is how many."""

    most: int = 3


@hookimpl
def crm_register_settings() -> type[Settings]:
    """A setting that the README does not name."""
    return Settings


@hookimpl
def crm_register_permissions() -> Mapping[str, str]:
    """A permission that it does not name."""
    return {"twin_documentation.thing.use": "Use the thing"}


@hookimpl
def crm_check_changes(session: CrmSession, batch: ChangeBatch) -> Iterable[Problem]:
    """A veto that it does not tell of."""
    return ()


def forgotten() -> None:
    pass
