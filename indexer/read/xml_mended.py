"""XML with the damage that programs often do to it, mended: emoji in two halves, references to nothing, bare "&"."""

from __future__ import annotations

import re

_HALVES = re.compile(r"&#(?:x(d[89ab][0-9a-f]{2})|(5\d{4}));&#(?:x(d[c-f][0-9a-f]{2})|(5\d{4}));", re.I)
_NUMBERED = re.compile(r"&#(?:x([0-9a-f]{1,6})|(\d{1,7}));", re.I)
_LONE_AND = re.compile(r"&(?!#\d{1,7};|#x[0-9a-fA-F]{1,6};|[a-zA-Z][\w.-]{0,40};)")


def mended(text: str) -> str:
    """The same document, well formed if nothing else is wrong with it."""
    return _LONE_AND.sub("&amp;", _NUMBERED.sub(_character, _HALVES.sub(_joined, text)))


def _joined(halves: re.Match[str]) -> str:
    high = int(halves[1], 16) if halves[1] else int(halves[2])
    low = int(halves[3], 16) if halves[3] else int(halves[4])
    if 0xD800 <= high < 0xDC00 <= low < 0xE000:
        return chr((high - 0xD800 << 10) + low - 0xDC00 + 0x10000)
    return halves[0]


def _character(reference: re.Match[str]) -> str:
    number = int(reference[1], 16) if reference[1] else int(reference[2])
    exists = number in (9, 10, 13) or 32 <= number < 0xD800 or 0xE000 <= number < 0xFFFE or 0x10000 <= number < 0x110000
    return reference[0] if exists else ""
