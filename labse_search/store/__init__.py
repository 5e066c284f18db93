"""Vectors and their segments, searchable by meaning and by words.

One protocol, two adapters: `edge` (embedded, in a process of its own behind a local socket) and `server` (a Qdrant
server or cluster by URL). `open_store` picks by location. The words of the application in, the vendor's words inside.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Literal, Protocol

import numpy as np

from labse_search.home import home_id
from labse_search.records import CollectionInfo, CollectionSpec, Filter, Found, StoredSegment
from labse_search.settings import is_url
from labse_search.similarity import Vectors

FacetKey = Literal["language", "kind", "folder", "document"]
NO_FILTER = Filter()
REWRITE = 512  # segments at a time whose words are folded anew


@dataclass(frozen=True)
class StoreQuestion:
    """What one question asks of a collection: its closest segments, those that share words with it, or both."""

    fingerprint: str  # of the model that made the vector
    vector: Vectors | None  # (dimension,), or None: not by meaning
    text: str | None  # or None: not by words
    limit: int  # of each
    where: Filter = NO_FILTER


@dataclass(frozen=True)
class StoreAnswer:
    """What a store has to say to a question, told at once."""

    meaning: list[Found]  # as `search_meaning`
    words: list[Found]  # as `search_words`
    vectors: dict[str, Vectors]  # (dimension,) of all that was found, by point id
    info: CollectionInfo


class Store(Protocol):
    """Collections of segments. Every call that names a missing collection raises CollectionMissing; every call on a
    store that does not answer, or answers with an error, raises StoreUnavailable. CollectionDamaged says that the files
    of one collection are not what was stored: the embedded store alone can tell. CollectionForeign, by whatever would
    change it: the collection is another home's."""

    location: str

    def collections(self) -> list[str]:
        """Their names, each once however many generations it has."""

    def generations(self, collection: str) -> list[int]:
        """The numbers of those that are there, in order. "notes@2" is the second one of "notes" in every call; "notes"
        is the one that `serve` named last, at first the first one."""

    def serve(self, collection: str, generation: int) -> None:
        """From now on, and in one step, the collection's name means this generation. CollectionMissing if it is not
        there."""

    def create(self, collection: str, spec: CollectionSpec) -> None:
        """Make the collection. Nothing happens if it exists with the same spec; ModelMismatch if with another."""

    def info(self, collection: str) -> CollectionInfo:
        """What the collection was made for and how much it holds."""

    def drop(self, collection: str) -> None:
        """Remove the collection with all its generations, or one generation ("notes@2") that does not serve; a missing
        one is no error."""

    def take_over(self, collection: str) -> None:
        """From now on the collection is this home's to change, and no longer the home's that made it. Nothing happens
        in the embedded store, where every collection is its own home's."""

    def put_aside(self, collection: str) -> str | None:
        """Move the collection out of the way as it is, damaged or not, and say where to; nothing is deleted. None where
        that cannot be done: on a server."""

    def upsert(self, collection: str, segments: Sequence[StoredSegment], vectors: Vectors, *, fingerprint: str) -> None:
        """Add or replace, durable when it returns. Checked first, whole batch or nothing: ValueError for vectors that
        are not finite, not of length 1 or of another dimension; ModelMismatch for another model's."""

    def delete(self, collection: str, where: Filter) -> None:
        """Remove every segment that `where` names. An empty filter raises ValueError: use `drop`."""

    def rename(self, collection: str, document: str, names: Sequence[str], folders: Sequence[str]) -> None:
        """Give all segments of one document these names and folders."""

    def search_meaning(
        self,
        collection: str,
        vector: Vectors,
        limit: int,
        *,
        where: Filter = NO_FILTER,
        fingerprint: str,
        exact: bool = False,
    ) -> list[Found]:
        """The closest segments to one vector (dimension,), best first, score = cosine. `exact` skips the index."""

    def nearest_cosines(self, collection: str, vectors: Vectors, limit: int, *, fingerprint: str) -> list[list[float]]:
        """For each of several vectors (n, dimension) the cosines of the closest segments, the highest first: one way
        there and back for all of them. Errors as of `search_meaning`."""

    def search_words(self, collection: str, text: str, limit: int, *, where: Filter = NO_FILTER) -> list[Found]:
        """The segments that share words with `text`, best first, score = BM25 (k1 1.2, b 0.75)."""

    def ask(self, collection: str, question: StoreQuestion) -> StoreAnswer:
        """Both searches, the vectors of what they find, and what the collection is: one way there and back, where four
        would wait for a busy machine four times."""

    def segments(self, collection: str, where: Filter = NO_FILTER, limit: int | None = None) -> Iterator[StoredSegment]:
        """Segments in no order but for one document in reading order: `where.documents` of one entry."""

    def by_point(self, collection: str, points: Sequence[str]) -> dict[str, StoredSegment]:
        """The segments with these point ids; missing ones are left out."""

    def vectors(self, collection: str, points: Sequence[str]) -> dict[str, Vectors]:
        """The stored vectors (dimension,) of these points, by point id; missing ones are left out."""

    def count(self, collection: str, where: Filter = NO_FILTER) -> int:
        """Exactly how many segments `where` names."""

    def count_documents(self, collection: str) -> int:
        """How many documents have segments in the collection."""

    def facet(self, collection: str, key: FacetKey, where: Filter = NO_FILTER) -> dict[str, int]:
        """Segments per value, most frequent first."""

    def mark_words(self, collection: str, version: int) -> None:
        """Remember that all the collection's words are folded as `folding.VERSION` says; see `rewrite_words`."""

    def optimize(self, collection: str, *, stop: Callable[[], bool] = lambda: False) -> None:
        """Build what makes searching fast after many upserts, where it pays; searches go on meanwhile. Returns when
        that is done, or soon after `stop` says so: then it goes on by itself."""

    def close(self) -> None:
        """Give back connections; nothing that was stored depends on it."""


def words_outdated(info: CollectionInfo) -> bool:
    """Whether some of its texts may not be found by their words: they were folded by another version."""
    from labse_search.store.folding import VERSION

    return info.words != VERSION and info.segments > 0


def rewrite_words(store: Store, collection: str) -> int:
    """Fold the words of every segment as this version does; vectors stay. Nobody else may write meanwhile. Returns how
    many segments there are."""
    from labse_search.store.folding import VERSION

    fingerprint = store.info(collection).spec.fingerprint
    count = 0
    segments = store.segments(collection)  # in the order of their ids, which stay
    while part := list(islice(segments, REWRITE)):
        vectors = store.vectors(collection, [one.point for one in part])
        part = [one for one in part if one.point in vectors]
        rows = np.stack([vectors[one.point] for one in part])
        store.upsert(collection, part, rows, fingerprint=fingerprint)
        count += len(part)
    store.mark_words(collection, VERSION)
    return count


def open_store(location: str, *, home: Path, api_key: str = "") -> Store:
    """The store at `location`: a URL (http:// or https://) of a Qdrant server, or "" for the embedded one in
    `home`/store, whose process is started if none is running."""
    if is_url(location):
        from labse_search.store.qdrant_server import ServerStore

        store: Store = ServerStore.connect(location, api_key=api_key, home=home_id(home), folder=home)
        return store
    from labse_search.store.edge.client import EdgeStore

    return EdgeStore.open(home / "store")
