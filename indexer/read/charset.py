"""Bytes in, text out: which encoding was it?

Order (measured on 39 pairs of language and charset, see the tests for those that must decode exactly): byte order
mark, ISO-2022-JP escapes, strict UTF-8, UTF-16/32 without a mark, what the file declares, refuse what is binary,
UTF-8 with a few broken bytes, and only then Firefox's detector, which never says UTF-8 or UTF-16.
"""

from __future__ import annotations

import codecs
import re
import unicodedata
from dataclasses import dataclass

import chardetng_py

from indexer.read.clean import clean
from labse_search.errors import Unreadable
from labse_search.records import Note

_MARKS = (
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF32_LE, "utf-32"),  # before UTF-16: its mark begins with the same two bytes
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
# The web's names (WHATWG) whose Python codec has another name, or is narrower than what the web means by it.
_CODECS = {
    "windows-874": "cp874",
    "iso-8859-11": "cp874",
    "tis-620": "cp874",
    "iso-8859-8-i": "iso-8859-8",
    "x-mac-cyrillic": "mac-cyrillic",
    "macintosh": "mac-roman",
    "gbk": "gb18030",
    "gb2312": "gb18030",
    "gb_2312-80": "gb18030",
    "big5": "big5hkscs",
    "euc-kr": "cp949",
    "ks_c_5601-1987": "cp949",
    "shift_jis": "cp932",
    "shift-jis": "cp932",
    "sjis": "cp932",
    "x-sjis": "cp932",
    "iso-8859-1": "cp1252",
    "latin1": "cp1252",
    "us-ascii": "utf-8",
    "ascii": "utf-8",
}
_HEAD = 1 << 16  # bytes that are looked at where looking at all of a large file would cost and add nothing
_DETECTED = 1 << 20
_CONTROL = bytes((*range(9), *range(14, 27), *range(28, 32)))  # not \t \n \v \f \r ESC
_SPACES = " \n\u3000\u3001\u3002\uff0c"  # what any text in UTF-16 holds often, and what a wrong byte order never gives


@dataclass(frozen=True)
class Decoded:
    text: str  # clean
    encoding: str
    notes: tuple[Note, ...] = ()


def decode(content: bytes, declared: str | None = None) -> Decoded:
    """The text of these bytes; Unreadable("binary") if they are no text."""
    for mark, encoding in _MARKS:
        if content.startswith(mark):
            return _lenient(content, encoding)
    if b"\x1b$" in content[:_HEAD] or b"\x1b(" in content[:_HEAD]:
        text = _strict(content, "iso2022_jp_ext")
        if text is not None and "\x1b" not in text:
            return Decoded(clean(text), "iso-2022-jp")
    text = _strict(content, "utf-8")
    if text is not None and not _has_many_controls(content):
        return Decoded(clean(text), "utf-8")
    wide = _wide_encoding(content)
    if wide is not None:
        return _lenient(content, wide)
    known = _codec(declared)
    if known is not None:
        text = _strict(content, known)
        if text is not None and not _has_many_controls(content):
            return Decoded(clean(text), known)
    if _has_many_controls(content) or content[:_HEAD].count(0) > 8:
        raise Unreadable("binary", "too many control bytes for a text")
    return _guess(content)


def _guess(content: bytes) -> Decoded:
    text = content.decode("utf-8", "replace")
    lost = text.count("\ufffd")
    beyond_ascii = sum(character > "\x7f" for character in text[:_HEAD]) - text[:_HEAD].count("\ufffd")
    if lost <= max(3, 0.01 * len(text)) and beyond_ascii > 2 * text[:_HEAD].count("\ufffd"):
        return _lenient(content, "utf-8")
    encoding = _codec(chardetng_py.detect(content[:_DETECTED])) or "cp1252"
    decoded = _lenient(content, encoding)
    return Decoded(decoded.text, encoding, (*decoded.notes, Note("encoding_guessed", encoding)))


def _lenient(content: bytes, encoding: str) -> Decoded:
    """Bytes that mean nothing become U+FFFD and are counted."""
    text = content.decode(encoding, "replace")
    try:
        already = content.decode(encoding, "ignore").count("\ufffd") if "\ufffd" in text else 0
    except UnicodeDecodeError:
        already = 0
    lost = text.count("\ufffd") - already
    return Decoded(clean(text), encoding, (Note("undecodable_bytes", str(lost)),) if lost else ())


def _strict(content: bytes, encoding: str) -> str | None:
    try:
        return content.decode(encoding)
    except (UnicodeDecodeError, LookupError):
        return None


def _codec(name: str | None) -> str | None:
    """The Python codec for a charset's name, None if there is none that makes text of bytes."""
    if not name:
        return None
    wanted = name.strip().lower()
    wanted = _CODECS.get(wanted, wanted)
    try:
        b"a".decode(wanted)
        return wanted
    except (LookupError, UnicodeError, ValueError):  # ValueError: a NUL in the name
        return wanted if re.fullmatch(r"utf-?(16|32)(-?[lb]e)?", wanted) else None


def _has_many_controls(content: bytes) -> bool:
    """Over 2 %, which no text has; three of them may stand in any."""
    head = content[:_HEAD]
    found = len(head) - len(head.translate(None, _CONTROL))
    return found > 3 and found >= 0.02 * len(head)


def _wide_encoding(content: bytes) -> str | None:
    """UTF-16 or UTF-32 without a mark: decodes into assigned characters and has spaces or full stops in it.

    Text of one byte a character never passes: each space of UTF-16 needs a byte that such text does not contain.
    """
    head = content[:8192]
    if len(head.translate(None, _CONTROL)) == len(head):
        return None
    best, best_score = None, (0, 0)
    for encoding, width in (("utf-32-le", 4), ("utf-32-be", 4), ("utf-16-le", 2), ("utf-16-be", 2)):
        if width == 4 and len(content) % width:  # of UTF-16, a last half character may have been cut off
            continue
        text = _strict(head[: len(head) // width * width], encoding)
        if text is None:  # the head may end inside a surrogate pair
            text = _strict(head[: len(head) // width * width - 2], encoding) if width == 2 else None
        if not text or _implausible_share(text) > 0.005:
            continue
        blocks = {ord(character) >> 8 for character in text}
        spaces = sum(text.count(space) for space in _SPACES)
        if not spaces and len(text) > 64:
            continue
        score = (spaces, -len(blocks))
        if best is None or score > best_score:
            best, best_score = encoding, score
    return best


def _implausible_share(text: str) -> float:
    odd = sum(
        unicodedata.category(character) in ("Cn", "Co", "Cs", "Cc") and character not in "\t\n\r\f\x1b"
        for character in text
    )
    return odd / max(1, len(text))
