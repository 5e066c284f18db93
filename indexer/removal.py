"""Which documents a person means by a name, a folder or a pattern, and taking these out."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from fnmatch import fnmatchcase

from indexer.documents import remove_documents, remove_name
from labse_search.errors import UserError
from labse_search.library import DocumentRow, Library
from labse_search.store import Store


def matching(rows: Iterable[DocumentRow], wanted: Sequence[str]) -> dict[str, list[str]]:
    """Document → those of its names that are wanted: a name, all in a folder ("notes" or "notes/"), or what fits
    a pattern ("notes/*.txt", where * also stands for "/"). UserError for an entry that nothing fits."""
    found: dict[str, list[str]] = {}
    missed = set(wanted)
    for row in rows:
        for name in row.names:
            fitting = [entry for entry in wanted if _fits(name, entry)]
            if fitting:
                missed -= set(fitting)
                found.setdefault(row.document, []).append(name)
    if missed:
        listed = ", ".join(repr(entry) for entry in sorted(missed))
        raise UserError(f"Nothing is named {listed}, or lies in a folder of that name. See: … library list")
    return found


def remove_matching(library: Library, store: Store, collection: str, wanted: Sequence[str]) -> tuple[int, int]:
    """Take out the documents that names, folders and patterns mean. A document that has another name beside a folder or
    a pattern stays under that one. (Documents removed, which can be put back; names taken away)."""
    rows = library.documents(collection)
    found = matching(rows, wanted)
    whole, names = [], []
    for row in rows:
        fitting = found.get(row.document, [])
        if fitting and (len(fitting) == len(row.names) or set(fitting) & set(wanted)):
            whole.append(row.document)
        else:
            names += fitting
    for name in names:
        remove_name(library, store, collection, name)
    return remove_documents(library, store, collection, whole), len(names)


def _fits(name: str, entry: str) -> bool:
    return name == entry or name.startswith(entry.rstrip("/") + "/") or fnmatchcase(name, entry)
