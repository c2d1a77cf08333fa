"""The import mapping for the table that a record was proposed from."""

from __future__ import annotations

from collections.abc import Iterator

from crm_core.authoring.proposing import Proposal
from crm_core.exchange.drafting.writing import toml_value

__all__ = ["mapping"]


def mapping(plugin: str, proposal: Proposal) -> str:
    """The mapping as TOML; ``crm import`` takes it as it is."""
    return "\n".join([*_source(plugin, proposal), *_accounts(proposal), *_records(plugin, proposal), ""])


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
    if proposal.account_optional:
        yield f"skip_if = {{ {toml_value(proposal.account)} = false }}"
    yield "[section.fields]"
    yield f"name = {toml_value(proposal.account_name or proposal.account)}"


def _records(plugin: str, proposal: Proposal) -> Iterator[str]:
    yield ""
    yield "[[section]]"
    yield f'record = "{plugin}.{proposal.record}"'
    yield f"file = {toml_value(proposal.file)}"
    yield f"key = {toml_value(proposal.key[0] if len(proposal.key) == 1 else list(proposal.key))}"
    if proposal.repeated:
        yield 'duplicates = "first"'
    yield "[section.fields]"
    if proposal.account is not None:
        yield f'account_id = {{ column = {toml_value(proposal.account)}, lookup = "account" }}'
    for field in proposal.fields:
        yield f"{field.name} = {toml_value(field.source)}"
