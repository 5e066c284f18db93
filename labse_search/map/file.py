"""The map of a collection as the home keeps it: one file, written aside and renamed, with no text but the topics'
words.

It says which generation it was made of and which cut of each document, so that it's known what has changed since.
"""

from __future__ import annotations

import hashlib
import json
import zipfile
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from labse_search.errors import UserError
from labse_search.files import written_whole
from labse_search.library import Library
from labse_search.map.layout import Positions
from labse_search.map.neutral import Basis
from labse_search.map.topics import Topic

FOLDER = "maps"
VERSION = 1  # of the file: an older one counts as none


@dataclass(frozen=True)
class Column:
    """A property of every passage: which of `values` it has."""

    values: tuple[str, ...]
    of: NDArray[np.int32]  # (n,)

    @classmethod
    def made_of(cls, values: Sequence[str]) -> Column:
        """The commonest value first."""
        unique, of, counts = np.unique(np.array(values, dtype=object), return_inverse=True, return_counts=True)
        order = np.argsort(-counts, kind="stable")
        return cls(tuple(str(unique[at]) for at in order), np.argsort(order).astype(np.int32)[of])

    def texts(self) -> list[str]:
        """The value of each passage."""
        return [self.values[number] for number in self.of]


@dataclass(frozen=True)
class PassageMap:
    """Passages with their positions, colours and topics."""

    collection: str
    generation: int
    made: float  # seconds since the epoch
    passages: int  # in the collection then: a large one has only a sample on its map
    added: int  # passages that were added to the map since it was laid out
    digests: Mapping[str, str]  # document → which cut of it is on the map
    documents: Column
    indexes: NDArray[np.int32]  # (n,) of the passages in their documents
    languages: Column
    kinds: Column
    folders: Column
    positions: Positions  # (n, 2)
    groups: NDArray[np.int16]  # (n,)
    topics: tuple[Topic, ...]
    reduced: NDArray[np.float16]  # (n, k): to find the neighbours of new passages
    basis: Basis

    def __len__(self) -> int:
        return len(self.indexes)

    @cached_property
    def rows(self) -> dict[tuple[str, int], int]:
        """(document, index) → its place in the lists."""
        names = self.documents.texts()
        return {(name, int(index)): row for row, (name, index) in enumerate(zip(names, self.indexes, strict=True))}

    @property
    def stamp(self) -> str:
        """Tells this map from every other one of the collection."""
        return f"{self.generation}-{int(self.made * 1000)}"


@dataclass(frozen=True)
class Changes:
    """What a map doesn't know yet."""

    added: int  # passages of documents that are new, or were cut anew
    gone: int  # passages of documents that are not there any more
    generation: bool  # another generation answers by now: nothing of the map holds

    @property
    def any(self) -> bool:
        """Whether the map is out of date."""
        return bool(self.added or self.gone or self.generation)


def map_file(home: Path, collection: str) -> Path:
    """Where it lies; any name of a collection makes the name of a file."""
    return home / FOLDER / f"{hashlib.sha256(collection.encode()).hexdigest()[:32]}.npz"


def forget_map(home: Path, collection: str) -> None:
    """Erase the map: its topics have words of the documents."""
    map_file(home, collection).unlink(missing_ok=True)


def find_changes(library: Library, known: PassageMap) -> Changes:
    """What the ledger has by now and the map has not."""
    rows = {row.document: row for row in library.documents(known.collection) if row.state == "stored" and row.segments}
    held = dict(zip(known.documents.values, np.bincount(known.documents.of).tolist(), strict=True))
    added = sum(row.segments for name, row in rows.items() if known.digests.get(name) != row.digest)
    gone = sum(n for name, n in held.items() if name not in rows or known.digests.get(name) != rows[name].digest)
    return Changes(added, gone, library.ledger.generations.serving(known.collection) != known.generation)


def save_map(home: Path, made: PassageMap) -> None:
    """Whole or not at all; the map before goes."""
    columns = {name: getattr(made, name) for name in ("documents", "languages", "kinds", "folders")}
    header = {
        "version": VERSION,
        **{name: getattr(made, name) for name in ("collection", "generation", "made", "passages", "added")},
        "digests": dict(made.digests),
        "values": {name: column.values for name, column in columns.items()},
        "topics": [asdict(topic) for topic in made.topics],
        "basis_languages": made.basis.languages,
    }
    arrays = {
        "header": np.frombuffer(json.dumps(header, ensure_ascii=False).encode(), np.uint8),
        **{f"of_{name}": column.of for name, column in columns.items()},
        **{name: getattr(made, name) for name in ("indexes", "positions", "groups", "reduced")},
        **{f"basis_{name}": getattr(made.basis, name) for name in ("mean", "shifts", "sides", "centre", "components")},
    }
    path = map_file(home, made.collection)
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    with written_whole(path) as file:
        np.savez(file, **arrays)


def load_map(home: Path, collection: str) -> PassageMap | None:
    """None where none was made, or an older version made it. UserError for a damaged file."""
    path = map_file(home, collection)
    try:
        with np.load(path, allow_pickle=False) as arrays:
            header = json.loads(arrays["header"].tobytes())
            return (
                _read(header, {name: arrays[name] for name in arrays.files}) if header["version"] == VERSION else None
            )
    except FileNotFoundError:
        return None
    except (ValueError, KeyError, TypeError, EOFError, zipfile.BadZipFile) as error:
        raise UserError(f"The map in {path} is damaged. Compute it anew, or delete the file.") from error


def _read(header: Mapping[str, Any], arrays: Mapping[str, Any]) -> PassageMap:
    basis = {name: arrays[f"basis_{name}"] for name in ("mean", "shifts", "sides", "centre", "components")}
    columns: dict[str, Any] = {
        name: Column(tuple(values), arrays[f"of_{name}"]) for name, values in header["values"].items()
    }
    topics = [
        Topic(**{**one, "terms": tuple((language, tuple(words)) for language, words in one["terms"])})
        for one in header["topics"]
    ]
    return PassageMap(
        **{name: header[name] for name in ("collection", "generation", "made", "passages", "added", "digests")},
        **columns,
        **{name: arrays[name] for name in ("indexes", "positions", "groups", "reduced")},
        topics=tuple(topics),
        basis=Basis(languages=tuple(header["basis_languages"]), **basis),
    )
