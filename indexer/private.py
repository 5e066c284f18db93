"""What belongs to labse-search itself: the home. Nothing that is indexed may come from there, under no name.

The reason is not only the key that lies there. SQLite keeps writers apart by POSIX locks, and a process loses all its
locks on a file as soon as it closes that file anywhere, whatever it opened it for: two writers would then split the
ledger. So a file is known by path, device and inode before it is opened.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Collection, Iterator
from contextlib import suppress
from functools import cached_property
from pathlib import Path

_COPIES = ("originals", "texts")  # many: looked through only for a file that has several links
_UPLOADS = "uploads"

_Identity = tuple[int, int]  # device, inode


class PrivateFiles:
    """Tells the files of one home from all others. Made anew for each walk and each job: what comes into the home
    later is known by its path only."""

    def __init__(self, home: Path) -> None:
        self.home = home.resolve()

    def holds(self, path: Path, status: os.stat_result) -> bool:
        """Whether the path leads into the home, also by a link or a mount. `status`: os.stat of the path."""
        return self._is_one(status) or path.resolve().is_relative_to(self.home)

    def forbids(self, path: Path, status: os.stat_result, *, kept: bool = False) -> bool:
        """Whether a job may not read from the path. Of the home it may read originals, unless these are other files of
        the home under such a name. `kept`: an upload, which is removed once it was read, so that it must be one."""
        if kept and not self.is_upload(path):
            return True
        real = path.resolve()
        if not path.is_symlink() and real.is_relative_to(self.home / (_UPLOADS if kept else "originals")):
            return _identity(status) in self._files
        return self._is_one(status) or real.is_relative_to(self.home)

    def is_own(self, path: Path) -> bool:
        """Whether the path lies in the home."""
        return path.resolve().is_relative_to(self.home)

    def is_upload(self, path: Path) -> bool:
        """Whether the path lies where this home keeps uploads until they were read: only there is anything removed. The
        ledger may be that of a home that this one was copied or restored from, and name the other one's files."""
        return path.resolve().is_relative_to(self.home / _UPLOADS)

    def _is_one(self, status: os.stat_result) -> bool:
        identity = _identity(status)
        if stat.S_ISDIR(status.st_mode):
            return identity in self._folders
        return identity in self._files or (status.st_nlink > 1 and identity in self._copies)

    @cached_property
    def _folders(self) -> frozenset[_Identity]:
        tops = [str(self.home), *(str(self.home / name) for name in _COPIES)]
        return frozenset(_identities([*tops, *(folder for folder, _ in self._walk(without=_COPIES))]))

    @cached_property
    def _files(self) -> frozenset[_Identity]:
        return frozenset(_identities(_paths(self._walk(without=(*_COPIES, _UPLOADS)))))

    @cached_property
    def _copies(self) -> frozenset[_Identity]:
        return frozenset(_identities(_paths(self._walk(without=()))))

    def _walk(self, *, without: Collection[str]) -> Iterator[tuple[str, list[str]]]:
        """(folder, names of its files) of the home and all below it, but for the folders `without` at its top."""
        for folder, below, names in os.walk(self.home):
            if folder == str(self.home):
                below[:] = [name for name in below if name not in without]
            yield folder, names


def _paths(walk: Iterator[tuple[str, list[str]]]) -> Iterator[str]:
    return (os.path.join(folder, name) for folder, names in walk for name in names)


def _identities(paths: Collection[str] | Iterator[str]) -> Iterator[_Identity]:
    for path in paths:
        with suppress(OSError):  # the home's files come and go
            yield _identity(os.stat(path))


def _identity(status: os.stat_result) -> _Identity:
    return status.st_dev, status.st_ino
