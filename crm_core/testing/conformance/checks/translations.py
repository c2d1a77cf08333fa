"""Every text of the plugin is there in Chinese."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from crm_core.testing.conformance.report import Check, Finding
from crm_core.translation.extract import extract
from crm_core.translation.update import Flaw, flaws

if TYPE_CHECKING:
    from crm_core.testing.conformance.subject import Subject

__all__ = ["CHECK", "LANGUAGE"]

NAME = "translations"
LANGUAGE = "zh_CN"
_WHAT = {
    "missing": "The text {text!r} has no translation into {language}.",
    "fuzzy": "The translation of {text!r} into {language} is marked as a guess.",
    "placeholders": "The translation of {text!r} into {language} has other placeholders.",
    "unused": "The catalogue of {language} has {text!r}, which the plugin does not say.",
}


def _look(subject: Subject) -> Iterator[Finding]:
    if subject.manifest.locale is None:
        texts = extract(subject.folder)
        if texts:
            yield Finding(
                NAME,
                "It has {count} texts, but its manifest names no folder with translations.",
                subject.manifest_module,
                mend="Write locale='locale' in the manifest, run 'python -m crm_core.translation {folder}', and "
                "translate what it writes.",
                values={"count": len(texts), "folder": subject.folder.name},
            )
        return
    # Looked up by the plugin's name, whatever its package is called.
    path = subject.folder / subject.manifest.locale / LANGUAGE / "LC_MESSAGES" / f"{subject.plugin}.po"
    for flaw in flaws(subject.folder, path, LANGUAGE):
        yield _finding(subject, flaw, path.relative_to(subject.folder.parent).as_posix())


def _finding(subject: Subject, flaw: Flaw, catalogue: str) -> Finding:
    text = flaw.text if len(flaw.text) <= 60 else f"{flaw.text[:59]}…"
    return Finding(
        NAME,
        _WHAT[flaw.what],
        flaw.places[0] if flaw.places else catalogue,
        mend="Run 'python -m crm_core.translation {folder}', and translate it in {catalogue}.",
        values={"text": text, "language": LANGUAGE, "folder": subject.folder.name, "catalogue": catalogue},
    )


CHECK = Check(NAME, "Every text has its translation into zh_CN.", _look)
