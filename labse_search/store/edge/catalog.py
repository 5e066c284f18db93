"""The collections of a store's folder: which there are, which generation each name means, which are open.

A collection is opened when it is first asked for, so a damaged one stops nobody else. Damaged ones are moved to `aside`
and never deleted.
"""

from __future__ import annotations

import json
import logging
import shutil
import threading
from pathlib import Path

from labse_search.errors import UserError
from labse_search.files import move_into_place, write_private
from labse_search.naming import generation_name, split_generation
from labse_search.records import CollectionSpec
from labse_search.store.edge import wire
from labse_search.store.edge.collection import Collection
from labse_search.store.edge.disk import check_disk, remove_folder
from labse_search.store.edge.state import read_spec
from labse_search.store.payload import check_name, check_spec, missing

log = logging.getLogger(__name__)

SERVING = "serving.json"  # which generation each collection's name means, where that is not the first one
ASIDE = "aside"  # the folder of collections that were damaged: they are kept until somebody removes them


class Catalog:
    """Any thread may call. What takes long, opening and removing, holds a lock of that collection only."""

    def __init__(self, folder: Path, reserve_mb: int, scan_mb: int) -> None:
        self.folder = folder
        self.collections_folder = folder / wire.COLLECTIONS
        self.reserve_mb = reserve_mb
        self.scan_mb = scan_mb
        self._serving = _read_serving(folder)
        self._open: dict[str, Collection] = {}
        self._opening: dict[str, threading.Lock] = {}
        self._lock = threading.Lock()  # guards the three above

    def sweep(self) -> None:
        """Make the folder, and remove what a killed process left half made or half removed."""
        self.collections_folder.mkdir(exist_ok=True, mode=0o700)
        for leftover in self.collections_folder.glob(".*"):
            shutil.rmtree(leftover, ignore_errors=True)

    def tend(self) -> None:
        """Let every open collection do what should be done in a quiet moment."""
        for collection in self._opened():
            try:
                collection.tend()
            except Exception:
                log.exception("tending %s failed", collection.name)

    def close(self) -> None:
        """Leave every open collection flushed and counted."""
        for collection in self._opened():
            collection.close()

    def _opened(self) -> list[Collection]:
        with self._lock:
            return list(self._open.values())

    def collections(self) -> list[str]:
        """As `Store.collections`."""
        return sorted({split_generation(name)[0] for name in self._folders()})

    def generations(self, collection: str) -> list[int]:
        """As `Store.generations`."""
        return sorted(number or 1 for base, number in map(split_generation, self._folders()) if base == collection)

    def serving(self, collection: str) -> int:
        """The generation that the collection's name means, there or not: nobody may write to another one instead. Where
        nothing is written down, the first one, or the last one where that was dropped."""
        number = self._serving.get(collection)
        if number is not None:
            return number
        there = self.generations(collection)
        return 1 if 1 in there or not there else there[-1]

    def serve(self, collection: str, number: int) -> None:
        """As `Store.serve`: durable when it returns."""
        with self._lock:
            if number not in self.generations(collection):
                raise missing(generation_name(collection, number), str(self.folder), self.collections())
            self._write_serving({**self._serving, collection: number})

    def _write_serving(self, serving: dict[str, int]) -> None:
        """By whoever holds the lock; in the file first, so that memory never says what the file does not."""
        write_private(self.folder / SERVING, json.dumps(serving, ensure_ascii=False).encode())
        self._serving = serving

    def _folders(self) -> list[str]:
        return [path.name for path in self.collections_folder.iterdir() if path.is_dir() and path.name[0] != "."]

    def _folder_name(self, name: str) -> str:
        """Of the generation that is meant; the first one has the collection's own name."""
        collection, number = split_generation(check_name(name))
        number = self.serving(collection) if number is None else number
        return collection if number == 1 else generation_name(collection, number)

    def collection(self, name: str) -> Collection:
        """The open collection; opened now if nobody asked for it before."""
        name = self._folder_name(name)
        with self._lock:
            if name in self._open:
                return self._open[name]
            opening = self._opening.setdefault(name, threading.Lock())
        with opening:
            with self._lock:
                if name in self._open:
                    return self._open[name]
            folder = self.collections_folder / name
            if not folder.is_dir():
                raise missing(name, str(self.folder), self.collections())
            opened = Collection(folder, self.reserve_mb, self.scan_mb)
            with self._lock:
                self._open[name] = opened
            return opened

    def create(self, name: str, spec: CollectionSpec) -> None:
        """As `Store.create`; UserError for a name that differs from another's only in case."""
        name = self._folder_name(name)
        folder = self.collections_folder / name
        with self._lock:
            opening = self._opening.setdefault(name, threading.Lock())
        with opening:
            if folder.is_dir():
                check_spec(name, read_spec(folder), spec)
                return
            collection = split_generation(name)[0]
            same = (other for other in self.collections() if other.casefold() == collection.casefold())
            other_case = next((other for other in same if other != collection), None)
            if other_case is not None:
                raise UserError(
                    f'"{name}" differs from the collection "{other_case}" only in case: choose another name.'
                )
            check_disk(self.collections_folder, self.reserve_mb)
            Collection.create(folder, spec)

    def drop(self, name: str) -> None:
        """As `Store.drop`; UserError for the generation that serves."""
        collection, number = split_generation(check_name(name))
        if number is not None:
            if number == self.serving(collection) and number in self.generations(collection):
                raise UserError(f'"{name}" is the one that answers. Switch to another one first.')
            self._drop_folder(self._folder_name(name))
            return
        for each in self.generations(collection):
            self._drop_folder(self._folder_name(generation_name(collection, each)))
        with self._lock:
            if collection in self._serving:
                self._write_serving({key: value for key, value in self._serving.items() if key != collection})

    def _drop_folder(self, name: str) -> None:
        with self._lock:
            opening = self._opening.setdefault(name, threading.Lock())
        with opening:
            with self._lock:
                opened = self._open.pop(name, None)
            if opened is not None:
                opened.drop()
            else:
                remove_folder(self.collections_folder / name)

    def put_aside(self, name: str, suffix: str) -> Path:
        """Move the collection's folder to `aside`, whatever state it is in; where it lies there with this suffix, that
        was done already, and only the answer was lost."""
        name = self._folder_name(name)
        folder = self.collections_folder / name
        aside = self.folder / ASIDE / f"{name}-{suffix}"
        with self._lock:
            opening = self._opening.setdefault(name, threading.Lock())
        with opening:
            if aside.is_dir():
                return aside
            with self._lock:
                opened = self._open.pop(name, None)
            if not folder.is_dir():
                raise missing(name, str(self.folder), self.collections())
            if opened is not None:
                opened.release()
            aside.parent.mkdir(exist_ok=True, mode=0o700)
            move_into_place(folder, aside)
        return aside


def _read_serving(folder: Path) -> dict[str, int]:
    """Collection → the generation that answers. What is lost with this file, the ledger knows and tells again."""
    try:
        found = json.loads((folder / SERVING).read_text("utf-8"))
        return {str(name): int(number) for name, number in found.items()}
    except FileNotFoundError:
        return {}
    except (OSError, ValueError, AttributeError, TypeError) as error:
        log.warning("%s is unreadable: %s", folder / SERVING, type(error).__name__)
        return {}
