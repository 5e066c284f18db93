"""Qdrant Edge as we set it up: its configuration, our points and filters in its words, its ways of opening and failing.

The engine holds the interpreter through every call, admits one opener per folder, and panics on some damaged files.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any, NoReturn

import qdrant_edge as qe

from labse_search.records import Filter
from labse_search.similarity import Vectors
from labse_search.store.payload import (
    INTEGER_FIELDS,
    KEYWORD_FIELDS,
    MEANING,
    NUMBER_FIELDS,
    WORDS,
    Payload,
    conditions,
)

# Measured on 100,000 x 768 overlapping clusters (benchmarks/store.py): recall@10 0.999 at 0.5 ms inside the engine;
# ef 128 gives 0.997, ef 16 0.87. Without oversampling int8 stays at 0.986 whatever ef is.
HNSW_M, HNSW_EF_CONSTRUCT, HNSW_EF = 16, 128, 256
OVERSAMPLING = 2.0
INDEX_KILOBYTES = 1_000  # of vectors in a segment that make an index pay: 340 of 768 dimensions

FULL_SCAN_KILOBYTES = 10_000  # below this a scan is as fast as the graph

BATCH = 64  # points per engine call: 3-4 ms in which no query is answered (1000 at once: 49 ms)
YIELD_SECONDS = 0.0003  # between two batches the interpreter goes to whoever waits
FREE_SECONDS = 10.0  # to wait for a predecessor's files
MOST_KILLS = 4  # of processes that only look whether the engine can open a shard
_LOCKED = "WouldBlock"
PASSING = (_LOCKED, "Permission denied", "No space left", "Too many open files", "Cannot allocate memory")  # no damage


# Everything that an index needs lies in memory maps that the system may take back: as fast as private memory once
# warm, and half of that (19 against 34 MB for 20,000 x 256).
IN_MAPS = qe.Memory.Cached


def config(dimension: int) -> qe.EdgeConfig:
    """Of a new shard for vectors of this dimension: HNSW over int8, originals for rescoring, BM25's IDF."""
    hnsw = qe.HnswIndexConfig(HNSW_M, HNSW_EF_CONSTRUCT, full_scan_threshold=FULL_SCAN_KILOBYTES, memory=IN_MAPS)
    return qe.EdgeConfig(
        vectors={MEANING: qe.EdgeVectorParams(size=dimension, distance=qe.Distance.Dot)},
        sparse_vectors={WORDS: qe.EdgeSparseVectorParams(modifier=qe.Modifier.Idf, memory=IN_MAPS)},
        hnsw_config=hnsw,
        quantization_config=qe.ScalarQuantizationConfig(qe.ScalarType.Int8, quantile=0.99, memory=IN_MAPS),
        optimizers=qe.EdgeOptimizersConfig(default_segment_number=1, indexing_threshold=INDEX_KILOBYTES),
        wal_enabled=True,
    )


def indexes() -> list[tuple[str, Any]]:
    """The payload fields that filters use, and how each is indexed."""
    found: list[tuple[str, Any]] = [(field, qe.KeywordIndexParams(memory=IN_MAPS)) for field in KEYWORD_FIELDS]
    found += [(field, qe.FloatIndexParams(memory=IN_MAPS)) for field in NUMBER_FIELDS]
    return found + [(field, qe.IntegerIndexParams(memory=IN_MAPS)) for field in INTEGER_FIELDS]


def point(payload: Payload, vector: Vectors, terms: list[int], weights: list[float]) -> qe.Point:
    """The engine's point of one segment: its vector (dimension,) and its terms' BM25 weights."""
    kept = {key: value for key, value in payload.items() if key != "point"}
    vectors: dict[str, Any] = {MEANING: vector.tolist(), WORDS: qe.SparseVector(terms, weights)}
    return qe.Point(payload["point"], vectors, kept)


def filter_of(where: Filter) -> qe.Filter | None:
    """In the engine's words; None where everything is meant."""
    must: list[Any] = []
    must_not: list[Any] = []
    for field, relation, value in conditions(where):
        if relation == "any":
            must.append(qe.FieldCondition(field, match=qe.MatchAny(value)))
        elif relation == "none":
            must_not.append(qe.FieldCondition(field, match=qe.MatchAny(value)))
        elif relation == "from":
            must.append(qe.FieldCondition(field, range=qe.RangeFloat(gte=value)))
        else:
            must.append(qe.FieldCondition(field, range=qe.RangeFloat(lt=value)))
    return qe.Filter(must=must or None, must_not=must_not or None) if must or must_not else None


def scroll(request: qe.ScrollRequest, shard: qe.EdgeShard) -> tuple[list[Any], Any]:
    """One page of records and where the next begins: for functools.partial, which keeps the request."""
    return shard.scroll(request)


def is_engines(error: Exception) -> bool:
    """Whether the engine failed in what it reads from its files. It raises nothing narrower than Exception."""
    return type(error) is Exception and not any(passing in str(error) for passing in PASSING)


def open_shard(path: Path) -> qe.EdgeShard:
    """A predecessor's files are locked until the system has taken them back."""
    deadline = time.monotonic() + FREE_SECONDS
    while True:
        try:
            return _load(path)
        except Exception as error:
            if _LOCKED not in str(error) or time.monotonic() > deadline:
                raise
        time.sleep(0.02)


def _load(path: Path) -> qe.EdgeShard:
    try:
        return qe.EdgeShard.load(str(path))
    except BaseException as error:
        if type(error).__name__ == "PanicException":  # the engine's, on damaged files; no Exception, so turned into one
            raise RuntimeError(str(error)) from error
        raise


def stops_when_opened(path: Path) -> int:
    """Open the shard in a child: its exit status, not 0 if the engine raises or takes the child down with it. A child
    that somebody kills tells nothing of the shard, so another one is asked."""
    code = (
        "import sys; from pathlib import Path; import qdrant_edge as qe; "
        "from labse_search.machine import end_with_parent; from labse_search.store.edge.engine import open_shard; "
        "end_with_parent(); shard = open_shard(Path(sys.argv[1])); "  # whoever held it was killed a moment ago
        "shard.count(qe.CountRequest(exact=True)); shard.close()"
    )
    status = 0
    for _ in range(MOST_KILLS):
        status = subprocess.run([sys.executable, "-c", code, str(path)], capture_output=True, check=False).returncode
        if os.name != "posix" or status != -signal.SIGKILL:
            break
    return status


def optimize_folder(path: Path) -> NoReturn:
    """Optimise the shard in `path`, which nobody else has open, and end this process. Holds the interpreter all the
    while. Not closed, so that the files stay in the system's cache for the process that opens them next."""
    shard = qe.EdgeShard.load(str(path))
    shard.optimize()
    shard.flush()
    os._exit(0)
