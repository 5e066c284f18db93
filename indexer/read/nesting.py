"""What lies inside a file: attachments, members, embedded documents. Each is read on its own, and a surprise in one of
a hundred is a note, not the end of the others."""

from __future__ import annotations

from collections import Counter

from indexer.read.archive import nested_place
from indexer.read.limits import Source
from labse_search.errors import Unreadable
from labse_search.records import Extraction, Note, Place, Unit


class Inside:
    """Gathers the units and notes of the files inside one file; `key` is theirs in a place, `skipped` that of notes."""

    def __init__(self, source: Source, key: str = "attachment") -> None:
        self._source = source
        self._key = key
        self._skipped = f"{key}_skipped"
        self.units: list[Unit] = []
        self.notes: list[Note] = []
        self.reasons: list[str] = []  # why some gave nothing
        self.holds: Counter[str] = Counter()
        self.count = 0  # files, read or not

    def beside(self) -> Inside:
        """Another one of the same file."""
        return Inside(self._source, self._key)

    def add(self, name: str, content: bytes, declared: str = "", place: Place | None = None) -> None:
        """`declared`: the type that the outer file gives it; `place`: where it hangs in the outer file."""
        self.count += 1
        try:
            if self._key != "member":  # an archive counts its members when it unpacks them
                self._source.account.spend_members(1)
                self._source.account.spend_bytes(len(content))
            self.take(name, self._source.read_inside(name, content, declared), place)
        except Unreadable as error:
            self.leave_out(name, error.code)

    def take(self, name: str, read: Extraction, place: Place | None = None) -> None:
        """What was read from it already."""
        around = dict(place or {})
        self.units += [
            Unit(unit.text, {**around, **nested_place(self._key, name, unit.place)}, unit.headings)
            for unit in read.units
        ]
        for note in read.notes:
            inner = note.code in ("member_skipped", "attachment_skipped")
            detail = f"{name}/{note.detail}" if inner else f"{name}: {note.detail}".rstrip(": ")
            self.notes.append(Note(note.code, detail))
        self.holds.update(read.holds)

    def leave_out(self, name: str, reason: str) -> None:
        """Note that a member is not read, and why."""
        self.reasons.append(reason)
        self.notes.append(Note(self._skipped, f"{name}: {reason}"))
