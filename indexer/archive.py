"""A whole library in one file, and back: originals, texts, ledger, segments with their vectors, and all that a person
made (home_files.py).

A tar file with, for each collection, `collections/NAME/spec.json`, `segments.jsonl` and `vectors.f32` (rows of float32
in the order of the lines), and at its end `manifest.json` with the SHA-256 of everything before it. Vectors come back
bit for bit, so that a search on another machine gives the same answer.
"""

from __future__ import annotations

import hashlib
import io
import json
import logging
import re
import shutil
import sqlite3
import tarfile
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, closing
from dataclasses import asdict, dataclass
from itertools import islice
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np

from indexer.home_files import MEMBERS, TAUGHT, is_map_of_folders, model_folders, move_models, moved, wanted
from indexer.worker import collection_lock
from labse_search.errors import LedgerDamaged, UserError
from labse_search.files import written_whole
from labse_search.library import Library
from labse_search.naming import generation_name, split_generation
from labse_search.records import CollectionSpec, Segment, StoredSegment
from labse_search.similarity import Vectors
from labse_search.store import Store
from labse_search.store.edge.client import EdgeStore

FORMAT = 2  # format 1 had no findings, searches and models
BATCH = 1000
PASSAGE_BYTES = 1000  # about, of a passage as JSON: only for telling how much is done
UNPACKED = 0.3  # of the work of restoring, once everything is unpacked: an untested guess
HERE_ONLY = ("backup", "restore", "fetch")  # kinds of jobs that concern this home
LISTED = 10  # names in one line
MOST_TIMES, SMALL_BYTES = 100, 100 << 20  # a compressed archive may unpack to so many times its size, and so much more
Tell = Callable[[float, str], None]  # hears how much is done, from 0 to 1, and what is at work; may raise to stop it
Warn = Callable[[str], None]  # hears in a sentence what is not whole, and does not keep from going on
log = logging.getLogger("labse_search.jobs")
_MALFORMED = (KeyError, ValueError, TypeError, AttributeError, FileNotFoundError)  # what reading foreign values raises
_MEMBERS = re.compile(
    r"manifest\.json|ledger\.sqlite3|teach\.sqlite3|originals/[0-9a-f]{2}/[0-9a-f]{32}|texts/[0-9a-f]{2}/[0-9a-f]{32}\.json\.gz"
    rf"|collections/[^/]+/(spec\.json|segments\.jsonl|vectors\.f32)|{MEMBERS}"
)


def untold(share: float, current: str) -> None:
    """Nobody wants to know how far it is."""


def backup(
    library: Library,
    store: Store,
    target: Path,
    *,
    weights: bool = True,
    tell: Tell = untold,
    warn: Warn = log.warning,
) -> dict[str, int]:
    """Write the archive, aside and then renamed. Returns how many segments of which collection it holds. UserError
    while a job is at work, which would leave the archive's parts at odds. Without `weights`, tuned models stay out, but
    for what they were made of. `warn`: hears of originals that are gone or damaged."""
    with ExitStack() as locks:
        for collection in library.ledger.collections.all():
            library.ledger.collections.check_store(collection, store.location)
            lock = library.lock(collection_lock(collection))
            if lock is None:
                raise UserError(
                    f"Documents are being added to {collection!r}. Back up when that is done, or pause the job first."
                )
            locks.callback(lock.release)
        with (
            written_whole(target) as file,
            tempfile.TemporaryDirectory(dir=target.parent, prefix=f".{target.name}.") as scratch,
        ):
            models = model_folders(library)
            further = list(wanted(library.home, models, weights=weights))
            expected = _expected_bytes(library, store) + sum(path.stat().st_size for path, _ in further)
            writer = _Writer(file, expected, tell)
            counts, serving = _write_library(writer, library, store, Path(scratch))
            for path, name in further:
                writer.add(path, name)
            about = {"made": time.time(), "collections": counts, "serving": serving, "models": models}
            writer.close({"format": FORMAT, **about})
            _warn_of_originals(library, writer.digests, warn)
    return counts


def _write_library(
    writer: _Writer, library: Library, store: Store, scratch: Path
) -> tuple[dict[str, int], dict[str, int]]:
    """(how many segments of which collection, which of its generations answers)"""
    counts: dict[str, int] = {}
    serving: dict[str, int] = {}
    library.ledger.snapshot(scratch / "ledger.sqlite3")
    _forget_jobs(scratch / "ledger.sqlite3")
    writer.add(scratch / "ledger.sqlite3", "ledger.sqlite3")
    if (library.home / TAUGHT).is_file():
        _copy_database(library.home / TAUGHT, scratch / TAUGHT)
        writer.add(scratch / TAUGHT, TAUGHT)
    for collection in sorted(library.ledger.collections.all()):
        serving[collection] = library.ledger.generations.serving(collection)
        for name in _generations(library, collection):
            counts[name] = _add_collection(writer, store, name, scratch)
    for path in _kept_files(library):
        writer.add(path, path.relative_to(library.home).as_posix())
    return counts, serving


def _warn_of_originals(library: Library, digests: Mapping[str, str], warn: Warn) -> None:
    """Of documents whose originals an archive has not, or not as they were kept: damage that came before the backup,
    unlike a digest that is another one than in the manifest. `digests`: name in the archive → SHA-256."""
    lost = []
    for collection in library.ledger.collections.all():
        for row in library.ledger.documents.all(collection, ("stored", "removed")):
            found = digests.get(f"originals/{row.document[:2]}/{row.document}", "")
            if not found.startswith(row.document):
                lost.append(row.names[0] if row.names else row.document)
    if lost:
        further = f" and {len(lost) - LISTED:,} further ones" if len(lost) > LISTED else ""
        warn(
            f"The originals of {len(lost):,} documents are gone or damaged: {', '.join(lost[:LISTED])}{further}. Their "
            "passages are whole, also in a backup. Add the files again to be able to rebuild them."
        )


def _kept_files(library: Library) -> Iterator[Path]:
    for folder in ("originals", "texts"):
        for path in sorted((library.home / folder).glob("??/*")):
            if not path.name.startswith("."):
                yield path


def _expected_bytes(library: Library, store: Store) -> int:
    """About as many as the archive will have."""
    names = [name for one in library.ledger.collections.all() for name in _generations(library, one)]
    infos = [store.info(_in_store(name)) for name in names]
    passages = sum(info.segments * (4 * info.spec.dimension + PASSAGE_BYTES) for info in infos)
    return passages + sum(path.stat().st_size for path in _kept_files(library))


def _forget_jobs(ledger: Path) -> None:
    """Those that concern this home and not its documents: a restored library does not go on backing up. Uploads that a
    job waits with are not in a backup: where it is restored, they are gone."""
    with closing(sqlite3.connect(ledger)) as database, database:
        database.execute(
            "UPDATE job_files SET outcome = 'skipped', reason = 'vanished' WHERE kept = 1 AND outcome = ''"
        )
        for table in ("job_files", "job_outcomes", "starts"):
            database.execute(
                f"DELETE FROM {table} WHERE job IN (SELECT id FROM jobs WHERE kind IN (?, ?, ?))", HERE_ONLY
            )
        database.execute("DELETE FROM jobs WHERE kind IN (?, ?, ?)", HERE_ONLY)


def _copy_database(source: Path, target: Path) -> None:
    """A consistent copy, while others go on writing, in one file without a write-ahead log."""
    with closing(sqlite3.connect(source)) as there, closing(sqlite3.connect(target)) as copy:
        there.backup(copy)
        copy.execute("PRAGMA journal_mode = DELETE")


def _generations(library: Library, collection: str) -> list[str]:
    """Those that are whole, by the names of their folders in the archive."""
    whole = [one.number for one in library.ledger.generations.all(collection) if one.state in ("serving", "ready")]
    return [collection if number == 1 else generation_name(collection, number) for number in whole]


def restore(
    source: Path, home: Path, *, models: Path | None = None, tell: Tell = untold, warn: Warn = log.warning
) -> dict[str, int]:
    """Unpack an archive into a home that is empty or not there yet, after verifying every digest, and fill its store.
    All of it beside the home, which then takes its name: it is there whole or not at all. Returns how many segments
    each collection has. `models`: the home where its models are going to lie; None: in this one. `warn`: hears of
    originals that were gone or damaged before the backup; all else comes."""
    if home.exists() and (not home.is_dir() or any(home.iterdir())):
        raise UserError(f"{home} is not empty. Restore into a new folder: --store NEW_FOLDER")
    home.parent.mkdir(parents=True, exist_ok=True)
    beside = home.with_name(f".{home.name}.part")
    shutil.rmtree(beside, ignore_errors=True)
    try:
        try:
            with tarfile.open(source) as archive:
                archive.extractall(beside, members=_expected(source, archive, tell), filter="data")
        except (tarfile.TarError, EOFError, OSError) as error:
            raise UserError(f"{source} cannot be read as a backup ({error}).") from error
        try:
            counts = _install(source, beside, models or home, tell, warn)
        except (*_MALFORMED, LedgerDamaged, sqlite3.Error) as error:  # forged, or written by another program
            raise UserError(f"{source} is damaged: what it holds cannot be read ({type(error).__name__}).") from error
        if home.exists():
            home.rmdir()
        beside.rename(home)
    except BaseException:
        shutil.rmtree(beside, ignore_errors=True)
        raise
    return counts


def _install(source: Path, beside: Path, models: Path, tell: Tell, warn: Warn) -> dict[str, int]:
    """Make a home of what was unpacked. How many segments each collection has."""
    manifest = _verify(source, beside)
    move_models(beside, moved(manifest.models, beside, models))
    if (beside / "ledger.sqlite3").is_file():  # an archive of an older version, or a forged one, has them yet
        _forget_jobs(beside / "ledger.sqlite3")
    counts = _fill(beside, manifest.serving, tell)
    with closing(Library(beside)) as library:
        _warn_of_originals(library, manifest.digests, warn)
    return counts


def _expected(source: Path, archive: tarfile.TarFile, tell: Tell) -> Iterator[tarfile.TarInfo]:
    """The members, as long as each is a plain file that a backup has: nothing else gets into a home. UserError also
    for an archive that was compressed and unpacks to very much more."""
    size = max(1, source.stat().st_size)
    unpacked = 0
    for member in archive:
        unpacked += member.size
        if unpacked > MOST_TIMES * size + SMALL_BYTES:
            raise UserError(f"{source} is no backup: it unpacks to more than {MOST_TIMES} times its size.")
        tell(UNPACKED * member.offset / size, source.name)
        if not member.isreg() or member.sparse is not None or not _MEMBERS.fullmatch(member.name):
            raise UserError(f"{source} is no backup: it holds {member.name!r}.")
        yield member


def _fill(home: Path, serving: Mapping[str, int], tell: Tell) -> dict[str, int]:
    store = EdgeStore.open(home / "store")
    try:
        counts = fill_store(home / "collections", store, tell)
        for collection, number in serving.items():
            if number != 1:
                store.serve(collection, number)
    finally:
        store.stop()  # flushed, and nothing open: the folder is about to get another name
    shutil.rmtree(home / "collections", ignore_errors=True)
    return counts


def fill_store(folder: Path, store: Store, tell: Tell = untold) -> dict[str, int]:
    """Put every collection of an unpacked archive into the store. How many segments each has."""
    counts: dict[str, int] = {}
    collections = sorted(folder.iterdir()) if folder.is_dir() else []  # no folder: nothing was indexed yet
    size = max(1, sum((one / "vectors.f32").stat().st_size for one in collections))
    filled = 0
    for collection in collections:
        spec = CollectionSpec(**json.loads((collection / "spec.json").read_text(encoding="utf-8")))
        store.create(collection.name, spec)
        vectors = np.fromfile(collection / "vectors.f32", dtype="<f4").reshape(-1, spec.dimension)
        with (collection / "segments.jsonl").open(encoding="utf-8") as lines:
            at = 0
            while batch := [segment_from(json.loads(line)) for line in islice(lines, BATCH)]:
                store.upsert(collection.name, batch, vectors[at : at + len(batch)], fingerprint=spec.fingerprint)
                at += len(batch)
                filled += 4 * spec.dimension * len(batch)
                tell(UNPACKED + (1 - UNPACKED) * filled / size, collection.name)
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
    """The segment as JSON can hold it."""
    value = asdict(stored)
    value["segment"]["place"] = dict(stored.segment.place)
    return value


def segment_from(value: dict[str, Any]) -> StoredSegment:
    """What `segment_value` made."""
    segment = value["segment"]
    segment["sentences"] = tuple((start, end) for start, end in segment["sentences"])
    segment["headings"] = tuple(segment.get("headings", ()))
    return StoredSegment(
        document=value["document"],
        names=tuple(value["names"]),
        folders=tuple(value["folders"]),
        kind=value["kind"],
        added=value["added"],
        segment=Segment(**segment),
    )


class _Writer:
    """A tar file that remembers the digest of what it was given, and tells how full it is."""

    def __init__(self, file: BinaryIO, expected_bytes: int, tell: Tell) -> None:
        self._tar = tarfile.open(fileobj=file, mode="w", format=tarfile.PAX_FORMAT)
        self.digests: dict[str, str] = {}
        self._expected, self._tell = max(1, expected_bytes), tell
        self._done = 0

    def wrote(self, size: int, name: str) -> None:
        """So many further bytes are in the archive, or ready for it."""
        self._done += size
        self._tell(min(1.0, self._done / self._expected), name)

    def add(self, path: Path, name: str) -> None:
        with path.open("rb") as file:
            self.digests[name] = hashlib.file_digest(file, "sha256").hexdigest()
            file.seek(0)
            info = tarfile.TarInfo(name)
            info.size = path.stat().st_size
            self._tar.addfile(info, file)
        if not name.startswith("collections/"):  # those were told while they were written aside
            self.wrote(info.size, name.partition("/")[0])

    def close(self, manifest: dict[str, Any]) -> None:
        content = json.dumps({**manifest, "files": self.digests}, indent=1).encode()
        info = tarfile.TarInfo("manifest.json")
        info.size = len(content)
        self._tar.addfile(info, io.BytesIO(content))
        self._tar.close()


def _in_store(collection: str) -> str:
    """In the archive the first generation has the collection's own name."""
    return generation_name(collection, 1) if split_generation(collection)[1] is None else collection


def _add_collection(writer: _Writer, store: Store, collection: str, scratch: Path) -> int:
    count, folder = 0, collection
    collection = _in_store(collection)
    with (scratch / "segments").open("w", encoding="utf-8") as lines, (scratch / "vectors").open("wb") as rows:
        for batch, vectors in _batches(store, collection):
            lines.writelines(json.dumps(segment_value(stored), ensure_ascii=False) + "\n" for stored in batch)
            rows.write(vectors.astype("<f4").tobytes())
            count += len(batch)
            writer.wrote(len(batch) * (4 * vectors.shape[1] + PASSAGE_BYTES), folder)
    spec = scratch / "spec"
    spec.write_text(json.dumps(asdict(store.info(collection).spec)), encoding="utf-8")
    for file, name in (
        (spec, "spec.json"),
        (scratch / "segments", "segments.jsonl"),
        (scratch / "vectors", "vectors.f32"),
    ):
        writer.add(file, f"collections/{folder}/{name}")
    return count


def _batches(store: Store, collection: str) -> Iterator[tuple[list[StoredSegment], Vectors]]:
    dimension = store.info(collection).spec.dimension
    segments = store.segments(collection)
    while batch := list(islice(segments, BATCH)):
        vectors = store.vectors(collection, [stored.point for stored in batch])
        there = [stored for stored in batch if stored.point in vectors]  # the others were deleted this moment
        rows = [vectors[stored.point] for stored in there]
        yield there, np.stack(rows) if rows else np.zeros((0, dimension), np.float32)


@dataclass(frozen=True)
class _Manifest:
    digests: dict[str, str]  # name of a member → SHA-256
    serving: dict[str, int]  # collection → its generation that answers
    models: dict[str, str]  # where its models lay → name of the folder in the archive


def _verify(source: Path, folder: Path) -> _Manifest:
    """Everything that the manifest names is there and as it was, and there is nothing else; UserError otherwise."""
    file = folder / "manifest.json"
    if not file.is_file():
        raise UserError(f"{source} is no backup, or it was cut off: its manifest is missing.")
    try:
        manifest = json.loads(file.read_text(encoding="utf-8"))
        version, digests = manifest["format"], dict(manifest["files"])
        serving = {str(name): int(number) for name, number in manifest.get("serving", {}).items()}
        models = manifest.get("models", {})
        if not is_map_of_folders(models):
            raise ValueError
    except (ValueError, KeyError, TypeError) as error:
        raise UserError(f"{source} is damaged: its manifest cannot be read.") from error
    if version not in range(1, FORMAT + 1):
        raise UserError(f"{source} has format {version}; this version reads formats up to {FORMAT}.")
    there = {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()} - {"manifest.json"}
    for name in sorted(there ^ digests.keys()):
        raise UserError(f"{source} is damaged: {name} is {'not in its manifest' if name in there else 'missing'}.")
    for name, digest in digests.items():
        with (folder / name).open("rb") as content:
            found = hashlib.file_digest(content, "sha256").hexdigest()
        if found != digest:
            raise UserError(f"{source} is damaged: {name} has other content than was backed up.")
    file.unlink()
    return _Manifest(digests, serving, models)
