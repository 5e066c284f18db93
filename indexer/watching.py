"""The folders that a running app keeps collections in step with: remembered in the ledger, one thread a folder.

New and changed files become jobs like any other. What is gone is said first and leaves the collection a minute later,
or when somebody says so; until then it can be kept. Of several apps that run over one home, one watches.
"""

from __future__ import annotations

import logging
import threading
import time
import uuid
from collections import deque
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from indexer.documents import remove_gone
from indexer.sources import is_folder, walk
from indexer.watch import FolderWatch, Times
from labse_search.errors import UserError, arose_at
from labse_search.library import Library, Source
from labse_search.store import Store

GRACE_SECONDS = 60.0  # for whoever looks at the page, between the sentence and the removal
LOOK_SECONDS = 2.0  # between looks at what the ledger wants watched: another process may have changed it
NEWS = 20  # lines remembered of each folder

log = logging.getLogger("labse_search.watch")

Key = tuple[str, Path]


@dataclass(frozen=True)
class News:
    """What was seen: "index", "gone", "held", "back", "removed", "kept" or "lost"."""

    at: float  # seconds since the epoch
    what: str
    names: tuple[str, ...] = ()


@dataclass(frozen=True)
class Watched:
    """One folder as the page shows it."""

    folder: Path
    state: str  # "on", "lost" (the folder is not there), "elsewhere" (another app watches), "failed"
    pending: dict[str, float]  # names that are gone: seconds until they leave, infinity while nobody has said so
    news: tuple[News, ...]  # newest first


class Watching:
    """`start` and `stop` frame it; everything else may be called by any thread."""

    def __init__(
        self,
        library: Library,
        store: Store,
        index: Callable[[str, Sequence[Source]], None],
        times: Times | None = None,
    ) -> None:
        """`index`: add a job for these files of a collection, and let a worker look."""
        self._library, self._store, self._index = library, store, index
        self._times = times or Times(grace=GRACE_SECONDS)
        self._running: dict[Key, _One] = {}
        self._lock = threading.Lock()
        self._stopping = threading.Event()
        self._poked = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True, name="watching")

    def start(self) -> None:
        """Begin to watch, in a thread of its own."""
        self._thread.start()

    def stop(self) -> None:
        """Returns when nothing is watched any more."""
        self._stopping.set()
        self._poked.set()
        self._thread.join()

    def add(self, collection: str, folder: Path) -> None:
        """Keep the collection in step with this folder from now on, also after the next start. UserError for what is
        no folder, belongs to the home, or overlaps with a folder that is watched."""
        folder = folder.resolve()
        if not is_folder(folder):
            raise UserError(f"{folder} is no folder.")
        walk([folder], self._library, collection)  # raises if the folder must not be read
        for other, watched in self._library.ledger.watches.all():
            if other == collection and (folder.is_relative_to(watched) or watched.is_relative_to(folder)):
                raise UserError(f"{watched} is watched already. Stop watching it first.")
        self._library.ledger.watches.add(collection, folder)
        self._poked.set()

    def drop(self, collection: str, folder: Path) -> None:
        """Watch it no longer. What came from it stays in the collection, announced or not."""
        self._library.ledger.watches.drop(collection, folder)
        self._poked.set()

    def watched(self, collection: str) -> list[Watched]:
        """The collection's folders, oldest first."""
        folders = [folder for other, folder in self._library.ledger.watches.all() if other == collection]
        with self._lock:
            running = {folder: self._running.get((collection, folder)) for folder in folders}
        return [one.shown() if one else Watched(folder, "elsewhere", {}, ()) for folder, one in running.items()]

    def keep(self, collection: str, folder: Path, names: Iterable[str] | None) -> None:
        """These (None: all) stay, although their files are gone: for good, as documents that came from nowhere."""
        one = self._one(collection, folder)
        pending = one.watch.pending()
        kept = [name for name in (pending if names is None else names) if name in pending]
        for name in kept:
            known = self._library.ledger.names.get(collection, name)
            if known is not None:
                self._library.ledger.names.put(collection, name, known[0])  # no longer as the file at that path
        one.watch.keep(kept)
        one.say("kept", kept)

    def remove_now(self, collection: str, folder: Path, names: Iterable[str] | None) -> None:
        """Wait no longer with these (None: all) that are gone."""
        watch = self._one(collection, folder).watch
        watch.remove_now(watch.pending() if names is None else names)

    def _one(self, collection: str, folder: Path) -> _One:
        with self._lock:
            one = self._running.get((collection, folder))
        if one is None:
            raise UserError(f"{folder} is not watched any more.")
        return one

    def _run(self) -> None:
        lock = None
        try:
            while not self._stopping.is_set():
                self._poked.clear()
                try:
                    lock = lock or self._library.lock("watching")
                    if lock is not None:
                        self._reconcile(set(self._library.ledger.watches.all()))
                except UserError as error:  # the ledger is busy, or its disk is full
                    log.warning("%s", error)
                self._poked.wait(LOOK_SECONDS)
        finally:
            self._reconcile(set())
            if lock is not None:
                lock.release()

    def _reconcile(self, wanted: set[Key]) -> None:
        """Let exactly these run."""
        with self._lock:
            over = [self._running.pop(key) for key in self._running.keys() - wanted]
        for one in over:
            one.stop()
        for collection, folder in sorted(wanted - self._running.keys()):
            one = _One(self._library, self._store, self._index, collection)
            one.begin(folder, self._times)
            with self._lock:
                self._running[collection, folder] = one


@dataclass
class _One:
    """One watched folder: does what its watch notices, and remembers it for the page."""

    library: Library
    store: Store
    add_job: Callable[[str, Sequence[Source]], None]
    collection: str
    news: deque[News] = field(default_factory=lambda: deque(maxlen=NEWS))
    failed: bool = False

    def begin(self, folder: Path, times: Times) -> None:
        self.folder = folder
        self.watch = FolderWatch(self.library, self.collection, [folder], self, times)
        self._thread = threading.Thread(target=self._run, daemon=True, name=f"watch {folder.name}")
        self._thread.start()

    def stop(self) -> None:
        self.watch.stop()
        self._thread.join()

    def shown(self) -> Watched:
        state = "failed" if self.failed else "on" if is_folder(self.folder) else "lost"
        return Watched(self.folder, state, self.watch.pending(), tuple(self.news))

    def say(self, what: str, names: Sequence[str]) -> None:
        log.info("%s: %s: %d files", self.folder, what, len(names))
        self.news.appendleft(News(time.time(), what, tuple(names)))

    def _run(self) -> None:
        try:
            self.watch.run()
        except Exception as error:  # the thread's border: the page says that it ended, the log says where
            log.error("reference %s: watching %s: %s", uuid.uuid4().hex[:8], self.folder, arose_at(error))
            self.failed = True

    # ---- what the watch asks for

    def index(self, sources: Sequence[Source]) -> bool:
        self.add_job(self.collection, sources)
        self.say("index", [source.name for source in sources])
        return True

    def announce(self, names: Sequence[str], seconds: float) -> None:
        self.say("gone" if seconds < float("inf") else "held", names)

    def back(self, names: Sequence[str]) -> None:
        self.say("back", names)

    def remove(self, names: Sequence[str]) -> None:
        remove_gone(self.library, self.store, self.collection, names)
        self.say("removed", names)

    def lost(self, folder: Path) -> None:
        self.say("lost", [])
