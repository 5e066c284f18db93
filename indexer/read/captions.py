"""Subtitles in the other forms that players read: MicroDVD, MPL2 and SubViewer (.sub, .txt), YouTube (.sbv), song
texts (.lrc)."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import NamedTuple

_FRAMES = re.compile(r"\{(\d+)\}\{(\d*)\}(.*)")
_FRAMES_A_SECOND = 23.976  # where the file does not say it
_TENTHS = re.compile(r"\[(\d+)\]\[(\d*)\](.*)")
_CODES = re.compile(r"\{[A-Za-z]:[^{}]*\}|^/")
_SPAN = re.compile(r"(\d{1,2}:\d\d:\d\d\.\d{2,3}),(\d{1,2}:\d\d:\d\d\.\d{2,3})\s*$")
_SUNG = re.compile(r"((?:\[\d{1,3}:\d\d(?:[.:]\d{1,3})?\])+)(.*)")
_MOMENT = re.compile(r"\[(\d{1,3}):(\d\d)(?:[.:](\d{1,3}))?\]")
_WORD_TIME = re.compile(r"<\d{1,3}:\d\d(?:[.:]\d{1,3})?>")


class Cue(NamedTuple):
    """One caption of subtitles."""

    start: float  # seconds
    end: float
    lines: list[str]


def other_cues(text: str) -> list[Cue] | None:
    """The cues of one of these forms, in the order of their times; None if the text has none of them."""
    for form, read in ((_FRAMES, _by_frames), (_TENTHS, _by_tenths), (_SPAN, _by_spans), (_SUNG, _sung)):
        if any(form.match(line) for line in text.split("\n", 40)[:40]):
            return sorted((cue for cue in read(text.split("\n")) if any(cue.lines)), key=lambda cue: cue.start)
    return None


def _by_frames(lines: list[str]) -> Iterator[Cue]:
    rate = _FRAMES_A_SECOND
    for line in lines:
        match = _FRAMES.match(line.strip())
        if match is None:
            continue
        said = match[3]
        if match[1] in "01" and re.fullmatch(r"\d{2}(?:\.\d+)?", said):
            rate = float(said)
            continue
        start, end = int(match[1]) / rate, int(match[2] or match[1]) / rate
        yield Cue(start, end, [_CODES.sub("", part).strip() for part in said.split("|") if part.strip()])


def _by_tenths(lines: list[str]) -> Iterator[Cue]:
    for match in filter(None, (_TENTHS.match(line.strip()) for line in lines)):
        start, end = int(match[1]) / 10, int(match[2] or match[1]) / 10
        yield Cue(start, end, [_CODES.sub("", part).strip() for part in match[3].split("|") if part.strip()])


def _by_spans(lines: list[str]) -> Iterator[Cue]:
    times: re.Match[str] | None = None
    said: list[str] = []
    for line in [*lines, "0:00:00.000,0:00:00.000"]:
        following = _SPAN.match(line.strip())
        if following is None:
            said += [part.strip() for part in line.split("[br]") if part.strip()]
            continue
        if times is not None:
            yield Cue(_seconds(times[1]), _seconds(times[2]), said)
        times, said = following, []


def _sung(lines: list[str]) -> Iterator[Cue]:
    """A line that is sung several times has several moments before it, and comes at each."""
    for line in lines:
        match = _SUNG.match(line.strip())
        said = " ".join(_WORD_TIME.sub("", match[2]).split()) if match else ""
        for minutes, seconds, part in _MOMENT.findall(match[1]) if match and said else ():
            start = int(minutes) * 60 + int(seconds) + float(f"0.{part or 0}")
            yield Cue(start, start, [said])


def _seconds(clock: str) -> float:
    hours, minutes, seconds = clock.split(":")
    return int(hours) * 3600 + int(minutes) * 60 + float(seconds)
