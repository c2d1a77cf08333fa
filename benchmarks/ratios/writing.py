"""Creating and updating, beside raw SQLAlchemy Core and Django in a process of its own."""

from __future__ import annotations

import json
import subprocess
import sys

from sqlalchemy import select

from benchmarks.report import Figure, ratio, rounds
from benchmarks.sides import CoreSide, crm_bulk, crm_single, crm_update
from crm_core import Account
from crm_core.store.store import Store

__all__ = ["DjangoPeer", "write_figures"]


class DjangoPeer:
    """Django in a process of its own, ordered by lines of JSON."""

    def __init__(self, url: str) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-m", "benchmarks.ratios.django_peer", url],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        assert self.process.stdin is not None and self.process.stdout is not None
        self.orders, self.answers = self.process.stdin, self.process.stdout
        self.answers.readline()

    def do(self, what: str, count: int, start: int) -> float:
        """Seconds that Django needed."""
        self.orders.write(json.dumps({"do": what, "count": count, "start": start}) + "\n")
        self.orders.flush()
        return float(self.answers.readline())

    def close(self) -> None:
        """End the process."""
        self.orders.close()
        self.process.wait()


def write_figures(store: Store, peer: DjangoPeer, database: str, scale: int, times: int) -> list[Figure]:
    """Creation and update beside Core and Django, in turns."""
    core = CoreSide(store)
    crm_bulk(store, 1000, 0)
    core.bulk(1000, 10**6)
    peer.do("bulk", 1000, 0)
    mine, limit, django = rounds(
        times,
        lambda n: crm_bulk(store, scale, 1000 + n * scale),
        lambda n: core.bulk(scale, 2 * 10**6 + n * scale),
        lambda n: peer.do("bulk", scale, 1000 + n * scale),
    )
    rate = f"{scale / min(mine):.0f}/s; Core {scale / min(limit):.0f}/s; Django {scale / min(django):.0f}/s"
    figures = [
        Figure(database, "bulk create beside Core", ratio(limit, mine), ">=", 0.5, rate),
        Figure(database, "bulk create beside Django bulk_create", ratio(django, mine), ">=", 1, rate),
    ]
    few = max(scale // 20, 100)
    mine, limit, django = rounds(
        times,
        lambda n: crm_single(store, few, 3 * 10**6 + n * few),
        lambda n: core.single(few, 4 * 10**6 + n * few),
        lambda n: peer.do("single", few, 3 * 10**6 + n * few),
    )
    rate = f"{few / min(mine):.0f}/s; Core {few / min(limit):.0f}/s; Django {few / min(django):.0f}/s"
    figures.append(Figure(database, "one transaction each beside Django save", ratio(django, mine), ">=", 1, rate))
    with store.session(principal="read", read_only=True) as session:
        ids = list(session.scalars(select(Account.id).order_by(Account.id).limit(1000)))
    mine, limit, django = rounds(
        times,
        lambda n: crm_update(store, ids, f"Renamed {n}"),
        lambda n: core.update(ids, f"Again {n}"),
        lambda n: peer.do("update", 1000, n),
    )
    rate = f"{1000 / min(mine):.0f}/s; Core {1000 / min(limit):.0f}/s; Django {1000 / min(django):.0f}/s"
    figures.append(Figure(database, "bulk update beside Django bulk_update", ratio(django, mine), ">=", 2, rate))
    return figures
