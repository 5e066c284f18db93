"""The embedded store's client: the Store protocol, spoken to the store process over a local socket.

Any number of processes and threads may each have one. The process is started when nobody answers, and once more when
it dies in the middle of a call: every request may be repeated without harm, so the caller notices a pause at most.
"""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from multiprocessing import AuthenticationError
from multiprocessing.connection import Client, Connection
from pathlib import Path
from typing import Any

import numpy as np
from filelock import FileLock, Timeout

from labse_search import errors
from labse_search.errors import StoreUnavailable
from labse_search.records import CollectionInfo, CollectionSpec, Filter, Found, StoredSegment
from labse_search.similarity import Vectors
from labse_search.store import NO_FILTER, FacetKey, wire
from labse_search.store.payload import best_first, check_batch, check_name, from_payload
from labse_search.store.words import document_rows, query_terms

START_SECONDS = 30.0  # a process that does not listen by then will not; usual is 0.3 s
ANSWER_SECONDS = 120.0  # the longest call but optimising: deleting a document of 100,000 segments takes seconds
ATTEMPTS = 500  # of one request; more than one death ends it sooner, this bounds waiting for an ending process
UPSERT_ROWS = 1_024  # per message: 3 MB of vectors and as much text
PAGE = 256
LOG_BYTES = 1 << 20  # then the log starts anew, with the last one beside it

_ERRORS: dict[str, type[Exception]] = {
    "UserError": errors.UserError,
    "ModelMismatch": errors.ModelMismatch,
    "StoreUnavailable": errors.StoreUnavailable,
    "CollectionDamaged": errors.CollectionDamaged,
    "CollectionMissing": errors.CollectionMissing,
    "ValueError": ValueError,
    "UnicodeEncodeError": ValueError,
}


@dataclass(frozen=True)
class _Line:
    """A connection and the address of the process at its other end, which no two processes share."""

    address: str
    connection: Connection


class EdgeStore:
    """Open with `EdgeStore.open`. Thread-safe: a call takes a connection of its own and gives it back."""

    def __init__(self, folder: Path, options: Sequence[str] = ()) -> None:
        self.folder = folder
        self.location = str(folder)
        self._options = list(options)
        self._free: list[_Line] = []
        self._lock = threading.Lock()
        self._owner = os.getpid()

    @classmethod
    def open(
        cls,
        folder: Path,
        *,
        idle_seconds: float | None = None,
        reserve_mb: int | None = None,
        scan_mb: int | None = None,
    ) -> EdgeStore:
        """Connected to the folder's store process, started if none runs. StoreUnavailable if that cannot be. A process
        started here ends after `idle_seconds` without clients, writes only while `reserve_mb` are free, and indexes new
        vectors from `scan_mb` of them on."""
        folder = folder.expanduser().resolve()
        try:
            folder.mkdir(parents=True, exist_ok=True, mode=0o700)
            wire.read_key(folder)
        except OSError as error:
            raise StoreUnavailable(f"The store's folder {folder} cannot be used: {error.strerror}.") from error
        given = {"--idle-seconds": idle_seconds, "--reserve-mb": reserve_mb, "--scan-mb": scan_mb}
        store = cls(folder, [f"{flag}={value}" for flag, value in given.items() if value is not None])
        store._call("hello")
        return store

    # Collections

    def collections(self) -> list[str]:
        return [str(name) for name in self._call("collections").header["value"]]

    def create(self, collection: str, spec: CollectionSpec) -> None:
        self._call("create", collection=check_name(collection), spec=asdict(spec))

    def info(self, collection: str) -> CollectionInfo:
        value = self._call("info", collection=collection).header["value"]
        return CollectionInfo(collection, CollectionSpec(**value["spec"]), value["segments"])

    def drop(self, collection: str) -> None:
        self._call("drop", collection=check_name(collection))

    # Writing

    def upsert(self, collection: str, segments: Sequence[StoredSegment], vectors: Vectors, *, fingerprint: str) -> None:
        payloads, array = check_batch(segments, vectors)
        for payload, stored in zip(payloads, segments, strict=True):
            payload["point"] = stored.point
        for start in range(0, max(1, len(payloads)), UPSERT_ROWS):
            part = slice(start, start + UPSERT_ROWS)
            rows = document_rows([stored.segment.text for stored in segments[part]])
            self._call(
                "upsert",
                (array[part], rows.terms, rows.weights, rows.offsets),
                collection=collection,
                payloads=payloads[part],
                fingerprint=fingerprint,
            )

    def delete(self, collection: str, where: Filter) -> None:
        if where == NO_FILTER:
            raise ValueError("delete needs a filter; `drop` removes a whole collection")
        self._call("delete", collection=collection, where=asdict(where))

    def rename(self, collection: str, document: str, names: Sequence[str], folders: Sequence[str]) -> None:
        self._call("rename", collection=collection, document=document, names=list(names), folders=list(folders))

    def optimize(self, collection: str) -> None:
        self._call("optimize", collection=collection, seconds=None)

    # Reading

    def search_meaning(
        self,
        collection: str,
        vector: Vectors,
        limit: int,
        *,
        where: Filter = NO_FILTER,
        fingerprint: str,
        exact: bool = False,
    ) -> list[Found]:
        answer = self._call(
            "search_meaning",
            (np.asarray(vector, np.float32),),
            collection=collection,
            limit=limit,
            where=asdict(where),
            fingerprint=fingerprint,
            exact=exact,
        )
        return best_first(answer.header["value"])

    def search_words(self, collection: str, text: str, limit: int, *, where: Filter = NO_FILTER) -> list[Found]:
        fields: dict[str, Any] = {"collection": collection, "limit": limit, "where": asdict(where)}
        return best_first(self._call("search_words", terms=query_terms(text), **fields).header["value"])

    def segments(self, collection: str, where: Filter = NO_FILTER, limit: int | None = None) -> Iterator[StoredSegment]:
        pages = self._ordered_pages if len(where.documents) == 1 else self._pages
        left = limit
        for payloads in pages(collection, where):
            for payload in payloads[:left]:
                yield from_payload(payload)
            if left is not None:
                left -= len(payloads)
                if left <= 0:
                    return

    def _pages(self, collection: str, where: Filter) -> Iterator[list[dict[str, Any]]]:
        offset = None
        while True:
            answer = self._call("page", collection=collection, where=asdict(where), offset=offset, limit=PAGE)
            payloads, offset = answer.header["value"]
            yield payloads
            if offset is None:
                return

    def _ordered_pages(self, collection: str, where: Filter) -> Iterator[list[dict[str, Any]]]:
        order = self._call("in_order", collection=collection, where=asdict(where)).header["value"]
        for start in range(0, len(order), PAGE):
            points = [point for _, point in order[start : start + PAGE]]
            yield self._call("payloads", collection=collection, points=points).header["value"]

    def by_point(self, collection: str, points: Sequence[str]) -> dict[str, StoredSegment]:
        found: dict[str, StoredSegment] = {}
        for start in range(0, len(points), PAGE):
            part = list(points[start : start + PAGE])
            payloads = self._call("payloads", collection=collection, points=part).header["value"]
            found.update({stored.point: stored for stored in map(from_payload, payloads)})
        return found

    def vectors(self, collection: str, points: Sequence[str]) -> dict[str, Vectors]:
        found: dict[str, Vectors] = {}
        for start in range(0, len(points), PAGE):
            answer = self._call("vectors", collection=collection, points=list(points[start : start + PAGE]))
            found.update(zip(answer.header["value"], answer.arrays[0], strict=True))
        return found

    def count(self, collection: str, where: Filter = NO_FILTER) -> int:
        return int(self._call("count", collection=collection, where=asdict(where)).header["value"])

    def facet(self, collection: str, key: FacetKey, where: Filter = NO_FILTER) -> dict[str, int]:
        hits = self._call("facet", collection=collection, key=key, where=asdict(where)).header["value"]
        return dict(sorted(hits, key=lambda hit: (-hit[1], hit[0])))

    # Life

    def close(self) -> None:
        """Gives the connections back. The process goes on for other clients, and for a while without any."""
        with self._lock:
            free, self._free = self._free, []
        for line in free:
            line.connection.close()

    def stop(self) -> None:
        """Everything flushed and the process ended, for all clients: before the folder is copied or replaced. The next
        call of anybody starts a new process."""
        with FileLock(self.folder / wire.START_LOCK, mode=0o600):
            try:
                connection = self._connect().connection
            except (OSError, EOFError):
                return
            # It may end before its answer is on the way; whether it has ended, its lock tells.
            with connection, contextlib.suppress(EOFError, ConnectionError):
                wire.send(connection, {"do": "stop"})
                wire.receive(connection)
            self.close()
            try:
                with FileLock(self.folder / wire.PROCESS_LOCK, mode=0o600, timeout=ANSWER_SECONDS):
                    pass
            except Timeout:
                raise StoreUnavailable(f"The store process of {self.folder} does not end.") from None

    # Calls

    def _call(
        self, do: str, arrays: Sequence[wire.Array] = (), *, seconds: float | None = ANSWER_SECONDS, **fields: Any
    ) -> wire.Message:
        """One request and its answer. A process that died is started once more."""
        header = {"do": do, **fields}
        deadline = time.monotonic() + ANSWER_SECONDS
        died: list[str] = []  # addresses: a connection that was idle when its process died counts as that process
        for _ in range(ATTEMPTS):
            line = self._take()
            try:
                answer = self._exchange(line, header, arrays, seconds)
            except (EOFError, ConnectionError) as error:
                died.append(line.address)
                if len(set(died)) > 1 or len(died) > 5:
                    raise self._died_twice(do, fields) from error
            else:
                if answer.header.get("error") != "Stopping":
                    break
                if time.monotonic() > deadline:
                    raise StoreUnavailable(f"The store process of {self.folder} is ending and does not end.")
                time.sleep(0.02)  # its successor is started as soon as it no longer listens
            self._forget(line.address)
        else:
            raise self._died_twice(do, fields)
        error_name = answer.header.get("error")
        if error_name is None:
            return answer
        text = answer.header["text"]
        if error_name in _ERRORS:
            raise _ERRORS[error_name](text)
        raise StoreUnavailable(f"The store failed ({text}). Its log: {self.folder / wire.LOG}")

    def _died_twice(self, do: str, fields: dict[str, Any]) -> StoreUnavailable:
        where = f' on the collection "{fields["collection"]}"' if "collection" in fields else ""
        return StoreUnavailable(
            f"The store process of {self.folder} ended twice during one request ({do}{where}). Try again; if it stays "
            "so, the collection is damaged and `python -m labse_search.library check --repair` builds it again. "
            f"The log: {self.folder / wire.LOG}"
        )

    def _exchange(
        self, line: _Line, header: dict[str, Any], arrays: Sequence[wire.Array], seconds: float | None
    ) -> wire.Message:
        connection = line.connection
        try:
            wire.send(connection, header, arrays)
            if not connection.poll(seconds):
                raise StoreUnavailable(
                    f"The store process of {self.folder} has not answered for {seconds:.0f} seconds. "
                    f"Its log: {self.folder / wire.LOG}"
                )
            answer = wire.receive(connection)
        except BaseException:
            connection.close()
            raise
        with self._lock:
            self._free.append(line)
        return answer

    def _take(self) -> _Line:
        with self._lock:
            if self._owner != os.getpid():  # a forked child must not talk on its parent's connections
                self._free, self._owner = [], os.getpid()
            if self._free:
                return self._free.pop()
        try:
            return self._connect()
        except (OSError, EOFError):
            return self._start()

    def _forget(self, address: str) -> None:
        with self._lock:
            gone = [line for line in self._free if line.address == address]
            self._free = [line for line in self._free if line.address != address]
        for line in gone:
            line.connection.close()

    def _connect(self) -> _Line:
        """A connection, or OSError/EOFError if nobody listens."""
        known = wire.read_address(self.folder)
        if known is None:
            raise FileNotFoundError(self.folder / wire.ADDRESS)
        try:
            connection: Any = Client(known["address"], family=wire.family(), authkey=wire.read_key(self.folder))
        except AuthenticationError as error:
            raise StoreUnavailable(
                f"The store process refused the key in {self.folder / wire.KEY}. End process {known.get('pid')} and "
                "try again: the next one reads the key anew."
            ) from error
        return _Line(known["address"], connection)

    def _start(self) -> _Line:
        """Start the process unless somebody else just did, and connect."""
        deadline = time.monotonic() + START_SECONDS
        try:
            with FileLock(self.folder / wire.START_LOCK, mode=0o600, timeout=START_SECONDS):
                try:
                    return self._connect()  # another client was faster
                except (OSError, EOFError):
                    pass
                process = self._spawn()
                while time.monotonic() < deadline:
                    try:
                        return self._connect()
                    except (OSError, EOFError):
                        if process.poll() is not None:
                            break
                        time.sleep(0.01)
        except (Timeout, OSError) as error:
            raise StoreUnavailable(f"The store process of {self.folder} cannot be started: {error}") from error
        raise StoreUnavailable(
            f"The store process of {self.folder} did not start. Its log: {self.folder / wire.LOG}{self._last_words()}"
        )

    def _spawn(self) -> subprocess.Popen[bytes]:
        root = Path(__file__).resolve().parent.parent.parent
        environment = dict(os.environ)
        environment["PYTHONPATH"] = os.pathsep.join(filter(None, [str(root), environment.get("PYTHONPATH")]))
        command = [sys.executable, "-m", "labse_search.store.edge_process", str(self.folder)]
        command += self._options
        log = self.folder / wire.LOG
        if log.exists() and log.stat().st_size > LOG_BYTES:
            os.replace(log, log.with_suffix(".log.old"))
        descriptor = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        try:
            process = subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=descriptor,
                stderr=descriptor,
                env=environment,
                start_new_session=True,
            )
        finally:
            os.close(descriptor)
        threading.Thread(target=process.wait, name="reap the store process", daemon=True).start()
        return process

    def _last_words(self) -> str:
        try:
            lines = (self.folder / wire.LOG).read_text("utf-8", "replace").splitlines()
        except OSError:
            return ""
        return f" ({lines[-1]})" if lines else ""
