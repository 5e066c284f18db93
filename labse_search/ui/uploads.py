"""Files that a browser sends: where they may lie, how many, what they may be called, and when they go.

Gradio writes each file to <uploads>/<hash>/<name> and the page's script tells us that path together with the name
inside the dropped folder. Both come from a client, so neither is believed.
"""

from __future__ import annotations

import os
import shutil
import threading
import time
import unicodedata
import uuid
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path

from labse_search.library import Source

MAX_FILES = 20_000  # in one drop
MAX_BYTES = 20 << 30  # that may wait at once
MAX_NAME = 1000  # characters
KEEP_SECONDS = 6 * 3600  # what nobody started by then goes
_MEASURED_SECONDS = 2.0


def received(files: object, folder: Path) -> tuple[list[Source], list[str]]:
    """The uploads that may be indexed, and the names of those that were refused: not in the folder, or not files.

    Gradio names the folder after the content: a/LICENSE and b/LICENSE, or the same file in two drops, are one file
    there. Each gets a place of its own here, because whoever has kept an upload removes it.
    """
    good: list[Source] = []
    refused: list[str] = []
    taken: set[str] = set()
    given: set[Path] = set()
    root = folder.resolve()
    own = root / "waiting" / uuid.uuid4().hex
    own.mkdir(parents=True, exist_ok=True)
    for entry in files[:MAX_FILES] if isinstance(files, list) else []:
        if not isinstance(entry, dict):
            continue
        name = clean_name(entry.get("name"))
        path = _inside(entry.get("path"), root)
        if path is None:
            refused.append(name)
            continue
        name = _free(name, taken)
        taken.add(name)
        place = own / str(len(good))
        _link(path, place)
        given.add(path)
        good.append(Source(path=str(place), name=name, size=place.stat().st_size, kept=True))
    for path in given:
        path.unlink()
    return good, refused


def clean_name(name: object) -> str:
    """A relative name with "/" separators and nothing in it that climbs, hides or controls."""
    raw = name if isinstance(name, str) else ""
    letters = (
        " " if unicodedata.category(letter) in ("Cc", "Cs", "Zl", "Zp") or letter in _BIDI_CONTROLS else letter
        for letter in raw.replace("\\", "/")
    )
    parts = [part.strip() for part in "".join(letters).split("/")]
    return "/".join(part for part in parts if part not in ("", ".", ".."))[-MAX_NAME:].lstrip("/") or "unnamed"


class RoomLeft:
    """How many bytes may still be uploaded: a limit of ours, and a tenth of the disk stays free. Measured at most
    every two seconds, because a dropped folder asks a thousand times."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._lock = threading.Lock()
        self._measured = (-_MEASURED_SECONDS, 0)

    def __call__(self) -> int:
        with self._lock:
            now = time.monotonic()
            if now - self._measured[0] >= _MEASURED_SECONDS:
                disk = shutil.disk_usage(self.folder)
                left = min(MAX_BYTES - _bytes_in(self.folder), disk.free - disk.total // 10)
                self._measured = (now, left)
            return self._measured[1]


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


def _inside(path: object, root: Path) -> Path | None:
    if not isinstance(path, str) or not path or "\0" in path:
        return None
    given = Path(path)
    if given.is_symlink():
        return None
    real = given.resolve()
    return real if real.is_relative_to(root) and real.is_file() else None


def _link(path: Path, place: Path) -> None:
    try:
        os.link(path, place)
    except OSError:  # a file system without links
        shutil.copyfile(path, place)


def _free(name: str, taken: set[str]) -> str:
    number, candidate = 1, name
    while candidate in taken:
        number += 1
        stem, dot, extension = name.rpartition(".")
        candidate = f"{stem} ({number}).{extension}" if dot and "/" not in extension else f"{name} ({number})"
    return candidate


def _bytes_in(folder: Path) -> int:
    total = 0
    for below, _, names in os.walk(folder):
        for name in names:
            with suppress(FileNotFoundError):
                total += os.lstat(Path(below) / name).st_size
    return total
