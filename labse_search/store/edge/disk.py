"""Folders of the embedded store: copied without filling their holes, removed in one step, never on a full disk."""

from __future__ import annotations

import contextlib
import os
import shutil
import time
from pathlib import Path

from labse_search.errors import StoreUnavailable

RESERVE_MB = 256  # a full disk kills the engine (it writes through memory maps), so writing stops before


def check_disk(folder: Path, reserve_mb: int) -> None:
    """StoreUnavailable if so little is free that the engine might meet a full disk."""
    free_mb = shutil.disk_usage(folder).free >> 20
    if free_mb < reserve_mb:
        raise StoreUnavailable(
            f"The disk that holds {folder} is full: {free_mb} MB are free, {reserve_mb} MB must stay. Nothing more was "
            "stored; searching goes on. Free some space and try again."
        )


def remove_folder(folder: Path) -> None:
    """Gone in one step, so that a kill leaves a leftover with a dot and never half a collection."""
    gone = folder.with_name(f".dropped-{folder.name}-{time.time_ns()}")
    with contextlib.suppress(FileNotFoundError):
        os.replace(folder, gone)
        shutil.rmtree(gone)


def copy_tree(source: Path, target: Path) -> None:
    """Copy a folder without filling the holes of its files: the engine sets aside 32 MB at a time."""
    target.mkdir()
    for path in sorted(source.rglob("*")):
        to = target / path.relative_to(source)
        if path.is_dir():
            to.mkdir()
        else:
            _copy_sparse(path, to)


def _copy_sparse(source: Path, target: Path) -> None:
    if not hasattr(os, "SEEK_DATA"):
        shutil.copyfile(source, target)
        return
    with source.open("rb", buffering=0) as reader, target.open("wb") as writer:
        size, at = os.fstat(reader.fileno()).st_size, 0
        while at < size:
            try:
                start = os.lseek(reader.fileno(), at, os.SEEK_DATA)
            except OSError:  # only a hole is left
                break
            at = os.lseek(reader.fileno(), start, os.SEEK_HOLE)
            reader.seek(start)
            writer.seek(start)
            left = at - start
            while left:
                part = reader.read(min(left, 8 << 20))
                if not part:
                    raise OSError(f"{source} became shorter while it was copied")
                writer.write(part)
                left -= len(part)
        writer.truncate(size)
