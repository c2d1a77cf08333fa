"""``crm jobs``."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import click

from crm_core.cli.application import PRINCIPAL, Application, pass_application
from crm_core.cli.helping import argument, group, option
from crm_core.cli.moments import shown
from crm_core.cli.records import plain
from crm_core.cli.schedules import in_words
from crm_core.cli.times import as_json
from crm_core.cli.usage import ConflictingOptions, InvalidValue, Number

if TYPE_CHECKING:
    from crm_core.jobs import Overview, QueuedJob
    from crm_core.jobs.managing import Schedule
    from crm_core.jobs.trying import Trial
    from crm_core.store.consumers import Consumer

__all__ = ["command", "require_permission"]

_STATES = ("waiting", "running", "dead", "done", "dropped")
_LABELS = {"waiting": "waiting", "running": "running", "dead": "dead", "done": "done", "dropped": "dropped"}
_ID = Number(1, 2**63 - 1)
_SHORT = 60


class JsonObject(click.ParamType):  # type: ignore[type-arg]  # generic only since click 8.5
    """A JSON object, such as the arguments of a job."""

    name = "json"

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> Mapping[str, Any]:
        """Read it."""
        try:
            read = json.loads(str(value))
        except ValueError:
            read = None
        if not isinstance(read, dict):
            raise InvalidValue(
                "{value!r} is no JSON object. Write {example}.", ctx, param, value=value, example='{"keep_days": 30}'
            )
        return read


def require_permission(application: Application) -> None:
    """Refuse an acting user who may not look after jobs."""
    from crm_core.jobs.managing import may_manage

    with application.session(read_only=True) as session:
        may_manage(session)


@group("jobs", invoke_without_command=True)
@option("--state", "states", type=click.Choice(_STATES), multiple=True, help="Only jobs in this state; repeatable.")
@option("--limit", type=Number(1, 1000), default=20, metavar="N", help="How many of each state. Else 20.")
@as_json
@click.pass_context
def command(ctx: click.Context, states: tuple[str, ...], limit: int, as_json: bool) -> None:
    """Show the queue: jobs that run, are dead, wait, and were done lately; the schedules; who is told of changes.

    A dead job failed as often as it may. It stays until somebody repeats or drops it.
    """
    if ctx.invoked_subcommand is not None:
        return
    application = ctx.find_object(Application)
    assert application is not None
    crm = application.crm
    require_permission(application)
    from crm_core.jobs import overview

    found = overview(crm, states=states or None, limit=limit)  # type: ignore[arg-type]  # the choices are the states
    if as_json:
        application.output.json(_overview_json(found))
    else:
        _print(application, found)


@command.command("retry")
@argument("job_id", metavar="[ID]", type=_ID, required=False)
@option("--all", "every", is_flag=True, help="Repeat all dead jobs.")
@as_json
@pass_application
def retry(application: Application, job_id: int | None, every: bool, as_json: bool) -> None:
    """Let a dead job run again, with all its attempts; one that waits is due at once."""
    if (job_id is None) == (not every):
        raise ConflictingOptions("Give either the id of a job or --all.")
    crm = application.crm
    require_permission(application)
    from crm_core import jobs

    found = jobs.retry(crm, None if job_id is None else [job_id])
    if as_json:
        application.output.json({"jobs": [_job_json(each) for each in found]})
    else:
        application.output.say("Jobs that wait for a worker again: {count}.", count=len(found))


@command.command("run")
@argument("name")
@option(
    "--arguments",
    type=JsonObject(),
    metavar="JSON",
    help="Its arguments, as a JSON object; they are laid over its own.",
)
@option("--dry-run", is_flag=True, help="Tell what it would change, and take it back. For atomic jobs.")
@as_json
@pass_application
def run(application: Application, name: str, arguments: Mapping[str, Any] | None, dry_run: bool, as_json: bool) -> None:
    """Run a job here and now, without waiting for a worker."""
    given = arguments or {}
    crm = application.crm
    require_permission(application)
    if dry_run:
        from crm_core.jobs.trying import try_out

        trial = try_out(crm, name, given)
        if as_json:
            application.output.json({"job": name, "dry_run": True, "changes": _changes_json(trial)})
        else:
            _print_trial(application, trial)
        return
    from crm_core.jobs import run_now

    done = run_now(crm, name, given)
    if as_json:
        application.output.json(_job_json(done))
    else:
        application.output.say("Job {id} ({name}) is done.", id=done.id, name=done.name)


@command.command("drop")
@argument("job_id", metavar="ID", type=_ID)
@option("--reason", metavar="TEXT", required=True, help="Why; it stays with the job.")
@as_json
@pass_application
def drop(application: Application, job_id: int, reason: str, as_json: bool) -> None:
    """Never run a dead or waiting job."""
    crm = application.crm
    require_permission(application)
    from crm_core import jobs

    jobs.drop(crm, job_id, reason=reason, who=application.user or PRINCIPAL)
    (found,) = crm.store.queue.find(ids=[job_id])
    if as_json:
        application.output.json(_job_json(found))
    else:
        application.output.say("Job {id} ({name}) will not be run.", id=found.id, name=found.name)


# -- JSON ------------------------------------------------------------------------------------------------------


def _overview_json(found: Overview) -> dict[str, Any]:
    return {
        "counts": [{"job": name, "state": state, "count": count} for (name, state), count in found.counts.items()],
        "jobs": [_job_json(each) for each in found.jobs],
        "schedules": [_schedule_json(each) for each in found.schedules],
        "consumers": [_consumer_json(each) for each in found.consumers],
    }


def _job_json(job: QueuedJob) -> dict[str, Any]:
    return {
        "id": job.id,
        "job": job.name,
        "state": job.state,
        "key": job.key,
        "arguments": dict(job.arguments),
        "occurrence": plain(job.occurrence),
        "run_at": plain(job.run_at),
        "attempts": job.attempts,
        "worker": job.worker,
        "lease_until": plain(job.lease_until),
        "error": job.last_error,
        "note": job.note,
        "created_at": plain(job.created_at),
        "started_at": plain(job.started_at),
        "finished_at": plain(job.finished_at),
    }


def _schedule_json(each: Schedule) -> dict[str, Any]:
    return {
        "job": each.job.name,
        "rule": each.job.schedule,
        "enabled": each.job.enabled,
        "next_at": plain(each.next_at),
        "last_at": plain(each.last_at),
    }


def _consumer_json(each: Consumer) -> dict[str, Any]:
    return {
        "plugin": each.name,
        "change_set": each.position.change_set_id,
        "failures": each.failures,
        "put_aside": each.put_aside,
        "error": each.last_error,
        "retry_at": plain(each.retry_at),
        "held_until": plain(each.held_until),
    }


def _changes_json(trial: Trial) -> list[dict[str, Any]]:
    return [{"record": record, "operation": operation, "count": count} for record, operation, count in trial.changes]


# -- tables ----------------------------------------------------------------------------------------------------


def _print(application: Application, found: Overview) -> None:
    output, translator = application.output, application.translator
    tz = application.crm.build.policy.tz
    if found.jobs:
        output.table(
            ("id", "job", "state", "run at", "attempts", "ended", "remark"),
            [
                (str(job.id), job.name, translator.text(_LABELS[job.state]), shown(job.run_at, tz), str(job.attempts),
                 shown(job.finished_at, tz), _short(job.note or job.last_error or ""))
                for job in found.jobs
            ],
        )  # fmt: skip
    else:
        output.say("There are no jobs.")
    if found.schedules:
        output.table(
            ("job", "what it does", "next", "last", "when"),
            [
                (each.job.name, translator.text(each.job.label, _plugin(application, each.job.name)),
                 shown(each.next_at, tz) if each.job.enabled else translator.text("switched off"),
                 shown(each.last_at, tz), in_words(each.job.schedule or "", translator))
                for each in found.schedules
            ],
            title="Schedules",
        )  # fmt: skip
    if found.consumers:
        output.table(
            ("plugin", "failures", "next attempt", "error"),
            [
                (each.name, str(each.failures), shown(each.retry_at, tz), _short(each.last_error or ""))
                for each in found.consumers
            ],
            title="Plugins that are told of changes",
        )
    unknown = _unknown(application, found)
    if unknown:
        output.note("Nobody does these jobs; their plugin is not in the build: {names}.", names=", ".join(unknown))


def _unknown(application: Application, found: Overview) -> Sequence[str]:
    known = application.crm.build.jobs
    return sorted({name for name, state in found.counts if state == "waiting" and name not in known})


def _plugin(application: Application, job: str) -> str:
    name = job.partition(".")[0]
    return name if application.crm.build.plugin(name) is not None else "crm"


def _short(text: str) -> str:
    text = " ".join(text.split())
    return text if len(text) <= _SHORT else f"{text[: _SHORT - 1]}…"


def _print_trial(application: Application, trial: Trial) -> None:
    output = application.output
    if trial.changes:
        output.table(
            ("record", "what", "count"),
            [
                (application.translator.named(record), application.translator.text(operation), str(count))
                for record, operation, count in trial.changes
            ],
        )
    output.say("It would do that. Nothing was changed." if trial.changes else "It would change nothing.")
