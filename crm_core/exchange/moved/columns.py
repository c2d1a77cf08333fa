"""The columns of such a file, in English and Chinese, and a row as values."""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Mapping
from typing import Any

import attrs

from crm_core.domain.contacts import PointKind
from crm_core.errors import ExchangeError, ValidationError
from crm_core.exchange.guard import unguarded
from crm_core.exchange.sources import Source
from crm_core.exchange.transforms.times import read_moment

__all__ = ["COLUMNS", "Columns", "Wanted"]

COLUMNS: Mapping[str, tuple[str, ...]] = {
    "key": ("contact_key", "联系人编号"),
    "id": ("contact_id",),
    "name": ("person", "contact", "姓名", "联系人"),
    "mobile": ("手机", "手机号", "移动电话"),
    "phone": ("telephone", "电话", "座机"),
    "email": ("e-mail", "mail", "邮箱", "电子邮箱", "电子邮件"),
    "wechat": ("微信", "微信号"),
    "other": ("other_point", "其他联系方式"),
    "new_mobile": ("新手机", "新手机号"),
    "new_phone": ("新电话",),
    "new_email": ("新邮箱",),
    "new_wechat": ("新微信", "新微信号"),
    "employer": ("new_employer", "company", "account", "新单位", "单位", "公司", "新公司"),
    "employer_registration": ("registration_number", "统一社会信用代码", "信用代码"),
    "employer_key": ("account_key", "客户编号"),
    "former_employer": ("old_employer", "原单位", "原公司"),
    "role": ("新角色", "角色"),
    "title": ("职务", "职位", "新职务", "新职位"),
    "department": ("部门", "新部门"),
    "date": ("since", "日期", "变动日期", "入职日期"),
}
"""The columns that a file may have, each with other names for it; case and spaces make no difference."""

POINTS = {
    "mobile": PointKind.MOBILE,
    "phone": PointKind.PHONE,
    "email": PointKind.EMAIL,
    "wechat": PointKind.WECHAT,
    "other": PointKind.OTHER,
}
_FINDING = ("key", "id", *POINTS)
_EMPLOYER = ("employer", "employer_registration", "employer_key")


@attrs.frozen(kw_only=True)
class Wanted:
    """A row that can be read: who, from where, to where, as what, since when."""

    line: int
    cells: Any
    key: str | None
    id: int | None
    name: str | None
    points: tuple[tuple[PointKind, str], ...]
    new_points: tuple[tuple[PointKind, str], ...]
    employer: str | None
    employer_registration: str | None
    employer_key: str | None
    former_employer: str | None
    place: Mapping[str, str]
    at: dt.datetime | None

    @property
    def leaves(self) -> bool:
        """Whether no new employer is known."""
        return not (self.employer or self.employer_registration or self.employer_key)


class Columns:
    """Which column of a file holds what. Raises :class:`ExchangeError` when nobody could be found by it."""

    def __init__(self, source: Source) -> None:
        self._names = {_plain(each): name for name, others in COLUMNS.items() for each in (name, *others)}
        self.header = source.header
        self.ignored: set[str] = set()
        self._index: dict[str, int] | None = None
        if source.header is None:
            return
        self._index = {}
        for index, column in enumerate(source.header):
            name = self._names.get(_plain(column))
            if name is None:
                self.ignored.add(column)
            elif name in self._index:
                raise ExchangeError(
                    "{file} has two columns for {name}: {one} and {other}.", mend="Remove one of them.",
                    file=str(source.path), name=name, one=source.header[self._index[name]], other=column,
                )  # fmt: skip
            else:
                self._index[name] = index
        for needed, mend in (
            (_FINDING, "A person is found by one of: {known}."),
            (_EMPLOYER, "Name the new employer in one of: {known}; an empty cell means that the person left."),
        ):
            if not self._index.keys() & set(needed):
                sheet = source.place[1]
                raise ExchangeError(
                    "{file} cannot be used: no column of the sheet {sheet!r} says what is needed. Its sheets: {names}."
                    if source.others else "{file} cannot be used: no column says what is needed.",
                    mend=mend, file=str(source.path), known=", ".join(needed), sheet=sheet,
                    names=", ".join((sheet, *source.others)),
                )  # fmt: skip

    def read(self, line: int, cells: Any, tz: dt.tzinfo) -> Wanted:
        """A row; raises :class:`ValidationError` for one that cannot be used."""
        values = self._values(cells)
        wanted = Wanted(
            line=line,
            cells=cells,
            key=values.get("key"),
            id=_id(values.get("id")),
            name=values.get("name"),
            points=tuple((kind, values[name]) for name, kind in POINTS.items() if name in values),
            new_points=tuple((kind, values[f"new_{name}"]) for name, kind in POINTS.items() if f"new_{name}" in values),
            employer=values.get("employer"),
            employer_registration=values.get("employer_registration"),
            employer_key=values.get("employer_key"),
            former_employer=values.get("former_employer"),
            place={name: values[name] for name in ("role", "title", "department") if name in values},
            at=_moment(values.get("date"), tz),
        )
        if not (wanted.points or wanted.key or wanted.id):
            raise ValidationError(
                "The row names no contact point and no key.", mend="A person is not found by name alone: give one."
            )
        if wanted.leaves and wanted.place:
            raise ValidationError(
                "The row says a role, title or department, but no employer.",
                mend="Name the employer, also when it stays the same.",
            )
        return wanted

    def _values(self, cells: Any) -> dict[str, str]:
        if self._index is not None:
            given = {name: unguarded(str(cells[index])) for name, index in self._index.items()}
        else:
            given = {}
            for column, value in cells.items():
                name = self._names.get(_plain(column))
                if name is None:
                    self.ignored.add(column)
                elif value is not None:
                    given[name] = str(value)
        return {name: text.strip() for name, text in given.items() if text.strip()}


def _plain(column: str) -> str:
    return re.sub(r"[\s_-]+", "_", column.strip().casefold())


def _id(text: str | None) -> int | None:
    if text is None:
        return None
    if not (text.isascii() and text.isdecimal() and 0 < int(text) < 2**63):
        raise ValidationError("{text!r} is no id.", mend="Give the id of the contact, or leave it empty.", text=text)
    return int(text)


def _moment(text: str | None, tz: dt.tzinfo) -> dt.datetime | None:
    if text is None:
        return None
    for format_ in (None, "%Y/%m/%d", "%Y.%m.%d", "%d.%m.%Y", "%Y年%m月%d日"):
        try:
            return read_moment(text, tz, format_)
        except ValueError:
            continue
    raise ValidationError("{text!r} is no day.", mend="Write it as 2026-11-23.", text=text)
