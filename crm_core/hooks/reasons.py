"""Why something could not be had, kept so that it can be said in the reader's language."""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Self

from crm_core.errors import CrmError

if TYPE_CHECKING:
    from typing import Protocol

    class Speaker(Protocol):
        """Says errors in a language, as a translator does."""

        def error(self, error: CrmError) -> str: ...


__all__ = ["Reason"]


class Reason(str):
    """The text of an error, in English, with the error itself, so that it can be said in another language.

    As a text it is compared, kept and written like any other. ``kind`` is what stands before it, such as the name of
    the class of an error that somebody else raised.
    """

    problem: CrmError
    kind: str

    def __new__(cls, error: CrmError, kind: str = "") -> Self:
        """The reason that lies in an error; its traceback, and what hangs on that, is left behind."""
        made = super().__new__(cls, f"{kind}{error.text()}")
        made.problem, made.kind = copy.copy(error), kind
        return made

    def __reduce__(self) -> tuple[Any, ...]:
        return Reason, (self.problem, self.kind)

    def told(self, translator: Speaker) -> str:
        """The same in the language of a translator, which asks for this where a reason is a value of another error."""
        return f"{self.kind}{translator.error(self.problem)}"

    def text(self, translate: Callable[[str], str]) -> str:
        """The same through ``translate``, with the reasons that stand in it."""
        said = copy.copy(self.problem)
        said.values = {name: said_by(value, translate) for name, value in said.values.items()}
        return f"{self.kind}{said.text(translate)}"


def said_by(value: object, translate: Callable[[str], str]) -> object:
    """A value of a sentence; one that is a reason is said through ``translate``."""
    return value.text(translate) if isinstance(value, Reason) else value
