"""The store process: owns the shards of one folder and answers many clients over a local socket.

    python -m labse_search.store.edge.process FOLDER [--idle-seconds N] [--reserve-mb N]

Clients start it (client.py); nobody needs to start it by hand. It ends by itself when no client has been connected
for a while, when its folder or socket disappears, and on SIGTERM, after flushing.
"""

from __future__ import annotations

import argparse
import contextlib
import logging
import os
import shutil
import signal
import sys
import tempfile
import threading
import time
from multiprocessing.connection import Connection, Listener, answer_challenge, deliver_challenge
from pathlib import Path

from filelock import FileLock, Timeout

from labse_search.errors import UserError
from labse_search.machine import end_with_parent
from labse_search.settings import write_privately
from labse_search.store.edge import wire
from labse_search.store.edge.catalog import Catalog
from labse_search.store.edge.disk import RESERVE_MB
from labse_search.store.edge.engine import is_engines, optimize_folder
from labse_search.store.edge.optimize import SCAN_MB
from labse_search.store.edge.requests import HANDLERS, Answer
from labse_search.store.edge.state import damaged

log = logging.getLogger(__name__)

IDLE_SECONDS = 15 * 60.0
LOCK_SECONDS = 15.0  # to wait for a predecessor that is still flushing
TEMPORARY = "labse-store-"  # prefix of the folder that holds the socket
LONGEST_TEMPORARY = 70  # characters of the system's folder for it: a socket's path may have 103


class StoreProcess:
    """Listens and answers for the folder's `catalog`. One thread for each client, one that accepts, one that tends."""

    def __init__(self, folder: Path, idle_seconds: float, reserve_mb: int, scan_mb: int) -> None:
        self.folder = folder
        self.catalog = Catalog(folder, reserve_mb, scan_mb)
        self.idle_seconds = idle_seconds
        self.stopping = threading.Event()
        self._lock = threading.Lock()  # guards the two below
        self._clients = 0
        self._last_client = time.monotonic()

    # Life

    def run(self) -> None:
        """Listen until there is a reason to stop, then leave everything flushed."""
        self.catalog.sweep()
        key = wire.read_key(self.folder)
        self._remove_old_socket()
        short = len(tempfile.gettempdir()) <= LONGEST_TEMPORARY or sys.platform == "win32"
        place = Path(tempfile.mkdtemp(prefix=TEMPORARY, dir=None if short else "/tmp"))
        address = rf"\\.\pipe\{place.name}" if sys.platform == "win32" else str(place / "socket")
        listener = Listener(address, family=wire.family(), backlog=64)
        wire.write_address(self.folder, address)
        threading.Thread(target=self._accept, args=(listener, key), name="accept", daemon=True).start()
        identity = wire.folder_identity(self.folder)
        while not self.stopping.wait(1.0):
            if wire.folder_identity(self.folder) != identity:
                shutil.rmtree(place, ignore_errors=True)
                os._exit(0)  # the folder is gone: nothing to flush to
            if sys.platform != "win32" and not Path(address).exists():
                log.info("the socket was removed: ending, the next client starts another process")
                break
            if self._idle():
                break
            self.catalog.tend()
        self.stopping.set()
        with contextlib.suppress(FileNotFoundError):
            (self.folder / wire.ADDRESS).unlink()  # from here on a client starts my successor, which waits for my lock
        listener.close()
        self.catalog.close()
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

    def _idle(self) -> bool:
        with self._lock:
            return not self._clients and time.monotonic() - self._last_client > self.idle_seconds

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
            value, arrays = HANDLERS[request.header["do"]](self, request)
            return {"value": value}, arrays
        except (UserError, ValueError) as error:
            return {"error": type(error).__name__, "text": str(error)}, ()
        except Exception as error:
            log.exception("%s failed", request.header.get("do"))
            if "collection" in request.header and is_engines(error):
                told = damaged(request.header["collection"], f"the engine fails in it: {error}"[:300])
                return {"error": type(told).__name__, "text": str(told)}, ()
            return {"error": "Failure", "text": f"{type(error).__name__}: {error}"}, ()
        except BaseException:  # a panic inside the engine: its locks may be broken now, a new process has new ones
            log.exception("%s ended the process", request.header.get("do"))
            logging.shutdown()
            os._exit(70)


def _let_in(connection: Connection, key: bytes) -> bool:
    from multiprocessing import AuthenticationError

    try:
        deliver_challenge(connection, key)
        answer_challenge(connection, key)
    except AuthenticationError:
        return False
    return True


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
    """Exit status 0 also where another process serves the folder already."""
    write_privately()
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("folder", type=Path, help="the store's folder")
    parser.add_argument("--idle-seconds", type=float, default=IDLE_SECONDS, help="end after so long without clients")
    parser.add_argument("--reserve-mb", type=int, default=RESERVE_MB, help="stop writing when less is free")
    parser.add_argument("--scan-mb", type=int, default=SCAN_MB, help="index new vectors when there are more")
    parser.add_argument("--optimize", action="store_true", help="optimise the one shard in FOLDER and end")
    args = parser.parse_args()
    if args.optimize:
        end_with_parent()  # a killed store process takes its optimising child along
        if hasattr(os, "nice"):
            os.nice(10)  # queries and the encoder go first
        optimize_folder(args.folder)
    return _serve_folder(args.folder.resolve(), args.idle_seconds, args.reserve_mb, args.scan_mb)


if __name__ == "__main__":
    sys.exit(main())
