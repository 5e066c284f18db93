"""Files of a program's messages: Java .properties, Apple .strings, gettext .po. One unit a message."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator

from indexer.read.charset import Decoded, decode
from indexer.read.clean import clean, join_surrogates
from indexer.read.limits import Source
from indexer.read.plain import text_extraction
from labse_search.records import Extraction, Unit

_ESCAPE = re.compile(r"\\(?:[uU]([0-9a-fA-F]{4})|x([0-9a-fA-F]{2})|(.))", re.S)
_GOES_ON = re.compile(r"(?<!\\)(?:\\\\)*\\$")  # in the next line
_PLAIN = {"n": "\n", "r": "\n", "t": "\t", "f": " ", "a": "", "b": "", "v": " ", "0": ""}


def unescape(text: str) -> str:
    """With the letters that the escapes stand for."""
    if "\\" not in text:
        return text

    def letter(escape: re.Match[str]) -> str:
        code = escape[1] or escape[2]
        return chr(int(code, 16)) if code else _PLAIN.get(escape[3], escape[3])

    return join_surrogates(_ESCAPE.sub(letter, text))


def read_properties(source: Source) -> Extraction:
    """Comments are kept: they are written by people, for people."""
    return _read(decode(source.content), "properties", _properties)


def _properties(text: str) -> Iterator[tuple[int, str]]:
    lines = text.split("\n")
    at = 0
    while at < len(lines):
        number, line = at + 1, lines[at].strip()
        at += 1
        if line.startswith(("#", "!")):
            yield number, unescape(line[1:].strip())
            continue
        pieces = [line]
        while _GOES_ON.search(pieces[-1]) and at < len(lines):
            pieces[-1] = pieces[-1][:-1]
            pieces.append(lines[at].strip())
            at += 1
        line = "".join(pieces)
        match = re.match(r"((?:\\.|[^\\=:\s])+)\s*[=:\s]\s*(.*)$", line, re.S)
        if match and match[2].strip():
            yield number, f"{unescape(match[1])} = {unescape(match[2])}"
        elif line and not match:
            yield number, unescape(line)


_PAIR = re.compile(
    r'(?:"((?:\\.|[^"\\])*)"|([\w.]+))\s*=\s*"((?:\\.|[^"\\])*)"\s*;|/\*(.*?)\*/|^\s*//(.*)$', re.S | re.M
)


def read_strings(source: Source) -> Extraction:
    """Apple's .strings: one unit for each message."""
    return _read(decode(source.content), "strings", _strings)


def _strings(text: str) -> Iterator[tuple[int, str]]:
    line, seen = 1, 0
    for match in _PAIR.finditer(text):
        line, seen = line + text.count("\n", seen, match.start()), match.start()
        comment = (match[4] or match[5] or "").strip()
        yield line, comment or f"{unescape(match[1] or match[2] or '')} = {unescape(match[3] or '')}"


def read_gettext(source: Source) -> Extraction:
    """The message, its translations and the remarks for translators; the file's own header is left out."""
    declared = re.search(rb"charset=([\w-]+)", source.content[:4096])
    return _read(decode(source.content, declared[1].decode() if declared else None), "po", _gettext)


_KEYWORD = re.compile(r'(msgctxt|msgid|msgid_plural|msgstr(?:\[\d+\])?)\s+"(.*)"\s*$')


def _gettext(text: str) -> Iterator[tuple[int, str]]:
    found: dict[str, str] = {}
    remarks: list[str] = []
    begun, key = 1, ""
    for number, line in enumerate([*text.split("\n"), 'msgid ""'], 1):
        line = re.sub(r"^#~\s?\|?", "", line).strip()  # translations that are no longer used
        keyword = _KEYWORD.match(line)
        starts = line.startswith("#") or (keyword is not None and keyword[1] in ("msgctxt", "msgid"))
        if starts and any(name.startswith("msgstr") for name in found):
            yield from _message(begun, found, remarks)
            found, remarks, key = {}, [], ""
        if line.startswith("#"):
            begun = begun if remarks else number
            remarks += [line[2:].strip()] if line[:2] in ("# ", "#.") else []
        elif keyword:
            begun = begun if found or remarks else number
            key = keyword[1]
            found[key] = keyword[2]
        elif key and len(line) > 1 and line[0] == line[-1] == '"':
            found[key] += line[1:-1]


def _message(line: int, found: dict[str, str], remarks: list[str]) -> Iterator[tuple[int, str]]:
    if not found.get("msgid"):
        return
    parts = [*remarks, *(unescape(text) for text in found.values())]
    yield line, "\n".join(part for part in dict.fromkeys(parts) if part.strip())


def _read(decoded: Decoded, kind: str, messages: Callable[[str], Iterator[tuple[int, str]]]) -> Extraction:
    found = messages(decoded.text)
    units = [Unit(clean(text).strip(), {"line": line}) for line, text in found if text.strip()]
    if not units:
        return text_extraction(decoded, kind)
    return Extraction(
        tuple(units), kind, encoding=decoded.encoding, notes=decoded.notes, holds={"messages": len(units)}
    )
