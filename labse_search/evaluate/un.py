"""The UN corpus test: each sentence looks for its translation in one big pool, and each document for its own.

Accuracy at rank 1 depends on the pool, so its size is always said and smaller pools can be measured beside the whole
one. A document is the mean of its sentences' vectors, made length 1 again (Yang et al. 2019, arXiv 1902.08564).
"""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from labse_search.corpora.aligned import AlignedTexts, read_lines_aligned
from labse_search.corpora.lines import read_lines
from labse_search.encoder import Encoder
from labse_search.encoder.texts import TEXTS_AT_ONCE, fit_window
from labse_search.errors import UserError
from labse_search.evaluate.pairs import Integers, answer_ranks, pair_accuracy, row_blocks, share
from labse_search.evaluate.report import Report, Row, Section, percent
from labse_search.progress import ProgressLine
from labse_search.similarity import Vectors, normalize

IN_MEMORY_BYTES = 2 << 30  # vectors of one side; above that they lie in a temporary file


@dataclass(frozen=True)
class UnSet:
    """Aligned sentences; `documents[i]` numbers the document of pair i, or is empty."""

    aligned: AlignedTexts
    documents: Integers


def read_un(source: Path, target: Path, documents: Path | None) -> UnSet:
    """Two files with corresponding lines. Documents: a file with a line for every pair whose first word names the
    document (the UN corpus' .ids), or, without it, empty lines in both files between documents."""
    aligned = read_lines_aligned(source, target, f"{source.name} {target.name}")
    pairs = [(a.strip(), b.strip()) for a, b in zip(aligned.sources, aligned.targets, strict=True)]
    if documents is None:
        numbers = np.cumsum([not a and not b for a, b in pairs])
    else:
        names = [(line.split() or [""])[0] for line in read_lines(documents)]
        if len(names) != len(pairs):
            raise UserError(f"{documents} has {len(names):,} lines and {source} {len(pairs):,}: they do not belong")
        numbers = np.unique(names, return_inverse=True)[1]
    full = [row for row, (a, b) in enumerate(pairs) if a and b]
    if not full:
        raise UserError(f"{source} and {target} hold no sentences")
    sources, targets = tuple(pairs[row][0] for row in full), tuple(pairs[row][1] for row in full)
    kept = np.asarray(numbers, dtype=np.int64)[full]
    return UnSet(AlignedTexts(aligned.name, sources, targets), kept if len(np.unique(kept)) > 1 else kept[:0])


def evaluate_un(encoder: Encoder, sets: Sequence[UnSet], *, pools: Sequence[int] = ()) -> Report:
    """`pools`: sizes of smaller pools to measure beside the whole one."""
    sections = []
    sizes = []
    scores = []
    for one in sets:
        with tempfile.TemporaryDirectory() as folder:
            source = _Side.encode(encoder, one.aligned.sources, Path(folder) / "source")
            target = _Side.encode(encoder, one.aligned.targets, Path(folder) / "target")
            rows, hits = _sentences(source, target, pools)
            if len(one.documents):
                rows |= _documents(source, target, one.documents)
        sections.append(Section(f"UN, {one.aligned.name}, P@1 (%)", ("forward", "backward", "pool", "pool back"), rows))
        sizes.append(f"{one.aligned.name} {len(source.vectors)} × {len(target.vectors)} distinct sentences")
        scores.append(hits)
    facts: dict[str, str | int | float] = {"fingerprint": encoder.fingerprint[:12], "pool": "; ".join(sizes)}
    return Report("un", encoder.model, tuple(sections), facts, np.concatenate(scores))


@dataclass(frozen=True)
class _Side:
    """The distinct sentences of one language, in order of first occurrence."""

    vectors: Vectors  # (distinct, dimension), in memory or mapped from a file
    rows: Integers  # (pairs,) which of them each pair has

    @classmethod
    def encode(cls, encoder: Encoder, texts: Sequence[str], file: Path) -> _Side:
        row_of: dict[str, int] = {}
        rows = np.array([row_of.setdefault(text, len(row_of)) for text in texts], dtype=np.int64)
        distinct = list(row_of)
        shape = (len(distinct), encoder.dimension)
        vectors: Vectors = (
            np.empty(shape, dtype=np.float32)
            if shape[0] * shape[1] * 4 <= IN_MEMORY_BYTES
            else np.memmap(file, dtype=np.float32, mode="w+", shape=shape)
        )
        progress = ProgressLine(f"encode {file.name}")
        for start in range(0, len(distinct), TEXTS_AT_ONCE):
            block = fit_window(encoder, distinct[start : start + TEXTS_AT_ONCE])
            vectors[start : start + len(block)] = encoder.encode(block)
            progress(start + len(block), len(distinct))
        return cls(vectors, rows)


def _sentences(source: _Side, target: _Side, pools: Sequence[int]) -> tuple[dict[str, Row], NDArray[Any]]:
    """A row a pool; and per pair the share of the directions that are right in the whole pool."""
    forward = _right_in_pools(source, target, pools)
    backward = _right_in_pools(target, source, pools)
    rows: dict[str, Row] = {}
    for (pool, right), (pool_back, right_back) in zip(forward, backward, strict=True):
        name = "sentences" if pool == len(target.vectors) else f"sentences, pool of {pool:,}"
        rows[name] = (percent(share(right)), percent(share(right_back)), pool, pool_back)
    return rows, (forward[-1][1].astype(float) + backward[-1][1]) / 2


def _right_in_pools(queries: _Side, pool: _Side, pools: Sequence[int]) -> list[tuple[int, NDArray[Any]]]:
    """(size, whether each query whose answer is in the pool found it first) for growing pools, the whole one last.

    A smaller pool is the first sentences of the whole one, so each pool is gone through once."""
    size = len(pool.vectors)
    asked, answers = queries.vectors[queries.rows], pool.vectors[pool.rows]
    ahead = np.zeros(len(asked), dtype=np.int64)
    found, start = [], 0
    for end in [*sorted(end for end in set(pools) if 0 < end < size), size]:
        ahead += answer_ranks(asked, answers, pool.rows - start, row_blocks(pool.vectors[start:end])) - 1
        found.append((end, ahead[pool.rows < end] == 0))
        start = end
    return found


def _documents(source: _Side, target: _Side, documents: Integers) -> dict[str, Row]:
    numbers = np.unique(documents, return_inverse=True)[1]
    means = [_document_vectors(side, numbers) for side in (source, target)]
    accuracy = pair_accuracy(*means)
    return {"documents": (percent(accuracy.forward), percent(accuracy.backward), accuracy.pairs, accuracy.pairs)}


def _document_vectors(side: _Side, documents: Integers) -> Vectors:
    """(documents, dimension): the mean over each document's sentences, of length 1."""
    sums = np.zeros((int(documents.max()) + 1, side.vectors.shape[1]), dtype=np.float64)
    for start in range(0, len(documents), 65536):
        np.add.at(sums, documents[start : start + 65536], side.vectors[side.rows[start : start + 65536]])
    return normalize(sums)
