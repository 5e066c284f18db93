"""JSON, JSON Lines and subtitles: records in, one unit a record out."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator

from indexer.read.charset import Decoded, decode
from indexer.read.clean import clean
from indexer.read.limits import Source
from indexer.read.plain import text_extraction
from indexer.read.ranges import ranges
from labse_search.records import Extraction, Note, Unit

# Keys that only say "here is the text" are not worth repeating in front of it.
_BARE_KEYS = frozenset(("text", "content", "body", "value", "title", "sentence"))


def read_json(source: Source) -> Extraction:
    """One unit for each item of a list, and for each key of the outermost object. What is no JSON is read as text."""
    decoded = decode(source.content)
    try:
        value = json.loads(decoded.text)
    except (ValueError, RecursionError):  # comments, several values, nested too deep: the words are there all the same
        extraction = text_extraction(decoded, "json")
        return Extraction(extraction.units, "json", None, decoded.encoding, (*decoded.notes, Note("read_as_text")))
    units = tuple(
        Unit(text, {"path": path} if path else {}) for path, record in _records(value) if (text := _record_text(record))
    )
    return Extraction(units, "json", encoding=decoded.encoding, notes=decoded.notes)


def read_notebook(source: Source) -> Extraction:
    """Jupyter: one unit a cell, its source only. Outputs are made from it, and are pictures as often as not."""
    decoded = decode(source.content)
    try:
        cells = json.loads(decoded.text)["cells"]
        texts = [cell["source"] for cell in cells]
    except (ValueError, RecursionError, KeyError, TypeError):
        return read_json(source)
    units = [
        Unit(clean("".join(map(str, text)) if isinstance(text, list) else str(text)), {"path": f"cells[{number}]"})
        for number, text in enumerate(texts)
    ]
    return Extraction(tuple(units), "ipynb", encoding=decoded.encoding, notes=(*decoded.notes, Note("outputs_skipped")))


def read_json_lines(source: Source) -> Extraction:
    """One unit a line, "row" its number. Lines that are no JSON are read as they stand, and noted."""
    decoded = decode(source.content)
    units, damaged = [], []
    for number, line in enumerate(decoded.text.split("\n"), 1):
        if not line.strip():
            continue
        try:
            text = _record_text(json.loads(line))
        except (ValueError, RecursionError):
            damaged.append(number)
            text = line.strip()
        if text:
            units.append(Unit(text, {"row": number}))
    notes = (*decoded.notes, Note("lines_damaged", ranges(damaged))) if damaged else decoded.notes
    return Extraction(tuple(units), "jsonl", encoding=decoded.encoding, notes=notes)


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


def _record_text(value: object) -> str:
    """ "key: value" lines of everything in it but nulls, in order; iterative, since nesting may be deep."""
    lines: list[str] = []
    waiting: list[tuple[str, object]] = [("", value)]
    while waiting:
        path, item = waiting.pop()
        if isinstance(item, dict):
            waiting += [(f"{path}.{key}" if path else str(key), inner) for key, inner in reversed(item.items())]
        elif isinstance(item, list):
            waiting += [(path, inner) for inner in reversed(item)]
        elif item is not None:
            text = clean(str(item).lower() if isinstance(item, bool) else str(item)).strip()
            bare = not path or path.rpartition(".")[2] in _BARE_KEYS
            lines += [text if bare else f"{clean(path)}: {text}"] if text else []
    return "\n".join(lines)


_TIME = r"(?:(\d{1,4}):)?(\d{1,2}):(\d{2})[.,](\d{1,3})"
_CUE = re.compile(rf"{_TIME}[ \t]+-->[ \t]+{_TIME}")
_TAG = re.compile(r"<[^<>\n]{0,200}>|\{\\[^{}\n]{0,200}\}")  # <i>, <c.yellow>, <00:01.000>, {\an8}
_SENTENCE_END = re.compile(r"[.!?…。！？।؟۔]['\"”»’)\]]*$")
_PAUSE_SECONDS = 3.0
_LONGEST = 400  # characters that are gathered before a sentence must end


def read_subtitles(source: Source) -> Extraction:
    """SRT and WebVTT. Cues that go on with one sentence become one unit, placed at the time of the first."""
    decoded = decode(source.content)
    units: list[Unit] = []
    gathered: list[str] = []
    begun = ended = 0.0
    for start, end, text in _cues(decoded.text):
        length = sum(map(len, gathered))
        if gathered and (start - ended > _PAUSE_SECONDS or length > _LONGEST or _SENTENCE_END.search(gathered[-1])):
            units.append(_spoken(gathered, begun))
            gathered = []
        if not gathered:
            begun = start
        gathered.append(text)
        ended = end
    if gathered:
        units.append(_spoken(gathered, begun))
    if not units:
        return _not_subtitles(decoded, source.extension)
    return Extraction(tuple(units), source.extension, encoding=decoded.encoding, notes=decoded.notes)


def _not_subtitles(decoded: Decoded, kind: str) -> Extraction:
    extraction = text_extraction(decoded, kind)
    return Extraction(extraction.units, kind, None, decoded.encoding, (*decoded.notes, Note("read_as_text")))


def _spoken(lines: list[str], begun: float) -> Unit:
    seconds = int(begun)
    return Unit("\n".join(lines), {"time": f"{seconds // 3600:02}:{seconds % 3600 // 60:02}:{seconds % 60:02}"})


def _cues(text: str) -> Iterator[tuple[float, float, str]]:
    """(start, end, text) of each cue, times in seconds. The cue's number or name above its times is left out."""
    lines = text.split("\n")
    at = 0
    while at < len(lines):
        times = _CUE.search(lines[at])
        at += 1
        if times is None:
            continue
        said = []
        while at < len(lines) and lines[at].strip() and not _CUE.search(lines[at]):
            said.append(lines[at].strip())
            at += 1
        if said and at < len(lines) and _CUE.search(lines[at]) and said[-1].isdigit():
            said.pop()  # no empty line between cues: the last line is the next one's number
        spoken = _TAG.sub("", "\n".join(said)).strip()
        if spoken:
            numbers = [int(group or 0) for group in times.groups()]
            yield _seconds(*numbers[:4]), _seconds(*numbers[4:]), spoken


def _seconds(hours: int, minutes: int, seconds: int, thousandths: int) -> float:
    return hours * 3600 + minutes * 60 + seconds + thousandths / 1000
