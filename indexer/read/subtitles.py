"""Subtitles in: what is said, in units of a few sentences with the time of the first. SRT, WebVTT, SubStation Alpha,
and the forms of `captions`."""

from __future__ import annotations

import html
import re
from collections.abc import Iterator

from indexer.read.captions import Cue, other_cues
from indexer.read.captions_marked import marked_cues
from indexer.read.charset import Decoded, decode
from indexer.read.limits import Source
from indexer.read.plain import text_extraction
from labse_search.errors import Unreadable
from labse_search.records import Extraction, Note, Unit

_TIME = r"(?:(\d{1,4})[:.] ?)?(\d{1,2})[:.] ?(\d{2})(?:[.,:] ?(\d{1,3}))?(?!\d)"
_ARROW = "(?:-{1,2} ?>|[–—]>|→)"
_CUE = re.compile(rf"{_TIME}[ \t]*{_ARROW}[ \t]*{_TIME}")
_TAG = re.compile(
    r"</?(?:[a-z]+[^<>\n]{0,200}|\d[\d:.]{4,})>|\{\\[^{}\n]{0,200}\}|\{[^{}\n]{0,20}:[^{}\n]{0,20}\}", re.I
)
_VOICE = re.compile(r"<v(?:\.[^\s<>]*)?[ \t]+([^<>\n]{1,100})>")
_SENTENCE_END = re.compile(r"[.!?…。！？।؟۔]['\"”»’)\]]*$")
_PAUSE_SECONDS = 3.0
_LONGEST = 400  # characters that are gathered before a sentence must end


def read_subtitles(source: Source) -> Extraction:
    """Cues that go on with one sentence become one unit, placed at the time of the first. A line that rolls up, and so
    stands in several cues, is read once."""
    decoded = decode(source.content)
    head = decoded.text[:2000]
    cues = list(_dialogue(decoded.text) if "[Events]" in decoded.text or "Dialogue:" in head else _cues(decoded.text))
    cues = cues or _marked(decoded.text) or other_cues(decoded.text) or []
    units: list[Unit] = []
    gathered: list[str] = []
    begun = ended = 0.0
    for start, end, lines in _without_repeats(cues):
        length = sum(map(len, gathered))
        if gathered and (start - ended > _PAUSE_SECONDS or length > _LONGEST or _SENTENCE_END.search(gathered[-1])):
            units.append(_spoken(gathered, begun))
            gathered = []
        if not gathered:
            begun = start
        gathered += lines
        ended = end
    if gathered:
        units.append(_spoken(gathered, begun))
    kind = source.extension or "srt"
    if not units:
        return _not_subtitles(decoded, kind)
    return Extraction(tuple(units), kind, encoding=decoded.encoding, notes=decoded.notes, holds={"cues": len(cues)})


def _marked(text: str) -> list[Cue] | None:
    try:
        return marked_cues(text)
    except Unreadable:  # of the words of a broken file the plain text is left
        return None


def _not_subtitles(decoded: Decoded, kind: str) -> Extraction:
    extraction = text_extraction(decoded, kind)
    return Extraction(extraction.units, kind, None, decoded.encoding, (*decoded.notes, Note("read_as_text")))


def _spoken(lines: list[str], begun: float) -> Unit:
    seconds = int(begun)
    return Unit("\n".join(lines), {"time": f"{seconds // 3600:02}:{seconds % 3600 // 60:02}:{seconds % 60:02}"})


def _without_repeats(cues: list[Cue]) -> Iterator[Cue]:
    """The cues without the lines that the cue before has shown already, where captions roll up: most of the file's
    neighbours share a line then. A refrain that is sung twice stays."""
    rolls = sum(1 for before, cue in zip(cues, cues[1:], strict=False) if set(before.lines) & set(cue.lines))
    if rolls < 2 or rolls * 3 < len(cues):
        yield from cues
        return
    shown: list[str] = []
    for cue in cues:
        new = list(cue.lines)
        for count in range(min(len(shown), len(new)), 0, -1):
            if shown[-count:] == new[:count]:
                new = new[count:]
                break
        else:
            if shown and new and new[0].startswith(shown[-1]) and len(shown[-1]) > 3:  # a line that grows word by word
                new[0] = new[0][len(shown[-1]) :].strip()
        shown = cue.lines or shown
        if any(new):
            yield cue._replace(lines=[line for line in new if line])


def _cues(text: str) -> Iterator[Cue]:
    """The cue's number or name above its times is left out. An empty line inside a cue does not end it: what follows
    belongs to it until the next times."""
    times: re.Match[str] | None = None
    said: list[str] = []
    numbered = spaced = False  # whether cues have numbers, and an empty line between number and times
    for line in text.split("\n"):
        following = _CUE.search(line) if ">" in line or "→" in line else None
        if following is None:
            said.append(line.strip())
            continue
        if times is None:
            numbered = next((line for line in reversed(said) if line), "").isdigit()
            spaced = numbered and not said[-1]
        yield from _cue(times, _without_name(said, numbered, spaced))
        times, said = following, []
    yield from _cue(times, said)


def _cue(times: re.Match[str] | None, said: list[str]) -> Iterator[Cue]:
    """The cue of these times, if anything is said in it; what stands above the first times belongs to none."""
    spoken = [line for line in map(_plain, _without_blocks(said)) if line] if times else []
    if times and spoken:
        numbers = [int(group or 0) for group in times.groups()]
        yield Cue(_seconds(*numbers[:4]), _seconds(*numbers[4:]), spoken)


def _without_name(said: list[str], numbered: bool, spaced: bool) -> list[str]:
    """The lines of a cue, without the number or name of the next one, which stands right above its times. Where cues
    are not numbered, a line of digits is speech unless it stands alone there."""
    if spaced:
        while said and not said[-1]:
            said.pop()
    if said and said[-1] and " " not in said[-1]:
        alone = len(said) > 1 and not said[-2] and len(said[-1]) < 40
        if alone or (numbered and said[-1].isdigit()):
            said.pop()
    return said


def _without_blocks(said: list[str]) -> list[str]:
    """The lines of a cue without what is no speech."""
    if not any(line.startswith(("NOTE", "STYLE", "REGION")) for line in said):
        return said
    kept: list[str] = []
    block = False
    for number, line in enumerate(said):
        begins = not number or not said[number - 1]
        if begins and number and re.match(r"(?:NOTE|STYLE|REGION)(?:\s|$)", line):
            block = True
        elif begins:
            block = False
        if not block:
            kept.append(line)
    return kept


def _plain(line: str) -> str:
    if "<" not in line and "{" not in line and "&" not in line:
        return " ".join(line.replace("\u200b", "").split())
    line = _VOICE.sub(r"\1: ", line)
    return " ".join(html.unescape(_TAG.sub("", line)).replace("\u200b", "").split())


def _seconds(hours: int, minutes: int, seconds: int, thousandths: int) -> float:
    return hours * 3600 + minutes * 60 + seconds + thousandths / 1000


def _dialogue(text: str) -> Iterator[Cue]:
    """SubStation Alpha: the lines of spoken text, in the order of their times; drawings are left out."""
    columns = ["layer", "start", "end", "style", "name", "marginl", "marginr", "marginv", "effect", "text"]
    found = []
    in_events = False
    for line in text.split("\n"):
        key, _, value = line.partition(":")
        key = key.strip().lower()
        if key.startswith("["):
            in_events = key.startswith("[events")
        elif key == "format" and in_events:
            columns = [name.strip().lower() for name in value.split(",")]
        elif key == "dialogue":
            cells = dict(zip(columns, value.strip().split(",", len(columns) - 1), strict=False))
            said = cells.get("text", "")
            if re.search(r"\{[^}]*\\p[1-9]", said):
                continue
            said = re.sub(r"\{[^}]*\}", "", said).replace("\\h", " ")
            lines = [" ".join(part.split()) for part in re.split(r"\\[Nn]", said)]
            name = cells.get("name", "").strip()
            if any(lines):
                lines[0] = f"{name}: {lines[0]}" if name else lines[0]
                start, end = (_clock(cells.get(key, "")) for key in ("start", "end"))
                found.append(Cue(start, end, [line for line in lines if line]))
    yield from sorted(found, key=lambda cue: cue.start)


def _clock(text: str) -> float:
    match = re.fullmatch(r"\s*(\d+):(\d+):(\d+(?:\.\d+)?)\s*", text)
    return int(match[1]) * 3600 + int(match[2]) * 60 + float(match[3]) if match else 0.0
