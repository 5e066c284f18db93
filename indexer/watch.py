"""Keeping a collection in step with folders: additions, changes, renames and deletions are noticed within seconds.

The system's events (watchdog) only say when to look; what changed is found by comparing the folders with the ledger, so
that nothing is missed and what happened while nobody watched is found at the start. What is gone from the disk is
announced first and leaves the collection only after a while, unless it comes back or somebody wants to keep it. If
a watched folder itself is gone (a drive was unplugged), nothing of it leaves.
"""

from __future__ import annotations

import logging
import math
import threading
import time
from collections.abc import Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from watchdog.events import FileSystemEvent, FileSystemEventHandler
from watchdog.observers import Observer
from watchdog.observers.api import BaseObserver

from indexer.sources import MANY, is_folder, missing, walk
from labse_search.errors import UserError
from labse_search.library import Library, Source, document_id

QUIET_SECONDS = 1.0  # without a further event, before the folders are compared: editors write a file in several steps
LONGEST_QUIET = 10.0  # where events never end
GRACE_SECONDS = 10.0  # between announcing and removing what is gone
POLL_SECONDS = 30.0  # between looks where the system gives no events (too many folders, a network drive)
ROOT_SECONDS = 1.0  # between looks at the watched folders themselves
BUSY_SECONDS = 1.0  # between looks while a job of the collection is at work
LOOK_SECONDS = 600.0  # between looks without any event
SHARE = 10  # a comparison that took a second is not repeated for ten

log = logging.getLogger("labse_search.watch")


Roots = dict[Path, tuple[int, int]]


class Actions(Protocol):
    """What is done about changes; called from the thread that runs the watch."""

    def index(self, sources: Sequence[Source]) -> bool:
        """New and changed files. False if they should be given again at the next look."""

    def announce(self, names: Sequence[str], seconds: float) -> None:
        """The files of these names are gone; they will be removed after so many seconds. Infinity: when somebody says
        so (`FolderWatch.remove_now`)."""

    def back(self, names: Sequence[str]) -> None:
        """These were announced, and will not be removed: their files are there again."""

    def remove(self, names: Sequence[str]) -> None:
        """Their time is over."""

    def lost(self, folder: Path) -> None:
        """A watched folder itself is gone: what came from it stays."""


@dataclass(frozen=True)
class Times:
    """Seconds: of quiet before a changed folder is indexed, and of grace before what is gone is removed."""

    quiet: float = QUIET_SECONDS
    grace: float = GRACE_SECONDS


class FolderWatch:
    """`run` watches until `stop`, which any thread may call, as well as `pending`, `keep` and `remove_now`."""

    def __init__(
        self, library: Library, collection: str, folders: Iterable[Path], actions: Actions, times: Times | None = None
    ) -> None:
        self.collection = collection
        self.folders = tuple(folder.resolve() for folder in folders)
        self._library = library
        self._actions = actions
        self._times = times or Times()
        self._stopping = threading.Event()
        self._changed = threading.Event()
        self._lock = threading.Lock()
        self._due: dict[str, float] = {}  # announced names: when they are removed
        self._kept: set[str] = set()  # somebody wants to keep them although their files are gone
        self._given: dict[str, tuple[int, int]] = {}  # path → size and time of files that were indexed already
        self._lost: set[Path] = set()
        self._took = 0.0  # seconds of the last comparison

    def run(self) -> None:
        """Until `stop`: index what is new, announce what is gone, remove it after the grace."""
        observer: BaseObserver | None = None
        roots: Roots = {}
        failed = ""  # what the last look met
        try:
            while not self._stopping.is_set():
                if (found := self._roots()) != roots or observer is None:
                    _end(observer)
                    observer, roots = self._observe(found), found
                settled = False
                try:
                    settled = self._look()
                    failed = ""
                except (UserError, OSError) as error:  # a folder that went while it was looked at, a disk that is full
                    if str(error) != failed:  # once, and not at every look
                        log.warning("%s", error)
                    failed = str(error)
                longest = LOOK_SECONDS if observer else POLL_SECONDS
                self._wait(longest if settled else max(BUSY_SECONDS, self._took * SHARE), roots)
        finally:
            _end(observer)

    def stop(self) -> None:
        """Any thread: `run` returns soon."""
        self._stopping.set()
        self._changed.set()

    def pending(self) -> dict[str, float]:
        """Announced names, and in how many seconds each is removed (infinity: when somebody says so)."""
        now = time.monotonic()
        with self._lock:
            return {name: max(0.0, due - now) for name, due in self._due.items()}

    def keep(self, names: Iterable[str]) -> None:
        """Do not remove these, although their files are gone."""
        with self._lock:
            for name in names:
                self._due.pop(name, None)
                self._kept.add(name)

    def remove_now(self, names: Iterable[str]) -> None:
        """Wait no longer with these announced ones."""
        with self._lock:
            self._due |= {name: time.monotonic() for name in names if name in self._due}
        self._changed.set()

    def _roots(self) -> Roots:
        """The folders that are there, each with what tells it from another one of that name."""
        roots = {}
        for folder in self.folders:
            with suppress(OSError):  # it is gone, or its drive is
                status = folder.stat()
                roots[folder] = (status.st_dev, status.st_ino)
        return roots

    def _observe(self, roots: Roots) -> BaseObserver | None:
        """None where the system cannot tell: then the folders are compared now and then."""
        observer = Observer()
        try:
            for folder in roots:
                observer.schedule(_Events(self._changed, self._library.home), str(folder), recursive=True)
            observer.start()
        except OSError as error:
            log.warning("no events for %s (%s): looking every %.0f seconds", self.folders, error, POLL_SECONDS)
            return None
        return observer

    def _wait(self, seconds: float, roots: Roots) -> None:
        """Until there is a reason to look: an event and quiet after it, an announced name whose time is over, a folder
        that went or came (of which the system tells nothing), or so many seconds."""
        until = time.monotonic() + min(seconds, self._until_due())
        while not self._stopping.is_set() and (left := until - time.monotonic()) > 0:
            if self._changed.wait(min(left, ROOT_SECONDS)):
                self._await_quiet(max(self._times.quiet, self._took * SHARE))
                return
            if self._roots() != roots:
                return

    def _await_quiet(self, seconds: float) -> None:
        """Until nothing has happened for so long."""
        until = time.monotonic() + max(seconds, LONGEST_QUIET)
        while self._changed.is_set() and time.monotonic() < until:
            self._changed.clear()
            self._stopping.wait(seconds)
            if self._stopping.is_set():
                return
        self._changed.clear()

    def _until_due(self) -> float:
        return min(self.pending().values(), default=LOOK_SECONDS)

    # ---- one look

    def _look(self) -> bool:
        """Compare the folders with the collection, and act. False if a job is at work, after which more may show."""
        there = [folder for folder in self.folders if is_folder(folder)]
        self._tell_lost(there)
        started = time.monotonic()
        fresh = self._fresh(there)
        self._took = time.monotonic() - started
        if fresh and self._actions.index([source for source, _ in fresh]):
            self._given |= {source.path: state for source, state in fresh}
        if self._is_indexing():  # a file that was renamed has both names until its job is done
            return False
        gone = missing(there, self._library, self.collection)
        if all(map(is_folder, there)):  # else a folder went meanwhile, and all in it only seems gone
            self._settle_gone(set(gone), self._grace(set(gone), there))
        return True

    def _tell_lost(self, there: Sequence[Path]) -> None:
        lost = set(self.folders) - set(there)
        for folder in sorted(lost - self._lost):
            self._actions.lost(folder)
        self._lost = lost

    def _fresh(self, folders: Sequence[Path]) -> list[tuple[Source, tuple[int, int]]]:
        """Files that are new, or changed since they were indexed, each with its size and time."""
        fresh = []
        files = [source for source in walk(folders, self._library, self.collection) if not source.reason]
        self._given = {file.path: self._given[file.path] for file in files if file.path in self._given}
        for source in files:
            state = _state(source.path)
            if state == self._given.get(source.path):
                continue
            if self._is_indexed(source.path, state):
                self._given[source.path] = state
            else:
                fresh.append((source, state))
        return fresh

    def _is_indexed(self, path: str, state: tuple[int, int]) -> bool:
        """Whether the collection has, or somebody removed from it, what the file holds now."""
        known = self._library.ledger.names.at_path(self.collection, path)
        if known is None:
            return False
        _, document, size, mtime_ns = known
        if mtime_ns:
            return (size, mtime_ns) == state
        try:  # its time was not remembered, because it was too fresh then
            return size == state[0] and document_id(Path(path)) == document
        except OSError:
            return False

    def _is_indexing(self) -> bool:
        return any(job.collection == self.collection for job in self._library.ledger.jobs.unfinished())

    def _grace(self, gone: set[str], folders: Sequence[Path]) -> float:
        """Seconds between announcing and removing what is gone: none are enough where it is more than half of many
        files, of which somebody has to say so first (`sources.is_doubtful`)."""
        under = self._library.ledger.names.under
        known = sum(len(under(self.collection, str(folder))) for folder in folders) if len(gone) >= MANY else 0
        return math.inf if 2 * len(gone) > known > 0 else self._times.grace

    def _settle_gone(self, gone: set[str], grace: float) -> None:
        now = time.monotonic()
        with self._lock:
            self._kept &= gone
            back = sorted(self._due.keys() - gone)
            for name in back:
                del self._due[name]
            over = sorted(name for name, due in self._due.items() if due <= now)
            for name in over:
                del self._due[name]
            new = sorted(gone - self._due.keys() - self._kept - set(over))
            self._due |= dict.fromkeys(new, now + grace)
        if back:
            self._actions.back(back)
        if over:
            self._actions.remove(over)
        if new:
            self._actions.announce(new, grace)


def _end(observer: BaseObserver | None) -> None:
    if observer is not None:
        observer.stop()
        observer.join()


class _Events(FileSystemEventHandler):
    """Sets an event when something changed, outside the home: the ledger changes all the time."""

    def __init__(self, changed: threading.Event, home: Path) -> None:
        self._changed = changed
        self._home = home.resolve()

    def on_any_event(self, event: FileSystemEvent) -> None:
        if event.event_type in ("opened", "closed_no_write"):  # somebody reads, most likely we
            return
        paths = [Path(str(path)) for path in (event.src_path, event.dest_path) if path]
        if not all(path.is_relative_to(self._home) for path in paths):
            self._changed.set()


def _state(path: str) -> tuple[int, int]:
    """Size and time of a file, zeros if it is gone."""
    try:
        status = Path(path).stat()
    except OSError:
        return 0, 0
    return status.st_size, status.st_mtime_ns
