"""One collection on disk: an EdgeShard, what it was made for, and how it is kept whole and fast.

folder/spec.json      what the collection was made for; never changes
folder/state.json     which shard folder counts, how many segments it held when it was last at rest (else null), and
                      with which version of `folding` their words were folded
folder/shard-N/       the engine's files; only the one named in state.json counts, others are leftovers
folder/opening        stands while the engine opens the shard: an abort in there is not tried twice in this process

The engine holds the interpreter through every call, so every call here is small: `shard` reads, `optimize` works on a
copy in a child process, and this file opens, writes and closes.
"""

from __future__ import annotations

import logging
import os
import shutil
import threading
import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import qdrant_edge as qe

from labse_search.errors import StoreUnavailable
from labse_search.records import CollectionSpec, Filter
from labse_search.similarity import Vectors, check_vectors
from labse_search.store.bm25 import SparseRows
from labse_search.store.edge.disk import RESERVE_MB, check_disk, remove_folder
from labse_search.store.edge.engine import (
    BATCH,
    PASSING,
    YIELD_SECONDS,
    config,
    indexes,
    open_shard,
    point,
    stops_when_opened,
)
from labse_search.store.edge.optimize import SCAN_MB, Optimizer
from labse_search.store.edge.shard import ServingShard
from labse_search.store.edge.state import State, damaged, read_spec, read_state, short, write_spec, write_state
from labse_search.store.folding import VERSION
from labse_search.store.payload import Payload, check_model

log = logging.getLogger(__name__)

REST_SECONDS = 2.0  # without a write, then the shard is flushed and its count recorded
FLUSH_POINTS = 10_000  # unflushed at most: after a kill they are read again from the log, 20,000 a second


class Collection:
    """Many threads may call; writers take turns, readers of `shard` never wait for them longer than one small batch."""

    def __init__(self, folder: Path, reserve_mb: int = RESERVE_MB, scan_mb: int = SCAN_MB) -> None:
        self.folder = folder
        self.name = folder.name
        self.spec = read_spec(folder)
        self.state = read_state(folder)
        self.writing = threading.RLock()  # held by whoever writes or changes the state
        self.shard = ServingShard(_open_whole(folder, self.state), self.spec.dimension)
        self._reserve_mb = reserve_mb
        self._optimizer = Optimizer(self, reserve_mb, scan_mb)
        self._unflushed = 0
        if self.state.segments is None:  # killed while writing: what was written since the last rest is not known
            self.state.written += max(1, self.shard.count(Filter()) - self.state.indexed)
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
        write_spec(fresh, spec)
        write_state(fresh, State("shard-1", segments=0, indexed=0, written=0, words=VERSION))
        os.replace(fresh, folder)

    def close(self) -> None:
        """Flushed and counted, before the process ends. The shard is not closed: the engine would throw its files out
        of the system's cache, and the next opening would read them from the disk again (1.7 s instead of 0.3)."""
        self._optimizer.stop()
        with self.writing:
            self.rest()

    def release(self) -> None:
        """The engine's files closed: the folder is about to be moved or removed."""
        self._optimizer.stop()
        with self.writing:
            self.shard.engine.close()

    def drop(self) -> None:
        """Closed, and its folder removed."""
        self.release()
        remove_folder(self.folder)

    def rest(self) -> None:
        """Flush, and record how many segments there are, so that the next opening can tell whether any are gone."""
        with self.writing:
            if self.state.segments is None:
                self.shard.engine.flush()
                self._unflushed = 0
                self.save_state(segments=self.shard.count(Filter()))

    def tend(self) -> None:
        """What should be done about now, in a quiet moment: called every second."""
        quiet = time.monotonic() - self._last_write
        if quiet >= REST_SECONDS and self.writing.acquire(blocking=False):
            try:
                self.rest()
            finally:
                self.writing.release()
        self._optimizer.run_in_background(quiet)

    def optimize(self) -> None:
        """Index what is not indexed yet, if that pays; StoreUnavailable if it failed."""
        self._optimizer.run()

    # Writing

    def upsert(self, payloads: Sequence[Payload], vectors: Vectors, words: SparseRows, fingerprint: str) -> None:
        """Add or replace by point id, row by row: `vectors` is (n, dimension) of float32. ModelMismatch for another
        model's, ValueError for vectors that are not finite or not of length 1."""
        check_model(self.name, self.spec, fingerprint)
        array = check_vectors(vectors, self.spec.dimension, len(payloads))
        for start in range(0, len(payloads), BATCH):
            rows = range(start, min(start + BATCH, len(payloads)))
            points = [point(payloads[row], array[row], *words.row(row)) for row in rows]
            self._write(qe.UpdateOperation.upsert_points(points), [payloads[row]["point"] for row in rows])

    def delete(self, where: Filter) -> None:
        """Remove every segment that `where` names."""
        for points in self.shard.pages(where):
            self._write(qe.UpdateOperation.delete_points(list(points)), points)

    def rename(self, document: str, names: Sequence[str], folders: Sequence[str]) -> None:
        """Give all segments of one document these names and folders."""
        change = {"names": list(names), "folders": list(folders)}
        for points in self.shard.pages(Filter(documents=(document,))):
            self._write(qe.UpdateOperation.set_payload(list(points), change), points)

    def mark_words(self, version: int) -> None:
        """Record the version of `folding` that all words are folded with."""
        with self.writing:
            self.save_state(words=version)

    def save_state(self, **changes: str | int | None) -> None:
        """Change fields of `state`: in the file first, so that memory never says what the file does not."""
        changed = replace(self.state, **changes)  # type: ignore[arg-type]
        try:
            write_state(self.folder, changed)
        except OSError as error:
            if read_state(self.folder) != changed:
                raise
            log.warning("%s: the state was written, and may not outlive a power cut: %s", self.name, short(error))
        self.state = changed

    def _write(self, operation: qe.UpdateOperation, points: Sequence[str]) -> None:
        with self.writing:
            check_disk(self.folder, self._reserve_mb)
            if self.state.segments is not None:
                self.save_state(segments=None)
            try:
                self.shard.engine.update(operation)
            finally:
                self._optimizer.note_written(points)
                self.state.written += len(points)
                self._unflushed += len(points)
                self._last_write = time.monotonic()
            if self._unflushed >= FLUSH_POINTS:
                self.shard.engine.flush()
                self._unflushed = 0
        time.sleep(YIELD_SECONDS)

    # Reading

    def search_meaning(
        self, vector: Vectors, limit: int, where: Filter, fingerprint: str, exact: bool
    ) -> list[tuple[Payload, float]]:
        """As `ServingShard.nearest`; ModelMismatch for another model's vector, ValueError for one that is not finite or
        not of length 1."""
        [checked] = self._checked(vector.reshape(1, -1), fingerprint)
        return self.shard.nearest(checked, limit, where, exact=exact)

    def nearest_cosines(self, vectors: Vectors, limit: int, fingerprint: str) -> list[list[float]]:
        """As `ServingShard.cosines`; the vectors are checked as `search_meaning` does."""
        return self.shard.cosines(self._checked(vectors, fingerprint), limit)

    def ask(
        self, vector: Vectors | None, terms: list[int], limit: int, where: Filter, fingerprint: str
    ) -> tuple[list[Any], list[Any]]:
        """As `ServingShard.ask`; the vector is checked as `search_meaning` does."""
        checked = None if vector is None else self._checked(vector.reshape(1, -1), fingerprint)[0]
        return self.shard.ask(checked, terms, limit, where)

    def _checked(self, vectors: Vectors, fingerprint: str) -> Vectors:
        check_model(self.name, self.spec, fingerprint)
        return check_vectors(vectors, self.spec.dimension, len(vectors))


def _open_whole(folder: Path, state: State) -> qe.EdgeShard:
    """The shard that counts, opened; leftovers of others are removed. CollectionDamaged if the engine cannot open it,
    or if it holds another number of segments than at its last rest; StoreUnavailable for what may pass."""
    path = folder / state.shard
    if not path.is_dir():
        raise damaged(folder.name, f"its folder {state.shard} is missing")
    mark = folder / "opening"
    if mark.exists():  # the process died in here last time: by the engine's hand, or by accident?
        status = stops_when_opened(path)
        if status:
            raise damaged(folder.name, f"the engine stops with status {status} when it opens it")
    mark.touch()
    try:
        shard = open_shard(path)
        count = shard.count(qe.CountRequest(exact=True))
    except Exception as error:  # the engine raises nothing narrower
        if any(passing in str(error) for passing in PASSING):
            raise StoreUnavailable(f'The collection "{folder.name}" cannot be opened: {short(error)}') from error
        raise damaged(folder.name, f"the engine cannot open it: {short(error)}") from error
    finally:
        mark.unlink()
    if state.segments is not None and state.segments != count:
        shard.close()
        raise damaged(folder.name, f"it held {state.segments} segments when it was closed and holds {count} now")
    for leftover in folder.glob("shard-*"):  # only now: where this one is not whole, another one may be
        if leftover.name != state.shard:
            shutil.rmtree(leftover, ignore_errors=True)
    return shard
