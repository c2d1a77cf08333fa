"""Registration numbers of companies, checked by the rules of their country."""

from __future__ import annotations

from importlib import import_module

__all__ = ["registration_problem"]

# The module of python-stdnum that knows the number under which a country registers companies (or taxes them).
_MODULES = {
    "AT": "at.businessid", "AU": "au.abn", "BE": "be.vat", "BR": "br.cnpj", "CA": "ca.bn", "CH": "ch.uid",
    "CN": "cn.uscc", "CZ": "cz.dic", "DE": "de.handelsregisternummer", "DK": "dk.cvr", "ES": "es.cif",
    "FI": "fi.ytunnus", "FR": "fr.siren", "GB": "gb.vat", "IN": "in_.gstin", "IT": "it.iva", "JP": "jp.cn",
    "KR": "kr.brn", "MX": "mx.rfc", "NL": "nl.btw", "NO": "no.orgnr", "NZ": "nz.ird", "PL": "pl.regon",
    "PT": "pt.nif", "RU": "ru.inn", "SE": "se.orgnr", "SG": "sg.uen", "TR": "tr.vkn", "TW": "tw.ubn",
    "UA": "ua.edrpou", "US": "us.ein", "ZA": "za.tin",
}  # fmt: skip

_REASON_LABELS = (
    "The number's checksum or check digit is invalid.",
    "One of the parts of the number are invalid or unknown.",
    "The number has an invalid format.",
    "The number has an invalid length.",
)
"""What python-stdnum says."""


def registration_problem(country: str | None, number: str) -> str | None:
    """What is wrong with a registration number; ``None`` when it is right, or its country has no known rule."""
    name = _MODULES.get(country or "")
    if name is None:
        return None
    from stdnum.exceptions import ValidationError as Invalid

    module = import_module(f"stdnum.{name}")
    try:
        module.validate(number)
    except Invalid as error:
        return str(error)
    return None
