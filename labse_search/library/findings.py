"""Passages that a person kept, with a note and tags: one JSON file a collection in the home, written aside and renamed.

A finding holds the passage's text as it was: it stays readable when the document is indexed again or goes.
"""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Sequence
from contextlib import AbstractContextManager
from dataclasses import asdict, dataclass, fields, replace
from pathlib import Path
from typing import Any

from labse_search.errors import UserError
from labse_search.files import changing, written_aside

MOST = 5000  # findings of one collection
MAX_NOTE, MAX_TAGS, MAX_TAG = 5000, 20, 60  # characters, tags, characters


@dataclass(frozen=True)
class Finding:
    """A passage that somebody kept, as it stood then."""

    document: str
    index: int
    title: str
    place: str
    language: str
    text: str
    sentence: str
    question: str  # that found it; empty if none did
    note: str = ""
    tags: tuple[str, ...] = ()
    kept: float = 0.0  # seconds since the epoch


class Findings:
    """Kept passages, a file for each collection. Any thread may call."""

    def __init__(self, home: Path) -> None:
        self._home = home
        self._folder = home / "findings"
        self._known: dict[Path, tuple[tuple[int, ...], list[Finding]]] = {}  # what a file held, and which one it was

    def all(self, collection: str) -> list[Finding]:
        """The newest first. UserError for a file that was damaged."""
        return sorted(self._read(collection), key=lambda one: -one.kept)

    def keep(self, collection: str, finding: Finding) -> None:
        """A passage that is kept already stays as it is. UserError when there are too many."""
        with self._changing():
            found = self._read(collection)
            if any(_same(one, finding.document, finding.index) for one in found):
                return
            if len(found) >= MOST:
                raise UserError(f"A collection keeps at most {MOST:,} findings. Export them and remove some.")
            self._write(collection, [*found, replace(finding, kept=time.time())])

    def annotate(
        self,
        collection: str,
        document: str,
        index: int,
        *,
        note: str | None = None,
        tags: tuple[str, ...] | None = None,
    ) -> None:
        """Change the note or the tags of a kept passage, or both. What is None stays as it is: somebody else may have
        changed it meanwhile. Nothing happens if the passage is not kept."""
        changed: dict[str, Any] = {}
        if note is not None:
            changed["note"] = note.strip()[:MAX_NOTE]
        if tags is not None:
            changed["tags"] = tuple(dict.fromkeys(tag.strip()[:MAX_TAG] for tag in tags if tag.strip()))[:MAX_TAGS]
        with self._changing():
            found = self._read(collection)
            self._write(collection, [replace(one, **changed) if _same(one, document, index) else one for one in found])

    def drop(self, collection: str, document: str, index: int) -> None:
        """Nothing happens if it is not kept."""
        with self._changing():
            self._write(collection, [one for one in self._read(collection) if not _same(one, document, index)])

    def move(self, collection: str, to: str) -> None:
        """The findings of a collection that got another name, or was merged into another one."""
        self.add(to, self.all(collection))
        with self._changing():
            self._file(collection).unlink(missing_ok=True)

    def add(self, collection: str, findings: Sequence[Finding]) -> None:
        """Findings with note and tags, of another collection or home; what is kept here already stays as it is."""
        with self._changing():
            there = self._read(collection)
            known = {(one.document, one.index) for one in there}
            new = [one for one in findings if (one.document, one.index) not in known]
            if new:
                self._write(collection, [*there, *new])

    def _changing(self) -> AbstractContextManager[None]:
        return changing(self._home, "findings")

    def _file(self, collection: str) -> Path:
        # Names of collections may hold any letters; names of files may not everywhere.
        return self._folder / f"{hashlib.sha256(collection.encode()).hexdigest()[:32]}.json"

    def _read(self, collection: str) -> list[Finding]:
        file = self._file(collection)
        try:
            status = file.stat()
            version = (status.st_ino, status.st_mtime_ns, status.st_size)  # each change is another file, renamed
            known = self._known.get(file)
            if known is None or known[0] != version:  # every answer asks, and 5,000 findings take 70 ms
                rows = json.loads(file.read_text(encoding="utf-8"))["findings"]
                known = self._known[file] = version, [_finding(row) for row in rows]
            return list(known[1])
        except FileNotFoundError:
            return []
        except (ValueError, TypeError, KeyError, AttributeError) as error:
            raise UserError(f"The findings in {file.name} are damaged. Restore the file, or move it away.") from error

    def _write(self, collection: str, findings: list[Finding]) -> None:
        with written_aside(self._file(collection)) as lines:
            value = {"collection": collection, "findings": [asdict(one) for one in findings]}
            json.dump(value, lines, ensure_ascii=False, indent=1)


def _same(one: Finding, document: str, index: int) -> bool:
    return one.document == document and one.index == index


def _finding(row: dict[str, Any]) -> Finding:
    """TypeError for one that is not whole; what a later version wrote beside is passed over."""
    known = {field.name: row[field.name] for field in fields(Finding) if field.name in row}
    return Finding(**known | {"tags": tuple(row.get("tags", ()))})
