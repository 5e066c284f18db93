"""Finding documents for queries with relevance judgements, in BEIR's layout."""

from __future__ import annotations

import numpy as np

from labse_search.evaluate.metrics import (
    Floats,
    average_precision,
    ndcg,
    rank_documents,
    recall,
    reciprocal_rank,
    success,
)
from labse_search.evaluate.rankers import Ranker
from labse_search.evaluate.read import RetrievalSet
from labse_search.evaluate.report import Report, Row, Section, percent

DEPTH = 100  # ranks that count; as in BEIR
QUERIES_AT_ONCE = 1024
COLUMNS = ("R@1", "R@3", "R@10", "R@100", "first in 1", "first in 3", "MRR@10", "nDCG@10", "MAP@100")


def evaluate_retrieval(ranker: Ranker, sets: RetrievalSet, language: str) -> Report:
    """`language` of the documents, for their sentences."""
    documents = list(sets.documents)
    column_of = {document: column for column, document in enumerate(documents)}
    queries = list(sets.queries)
    texts, languages = list(sets.documents.values()), [language] * len(documents)
    width = max(len(judged) for judged in sets.relevant.values())
    gains, ideal = [], np.zeros((len(queries), width))
    for start in range(0, len(queries), QUERIES_AT_ONCE):
        asked = queries[start : start + QUERIES_AT_ONCE]
        order = rank_documents(ranker.scores([sets.queries[query] for query in asked], texts, languages), DEPTH)
        for row, query in enumerate(asked):
            judged = {column_of[document]: gain for document, gain in sets.relevant[query].items()}
            gains.append([judged.get(column, 0) for column in order[row].tolist()])
            ideal[start + row, : len(judged)] = sorted(judged.values(), reverse=True)
    found = np.array(gains, dtype=np.float64)
    return Report(
        task="retrieval",
        model=ranker.name,
        sections=(Section(f"Retrieval, {sets.name} (%)", COLUMNS, {sets.name: _row(found, ideal)}),),
        facts={"queries": len(queries), "pool": f"{len(documents)} documents", **ranker.facts()},
        scores=ndcg(found, ideal, 10),
    )


def _row(gains: Floats, ideal: Floats) -> Row:
    values = [recall(gains, ideal, k) for k in (1, 3, 10, 100)]
    values += [success(gains, k) for k in (1, 3)]
    values += [reciprocal_rank(gains, 10), ndcg(gains, ideal, 10), average_precision(gains, ideal)]
    return tuple(percent(value.mean()) for value in values)
