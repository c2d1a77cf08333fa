"""Keeping a lease while the work goes on: a thread that says, over a connection of its own, that we are alive."""

from __future__ import annotations

import threading
from collections.abc import Callable
from types import TracebackType
from typing import Self

from sqlalchemy.exc import SQLAlchemyError

from crm_core.logs import logger

__all__ = ["Heartbeat"]


class Heartbeat:
    """Calls ``beat`` every so many seconds until the block is left, or until it answers that the lease is lost.

    A beat that the database refuses is left out: on SQLite it waits for the one writer, who may be the work itself,
    and while that writes nobody can take the lease either.
    """

    def __init__(self, beat: Callable[[], bool], every: float) -> None:
        self._beat = beat
        self._every = every
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._run, name="crm-heartbeat", daemon=True)
        self.lost = False
        """Whether somebody else has the lease by now."""

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._over.set()
        # It may be waiting for the database. What it then says of a lease that is over has no effect.
        self._thread.join(timeout=5)

    def _run(self) -> None:
        while not self._over.wait(self._every):
            try:
                alive = self._beat()
            except SQLAlchemyError as error:
                _log(error)
                continue
            if not alive:
                self.lost = True
                return


def _log(error: SQLAlchemyError) -> None:
    logger("crm_core.jobs").warning("heartbeat failed", error=str(error))
