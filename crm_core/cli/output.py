"""Writing to the terminal: tables that know how wide Chinese is, or JSON."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from typing import IO, TYPE_CHECKING, Any

from crm_core.cli.printable import printable, printable_json
from crm_core.translation import Translator

if TYPE_CHECKING:
    from rich.console import Console
    from rich.progress import Progress

__all__ = ["Output"]

_WIDE = 10_000
"""Columns of what is no terminal: a file or another program wants whole lines."""


class Output:
    """Where a command writes: data to ``out``, remarks to ``err``."""

    def __init__(self, translator: Translator, out: IO[str], err: IO[str]) -> None:
        self.translator = translator
        self._out = out
        self._err = err

    def console(self, stream: IO[str] | None = None) -> Console:
        """A console on the output; without colours and line breaks when it is no terminal."""
        from rich.console import Console

        class Quiet(Console):
            """Leaves it to :func:`crm_core.cli.running.run` how to end when the reader goes away."""

            def on_broken_pipe(self) -> None:
                raise BrokenPipeError

        stream = stream or self._out
        terminal = stream.isatty()
        return Quiet(
            file=stream, highlight=False, markup=False, emoji=False, width=None if terminal else _WIDE,
            no_color=None if terminal else True, force_terminal=None if terminal else False,
        )  # fmt: skip

    # -- text --------------------------------------------------------------------------------------------------

    def say(self, template: str, /, **values: Any) -> None:
        """A sentence."""
        self.line(self.translator.format(template, **values))

    def say_now(self, template: str, /, **values: Any) -> None:
        """A sentence, at once: for what goes on while somebody reads."""
        self.say(template, **values)
        self._out.flush()

    def line(self, text: str = "") -> None:
        """Text as it is."""
        print(printable(text), file=self._out)

    def note(self, template: str, /, **values: Any) -> None:
        """A remark that is no part of the data."""
        print(printable(self.translator.format(template, **values)), file=self._err)

    def heading(self, text: str) -> None:
        """A title above what follows."""
        from rich.text import Text

        self.line()
        self.console().print(Text(printable(text), style="bold"))

    # -- tables ------------------------------------------------------------------------------------------------

    def table(self, header: Sequence[str], rows: Iterable[Sequence[str]], *, title: str = "") -> None:
        """A table; its header and title are translated, its cells are not."""
        from rich import box
        from rich.table import Table
        from rich.text import Text

        if title:
            self.heading(self.translator.text(title))
        table = Table(box=box.SIMPLE_HEAD, show_edge=False, pad_edge=False)
        for name in header:
            table.add_column(Text(self.translator.text(name)), overflow="fold")
        for row in rows:
            table.add_row(*(Text(printable(cell)) for cell in row))
        self.console().print(table)

    def pairs(self, pairs: Iterable[tuple[str, str]], *, title: str = "") -> None:
        """Labels with their values; both are shown as they are."""
        from rich.table import Table
        from rich.text import Text

        if title:
            self.heading(title)
        table = Table.grid(padding=(0, 2))
        table.add_column(style="dim")
        table.add_column(overflow="fold")
        for label, value in pairs:
            table.add_row(Text(printable(label)), Text(printable(value)))
        self.console().print(table)

    # -- data --------------------------------------------------------------------------------------------------

    def json(self, value: Any) -> None:
        """JSON, readable and in the given order; characters that the output cannot hold are escaped."""
        text = printable_json(json.dumps(value, ensure_ascii=False, indent=2, default=str))
        try:
            text.encode(getattr(self._out, "encoding", None) or "utf-8")
        except (UnicodeEncodeError, LookupError):
            text = json.dumps(value, indent=2, default=str)
        print(text, file=self._out)

    def json_line(self, value: Any) -> None:
        """One JSON value on a line of its own, at once: for what goes on while somebody reads."""
        print(json.dumps(value, default=str), file=self._out, flush=True)

    # -- progress ----------------------------------------------------------------------------------------------

    def progress(self) -> Progress:
        """A progress bar on the error output; nothing where that is no terminal."""
        from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

        return Progress(
            TextColumn("{task.description}", markup=False), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn(),
            console=self.console(self._err), disable=not self._err.isatty(), transient=True,
        )  # fmt: skip
