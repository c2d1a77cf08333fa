"""Build files that inherit: what several customers share stands once, and each says only what is different.

``extends`` names a file, or several in the order in which they are laid upon each other. Tables are joined key by
key; ``plugins`` and ``disabled`` in ``[crm]`` are joined as lists; of everything else the nearer file counts.
"""

from __future__ import annotations

import tomllib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import attrs

from crm_core.assembly.toml_text import exact, read_toml
from crm_core.errors import BuildError, Problem

__all__ = ["EXTENDS", "Composed", "compose"]

EXTENDS = "extends"
_JOINED = frozenset({("crm", "plugins"), ("crm", "disabled")})

Keys = tuple[str, ...]


@attrs.frozen
class Composed:
    """A build file with those that it extends.

    ``content`` is what they say together, ``files`` all of them, the farthest first, and ``origins`` the file that
    each value comes from, by its keys.
    """

    content: dict[str, Any] = attrs.field(repr=False)
    files: tuple[Path, ...]
    origins: Mapping[Keys, Path]

    def told(self, problem: Problem) -> Problem:
        """The problem with the name of the file that the value stands in, where there is more than one file."""
        if len(self.files) == 1:
            return problem
        origin = self.origin(problem.path)
        return problem if origin is None else attrs.evolve(problem, path=f"{origin.name}: {problem.path}")

    def origin(self, path: str) -> Path | None:
        """The file that has the value at a path such as ``plugins.key_accounts.tiers[2]``, or the table nearest."""
        for keys in sorted(self.origins, key=len, reverse=True):
            for written in (".".join(keys), ".".join(f'"{key}"' if "." in key else key for key in keys)):
                if path == written or path.startswith((f"{written}.", f"{written}[")):
                    return self.origins[keys]
        return None


def compose(source: Path) -> Composed:
    """Read a build file and those that it extends.

    Raises :class:`~crm_core.errors.BuildError` when one of them is missing or no TOML, or when they extend each other
    in a circle.
    """
    content: dict[str, Any] = {}
    origins: dict[Keys, Path] = {}
    files: list[Path] = []
    for file, parsed in _layers(source, ()):
        if file not in files:
            files.append(file)
            _lay(content, parsed, file, origins, ())
    return Composed(content, tuple(files), origins)


def _layers(source: Path, below: tuple[Path, ...]) -> Iterator[tuple[Path, dict[str, Any]]]:
    """The files from the farthest to the nearest."""
    known = {file.resolve() for file in below}
    if source.resolve() in known:
        circle = " -> ".join(file.name for file in (*below, source))
        raise BuildError(
            "Build files extend each other in a circle: {circle}.",
            mend="Let the file that several customers share extend none of theirs.",
            circle=circle,
        )
    parsed = _parsed(source, below[-1] if below else None)
    extended = parsed.pop(EXTENDS, ())
    names = [extended] if isinstance(extended, str) else extended
    if not isinstance(names, list | tuple) or not all(isinstance(name, str) and name for name in names):
        raise BuildError(
            "{file}: extends must name a file, or a list of files, not {value!r}.",
            mend='Write extends = "base.toml" above the first section.',
            file=str(source),
            value=extended,
        )
    for name in names:
        yield from _layers(source.parent / name, (*below, source))
    yield source, parsed


def _lay(under: dict[str, Any], over: Mapping[str, Any], file: Path, origins: dict[Keys, Path], at: Keys) -> None:
    for key, value in over.items():
        keys = (*at, key)
        former = under.get(key)
        if isinstance(value, Mapping) and isinstance(former, dict | None):
            _lay(under.setdefault(key, {}), value, file, origins, keys)
            origins.setdefault(keys, file)
        elif keys in _JOINED and isinstance(value, list) and isinstance(former, list):
            # A name that the shared file has, too, is no mistake; one that a file itself says twice is.
            under[key] = former + [each for each in value if each not in former]
            origins[keys] = file
        else:
            under[key] = value
            origins[keys] = file


def _parsed(source: Path, extended_by: Path | None) -> dict[str, Any]:
    try:
        return read_toml(source.read_text(encoding="utf-8-sig"), exact)
    except FileNotFoundError:
        problem, mend, reason = "There is no build file {file}.", "Create one by 'crm init'.", ""
        if extended_by is not None:
            problem = "There is no build file {file}, which {by} extends."
            mend = "Correct extends in {by}; a relative path counts from the folder of that file."
    except (OSError, UnicodeDecodeError) as error:
        problem, mend, reason = (
            "{file} cannot be read: {reason}.",
            "A build file is a text file in UTF-8.",
            str(error),
        )
    except tomllib.TOMLDecodeError as error:
        problem, mend, reason = (
            "{file} is no TOML: {reason}.",
            "Texts stand in quotes, lists in brackets.",
            str(error),
        )
    raise BuildError(problem, mend=mend, file=str(source), reason=reason, by=str(extended_by))
