"""What goes over the local socket between the store's clients and its process: a JSON header and raw arrays.

No pickle: reading a message can run nothing, whoever sent it. Both sides also find here where the process listens.
Files in the store's folder, all of mode 0600: `key` (the socket's secret), `address.json` (where it listens, its pid),
`process.lock` (held by the process while it lives), `start.lock` (held by who starts it), `process.log`.
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

KEY, ADDRESS, PROCESS_LOCK, START_LOCK, LOG = "key", "address.json", "process.lock", "start.lock", "process.log"
COLLECTIONS = "collections"
MAX_MESSAGE_BYTES = 1 << 30  # a limit against garbage lengths, not against large batches

Array = NDArray[Any]


@dataclass(frozen=True)
class Message:
    header: dict[str, Any]
    arrays: tuple[Array, ...] = ()


def send(connection: Connection, header: dict[str, Any], arrays: Sequence[Array] = ()) -> None:
    shapes = [[array.dtype.str, list(array.shape)] for array in arrays]
    # Not in ASCII: \uXXXX for every letter of most scripts takes twice as long to write and to read.
    text = json.dumps({"header": header, "arrays": shapes}, separators=(",", ":"), ensure_ascii=False)
    head = text.encode("utf-8", "surrogatepass")  # which json.loads reads
    head += b" " * (-len(head) % 8)  # so that the arrays behind it are aligned
    parts = [len(head).to_bytes(8, "little"), head, *(np.ascontiguousarray(array).tobytes() for array in arrays)]
    connection.send_bytes(b"".join(parts))


def receive(connection: Connection) -> Message:
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
    return "AF_PIPE" if sys.platform == "win32" else "AF_UNIX"


def read_key(folder: Path) -> bytes:
    """The secret that both sides prove to know; made by whoever comes first."""
    path = folder / KEY
    if not path.exists():
        write_private(path, secrets.token_hex(32).encode(), replace=False)
    return path.read_bytes()


def read_address(folder: Path) -> dict[str, Any] | None:
    """{"address", "pid"} of the process that listens or listened last."""
    try:
        found = json.loads((folder / ADDRESS).read_text("utf-8"))
    except (FileNotFoundError, json.JSONDecodeError):
        return None
    return found if isinstance(found, dict) and isinstance(found.get("address"), str) else None


def write_private(path: Path, data: bytes, *, replace: bool = True) -> None:
    """The file, whole or not at all, readable for its owner only. Without `replace` an existing file stays."""
    fresh = path.with_name(f".{path.name}-{secrets.token_hex(4)}")
    descriptor = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())
    if replace:
        os.replace(fresh, path)
        return
    try:
        os.link(fresh, path)  # fails where another was faster; its file counts
    except FileExistsError:
        pass
    except OSError:  # a file system without hard links
        if not path.exists():
            os.replace(fresh, path)
    fresh.unlink(missing_ok=True)
