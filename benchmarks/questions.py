"""Right passages for questions in other languages, models side by side, and BM25.

  python -m benchmarks.questions                          # the shipped model
  python -m benchmarks.questions --model A --model B

The 156 pairs of tests/data/question_passages.jsonl in 25 languages; all 156 passages are the pool of every question. A
passage scores as its best sentence; each model is measured alone, and as the search asks it. They were written without
looking at any model's ranks; nothing trains on them.
"""

from __future__ import annotations

import argparse
import json
import os
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from labse_search.encoder import load_encoder
from labse_search.encoder.hub import LABSE_MINI
from labse_search.evaluate.embedding_cache import EmbeddingCache
from labse_search.evaluate.metrics import rank_documents, reciprocal_rank, success
from labse_search.evaluate.rankers import Bm25Ranker, ModelRanker, Ranker
from labse_search.search.measure import profile_of
from labse_search.settings import Settings

FILE = Path(__file__).resolve().parent.parent / "tests" / "data" / "question_passages.jsonl"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", action="append", help="folder or name; repeat it to compare")
    options = parser.parse_args()
    rankers: list[Ranker] = []
    for model in options.model or [str(LABSE_MINI)]:
        encoder = EmbeddingCache(load_encoder(model))
        profile = profile_of(encoder.encoder, Settings.from_env(os.environ).home)
        rankers += [ModelRanker(encoder), ModelRanker(encoder, profile)]
    print("| ranked by | R@1 same | R@1 across | R@3 across | MRR across |\n|---|---|---|---|---|")
    for ranker in [*rankers, Bm25Ranker()]:
        print(f"| {ranker.name} | " + " | ".join(f"{100 * value:.1f}" for value in measure(ranker)) + " |")


def measure(ranker: Ranker) -> tuple[float, ...]:
    """R@1 in the same language, and R@1, R@3 and MRR across languages."""
    pairs = [json.loads(line) for line in FILE.read_text(encoding="utf-8").splitlines()]
    passages = [pair["passage"] for pair in pairs]
    scores = ranker.scores([pair["question"] for pair in pairs], passages, [pair["passage_language"] for pair in pairs])
    gains = (rank_documents(scores, len(passages)) == np.arange(len(pairs))[:, None]).astype(int)
    across = np.array([pair["question_language"] != pair["passage_language"] for pair in pairs])
    same, others = gains[~across], gains[across]
    return mean(success(same, 1)), mean(success(others, 1)), mean(success(others, 3)), mean(reciprocal_rank(others))


def mean(values: NDArray[np.float64] | Sequence[float]) -> float:
    return float(np.mean(values))


if __name__ == "__main__":
    main()
