"""Files and folders that appear under their name only when they are whole: written aside, synced, renamed."""

from __future__ import annotations

import json
import os
import secrets
import shutil
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any, BinaryIO

from filelock import FileLock

_CHANGING = threading.Lock()  # threads take turns without asking the disk every few milliseconds


@contextmanager
def written_aside(path: Path) -> Iterator[IO[str]]:
    """A UTF-8 text file that takes its name when the block ends; when the block fails, what was there stays."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with _made_aside(path) as aside, aside.open("w", encoding="utf-8", newline="\n") as lines:
        yield lines
        _sync(lines)


@contextmanager
def written_whole(path: Path) -> Iterator[BinaryIO]:
    """As `written_aside`, a file of bytes."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with _made_aside(path) as aside, aside.open("wb") as file:
        yield file
        _sync(file)


@contextmanager
def changing(home: Path, what: str) -> Iterator[None]:
    """While nobody else changes the home's files of this kind: no other thread and no other process. For whoever reads
    a file and writes it again with a change; the system frees the lock of a process that dies."""
    folder = home / "locks"
    folder.mkdir(parents=True, exist_ok=True)
    with _CHANGING, FileLock(folder / f"{what}.lock", thread_local=False):
        yield


def write_json(path: Path, value: Any) -> None:
    """The value as indented JSON, whole or not at all."""
    with written_aside(path) as lines:
        lines.write(json.dumps(value, indent=2, ensure_ascii=False) + "\n")


def write_private(path: Path, data: bytes) -> None:
    """The bytes, whole or not at all, readable for their owner only. The folder must be there."""
    with _made_aside(path) as aside:
        _write_private(aside, data)


def used_bytes(path: Path) -> int:
    """What a file takes on the disk: one with holes less than its size."""
    status = path.lstat()
    return getattr(status, "st_blocks", status.st_size // 512) * 512


def write_private_once(path: Path, data: bytes) -> None:
    """As `write_private`, but a file that is there already stays, also one that somebody else is making just now."""
    aside = _aside(path)
    try:
        _write_private(aside, data)
        try:
            os.link(aside, path)  # fails where another was faster; its file counts
        except FileExistsError:
            pass
        except OSError:  # a file system without hard links
            if not path.exists():
                move_into_place(aside, path)
    finally:
        aside.unlink(missing_ok=True)


@contextmanager
def _made_aside(path: Path) -> Iterator[Path]:
    """Where to write what becomes `path` when the block ends."""
    aside = _aside(path)
    try:
        yield aside
        move_into_place(aside, path)
    finally:
        aside.unlink(missing_ok=True)


def _aside(path: Path) -> Path:
    """A name that nobody else uses, and that tells whose leftover it is (`Originals.sweep`)."""
    return path.with_name(f".{path.name}.{os.getpid()}-{secrets.token_hex(4)}.part")


def _write_private(path: Path, data: bytes) -> None:
    with open(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
        file.write(data)
        _sync(file)


def _sync(file: IO[Any]) -> None:
    file.flush()
    os.fsync(file.fileno())


def move_into_place(made: Path, place: Path) -> None:
    """Rename a file or a folder, so that the new name outlives a power cut too. What had the name goes: a file for a
    file, a folder for a folder. OSError for a file where a folder is."""
    old = None
    if place.is_dir() and made.is_dir():  # the system replaces files, but no folder that holds something
        old = place.with_name(f".{place.name}.{secrets.token_hex(4)}.old")
        os.replace(place, old)
    os.replace(made, place)
    sync_folder(place.parent)
    if old is not None:
        shutil.rmtree(old)


def sync_folder(folder: Path) -> None:
    """Write the folder's list of names to the disk: a rename is lost with the power until then."""
    if os.name != "posix":
        return  # Windows opens no folders and keeps its list of names in a journal
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
