"""A bundle: one archive with all that a build needs, installed on a machine that reaches no network.

It holds the wheels of the kernel, of the plugins and of every library in the versions of the lock, the build file as
one file, the lock, the mappings, and scripts that install and start it. The same input gives the same archive, byte by
byte.
"""

from __future__ import annotations

import hashlib
import json
import zipfile
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import attrs
from packaging.tags import sys_tags
from packaging.utils import InvalidWheelFilename, canonicalize_name, parse_wheel_filename

from crm_core.assembly import Build
from crm_core.assembly.inheritance import EXTENDS
from crm_core.assembly.lock import Lock, Locked, lock_of, written
from crm_core.assembly.packages import hash_of, is_content
from crm_core.errors import BuildError, Problem

__all__ = ["Bundle", "bundle", "joined"]

_TEMPLATES = Path(__file__).parent / "templates" / "bundle"
_DAY = (1980, 1, 1, 0, 0, 0)
"""The oldest that an archive can say: when it was packed is no part of what it holds."""
_RUN = 0o755
_FILL = (
    "Fill the folder by: crm build lock --constraints constraints.txt, and then pip wheel --constraint constraints.txt"
    " --wheel-dir {folder} {distributions}; in place of a distribution that no index has, give the folder of its"
    " source."
)


@attrs.frozen
class Bundle:
    """What was packed: the files of the archive with their sizes in bytes, and its SHA-256."""

    file: Path
    sha256: str
    files: Mapping[str, int]


def bundle(build: Build, wheelhouse: Path, to: Path, mappings: Sequence[Path] = (), *, force: bool = False) -> Bundle:
    """Pack a build with the wheels that lie in a folder; ``force`` replaces a file that is there already.

    Raises :class:`~crm_core.errors.BuildError` with everything that is missing: wheels of other versions, wheels that
    do not fit this Python and system, wheels whose content is not that of the installed plugin, and mappings that
    cannot be read. Nothing is written then.
    """
    lock = lock_of(build)
    if to.exists() and not force:
        raise BuildError(
            "There is a file {file} already.", mend="Choose another name, or replace it with --force.", file=str(to)
        )
    wheels, problems = _chosen(lock, _wheels(wheelhouse, lock))
    problems += _unlike(lock, wheels)
    problems += [Problem(str(each), "There is no such mapping.") for each in mappings if not each.is_file()]
    problems += _of_one_name(mappings)
    problems += _without_distribution(lock)
    if problems:
        raise BuildError(
            "{where} cannot be packed:", problems, where=build.file.where,
            mend=_FILL, folder=str(wheelhouse), distributions=_distributions(lock),
        )  # fmt: skip
    files = {f"wheels/{wheel.name}": wheel.read_bytes() for wheel in wheels.values()}
    files |= {f"mappings/{each.name}": each.read_bytes() for each in mappings}
    files |= {name: text.encode() for name, text in _texts(build, lock, wheels).items()}
    packed = _archive(files)
    to.parent.mkdir(parents=True, exist_ok=True)
    new = to.with_name(to.name + ".new")
    new.write_bytes(packed)
    new.replace(to)
    return Bundle(to, hashlib.sha256(packed).hexdigest(), {name: len(files[name]) for name in sorted(files)})


# -- wheels ----------------------------------------------------------------------------------------------------


def _distributions(lock: Lock) -> str:
    return " ".join(each.distribution for each in lock.plugins.values() if each.distribution)


def _wheels(wheelhouse: Path, lock: Lock) -> dict[str, list[tuple[str, int, Path]]]:
    """The wheels that fit this Python and system, by distribution: version, rank (0 fits best) and file."""
    if not wheelhouse.is_dir():
        raise BuildError(
            "There is no folder {folder}.", mend=_FILL, folder=str(wheelhouse), distributions=_distributions(lock)
        )
    ranks = {tag: rank for rank, tag in reversed(list(enumerate(sys_tags())))}
    found: dict[str, list[tuple[str, int, Path]]] = {}
    for file in sorted(wheelhouse.glob("*.whl")):
        try:
            name, version, _, tags = parse_wheel_filename(file.name)
        except InvalidWheelFilename:
            continue  # pip would not install it either; what is missing is told
        fitting = [ranks[tag] for tag in tags if tag in ranks]
        if fitting:
            found.setdefault(name, []).append((str(version), min(fitting), file))
    return found


def _chosen(lock: Lock, there: Mapping[str, list[tuple[str, int, Path]]]) -> tuple[dict[str, Path], list[Problem]]:
    """For each distribution of the lock the wheel that fits best."""
    wanted = {canonicalize_name(each.distribution): each.version for each in lock.plugins.values() if each.distribution}
    wheels: dict[str, Path] = {}
    problems: list[Problem] = []
    versions: dict[str, str] = {str(name): version for name, version in wanted.items()} | dict(lock.libraries)
    for name, version in sorted(versions.items()):
        fitting = sorted((rank, file) for found, rank, file in there.get(name, ()) if found == version)
        if fitting:
            wheels[name] = fitting[0][1]
            continue
        others = ", ".join(sorted({found for found, _, _ in there.get(name, ())}))
        words = "There is no wheel of version {version}, only of {others}." if others else \
            "There is no wheel of version {version} that fits this Python and system."  # fmt: skip
        problems.append(Problem(name, words, "", {"version": version, "others": others}))
    return wheels, problems


def _unlike(lock: Lock, wheels: Mapping[str, Path]) -> Iterator[Problem]:
    """Wheels of kernel and plugins that hold something else than what is installed and was tried."""
    for plugin in lock.plugins.values():
        wheel = wheels.get(canonicalize_name(plugin.distribution or ""))
        if wheel is not None and plugin.sha256 != _hash(wheel):
            yield Problem(plugin.name, "{wheel} does not hold the files that are installed here.",
                          "Build the wheel from what you tried, or install the wheel and try that.",
                          {"wheel": wheel.name})  # fmt: skip


def _hash(wheel: Path) -> str:
    """The hash of what a wheel brings, as a lock has it."""
    with zipfile.ZipFile(wheel) as archive:
        names = [name for name in archive.namelist() if not name.endswith("/") and is_content(name)]
        return hash_of((name, archive.read(name)) for name in names)


def _of_one_name(mappings: Sequence[Path]) -> Iterator[Problem]:
    """Mappings that would lie in one place of the archive."""
    places: dict[str, list[Path]] = {}
    for each in mappings:
        places.setdefault(each.name, []).append(each)
    for files in places.values():
        if len(files) > 1:
            yield Problem(", ".join(map(str, files)), "Several mappings have this name.",
                          "Rename all but one of them: they lie in one folder of the bundle.")  # fmt: skip


def _without_distribution(lock: Lock) -> Iterator[Problem]:
    for plugin in lock.plugins.values():
        if plugin.distribution is None:
            yield Problem(plugin.name, "No distribution brings the plugin, so there is no wheel of it.",
                          "Give it a pyproject.toml with an entry point; 'crm plugin new' shows one.")  # fmt: skip


# -- texts -----------------------------------------------------------------------------------------------------


def _texts(build: Build, lock: Lock, wheels: Mapping[str, Path]) -> dict[str, str]:
    requirements = "".join(
        f"{name}=={_version(wheel)} --hash=sha256:{hashlib.sha256(wheel.read_bytes()).hexdigest()}\n"
        for name, wheel in sorted(wheels.items())
    )
    texts = {each.name: each.read_text(encoding="utf-8") for each in sorted(_TEMPLATES.iterdir()) if each.is_file()}
    plugins = {each.name: _as_json(each) for each in lock.plugins.values()}
    return {
        **texts,
        "crm.toml": joined(build),
        "crm.lock": written(lock),
        "requirements.txt": requirements,
        "bundle.json": json.dumps({"name": build.file.crm.name, "plugins": plugins}, indent=1, ensure_ascii=False),
    }


def _as_json(plugin: Locked) -> dict[str, Any]:
    return {"version": plugin.version, "distribution": plugin.distribution}


def _version(wheel: Path) -> str:
    return str(parse_wheel_filename(wheel.name)[1])


def joined(build: Build) -> str:
    """The build file; joined to one where it extends others, because those stay behind."""
    import tomlkit

    composed = build.file.composed
    assert build.file.source is not None, "the command line opens build files only"
    if composed is None or len(composed.files) == 1:
        return build.file.source.read_text(encoding="utf-8-sig")
    document = tomlkit.document()
    names = ", ".join(file.name for file in composed.files)
    document.add(tomlkit.comment(f"Joined from {names}."))
    for name, section in composed.content.items():
        if name != EXTENDS:
            document.add(name, tomlkit.item(_writable(section)))
    return tomlkit.dumps(document)


def _writable(value: Any) -> Any:
    """As tomlkit takes it: exact numbers are written as they were read."""
    from decimal import Decimal

    import tomlkit

    if isinstance(value, Mapping):
        return {key: _writable(each) for key, each in value.items()}
    if isinstance(value, list):
        return [_writable(each) for each in value]
    return tomlkit.value(str(value)) if isinstance(value, Decimal) else value


def _archive(files: Mapping[str, bytes]) -> bytes:
    import io

    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        for name, content in _sorted(files.items()):
            entry = zipfile.ZipInfo(name, _DAY)
            entry.external_attr = (_RUN if name in {"crm", "install.py"} else 0o644) << 16
            # Wheels are compressed already.
            entry.compress_type = zipfile.ZIP_STORED if name.endswith(".whl") else zipfile.ZIP_DEFLATED
            archive.writestr(entry, content)
    return packed.getvalue()


def _sorted(items: Iterable[tuple[str, bytes]]) -> list[tuple[str, bytes]]:
    return sorted(items, key=lambda each: each[0])
