"""Optimising a collection while it serves: a copy of its shard is indexed in a child process, what was written
meanwhile is carried over, and the copy takes the shard's place.

The engine holds the interpreter while it optimises, for seconds to minutes: in this process no question would be
answered meanwhile.
"""

from __future__ import annotations

import logging
import shutil
import subprocess
import sys
import threading
import time
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import qdrant_edge as qe

from labse_search.errors import StoreUnavailable, UserError
from labse_search.files import used_bytes
from labse_search.records import Filter
from labse_search.store.edge.disk import copy_tree
from labse_search.store.edge.engine import BATCH, YIELD_SECONDS, open_shard

if TYPE_CHECKING:
    from labse_search.store.edge.collection import Collection

log = logging.getLogger(__name__)

QUIET_SECONDS = 15.0  # without a write, then it is optimised if that pays
RETRY_SECONDS = 3600.0  # after optimising in the background failed, usually for want of disk space
PENDING_BUSY = 50_000  # unindexed points that make optimising pay while more are written
# Of vectors that are not indexed, as float32: to look at all of them takes 2.5 ms longer than the graph of 30,000 × 256
# does, and saves five seconds of a processor at the end of a job; the answer is exact.
SCAN_MB = 32


class Optimizer:
    """Of one collection. Any thread may call; one optimises, and who comes second waits for it."""

    def __init__(self, collection: Collection, reserve_mb: int, scan_mb: int) -> None:
        self._collection = collection
        self._reserve_mb = reserve_mb
        self._scan_mb = scan_mb
        self._running = threading.Lock()
        self._touched: set[str] | None = None  # points written while a copy is being optimised
        self._child: subprocess.Popen[bytes] | None = None
        self._ending = False
        self._next_try = 0.0  # when optimising in the background may be tried again after it failed

    def note_written(self, points: Sequence[str]) -> None:
        """Told of every write, under the collection's lock of writers."""
        if self._touched is not None:
            self._touched.update(points)

    def run(self) -> None:
        """Until every segment is indexed, if that pays. One at a time: who comes second waits for the first, then does
        the rest. StoreUnavailable if it failed; the collection is then as it was."""
        collection = self._collection
        with self._running:
            if self._ending or not self._pays():
                return
            source, copy = collection.folder / collection.state.shard, _next_shard(collection.folder)
            try:
                with collection.writing:
                    collection.shard.engine.flush()
                    self._check_room(source)
                    copy_tree(source, copy)
                    self._touched = set()
                    written = collection.state.written
                self._run_child(copy)
                self._take_over(copy, written)
            finally:
                self._touched = None
                for shard in (source, copy):  # the state says which one counts, whatever went wrong
                    if shard.name != collection.state.shard:
                        shutil.rmtree(shard, ignore_errors=True)  # what stays is removed by the next opening

    def run_in_background(self, quiet_seconds: float) -> None:
        """Begin in a thread of its own if that pays now, so many seconds after the last write."""
        if self._running.locked() or time.monotonic() < self._next_try or not self._pays():
            return
        state = self._collection.state
        if quiet_seconds >= QUIET_SECONDS or state.written >= max(PENDING_BUSY, state.indexed):
            name = f"optimize {self._collection.name}"
            threading.Thread(target=self._run_quietly, name=name, daemon=True).start()

    def stop(self) -> None:
        """Returns when no copy is being worked on, and none ever will be."""
        self._ending = True
        child = self._child
        if child is not None:
            child.kill()
        self._running.acquire()

    def _pays(self) -> bool:
        """Whether so much is not indexed that looking at every vector of it takes longer than a person notices. What
        was written twice counts twice: the engine keeps what was replaced until it optimises."""
        collection = self._collection
        return collection.state.written * collection.spec.dimension * 4 > self._scan_mb << 20

    def _run_quietly(self) -> None:
        try:
            self.run()
        except Exception as error:  # a thread of its own: nobody else hears of it, and a second later is too soon
            log.warning("optimising %s: %s", self._collection.name, error, exc_info=not isinstance(error, UserError))
            self._next_try = time.monotonic() + RETRY_SECONDS

    def _run_child(self, copy: Path) -> None:
        command = [sys.executable, "-m", "labse_search.store.edge.process", "--optimize", str(copy)]
        self._child = child = subprocess.Popen(command, stdin=subprocess.DEVNULL)
        if self._ending:
            child.kill()
        status = child.wait()
        self._child = None
        if status:
            name = self._collection.name
            raise StoreUnavailable(f'Optimising "{name}" failed with status {status}; it is as it was before.')

    def _take_over(self, copy: Path, written: int) -> None:
        """Carry over what was written since the copy was made, then let the copy serve."""
        shard = open_shard(copy)
        try:
            old = self._serve(shard, copy, written)
        except BaseException:
            shard.close()
            raise
        old.close()

    def _serve(self, shard: qe.EdgeShard, copy: Path, written: int) -> qe.EdgeShard:
        """Returns the shard that served before."""
        collection, touched = self._collection, self._touched
        assert touched is not None
        while len(touched) > BATCH:
            self._carry(shard, touched)
            time.sleep(YIELD_SECONDS)
        with collection.writing:
            while touched:
                self._carry(shard, touched)
            shard.flush()
            count = shard.count(qe.CountRequest(exact=True))
            if count != collection.shard.count(Filter()):
                raise StoreUnavailable(f'Optimising "{collection.name}" lost segments and was undone.')
            left = collection.state.written - written
            collection.save_state(shard=copy.name, segments=count, indexed=count, written=left)
            old, collection.shard.engine = collection.shard.engine, shard
        return old

    def _carry(self, shard: qe.EdgeShard, touched: set[str]) -> None:
        """Make up to one batch of points in the copy what they are here."""
        with self._collection.writing:
            points: list[Any] = [touched.pop() for _ in range(min(BATCH, len(touched)))]
            records = self._collection.shard.engine.retrieve(points, with_payload=True, with_vector=True)
            if records:
                fresh = [qe.Point(record.id, record.vector or {}, record.payload) for record in records]
                shard.update(qe.UpdateOperation.upsert_points(fresh))
            gone = set(points) - {str(record.id) for record in records}
            if gone:
                shard.update(qe.UpdateOperation.delete_points(list(gone)))

    def _check_room(self, source: Path) -> None:
        needed_mb = 2 * (sum(used_bytes(path) for path in source.rglob("*")) >> 20) + self._reserve_mb
        free_mb = shutil.disk_usage(source.parent).free >> 20
        if free_mb < needed_mb:
            raise StoreUnavailable(
                f'Optimising "{self._collection.name}" needs {needed_mb} MB on the disk of {source.parent}, {free_mb} '
                "MB are free. Searching works without it, only slower."
            )


def _next_shard(folder: Path) -> Path:
    """A name that no shard has or had: a leftover may be there that could not be removed."""
    numbers = [int(path.name.removeprefix("shard-")) for path in folder.glob("shard-*")]
    return folder / f"shard-{max(numbers) + 1}"
