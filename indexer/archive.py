"""A whole library in one file, and back: originals, texts, ledger, segments with their vectors.

A tar file with, for each collection, `collections/NAME/spec.json`, `segments.jsonl` and `vectors.f32` (rows of float32
in the order of the lines), and at its end `manifest.json` with the SHA-256 of everything before it. Vectors come back
bit for bit, so that a search on another machine gives the same answer.
"""

from __future__ import annotations

import hashlib
import io
import json
import re
import shutil
import tarfile
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import asdict
from itertools import islice
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np

from indexer.jobs import collection_lock
from labse_search.errors import UserError
from labse_search.library import Library, written_whole
from labse_search.records import CollectionSpec, Segment, StoredSegment
from labse_search.similarity import Vectors
from labse_search.store import Store
from labse_search.store.edge import EdgeStore

FORMAT = 1
BATCH = 1000
_MEMBERS = re.compile(
    r"manifest\.json|ledger\.sqlite3|originals/[0-9a-f]{2}/[0-9a-f]{32}|texts/[0-9a-f]{2}/[0-9a-f]{32}\.json\.gz"
    r"|collections/[^/]+/(spec\.json|segments\.jsonl|vectors\.f32)"
)


def backup(library: Library, store: Store, target: Path) -> dict[str, int]:
    """Write the archive, aside and then renamed. Returns how many segments of which collection it holds. UserError
    while a job is at work, which would leave the archive's parts at odds."""
    counts: dict[str, int] = {}
    with ExitStack() as locks:
        for collection in library.ledger.collections():
            lock = library.lock(collection_lock(collection))
            if lock is None:
                raise UserError(
                    f"Documents are being added to {collection!r}. Back up when that is done, or pause the job first."
                )
            locks.callback(lock.release)
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


def restore(source: Path, home: Path) -> dict[str, int]:
    """Unpack an archive into a home that is empty or not there yet, after verifying every digest, and fill its store.
    All of it beside the home, which then takes its name: it is there whole or not at all. Returns how many segments
    each collection has."""
    if home.exists() and (not home.is_dir() or any(home.iterdir())):
        raise UserError(f"{home} is not empty. Restore into a new folder: --store NEW_FOLDER")
    home.parent.mkdir(parents=True, exist_ok=True)
    beside = home.with_name(f".{home.name}.part")
    shutil.rmtree(beside, ignore_errors=True)
    try:
        try:
            with tarfile.open(source) as archive:
                archive.extractall(beside, members=_expected(source, archive), filter="data")
        except (tarfile.TarError, EOFError, OSError) as error:
            raise UserError(f"{source} cannot be read as a backup ({error}).") from error
        _verify(source, beside)
        counts = _fill(beside)
        if home.exists():
            home.rmdir()
        beside.rename(home)
    except BaseException:
        shutil.rmtree(beside, ignore_errors=True)
        raise
    return counts


def _expected(source: Path, archive: tarfile.TarFile) -> Iterator[tarfile.TarInfo]:
    """The members, as long as each is a plain file that a backup has: nothing else gets into a home."""
    for member in archive:
        if not member.isreg() or member.sparse is not None or not _MEMBERS.fullmatch(member.name):
            raise UserError(f"{source} is no backup: it holds {member.name!r}.")
        yield member


def _fill(home: Path) -> dict[str, int]:
    store = EdgeStore.open(home / "store")
    try:
        counts = fill_store(home / "collections", store)
    finally:
        store.stop()  # flushed, and nothing open: the folder is about to get another name
    shutil.rmtree(home / "collections", ignore_errors=True)
    return counts


def fill_store(folder: Path, store: Store) -> dict[str, int]:
    """Put every collection of an unpacked archive into the store. How many segments each has."""
    counts: dict[str, int] = {}
    for collection in sorted(folder.iterdir()) if folder.is_dir() else ():  # no folder: nothing was indexed yet
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
    """Everything that the manifest names is there and as it was, and there is nothing else. UserError otherwise."""
    file = folder / "manifest.json"
    if not file.is_file():
        raise UserError(f"{source} is no backup, or it was cut off: its manifest is missing.")
    try:
        manifest = json.loads(file.read_text(encoding="utf-8"))
        version, digests = manifest["format"], dict(manifest["files"])
    except (ValueError, KeyError, TypeError) as error:
        raise UserError(f"{source} is damaged: its manifest cannot be read.") from error
    if version != FORMAT:
        raise UserError(f"{source} has format {version}; this version reads format {FORMAT}.")
    there = {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()} - {"manifest.json"}
    for name in sorted(there ^ digests.keys()):
        raise UserError(f"{source} is damaged: {name} is {'not in its manifest' if name in there else 'missing'}.")
    for name, digest in digests.items():
        with (folder / name).open("rb") as content:
            found = hashlib.file_digest(content, "sha256").hexdigest()
        if found != digest or (name.startswith("originals/") and not found.startswith(Path(name).name)):
            raise UserError(f"{source} is damaged: {name} has other content than was backed up.")
    file.unlink()
