"""Vectors and their segments, searchable by meaning and by words.

One protocol, two adapters: `edge` (embedded, in a process of its own behind a local socket) and `server` (a Qdrant
server or cluster by URL). `open_store` picks by location. The words of the application in, the vendor's words inside.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Literal, Protocol

from labse_search.records import CollectionInfo, CollectionSpec, Filter, Found, StoredSegment
from labse_search.similarity import Vectors

FacetKey = Literal["language", "kind", "folder", "document"]
NO_FILTER = Filter()


class Store(Protocol):
    """Collections of segments. Every call that names a missing collection raises CollectionMissing; every call on a
    store that does not answer raises StoreUnavailable."""

    location: str

    def collections(self) -> list[str]: ...

    def create(self, collection: str, spec: CollectionSpec) -> None:
        """Make the collection. Nothing happens if it exists with the same spec; ModelMismatch if with another."""

    def info(self, collection: str) -> CollectionInfo: ...

    def drop(self, collection: str) -> None:
        """Remove the collection and all it holds; a missing one is no error."""

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

    def search_words(self, collection: str, text: str, limit: int, *, where: Filter = NO_FILTER) -> list[Found]:
        """The segments that share words with `text`, best first, score = BM25 (k1 1.2, b 0.75)."""

    def segments(self, collection: str, where: Filter = NO_FILTER, limit: int | None = None) -> Iterator[StoredSegment]:
        """Segments in no order but for one document in reading order: `where.documents` of one entry."""

    def by_point(self, collection: str, points: Sequence[str]) -> dict[str, StoredSegment]:
        """The segments with these point ids; missing ones are left out."""

    def vectors(self, collection: str, points: Sequence[str]) -> dict[str, Vectors]:
        """The stored vectors (dimension,) of these points, by point id; missing ones are left out."""

    def count(self, collection: str, where: Filter = NO_FILTER) -> int:
        """Exactly how many segments `where` names."""

    def facet(self, collection: str, key: FacetKey, where: Filter = NO_FILTER) -> dict[str, int]:
        """Segments per value, most frequent first."""

    def optimize(self, collection: str) -> None:
        """Build what makes searching fast after many upserts, where it pays; searches go on meanwhile."""

    def close(self) -> None: ...


def open_store(location: str, *, home: Path, api_key: str = "") -> Store:
    """The store at `location`: a URL (http:// or https://) of a Qdrant server, or "" for the embedded one in
    `home`/store, whose process is started if none is running."""
    if location.startswith(("http://", "https://")):
        from labse_search.store.server import ServerStore

        store: Store = ServerStore.connect(location, api_key=api_key)
        return store
    from labse_search.store.edge import EdgeStore

    return EdgeStore.open(home / "store")
