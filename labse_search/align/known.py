"""Which translations and copies were found in a collection: HOME/translations/ID.json, found again when its documents
changed."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from labse_search.align.copies import Copy
from labse_search.align.translations import Translation
from labse_search.files import write_json
from labse_search.library import DocumentRow, Library


@dataclass(frozen=True)
class Known:
    """What was found, and among which documents."""

    documents: str  # documents_digest
    pairs: tuple[Translation, ...]
    copies: tuple[Copy, ...] = ()

    def of(self, document: str) -> list[str]:
        """The translations of one document, surest first."""
        return [
            b if a == document else a for a, b in ((one.source, one.target) for one in self.pairs) if document in (a, b)
        ]


def documents_digest(library: Library, collection: str, rows: Sequence[DocumentRow] | None = None) -> str:
    """Of the documents of a collection and of the model whose vectors they have; 64 hex digits. `rows`: its documents,
    where the caller has them."""
    model = library.ledger.collections.all().get(collection, ("", ""))[1]
    names = sorted(row.document for row in (library.documents(collection) if rows is None else rows))
    return hashlib.sha256("\n".join([model, *names]).encode()).hexdigest()


def known_translations(library: Library, collection: str, rows: Sequence[DocumentRow] | None = None) -> Known | None:
    """What was found last, of documents that are still there; None where nobody looked yet. A file that was damaged
    counts as none: it is written anew. `rows` as in `documents_digest`."""
    try:
        value = json.loads(_file(library.home, collection).read_text(encoding="utf-8"))
        pairs = [Translation(**pair) for pair in value["pairs"]]
        copies = [Copy(**pair) for pair in value["copies"]]
        digest = str(value["documents"])
    except (FileNotFoundError, ValueError, TypeError, KeyError):
        return None
    there = {row.document for row in (library.documents(collection) if rows is None else rows)}
    return Known(
        digest,
        tuple(one for one in pairs if {one.source, one.target} <= there),
        tuple(one for one in copies if {one.source, one.target} <= there),
    )


def keep_translations(
    library: Library, collection: str, documents: str, pairs: Sequence[Translation], copies: Sequence[Copy] = ()
) -> None:
    """Write down what was found among these documents."""
    found = {"pairs": [asdict(one) for one in pairs], "copies": [asdict(one) for one in copies]}
    write_json(_file(library.home, collection), {"collection": collection, "documents": documents, **found})


def _file(home: Path, collection: str) -> Path:
    # Names of collections may hold any letters; names of files may not everywhere.
    return home / "translations" / f"{hashlib.sha256(collection.encode()).hexdigest()[:32]}.json"
