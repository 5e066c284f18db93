"""The bytes that people gave us and the text that was read from them, by content.

originals/ab/abcdef…      the file as it came
texts/ab/abcdef….json.gz  its Extraction, so that a new model needs no second reading
Everything is written beside its place, flushed to the disk, then renamed: a file that exists is whole.
"""

from __future__ import annotations

import gzip
import hashlib
import json
import os
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from labse_search.records import Extraction, Note, Unit

_BLOCK = 1 << 20


def document_id(path: Path) -> str:
    """The identity of a document: the first 128 bits of the SHA-256 of its bytes, as 32 hex digits."""
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while block := file.read(_BLOCK):
            digest.update(block)
    return digest.hexdigest()[:32]


class Originals:
    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def path(self, document: str) -> Path:
        return self.folder / "originals" / document[:2] / document

    def text_path(self, document: str) -> Path:
        return self.folder / "texts" / document[:2] / f"{document}.json.gz"

    def keep(self, path: Path, document: str) -> bool:
        """Keep a copy of the file under its identity; nothing is copied twice. False if the file is no longer what
        `document` names: it changed or went meanwhile, and nothing was kept. OSError if the disk is full."""
        place = self.path(document)
        if place.exists():
            return True
        try:
            opened = path.open("rb")
        except OSError:
            return False
        with opened as source, written_whole(place) as target:
            digest = hashlib.sha256()
            while block := source.read(_BLOCK):
                digest.update(block)
                target.write(block)
            same = digest.hexdigest()[:32] == document
        if not same:
            place.unlink()
        return same

    def keep_text(self, document: str, extraction: Extraction) -> None:
        value = {
            "units": [[unit.text, dict(unit.place)] for unit in extraction.units],
            "kind": extraction.kind,
            "title": extraction.title,
            "encoding": extraction.encoding,
            "notes": [[note.code, note.detail] for note in extraction.notes],
        }
        with written_whole(self.text_path(document)) as target:
            text = json.dumps(value, ensure_ascii=False).encode("utf-8", "surrogatepass")  # JSON files may hold halves
            target.write(gzip.compress(text, compresslevel=1, mtime=0))

    def text(self, document: str) -> Extraction:
        """What was read from the document. FileNotFoundError if it never was."""
        value = json.loads(gzip.decompress(self.text_path(document).read_bytes()).decode("utf-8", "surrogatepass"))
        return Extraction(
            units=tuple(Unit(text, place) for text, place in value["units"]),
            kind=value["kind"],
            title=value["title"],
            encoding=value["encoding"],
            notes=tuple(Note(code, detail) for code, detail in value["notes"]),
        )

    def forget(self, document: str) -> None:
        self.path(document).unlink(missing_ok=True)
        self.text_path(document).unlink(missing_ok=True)

    def sweep(self) -> int:
        """Remove what killed processes left half written. How many files."""
        swept = 0
        for kind in ("originals", "texts"):
            for path in (self.folder / kind).glob("??/.*.part"):
                if not _is_alive(path.name.split(".")[-2].partition("-")[0]):
                    path.unlink(missing_ok=True)
                    swept += 1
        return swept

    def documents(self) -> Iterator[str]:
        """Every document whose original is kept."""
        for path in sorted((self.folder / "originals").glob("??/*")):
            if len(path.name) == 32:
                yield path.name


def _is_alive(process: str) -> bool:
    """Whether a process of this number runs, or may run; on Windows asking would end it."""
    if os.name != "posix" or not process.isdigit():
        return True
    try:
        os.kill(int(process), 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True


@contextmanager
def written_whole(place: Path) -> Iterator[BinaryIO]:
    """A file that appears at `place` complete or not at all."""
    place.parent.mkdir(parents=True, exist_ok=True)
    beside = place.with_name(f".{place.name}.{os.getpid()}-{uuid.uuid4().hex[:8]}.part")
    try:
        with beside.open("wb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        os.replace(beside, place)
    finally:
        beside.unlink(missing_ok=True)
