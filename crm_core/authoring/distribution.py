"""A whole distribution from the template, made beside its place and moved there when it is complete."""

from __future__ import annotations

import shutil
import tempfile
import textwrap
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import attrs

from crm_core.authoring.catalogue import complete
from crm_core.authoring.mapping import mapping
from crm_core.authoring.naming import checked_name, class_name, in_words
from crm_core.authoring.proposing import Field, Proposal, quoted
from crm_core.authoring.revision import write_revision
from crm_core.errors import DeclarationError

__all__ = ["TEMPLATE", "Made", "new_plugin"]

TEMPLATE = Path(__file__).parents[1] / "templates" / "plugin"

_USUAL = (
    Field(
        column="", name="name", kind="text", annotation="str", call="text(120, folded=True, search=True)", label="Name",
        because="What people call it.", sample='"x"', required=True, text=True,
    ),
    Field(
        column="", name="code", kind="text", annotation="str | None", call="text(40, default=None, index=True)",
        label="Code", because="What other systems call it.", text=True,
    ),
    Field(
        column="", name="worth", kind="money", annotation="Money | None", call="money(2, default=None)", label="Worth",
        because="What it is worth to us.",
    ),
)  # fmt: skip
"""The fields of the record where no table says otherwise."""


@attrs.frozen
class Made:
    """What was made, or would be: the folder, its files in order, and labels that want a translation."""

    plugin: str
    distribution: str
    folder: Path
    files: tuple[str, ...]
    untranslated: tuple[str, ...]


def new_plugin(
    name: str,
    to: Path | None = None,
    *,
    label: str | None = None,
    proposal: Proposal | None = None,
    dry_run: bool = False,
) -> Made:
    """Write a complete distribution with a plugin of this name to a folder that is new or empty.

    Without ``to`` it is ``crm-<name>`` in the current folder. ``label`` is what people call the plugin. With a
    ``proposal`` the record is that of a table, and an import mapping comes with it. Raises
    :class:`~crm_core.errors.DeclarationError` for a name or a folder that cannot be used, or where copier is not
    installed; nothing is written then.
    """
    checked_name(name)
    distribution = f"crm-{name.replace('_', '-')}"
    folder = to or Path(distribution)
    _check_folder(folder)
    _check_free(name)
    answers = _answers(name, distribution, label or in_words(name), proposal)
    with tempfile.TemporaryDirectory(prefix="crm-plugin-", ignore_cleanup_errors=True) as scratch:
        made = Path(scratch) / "made"
        _render(made, answers)
        package = made / answers["package"]
        if proposal is not None:
            (made / "imports").mkdir()
            (made / "imports" / f"{proposal.record}.toml").write_text(mapping(name, proposal), encoding="utf-8")
        write_revision(made, answers["package"], name)
        untranslated = complete(package, name, {answers["label"]: answers["label"]})
        (made / ".ci" / "run").chmod(0o755)
        files = tuple(sorted(path.relative_to(made).as_posix() for path in made.rglob("*") if path.is_file()))
        if not dry_run:
            shutil.copytree(made, folder, dirs_exist_ok=True)
    return Made(name, distribution, folder, files, tuple(untranslated))


def _check_folder(folder: Path) -> None:
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise DeclarationError(
            "{folder} is there already, and not empty.",
            mend="Name a new or empty folder: --to FOLDER.",
            folder=str(folder),
        )


def _check_free(name: str) -> None:
    from crm_core.assembly.discovery import installed

    for found in installed():
        if found.name == name:
            raise DeclarationError(
                "A plugin {name!r} is installed: {origin}.",
                mend="Choose another name: of two plugins with one name, none can be loaded.",
                name=name,
                origin=found.origin,
            )


def _answers(name: str, distribution: str, label: str, proposal: Proposal | None) -> dict[str, Any]:
    from crm_core import __version__

    fields = _USUAL if proposal is None else proposal.fields
    title = fields[0] if proposal is None else proposal.title
    record = "item" if proposal is None else proposal.record
    return {
        "name": name,
        "distribution": distribution,
        "package": f"crm_{name}",
        "label": label,
        "record": record,
        "record_class": class_name(record),
        "record_label": in_words(record),
        "fields": [_as_answer(field) for field in fields],
        # A field that is called phone hides the function of that name from those below it.
        "prefixed": bool({field.name for field in fields} & {field.kind for field in fields}),
        "title": title.name,
        "title_text": title.text,
        "account": proposal is not None and proposal.account is not None,
        "contact": proposal is not None and bool(proposal.personal),
        "account_optional": proposal is not None and proposal.account_optional,
        "table": proposal.file if proposal is not None else "",
        "kernel": __version__,
    }


def _as_answer(field: Field) -> dict[str, Any]:
    return {
        "name": field.name,
        "kind": field.kind,
        "annotation": field.annotation,
        "call": field.call,
        "why": textwrap.wrap(" ".join(field.why.split()), 100),
        "sample": field.sample,
        "required": field.required,
        "personal": field.personal is not None,
        "choices": [[member, quoted(value)] for member, value in field.choices],
        "class_name": class_name(field.name),
        "column": field.column,
    }


def _render(folder: Path, answers: Mapping[str, Any]) -> None:
    try:
        from copier import run_copy
    except ImportError:
        raise DeclarationError(
            "A plugin is written by copier, which is not installed.",
            mend="Install it: pip install 'crm-core[plugin-template]'",
        ) from None
    run_copy(str(TEMPLATE), folder, data=dict(answers), defaults=True, quiet=True)
