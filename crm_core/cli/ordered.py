"""Options that are given several times, and whose order among each other matters."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TypeVar

import click

from crm_core.cli.helping import Command

__all__ = ["Ordered", "in_order"]

T = TypeVar("T")

_KEY = f"{__name__}.order"


class Ordered(Command):
    """A command that remembers in which order its options came: click hands on each option's values by themselves."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Read the arguments."""
        _, _, order = self.make_parser(ctx).parse_args(args=list(args))
        ctx.meta[_KEY] = [param.name for param in order]
        return super().parse_args(ctx, args)


def in_order(given: Mapping[str, Sequence[T]]) -> list[T]:
    """The values of several options, by the name of their parameter, as they came on the command line."""
    left = {name: iter(values) for name, values in given.items()}
    order: list[str] = click.get_current_context().meta[_KEY]
    return [next(left[name]) for name in order if name in left]
