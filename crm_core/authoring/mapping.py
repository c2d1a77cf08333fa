"""The import mapping for the table that a record was proposed from."""

from __future__ import annotations

from collections.abc import Iterator

from crm_core.authoring.proposing import Proposal
from crm_core.exchange.drafting.toml_values import toml_value

__all__ = ["mapping"]


def mapping(plugin: str, proposal: Proposal) -> str:
    """The mapping as TOML; ``crm import`` takes it as it is."""
    sections = (_source(plugin, proposal), _accounts(proposal), _contacts(proposal), _records(plugin, proposal))
    return "\n".join([*(line for section in sections for line in section), ""])


def _source(plugin: str, proposal: Proposal) -> Iterator[str]:
    yield f"# How {proposal.file} becomes records of the plugin {plugin}: crm import --dry-run, then without it."
    yield "[source]"
    yield "# The name of the system that the table comes from; keys of accounts count within it."
    yield f"system = {toml_value(plugin)}"
    if proposal.nothing:
        yield f"null_values = {toml_value(['', *proposal.nothing])}"


def _accounts(proposal: Proposal) -> Iterator[str]:
    if proposal.account is None:
        return
    yield ""
    yield "# Accounts that are not here yet are made, with as much as the table knows. Take this section out when they"
    yield "# come from elsewhere, and name that system above."
    yield "[[section]]"
    yield 'name = "accounts"'
    yield 'record = "account"'
    yield f"file = {toml_value(proposal.file)}"
    yield f"key = {toml_value(proposal.account)}"
    yield 'on_update = "skip"'
    yield 'duplicates = "first"'
    yield from _skipping(proposal)
    yield "[section.fields]"
    yield f"name = {toml_value(proposal.account_name or proposal.account)}"


def _contacts(proposal: Proposal) -> Iterator[str]:
    """Whoever a row is about becomes a contact, known by the key of the row, so that their data can be erased."""
    name = _name_of_person(proposal)
    if name is None:
        return
    yield ""
    yield "# Each row is taken for a person of its own. Where they come from elsewhere, name that system above."
    yield "[[section]]"
    yield 'name = "contacts"'
    yield 'record = "contact"'
    yield from _row(proposal, 'on_update = "skip"')
    yield "[section.fields]"
    yield f"name = {name}"
    for each in proposal.personal:
        if each.personal in ("family_name", "given_name", "birthday"):
            yield f"{each.personal} = {toml_value(each.source)}"
    if proposal.account is None:
        return
    yield ""
    yield "[[section]]"
    yield 'name = "places of work"'
    yield 'record = "affiliation"'
    yield from _row(proposal, 'on_update = "skip"')
    yield from _skipping(proposal)
    yield "[section.fields]"
    yield f'account_id = {{ column = {toml_value(proposal.account)}, lookup = "account" }}'
    yield f"contact_id = {_contact(proposal)}"


def _name_of_person(proposal: Proposal) -> str | None:
    """Where the mapping takes the name of the person from: one column, or that of the family and the given one."""
    found = {each.personal: each for each in proposal.personal if each.required or each.personal == "name"}
    if whole := found.get("name"):
        return toml_value(whole.source)
    family, given = found.get("family_name"), found.get("given_name")
    if family is None or given is None:
        return None
    # Chinese puts the name of the family first, without a space.
    order = (given, family) if family.column.isascii() else (family, given)
    columns = [each.column for each in order]
    transform = {"name": "join", "separator": " " if family.column.isascii() else ""}
    return toml_value({"columns": columns, "transform": transform})


def _contact(proposal: Proposal) -> str:
    key = proposal.key[0] if len(proposal.key) == 1 else list(proposal.key)
    return f'{{ lookup = {{ record = "contact", key = {toml_value(key)}, missing = "empty" }} }}'


def _row(proposal: Proposal, *more: str) -> Iterator[str]:
    yield f"file = {toml_value(proposal.file)}"
    yield f"key = {toml_value(proposal.key[0] if len(proposal.key) == 1 else list(proposal.key))}"
    yield from more
    if proposal.repeated:
        yield 'duplicates = "first"'


def _skipping(proposal: Proposal) -> Iterator[str]:
    if proposal.account is not None and proposal.account_optional:
        yield f"skip_if = {{ {toml_value(proposal.account)} = false }}"


def _records(plugin: str, proposal: Proposal) -> Iterator[str]:
    yield ""
    yield "[[section]]"
    yield f'record = "{plugin}.{proposal.record}"'
    yield from _row(proposal)
    yield "[section.fields]"
    if _name_of_person(proposal) is not None:
        yield f"contact_id = {_contact(proposal)}"
    if proposal.account is not None:
        yield f'account_id = {{ column = {toml_value(proposal.account)}, lookup = "account" }}'
    for field in proposal.fields:
        yield f"{field.name} = {toml_value(field.source)}"
