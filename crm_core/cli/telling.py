"""A bar for work on whole databases, which tells what it is doing just now."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from crm_core.cli.output import Output

__all__ = ["telling"]

_WORK_LABELS = {
    "reading": "Reading",
    "copying": "Copying",
    "checking": "Checking",
    "packing": "Packing",
    "unpacking": "Unpacking",
    "verifying": "Verifying",
    "restoring": "Restoring",
    "comparing": "Comparing",
}


@contextmanager
def telling(output: Output) -> Iterator[Callable[[str, int, int], None]]:
    """What to call with the work, how much of it is done, and how much there is (0: nobody knows)."""
    with output.progress() as bar:
        task = bar.add_task("", total=None)

        def tell(what: str, done: int, total: int) -> None:
            words = output.translator.text(_WORK_LABELS.get(what, what))
            bar.update(task, description=words, completed=done, total=total or None)

        yield tell
