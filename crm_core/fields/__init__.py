"""Field kinds and the functions that declare them in a record class.

Each function stands on the right of an annotated name in a record: ``name: Mapped[str] = text(200)``. A field is
optional exactly when it says ``default=None`` (and its annotation ``| None``).

Options common to all kinds:

``default`` or ``factory``
    the value when none is given; without one the field is required.
``label``
    what people read; the name in words when absent. It is translated through the plugin's catalogue.
``index``
    make a database index.
``personal``
    personal data: a tombstone replaces it when the person is erased.
``restricted``
    the permission needed to read it (for example ``"activity.read_notes"``); all others neither see it nor can
    filter or order by it.
"""

from __future__ import annotations

from collections.abc import Callable
from enum import Enum
from typing import Any

import attrs

from crm_core.errors import DeclarationError
from crm_core.fields.composites import Address, Money
from crm_core.fields.field import NO_DEFAULT, Field, declare
from crm_core.fields.folding import FOLD_MARK, fold, sort_key
from crm_core.fields.kinds import (
    AddressKind,
    ChoiceKind,
    DayKind,
    EmailKind,
    FlagKind,
    JsonKind,
    Kind,
    MomentKind,
    MoneyKind,
    NumberKind,
    PhoneKind,
    RefKind,
    TagsKind,
    TextKind,
    UrlKind,
)
from crm_core.fields.secret import Secret

__all__ = [
    "FOLD_MARK",
    "KINDS",
    "Address",
    "Field",
    "Kind",
    "Money",
    "Secret",
    "address",
    "choice",
    "day",
    "email",
    "flag",
    "fold",
    "json",
    "moment",
    "money",
    "number",
    "phone",
    "ref",
    "sort_key",
    "tags",
    "text",
    "url",
]

KINDS: dict[str, type[Kind]] = {
    kind.name: kind
    for kind in (
        TextKind, ChoiceKind, NumberKind, MoneyKind, DayKind, MomentKind, FlagKind, RefKind, TagsKind, JsonKind,
        EmailKind, PhoneKind, UrlKind, AddressKind,
    )
}  # fmt: skip
"""Every field kind by name."""


def text(
    length: int | None = 200,
    *,
    default: Any = NO_DEFAULT,
    factory: Callable[[], Any] | None = None,
    search: bool = False,
    folded: bool | None = None,
    surname: bool = False,
    vocabulary: str | None = None,
    **options: Any,
) -> Any:
    """Text of at most ``length`` characters; ``None`` means any length.

    ``search`` lets :meth:`~crm_core.Session.search` find it. ``folded`` stores a sort key beside it (casefold, pinyin),
    which the case-insensitive operators need; ``surname`` reads its first characters as a Chinese surname, and folds it
    unless ``folded=False`` says that only searching needs the reading. ``vocabulary`` limits
    it to the words that plugins and the build file register under that name (``"activity.kind"``).
    """
    if length is not None and length < 1:
        raise DeclarationError("text({length}) can hold nothing.", mend="Give a length of at least 1.", length=length)
    return declare(
        TextKind(length),
        default,
        factory,
        search=search,
        folded=surname if folded is None else folded,
        surname=surname,
        vocabulary=vocabulary,
        **options,
    )


def choice(
    enum: type[Enum], *, default: Any = NO_DEFAULT, factory: Callable[[], Any] | None = None, **options: Any
) -> Any:
    """One member of ``enum``, whose values are texts of at most 40 characters; stored by value."""
    if not len(enum):
        raise DeclarationError("{enum} has no members.", mend="Name the choices in it.", enum=enum.__name__)
    for member in enum:
        if not isinstance(member.value, str) or not 0 < len(member.value) <= 40:
            raise DeclarationError(
                "{enum}.{member} has the value {value!r}.",
                mend="Give each member a text of one to 40 characters as its value.",
                enum=enum.__name__,
                member=member.name,
                value=member.value,
            )
    return declare(ChoiceKind(enum), default, factory, **options)


def _check_scale(scale: int) -> None:
    if not 0 <= scale <= 12:
        raise DeclarationError("A scale of {scale} is not possible.", mend="Give 0 to 12 decimals.", scale=scale)


def number(
    scale: int = 4, *, default: Any = NO_DEFAULT, factory: Callable[[], Any] | None = None, **options: Any
) -> Any:
    """An exact number with ``scale`` decimals (0 to 12), at most 18 digits; ``scale=0`` holds ``int``."""
    _check_scale(scale)
    return declare(NumberKind(scale), default, factory, **options)


def money(
    scale: int = 4, *, default: Any = NO_DEFAULT, factory: Callable[[], Any] | None = None, **options: Any
) -> Any:
    """A :class:`Money`, stored in two columns (``<name>_amount``, ``<name>_currency``)."""
    _check_scale(scale)
    return declare(MoneyKind(scale), default, factory, **options)


def day(*, default: Any = NO_DEFAULT, factory: Callable[[], Any] | None = None, **options: Any) -> Any:
    """A calendar day (:class:`datetime.date`)."""
    return declare(DayKind(), default, factory, **options)


def moment(*, default: Any = NO_DEFAULT, factory: Callable[[], Any] | None = None, **options: Any) -> Any:
    """A moment (aware :class:`datetime.datetime`, kept in UTC)."""
    return declare(MomentKind(), default, factory, **options)


def flag(*, default: Any = NO_DEFAULT, factory: Callable[[], Any] | None = None, **options: Any) -> Any:
    """Yes or no."""
    return declare(FlagKind(), default, factory, **options)


def ref(
    target: str,
    *,
    on_delete: str = "cascade",
    collection: str | None = None,
    default: Any = NO_DEFAULT,
    factory: Callable[[], Any] | None = None,
    index: bool = True,
    **options: Any,
) -> Any:
    """The id of a record of type ``target``.

    ``on_delete`` says what the store does with this record when the target is deleted: ``"cascade"`` deletes it,
    ``"clear"`` empties the field (it must be optional), ``"restrict"`` refuses (only within one plugin: a plugin that
    is switched off must not block others).
    """
    if on_delete not in ("cascade", "clear", "restrict"):
        raise DeclarationError("on_delete={on_delete!r} is not known.", mend="Use cascade, clear or restrict.",
                               on_delete=on_delete)  # fmt: skip
    if on_delete == "clear" and default is not None:
        raise DeclarationError("A reference that is cleared must be optional.", mend="Add default=None.")
    return declare(RefKind(target, on_delete, collection), default, factory, index=index, **options)


def tags(*, default: Any = NO_DEFAULT, factory: Callable[[], Any] | None = None, **options: Any) -> Any:
    """A set of short words (:class:`frozenset` of ``str``); usually ``default=frozenset()``."""
    return declare(TagsKind(), default, factory, **options)


def json(*, default: Any = NO_DEFAULT, factory: Callable[[], Any] | None = None, **options: Any) -> Any:
    """Any JSON value. It is replaced as a whole: a change inside it is not noticed."""
    return declare(JsonKind(), default, factory, **options)


def email(*, default: Any = NO_DEFAULT, factory: Callable[[], Any] | None = None, **options: Any) -> Any:
    """An e-mail address, checked for its form only."""
    return declare(EmailKind(), default, factory, **options)


def phone(*, default: Any = NO_DEFAULT, factory: Callable[[], Any] | None = None, **options: Any) -> Any:
    """A telephone number; with a country code it is stored in E.164."""
    return declare(PhoneKind(), default, factory, **options)


def url(*, default: Any = NO_DEFAULT, factory: Callable[[], Any] | None = None, **options: Any) -> Any:
    """A web address (http or https)."""
    return declare(UrlKind(), default, factory, **options)


def address(*, default: Any = NO_DEFAULT, factory: Callable[[], Any] | None = None, **options: Any) -> Any:
    """A postal :class:`Address`, stored in five columns."""
    return declare(AddressKind(), default, factory, **options)


def field_of(attribute: attrs.Attribute[Any]) -> Field | None:
    """The :class:`Field` behind an attrs attribute of a record class, if it is one."""
    return attribute.metadata.get("crm_core.field")
