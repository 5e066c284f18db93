"""Subtitles written as markup: SAMI (.smi), Timed Text (.ttml, .dfxp) and YouTube's two forms of it."""

from __future__ import annotations

import re
from collections.abc import Iterator

from indexer.read.captions import Cue
from indexer.read.web import Page
from indexer.read.xml import events
from indexer.read.xml_mended import mended

_SYNC = re.compile(r"<sync[^>]{0,100}?\bstart\s*=\s*[\"']?(\d{1,9})[^>]{0,100}>", re.I)
_END = re.compile(r"</(?:body|sami)>", re.I)
_CLOCK = re.compile(r"(?:(\d+):)?(\d{1,2}):(\d{2}(?:\.\d+)?)(?::(\d{1,3}))?")
_COUNT = re.compile(r"(\d+(?:\.\d+)?)(h|ms|m|s|f|t)?")
_FRAMES_A_SECOND = 30.0  # the format's own default
_SECONDS = {"h": 3600.0, "m": 60.0, "s": 1.0, "ms": 0.001}


def marked_cues(text: str) -> list[Cue] | None:
    """The cues in the order of their times; None if the text is no such markup. Unreadable as `events`."""
    head = text[:4000].lower()
    if "<sami" in head:
        found = _sami(text)
    elif re.search(r"<(?:[\w.-]+:)?(?:tt|timedtext|transcript)[\s>]", head):
        found = _timed(mended(text))
    else:
        return None
    return sorted(found, key=lambda cue: cue.start)


def _sami(text: str) -> Iterator[Cue]:
    """A cue lasts until the next one begins, which may be empty."""
    syncs = list(_SYNC.finditer(text))
    for sync, following in zip(syncs, [*syncs[1:], None], strict=True):
        said = text[sync.end() : following.start() if following else len(text)]
        lines = [line for unit in Page(_END.split(said)[0]).units() for line in unit.text.split("\n") if line.strip()]
        if lines:
            start = int(sync[1]) / 1000
            yield Cue(start, int(following[1]) / 1000 if following else start, lines)


def _timed(text: str) -> Iterator[Cue]:
    rates = {"f": _FRAMES_A_SECOND, "t": 1.0}
    times: tuple[float, float] | None = None
    said: list[str] = []
    for kind, name, attributes in events(text.lstrip().encode(), encoding="utf-8"):
        name = name.lower().rpartition(":")[2] if kind != "text" else name
        if kind == "text":
            said.append(" ".join(name.split("\n")) if times else "")
        elif kind == "start" and name == "tt":
            given = {key.rpartition(" ")[2].rpartition(":")[2]: value for key, value in attributes.items()}
            rates = {"f": _number(given.get("frameRate"), 30.0), "t": _number(given.get("tickRate"), 1.0)}
        elif kind == "start" and name in ("p", "text"):
            times, said = _times(attributes, rates), []
        elif name == "br" and kind == "start":
            said.append("\n")
        elif kind == "end" and name in ("p", "text") and times:
            lines = [" ".join(line.split()) for line in "".join(said).split("\n")]
            yield Cue(*times, [line for line in lines if line])
            times = None


def _times(attributes: dict[str, str], rates: dict[str, float]) -> tuple[float, float]:
    """From `begin` and `end` or `dur`; of YouTube's newer form from `t` and `d`, thousandths, of its older one from
    `start` and `dur`, seconds."""
    if "t" in attributes:
        start = _number(attributes["t"], 0.0) / 1000
        return start, start + _number(attributes.get("d"), 0.0) / 1000
    start = _seconds(attributes.get("begin", attributes.get("start", "")), rates)
    end = _seconds(attributes["end"], rates) if "end" in attributes else start
    return start, max(end, start + _seconds(attributes.get("dur", ""), rates) if "dur" in attributes else end)


def _seconds(text: str, rates: dict[str, float]) -> float:
    clock = _CLOCK.fullmatch(text.strip())
    if clock:
        return int(clock[1] or 0) * 3600 + int(clock[2]) * 60 + float(clock[3]) + int(clock[4] or 0) / rates["f"]
    count = _COUNT.fullmatch(text.strip())
    if count is None:
        return 0.0
    unit = count[2] or "s"
    return float(count[1]) / rates[unit] if unit in rates else float(count[1]) * _SECONDS[unit]


def _number(text: str | None, otherwise: float) -> float:
    try:
        number = float(text or "")
    except ValueError:
        return otherwise
    return number if 0 < number < 1e9 else otherwise
