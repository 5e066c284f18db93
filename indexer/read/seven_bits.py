"""Text in ASCII bytes that stand for other letters: ISO-2022, HZ, UTF-7."""

from __future__ import annotations

import re
import unicodedata

_HEAD = 1 << 16  # bytes in which the escapes must begin
_HZ = re.compile(rb"~\{(?:[!-w][!-~])+~\}")
_UTF7 = re.compile(
    rb"\+((?:[A-Za-z0-9+/]{8})*(?:[A-Za-z0-9+/]{3}|[A-Za-z0-9+/]{6}|[A-Za-z0-9+/]{8}))(?:-|(?=[\s.,:;!?)\"']|$))"
)


def seven_bits(content: bytes, known: str | None) -> tuple[str, str] | None:
    """The text and its encoding, where its escapes are there or the file says so; None if it is nothing of the kind.

    `known`: the codec that the file names.
    """
    head = content[:_HEAD]
    if not content.isascii() and b"\x1b$" not in head:
        return None
    if b"\x1b$" in head or b"\x1b(" in head:
        korean = b"\x1b$)C" in head
        for encoding in ("iso2022_kr",) if korean else ("iso2022_jp_ext", "iso2022_jp_2004", "iso2022_jp_2"):
            text = _strict(content, encoding)
            if text is not None and "\x1b" not in text:
                return text, "iso-2022-kr" if korean else "iso-2022-jp"
        if korean:
            return content.decode("iso2022_kr", "replace"), "iso-2022-kr"
    if b"~{" in head and (known == "hz" or _HZ.search(head)):
        text = _strict(content, "hz")
        if text is not None:
            return text, "hz"
    if known in ("utf-7", "utf7", "utf_7") or (b"+" in head and _is_utf7(head)):
        text = _strict(content, "utf-7")
        if text is not None:
            return text, "utf-7"
    return None


def _is_utf7(head: bytes) -> bool:
    """Whether a text that does not say so is UTF-7: two letters beyond ASCII at least, and no nonsense."""
    letters = 0
    for escape in _UTF7.finditer(head):
        text = _strict(b"+" + escape[1] + b"-", "utf-7")
        if text is None or not all(_is_likely(character) for character in text):
            return False
        letters += sum(1 for character in text if character.isalpha())
    return letters > 1


def _is_likely(character: str) -> bool:
    return (
        "\x7f" < character < "\u2e80"
        and unicodedata.category(character)[0] in "LPM"
        or "\u3000" <= character < "\ud7a4"
    )


def _strict(content: bytes, encoding: str) -> str | None:
    try:
        return content.decode(encoding)
    except (UnicodeDecodeError, LookupError):
        return None
