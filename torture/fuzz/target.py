"""What a target of the fuzzer is, and how one attempt on it is judged."""

from __future__ import annotations

import random
import traceback
from pathlib import Path
from typing import ClassVar, Literal, TypeAlias, get_args

import attrs

from crm_core.errors import CrmError
from crm_core.testing.postgresql import PostgreSQLServer

__all__ = ["KINDS", "Kind", "Loss", "Refused", "Target", "Verdict", "judged"]

Kind: TypeAlias = Literal["accepted", "refused", "traceback", "lost", "memory", "hang", "died"]
KINDS: tuple[Kind, ...] = get_args(Kind)
_LONGEST_MESSAGE = 100_000


class Loss(Exception):
    """What was read did not come out again; the text says what, without the values of one input."""

    def __init__(self, what: str, detail: str = "") -> None:
        super().__init__(f"{what}: {detail}" if detail else what)
        self.what = what


class Refused(Exception):
    """An input was refused by something that has no error of the CRM for it; the text is what a user is told."""


class Target:
    """Something that reads what people bring. It lives in a process of its own and may leave things in ``folder``."""

    name: ClassVar[str]
    words: ClassVar[tuple[bytes, ...]] = ()
    """Pieces that mutations put in."""
    most: ClassVar[int] = 64 << 10
    """Bytes of an input; longer ones are cut off."""

    stores: ClassVar[bool] = False
    """Whether what is read comes to a database, so that it is tried on both kinds of them."""

    def __init__(self, folder: Path, server: PostgreSQLServer | None = None) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.folder = folder
        self.server = server

    def seeds(self) -> list[bytes]:
        """Inputs that are right, to begin with."""
        return []

    def make(self, chance: random.Random) -> bytes:
        """An input made up by the grammar of what is read."""
        raise NotImplementedError

    def attempt(self, data: bytes) -> str:
        """Read an input, and look whether all of it came out.

        Returns what kind of answer it was: an input with one that was not seen before is kept and mutated. Raises
        :class:`CrmError` or :class:`Refused` for an input that is refused, and :class:`Loss` when something is lost.
        """
        raise NotImplementedError


@attrs.frozen
class Verdict:
    """What became of one input. Two of the same ``kind`` and ``mark`` are the same finding."""

    kind: Kind
    mark: str
    detail: str = ""

    @property
    def wrong(self) -> bool:
        """Whether it must not be."""
        return self.kind not in ("accepted", "refused")


def judged(target: Target, data: bytes) -> Verdict:
    """Let a target read an input, and judge how that ended."""
    try:
        return Verdict("accepted", target.attempt(data))
    except CrmError as error:
        return _refusal(error)
    except Refused as error:
        if not str(error).strip():
            return Verdict("traceback", "a refusal without a text")
        return Verdict("refused", str(error)[:30], str(error))
    except Loss as error:
        return Verdict("lost", error.what, str(error))
    except MemoryError:
        return Verdict("memory", "memory ran out")
    except (KeyboardInterrupt, SystemExit, GeneratorExit):
        raise
    # A panic of a library that is written in Rust is no Exception.
    except BaseException as error:
        where = _where(error)
        return Verdict("traceback", f"{type(error).__name__} in {where}", f"{type(error).__name__}: {error} ({where})")


def _refusal(error: CrmError) -> Verdict:
    """A refusal says what is wrong; one that cannot even say that is a finding."""
    try:
        text = error.text()
    except Exception as broken:
        return Verdict("traceback", f"no text: {error.problem}", f"{type(broken).__name__}: {broken}")
    if not text.strip() or len(text) > _LONGEST_MESSAGE:
        return Verdict("traceback", f"text of {len(text)} characters: {error.problem}", text[:200])
    inside = sorted({each.problem for each in getattr(error, "problems", ())})
    return Verdict("refused", "; ".join([type(error).__name__, error.problem, *inside[:3]]), text)


def _where(error: BaseException) -> str:
    """The innermost place in our own code, and else the innermost of all."""
    frames = traceback.extract_tb(error.__traceback__)
    ours = [each for each in frames if "/crm_" in each.filename] or frames
    if not ours:
        return "nowhere"
    place = ours[-1]
    return f"{'/'.join(Path(place.filename).parts[-3:])}:{place.name}"
