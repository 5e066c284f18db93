"""The store process: owns the shards of one folder and answers many clients over a local socket.

    python -m labse_search.store.edge_process FOLDER [--idle-seconds N] [--reserve-mb N]

Clients start it (store/edge.py); nobody needs to start it by hand. It ends by itself when no client has been connected
for a while, when its folder or socket disappears, and on SIGTERM, after flushing. It opens a collection when it is
first asked for, so a damaged one stops nobody else.
"""

from __future__ import annotations

import argparse
import contextlib
import ctypes
import json
import logging
import os
import shutil
import signal
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from dataclasses import asdict
from multiprocessing.connection import Connection, Listener, answer_challenge, deliver_challenge
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout

from labse_search.errors import UserError
from labse_search.records import CollectionSpec, Filter
from labse_search.store import wire
from labse_search.store.disk import RESERVE_MB, check_disk, remove_folder
from labse_search.store.engine import optimize_folder
from labse_search.store.payload import FACET_FIELDS, check_name, check_spec, missing
from labse_search.store.shard import SCAN_MB, Collection, read_spec
from labse_search.store.words import SparseRows

log = logging.getLogger(__name__)

IDLE_SECONDS = 15 * 60.0
LOCK_SECONDS = 15.0  # to wait for a predecessor that is still flushing
TEMPORARY = "labse-store-"  # prefix of the folder that holds the socket
LONGEST_TEMPORARY = 70  # characters of the system's folder for it: a socket's path may have 103

Answer = tuple[Any, tuple[wire.Array, ...]]


class StoreProcess:
    def __init__(self, folder: Path, idle_seconds: float, reserve_mb: int, scan_mb: int) -> None:
        self.folder = folder
        self.collections_folder = folder / wire.COLLECTIONS
        self.idle_seconds = idle_seconds
        self.reserve_mb = reserve_mb
        self.scan_mb = scan_mb
        self.stopping = threading.Event()
        self._open: dict[str, Collection] = {}
        self._opening: dict[str, threading.Lock] = {}
        self._lock = threading.Lock()  # guards the two above and the number of clients
        self._clients = 0
        self._last_client = time.monotonic()

    # Life

    def run(self) -> None:
        """Listen until there is a reason to stop, then leave everything flushed."""
        self.collections_folder.mkdir(exist_ok=True, mode=0o700)
        for leftover in self.collections_folder.glob(".*"):
            shutil.rmtree(leftover, ignore_errors=True)
        key = wire.read_key(self.folder)
        self._remove_old_socket()
        short = len(tempfile.gettempdir()) <= LONGEST_TEMPORARY or sys.platform == "win32"
        place = Path(tempfile.mkdtemp(prefix=TEMPORARY, dir=None if short else "/tmp"))
        address = rf"\\.\pipe\{place.name}" if sys.platform == "win32" else str(place / "socket")
        listener = Listener(address, family=wire.family(), backlog=64)
        known = {"address": address, "pid": os.getpid()}
        wire.write_private(self.folder / wire.ADDRESS, json.dumps(known).encode())
        threading.Thread(target=self._accept, args=(listener, key), name="accept", daemon=True).start()
        identity = self._identity()
        while not self.stopping.wait(1.0):
            if self._identity() != identity:
                shutil.rmtree(place, ignore_errors=True)
                os._exit(0)  # the folder is gone: nothing to flush to
            if sys.platform != "win32" and not Path(address).exists():
                log.info("the socket was removed: ending, the next client starts another process")
                break
            if self._idle():
                break
            self._tend()
        self.stopping.set()
        with contextlib.suppress(FileNotFoundError):
            (self.folder / wire.ADDRESS).unlink()  # from here on a client starts my successor, which waits for my lock
        listener.close()
        self._close()
        shutil.rmtree(place, ignore_errors=True)

    def _accept(self, listener: Listener, key: bytes) -> None:
        while not self.stopping.is_set():
            try:
                connection = listener.accept()
            except OSError as error:  # a client that left at once, or too many open files
                if self.stopping.is_set():
                    return
                log.warning("a client could not be let in: %s", error)
                time.sleep(0.05)
                continue
            threading.Thread(target=self._serve, args=(connection, key), daemon=True).start()

    def _serve(self, connection: Connection, key: bytes) -> None:
        """Answer one client until it leaves. It must prove that it knows the key before anything is read from it."""
        with connection, contextlib.suppress(EOFError, ConnectionError):
            if not _let_in(connection, key):
                log.warning("a client with a wrong key was refused")
                return
            with self._lock:
                self._clients += 1
            try:
                while True:
                    request = wire.receive(connection)
                    header, arrays = self._answer(request)
                    wire.send(connection, header, arrays)
            finally:
                with self._lock:
                    self._clients -= 1
                    self._last_client = time.monotonic()

    def _close(self) -> None:
        with self._lock:
            opened = list(self._open.values())
        for collection in opened:
            collection.close()

    def _idle(self) -> bool:
        with self._lock:
            return not self._clients and time.monotonic() - self._last_client > self.idle_seconds

    def _tend(self) -> None:
        with self._lock:
            opened = list(self._open.values())
        for collection in opened:
            try:
                collection.tend()
            except Exception:
                log.exception("tending %s failed", collection.name)

    def _identity(self) -> tuple[int, int] | None:
        try:
            status = self.folder.stat()
        except FileNotFoundError:
            return None
        return status.st_dev, status.st_ino

    def _remove_old_socket(self) -> None:
        """A killed process leaves its socket's folder behind."""
        old = wire.read_address(self.folder)
        if old is not None and sys.platform != "win32":
            place = Path(old["address"]).parent
            if place.name.startswith(TEMPORARY) and not place.is_symlink():
                shutil.rmtree(place, ignore_errors=True)

    # Requests

    def _answer(self, request: wire.Message) -> Answer:
        try:
            if self.stopping.is_set():
                return {"error": "Stopping", "text": "the store process is ending"}, ()
            value, arrays = _HANDLERS[request.header["do"]](self, request)
            return {"value": value}, arrays
        except (UserError, ValueError) as error:
            return {"error": type(error).__name__, "text": str(error)}, ()
        except Exception as error:
            log.exception("%s failed", request.header.get("do"))
            return {"error": "Failure", "text": f"{type(error).__name__}: {error}"}, ()
        except BaseException:  # a panic inside the engine: its locks may be broken now, a new process has new ones
            log.exception("%s ended the process", request.header.get("do"))
            logging.shutdown()
            os._exit(70)

    def collections(self) -> list[str]:
        found = [path.name for path in self.collections_folder.iterdir() if path.is_dir() and path.name[0] != "."]
        return sorted(found)

    def collection(self, name: str) -> Collection:
        """The open collection; opened now if nobody asked for it before."""
        with self._lock:
            if name in self._open:
                return self._open[name]
            opening = self._opening.setdefault(name, threading.Lock())
        with opening:
            with self._lock:
                if name in self._open:
                    return self._open[name]
            folder = self.collections_folder / check_name(name)
            if not folder.is_dir():
                raise missing(name, str(self.folder), self.collections())
            opened = Collection(folder, self.reserve_mb, self.scan_mb)
            with self._lock:
                self._open[name] = opened
            return opened

    def create(self, name: str, spec: CollectionSpec) -> None:
        folder = self.collections_folder / check_name(name)
        with self._lock:
            opening = self._opening.setdefault(name, threading.Lock())
        with opening:
            if folder.is_dir():
                check_spec(name, read_spec(folder), spec)
                return
            twin = next((other for other in self.collections() if other.casefold() == name.casefold()), None)
            if twin is not None:
                raise UserError(f'"{name}" differs from the collection "{twin}" only in case: choose another name.')
            check_disk(self.collections_folder, self.reserve_mb)
            Collection.create(folder, spec)

    def drop(self, name: str) -> None:
        folder = self.collections_folder / check_name(name)
        with self._lock:
            opening = self._opening.setdefault(name, threading.Lock())
        with opening:
            with self._lock:
                opened = self._open.pop(name, None)
            if opened is not None:
                opened.drop()
            else:
                remove_folder(folder)


def _let_in(connection: Connection, key: bytes) -> bool:
    from multiprocessing import AuthenticationError

    try:
        deliver_challenge(connection, key)
        answer_challenge(connection, key)
    except AuthenticationError:
        return False
    return True


# One small function per request: what the header holds in, JSON and arrays out.


def _where(request: wire.Message) -> Filter:
    found: dict[str, Any] = request.header.get("where") or {}
    fields: dict[str, Any] = {key: tuple(value) if isinstance(value, list) else value for key, value in found.items()}
    return Filter(**fields)


def _of(process: StoreProcess, request: wire.Message) -> Collection:
    return process.collection(request.header["collection"])


def _hello(process: StoreProcess, request: wire.Message) -> Answer:
    return {"pid": os.getpid()}, ()


def _collections(process: StoreProcess, request: wire.Message) -> Answer:
    return process.collections(), ()


def _create(process: StoreProcess, request: wire.Message) -> Answer:
    process.create(request.header["collection"], CollectionSpec(**request.header["spec"]))
    return None, ()


def _info(process: StoreProcess, request: wire.Message) -> Answer:
    collection = _of(process, request)
    return {"spec": asdict(collection.spec), "segments": collection.count(Filter())}, ()


def _drop(process: StoreProcess, request: wire.Message) -> Answer:
    process.drop(request.header["collection"])
    return None, ()


def _upsert(process: StoreProcess, request: wire.Message) -> Answer:
    vectors, terms, weights, offsets = request.arrays
    header = request.header
    _of(process, request).upsert(
        header["payloads"], vectors, SparseRows(terms, weights, offsets), header["fingerprint"]
    )
    return None, ()


def _delete(process: StoreProcess, request: wire.Message) -> Answer:
    _of(process, request).delete(_where(request))
    return None, ()


def _rename(process: StoreProcess, request: wire.Message) -> Answer:
    header = request.header
    _of(process, request).rename(header["document"], header["names"], header["folders"])
    return None, ()


def _search_meaning(process: StoreProcess, request: wire.Message) -> Answer:
    header = request.header
    collection = _of(process, request)
    found = collection.search_meaning(
        request.arrays[0], header["limit"], _where(request), header["fingerprint"], header["exact"]
    )
    return found, ()


def _search_words(process: StoreProcess, request: wire.Message) -> Answer:
    header = request.header
    return _of(process, request).search_words(header["terms"], header["limit"], _where(request)), ()


def _page(process: StoreProcess, request: wire.Message) -> Answer:
    return _of(process, request).page(_where(request), request.header["offset"], request.header["limit"]), ()


def _in_order(process: StoreProcess, request: wire.Message) -> Answer:
    return _of(process, request).in_order(_where(request)), ()


def _payloads(process: StoreProcess, request: wire.Message) -> Answer:
    return _of(process, request).payloads(request.header["points"]), ()


def _vectors(process: StoreProcess, request: wire.Message) -> Answer:
    points, rows = _of(process, request).vectors(request.header["points"])
    return points, (rows,)


def _count(process: StoreProcess, request: wire.Message) -> Answer:
    return _of(process, request).count(_where(request)), ()


def _facet(process: StoreProcess, request: wire.Message) -> Answer:
    return _of(process, request).facet(FACET_FIELDS[request.header["key"]], _where(request)), ()


def _optimize(process: StoreProcess, request: wire.Message) -> Answer:
    _of(process, request).optimize()
    return None, ()


def _stop(process: StoreProcess, request: wire.Message) -> Answer:
    process.stopping.set()
    return None, ()


_HANDLERS: dict[str, Callable[[StoreProcess, wire.Message], Answer]] = {
    "hello": _hello,
    "collections": _collections,
    "create": _create,
    "info": _info,
    "drop": _drop,
    "upsert": _upsert,
    "delete": _delete,
    "rename": _rename,
    "search_meaning": _search_meaning,
    "search_words": _search_words,
    "page": _page,
    "in_order": _in_order,
    "payloads": _payloads,
    "vectors": _vectors,
    "count": _count,
    "facet": _facet,
    "optimize": _optimize,
    "stop": _stop,
}


def _end_with_parent() -> None:
    """Linux: a killed store process takes its optimising child along."""
    if sys.platform == "linux":
        set_parent_death_signal = 1  # PR_SET_PDEATHSIG in sys/prctl.h
        ctypes.CDLL(None).prctl(set_parent_death_signal, signal.SIGKILL)


def _serve_folder(folder: Path, idle_seconds: float, reserve_mb: int, scan_mb: int) -> int:
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(process)d %(levelname)s %(message)s")
    sys.setswitchinterval(0.0005)  # a waiting query gets the interpreter soon
    lock = FileLock(folder / wire.PROCESS_LOCK, mode=0o600)
    try:
        lock.acquire(timeout=LOCK_SECONDS)
    except Timeout:
        log.info("another process serves this folder")
        return 0
    process = StoreProcess(folder, idle_seconds, reserve_mb, scan_mb)
    signal.signal(signal.SIGTERM, lambda *_: process.stopping.set())
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C in the terminal is meant for the client
    process.run()
    logging.shutdown()
    os._exit(0)  # threads that wait for clients would keep it alive; the lock goes with the engine's files


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("folder", type=Path, help="the store's folder")
    parser.add_argument("--idle-seconds", type=float, default=IDLE_SECONDS, help="end after so long without clients")
    parser.add_argument("--reserve-mb", type=int, default=RESERVE_MB, help="stop writing when less is free")
    parser.add_argument("--scan-mb", type=int, default=SCAN_MB, help="index new vectors when there are more")
    parser.add_argument("--optimize", action="store_true", help="optimise the one shard in FOLDER and end")
    args = parser.parse_args()
    if args.optimize:
        _end_with_parent()
        if hasattr(os, "nice"):
            os.nice(10)  # queries and the encoder go first
        optimize_folder(args.folder)
    return _serve_folder(args.folder.resolve(), args.idle_seconds, args.reserve_mb, args.scan_mb)


if __name__ == "__main__":
    sys.exit(main())
