"""Files that a browser sends: where they lie, how many, what they may be called, and when they go.

A request to /upload carries some files one after the other, their sizes in its address. Each gets a random name of 128
bits, which only the sender is told; whoever adds files to a collection names them by it. No path ever comes from a
browser.
"""

from __future__ import annotations

import os
import re
import shutil
import threading
import time
import unicodedata
import uuid
from collections.abc import AsyncIterator, Iterable, Sequence
from contextlib import suppress
from pathlib import Path

from starlette.concurrency import run_in_threadpool
from starlette.requests import ClientDisconnect

from labse_search.library import Source

MAX_FILES = 20_000  # in one drop
MAX_TOGETHER = 64  # in one request
MAX_BYTES = 20 << 30  # that may wait at once
FILE_BYTES = 64 << 10  # that a file costs beside its content: empty ones, too, have an end at 300,000
MAX_NAME = 1000  # characters
KEEP_SECONDS = 6 * 3600  # what nobody started by then goes
_MEASURED_SECONDS = 2.0
_UPLOAD = re.compile("[0-9a-f]{32}")


def sizes_of(text: str, length: int, most: int) -> list[int] | None:
    """ "10,0,20" → sizes of the files in a body of `length` bytes; None if that is not what it says, or too much."""
    parts = text.split(",")
    if len(parts) > MAX_TOGETHER or not all(part.isdecimal() and len(part) <= 15 for part in parts):
        return None
    sizes = [int(part) for part in parts]
    return sizes if sum(sizes) == length and max(sizes) <= most else None


async def store(pieces: AsyncIterator[bytes], sizes: Sequence[int], folder: Path) -> list[str] | None:
    """Write the files of a body; their names in order. None, and nothing is kept, if the body ends early."""
    names: list[str] = []
    buffer = b""
    source = aiter(pieces)
    try:
        for size in sizes:
            names.append(uuid.uuid4().hex)
            with (folder / names[-1]).open("xb") as file:
                file.truncate(size)  # so that others who ask for room see what is announced, not what has arrived
                while size > 0:
                    if not buffer:
                        buffer = await anext(source)
                        continue
                    part, buffer = buffer[:size], buffer[size:]
                    await run_in_threadpool(file.write, part)
                    size -= len(part)
        return names
    except BaseException as error:
        for name in names:
            (folder / name).unlink(missing_ok=True)
        if isinstance(error, StopAsyncIteration | ClientDisconnect):
            return None
        raise


def received(
    files: Sequence[tuple[str, str]], folder: Path, names: Iterable[str] = ()
) -> tuple[list[Source], list[str]]:
    """Of (upload, name inside the dropped folder): those that may be indexed, and the names of those that were refused,
    because they are nobody's or used already. `names` are taken by files that came before.

    Each is renamed, so that what it was called opens nothing a second time: whoever has kept an upload removes it.
    """
    good: list[Source] = []
    refused: list[str] = []
    taken = set(names)
    for upload, given in files[:MAX_FILES]:
        name = clean_name(given)
        place = _taken_in(upload, folder)
        if place is None:
            refused.append(name)
            continue
        name = _free(name, taken)
        taken.add(name)
        good.append(Source(path=str(place), name=name, size=place.stat().st_size, kept=True))
    return good, refused


def clean_name(name: str) -> str:
    """A relative name with "/" separators and nothing in it that climbs, hides or controls."""
    letters = (
        " " if unicodedata.category(letter) in ("Cc", "Cs", "Zl", "Zp") or letter in _BIDI_CONTROLS else letter
        for letter in name.replace("\\", "/")
    )
    parts = [part.strip() for part in "".join(letters).split("/")]
    return "/".join(part for part in parts if part not in ("", ".", ".."))[-MAX_NAME:].lstrip("/") or "unnamed"


class RoomLeft:
    """How much may still be uploaded: a limit of ours, and a tenth of the disk stays free. Measured at most every two
    seconds, because a dropped folder asks a thousand times; what was taken since then counts."""

    def __init__(self, folder: Path, most: int = MAX_BYTES) -> None:
        self.folder, self.most = folder, most
        self._lock = threading.Lock()
        self._measured = (-_MEASURED_SECONDS, 0)

    def __call__(self, wanted: int) -> bool:
        """Whether a request with so many bytes may come in; they are taken."""
        with self._lock:
            now = time.monotonic()
            if now - self._measured[0] >= _MEASURED_SECONDS:
                self._measured = (now, self._measure())
            when, left = self._measured
            if wanted > left:
                return False
            self._measured = (when, left - wanted)
            return True

    def _measure(self) -> int:
        taken, missing = _waiting(self.folder)
        disk = shutil.disk_usage(self.folder)
        return min(self.most - taken, disk.free - disk.total // 10 - missing)


def sweep(folder: Path, wanted: Iterable[str], *, older_than_seconds: float = KEEP_SECONDS) -> int:
    """Remove uploads that no job waits for and that are old, and the folders they leave empty. How many files."""
    keep = set(wanted)
    limit = time.time() - older_than_seconds
    swept = 0
    for below, folders, names in os.walk(folder, topdown=False):
        for name in names:
            file = Path(below) / name
            with suppress(FileNotFoundError):  # a worker takes files away at the same time
                if str(file) not in keep and file.lstat().st_mtime < limit:
                    file.unlink()
                    swept += 1
        for name in folders:
            empty = Path(below) / name
            with suppress(FileNotFoundError):
                if not empty.is_symlink() and not any(empty.iterdir()) and empty.stat().st_mtime < limit:
                    empty.rmdir()
    return swept


def discard(sources: Iterable[Source]) -> None:
    """Remove uploads that will not be indexed after all; never anything that is not a temporary copy."""
    for source in sources:
        if source.kept:
            Path(source.path).unlink(missing_ok=True)


# They turn "exe.txt" into "txt.exe" on the screen.
_BIDI_CONTROLS = frozenset("\u061c\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")


def _taken_in(name: str, folder: Path) -> Path | None:
    if not _UPLOAD.fullmatch(name):
        return None
    place = folder.resolve() / f"staged-{uuid.uuid4().hex}"
    try:
        os.rename(folder / name, place)
    except FileNotFoundError:
        return None
    return place


def _free(name: str, taken: set[str]) -> str:
    number, candidate = 1, name
    while candidate in taken:
        number += 1
        stem, dot, extension = name.rpartition(".")
        candidate = f"{stem} ({number}).{extension}" if dot and "/" not in extension else f"{name} ({number})"
    return candidate


def _waiting(folder: Path) -> tuple[int, int]:
    """Bytes that the folder's files take of the limit, and those of them that are announced and not on the disk yet."""
    taken = missing = 0
    for below, _, names in os.walk(folder):
        for name in names:
            with suppress(FileNotFoundError):
                state = os.lstat(Path(below) / name)
                taken += state.st_size + FILE_BYTES
                if hasattr(state, "st_blocks"):  # Windows gives a file its room at once
                    missing += max(0, state.st_size - state.st_blocks * 512)
    return taken, missing
