"""What goes over the local socket between the store's clients and its process: a JSON header and raw arrays.

No pickle: reading a message can run nothing, whoever sent it. Both sides also find here where the process listens.
Files in the store's folder, all of mode 0600: `key` (the socket's secret), `address.json` (where it listens, pid,
version, which folder it serves), `process.lock` (held by the process while it lives), `start.lock` (held by who starts
it), `process.log`.
"""

from __future__ import annotations

import json
import os
import secrets
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from labse_search.files import write_private, write_private_once

KEY, ADDRESS, PROCESS_LOCK, START_LOCK, LOG = "key", "address.json", "process.lock", "start.lock", "process.log"
COLLECTIONS = "collections"
VERSION = 4  # of the requests and answers: one more whenever they change. Processes before the first say none
MAX_MESSAGE_BYTES = 1 << 30  # a limit against garbage lengths, not against large batches

Array = NDArray[Any]


@dataclass(frozen=True)
class Message:
    """A request or an answer: JSON, and arrays beside it."""

    header: dict[str, Any]
    arrays: tuple[Array, ...] = ()


def send(connection: Connection, header: dict[str, Any], arrays: Sequence[Array] = ()) -> None:
    """One message: the header's length, the header, the arrays' bytes."""
    shapes = [[array.dtype.str, list(array.shape)] for array in arrays]
    # Not in ASCII: \uXXXX for every letter of most scripts takes twice as long to write and to read.
    text = json.dumps({"header": header, "arrays": shapes}, separators=(",", ":"), ensure_ascii=False)
    head = text.encode("utf-8", "surrogatepass")  # which json.loads reads
    head += b" " * (-len(head) % 8)  # so that the arrays behind it are aligned
    parts = [len(head).to_bytes(8, "little"), head, *(np.ascontiguousarray(array).tobytes() for array in arrays)]
    connection.send_bytes(b"".join(parts))


def receive(connection: Connection) -> Message:
    """The next message; its arrays are views of it, read-only. EOFError when the other side is gone."""
    data = connection.recv_bytes(MAX_MESSAGE_BYTES)
    start = 8 + int.from_bytes(data[:8], "little")
    head = json.loads(data[8:start])
    arrays = []
    for dtype, shape in head["arrays"]:
        count = int(np.prod(shape, dtype=np.int64))
        array = np.frombuffer(data, dtype=np.dtype(dtype), count=count, offset=start)
        start += array.nbytes
        arrays.append(array.reshape(shape))
    return Message(head["header"], tuple(arrays))


def family() -> str:
    """Of sockets here: a pipe on Windows, else a Unix socket."""
    return "AF_PIPE" if sys.platform == "win32" else "AF_UNIX"


def read_key(folder: Path) -> bytes:
    """The secret that both sides prove to know; made by whoever comes first."""
    path = folder / KEY
    if not path.exists():
        write_private_once(path, secrets.token_hex(32).encode())
    return path.read_bytes()


def folder_identity(folder: Path) -> list[int] | None:
    """[device, inode]: they stay when the folder is moved on its disk, and no copy has them. None if it is gone."""
    try:
        status = folder.stat()
    except FileNotFoundError:
        return None
    return [status.st_dev, status.st_ino]


def write_address(folder: Path, address: str) -> None:
    """Say that this process serves the folder at this address."""
    known = {"address": address, "pid": os.getpid(), "version": VERSION, "folder": folder_identity(folder)}
    write_private(folder / ADDRESS, json.dumps(known).encode())


def read_address(folder: Path) -> dict[str, Any] | None:
    """{"address", "pid", "version"} of the process that listens or listened last. None if there was none, and for the
    address of another folder's process, which a copy of that folder has: its key is the same."""
    try:
        found = json.loads((folder / ADDRESS).read_text("utf-8"))
    except (FileNotFoundError, json.JSONDecodeError):
        return None
    if not isinstance(found, dict) or not isinstance(found.get("address"), str):
        return None
    served = found.get("folder")  # versions before 4 did not say
    return found if served is None or served == folder_identity(folder) else None
