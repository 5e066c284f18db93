"""What a map is made of, read from the store: the passages of a collection and their vectors."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np

from labse_search.naming import kind_name
from labse_search.records import StoredSegment
from labse_search.similarity import Vectors
from labse_search.store import Store

MOST = 100_000  # of a larger collection an even sample is drawn: more points hide each other on any screen
AT_ONCE = 1000


@dataclass(frozen=True)
class Passages:
    """Equally long lists, a passage at each place."""

    documents: list[str] = field(default_factory=list)
    indexes: list[int] = field(default_factory=list)  # in their documents
    languages: list[str] = field(default_factory=list)
    kinds: list[str] = field(default_factory=list)
    folders: list[str] = field(default_factory=list)  # the innermost; "" for none
    texts: list[str] = field(default_factory=list)

    def __len__(self) -> int:
        return len(self.documents)

    def add(self, stored: StoredSegment) -> None:
        """One more passage."""
        self.documents.append(stored.document)
        self.indexes.append(stored.segment.index)
        self.languages.append(stored.segment.language)
        self.kinds.append(kind_name(stored.kind))
        self.folders.append(max(stored.folders, key=len, default=""))
        self.texts.append(stored.segment.text)


def read_passages(
    store: Store, collection: str, *, tell: Callable[[int, int], None] = lambda done, total: None
) -> tuple[Passages, Vectors]:
    """The passages whose vectors mean something, at most about MOST, and the vectors (n, dimension). `tell`: how many
    were looked at, of how many."""
    info = store.info(collection)
    passages, waiting, rows = Passages(), [], [np.empty((0, info.spec.dimension), np.float32)]
    for done, stored in enumerate(store.segments(collection), 1):
        if not stored.segment.unreadable and _is_drawn(stored.point, info.segments):
            waiting.append(stored)
        if len(waiting) == AT_ONCE:
            rows.append(_take(store, collection, waiting, passages))
            waiting = []
            tell(done, info.segments)
    rows.append(_take(store, collection, waiting, passages))
    return passages, np.concatenate(rows)


def _is_drawn(point: str, segments: int) -> bool:
    """Point ids are hashes: a share of them is a sample, and the same one each time."""
    return segments <= MOST or int(point[:8], 16) < (MOST << 32) // segments


def _take(store: Store, collection: str, waiting: list[StoredSegment], passages: Passages) -> Vectors:
    """Those that are still there by now."""
    found = store.vectors(collection, [one.point for one in waiting]) if waiting else {}
    there = [one for one in waiting if one.point in found]
    for one in there:
        passages.add(one)
    dimension = store.info(collection).spec.dimension
    return np.array([found[one.point] for one in there], dtype=np.float32).reshape(len(there), dimension)
