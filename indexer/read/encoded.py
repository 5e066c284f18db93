"""Stretches of a text that are no language: base64, hexadecimal, minified programs. They are kept with the document and
make no passages: nobody could find them by meaning, and they would fill the collection."""

from __future__ import annotations

import re
from collections.abc import Iterator

_STEP = 24  # a block of so many characters without a space lies in every run of twice as many
_LEAST = 160  # characters of a stretch: keys and checksums of a line are left, people look for them
_TOKEN = 40  # characters of one line of it
_MINIFIED = 500  # characters of a line of a minified program
_RUN = re.compile(r"[A-Za-z0-9+/=_-]{40,}(?:[\s\"',\\>]{1,12}(?:r?n)?[A-Za-z0-9+/=_-]{20,})*")
_HEX = re.compile(r"(?:(?:0x)?[0-9a-fA-F]{2}[\s,;:]{1,3}){48,}(?:(?:0x)?[0-9a-fA-F]{2}\b)?")
_PROGRAM = re.compile(r"[{}()\[\];,:=.&|!?+\"'<>/\\$_]")


def encoded_spans(text: str) -> list[tuple[int, int]]:
    """(start, end) of each stretch, in order, apart."""
    found: list[tuple[int, int]] = []
    for start, end in _candidates(text):
        if found and start < found[-1][1]:
            continue
        found += [match.span() for match in _RUN.finditer(text, start, end) if _is_encoded(match[0])]
        found += [match.span() for match in _HEX.finditer(text, start, end) if _is_dump(match[0])]
        found += _minified(text, start, end, found[-1][1] if found else 0)
    found.sort()
    return [span for at, span in enumerate(found) if not at or span[0] >= found[at - 1][1]]


def _candidates(text: str) -> Iterator[tuple[int, int]]:
    """Lines, and those around them, that hold a long run without a space; a look at every 24th place finds them."""
    until = 0
    for at in range(0, len(text) - _STEP + 1, _STEP):
        if at < until:
            continue
        block = text[at : at + _STEP]
        if not block.isascii() or (0 < block.count(" ") < 7 and block.count("0x") < 3):
            continue
        start = text.rfind("\n", 0, at) + 1
        until = _end_of_block(text, at)
        yield start, until


def _end_of_block(text: str, at: int) -> int:
    """The end of the lines that go on without a space, from the line at `at`."""
    end = text.find("\n", at)
    while end >= 0:
        following = text.find("\n", end + 1)
        line = text[end + 1 : following if following >= 0 else len(text)]
        if len(line) < 16 or not line.isascii() or line.strip().count(" ") * 12 > len(line):
            return end
        end = following
    return len(text)


def _is_encoded(run: str) -> bool:
    if len(run) < _LEAST:
        return False
    letters = [character for character in run if character.isalnum()]
    if len(letters) * 10 < len(run) * 8:
        return False
    digits = sum(character.isdigit() for character in letters)
    capitals = sum(character.isupper() for character in letters)
    hexadecimal = all(character in "0123456789abcdefABCDEFx" for character in letters)
    mixed = digits * 50 > len(letters) and capitals * 8 > len(letters) and capitals * 8 < 7 * len(letters)
    return hexadecimal and digits > 0 or mixed


def _is_dump(run: str) -> bool:
    """Bytes in hexadecimal; no table of small numbers, and no list of "de", "da", "fa"."""
    letters, digits = (sum(map(run.count, signs)) for signs in ("abcdefABCDEF", "0123456789"))
    return letters * 10 > len(run) and digits * 10 > len(run)


def _minified(text: str, start: int, end: int, after: int) -> list[tuple[int, int]]:
    found = []
    at = max(start, after)
    while at < end:
        stop = text.find("\n", at, end)
        stop = stop if stop >= 0 else end
        line = text[at:stop]
        if len(line) >= _MINIFIED and line.isascii():
            marks = len(_PROGRAM.findall(line))
            if line.count(" ") * 14 < len(line) and len(line) < marks * 8 < 5 * len(line):
                found.append((at, stop))
        at = stop + 1
    return found
