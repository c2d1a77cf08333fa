"""Writing revision files: the difference between records and schema, as code that a person reads."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from crm_core.errors import MigrationError
from crm_core.store.migrating.column_types import source_code
from crm_core.store.migrating.comparing import changes, comparison, scratch
from crm_core.store.migrating.layout import laid_out
from crm_core.store.migrating.revisions import MigrationSource, read_revisions

if TYPE_CHECKING:
    from alembic.operations.ops import MigrateOperation, OpContainer

__all__ = ["draft_revision", "make_revision"]

_FILE = '''"""{message}"""

{imports}

revision = "{revision}"
down_revision{annotation} = {follows}


def upgrade() -> None:
    """To revision {revision}."""
{upgrade}


def downgrade() -> None:
    """Back to what was before revision {revision}."""
{downgrade}
'''


def make_revision(source: MigrationSource, message: str, requires: Sequence[MigrationSource] = ()) -> Path:
    """Write the next revision file of ``source`` and return its path; see :func:`draft_revision`."""
    path, code = draft_revision(source, message, requires)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(code, encoding="utf-8")
    return path


def draft_revision(source: MigrationSource, message: str, requires: Sequence[MigrationSource] = ()) -> tuple[Path, str]:
    """The next revision file of ``source``, not yet written: its path and its content.

    It holds what differs between the declared tables and those that the existing revisions make, found in a
    scratch database. ``requires`` are the sources of the plugins that must be migrated before this one. The
    author reads the file: a renamed field looks like one dropped and one added. Raises
    :class:`~crm_core.errors.MigrationError` when nothing differs.
    """
    line = read_revisions(source)
    number = len(line) + 1
    while any(revision.id == f"{number:04d}" for revision in line):
        number += 1
    message = " ".join(message.split()).replace("\\", "/").replace('"', "'").rstrip(".") + "."
    path = source.location / f"{number:04d}_{_slug(message)}.py"
    with scratch([*requires, source]) as engine, engine.connect() as connection:
        operations = changes(connection, source)
        if not operations.ops:
            raise MigrationError(
                "The revisions of {plugin} already make all that it declares.",
                mend="For a change of data alone, write a revision file by hand.",
                plugin=source.plugin,
            )
        back = operations.reverse()
        _simplify(operations, source)
        _simplify(back, source)
        upgrade, downgrade = _rendered(connection, source, operations, back)
    code = _FILE.format(
        message=message,
        revision=f"{number:04d}",
        imports=_imports(upgrade + downgrade),
        annotation="" if line else ": str | None",
        follows=f'"{line[-1].id}"' if line else "None",
        upgrade=upgrade,
        downgrade=downgrade,
    )
    return path, code


def _slug(message: str) -> str:
    words = re.findall(r"[a-z0-9]+", message.lower())
    return "_".join(words)[:40].rstrip("_") or "changes"


def _imports(body: str) -> str:
    third = ["import sqlalchemy as sa"] if "sa." in body else []
    third += ["from alembic import op"]
    third += re.findall(r"^from sqlalchemy\.dialects import \w+$", body, re.MULTILINE)
    return "\n".join(third) + ("\n\nfrom crm_core.fields import columns as c" if "c." in body else "")


def _simplify(container: OpContainer, source: MigrationSource) -> None:
    """Leave out batches around mere indexes, and indexes of tables that are dropped anyway; fill new columns."""
    from alembic.operations import ops

    dropped = {op.table_name for op in container.ops if isinstance(op, ops.DropTableOp)}
    container.ops = [
        op for op in _flat(container.ops, source) if not (_index(op) and getattr(op, "table_name", None) in dropped)
    ]


def _flat(operations: Sequence[MigrateOperation], source: MigrationSource) -> Iterator[MigrateOperation]:
    from alembic.operations import ops

    from crm_core.store.migrating.filling import filled

    for op in operations:
        if not isinstance(op, ops.ModifyTableOps):
            yield op
        elif all(_index(part) for part in op.ops):
            yield from op.ops
        else:
            yield from filled(op, source.tables)


def _index(op: MigrateOperation) -> bool:
    from alembic.operations import ops

    return isinstance(op, ops.CreateIndexOp | ops.DropIndexOp)


def _rendered(
    connection: Any, source: MigrationSource, upgrade: OpContainer, downgrade: OpContainer
) -> tuple[str, str]:
    from alembic.autogenerate import render_python_code

    context = comparison(connection, source)

    def code(part: Any) -> str:
        return laid_out(render_python_code(part, render_as_batch=True, render_item=_item, migration_context=context))

    return code(upgrade), code(downgrade)


def _item(kind: str, thing: Any, _context: Any) -> str | Literal[False]:
    return (source_code(thing) if kind == "type" else None) or False
