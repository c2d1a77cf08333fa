"""The import mapping for the table that a record was proposed from."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from crm_core.authoring.proposing import Proposal

__all__ = ["mapping"]


def mapping(plugin: str, proposal: Proposal) -> str:
    """The mapping as TOML; ``crm import`` takes it as it is."""
    return "\n".join([*_source(plugin, proposal), *_accounts(proposal), *_records(plugin, proposal), ""])


def _source(plugin: str, proposal: Proposal) -> Iterator[str]:
    yield f"# How {proposal.file} becomes records of the plugin {plugin}: crm import --dry-run, then without it."
    yield "[source]"
    yield "# The name of the system that the table comes from; keys of accounts count within it."
    yield f"system = {_toml(plugin)}"
    if proposal.nothing:
        yield f"null_values = {_toml(['', *proposal.nothing])}"


def _accounts(proposal: Proposal) -> Iterator[str]:
    if proposal.account is None:
        return
    yield ""
    yield "# Accounts that are not here yet are made, with as much as the table knows. Take this section out when they"
    yield "# come from elsewhere, and name that system above."
    yield "[[section]]"
    yield 'name = "accounts"'
    yield 'record = "account"'
    yield f"file = {_toml(proposal.file)}"
    yield f"key = {_toml(proposal.account)}"
    yield 'on_update = "skip"'
    yield 'duplicates = "first"'
    if proposal.account_optional:
        yield f"skip_if = {{ {_toml(proposal.account)} = false }}"
    yield "[section.fields]"
    yield f"name = {_toml(proposal.account_name or proposal.account)}"


def _records(plugin: str, proposal: Proposal) -> Iterator[str]:
    yield ""
    yield "[[section]]"
    yield f'record = "{plugin}.{proposal.record}"'
    yield f"file = {_toml(proposal.file)}"
    yield f"key = {_toml(proposal.key[0] if len(proposal.key) == 1 else list(proposal.key))}"
    if proposal.repeated:
        yield 'duplicates = "first"'
    yield "[section.fields]"
    if proposal.account is not None:
        yield f'account_id = {{ column = {_toml(proposal.account)}, lookup = "account" }}'
    for field in proposal.fields:
        yield f"{field.name} = {_toml(field.source)}"


def _toml(value: Any) -> str:
    """A value as TOML writes it on one line."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, dict):
        return "{ " + ", ".join(f"{key} = {_toml(each)}" for key, each in value.items()) + " }"
    if isinstance(value, list | tuple):
        return "[" + ", ".join(map(_toml, value)) + "]"
    import json

    return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")
