"""Ranking metrics by hand and against sentence-transformers, BM25, and documents as their best sentence."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from lexicon import make_lexicon_model, random_concepts, sentence

from labse_search.encoder import load_encoder
from labse_search.evaluate.embedding_cache import EmbeddingCache
from labse_search.evaluate.metrics import (
    average_precision,
    ndcg,
    rank_documents,
    recall,
    reciprocal_rank,
    success,
)
from labse_search.evaluate.rankers import Bm25Ranker, ModelRanker
from labse_search.evaluate.read import RetrievalSet
from labse_search.evaluate.retrieval import COLUMNS, evaluate_retrieval

GAINS = np.array([[0, 2, 0, 1], [0, 0, 0, 0], [1, 0, 0, 0]])
IDEAL = np.array([[2, 1, 1], [1, 0, 0], [1, 0, 0]])


def test_metrics_by_hand() -> None:
    assert success(GAINS, 1).tolist() == [0, 0, 1]
    assert success(GAINS, 2).tolist() == [1, 0, 1]
    assert recall(GAINS, IDEAL, 2).tolist() == pytest.approx([1 / 3, 0, 1])
    assert reciprocal_rank(GAINS).tolist() == [0.5, 0, 1]
    assert reciprocal_rank(GAINS, 1).tolist() == [0, 0, 1]
    assert average_precision(GAINS, IDEAL).tolist() == pytest.approx([(1 / 2 + 2 / 4) / 3, 0, 1])
    best = 2 + 1 / np.log2(3) + 1 / np.log2(4)
    assert ndcg(GAINS, IDEAL, 10)[0] == pytest.approx((2 / np.log2(3) + 1 / np.log2(5)) / best)
    assert ndcg(GAINS, IDEAL, 1).tolist() == [0, 0, 1]


def test_ranking_a_part_equals_sorting_all_even_with_ties() -> None:
    scores = np.random.default_rng(0).integers(0, 6, (40, 30)).astype(np.float32)
    expected = np.argsort(-scores, axis=1, kind="stable")
    for depth in (1, 7, 29, 30, 99):
        assert rank_documents(scores, depth).tolist() == expected[:, :depth].tolist()


def test_agrees_with_the_information_retrieval_evaluator(tmp_path: Path) -> None:
    from sentence_transformers import SentenceTransformer
    from sentence_transformers.sentence_transformer.evaluation import InformationRetrievalEvaluator

    folder = make_lexicon_model(tmp_path / "model", noise=1.2)
    concepts = random_concepts(150, seed=1)
    documents = {f"d{i}": sentence("de", words) for i, words in enumerate(concepts)}
    queries = {f"q{i}": sentence("en", words[:4]) for i, words in enumerate(concepts[:60])}
    relevant = {f"q{i}": {f"d{i}": 1} | ({f"d{i + 60}": 1} if i % 3 == 0 else {}) for i in range(60)}
    ours = evaluate_retrieval(
        ModelRanker(EmbeddingCache(load_encoder(str(folder)))),
        RetrievalSet("x", documents, queries, relevant),
        "de",
    )
    row = dict(zip(COLUMNS, ours.sections[0].rows["x"], strict=True))
    theirs = InformationRetrievalEvaluator(
        queries, documents, {query: set(judged) for query, judged in relevant.items()}, name="x", write_csv=False
    )(SentenceTransformer(str(folder), device="cpu"))
    names = {
        "R@1": "recall@1", "R@3": "recall@3", "R@10": "recall@10", "first in 1": "accuracy@1",
        "first in 3": "accuracy@3", "MRR@10": "mrr@10", "nDCG@10": "ndcg@10", "MAP@100": "map@100",
    }  # fmt: skip
    assert 20 < (row["R@1"] or 0) < 95
    for name, their_name in names.items():
        assert row[name] == pytest.approx(100 * theirs[f"x_cosine_{their_name}"], abs=0.02), name


def test_a_document_counts_as_its_best_sentence(tmp_path: Path) -> None:
    encoder = load_encoder(str(make_lexicon_model(tmp_path / "model")))
    good, noise = sentence("de", [1, 2, 3]), sentence("de", list(range(50, 90)))
    ranker = ModelRanker(EmbeddingCache(encoder))
    scores = ranker.scores([sentence("en", [1, 2, 3])], [f"{noise} . {good} .", noise], ["de", "de"])
    assert ranker.sentences("Erster Satz. Zweiter Satz.", "de") == ["Erster Satz.", "Zweiter Satz."]
    assert scores.shape == (1, 2)
    assert ranker.sentences("", "de") == [""]


def test_documents_score_at_least_as_their_parts(tmp_path: Path) -> None:
    encoder = load_encoder(str(make_lexicon_model(tmp_path / "model")))
    ranker = ModelRanker(EmbeddingCache(encoder))
    first, second, query = sentence("de", [1, 2]) + ".", "Und " + sentence("de", [7, 8]) + ".", sentence("en", [7, 8])
    together, alone = ranker.scores([query], [f"{first} {second}", second], ["de", "de"])[0]
    assert together == pytest.approx(alone)


def test_bm25_by_the_formula() -> None:
    documents = ["red fish red", "blue fish", "green tree house stone"]
    scores = Bm25Ranker().scores(["red fish", "猫"], documents, ["en"] * 3)
    average, k1, b = 3.0, 1.2, 0.75

    def weight(count: int, length: int, holding: int) -> float:
        idf = np.log(1 + (3 - holding + 0.5) / (holding + 0.5))
        return float(idf * count * (k1 + 1) / (count + k1 * (1 - b + b * length / average)))

    assert scores[0] == pytest.approx([weight(2, 3, 1) + weight(1, 3, 2), weight(1, 2, 2), 0])
    assert scores[1].tolist() == [0, 0, 0]
