"""Bytes in, text out: which encoding was it?

Order (measured on 39 pairs of language and charset, see the tests for those that must decode exactly): byte order
mark, encodings of seven bits (their bytes are UTF-8 too), strict UTF-8, UTF-16/32 without a mark, what the file
declares, refuse what is binary, UTF-8 with a few broken bytes, UTF-8 in some lines and an older encoding in others, and
only then a guess.
"""

from __future__ import annotations

import codecs
import re
import unicodedata
from dataclasses import dataclass

from indexer.read.charset_names import codec
from indexer.read.clean import clean, join_surrogates
from indexer.read.guess import guess, is_garbled
from indexer.read.mojibake import mended
from indexer.read.seven_bits import seven_bits
from labse_search.errors import Unreadable
from labse_search.records import Note

_MARKS = (
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF32_LE, "utf-32"),  # before UTF-16: its mark begins with the same two bytes
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
_WIDE_CHARACTERS = frozenset(("gb18030", "big5hkscs", "cp949", "cp932", "euc-jp"))
_HIGH = bytes(range(0x80, 0x100))
_HEAD = 1 << 16  # bytes that are looked at where looking at all of a large file would cost and add nothing
_CONTROL = bytes((*range(9), *range(14, 27)))  # not \t \n \v \f \r ESC, nor what parts the fields of library records
_OVERSTRUCK = re.compile(
    rb"(?:[\0-\t\x0b-\x7f]|[\xc2-\xf4][\x80-\xbf]{1,3})\x08"
)  # bold and underlined, as printers and manual pages wrote it
_SPACES = " \n\u3000\u3001\u3002\uff0c"  # what any text in UTF-16 holds often, and what a wrong byte order never gives


@dataclass(frozen=True)
class Decoded:
    """Text made of bytes, in which encoding, and what had to be mended."""

    text: str  # clean
    encoding: str
    notes: tuple[Note, ...] = ()


def decode(content: bytes, declared: str | None = None) -> Decoded:
    """The text of these bytes; Unreadable("binary") if they are no text."""
    for mark, encoding in _MARKS:
        if content.startswith(mark):
            marked_wrongly = encoding == "utf-16" and b" " in content and b"\0" not in content and content[2:].isascii()
            return _lenient(content[2:], "utf-8") if marked_wrongly else _lenient(content, encoding)
    known = codec(declared)
    escaped = seven_bits(content, known)
    if escaped is not None:
        return Decoded(clean(escaped[0]), escaped[1])
    if b"\b" in content[:_HEAD]:
        content = _OVERSTRUCK.sub(b"", content)
    text = _strict(content, "utf-8")
    if text is not None and not _has_many_controls(content):
        return _mended(text, content)
    wide = _wide_encoding(content)
    if wide is not None:
        return _lenient(content, wide)
    if known is not None and not (known.startswith(("utf-16", "utf16", "utf-32", "utf32")) and _is_narrow(content)):
        text = _strict(content, known)
        if text is not None and not _has_many_controls(content) and not is_garbled(content, known):
            return Decoded(clean(text), known)
    if _has_many_controls(content) or content[:_HEAD].count(0) > 8:
        raise Unreadable("binary", "too many control bytes for a text")
    return _guess(content)


def _mended(text: str, content: bytes) -> Decoded:
    text, lines = mended(text, content)
    notes = (Note("mojibake_repaired", f"{lines} lines" if lines > 1 else "1 line"),) if lines else ()
    return Decoded(clean(text), "utf-8", notes)


def _is_narrow(content: bytes) -> bool:
    """Whether one byte is one character: a tag could be read in it, or it has letters and no NUL."""
    head = content[:4096]
    return (
        b"<" in head and b">" in head and b"\0" not in head or (len(head) > 16 and b"\0" not in head and b" " in head)
    )


def _guess(content: bytes) -> Decoded:
    cesu = _cesu(content)
    if cesu is not None:
        return cesu
    mixed = _by_line(content)
    if mixed is not None:
        return mixed
    text = content.decode("utf-8", "replace")
    if _is_nearly_utf8(text):
        return _lenient(content, "utf-8")
    encoding = codec(guess(content)) or "cp1252"
    decoded = _lenient(content, encoding)
    return Decoded(decoded.text, encoding, (*decoded.notes, Note("encoding_guessed", encoding)))


def _is_nearly_utf8(text: str) -> bool:
    lost = text.count("\ufffd")
    beyond_ascii = sum(character > "\x7f" for character in text[:_HEAD]) - text[:_HEAD].count("\ufffd")
    return lost <= max(3, 0.01 * len(text)) and beyond_ascii > 2 * text[:_HEAD].count("\ufffd")


def _cesu(content: bytes) -> Decoded | None:
    """UTF-8 of a program that wrote emoji as two halves, and NUL as two bytes: old databases, Java."""
    if b"\xed" not in content and b"\xc0\x80" not in content:
        return None
    try:
        text = content.replace(b"\xc0\x80", b"\0").decode("utf-8", "surrogatepass")
    except UnicodeDecodeError:
        return None
    return Decoded(clean(join_surrogates(text)), "cesu-8")


def _by_line(content: bytes) -> Decoded | None:
    """Lines in UTF-8 beside lines in an older encoding, as logs and joined files have them; None if it is not so."""
    high = len(content) - len(content.translate(None, _HIGH))
    letters = content.decode("utf-8", "ignore")
    if len(letters) - len(letters.encode("ascii", "ignore")) < high / 100:  # hardly any of it is UTF-8
        return None
    lines = content.split(b"\n")
    odd = [number for number, line in enumerate(lines) if not line.isascii()]
    texts = {number: _strict(lines[number], "utf-8") for number in odd}
    old = [number for number in odd if texts[number] is None]
    good = sum(1 for text in texts.values() if text is not None)
    if not good or len(old) * 50 > 49 * len(odd):
        return None
    nearly = {n: text for n in old if _is_nearly_utf8(text := lines[n].decode("utf-8", "replace"))}
    old = [number for number in old if number not in nearly]
    if not old:
        return None
    joined = b"\n".join(lines[number] for number in old)
    encoding = codec(guess(joined)) or "cp1252"
    whole = codec(guess(content))
    if whole in _WIDE_CHARACTERS and _strict(content, whole) is not None:  # some of its lines look like UTF-8 by chance
        return None
    decoded = _lenient(joined, encoding)
    mended = dict(zip(old, decoded.text.split("\n"), strict=False))
    if len(mended) != len(old):
        return None
    text = "\n".join(
        mended[n] if n in mended else nearly.get(n) or texts.get(n) or line.decode("utf-8", "replace")
        for n, line in enumerate(lines)
    )
    notes = (*decoded.notes, Note("encoding_mixed", f"UTF-8, and {encoding} in {len(old)} lines"))
    return Decoded(clean(text), "utf-8", notes)


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
