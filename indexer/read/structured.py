"""JSON and JSON Lines in, one unit a record out."""

from __future__ import annotations

import html
import json
import re
from collections.abc import Iterator

from indexer.read.charset import Decoded, decode
from indexer.read.clean import clean, join_surrogates
from indexer.read.limits import Source
from indexer.read.markup import is_markup, without_markup
from indexer.read.mojibake import mended
from indexer.read.plain import text_extraction
from indexer.read.ranges import ranges
from labse_search.records import Extraction, Note, Unit

# Keys that only say "here is the text" are not worth repeating in front of it.
_BARE_KEYS = frozenset(("text", "content", "body", "value", "title", "sentence"))
_ESCAPE = re.compile(r'\\(?:u([0-9a-fA-F]{4})|(["\\/bfnrt]))')
_GARBLED = re.compile(r"\\u00[cde][0-9a-fA-F]\\u00[89ab]", re.I)  # UTF-8 written as escapes of its bytes: Facebook
_ASSIGNED = re.compile(
    r"(?:(?:var|let|const)\s+)?[\w$.]+(?:\[[^\]\n]{1,80}\])?\s*=\s*(?=[\[{])"
)  # an archive of Twitter
_REFERENCE = re.compile(r"&(?:amp|lt|gt|quot|apos|nbsp|#\d{1,6}|#x[0-9a-fA-F]{1,5});")
_PLAIN = {"b": "", "f": " ", "n": "\n", "r": "\n", "t": "\t"}


def read_json(source: Source) -> Extraction:
    """One unit for each item of a list, and for each key of the outermost object. Several values, one a line, are read
    as JSON Lines; what is no JSON at all is read as text, its escapes resolved."""
    decoded = decode(source.content)
    try:
        value = json.loads(without_assignment(decoded.text))
    except (
        ValueError,
        RecursionError,
    ):  # comments, a comma too many, nested too deep: the words are there all the same
        return _several(decoded) or as_text(decoded, "json")
    units = tuple(
        Unit(text, {"path": path} if path else {}) for path, record in _records(value) if (text := record_text(record))
    )
    notes = decoded.notes
    if _GARBLED.search(decoded.text):
        repaired = [mended(unit.text) for unit in units]
        units = tuple(Unit(text, unit.place) for unit, (text, _) in zip(units, repaired, strict=True))
        lines = sum(count for _, count in repaired)
        notes = (*notes, Note("mojibake_repaired", f"{lines} lines")) if lines else notes
    return Extraction(units, "json", encoding=decoded.encoding, notes=notes)


def is_assigned_json(head: str, content: bytes) -> bool:
    """Whether a program's text is JSON that gets a name, and nothing else."""
    if _ASSIGNED.match(head[:300]) is None:
        return False
    try:
        json.loads(without_assignment(content.decode("utf-8", "replace")))
    except (ValueError, RecursionError):
        return False
    return True


def without_assignment(text: str) -> str:
    """JSON that is a program's line, `window.tweets = [...]`, as the value alone; other texts as they are."""
    assigned = _ASSIGNED.match(text.lstrip()[:300]) if not text.lstrip().startswith(("{", "[")) else None
    return text.strip().rstrip(";")[assigned.end() :] if assigned else text


def read_json_lines(source: Source) -> Extraction:
    """One unit a line, "row" its number. Lines that are no JSON are read as they stand, and noted."""
    return _lines(decode(source.content))


def as_text(decoded: Decoded, kind: str) -> Extraction:
    """Broken JSON: what stands in the file, with letters where it has escapes."""
    text = join_surrogates(_ESCAPE.sub(_unescaped, decoded.text)) if "\\" in decoded.text else decoded.text
    extraction = text_extraction(Decoded(clean(text), decoded.encoding, decoded.notes), kind)
    return Extraction(extraction.units, kind, None, decoded.encoding, (*decoded.notes, Note("read_as_text")))


def _unescaped(escape: re.Match[str]) -> str:
    return chr(int(escape[1], 16)) if escape[1] else _PLAIN.get(escape[2], escape[2])


def _several(decoded: Decoded) -> Extraction | None:
    """Values one a line, or one after the other over several lines each; None if it is neither."""
    lines = [line for line in decoded.text.split("\n") if line.strip()]
    good = sum(1 for line in lines[:100] if line.lstrip()[0] in "{[" and _parses(line))
    if good > 1 and good >= 0.6 * min(len(lines), 100):
        return _lines(decoded)
    try:
        values = list(_values(decoded.text))
    except (ValueError, RecursionError):
        return None
    units = tuple(
        Unit(found, {"row": number}) for number, value in enumerate(values, 1) if (found := record_text(value))
    )
    return Extraction(units, "json", encoding=decoded.encoding, notes=decoded.notes)


def _values(text: str) -> Iterator[object]:
    """JSON values that follow each other; ValueError where something else stands between them."""
    at, decoder = 0, json.JSONDecoder()
    while (at := _next_value(text, at)) < len(text):
        value, at = decoder.raw_decode(text, at)
        yield value


def _next_value(text: str, at: int) -> int:
    while at < len(text) and (text[at].isspace() or text[at] in ",\x1e"):
        at += 1
    return at


def _parses(line: str) -> bool:
    try:
        json.loads(line)
    except (ValueError, RecursionError):
        return False
    return True


def _lines(decoded: Decoded) -> Extraction:
    units, damaged = [], []
    for number, line in enumerate(decoded.text.split("\n"), 1):
        line = line.strip("\x1e \t")
        if not line:
            continue
        try:
            text = _line_text(line)
        except (ValueError, RecursionError):
            damaged.append(number)
            text = clean(join_surrogates(_ESCAPE.sub(_unescaped, line)))
        if text:
            units.append(Unit(text, {"row": number}))
    notes = (*decoded.notes, Note("lines_damaged", ranges(damaged))) if damaged else decoded.notes
    return Extraction(tuple(units), "jsonl", encoding=decoded.encoding, notes=notes)


def _line_text(line: str) -> str:
    try:
        return record_text(json.loads(line))
    except ValueError:
        return "\n".join(record_text(value) for value in _values(line))


def _records(value: object, path: str = "") -> Iterator[tuple[str, object]]:
    """The parts of a value that a person would call one thing, two levels down at most."""
    if isinstance(value, list):
        for index, item in enumerate(value):
            yield f"{path}[{index}]", item
    elif isinstance(value, dict) and not path:
        for key, item in value.items():
            if isinstance(item, list) and any(isinstance(inner, dict | list) for inner in item):
                yield from _records(item, key)
            else:
                yield key, {key: item}
    else:
        yield path, value


def record_text(value: object) -> str:
    """ "key: value" lines of everything in it but nulls, in order; iterative, since nesting may be deep. A value that
    is HTML becomes its text."""
    lines: list[str] = []
    waiting: list[tuple[str, object]] = [("", value)]
    while waiting:
        path, item = waiting.pop()
        if isinstance(item, dict):
            waiting += [(f"{path}.{key}" if path else str(key), inner) for key, inner in reversed(item.items())]
        elif isinstance(item, list):
            waiting += [(path, inner) for inner in reversed(item)]
        elif item is not None:
            text = clean(item).strip() if isinstance(item, str) else str(item)
            if isinstance(item, bool):
                text = text.lower()
            elif text.startswith(("{", "[")) and (inside := _value_in(text)) is not None:
                waiting.append((path, inside))
                continue
            text = without_markup(text) if "<" in text and is_markup(text) else text
            text = html.unescape(text) if "&" in text and _REFERENCE.search(text) else text
            bare = path in _BARE_KEYS or not path or path.rpartition(".")[2] in _BARE_KEYS
            lines += [text if bare else f"{clean(path)}: {text}"] if text else []
    return "\n".join(lines)


def _value_in(text: str) -> dict[str, object] | list[object] | None:
    """The JSON that a text is: programs pack it into JSON again."""
    if not text.endswith(("}", "]")):
        return None
    try:
        value = json.loads(text)
    except (ValueError, RecursionError):
        return None
    return value if value and isinstance(value, dict | list) else None
