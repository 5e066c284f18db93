"""Paths that a person names → the files to index, each with the name it will have in the collection."""

from __future__ import annotations

import os
import stat
import unicodedata
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import count
from pathlib import Path

from indexer.private import PrivateFiles
from labse_search.errors import UserError
from labse_search.library import Library, Source

MANY = 10  # files: of fewer, more than half may well be deleted on purpose


def walk(paths: Sequence[Path], library: Library, collection: str) -> list[Source]:
    """Every file under the paths, in a stable order. A folder's files are named from the folder's own name on
    ("notes/2024/a.txt"). Links are followed where they lead to a file inside the folder; other links, folders that
    cannot be listed and what is no file are listed with a reason. Hidden files and the library's home are left out.
    UserError for a path that does not exist or lies in the home."""
    private = PrivateFiles(library.home)
    sources: list[Source] = []
    taken: set[str] = set()
    seen: set[Path] = set()
    for path in paths:
        try:
            if not path.exists():
                raise UserError(f"{path} does not exist.")
            root = path.resolve()
            status = root.stat()
        except OSError as error:  # the folder above may not be entered, a drive does not answer
            raise UserError(f"{path} cannot be looked at ({error.strerror}).") from error
        if private.holds(root, status):
            raise UserError(
                f"{path} belongs to {private.home}, where labse-search keeps its own data; that is never indexed. "
                "Choose another path."
            )
        for found in _found(root, private):
            if found.path in seen:  # one of the paths lies inside another
                continue
            seen.add(found.path)
            name = clean(root.name if found.path == root else f"{root.name}/{found.path.relative_to(root).as_posix()}")
            name = _free_name(library, collection, name, str(found.path), taken)
            taken.add(name)
            sources.append(Source(path=str(found.path), name=name, size=found.size, reason=found.reason))
    return sources


def clean(name: str) -> str:
    """The name as it is shown, printed and logged: composed letters (macOS decomposes them), a space for what would
    break a line, move the cursor or turn the direction, U+FFFD for bytes that are no letters at all."""
    letters = []
    for letter in unicodedata.normalize("NFC", name):
        category = unicodedata.category(letter)
        if category == "Cs":
            letters.append("\ufffd")
        else:
            letters.append(" " if category in ("Cc", "Zl", "Zp") or letter in _BIDI_CONTROLS else letter)
    return "".join(letters)


def is_gone(path: str) -> bool:
    """Whether there is no such file. One that cannot be looked at is not gone: its folder may not be read, or its drive
    does not answer, which os.path.lexists tells from nothing."""
    try:
        os.lstat(path)
    except OSError as error:
        return isinstance(error, FileNotFoundError | NotADirectoryError)
    return False


def is_folder(path: Path) -> bool:
    """Whether there is a folder that can be looked at just now. Path.is_dir raises where the folder above may not be
    entered, or a network drive answers with an error."""
    try:
        return stat.S_ISDIR(path.stat().st_mode)
    except OSError:
        return False


def missing(paths: Iterable[Path], library: Library, collection: str) -> list[str]:
    """Names of documents that were once read from these files or from under these folders and whose files are gone."""
    read = [_read_from(path, library, collection) for path in {path.resolve() for path in paths}]
    return sorted({name for files in read for name, file in files if is_gone(file)})


def is_doubtful(path: Path, library: Library, collection: str) -> bool:
    """Whether so much of a folder is gone that a person should say so before anything of it is removed: the folder
    itself, all that was read from it, or more than half of many files. More likely a drive is not mounted then, which
    leaves an empty folder or none, or a synchronisation went wrong."""
    files = _read_from(path.resolve(), library, collection)
    gone = sum(is_gone(file) for _, file in files)
    return gone > 0 and (is_gone(str(path)) or gone == len(files) or (gone >= MANY and 2 * gone > len(files)))


def _read_from(path: Path, library: Library, collection: str) -> list[tuple[str, str]]:
    """(name, path) of every file of a stored document that was read from here or from below here."""
    known = library.ledger.names
    stored = {name for row in library.documents(collection) for name in row.names}
    itself = known.at_path(collection, str(path))
    files = known.under(collection, str(path)) + ([(itself[0], str(path))] if itself else [])
    return [(name, file) for name, file in files if name in stored]


def folders(names: Iterable[str]) -> tuple[str, ...]:
    """Every folder above the names, outermost first: "a/b/c.txt" is in "a" and in "a/b"."""
    above = {name.rsplit("/", depth)[0] for name in names for depth in range(1, name.count("/") + 1)}
    return tuple(sorted(above))


# They turn "exe.txt" into "txt.exe" on the screen.
_BIDI_CONTROLS = frozenset("\u061c\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")


@dataclass(frozen=True)
class _Found:
    path: Path
    size: int = 0
    reason: str = ""  # key of REASONS: why it is not read


def _found(root: Path, private: PrivateFiles) -> Iterator[_Found]:
    if root.is_file():
        yield _Found(root, root.stat().st_size)
        return
    unlisted: list[_Found] = []

    def not_listed(error: OSError) -> None:
        if not isinstance(error, FileNotFoundError | NotADirectoryError):  # else it went meanwhile
            unlisted.append(_Found(Path(error.filename), reason="not_permitted"))

    for folder, subfolders, names in os.walk(root, onerror=not_listed):
        names += [name for name in subfolders if os.path.islink(os.path.join(folder, name))]
        subfolders[:] = sorted(name for name in subfolders if _is_entered(Path(folder) / name, private))
        for name in sorted(names):
            found = None if name.startswith(".") else _look_at(Path(folder) / name, root, private)
            if found is not None:
                yield found
    yield from unlisted


def _is_entered(folder: Path, private: PrivateFiles) -> bool:
    if folder.name.startswith(".") or os.path.islink(folder):  # Path.is_symlink raises in a folder of no rights
        return False
    try:
        return not private.holds(folder, folder.stat())
    except OSError:
        return True  # listing it says why it cannot be


def _look_at(path: Path, root: Path, private: PrivateFiles) -> _Found | None:
    """None for what went since its folder was listed."""
    try:
        status = path.stat()
    except OSError as error:
        if os.path.islink(path):
            return _Found(path, reason="link_broken")
        gone = isinstance(error, FileNotFoundError | NotADirectoryError)
        return None if gone else _Found(path, reason="not_permitted")
    if private.holds(path, status):
        return _Found(path, reason="private")
    if path.is_symlink() and (not stat.S_ISREG(status.st_mode) or not path.resolve().is_relative_to(root)):
        return _Found(path, reason="link")
    if not stat.S_ISREG(status.st_mode):  # reading a pipe or a device might never end
        return _Found(path, reason="special")
    return _Found(path, status.st_size)


def _free_name(library: Library, collection: str, name: str, path: str, taken: set[str]) -> str:
    """The name this path had before; else `name`, numbered if another living file has it."""
    before = library.ledger.names.at_path(collection, path)
    if before is not None:
        return before[0]
    return next(
        one for one in numbered(name) if one not in taken and not belongs_to_another(library, collection, one, path)
    )


def numbered(name: str) -> Iterator[str]:
    """The name, and then "name (2).txt", "name (3).txt" and so on."""
    yield name
    stem, dot, extension = name.rpartition(".")
    for number in count(2):
        yield f"{stem} ({number}).{extension}" if dot and "/" not in extension else f"{name} ({number})"


def belongs_to_another(library: Library, collection: str, name: str, path: str, document: str = "") -> bool:
    """Whether the name stands for another file than the one at `path`: one that is there, or that cannot be looked at
    just now. `document`: the content at `path`, as soon as it is known. Of other content than a file that is gone it is
    no moved file but another one: the drive of the first may only be unplugged."""
    known = library.ledger.names.get(collection, name)
    if known is None or known[1] in ("", path):
        return False
    return not is_gone(known[1]) or document not in ("", known[0])
