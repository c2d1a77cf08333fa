"""``crm worker``."""

from __future__ import annotations

import datetime as dt
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import click

from crm_core.cli.application import Application, pass_application
from crm_core.cli.commands.jobs_ import require_permission
from crm_core.cli.helping import command, option
from crm_core.cli.moments import shown
from crm_core.cli.records import plain
from crm_core.cli.times import as_json
from crm_core.cli.usage import ConflictingOptions, InvalidValue

if TYPE_CHECKING:
    from crm_core.jobs import Event, Worker

__all__ = ["command"]

_LEAST, _MOST = 0.05, 3600
_LABELS = {
    "started": "The worker {worker} begins.",
    "stopped": "The worker {worker} ends. Jobs done: {done}, failed: {failed}, dead: {dead}.",
    "delivered": "Told {plugin} of {change_sets} change sets.",
    "delivery_failed": "{plugin} could not be told, and will be later: {error}",
    "put_aside": "{plugin} failed too often at a change set. It goes on with the next; see job {id}.",
    "scheduled": "Job {id} ({job}) is made for {occurrence}.",
    "begun": "Job {id} ({job}) begins, attempt {attempt}.",
    "done": "Job {id} ({job}) is done after {seconds} s.",
    "failed": "Job {id} ({job}) failed, and is tried again at {again}: {error}",
    "dead": "Job {id} ({job}) failed for the last time. To repeat it: crm jobs retry {id}. {error}",
    "lost": "Job {id} ({job}) was taken over by another worker; what it did here does not count.",
    "silent": "Job {id} ({job}) is taken from a worker that went silent.",
    "left": "Nobody here does the job {job}: its plugin is not in the build, or it is switched off. Waiting: {count}.",
    "trouble": "The database refuses; tried again in {seconds} s: {error}",
}


class Seconds(click.ParamType):  # type: ignore[type-arg]  # generic only since click 8.5
    """A time to sleep, from a twentieth of a second to an hour."""

    name = "seconds"

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> float:
        """Read it."""
        try:
            seconds = float(str(value))
        except ValueError:
            seconds = 0.0
        if not _LEAST <= seconds <= _MOST:
            raise InvalidValue("{value!r} is no number of seconds from {least} to {most}.", ctx, param,
                               value=str(value), least=_LEAST, most=_MOST)  # fmt: skip
        return seconds


@command("worker")
@option("--once", is_flag=True, help="Do what is due by now, and end.")
@option("--until-empty", is_flag=True, help="End when there is nothing left to do.")
@option("--poll", type=Seconds(), default=2.0, metavar="SECONDS",
        help="How long to sleep at most when there is nothing to do. Else 2.")  # fmt: skip
@as_json
@pass_application
def command_worker(application: Application, once: bool, until_empty: bool, poll: float, as_json: bool) -> None:
    """Do what is due: tell plugins what was committed, keep the schedules, run jobs.

    Several workers may run side by side. A signal to end (Ctrl-C, SIGTERM) lets the job that runs come to its end; a
    second one does not.
    """
    if once and until_empty:
        raise ConflictingOptions("Give either --once or --until-empty.")
    crm = application.crm
    require_permission(application)
    from crm_core.jobs import Worker

    def tell(event: Event) -> None:
        if as_json:
            application.output.json_line(
                {
                    "event": event.kind,
                    "at": plain(event.at),
                    **{name: plain(each) for name, each in event.values.items()},
                }
            )
        else:
            tz = crm.build.policy.tz
            values = {
                name: shown(each, tz) if isinstance(each, dt.datetime) else each for name, each in event.values.items()
            }
            application.output.say_now(_LABELS[event.kind], **values)

    worker = Worker(crm, poll=poll, tell=tell)
    with _ending_by_signals(worker):
        (worker.once if once else worker.until_empty if until_empty else worker.run)()


command = command_worker


@contextmanager
def _ending_by_signals(worker: Worker) -> Iterator[None]:
    """Let the first signal end the worker after its job, and the second one at once."""
    asked = False

    def handle(_number: int, _frame: Any) -> None:
        nonlocal asked
        if asked:
            raise KeyboardInterrupt
        asked = True
        worker.stop()

    before = {number: signal.signal(number, handle) for number in (signal.SIGTERM, signal.SIGINT)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
