"""The embedded store's client: the Store protocol, spoken to the store process over a local socket.

Any number of processes and threads may each have one; `connections` starts the process and carries the requests.
"""

from __future__ import annotations

import contextlib
import secrets
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import numpy as np

from labse_search.errors import StoreUnavailable
from labse_search.home import at_home
from labse_search.records import CollectionInfo, CollectionSpec, Filter, Found, StoredSegment
from labse_search.similarity import Vectors
from labse_search.store import NO_FILTER, FacetKey, StoreAnswer, StoreQuestion
from labse_search.store.bm25 import document_rows, query_terms
from labse_search.store.edge import wire
from labse_search.store.edge.connections import Connections, StoppedWaitingError
from labse_search.store.payload import best_first, check_batch, check_name, from_payload, in_order

UPSERT_ROWS = 1_024  # per message: 3 MB of vectors and as much text
PAGE = 256


class EdgeStore:
    """Open with `EdgeStore.open`. Thread-safe; each method is as `store.Store` has it."""

    def __init__(self, folder: Path, options: Sequence[str] = ()) -> None:
        self.folder = folder
        self.location = str(folder)
        self._connections = Connections(folder, options)
        self._call = self._connections.call

    @classmethod
    def open(
        cls,
        folder: Path,
        *,
        idle_seconds: float | None = None,
        reserve_mb: int | None = None,
        scan_mb: int | None = None,
    ) -> EdgeStore:
        """Connected to the folder's store process, started if none runs. StoreUnavailable if that cannot be. A process
        started here ends after `idle_seconds` without clients, writes only while `reserve_mb` are free, and indexes new
        vectors from `scan_mb` of them on."""
        folder = folder.expanduser().resolve()
        try:
            folder.mkdir(parents=True, exist_ok=True, mode=0o700)
            wire.read_key(folder)
        except OSError as error:
            raise StoreUnavailable(f"The store's folder {folder} cannot be used: {error.strerror}.") from error
        given = {"--idle-seconds": idle_seconds, "--reserve-mb": reserve_mb, "--scan-mb": scan_mb}
        store = cls(folder, [f"{flag}={value}" for flag, value in given.items() if value is not None])
        store._call("hello")
        return store

    # Collections

    def collections(self) -> list[str]:
        return [str(name) for name in self._call("collections").header["value"]]

    def generations(self, collection: str) -> list[int]:
        return [int(number) for number in self._call("generations", collection=collection).header["value"]]

    def serve(self, collection: str, generation: int) -> None:
        self._call("serve", collection=collection, generation=generation)

    def create(self, collection: str, spec: CollectionSpec) -> None:
        self._call("create", collection=check_name(collection), spec=asdict(spec))

    def info(self, collection: str) -> CollectionInfo:
        return _info(self.folder.parent, collection, self._call("info", collection=collection).header["value"])

    def drop(self, collection: str) -> None:
        self._call("drop", collection=check_name(collection))

    def take_over(self, collection: str) -> None:
        """Nothing: the store is its home's own."""

    def put_aside(self, collection: str) -> str:
        suffix = f"{time.strftime('%Y%m%d-%H%M%S')}-{secrets.token_hex(2)}"  # the same when the call is made again
        return str(self._call("put_aside", collection=check_name(collection), suffix=suffix).header["value"])

    # Writing

    def upsert(self, collection: str, segments: Sequence[StoredSegment], vectors: Vectors, *, fingerprint: str) -> None:
        payloads, array = check_batch(segments, vectors)
        for payload, stored in zip(payloads, segments, strict=True):
            payload["point"] = stored.point
        for start in range(0, max(1, len(payloads)), UPSERT_ROWS):
            part = slice(start, start + UPSERT_ROWS)
            rows = document_rows([stored.segment.text for stored in segments[part]])
            self._call(
                "upsert",
                (array[part], rows.terms, rows.weights, rows.offsets),
                collection=collection,
                payloads=payloads[part],
                fingerprint=fingerprint,
            )

    def delete(self, collection: str, where: Filter) -> None:
        if where == NO_FILTER:
            raise ValueError("delete needs a filter; `drop` removes a whole collection")
        self._call("delete", collection=collection, where=asdict(where))

    def rename(self, collection: str, document: str, names: Sequence[str], folders: Sequence[str]) -> None:
        self._call("rename", collection=collection, document=document, names=list(names), folders=list(folders))

    def mark_words(self, collection: str, version: int) -> None:
        self._call("mark_words", collection=collection, version=version)

    def optimize(self, collection: str, *, stop: Callable[[], bool] = lambda: False) -> None:
        with contextlib.suppress(StoppedWaitingError):
            self._call("optimize", collection=collection, seconds=None, stop=stop)

    # Reading

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
        answer = self._call(
            "search_meaning",
            (np.asarray(vector, np.float32),),
            collection=collection,
            limit=limit,
            where=asdict(where),
            fingerprint=fingerprint,
            exact=exact,
        )
        return best_first(answer.header["value"])

    def nearest_cosines(self, collection: str, vectors: Vectors, limit: int, *, fingerprint: str) -> list[list[float]]:
        rows = np.asarray(vectors, np.float32)
        answer = self._call("nearest_cosines", (rows,), collection=collection, limit=limit, fingerprint=fingerprint)
        found: list[list[float]] = answer.header["value"]
        return found

    def search_words(self, collection: str, text: str, limit: int, *, where: Filter = NO_FILTER) -> list[Found]:
        fields: dict[str, Any] = {"collection": collection, "limit": limit, "where": asdict(where)}
        return best_first(self._call("search_words", terms=query_terms(text), **fields).header["value"])

    def ask(self, collection: str, question: StoreQuestion) -> StoreAnswer:
        answer = self._call(
            "ask",
            () if question.vector is None else (np.asarray(question.vector, np.float32),),
            collection=collection,
            terms=[] if question.text is None else query_terms(question.text),
            limit=question.limit,
            where=asdict(question.where),
            fingerprint=question.fingerprint,
        )
        value = answer.header["value"]
        stored = [from_payload(payload) for payload in value["payloads"]]
        meaning, words = (
            in_order(Found(stored[row], score) for row, score in ranking) for ranking in value["rankings"]
        )
        vectors = dict(zip([one.point for one in stored], answer.arrays[0], strict=True))
        return StoreAnswer(meaning, words, vectors, _info(self.folder.parent, collection, value["info"]))

    def segments(self, collection: str, where: Filter = NO_FILTER, limit: int | None = None) -> Iterator[StoredSegment]:
        pages = self._ordered_pages if len(where.documents) == 1 else self._pages
        left = limit
        for payloads in pages(collection, where):
            for payload in payloads[:left]:
                yield from_payload(payload)
            if left is not None:
                left -= len(payloads)
                if left <= 0:
                    return

    def _pages(self, collection: str, where: Filter) -> Iterator[list[dict[str, Any]]]:
        offset = None
        while True:
            answer = self._call("page", collection=collection, where=asdict(where), offset=offset, limit=PAGE)
            payloads, offset = answer.header["value"]
            yield payloads
            if offset is None:
                return

    def _ordered_pages(self, collection: str, where: Filter) -> Iterator[list[dict[str, Any]]]:
        order = self._call("in_order", collection=collection, where=asdict(where)).header["value"]
        for start in range(0, len(order), PAGE):
            points = [point for _, point in order[start : start + PAGE]]
            yield self._call("payloads", collection=collection, points=points).header["value"]

    def by_point(self, collection: str, points: Sequence[str]) -> dict[str, StoredSegment]:
        found: dict[str, StoredSegment] = {}
        for start in range(0, len(points), PAGE):
            part = list(points[start : start + PAGE])
            payloads = self._call("payloads", collection=collection, points=part).header["value"]
            found.update({stored.point: stored for stored in map(from_payload, payloads)})
        return found

    def vectors(self, collection: str, points: Sequence[str]) -> dict[str, Vectors]:
        found: dict[str, Vectors] = {}
        for start in range(0, len(points), PAGE):
            answer = self._call("vectors", collection=collection, points=list(points[start : start + PAGE]))
            found.update(zip(answer.header["value"], answer.arrays[0], strict=True))
        return found

    def count(self, collection: str, where: Filter = NO_FILTER) -> int:
        return int(self._call("count", collection=collection, where=asdict(where)).header["value"])

    def count_documents(self, collection: str) -> int:
        return int(self._call("count_documents", collection=collection).header["value"])

    def facet(self, collection: str, key: FacetKey, where: Filter = NO_FILTER) -> dict[str, int]:
        hits = self._call("facet", collection=collection, key=key, where=asdict(where)).header["value"]
        return dict(sorted(hits, key=lambda hit: (-hit[1], hit[0])))

    # Life

    def close(self) -> None:
        self._connections.close()

    def stop(self) -> None:
        """Everything flushed and the process ended, for all clients: before the folder is copied or replaced. The next
        call of anybody starts a new process."""
        self._connections.stop_process()


def _info(home: Path, collection: str, value: dict[str, Any]) -> CollectionInfo:
    spec, generation = CollectionSpec(**value["spec"]), value["generation"]
    spec = replace(spec, model=at_home(home, spec.model))
    return CollectionInfo(collection, spec, value["segments"], value["words"], generation=generation)
