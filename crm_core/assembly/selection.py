"""From the names in the build file to plugins in order: found once, fit for each other, without cycles."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

import attrs
from packaging.specifiers import InvalidSpecifier, SpecifierSet
from packaging.version import InvalidVersion, Version

from crm_core.assembly.discovery import Found
from crm_core.assembly.manifest import HOOK_API, Manifest
from crm_core.assembly.ordering import dependents, ordered
from crm_core.assembly.switched_off import SwitchedOff
from crm_core.assembly.verdicts import Verdicts
from crm_core.errors import Problem, nearest

__all__ = ["Candidate", "select"]


@attrs.frozen
class Candidate:
    """A plugin of the build before it is imported."""

    manifest: Manifest
    found: Found


def select(wanted: Sequence[str], found: Iterable[Found], verdicts: Verdicts) -> list[Candidate]:
    """The wanted plugins in the order in which they load.

    ``verdicts`` receives those that cannot, and why; what it knows to be switched off is not looked at.
    """
    offers: dict[str, list[Found]] = {}
    for each in found:
        offers.setdefault(each.name, []).append(each)
    candidates: dict[str, Candidate] = {}
    for name in dict.fromkeys(wanted):
        if name in verdicts.off:
            continue
        manifest = _manifest(name, offers, verdicts)
        if manifest is not None:
            candidates[name] = Candidate(manifest, offers[name][0])
    _leave_out_dependents(candidates, verdicts)
    for name in sorted(candidates):
        _check_versions(candidates[name], verdicts)
        _check_requirements(candidates[name].manifest, candidates, offers, verdicts)
    order, cycles = ordered({name: each.manifest.requires for name, each in candidates.items()})
    for cycle in cycles:
        for name in cycle:
            reason = Problem(
                name,
                "Plugins require each other in a circle: {circle}.",
                "Move what both need into a third plugin.",
                {"circle": " -> ".join((*cycle, cycle[0]))},
            )
            verdicts.reject(name, reason)
    for name in sorted(set(candidates) - set(order) - set(verdicts.plugins)):
        verdicts.reject_for(name, candidates[name].manifest.requires)
    return [candidates[name] for name in order]


def _leave_out_dependents(candidates: dict[str, Candidate], verdicts: Verdicts) -> None:
    """Whoever leaves a plugin out of one run means what requires it, too; the build file has to say it of each."""
    requires = {name: tuple(each.manifest.requires) for name, each in candidates.items()}
    gone = {name: name for name, off in sorted(verdicts.off.items()) if off.how == "without"}
    for cause in list(gone):
        for name in sorted(dependents([cause], requires) & candidates.keys()):
            verdicts.switch_off(SwitchedOff(name, "requires", cause))
            del candidates[name]


def _manifest(name: str, offers: Mapping[str, Sequence[Found]], verdicts: Verdicts) -> Manifest | None:
    """The manifest of the one distribution that offers this plugin."""
    there = offers.get(name, ())
    if not there:
        mend = "Did you mean {near}? Otherwise install its distribution." if offers else "Install its distribution."
        reason = Problem("crm.plugins", "There is no plugin {name!r}.", mend, {"near": nearest(name, offers)})
    elif len(there) > 1:
        origins = " and ".join(sorted(each.origin for each in there))
        reason = Problem("crm.plugins", "Two distributions bring the plugin {name!r}: {origins}.",
                         "Uninstall one of them.", {"origins": origins})  # fmt: skip
    else:
        try:
            manifest = there[0].load()
        except Exception as error:
            verdicts.reject(name, Problem(name, "The manifest in {origin} cannot be imported: {error}.",
                            "Repair it, or install the distribution again.",
                            {"origin": there[0].origin, "error": f"{type(error).__name__}: {error}"}))  # fmt: skip
            return None
        if isinstance(manifest, Manifest) and manifest.name == name:
            return manifest
        what = f"the manifest of {manifest.name!r}" if isinstance(manifest, Manifest) else repr(manifest)
        reason = Problem(name, "The entry point {name} of {origin} leads to {what}.",
                         "Let it lead to a Manifest with this very name.",
                         {"origin": there[0].origin, "what": what})  # fmt: skip
    verdicts.reject(name, attrs.evolve(reason, values={"name": name, **reason.values}))
    return None


def _check_versions(candidate: Candidate, verdicts: Verdicts) -> None:
    """The manifest's own version, and the contract that it wants."""
    manifest = candidate.manifest
    version = _version(manifest.version)
    if version is None:
        verdicts.reject(manifest.name, Problem(manifest.name, "{version!r} is no version.", "Write it as 1.4.2.",
                        {"version": manifest.version}))  # fmt: skip
    elif candidate.found.version is not None and version != _version(candidate.found.version):
        verdicts.warnings.append(
            Problem(manifest.name, "The manifest says version {version}, its distribution is {origin}.",
                    "Install the distribution again, or correct the manifest.",
                    {"version": manifest.version, "origin": candidate.found.origin})
        )  # fmt: skip
    needed = _specifier(manifest.name, manifest.crm_core, verdicts)
    if needed is not None and not needed.contains(HOOK_API, prereleases=True):
        verdicts.reject(
            manifest.name,
            Problem(manifest.name, "It works with the contract {needed}; this kernel offers {offered}.",
                    "Install a version of the plugin, or of crm-core, that fits the other.",
                    {"needed": manifest.crm_core, "offered": HOOK_API}),
        )  # fmt: skip


def _check_requirements(
    manifest: Manifest, candidates: Mapping[str, Candidate], offers: Mapping[str, object], verdicts: Verdicts
) -> None:
    """The plugins that it wants: listed in the build file, and in a version that fits."""
    for name, wanted in sorted(manifest.requires.items()):
        needed = _specifier(manifest.name, wanted, verdicts)
        if name not in candidates:
            if name in verdicts.plugins:
                continue  # told there, and this one follows it
            if name in verdicts.off:
                reason = Problem(manifest.name, "It requires the plugin {name!r}, which is switched off.",
                                 "Switch {plugin} off, too, or {name} on: 'crm plugins enable {name}'.",
                                 {"name": name, "plugin": manifest.name})  # fmt: skip
                verdicts.reject(manifest.name, reason)
                continue
            near = "" if name in offers or not offers else " Did the author mean {near}?"
            mend = "Add {name!r} to plugins in [crm]." if name in offers else "Install it, and add it to [crm] plugins."
            reason = Problem(manifest.name, "It requires the plugin {name!r}, which is not in the build.", mend + near,
                             {"name": name, "near": nearest(name, offers)})  # fmt: skip
            verdicts.reject(manifest.name, reason)
            continue
        there = candidates[name].manifest.version
        if needed is not None and _version(there) is not None and not needed.contains(there, prereleases=True):
            reason = Problem(manifest.name, "It requires {name} {needed}; version {there} is there.",
                             "Install versions that fit each other.",
                             {"name": name, "needed": wanted, "there": there})  # fmt: skip
            verdicts.reject(manifest.name, reason)


def _version(text: str) -> Version | None:
    try:
        return Version(text)
    except InvalidVersion:
        return None


def _specifier(plugin: str, text: str, verdicts: Verdicts) -> SpecifierSet | None:
    try:
        return SpecifierSet(text)
    except InvalidSpecifier:
        reason = Problem(plugin, "{text!r} is no set of versions.", "Write it as >=0.1,<1.", {"text": text})
        verdicts.reject(plugin, reason)
        return None
