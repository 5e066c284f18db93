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
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

from labse_search.files import written_whole
from labse_search.records import Extraction, Note, Unit

_BLOCK = 1 << 20


def document_id(path: Path) -> str:
    """The identity of a document: the first 128 bits of the SHA-256 of its bytes, as 32 hex digits."""
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while block := file.read(_BLOCK):
            digest.update(block)
    return digest.hexdigest()[:32]


class _ChangedMeanwhileError(Exception):
    pass


class Originals:
    """Files by the hash of their content, written whole or not at all, and the texts read from them."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def path(self, document: str) -> Path:
        """Where the original lies, or would."""
        return self.folder / "originals" / document[:2] / document

    def text_path(self, document: str) -> Path:
        """Where the text read from it lies, or would: gzipped JSON."""
        return self.folder / "texts" / document[:2] / f"{document}.json.gz"

    def keep(self, path: Path, document: str) -> bool:
        """Keep a copy of the file under its identity; what is there already and whole is not copied again. False if the
        file is no longer what `document` names: it changed or went meanwhile, and nothing was kept. OSError if the disk
        is full."""
        place = self.path(document)
        if place.exists() and document_id(place) == document:
            return True
        try:
            opened = path.open("rb")
        except OSError:
            return False
        with opened as source, suppress(_ChangedMeanwhileError), written_whole(place) as target:
            digest = hashlib.sha256()
            while block := source.read(_BLOCK):
                digest.update(block)
                target.write(block)
            if digest.hexdigest()[:32] != document:
                raise _ChangedMeanwhileError  # before the copy gets its name
        return place.exists() and digest.hexdigest()[:32] == document

    def keep_text(self, document: str, extraction: Extraction) -> None:
        """Write the text with its places; replaces what was kept before."""
        value = {
            "units": [[unit.text, dict(unit.place), unit.headings] for unit in extraction.units],
            "kind": extraction.kind,
            "title": extraction.title,
            "encoding": extraction.encoding,
            "notes": [[note.code, note.detail] for note in extraction.notes],
            "reader": extraction.reader,
            "holds": dict(extraction.holds),
        }
        with written_whole(self.text_path(document)) as target:
            text = json.dumps(value, ensure_ascii=False).encode("utf-8", "surrogatepass")  # JSON files may hold halves
            target.write(gzip.compress(text, compresslevel=1, mtime=0))

    def text(self, document: str) -> Extraction:
        """What was read from the document. FileNotFoundError if it never was."""
        value = json.loads(gzip.decompress(self.text_path(document).read_bytes()).decode("utf-8", "surrogatepass"))
        return Extraction(
            units=tuple(
                Unit(text, place, tuple((start, end) for start, end in (headings[0] if headings else ())))
                for text, place, *headings in value["units"]
            ),
            kind=value["kind"],
            title=value["title"],
            encoding=value["encoding"],
            notes=tuple(Note(code, detail) for code, detail in value["notes"]),
            reader=value.get("reader", ""),
            holds=value.get("holds", {}),
        )

    def forget(self, document: str) -> None:
        """Remove the original and its text; missing ones are no error."""
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
