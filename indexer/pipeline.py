"""One indexing job from its first file to its last: read ∥ segment ∥ encode ∥ store.

Files are looked at and kept in one thread, read and segmented in child processes, encoded in threads (encoding.py),
stored in another one; short queues between them. A file's outcome is in the ledger as soon as its segments are durable,
so a killed job goes on where it was, in the middle of a document too.
"""

from __future__ import annotations

import errno
import logging
import threading
import time
from collections import Counter, deque
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, wait
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol, TypeVar

from indexer.documents import VERSION, document_row, point_name, recover, settle, stored_segments
from indexer.encoding import Encoding, Stopped
from indexer.segment import Split
from labse_search.encoder import Encoder
from labse_search.encoder.tokens import Tokenized
from labse_search.errors import CollectionDamaged, StoreUnavailable, Unreadable, UserError
from labse_search.library import DocumentRow, JobFile, JobRow, Library, Outcome, document_id
from labse_search.library.records import JobState
from labse_search.records import CollectionSpec, Extraction, Filter, StoredSegment
from labse_search.similarity import Vectors
from labse_search.store import Store

AHEAD = 16  # files looked at before their turn: keeps the readers busy, bounds the memory
HEED_SECONDS = 0.25  # about how long a pause or a cancel has to wait
WRITES = 2  # batches that wait to be stored, beside those that are being encoded
REPORT_SECONDS = 0.5
RATES = 64  # reports over which the rate is a mean: half a minute, in which slow models end several batches
STORE_TRIES = 4  # one, two, three seconds apart: the store's process restarts by itself, a server may be restarting
LOOKS = 3  # at a file that changes under our hands
# A file changed within the clock tick of our look would look unchanged for ever (git calls that "racily clean"; ticks
# are 4 ms on Linux, 2 s on FAT): its time is not remembered, so that next time its content is compared.
TICK_SECONDS = 2.0

log = logging.getLogger("labse_search.jobs")
T = TypeVar("T")


class _Asked(Exception):
    """The person asked the job to pause or to be cancelled."""

    def __init__(self, state: JobState) -> None:
        super().__init__(state)
        self.state = state


class Reader(Protocol):
    """Reads and segments files somewhere else: indexer.worker.ReaderPool."""

    def submit(self, path: Path, name: str) -> Future[tuple[Extraction, Split]]: ...


@dataclass
class _Look:
    """A file after the first look: an outcome already, or a reading that will come."""

    file: JobFile
    name: str = ""  # in the collection: a path keeps the name that it has there
    outcome: Outcome = ""
    reason: str = ""
    detail: str = ""
    document: str = ""
    size: int = 0
    mtime_ns: int = 0
    reading: Future[tuple[Extraction, Split]] | None = None


@dataclass(eq=False)
class _Document:
    """A document on its way into the store."""

    tokenizer: str  # the identity of the one that its segments' ids are of
    looks: list[_Look]  # the file, and other files of this job with the same content
    row: DocumentRow
    extraction: Extraction
    names: list[str]  # those that its segments get in the store
    left: int  # segments that are not durable yet
    begun: bool = False


@dataclass(frozen=True, slots=True)
class _Item:
    """A segment that waits to be encoded and stored; without one, a document of which all are stored already."""

    document: _Document
    segment: StoredSegment | None = None
    ids: bytes = b""


@dataclass
class Pipeline:
    """The resources of a job. One pipeline runs one job at a time."""

    library: Library
    store: Store
    encoder: Encoder
    reader: Reader
    collection: str
    max_file_bytes: int = 200 << 20
    report: Callable[[JobRow], None] = lambda job: None
    store_tries: int = STORE_TRIES
    _job: str = ""
    _lock: threading.Lock = field(default_factory=threading.Lock)
    _buffer: deque[_Item] = field(default_factory=deque)
    _active: dict[str, _Document] = field(default_factory=dict)
    _writes: deque[Future[None]] = field(default_factory=deque)
    _broken: bool = False  # a write failed: those behind it must not happen
    _holding: threading.Lock = field(default_factory=threading.Lock)
    _held: Counter[str] = field(default_factory=Counter)  # documents that files of this job are about to be
    _lost: set[str] = field(default_factory=set)  # held documents that lost a name: settled when they are let go
    _again: deque[JobFile] = field(default_factory=deque)  # what they were about to be was taken away meanwhile
    _tries: Counter[int] = field(default_factory=Counter)
    _stored: int = 0
    _rates: deque[tuple[float, int]] = field(default_factory=lambda: deque(maxlen=RATES))
    _started: float = 0.0
    _bytes_before: int = 0

    def run(self, job: str) -> JobRow:
        """All that is left of the job. Returns its row: done, paused, cancelled, or failed with one sentence."""
        ledger = self.library.ledger
        row = ledger.job(job)
        self._job, self._stored, self._bytes_before = job, row.segments, row.bytes_done
        self._started = time.monotonic()
        ledger.set_job(job, state="running", started=row.started or time.time(), finished=None, error="")
        state: JobState = "failed"
        error = ""
        try:
            self._open()
            self._run()
            self._optimize()
            state = "done"
        except _Asked as asked:
            state = asked.state
        except (UserError, OSError) as problem:
            error = _sentence(problem)
        except KeyboardInterrupt:
            ledger.set_job(job, state="cancelled", finished=time.time(), current="", seconds_left=None)
            recover(self.library, self.store, self.collection)
            raise
        if state in ("cancelled", "failed"):
            self._let_go_of_all()  # on a full disk this makes the room to write down that the job failed
        finished = None if state == "paused" else time.time()
        ledger.set_job(
            job, state=state, error=error, finished=finished, segments=self._stored, current="", seconds_left=None
        )
        if state in ("cancelled", "failed"):
            self._take_out_halves()
        return ledger.job(job)

    def _take_out_halves(self) -> None:
        try:
            recover(self.library, self.store, self.collection)
        except StoreUnavailable as problem:  # why the job failed, most likely: the next job does it
            log.warning("job %s: %s", self._job, problem)

    def _open(self) -> None:
        self.library.originals.sweep()
        spec = CollectionSpec(self.encoder.dimension, self.encoder.fingerprint, self.encoder.model)
        self._patiently(lambda: self.store.create(self.collection, spec))
        self.library.ledger.set_collection(
            self.collection, model=spec.model, fingerprint=spec.fingerprint, store=self.store.location
        )
        self._patiently(lambda: recover(self.library, self.store, self.collection))

    def _optimize(self) -> None:
        try:
            self.store.optimize(self.collection)
        except StoreUnavailable as problem:  # every document is durable already; searching is only slower
            log.warning("job %s: %s", self._job, problem)

    def _patiently(self, call: Callable[[], T]) -> T:
        """The store's answer, also if it is just being started again."""
        for attempt in range(1, self.store_tries):
            try:
                return call()
            except CollectionDamaged:
                raise
            except StoreUnavailable:
                time.sleep(attempt)
        return call()

    def _run(self) -> None:
        files = deque(self.library.job_files(self._job, outcomes=("",)))
        looks: deque[Future[_Look]] = deque()
        encoding = Encoding(self.encoder)
        with ThreadPoolExecutor(1, "look") as looker, ThreadPoolExecutor(1, "write") as writer, encoding:
            try:
                while files or looks:
                    self._heed()
                    while files and len(looks) < AHEAD:
                        looks.append(looker.submit(self._look, files.popleft()))
                    self._take(self._heeding(looks.popleft()), writer)
                    self._encode_buffer(encoding, writer, at_least=encoding.batch)
                    if not files and not looks:
                        self._encode_buffer(encoding, writer, at_least=1)
                        self._settle_writes(0)
                        while self._again:
                            files.append(self._again.popleft())
            finally:
                for look in looks:
                    look.cancel()
                encoding.stop()
                while self._writes:
                    self._writes.popleft().result()

    def _heed(self) -> None:
        wish = self.library.ledger.wished(self._job)
        if wish:
            raise _Asked("paused" if wish == "pause" else "cancelled")

    def _heeding(self, future: Future[T]) -> T:
        """What the future brings, which may take minutes for a large file, unless the person asks for something."""
        while not self._look_in(future):
            pass
        return future.result()

    def _look_in(self, future: Future[T]) -> bool:
        """Is it done? Waits a moment; meanwhile the person may ask for something."""
        wait([future], HEED_SECONDS)
        if not future.done():
            self._tell()
            self._heed()
        return future.done()

    # ---- first look: what is it, and do we have it?

    def _look(self, file: JobFile) -> _Look:
        for _ in range(LOOKS):
            look = self._look_once(file, Path(file.source.path))
            if look is not None:
                return look
        return _Look(file, outcome="skipped", reason="changing")

    def _look_once(self, file: JobFile, path: Path) -> _Look | None:
        """None if the file changed between two glances."""
        ledger, originals = self.library.ledger, self.library.originals
        known = None if file.source.kept else ledger.name_at(self.collection, str(path))
        name = known[0] if known is not None else file.source.name
        try:
            status = path.stat()
            age = time.time() - status.st_mtime
            look = _Look(file, name, size=status.st_size, mtime_ns=status.st_mtime_ns if age > TICK_SECONDS else 0)
            if known is not None and known[2:] == (status.st_size, status.st_mtime_ns):
                if ledger.version(self.collection, known[1]) == VERSION and originals.path(known[1]).exists():
                    look.outcome = "unchanged"
                    return look
            if status.st_size > self.max_file_bytes:
                look.outcome, look.reason = "skipped", "too_large"
                return look
            document = document_id(path)
        except OSError as problem:
            return _Look(file, name, "skipped", *_reason(problem))
        if path == originals.path(path.name) and document != path.name:
            return _Look(file, name, "skipped", "damaged", "the original no longer has the content it was kept for")
        self._hold(document)
        if not originals.keep(path, document):
            self._let_go(document)
            return None
        look.document = document
        if ledger.version(self.collection, document) == VERSION:
            named = ledger.name(self.collection, name)
            look.outcome = "unchanged" if named and named[0] == document else "renamed"
        else:
            look.reading = self.reader.submit(originals.path(document), name)
        return look

    def _hold(self, document: str) -> None:
        """From here until `_let_go` nothing in this job takes the document or its original away."""
        with self._holding:
            self._held[document] += 1

    def _let_go(self, document: str) -> None:
        with self._holding:
            self._held[document] -= 1
            if self._held[document] <= 0:
                del self._held[document]
                if document in self._lost:
                    self._lost.discard(document)
                    self._settle(document)

    def _name_lost(self, documents: Sequence[str]) -> None:
        """Settle documents whose names changed: now, or when no file of this job is about to be them."""
        with self._holding:  # held all the while: the looker must not find them half gone
            for document in documents:
                if document in self._held:
                    self._lost.add(document)
                else:
                    self._settle(document)

    def _settle(self, document: str) -> None:
        self._patiently(lambda: settle(self.library, self.store, self.collection, document))

    def _let_go_of_all(self) -> None:
        """Originals that were kept for documents that this job will not store after all."""
        try:
            for document in list(self._held):
                if not self.library.ledger.kept_anywhere(document):
                    self.library.originals.forget(document)
        except (UserError, OSError) as problem:  # the disk that the job failed for: they only take room
            log.warning("job %s: originals are left over (%s)", self._job, type(problem).__name__)

    def _take(self, look: _Look, writer: ThreadPoolExecutor) -> None:
        """Put what was read into the buffer, or write down why there is nothing to put."""
        if look.reading is None:
            self._writes.append(writer.submit(self._conclude, look))
            return
        with self._lock:
            if look.document in self._active:  # the same content twice in one job: one document with two names
                look.outcome = "renamed"
                self._active[look.document].looks.append(look)
                return
        if self.library.ledger.version(self.collection, look.document) == VERSION:  # stored since the first look
            look.outcome = "renamed"
            self._writes.append(writer.submit(self._conclude, look))
            return
        try:
            extraction, split = self._heeding(look.reading)
            if not split.segments:
                raise Unreadable("no_text")
        except Unreadable as problem:
            look.outcome, look.reason, look.detail = "skipped", problem.code, problem.detail
            if problem.code == "vanished" and Path(look.file.source.path).exists():
                look.outcome = "renamed"  # only our copy was taken away, with another document: to be looked at again
            self._writes.append(writer.submit(self._conclude, look))
            return
        row = document_row(self.collection, look.document, look.name, extraction, split, size=look.size)
        names = sorted({look.name, *self.library.ledger.names(self.collection, look.document)})
        there = self._already_stored(look.document, len(split.segments))
        waiting = [
            (one, ids)
            for one, ids in zip(stored_segments(row, names, split), split.ids, strict=True)
            if there.get(one.segment.index) != one.segment.text
        ]
        # What a killed run left may have other names: without any here, the store is told again at the end.
        document = _Document(split.tokenizer, [look], row, extraction, [] if there else names, left=len(waiting))
        self._active[look.document] = document
        self._buffer.extend(_Item(document, one, ids) for one, ids in waiting)
        if not waiting:
            self._writes.append(writer.submit(self._store, [_Item(document)], None))

    def _already_stored(self, document: str, segments: int) -> dict[int, str]:
        """Segments of a document that a killed run left in the store: index → text. Those that the document does not
        have (it was cut another way then) are taken out."""
        if not any(known == document for known, _ in self.library.ledger.storing(self.collection)):
            return {}
        where = Filter(documents=(document,))
        stored = self._patiently(lambda: list(self.store.segments(self.collection, where)))
        if any(one.segment.index >= segments for one in stored):
            self._patiently(lambda: self.store.delete(self.collection, where))
            return {}
        return {one.segment.index: one.segment.text for one in stored}

    # ---- encode and store, each in its own threads

    def _encode_buffer(self, encoding: Encoding, writer: ThreadPoolExecutor, *, at_least: int) -> None:
        """Have so many waiting segments encoded and stored, as many at a time as a batch takes."""
        self._tell()
        while len(self._buffer) >= max(1, min(at_least, encoding.batch)):
            while (oldest := encoding.oldest()) is not None:
                self._look_in(oldest)
            items = [self._buffer.popleft() for _ in range(min(encoding.batch, len(self._buffer)))]
            vectors = encoding.give(_texts(items))
            self._writes.append(writer.submit(self._store, items, vectors))
            self._settle_writes(self.encoder.abreast + WRITES)
            self._tell()
            self._heed()

    def _settle_writes(self, most: int) -> None:
        """Wait until at most so many writes are under way; raises what a write raised, or encoding before it."""
        while len(self._writes) > most:
            self._heeding(self._writes[0])
            self._writes.popleft()

    def _store(self, items: Sequence[_Item], encoded: Future[Vectors] | None) -> None:
        if self._broken:  # the write before this one failed, and will be told
            return
        self._broken = True
        try:
            vectors = encoded.result() if encoded is not None else None
        except Stopped:
            return
        documents = list(dict.fromkeys(item.document for item in items))
        self._begin([document for document in documents if not document.begun])
        segments = [item.segment for item in items if item.segment is not None]
        if vectors is not None:
            self._upsert(segments, vectors)
        for item in items:
            item.document.left -= item.segment is not None
        self._finish([document for document in documents if document.left == 0])
        self._stored += len(segments)
        self._broken = False

    def _begin(self, documents: Sequence[_Document]) -> None:
        for document in documents:
            identity = document.row.document
            document.begun = True
            for look in document.looks[:1]:  # another collection may just have erased it
                self.library.originals.keep(Path(look.file.source.path), identity)
            self.library.originals.keep_text(identity, document.extraction)
            if self.library.ledger.version(self.collection, identity) not in (-1, VERSION):
                where = Filter(documents=(identity,))  # segmented another way before
                self._patiently(lambda where=where: self.store.delete(self.collection, where))  # type: ignore[misc]
        with self.library.ledger.transaction():
            for document in documents:
                self.library.ledger.put_document(document.row, version=VERSION, job=self._job)

    def _upsert(self, segments: Sequence[StoredSegment], vectors: Vectors) -> None:
        fingerprint = self.encoder.fingerprint
        self._patiently(lambda: self.store.upsert(self.collection, segments, vectors, fingerprint=fingerprint))

    def _finish(self, documents: Sequence[_Document]) -> None:
        """The segments are durable: say so in the ledger, in one transaction, then let go of what they replace."""
        ledger, unsettled = self.library.ledger, []
        with self._lock:  # from here on nobody adds a name to them
            for document in documents:
                self._active.pop(document.row.document)
        with ledger.transaction():
            # A person may have taken a document out while it was on its way in: then it stays out.
            there = [one for one in documents if ledger.is_storing(self.collection, one.row.document, self._job)]
            for document in there:
                unsettled += self._say_stored(document)
            taken = [one for one in documents if one not in there]
            for look in [look for document in taken for look in document.looks]:
                look.outcome = "removed"
                if ledger.name(self.collection, look.name) is None:
                    self._point(look)  # so that it can be put back
                self._write_outcome(look, 0)
        if taken:
            where = Filter(documents=tuple(document.row.document for document in taken))
            self._patiently(lambda: self.store.delete(self.collection, where))
        self._name_lost(unsettled)
        for look in [look for document in documents for look in document.looks]:
            self._let_go(look.document)
            self._tidy(look)

    def _say_stored(self, document: _Document) -> list[str]:
        """Inside a transaction. Returns the documents whose names the store has to learn."""
        ledger, identity = self.library.ledger, document.row.document
        unsettled = []
        ledger.set_state(self.collection, identity, "stored")
        for look in document.looks:
            lost = self._point(look)
            look.outcome = look.outcome or ("replaced" if lost else "added")
            look.detail = "; ".join(f"{note.code}: {note.detail}" for note in document.row.notes)
            self._write_outcome(look, document.row.segments)
            unsettled += [lost] if lost else []
        if ledger.names(self.collection, identity) != document.names:
            ledger.set_unsettled(self.collection, [identity])
            unsettled.append(identity)
        return unsettled

    def _conclude(self, look: _Look) -> None:
        """The outcome of a file that needs no reading, or gives no text."""
        ledger, unsettled, gone = self.library.ledger, list[str](), False
        with ledger.transaction():
            if look.document and look.outcome in ("renamed", "unchanged"):
                gone = ledger.version(self.collection, look.document) != VERSION  # since the first look
                lost = None if gone else self._point(look)
                unsettled = [lost] if lost else []
                if look.outcome == "renamed" and not gone:
                    ledger.set_unsettled(self.collection, [look.document])
                    unsettled.append(look.document)
            if not gone:
                self._write_outcome(look, 0)
        if gone:
            self._look_again(look)
            return
        if look.outcome == "skipped" and look.document and not ledger.kept_anywhere(look.document):
            with self._holding:
                if self._held[look.document] == 1:
                    self.library.originals.forget(look.document)
        self._let_go(look.document)
        self._name_lost(unsettled)
        self._tidy(look)

    def _look_again(self, look: _Look) -> None:
        self._let_go(look.document)
        self._tries[look.file.position] += 1
        if self._tries[look.file.position] < LOOKS:
            self._again.append(look.file)
        else:
            look.outcome, look.reason = "skipped", "changing"
            self._write_outcome(look, 0)

    def _point(self, look: _Look) -> str | None:
        source = look.file.source
        path, size, mtime_ns = source.path, look.size, look.mtime_ns
        if source.kept or Path(path).is_relative_to(self.library.home):  # our own copy says nothing of where it was
            known = self.library.ledger.name(self.collection, look.name)
            same = known is not None and known[0] == look.document
            _, path, size, mtime_ns = known if known is not None and same else ("", "", 0, 0)
        return point_name(
            self.library, self.collection, look.name, look.document, path=path, size=size, mtime_ns=mtime_ns
        )

    def _write_outcome(self, look: _Look, segments: int) -> None:
        self.library.ledger.set_outcome(
            self._job,
            look.file.position,
            look.outcome,
            reason=look.reason,
            detail=look.detail,
            document=look.document,
            segments=segments if look.outcome in ("added", "replaced") else 0,
        )

    def _tidy(self, look: _Look) -> None:
        """An upload was kept in the library: its temporary copy goes."""
        if look.file.source.kept:
            Path(look.file.source.path).unlink(missing_ok=True)

    # ---- progress

    def _tell(self) -> None:
        now = time.monotonic()
        if self._rates and now - self._rates[-1][0] < REPORT_SECONDS:
            return
        self._rates.append((now, self._stored))
        seconds = now - self._rates[0][0]
        rate = (self._stored - self._rates[0][1]) / seconds if seconds > 0 else 0.0
        row = self.library.ledger.job(self._job)
        done = row.bytes_done - self._bytes_before
        left = (row.bytes - row.bytes_done) * (now - self._started) / done if done > 0 else None
        with self._lock:
            current = next((document.row.title for document in self._active.values()), "")
        self.library.ledger.set_job(self._job, segments=self._stored, rate=rate, seconds_left=left, current=current)
        self.report(self.library.ledger.job(self._job))


def _texts(items: Sequence[_Item]) -> Sequence[str]:
    """The texts of segments, with their tokens where all are of one tokenizer."""
    texts = [item.segment.segment.text for item in items if item.segment is not None]
    tokenizers = {item.document.tokenizer for item in items}
    return Tokenized(texts, [item.ids for item in items], tokenizers.pop()) if len(tokenizers) == 1 else texts


def _reason(problem: OSError) -> tuple[str, str]:
    """(key of REASONS, detail) for a file that cannot be read."""
    if isinstance(problem, FileNotFoundError | NotADirectoryError):
        return "vanished", ""
    if isinstance(problem, PermissionError):
        return "not_permitted", ""
    return "damaged", f"{type(problem).__name__} {problem.errno}"


def _sentence(problem: Exception) -> str:
    if isinstance(problem, OSError) and problem.errno in (errno.ENOSPC, errno.EDQUOT):
        return "The disk is full. What was indexed is safe. Free some space, then press Retry."
    return str(problem)
