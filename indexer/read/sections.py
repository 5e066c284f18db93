"""Headings and paragraphs in, one unit a section out, each named by the path of its headings: "Care › Watering"."""

from __future__ import annotations

from collections.abc import Mapping

from indexer.read.clean import clean, one_line
from labse_search.records import Place, Unit

PATH_SEPARATOR = " › "


class Sections:
    """Collects paragraphs under headings.

    A heading with nothing under it but a deeper heading is no unit of its own: its text opens the deeper section,
    whose name contains it anyway.
    """

    def __init__(self, joiner: str = "\n\n", place: Mapping[str, str | int] | None = None) -> None:
        self._joiner = joiner
        self._common = dict(place or {})
        self._path: list[tuple[int, str]] = []
        self._parts: list[tuple[str, str, bool]] = []  # what joins it, text, and whether it only names what follows
        self._line: int | None = None
        self._has_body = False
        self._units: list[Unit] = []
        self.first_heading: str | None = None

    def heading(self, level: int, text: str, *, shown: str | None = None, line: int | None = None) -> None:
        """`shown`: the lines as they stand in the file, where that is more than the heading's words."""
        name = one_line(text)
        if not name:
            self.paragraph(shown or text, line=line)
            return
        deeper = not self._path or level > self._path[-1][0]
        if self._has_body or not deeper:
            self._close()
        while self._path and self._path[-1][0] >= level:
            self._path.pop()
        self._path.append((level, name))
        self.first_heading = self.first_heading or name
        self._add(text if shown is None else shown, line, True)

    def paragraph(self, text: str, *, line: int | None = None, joiner: str | None = None) -> None:
        """A paragraph of the section that is open; `line`: where it begins, from 1; `joiner`: what stands before it, if
        not what stands between all others."""
        self._add(text, line, False, joiner)
        self._has_body = self._has_body or bool(text.strip())

    def columns(self, text: str) -> None:
        """The names of a table's columns: they stand above the rows, and are no row."""
        self._add(text, None, True)
        self._has_body = True

    def record(self, number: int) -> None:
        """What follows is one record of many, "row" its number."""
        self._close()
        self._common["row"] = number

    def part(self, name: str) -> None:
        """What follows is another part of the document ("quoted", "hidden"), "" the document itself."""
        if self._common.get("part", "") != name:
            self._close()
            self._common["part"] = name
            if not name:
                del self._common["part"]

    def units(self) -> tuple[Unit, ...]:
        """All sections so far, the open one closed."""
        self._close()
        return tuple(self._units)

    def _add(self, text: str, line: int | None, names: bool, joiner: str | None = None) -> None:
        if self._line is None:
            self._line = line
        before = self._joiner if joiner is None else joiner
        self._parts.append((before if self._parts else "", text, names))

    def _close(self) -> None:
        text = "".join(before + part for before, part, _ in self._parts)
        if clean(text) is not text:
            self._parts = [(before, clean(part), names) for before, part, names in self._parts]
            text = "".join(before + part for before, part, _ in self._parts)
        ahead = len(text) - len(text.lstrip()) if self._line is None else 0
        text = text.strip() if self._line is None else text
        if text.strip():
            self._units.append(Unit(text, self._place(), tuple(self._headings(ahead, len(text)))))
        self._parts, self._line, self._has_body = [], None, False

    def _headings(self, ahead: int, length: int) -> list[tuple[int, int]]:
        found, at = [], -ahead
        for before, part, names in self._parts:
            at += len(before)
            start, end = max(at, 0), min(at + len(part.rstrip()), length)
            if names and start < end:
                found.append((start, end))
            at += len(part)
        return found

    def _place(self) -> Place:
        place = dict(self._common)
        if self._path:
            place["section"] = PATH_SEPARATOR.join(name for _, name in self._path)
        if self._line is not None:
            place["line"] = self._line
        return place
