"""The zh_CN catalogue of a new plugin: what the template says, and labels that were proposed."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from crm_core.translation.update import update

__all__ = ["complete"]

_WORDS = {
    "Name": "名称", "Code": "编码", "Worth": "价值", "Phone": "电话", "Fax": "传真", "Email": "电子邮件",
    "City": "城市", "Country": "国家", "Region": "地区", "Address": "地址", "Postal code": "邮政编码",
    "Description": "描述", "Title": "标题", "Status": "状态", "Type": "类型", "Category": "类别",
    "Quantity": "数量", "Price": "价格", "Unit price": "单价", "Discount": "折扣", "Amount": "金额",
    "Total": "合计", "Date": "日期", "Order date": "订单日期", "Start date": "开始日期", "End date": "结束日期",
    "Note": "备注", "Notes": "备注", "Comment": "备注", "Owner": "负责人", "Company name": "公司名称",
    "Contact name": "联系人", "Contact title": "联系人职务", "Product name": "产品名称", "First name": "名",
    "Last name": "姓", "Birth date": "出生日期", "Currency": "币种", "Weight": "重量", "Size": "尺寸",
    "Serial number": "序列号", "Discontinued": "已停产", "Home page": "主页", "Website": "网站",
    "Account": "客户", "Contact": "联系人",
}  # fmt: skip
"""What columns are often called."""


def complete(package: Path, plugin: str, given: Mapping[str, str]) -> list[str]:
    """Bring the catalogue of a new package up to date; returns the texts that say in Chinese what the source says.

    ``given`` are translations of texts that come from the author, such as a label that is Chinese itself.
    """
    from babel.messages.pofile import read_po, write_po

    path = package / "locale" / "zh_CN" / "LC_MESSAGES" / f"{plugin}.po"
    update(package, path)
    with path.open("rb") as file:
        catalogue = read_po(file)
    same = []
    for message in catalogue:
        if message.id and not message.string:
            text = str(message.id)
            message.string = given.get(text) or _WORDS.get(text) or text
            if message.string == text and text.isascii():
                same.append(text)
    with path.open("wb") as file:
        write_po(file, catalogue, width=118)
    update(package, path)  # without the lines that say when and by whom
    return same
