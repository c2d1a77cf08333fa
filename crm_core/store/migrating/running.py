"""Running revisions: each in a transaction of its own, together with its row in the version table."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from types import ModuleType

from sqlalchemy import Connection, Engine, delete, insert, update
from sqlalchemy.exc import DBAPIError

from crm_core.errors import CrmError, MigrationError
from crm_core.store.migrating.planning import Plan, PluginPlan, plan
from crm_core.store.migrating.revisions import MigrationSource, Revision, read_revisions
from crm_core.store.migrating.transactions import dangling, exclusive, still_open
from crm_core.store.migrating.versions import ahead, current, position, read_version, version_table

__all__ = ["Progress", "down_in", "downgrade", "refuse_dangling", "run_to", "run_up", "upgrade"]

Progress = Callable[[str, Revision], None]
"""Called with the plugin's name and the revision before each one is run."""

# Alembic's ``op`` is one per process: two CRMs in one process take turns.
_op_is_ours = threading.Lock()


def _silent(_plugin: str, _revision: Revision) -> None:
    return None


def upgrade(engine: Engine, sources: Sequence[MigrationSource], progress: Progress = _silent) -> Plan:
    """Bring the database to the newest revision of every source, in the order given; returns the plan for it.

    Each revision is committed with its version, so an interrupted run leaves every plugin at a whole one, and
    the next run goes on from there. Raises :class:`~crm_core.errors.MigrationError` with plugin, revision
    and cause; the revision that failed has then left nothing.
    """
    planned = plan(engine, sources)
    # What is pending is decided again under the lock: another process may be migrating as well.
    for source, part in zip(sources, planned, strict=True):
        if part.pending:
            run_up(engine, source, progress)
    return planned


def run_up(engine: Engine, source: MigrationSource, progress: Progress = _silent) -> None:
    """Run what is pending of one source, none of it twice."""
    _run_line(engine, source, read_revisions(source), progress)


def run_to(engine: Engine, source: MigrationSource, to: str, progress: Progress = _silent) -> None:
    """Run what is pending up to revision ``to``; :class:`MigrationError` where there is none of that name."""
    line = read_revisions(source)
    ids = [revision.id for revision in line]
    if to not in ids:
        raise ahead(source, line, to)
    _run_line(engine, source, line[: ids.index(to) + 1], progress)


def _run_line(engine: Engine, source: MigrationSource, line: Sequence[Revision], progress: Progress) -> None:
    done = False
    while not done:
        done = _step(engine, source, line, progress)


def _step(engine: Engine, source: MigrationSource, line: Sequence[Revision], progress: Progress) -> bool:
    """Run the next revision, if there is one; whether there was none."""
    running: Revision | None = None
    try:
        with exclusive(engine) as connection:
            version = read_version(connection, source)
            count = position(source, line, version)
            if count == len(line):
                return True
            running = line[count]
            progress(source.plugin, running)
            _run(connection, source, running, "upgrade")
            _write_version(connection, source, version, running.id)
    except CrmError:
        raise
    except Exception as error:
        raise _failed(source, running, error) from error
    return False


def downgrade(engine: Engine, source: MigrationSource, to: str = "base", progress: Progress = _silent) -> Plan:
    """Take one plugin back to revision ``to``; ``"base"`` takes its tables away, and with them their data."""
    line = read_revisions(source)
    ids = [revision.id for revision in line]
    before = current(engine).get(source.plugin)
    target = 0 if to == "base" else ids.index(to) + 1 if to in ids else -1
    if not 0 <= target <= position(source, line, before):
        raise MigrationError(
            "{plugin} cannot go back from {before} to {to}.",
            mend="Choose one of: {choices}.",
            plugin=source.plugin,
            before=before or "nothing",
            to=to,
            choices=", ".join(["base", *ids[: position(source, line, before)]]),
        )
    undone = tuple(reversed(line[target : position(source, line, before)]))
    for revision in undone:
        _undo(engine, source, line, revision, progress)
    return Plan((PluginPlan(source.plugin, before, ids[target - 1] if target else None, undone),))


def down_in(connection: Connection, source: MigrationSource, progress: Progress = _silent) -> None:
    """Take one plugin back to nothing within a transaction of :func:`exclusive`, which the caller commits or not."""
    line = read_revisions(source)
    version = read_version(connection, source)
    for revision in reversed(line[: position(source, line, version)]):
        progress(source.plugin, revision)
        try:
            _run(connection, source, revision, "downgrade")
            _write_version(connection, source, revision.id, revision.follows)
        except CrmError:
            raise
        except Exception as error:
            raise _failed(source, revision, error, down=True) from error


def _undo(
    engine: Engine, source: MigrationSource, line: Sequence[Revision], revision: Revision, progress: Progress
) -> None:
    try:
        with exclusive(engine) as connection:
            version = read_version(connection, source)
            if version != revision.id:  # another process was quicker
                position(source, line, version)
                return
            progress(source.plugin, revision)
            _run(connection, source, revision, "downgrade")
            _write_version(connection, source, version, revision.follows)
    except CrmError:
        raise
    except Exception as error:
        raise _failed(source, revision, error, down=True) from error


def _run(connection: Connection, source: MigrationSource, revision: Revision, direction: str) -> None:
    from alembic.migration import MigrationContext
    from alembic.operations import Operations

    module = _load(source, revision)
    with _op_is_ours:
        context = MigrationContext.configure(connection, opts={"version_table": source.version_table})
        with Operations.context(context):
            getattr(module, direction)()
    if not still_open(connection):
        raise MigrationError(
            "The {direction} of revision {revision} of {plugin} ended the transaction, and may have left "
            "half of its changes.",
            mend="Restore the backup; the plugin's author removes COMMIT, ROLLBACK and executescript from {path}.",
            plugin=source.plugin,
            revision=revision.id,
            direction=direction,
            path=str(revision.path),
        )
    lost = dangling(connection)
    if lost:
        raise MigrationError(
            "After the {direction} of revision {revision} of {plugin} there are references to nothing: "
            "{lost}. It was rolled back.",
            mend="See with PRAGMA foreign_key_check whether they were there before, and then mend the data; "
            "otherwise tell the plugin's author.",
            plugin=source.plugin,
            revision=revision.id,
            direction=direction,
            lost="; ".join(lost),
        )


def refuse_dangling(connection: Connection, plugin: str) -> None:
    """Raise :class:`MigrationError` where references lead to nothing now that a plugin's tables are gone."""
    lost = dangling(connection)
    if lost:
        raise MigrationError(
            "Without the tables of {plugin} there are references to nothing: {lost}. It was rolled back.",
            mend="See with PRAGMA foreign_key_check whether they were there before, and then mend the data; otherwise "
            "remove first what refers to them.",
            plugin=plugin,
            lost="; ".join(lost),
        )


def _load(source: MigrationSource, revision: Revision) -> ModuleType:
    from importlib.util import module_from_spec, spec_from_file_location

    spec = spec_from_file_location(f"crm_revision_{source.plugin}_{revision.id}", revision.path)
    if spec is None or spec.loader is None:
        raise ImportError(f"{revision.path} cannot be loaded")
    module = module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def _write_version(connection: Connection, source: MigrationSource, before: str | None, after: str | None) -> None:
    table = version_table(source)
    if before is None:
        table.create(connection, checkfirst=True)
        connection.execute(delete(table))
        connection.execute(insert(table).values(version_num=after))
    elif after is None:
        # A plugin that has left leaves nothing.
        table.drop(connection)
    else:
        connection.execute(update(table).values(version_num=after))


_UP = (
    "Revision {revision} of {plugin} ({doc}) could not be run (upgrade): {cause}. It was rolled back as a whole: the "
    "database is as it was before this revision."
)
_DOWN = (
    "Revision {revision} of {plugin} ({doc}) could not be undone (downgrade): {cause}. It was rolled back as a whole: "
    "the database still has this revision."
)


def _failed(
    source: MigrationSource, revision: Revision | None, error: Exception, *, down: bool = False
) -> MigrationError:
    cause = _cause(error)
    if revision is None:
        return MigrationError(
            "The migration of {plugin} could not begin: {cause}.",
            mend="Make the database reachable and writable, wait for other programs that write to it, and "
            "run crm migrate again.",
            plugin=source.plugin,
            cause=cause,
        )
    return MigrationError(
        _DOWN if down else _UP,
        mend="Remove the cause and try again; if it lies in {path}, tell the plugin's author."
        if down
        else "Remove the cause and run crm migrate again; if it lies in {path}, tell the plugin's author.",
        plugin=source.plugin,
        revision=revision.id,
        doc=revision.doc,
        cause=cause,
        path=str(revision.path),
    )


def _cause(error: Exception) -> str:
    """What went wrong: what the database or the author says, and of other errors their class, too."""
    said = str(error.orig if isinstance(error, DBAPIError) else error)
    said = "; ".join(said.strip().rstrip(".").splitlines())
    if isinstance(error, DBAPIError | NotImplementedError) and said:
        return said
    missing = _missing_in_batch(error)
    if missing is not None:
        return f"{type(error).__name__}: the table {missing[0]} has no column {missing[1]!r}"
    return f"{type(error).__name__}: {said}" if said else type(error).__name__


def _missing_in_batch(error: Exception) -> tuple[str, str] | None:
    """Table and column where a batch of operations names a column that is not there: Alembic says the bare name."""
    from alembic.operations.batch import ApplyBatchImpl

    frame = error.__traceback__
    while isinstance(error, KeyError) and frame is not None:
        batch = frame.tb_frame.f_locals.get("self")
        if isinstance(batch, ApplyBatchImpl):
            return str(batch.table.name), str(error.args[0])
        frame = frame.tb_next
    return None
