"""Alignments that a person keeps: two documents of a collection side by side, and what was corrected by hand.

HOME/alignments/ID.json, written aside and renamed. The sentences stand in it, so that what was corrected stays readable
when a document is indexed again or goes. Beads are [first, end, first, end, score]: sentences of the source and of the
target, both in order without gaps; a score of None is a person's own.
"""

from __future__ import annotations

import hashlib
import json
import re
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field, fields, replace
from pathlib import Path
from typing import Any, Literal

from labse_search.align.documents import Alignment
from labse_search.errors import UserError
from labse_search.files import changing, written_aside
from labse_search.records import UNKNOWN_LANGUAGE, Pair

FOLDER = "alignments"
ID = re.compile(r"[0-9a-f]{32}")
MOST_UNDONE = 200  # corrections that can be taken back
OWN_SCORE = 0.6  # of a bead that a person made: as sure as the surest translations
Bead = tuple[int, int, int, int, float | None]
Action = Literal["merge", "split", "unlink"]


@dataclass(frozen=True)
class Side:
    """One of the two documents, as it was aligned."""

    document: str
    title: str
    language: str  # of most of it; "" where nobody knows
    sentences: tuple[str, ...]


@dataclass(frozen=True)
class Correction:
    """What stood where a person changed something."""

    at: int  # the first bead that was changed
    new: int  # how many beads stand there now
    before: tuple[Bead, ...]


@dataclass(frozen=True)
class KeptAlignment:
    """Two documents, sentence by sentence."""

    collection: str
    source: Side
    target: Side
    beads: tuple[Bead, ...]
    made: float  # seconds since the epoch
    corrections: tuple[Correction, ...] = field(default=())

    @property
    def id(self) -> str:
        """The same for the same two documents of a collection in the same order."""
        return alignment_id(self.collection, self.source.document, self.target.document)

    def pairs(self) -> list[Pair]:
        """What both sides say, in the order of the text."""
        return [
            Pair(
                " ".join(self.source.sentences[first:end]),
                " ".join(self.target.sentences[start:stop]),
                OWN_SCORE if score is None else score,
                self.source.language,
                self.target.language,
            )
            for first, end, start, stop, score in self.beads
            if first < end and start < stop
        ]

    def corrected(self, action: Action, at: int) -> KeptAlignment:
        """With one correction more. `merge`: the bead and the next become one. `split`: it becomes two. `unlink`: its
        sentences stand alone. UserError where that is not possible."""
        count = 2 if action == "merge" else 1
        before = self.beads[at : at + count]
        if len(before) < count:
            raise UserError("There is nothing to change at this place.")
        new = {"merge": _merged, "split": _split, "unlink": _alone}[action](before)
        if tuple(new) == before:
            raise UserError("There is nothing to change at this place.")
        undo = (*self.corrections, Correction(at, len(new), before))[-MOST_UNDONE:]
        return replace(self, beads=(*self.beads[:at], *new, *self.beads[at + count :]), corrections=undo)

    def undone(self) -> KeptAlignment:
        """Without the last correction; the same where there is none."""
        if not self.corrections:
            return self
        last = self.corrections[-1]
        beads = (*self.beads[: last.at], *last.before, *self.beads[last.at + last.new :])
        return replace(self, beads=beads, corrections=self.corrections[:-1])


def alignment_id(collection: str, source: str, target: str) -> str:
    """Of two documents of a collection, in this order."""
    return hashlib.sha256(f"{collection}\0{source}\0{target}".encode()).hexdigest()[:32]


def kept_from(collection: str, documents: tuple[str, str], titles: tuple[str, str], found: Alignment) -> KeptAlignment:
    """What was found, before anybody corrected it."""
    sides = [
        Side(document, title, "" if language == UNKNOWN_LANGUAGE else language, tuple(one.text for one in sentences))
        for document, title, language, sentences in zip(
            documents, titles, found.languages(), (found.source, found.target), strict=True
        )
    ]
    beads, at, to = [], 0, 0
    for bead in found.beads:
        end, stop = at + len(bead.source), to + len(bead.target)
        beads.append((at, end, to, stop, round(float(bead.score), 4)))
        at, to = end, stop
    return KeptAlignment(collection, sides[0], sides[1], tuple(beads), time.time())


class Alignments:
    """Those of all collections of one home. UserError for a file that was damaged. Any thread may call."""

    def __init__(self, home: Path) -> None:
        self._home = home
        self._folder = home / FOLDER

    def all(self, collection: str) -> list[KeptAlignment]:
        """The newest first."""
        found = [self._read(file) for file in self._folder.glob("*.json") if ID.fullmatch(file.stem)]
        return sorted((one for one in found if one.collection == collection), key=lambda one: -one.made)

    def get(self, alignment: str) -> KeptAlignment | None:
        """None if there is none of this id."""
        file = self._folder / f"{alignment}.json"
        return self._read(file) if ID.fullmatch(alignment) and file.is_file() else None

    def put(self, one: KeptAlignment) -> None:
        """Keep it, in the place of an earlier one of the same documents."""
        with changing(self._home, FOLDER):
            self._write(one)

    def change(self, alignment: str, action: Action | Literal["undo"], at: int) -> KeptAlignment:
        """Correct it, or take the last correction back. UserError if there is none of this id, or nothing to change."""
        with changing(self._home, FOLDER):
            one = self.get(alignment)
            if one is None:
                raise UserError("This alignment is gone.")
            changed = one.undone() if action == "undo" else one.corrected(action, at)
            self._write(changed)
        return changed

    def drop(self, alignment: str) -> None:
        """Forget it; nothing happens if there is none."""
        if ID.fullmatch(alignment):
            (self._folder / f"{alignment}.json").unlink(missing_ok=True)

    def move(self, collection: str, to: str) -> None:
        """Give those of one collection to another."""
        moved = self.all(collection)
        self.add(to, moved)
        for one in moved:
            self.drop(one.id)

    def add(self, collection: str, alignments: Sequence[KeptAlignment]) -> None:
        """Those of another collection or home; what is kept here of the same two documents stays."""
        for one in alignments:
            ours = replace(one, collection=collection)
            with changing(self._home, FOLDER):
                if self.get(ours.id) is None:
                    self._write(ours)

    def _write(self, one: KeptAlignment) -> None:
        with written_aside(self._folder / f"{one.id}.json") as lines:
            json.dump(asdict(one), lines, ensure_ascii=False)

    def _read(self, file: Path) -> KeptAlignment:
        try:
            return _alignment(json.loads(file.read_text(encoding="utf-8")))
        except (ValueError, TypeError, KeyError, AttributeError) as error:
            raise UserError(f"The alignment in {file.name} is damaged. Restore the file, or move it away.") from error


def _alignment(row: dict[str, Any]) -> KeptAlignment:
    """TypeError, KeyError or ValueError for one that is not whole."""
    sides = [
        Side(**side | {"sentences": tuple(map(str, side["sentences"]))}) for side in (row["source"], row["target"])
    ]
    beads = _beads(row["beads"])
    ends = [bead[1] for bead in beads], [bead[3] for bead in beads]
    if any(end[-1:] not in ([], [len(side.sentences)]) for end, side in zip(ends, sides, strict=True)):
        raise ValueError("beads that do not end with the text")
    corrections = tuple(Correction(one["at"], one["new"], _beads(one["before"])) for one in row["corrections"])
    known = {one.name: row[one.name] for one in fields(KeptAlignment)}
    return KeptAlignment(**known | {"source": sides[0], "target": sides[1], "beads": beads, "corrections": corrections})


def _beads(rows: Sequence[Sequence[Any]]) -> tuple[Bead, ...]:
    found = []
    for first, end, start, stop, score in rows:
        if not 0 <= first <= end or not 0 <= start <= stop:
            raise ValueError("a bead that ends before it begins")
        found.append((int(first), int(end), int(start), int(stop), None if score is None else float(score)))
    return tuple(found)


def _merged(beads: Sequence[Bead]) -> list[Bead]:
    (first, _, start, _, _), (_, end, _, stop, _) = beads
    return [(first, end, start, stop, None)]


def _split(beads: Sequence[Bead]) -> list[Bead]:
    """The first half of the sentences of each side, and the second: of two with one, the second stands alone."""
    ((first, end, start, stop, score),) = beads
    if end - first < 2 and stop - start < 2:
        return [(first, end, start, stop, score)]
    middle, centre = first + (end - first + 1) // 2, start + (stop - start + 1) // 2
    return [(first, middle, start, centre, None), (middle, end, centre, stop, None)]


def _alone(beads: Sequence[Bead]) -> list[Bead]:
    ((first, end, start, stop, score),) = beads
    if first == end or start == stop:
        return [(first, end, start, stop, score)]
    source: list[Bead] = [(at, at + 1, start, start, None) for at in range(first, end)]
    return source + [(end, end, at, at + 1, None) for at in range(start, stop)]
