"""A whole library in one file, and back: originals, texts, ledger, segments with their vectors.

A tar file with, for each collection, `collections/NAME/spec.json`, `segments.jsonl` and `vectors.f32` (rows of float32
in the order of the lines), and at its end `manifest.json` with the SHA-256 of everything before it. Vectors come back
bit for bit, so that a search on another machine gives the same answer.
"""

from __future__ import annotations

import hashlib
import io
import json
import shutil
import tarfile
import tempfile
import time
from collections.abc import Iterator
from dataclasses import asdict
from itertools import islice
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np

from labse_search.errors import UserError
from labse_search.library import Library, written_whole
from labse_search.records import CollectionSpec, Segment, StoredSegment
from labse_search.similarity import Vectors
from labse_search.store import Store

FORMAT = 1
BATCH = 1000


def backup(library: Library, store: Store, target: Path) -> dict[str, int]:
    """Write the archive, aside and then renamed. Returns how many segments of which collection it holds."""
    counts: dict[str, int] = {}
    with written_whole(target) as file, tempfile.TemporaryDirectory(dir=target.parent) as scratch:
        writer = _Writer(file)
        snapshot = Path(scratch) / "ledger.sqlite3"
        library.ledger.snapshot(snapshot)
        writer.add(snapshot, "ledger.sqlite3")
        for collection in sorted(library.ledger.collections()):
            counts[collection] = _add_collection(writer, store, collection, Path(scratch))
        for folder in ("originals", "texts"):
            for path in sorted((library.home / folder).glob("??/*")):
                if not path.name.startswith("."):
                    writer.add(path, path.relative_to(library.home).as_posix())
        writer.close({"format": FORMAT, "made": time.time(), "collections": counts})
    return counts


def restore(source: Path, home: Path) -> Path:
    """Unpack an archive into a home that is empty or not there yet, after verifying every digest. The store is filled
    by `fill_store` afterwards. Returns the folder that holds the collections' segments."""
    if home.exists() and any(home.iterdir()):
        raise UserError(f"{home} is not empty. Restore into a new folder: --store NEW_FOLDER")
    home.parent.mkdir(parents=True, exist_ok=True)
    beside = home.with_name(f".{home.name}.part")
    shutil.rmtree(beside, ignore_errors=True)
    try:
        with tarfile.open(source) as archive:
            archive.extractall(beside, filter="data")  # no absolute paths, no links out, no devices
    except (tarfile.TarError, OSError, EOFError) as error:
        shutil.rmtree(beside, ignore_errors=True)
        raise UserError(f"{source} cannot be read as a backup ({error}).") from error
    try:
        _verify(source, beside)
    except UserError:
        shutil.rmtree(beside)
        raise
    if home.exists():
        home.rmdir()
    beside.rename(home)
    return home / "collections"


def fill_store(folder: Path, store: Store) -> dict[str, int]:
    """Put every collection of an unpacked archive into the store. How many segments each has."""
    counts = {}
    for collection in sorted(path for path in folder.iterdir() if path.is_dir()):
        spec = CollectionSpec(**json.loads((collection / "spec.json").read_text(encoding="utf-8")))
        store.create(collection.name, spec)
        vectors = np.fromfile(collection / "vectors.f32", dtype="<f4").reshape(-1, spec.dimension)
        with (collection / "segments.jsonl").open(encoding="utf-8") as lines:
            at = 0
            while batch := [segment_from(json.loads(line)) for line in islice(lines, BATCH)]:
                store.upsert(collection.name, batch, vectors[at : at + len(batch)], fingerprint=spec.fingerprint)
                at += len(batch)
        store.optimize(collection.name)
        counts[collection.name] = at
    return counts


def export(store: Store, collection: str, *, vectors: bool) -> Iterator[str]:
    """The collection as JSON lines: a segment with its document, place and offsets, and its vector if asked."""
    for batch, rows in _batches(store, collection):
        for stored, row in zip(batch, rows, strict=True):
            value = segment_value(stored)
            if vectors:
                value["vector"] = [float(x) for x in row]
            yield json.dumps(value, ensure_ascii=False)


def segment_value(stored: StoredSegment) -> dict[str, Any]:
    value = asdict(stored)
    value["segment"]["place"] = dict(stored.segment.place)
    return value


def segment_from(value: dict[str, Any]) -> StoredSegment:
    segment = value["segment"]
    segment["sentences"] = tuple((start, end) for start, end in segment["sentences"])
    return StoredSegment(
        document=value["document"],
        names=tuple(value["names"]),
        folders=tuple(value["folders"]),
        kind=value["kind"],
        added=value["added"],
        segment=Segment(**segment),
    )


class _Writer:
    """A tar file that remembers the digest of what it was given."""

    def __init__(self, file: BinaryIO) -> None:
        self._tar = tarfile.open(fileobj=file, mode="w", format=tarfile.PAX_FORMAT)
        self._digests: dict[str, str] = {}

    def add(self, path: Path, name: str) -> None:
        with path.open("rb") as file:
            self._digests[name] = hashlib.file_digest(file, "sha256").hexdigest()
            file.seek(0)
            info = tarfile.TarInfo(name)
            info.size = path.stat().st_size
            self._tar.addfile(info, file)

    def close(self, manifest: dict[str, Any]) -> None:
        content = json.dumps({**manifest, "files": self._digests}, indent=1).encode()
        info = tarfile.TarInfo("manifest.json")
        info.size = len(content)
        self._tar.addfile(info, io.BytesIO(content))
        self._tar.close()


def _add_collection(writer: _Writer, store: Store, collection: str, scratch: Path) -> int:
    count = 0
    with (scratch / "segments").open("w", encoding="utf-8") as lines, (scratch / "vectors").open("wb") as rows:
        for batch, vectors in _batches(store, collection):
            lines.writelines(json.dumps(segment_value(stored), ensure_ascii=False) + "\n" for stored in batch)
            rows.write(vectors.astype("<f4").tobytes())
            count += len(batch)
    spec = scratch / "spec"
    spec.write_text(json.dumps(asdict(store.info(collection).spec)), encoding="utf-8")
    for file, name in (
        (spec, "spec.json"),
        (scratch / "segments", "segments.jsonl"),
        (scratch / "vectors", "vectors.f32"),
    ):
        writer.add(file, f"collections/{collection}/{name}")
    return count


def _batches(store: Store, collection: str) -> Iterator[tuple[list[StoredSegment], Vectors]]:
    dimension = store.info(collection).spec.dimension
    segments = store.segments(collection)
    while batch := list(islice(segments, BATCH)):
        vectors = store.vectors(collection, [stored.point for stored in batch])
        there = [stored for stored in batch if stored.point in vectors]  # the others were deleted this moment
        rows = [vectors[stored.point] for stored in there]
        yield there, np.stack(rows) if rows else np.zeros((0, dimension), np.float32)


def _verify(source: Path, folder: Path) -> None:
    manifest_file = folder / "manifest.json"
    if not manifest_file.is_file():
        raise UserError(f"{source} is no backup, or it was cut off: its manifest is missing.")
    manifest = json.loads(manifest_file.read_text(encoding="utf-8"))
    if manifest.get("format") != FORMAT:
        raise UserError(f"{source} has format {manifest.get('format')}; this version reads format {FORMAT}.")
    for name, digest in manifest["files"].items():
        path = folder / name
        if not path.is_file():
            raise UserError(f"{source} is damaged: {name} is missing.")
        with path.open("rb") as file:
            if hashlib.file_digest(file, "sha256").hexdigest() != digest:
                raise UserError(f"{source} is damaged: {name} has other content than was backed up.")
