"""The hooks."""

from collections.abc import Iterable, Mapping

from crm_core import Problem, hookimpl


@hookimpl
def crm_register_permissions() -> Mapping[str, str]:
    """One text."""
    return {"twin_translations_missing.thing.use": "Use the thing"}


def objection(count: int) -> Iterable[Problem]:
    """Another one."""
    yield Problem("name", "{count} things are too many.", values={"count": count})
