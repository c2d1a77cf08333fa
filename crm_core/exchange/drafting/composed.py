"""Fields that are made from several columns: names of people, logins, the lines of a street."""

from __future__ import annotations

from collections.abc import Sequence

from crm_core.exchange.drafting.candidates import Candidate, source
from crm_core.exchange.drafting.headers import plain
from crm_core.exchange.drafting.keys import Key
from crm_core.exchange.drafting.looks import sample
from crm_core.exchange.drafting.model import FieldDraft
from crm_core.exchange.drafting.model import said as _
from crm_core.exchange.drafting.rows import Reading, further_names
from crm_core.exchange.drafting.table import Table
from crm_core.exchange.drafting.targets import POINT, Target
from crm_core.fields.folding import HAN

__all__ = ["login", "person_name", "second_line"]

_SECOND_LINE = frozenset({"addressline2", "address2", "street2", "streetaddress2", "addressline3", "address3"})


def second_line(table: Table) -> tuple[str, ...]:
    """The headers of further lines of a street."""
    return tuple(each.header for each in table.columns if plain(each.header) in _SECOND_LINE)


def person_name(table: Table, parts: Sequence[Candidate]) -> FieldDraft:
    """A name from its parts: given name first, but for names in Chinese."""
    columns = [each.column for each in parts]
    chinese = any(HAN.search(value) for each in columns for value in sample(each))
    if len(columns) == 1:
        value = source(columns[0])
    elif chinese:
        columns.reverse()
        value = {"columns": [each.header for each in columns], "transform": {"name": "join", "separator": ""}}
    else:
        middle, suffix = further_names(table)
        columns = [columns[0], *middle, columns[1], *suffix]
        value = {"columns": [each.header for each in columns], "transform": "join"}
    return FieldDraft(
        name="name", value=value, columns=tuple(each.header for each in columns),
        certainty=min((each.certainty for each in parts), default=0.5), because=_("the parts of the name, joined"),
    )  # fmt: skip


def login(table: Table, reading: Reading, key: Key) -> FieldDraft:
    """What somebody of ours signs in with: their login, the start of their e-mail address, their name, or their key."""
    chosen = reading.chosen
    has: Candidate | None = chosen.get(Target("user", "login"))
    if has is not None:
        return FieldDraft(name="login", value=source(has.column, has.fit.transform), columns=(has.column.header,),
                          certainty=has.certainty, because=has.because, remarks=has.fit.remarks)  # fmt: skip
    mail = chosen.get(Target("user", "email")) or chosen.get(Target(POINT, "value", "email"))
    given, family = chosen.get(Target("contact", "given_name")), chosen.get(Target("contact", "family_name"))
    value: object
    if mail is not None and mail.column.unique:
        columns: tuple[str, ...] = (mail.column.header,)
        value = source(mail.column, [{"name": "part", "separator": "@"}, "lower"])
        certainty = 0.6
    elif given is not None and family is not None:
        columns = (given.column.header, family.column.header)
        value = {"template": "{" + columns[0] + "}.{" + columns[1] + "}", "transform": "lower"}
        certainty = 0.5
    else:
        columns = tuple(each.header for each in key.columns)
        value = {"template": key.template}
        certainty = 0.3
    return FieldDraft(name="login", value=value, columns=columns, certainty=certainty,
                      because=_("no column has it: it is made of {columns}", columns=", ".join(columns)))  # fmt: skip
