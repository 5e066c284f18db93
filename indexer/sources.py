"""Paths that a person names → the files to index, each with the name it will have in the collection."""

from __future__ import annotations

import os
import unicodedata
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

from labse_search.errors import UserError
from labse_search.library import Library, Source


def walk(paths: Sequence[Path], library: Library, collection: str) -> list[Source]:
    """Every file under the paths, in a stable order. A folder's files are named from the folder's own name on
    ("notes/2024/a.txt"); hidden files, and what links out of the folder, are left out. UserError for a path that
    does not exist."""
    sources: list[Source] = []
    taken: set[str] = set()
    seen: set[Path] = set()
    for path in paths:
        if not path.exists():
            raise UserError(f"{path} does not exist.")
        root = path.resolve()
        for file in _files(root):
            if file in seen:  # one of the paths lies inside another
                continue
            seen.add(file)
            try:
                size = file.stat().st_size
            except OSError:  # it went, or was locked away, since its folder was listed
                continue
            name = clean(file.name if root.is_file() else f"{root.name}/{file.relative_to(root).as_posix()}")
            name = _free_name(library, collection, name, str(file), taken)
            taken.add(name)
            sources.append(Source(path=str(file), name=name, size=size))
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


def missing(paths: Iterable[Path], library: Library, collection: str) -> list[str]:
    """Names of documents that were once read from under these folders and whose files are gone."""
    gone = []
    for path in paths:
        for name, file in library.ledger.names_under(collection, str(path.resolve())):
            if not os.path.lexists(file):
                gone.append(name)
    return gone


def folders(names: Iterable[str]) -> tuple[str, ...]:
    """Every folder above the names, outermost first: "a/b/c.txt" is in "a" and in "a/b"."""
    above = {name.rsplit("/", depth)[0] for name in names for depth in range(1, name.count("/") + 1)}
    return tuple(sorted(above))


# They turn "exe.txt" into "txt.exe" on the screen.
_BIDI_CONTROLS = frozenset("\u061c\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")


def _files(root: Path) -> Iterator[Path]:
    if root.is_file():
        yield root
        return
    for folder, subfolders, names in os.walk(root):
        subfolders[:] = sorted(name for name in subfolders if not name.startswith("."))
        for name in sorted(names):
            file = Path(folder) / name
            if name.startswith(".") or not file.is_file():  # a pipe or a device would block the reader for ever
                continue
            if file.is_symlink() and not file.resolve().is_relative_to(root):
                continue
            yield file


def _free_name(library: Library, collection: str, name: str, path: str, taken: set[str]) -> str:
    """The name this path had before; else `name`, numbered if another living file has it."""
    before = library.ledger.name_at(collection, path)
    if before is not None:
        return before[0]
    number, candidate = 1, name
    while candidate in taken or _belongs_to_another(library, collection, candidate, path):
        number += 1
        stem, dot, extension = name.rpartition(".")
        candidate = f"{stem} ({number}).{extension}" if dot and "/" not in extension else f"{name} ({number})"
    return candidate


def _belongs_to_another(library: Library, collection: str, name: str, path: str) -> bool:
    known = library.ledger.name(collection, name)
    return known is not None and known[1] not in ("", path) and os.path.exists(known[1])
