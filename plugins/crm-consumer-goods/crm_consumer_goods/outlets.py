"""Outlets: through which channel an account sells, how much it matters, how often it is to be visited."""

from __future__ import annotations

from collections.abc import Iterator
from enum import Enum

from crm_consumer_goods.settings import HIGHEST_FREQUENCY, settings_of
from crm_core import Account, ChangeBatch, CrmSession, Mapped, Problem, Record, choice, extends, number

__all__ = ["Channel", "Outlet", "OutletClass", "classify", "frequency"]


class Channel(Enum):
    """Through which kind of trade an outlet reaches the shopper."""

    HYPERMARKET = "hypermarket"
    SUPERMARKET = "supermarket"
    CONVENIENCE = "convenience"
    TRADITIONAL_TRADE = "traditional_trade"
    ONLINE = "online"
    HORECA = "horeca"


class OutletClass(Enum):
    """How much an outlet matters: A most, C least."""

    A = "A"
    B = "B"
    C = "C"


@extends("account", "consumer_goods.outlet", label="Outlet")
class Outlet(Record):
    """What an account is as an outlet."""

    channel: Mapped[Channel] = choice(Channel)
    outlet_class: Mapped[OutletClass] = choice(OutletClass, default=OutletClass.C, label="Class", index=True)
    visit_frequency: Mapped[int | None] = number(
        0, default=None, label="Visits per four weeks", help="Empty: what the settings say for its class."
    )


def classify(
    session: CrmSession,
    account: Account,
    channel: Channel | str,
    *,
    outlet_class: OutletClass | str = OutletClass.C,
    visit_frequency: int | None = None,
) -> Outlet:
    """Say what an account is as an outlet, or say it anew; ``visit_frequency`` is visits per four weeks."""
    values = {
        "channel": Channel(channel),
        "outlet_class": OutletClass(outlet_class),
        "visit_frequency": visit_frequency,
    }
    outlet: Outlet | None = session.get(Outlet, account.id)
    if outlet is None:
        outlet = Outlet(
            channel=Channel(channel), outlet_class=OutletClass(outlet_class), visit_frequency=visit_frequency
        )
        outlet.id = account.id
        return session.add_one(outlet)
    for name, value in values.items():
        setattr(outlet, name, value)
    return outlet


def frequency(session: CrmSession, outlet: Outlet) -> int:
    """Visits per four weeks: the outlet's own frequency, or that of its class in the settings."""
    if outlet.visit_frequency is not None:
        return outlet.visit_frequency
    by_class = settings_of(session).frequencies
    return {OutletClass.A: by_class.a, OutletClass.B: by_class.b, OutletClass.C: by_class.c}[outlet.outlet_class]


def problems(batch: ChangeBatch) -> Iterator[Problem]:
    """Frequencies that nobody could visit at."""
    for change in batch:
        given = change.after.get("visit_frequency")
        if given is not None and not 0 <= given <= HIGHEST_FREQUENCY:
            yield Problem(
                "visit_frequency",
                "{given} visits per four weeks are not possible.",
                "Give 0 to {highest}, or leave it empty for that of the class.",
                {"given": given, "highest": HIGHEST_FREQUENCY},
            )
