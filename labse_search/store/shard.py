"""One collection on disk: an EdgeShard, what it was made for, and how it is kept whole and fast.

folder/spec.json      what the collection was made for; never changes
folder/state.json     which shard folder counts, how many segments it held when it was last at rest (else null)
folder/shard-N/       the engine's files; only the one named in state.json counts, others are leftovers
folder/opening        stands while the engine opens the shard: an abort in there is not tried twice in this process

The engine holds the interpreter through every call, `optimize` for seconds to minutes. So every call here is small,
and optimising happens to a copy in a child process while this shard goes on serving; what was written meanwhile is
then carried over and the copy takes its place.
"""

from __future__ import annotations

import functools
import json
import logging
import os
import shutil
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
import qdrant_edge as qe

from labse_search.errors import CollectionDamaged, StoreUnavailable
from labse_search.records import CollectionSpec, Filter
from labse_search.similarity import Vectors, check_vectors
from labse_search.store.disk import RESERVE_MB, check_disk, copy_tree, remove_folder, used_bytes
from labse_search.store.engine import (
    HNSW_EF,
    OVERSAMPLING,
    PASSING,
    config,
    filter_of,
    indexes,
    open_shard,
    point,
    scroll,
    stops_when_opened,
)
from labse_search.store.payload import MEANING, WORDS, Payload, check_model
from labse_search.store.wire import write_private
from labse_search.store.words import SparseRows

log = logging.getLogger(__name__)

BATCH = 64  # points per engine call: 3-4 ms in which no query is answered (1000 at once: 49 ms)
PAGE = 500  # points per page of ids
YIELD_SECONDS = 0.0003  # between two batches the interpreter goes to whoever waits
REST_SECONDS = 2.0  # without a write, then the shard is flushed and its count recorded
QUIET_SECONDS = 15.0  # without a write, then it is optimised if that pays
RETRY_SECONDS = 3600.0  # after optimising in the background failed, usually for want of disk space
PENDING_BUSY = 50_000  # unindexed points that make optimising pay while more are written
# Of vectors that are not indexed, as float32: to look at all of them takes 2.5 ms longer than the graph of 30,000 × 256
# does, and saves five seconds of a processor at the end of a job; the answer is exact.
SCAN_MB = 32
FLUSH_POINTS = 10_000  # unflushed at most: after a kill they are read again from the log, 20,000 a second
T = TypeVar("T")


class Collection:
    """Many threads may call; writers take turns, readers never wait for them longer than one small batch."""

    def __init__(self, folder: Path, reserve_mb: int = RESERVE_MB, scan_mb: int = SCAN_MB) -> None:
        self.folder = folder
        self._reserve_mb = reserve_mb
        self._scan_mb = scan_mb
        self.name = folder.name
        self.spec = read_spec(folder)
        self._writing = threading.RLock()
        self._optimizing = threading.Lock()
        self._touched: set[str] | None = None  # points written while a copy is being optimised
        self._child: subprocess.Popen[bytes] | None = None
        self._ending = False
        self._unflushed = 0
        self._next_try = 0.0  # when optimising in the background may be tried again after it failed
        self._state = _read_state(folder)
        self._shard = self._open()
        if self._state["segments"] is None:  # killed while writing: what was written since the last rest is not known
            self._state["written"] += max(1, self.count(Filter()) - self._state["indexed"])
        self._last_write = time.monotonic()

    # Life

    @staticmethod
    def create(folder: Path, spec: CollectionSpec) -> None:
        """The folder with an empty shard, whole or not at all."""
        fresh = folder.with_name(f".new-{folder.name}-{os.getpid()}-{threading.get_ident()}")
        (fresh / "shard-1").mkdir(parents=True)
        shard = qe.EdgeShard.create(str(fresh / "shard-1"), config(spec.dimension))
        for field, schema in indexes():
            shard.update(qe.UpdateOperation.create_field_index(field, schema))
        shard.flush()
        shard.close()
        record = {"format": 1, "dimension": spec.dimension, "fingerprint": spec.fingerprint, "model": spec.model}
        write_private(fresh / "spec.json", json.dumps(record, ensure_ascii=False).encode())
        _write_state(fresh, {"shard": "shard-1", "segments": 0, "indexed": 0})
        os.replace(fresh, folder)

    def _open(self) -> qe.EdgeShard:
        shard_name = self._state["shard"]
        for leftover in self.folder.glob("shard-*"):
            if leftover.name != shard_name:
                shutil.rmtree(leftover)
        path = self.folder / shard_name
        if not path.is_dir():
            raise damaged(self.name, f"its folder {shard_name} is missing")
        mark = self.folder / "opening"
        if mark.exists():  # the process died in here last time: by the engine's hand, or by accident?
            status = stops_when_opened(path)
            if status:
                raise damaged(self.name, f"the engine stops with status {status} when it opens it")
        mark.touch()
        try:
            shard = open_shard(path)
            count = shard.count(qe.CountRequest(exact=True))
        except Exception as error:  # the engine raises nothing narrower
            if any(passing in str(error) for passing in PASSING):
                raise StoreUnavailable(f'The collection "{self.name}" cannot be opened: {_short(error)}') from error
            raise damaged(self.name, f"the engine cannot open it: {_short(error)}") from error
        finally:
            mark.unlink()
        recorded = self._state["segments"]
        if recorded is not None and recorded != count:
            shard.close()
            raise damaged(self.name, f"it held {recorded} segments when it was closed and holds {count} now")
        return shard

    def close(self) -> None:
        """Flushed and counted, before the process ends. The shard is not closed: the engine would throw its files out
        of the system's cache, and the next opening would read them from the disk again (1.7 s instead of 0.3)."""
        self._stop_optimizing()
        with self._writing:
            self.rest()

    def drop(self) -> None:
        self._stop_optimizing()
        with self._writing:
            self._shard.close()
            remove_folder(self.folder)

    def rest(self) -> None:
        """Flush, and record how many segments there are, so that the next opening can tell whether any are gone."""
        with self._writing:
            if self._state["segments"] is None:
                self._shard.flush()
                self._unflushed = 0
                self._save_state(segments=self.count(Filter()))

    def tend(self) -> None:
        """What should be done about now, in a quiet moment: called every second."""
        quiet = time.monotonic() - self._last_write
        if quiet >= REST_SECONDS and self._writing.acquire(blocking=False):
            try:
                self.rest()
            finally:
                self._writing.release()
        pending = self._state["written"]
        if self._optimizing.locked() or time.monotonic() < self._next_try or not self._pays():
            return
        indexed = self._state["indexed"]
        if quiet >= QUIET_SECONDS or pending >= max(PENDING_BUSY, indexed):
            threading.Thread(target=self._optimize_in_background, name=f"optimize {self.name}", daemon=True).start()

    # Writing

    def upsert(self, payloads: Sequence[Payload], vectors: Vectors, words: SparseRows, fingerprint: str) -> None:
        check_model(self.name, self.spec, fingerprint)
        array = check_vectors(vectors, self.spec.dimension, len(payloads))
        for start in range(0, len(payloads), BATCH):
            rows = range(start, min(start + BATCH, len(payloads)))
            points = [point(payloads[row], array[row], *words.row(row)) for row in rows]
            self._write(qe.UpdateOperation.upsert_points(points), [payloads[row]["point"] for row in rows])

    def delete(self, where: Filter) -> None:
        for points in self._pages(where):
            self._write(qe.UpdateOperation.delete_points(list(points)), points)

    def rename(self, document: str, names: Sequence[str], folders: Sequence[str]) -> None:
        change = {"names": list(names), "folders": list(folders)}
        for points in self._pages(Filter(documents=(document,))):
            self._write(qe.UpdateOperation.set_payload(list(points), change), points)

    def _write(self, operation: qe.UpdateOperation, points: Sequence[str]) -> None:
        with self._writing:
            check_disk(self.folder, self._reserve_mb)
            if self._state["segments"] is not None:
                self._save_state(segments=None)
            try:
                self._shard.update(operation)
            finally:
                if self._touched is not None:
                    self._touched.update(points)
                self._state["written"] += len(points)
                self._unflushed += len(points)
                self._last_write = time.monotonic()
            if self._unflushed >= FLUSH_POINTS:
                self._shard.flush()
                self._unflushed = 0
        time.sleep(YIELD_SECONDS)

    # Reading

    def search_meaning(
        self, vector: Vectors, limit: int, where: Filter, fingerprint: str, exact: bool
    ) -> list[tuple[Payload, float]]:
        check_model(self.name, self.spec, fingerprint)
        array = check_vectors(np.asarray(vector, np.float32).reshape(1, -1), self.spec.dimension, 1)[0]
        if exact:
            params = qe.SearchParams(exact=True, quantization=qe.QuantizationSearchParams(ignore=True))
        else:
            params = qe.SearchParams(
                hnsw_ef=max(HNSW_EF, 2 * limit),
                quantization=qe.QuantizationSearchParams(rescore=True, oversampling=OVERSAMPLING),
            )
        return self._query(qe.Query.Nearest(array, using=MEANING), limit, where, params)

    def search_words(self, terms: list[int], limit: int, where: Filter) -> list[tuple[Payload, float]]:
        if not terms:
            return []
        query = qe.Query.Nearest(qe.SparseVector(terms, [1.0] * len(terms)), using=WORDS)
        return self._query(query, limit, where, None)

    def _query(
        self, query: qe.Query, limit: int, where: Filter, params: qe.SearchParams | None
    ) -> list[tuple[Payload, float]]:
        request = qe.QueryRequest(limit, query=query, filter=filter_of(where), params=params, with_payload=True)
        return [(point.payload, float(point.score)) for point in self._read(lambda shard: shard.query(request))]

    def page(self, where: Filter, offset: str | None, limit: int) -> tuple[list[Payload], str | None]:
        request = qe.ScrollRequest(offset=offset, limit=limit, filter=filter_of(where), with_payload=True)
        records, following = self._read(lambda shard: shard.scroll(request))
        return [record.payload for record in records], None if following is None else str(following)

    def in_order(self, where: Filter) -> list[tuple[int, str]]:
        """(index, point) of all that `where` names, sorted by index."""
        found: list[tuple[int, str]] = []
        offset = None
        while True:
            request = qe.ScrollRequest(offset=offset, limit=PAGE, filter=filter_of(where), with_payload=["index"])
            records, offset = self._read(functools.partial(scroll, request))
            found += [(record.payload["index"], str(record.id)) for record in records]
            if offset is None:
                return sorted(found)

    def payloads(self, points: Sequence[str]) -> list[Payload]:
        """Of those points that exist, in the order asked for."""
        records = self._read(lambda shard: shard.retrieve(list(points), with_payload=True, with_vector=False))
        by_point = {str(record.id): record.payload for record in records}
        return [by_point[point] for point in points if point in by_point]

    def vectors(self, points: Sequence[str]) -> tuple[list[str], Vectors]:
        """The points that exist, and their vectors as rows."""
        records = self._read(lambda shard: shard.retrieve(list(points), with_payload=False, with_vector=[MEANING]))
        rows = np.array([record.vector[MEANING] for record in records], np.float32)
        return [str(record.id) for record in records], rows.reshape(len(records), self.spec.dimension)

    def count(self, where: Filter) -> int:
        request = qe.CountRequest(exact=True, filter=filter_of(where))
        return int(self._read(lambda shard: shard.count(request)))

    def facet(self, field: str, where: Filter) -> list[tuple[str, int]]:
        request = qe.FacetRequest(field, limit=1_000_000, exact=True, filter=filter_of(where))
        hits = self._read(lambda shard: shard.facet(request)).hits
        return [(hit.value, hit.count) for hit in hits if hit.count]  # the engine remembers what it lost, with 0

    def _pages(self, where: Filter) -> Iterator[list[str]]:
        """Point ids, a page at a time; what is deleted or changed meanwhile does not disturb it."""
        offset = None
        while True:
            request = qe.ScrollRequest(offset=offset, limit=PAGE, filter=filter_of(where), with_payload=False)
            records, offset = self._read(functools.partial(scroll, request))
            if records:
                yield [str(record.id) for record in records]
            if offset is None:
                return

    def _read(self, call: Callable[[Any], T]) -> T:
        """The call on the shard that serves now; again if an optimised copy took its place in between."""
        while True:
            shard = self._shard
            try:
                return call(shard)
            except Exception:
                if shard is self._shard:
                    raise

    # Optimising

    def _pays(self) -> bool:
        """Whether so much is not indexed that looking at every vector of it takes longer than a person notices. What
        was written twice counts twice: the engine keeps what was replaced until it optimises."""
        written: int = self._state["written"]
        return written * self.spec.dimension * 4 > self._scan_mb << 20

    def optimize(self) -> None:
        """Until every segment is indexed, if that pays. One at a time: who comes second waits for the first, then does
        the rest."""
        with self._optimizing:
            if self._ending or not self._pays():
                return
            with self._writing:
                self._shard.flush()
                source = self.folder / self._state["shard"]
                number = int(source.name.removeprefix("shard-")) + 1
                copy = self.folder / f"shard-{number}"
                self._check_room(source)
                copy_tree(source, copy)
                self._touched = set()
                written = self._state["written"]
            try:
                self._run_child(copy)
                self._take_over(copy, written)
            except BaseException:
                shutil.rmtree(copy, ignore_errors=True)
                raise
            finally:
                self._touched = None

    def _run_child(self, copy: Path) -> None:
        command = [sys.executable, "-m", "labse_search.store.edge_process", "--optimize", str(copy)]
        self._child = child = subprocess.Popen(command, stdin=subprocess.DEVNULL)
        if self._ending:
            child.kill()
        status = child.wait()
        self._child = None
        if status:
            raise StoreUnavailable(f'Optimising "{self.name}" failed with status {status}; it is as it was before.')

    def _take_over(self, copy: Path, written: int) -> None:
        """Carry over what was written since the copy was made, then let the copy serve."""
        shard = open_shard(copy)
        touched = self._touched
        assert touched is not None
        while len(touched) > BATCH:
            self._carry(shard, touched)
            time.sleep(YIELD_SECONDS)
        with self._writing:
            while touched:
                self._carry(shard, touched)
            shard.flush()
            old, old_folder = self._shard, self.folder / self._state["shard"]
            count = shard.count(qe.CountRequest(exact=True))
            if count != self.count(Filter()):
                shard.close()
                raise StoreUnavailable(f'Optimising "{self.name}" lost segments and was undone.')
            self._state["written"] -= written
            self._save_state(shard=copy.name, segments=count, indexed=count)
            self._shard = shard
        old.close()
        shutil.rmtree(old_folder)

    def _carry(self, shard: qe.EdgeShard, touched: set[str]) -> None:
        """Make up to one batch of points in the copy what they are here."""
        with self._writing:
            points: list[Any] = [touched.pop() for _ in range(min(BATCH, len(touched)))]
            records = self._shard.retrieve(points, with_payload=True, with_vector=True)
            if records:
                fresh = [qe.Point(record.id, record.vector or {}, record.payload) for record in records]
                shard.update(qe.UpdateOperation.upsert_points(fresh))
            gone = set(points) - {str(record.id) for record in records}
            if gone:
                shard.update(qe.UpdateOperation.delete_points(list(gone)))

    def _check_room(self, source: Path) -> None:
        needed_mb = 2 * (sum(used_bytes(path) for path in source.rglob("*")) >> 20) + self._reserve_mb
        free_mb = shutil.disk_usage(self.folder).free >> 20
        if free_mb < needed_mb:
            raise StoreUnavailable(
                f'Optimising "{self.name}" needs {needed_mb} MB on the disk of {self.folder}, {free_mb} MB are free. '
                "Searching works without it, only slower."
            )

    def _optimize_in_background(self) -> None:
        try:
            self.optimize()
        except StoreUnavailable as error:
            log.warning("%s", error)
            self._next_try = time.monotonic() + RETRY_SECONDS

    def _stop_optimizing(self) -> None:
        """Returns when no copy is being worked on, and none ever will be."""
        self._ending = True
        child = self._child
        if child is not None:
            child.kill()
        self._optimizing.acquire()

    # State

    def _save_state(self, **changes: Any) -> None:
        self._state.update(changes)
        _write_state(self.folder, self._state)


def read_spec(folder: Path) -> CollectionSpec:
    """What the collection was made for, or CollectionDamaged."""
    try:
        record = json.loads((folder / "spec.json").read_text("utf-8"))
        return CollectionSpec(int(record["dimension"]), str(record["fingerprint"]), str(record["model"]))
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise damaged(folder.name, f"spec.json is unreadable: {_short(error)}") from error


def damaged(collection: str, why: str) -> CollectionDamaged:
    return CollectionDamaged(
        f'The collection "{collection}" is damaged: {why}. Your documents are safe: '
        "`python -m labse_search.library check --repair` builds it again from them."
    )


def _read_state(folder: Path) -> dict[str, Any]:
    try:
        state = json.loads((folder / "state.json").read_text("utf-8"))
        segments = state["segments"]
        return {
            "shard": str(state["shard"]),
            "segments": None if segments is None else int(segments),
            "indexed": int(state["indexed"]),
            "written": int(state.get("written", 0)),
        }
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise damaged(folder.name, f"state.json is unreadable: {_short(error)}") from error


def _write_state(folder: Path, state: dict[str, Any]) -> None:
    write_private(folder / "state.json", json.dumps(state).encode())


def _short(error: BaseException) -> str:
    return f"{type(error).__name__}: {error}"[:300]
