"""A client's connections to the folder's store process: requests and their answers, and a process when there is none.

The process is started when nobody answers, and again when it dies in the middle of a request: every request may be
repeated without harm, so the caller notices a pause at most.
"""

from __future__ import annotations

import contextlib
import os
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from multiprocessing import AuthenticationError
from multiprocessing.connection import Client, Connection
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout

from labse_search import errors
from labse_search.errors import StoreUnavailable
from labse_search.store.edge import wire
from labse_search.store.edge.launch import last_log_line, spawn_process

START_SECONDS = 30.0  # a process that does not listen by then will not; usual is 0.3 s
ANSWER_SECONDS = 120.0  # the longest call but optimising: deleting a document of 100,000 segments takes seconds
ATTEMPTS = 500  # of one request; MOST_DEATHS end it sooner, this bounds waiting for an ending process
# Processes that may end during one request, or be killed before they listen, until it is given up. One that the engine
# cannot do ends every process, a second or so each; a machine short of memory kills a few, and then it succeeds.
MOST_DEATHS = 4
STOP_SECONDS = 0.25  # between two looks whether somebody still wants to wait

_ERRORS: dict[str, type[Exception]] = {
    "UserError": errors.UserError,
    "ModelMismatch": errors.ModelMismatch,
    "StoreUnavailable": errors.StoreUnavailable,
    "CollectionDamaged": errors.CollectionDamaged,
    "CollectionMissing": errors.CollectionMissing,
    "ValueError": ValueError,
    "UnicodeEncodeError": ValueError,
}


class StoppedWaitingError(Exception):
    """The caller's `stop` said so before the answer came; the process does what was asked all the same."""


@dataclass(frozen=True)
class _Connected:
    """A connection and the address of the process at its other end, which no two processes share."""

    address: str
    connection: Connection


@dataclass(frozen=True)
class _Request:
    header: dict[str, Any]
    arrays: Sequence[wire.Array]
    seconds: float | None  # to wait for the answer; None: for ever
    stop: Callable[[], bool] | None  # asked while waiting

    def __str__(self) -> str:
        collection = self.header.get("collection")
        where = f' on the collection "{collection}"' if collection is not None else ""
        return f"{self.header['do']}{where}"


class Connections:
    """To one folder's process. Thread-safe: a call takes a connection of its own and gives it back."""

    def __init__(self, folder: Path, options: Sequence[str]) -> None:
        self._folder = folder
        self._options = list(options)
        self._free: list[_Connected] = []
        self._lock = threading.Lock()
        self._owner = os.getpid()

    def call(
        self,
        do: str,
        arrays: Sequence[wire.Array] = (),
        *,
        seconds: float | None = ANSWER_SECONDS,
        stop: Callable[[], bool] | None = None,
        **fields: Any,
    ) -> wire.Message:
        """One request of `requests.HANDLERS` with its fields, and its answer. A process that died is started again.
        Raises what the process raised; StoreUnavailable if it does not answer, CollectionDamaged if MOST_DEATHS ended
        over one collection, StoppedWaitingError if `stop` said so."""
        answer = self._answer(_Request({"do": do, **fields}, arrays, seconds, stop))
        error_name = answer.header.get("error")
        if error_name is None:
            return answer
        text = answer.header["text"]
        if error_name in _ERRORS:
            raise _ERRORS[error_name](text)
        raise StoreUnavailable(f"The store failed ({text}). Its log: {self._folder / wire.LOG}")

    def close(self) -> None:
        """Gives the connections back. The process goes on for other clients, and for a while without any."""
        with self._lock:
            free, self._free = self._free, []
        for each in free:
            each.connection.close()

    def stop_process(self) -> None:
        """Everything flushed and the process ended, for all clients. The next call of anybody starts a new one.
        StoreUnavailable if it does not end."""
        deadline = time.monotonic() + ANSWER_SECONDS
        with FileLock(self._folder / wire.START_LOCK, mode=0o600):
            while True:
                self._ask_to_end()
                self.close()
                # Its lock tells whether it is gone. If not, ask again: a process that somebody started beside it, and
                # that waited for the lock, is next.
                with contextlib.suppress(Timeout), FileLock(self._folder / wire.PROCESS_LOCK, mode=0o600, timeout=1.0):
                    return
                if time.monotonic() > deadline:
                    raise StoreUnavailable(f"The store process of {self._folder} does not end.")

    def _ask_to_end(self) -> None:
        """Nothing where nobody listens; it may end before its answer is on the way."""
        with contextlib.suppress(OSError, EOFError):
            with self._connect().connection as connection:
                wire.send(connection, {"do": "stop"})
                wire.receive(connection)

    # One request

    def _answer(self, request: _Request) -> wire.Message:
        deadline = time.monotonic() + ANSWER_SECONDS
        died: list[str] = []  # addresses: a connection that was idle when its process died counts as that process
        for _ in range(ATTEMPTS):
            connected = self._take()
            try:
                answer = self._exchange(connected, request)
            except (EOFError, ConnectionError) as error:
                died.append(connected.address)
                if len(set(died)) >= MOST_DEATHS or len(died) > 2 * MOST_DEATHS:
                    raise self._gave_up(request) from error
            else:
                if answer.header.get("error") != "Stopping":
                    return answer
                if time.monotonic() > deadline:
                    raise StoreUnavailable(f"The store process of {self._folder} is ending and does not end.")
                time.sleep(0.02)  # its successor is started as soon as it no longer listens
            self._forget(connected.address)
        raise self._gave_up(request)

    def _gave_up(self, request: _Request) -> StoreUnavailable:
        return (errors.CollectionDamaged if "collection" in request.header else StoreUnavailable)(
            f"The store process of {self._folder} ended {MOST_DEATHS} times during one request ({request}). "
            "Try again; if it stays so, the collection is damaged and `python -m labse_search.library check --repair` "
            "builds it again. "
            f"The log: {self._folder / wire.LOG}"
        )

    def _exchange(self, connected: _Connected, request: _Request) -> wire.Message:
        connection, stop = connected.connection, request.stop
        try:
            wire.send(connection, request.header, request.arrays)
            while stop is not None and not connection.poll(STOP_SECONDS):
                if stop():
                    raise StoppedWaitingError
            if not connection.poll(request.seconds):
                raise StoreUnavailable(
                    f"The store process of {self._folder} has not answered for {request.seconds:.0f} seconds. "
                    f"Its log: {self._folder / wire.LOG}"
                )
            answer = wire.receive(connection)
        except BaseException:
            connection.close()
            raise
        with self._lock:
            self._free.append(connected)
        return answer

    def _take(self) -> _Connected:
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
            gone = [each for each in self._free if each.address == address]
            self._free = [each for each in self._free if each.address != address]
        for each in gone:
            each.connection.close()

    # The process

    def _connect(self) -> _Connected:
        """A connection, or OSError/EOFError if nobody listens."""
        known = wire.read_address(self._folder)
        if known is None:
            raise FileNotFoundError(self._folder / wire.ADDRESS)
        try:
            connection: Any = Client(known["address"], family=wire.family(), authkey=wire.read_key(self._folder))
        except AuthenticationError as error:
            raise StoreUnavailable(
                f"The store process refused the key in {self._folder / wire.KEY}. End process {known.get('pid')} and "
                "try again: the next one reads the key anew."
            ) from error
        version = known.get("version", 0)
        if version == wire.VERSION:
            return _Connected(known["address"], connection)
        with connection:
            if version > wire.VERSION:
                raise StoreUnavailable(
                    f"A newer labse-search than this one serves {self._folder}. Use that one, or end process "
                    f"{known.get('pid')} and try again."
                )
            wire.send(connection, {"do": "stop"})  # an older one left it running: it does not know today's requests
            wire.receive(connection)
        raise ConnectionRefusedError("a process of an older version was asked to end")

    def _start(self) -> _Connected:
        """Start the process unless somebody else just did, and connect. One killed before it listens is replaced."""
        deadline = time.monotonic() + START_SECONDS
        try:
            with FileLock(self._folder / wire.START_LOCK, mode=0o600, timeout=START_SECONDS):
                with contextlib.suppress(OSError, EOFError):
                    return self._connect()  # another client was faster
                killed = 0
                process = spawn_process(self._folder, self._options)
                while time.monotonic() < deadline:
                    with contextlib.suppress(OSError, EOFError):
                        return self._connect()
                    if process.poll() is not None:
                        killed += 1
                        if process.returncode >= 0 or killed >= MOST_DEATHS:  # it ended by itself, and would again
                            break
                        process = spawn_process(self._folder, self._options)
                    time.sleep(0.01)
        except (Timeout, OSError) as error:
            raise StoreUnavailable(f"The store process of {self._folder} cannot be started: {error}") from error
        raise StoreUnavailable(
            f"The store process of {self._folder} did not start. "
            f"Its log: {self._folder / wire.LOG}{last_log_line(self._folder)}"
        )
