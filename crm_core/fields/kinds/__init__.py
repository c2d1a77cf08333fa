"""Field kinds: what a value is, how it is checked, stored, journalled and read from text."""

from crm_core.fields.kinds.base import Kind, json_form
from crm_core.fields.kinds.numbers import MoneyKind, NumberKind
from crm_core.fields.kinds.plain import AddressKind, ChoiceKind, FlagKind, JsonKind, RefKind, TagsKind
from crm_core.fields.kinds.texts import EmailKind, PhoneKind, TextKind, UrlKind
from crm_core.fields.kinds.times import DayKind, MomentKind

__all__ = [
    "AddressKind",
    "ChoiceKind",
    "DayKind",
    "EmailKind",
    "FlagKind",
    "JsonKind",
    "Kind",
    "MomentKind",
    "MoneyKind",
    "NumberKind",
    "PhoneKind",
    "RefKind",
    "TagsKind",
    "TextKind",
    "UrlKind",
    "json_form",
]
