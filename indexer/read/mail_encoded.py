"""Files that old programs wrote into the text of a mail: uuencode and yEnc."""

from __future__ import annotations

import binascii
import re
from bisect import bisect_left
from typing import NamedTuple

_UU_BEGIN = re.compile(rb"^begin(?:-base64)? [0-7]{3,4} ([^\r\n]{1,255})\r?$", re.M)
_UU_END = re.compile(rb"^(?:end|====)[ \t]*\r?$", re.M)
_UU_LINE = re.compile(rb"[ -`]{1,90}")
_Y_BEGIN = re.compile(rb"^=ybegin [^\r\n]*?name=([^\r\n]{1,255})\r?$", re.M)
_Y_END = re.compile(rb"^=yend [^\r\n]*\r?$", re.M)
_Y_ESCAPE = re.compile(rb"=(.)", re.S)
_Y_TABLE = bytes((n - 42) % 256 for n in range(256))


class Encoded(NamedTuple):
    """A file that stands in the text of a mail, as uuencode and yEnc have it."""

    name: bytes
    content: bytes | None  # None if it is broken


def without_files(body: bytes) -> tuple[bytes, list[Encoded]]:
    """The text around the files in it, and the files."""
    if b"begin" not in body:
        return body, []
    found: list[Encoded] = []
    text: list[bytes] = []
    at = 0
    begins = sorted((*_UU_BEGIN.finditer(body), *_Y_BEGIN.finditer(body)), key=lambda begin: begin.start())
    ends = {False: _Ends(body, _UU_END), True: _Ends(body, _Y_END)}
    for begin in begins:
        if begin.start() < at:
            continue
        y = begin.re is _Y_BEGIN
        end = ends[y].behind(begin.end())
        line = body[begin.end() : begin.end() + 200].lstrip(b"\r\n").split(b"\n", 1)[0].rstrip(b"\r")
        base64 = begin[0].startswith(b"begin-base64")
        if not y and (end is None or not base64 and not _UU_LINE.fullmatch(line)):  # a sentence that begins so
            continue
        stop = end.end() if end else len(body)
        inside = body[begin.end() : end.start() if end else stop].strip(b"\r\n")
        content = _yenc(inside) if y else _base64(inside) if base64 else _uudecode(inside)
        found.append(Encoded(begin[1].strip(), content))
        text.append(body[at : begin.start()])
        at = stop
    return b"".join([*text, body[at:]]), found


class _Ends:
    """The ends of encoded files, found once."""

    def __init__(self, body: bytes, pattern: re.Pattern[bytes]) -> None:
        self._found = list(pattern.finditer(body))
        self._starts = [end.start() for end in self._found]

    def behind(self, at: int) -> re.Match[bytes] | None:
        number = bisect_left(self._starts, at)
        return self._found[number] if number < len(self._found) else None


def _uudecode(inside: bytes) -> bytes | None:
    lines = []
    for line in inside.split(b"\n"):
        line = line.rstrip(b"\r")
        if not line:
            continue
        try:
            lines.append(binascii.a2b_uu(line))
        except binascii.Error:
            count = (((line[0] - 32) & 63) * 4 + 5) // 3  # some programs pad the line with rubbish
            try:
                lines.append(binascii.a2b_uu(line[:count]))
            except binascii.Error:
                return None
    return b"".join(lines)


def _base64(inside: bytes) -> bytes | None:
    try:
        return binascii.a2b_base64(inside)
    except binascii.Error:
        return None


def _yenc(inside: bytes) -> bytes:
    lines = [line.rstrip(b"\r") for line in inside.split(b"\n") if not line.startswith(b"=ypart ")]
    packed = b"".join(lines)
    packed = _Y_ESCAPE.sub(lambda escape: bytes([(escape[1][0] - 64) % 256]), packed)
    return packed.translate(_Y_TABLE)
