"""The requests that the store process answers: what a message's header holds in, JSON and arrays out."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

import numpy as np

from labse_search.naming import split_generation
from labse_search.records import CollectionSpec, Filter
from labse_search.store.bm25 import SparseRows
from labse_search.store.edge import wire
from labse_search.store.edge.collection import Collection
from labse_search.store.payload import FACET_FIELDS, MEANING

if TYPE_CHECKING:
    from labse_search.store.edge.process import StoreProcess

Answer = tuple[Any, tuple[wire.Array, ...]]


def _where(request: wire.Message) -> Filter:
    found: dict[str, Any] = request.header.get("where") or {}
    fields: dict[str, Any] = {key: tuple(value) if isinstance(value, list) else value for key, value in found.items()}
    return Filter(**fields)


def _of(process: StoreProcess, request: wire.Message) -> Collection:
    return process.catalog.collection(request.header["collection"])


def _hello(process: StoreProcess, request: wire.Message) -> Answer:
    return {"pid": os.getpid()}, ()


def _collections(process: StoreProcess, request: wire.Message) -> Answer:
    return process.catalog.collections(), ()


def _generations(process: StoreProcess, request: wire.Message) -> Answer:
    return process.catalog.generations(request.header["collection"]), ()


def _serve(process: StoreProcess, request: wire.Message) -> Answer:
    process.catalog.serve(request.header["collection"], request.header["generation"])
    return None, ()


def _create(process: StoreProcess, request: wire.Message) -> Answer:
    process.catalog.create(request.header["collection"], CollectionSpec(**request.header["spec"]))
    return None, ()


def _info(process: StoreProcess, request: wire.Message) -> Answer:
    return _about(_of(process, request)), ()


def _about(collection: Collection) -> dict[str, Any]:
    number = split_generation(collection.name)[1] or 1
    # Known unless it is being written to: counting 50,000 segments takes 3 ms, more than finding the closest of them.
    at_rest = collection.state.segments
    segments = collection.shard.count(Filter()) if at_rest is None else at_rest
    value = {"segments": segments, "words": collection.state.words, "generation": number}
    return {"spec": asdict(collection.spec), **value}


def _drop(process: StoreProcess, request: wire.Message) -> Answer:
    process.catalog.drop(request.header["collection"])
    return None, ()


def _put_aside(process: StoreProcess, request: wire.Message) -> Answer:
    return str(process.catalog.put_aside(request.header["collection"], request.header["suffix"])), ()


def _upsert(process: StoreProcess, request: wire.Message) -> Answer:
    vectors, terms, weights, offsets = request.arrays
    header = request.header
    _of(process, request).upsert(
        header["payloads"], vectors, SparseRows(terms, weights, offsets), header["fingerprint"]
    )
    return None, ()


def _delete(process: StoreProcess, request: wire.Message) -> Answer:
    _of(process, request).delete(_where(request))
    return None, ()


def _rename(process: StoreProcess, request: wire.Message) -> Answer:
    header = request.header
    _of(process, request).rename(header["document"], header["names"], header["folders"])
    return None, ()


def _mark_words(process: StoreProcess, request: wire.Message) -> Answer:
    _of(process, request).mark_words(request.header["version"])
    return None, ()


def _search_meaning(process: StoreProcess, request: wire.Message) -> Answer:
    header = request.header
    collection = _of(process, request)
    found = collection.search_meaning(
        request.arrays[0], header["limit"], _where(request), header["fingerprint"], header["exact"]
    )
    return found, ()


def _nearest_cosines(process: StoreProcess, request: wire.Message) -> Answer:
    header = request.header
    return _of(process, request).nearest_cosines(request.arrays[0], header["limit"], header["fingerprint"]), ()


def _search_words(process: StoreProcess, request: wire.Message) -> Answer:
    header = request.header
    return _of(process, request).shard.search_words(header["terms"], header["limit"], _where(request)), ()


def _ask(process: StoreProcess, request: wire.Message) -> Answer:
    """Each found segment once, its vector at the same row of the array; the two rankings as rows and scores."""
    header = request.header
    collection = _of(process, request)
    vector = request.arrays[0] if request.arrays else None
    rankings = collection.ask(vector, header["terms"], header["limit"], _where(request), header["fingerprint"])
    found = {str(point.id): point for ranking in rankings for point in ranking}
    row_of = {point: row for row, point in enumerate(found)}
    rows = np.array([point.vector[MEANING] for point in found.values()], np.float32)
    value = {
        "payloads": [point.payload for point in found.values()],
        "rankings": [[(row_of[str(point.id)], float(point.score)) for point in ranking] for ranking in rankings],
        "info": _about(collection),
    }
    return value, (rows.reshape(len(found), collection.spec.dimension),)


def _page(process: StoreProcess, request: wire.Message) -> Answer:
    return _of(process, request).shard.page(_where(request), request.header["offset"], request.header["limit"]), ()


def _in_order(process: StoreProcess, request: wire.Message) -> Answer:
    return _of(process, request).shard.in_order(_where(request)), ()


def _payloads(process: StoreProcess, request: wire.Message) -> Answer:
    return _of(process, request).shard.payloads(request.header["points"]), ()


def _vectors(process: StoreProcess, request: wire.Message) -> Answer:
    points, rows = _of(process, request).shard.vectors(request.header["points"])
    return points, (rows,)


def _count(process: StoreProcess, request: wire.Message) -> Answer:
    return _of(process, request).shard.count(_where(request)), ()


def _facet(process: StoreProcess, request: wire.Message) -> Answer:
    return _of(process, request).shard.facet(FACET_FIELDS[request.header["key"]], _where(request)), ()


def _count_documents(process: StoreProcess, request: wire.Message) -> Answer:
    return len(_of(process, request).shard.facet(FACET_FIELDS["document"], Filter())), ()


def _optimize(process: StoreProcess, request: wire.Message) -> Answer:
    _of(process, request).optimize()
    return None, ()


def _stop(process: StoreProcess, request: wire.Message) -> Answer:
    process.stopping.set()
    return None, ()


HANDLERS: dict[str, Callable[[StoreProcess, wire.Message], Answer]] = {
    "hello": _hello,
    "collections": _collections,
    "generations": _generations,
    "serve": _serve,
    "create": _create,
    "info": _info,
    "drop": _drop,
    "put_aside": _put_aside,
    "upsert": _upsert,
    "delete": _delete,
    "rename": _rename,
    "mark_words": _mark_words,
    "search_meaning": _search_meaning,
    "nearest_cosines": _nearest_cosines,
    "search_words": _search_words,
    "ask": _ask,
    "page": _page,
    "in_order": _in_order,
    "payloads": _payloads,
    "vectors": _vectors,
    "count": _count,
    "facet": _facet,
    "count_documents": _count_documents,
    "optimize": _optimize,
    "stop": _stop,
}
