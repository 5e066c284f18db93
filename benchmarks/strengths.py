"""How far "close" can be trusted: in collections of several sizes, questions with and without an answer.

  python -m benchmarks.strengths                                      # the shipped model, up to 900 passages
  python -m benchmarks.strengths --filler ../shared/data/train/wmt_news.tsv.xz --sizes 4,180,3600,50000

The 156 questions of tests/data/question_passages.jsonl, which no profile was fitted on, each asked twice: with its
answer among the passages, and without it, the other 155 answers, which are often about the same, and the fillers
staying. Prints a table and draws the reliability of the probabilities into benchmarks/results/strengths.png.
"""

from __future__ import annotations

import argparse
import json
import os
from collections.abc import Sequence
from itertools import islice
from pathlib import Path

import numpy as np
import sentencex
from numpy.typing import NDArray

from labse_search.corpora.pairs import read_pairs
from labse_search.encoder import Encoder, load_encoder
from labse_search.encoder.texts import encode_texts
from labse_search.search.measure import DATA, first_one, profile_of
from labse_search.search.profile import ModelProfile
from labse_search.settings import Settings
from labse_search.similarity import Vectors

ROOT = Path(__file__).resolve().parent.parent
PLOT = ROOT / "benchmarks" / "results" / "strengths.png"
BINS = 10
SAMPLE = 1000


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", default="labse-mini")
    parser.add_argument("--filler", action="append", default=[], help="a file of pairs whose texts are passages, too")
    parser.add_argument("--sizes", type=lambda text: [int(size) for size in text.split(",")], default=[4, 180, 900])
    options = parser.parse_args()
    encoder = load_encoder(options.model)
    profile = profile_of(encoder, Settings.from_env(os.environ).home)
    lines = (ROOT / "tests" / "data" / "question_passages.jsonl").read_text(encoding="utf-8").splitlines()
    pairs = [json.loads(line) for line in lines]
    questions = profile.neutral(encode_texts(encoder, [pair["question"] for pair in pairs], "query"))
    passages = profile.neutral(encode_texts(encoder, [pair["passage"] for pair in pairs], "document"))
    sentences = closest_sentences(encoder, profile, questions, passages, pairs)
    fillers = profile.neutral(encode_texts(encoder, filler_texts(options.filler, max(options.sizes)), "document"))
    every = []
    print("| passages | first right, answerable | close or better, unanswerable | close or better, first right | ECE |")
    print("|---|---|---|---|---|")
    for size in options.sizes:
        if size > len(passages) + len(fillers):
            print(f"| {size:,} | there are only {len(passages) + len(fillers):,} passages |||| ")
            continue
        cases = asked_twice(profile, questions, sentences, passages, fillers, size)
        every.append(cases)
        chance, right, answerable = cases.T
        close = chance >= profile.close
        figures = (right[answerable == 1], close[answerable == 0], close[right == 1])
        shares = " | ".join(f"{100 * np.mean(values):.0f} %" for values in figures)
        print(f"| {size:,} | {shares} | {calibration_error(chance, right):.3f} |")
    joined = np.concatenate(every)
    print(f"\nall sizes together: expected calibration error {calibration_error(joined[:, 0], joined[:, 1]):.3f}")
    draw(joined[:, 0], joined[:, 1], options.model)


def filler_texts(files: Sequence[str], limit: int) -> list[str]:
    if not files:
        own = [line.split("\t")[-1] for name in ("calibration.tsv", "declaration.tsv")
               for line in (DATA / name).read_text(encoding="utf-8").splitlines()]  # fmt: skip
        return own[:limit]
    texts = (text for file in files for pair in read_pairs(file) for text in (pair.source, pair.target))
    return list(islice(dict.fromkeys(texts), limit))


def closest_sentences(
    encoder: Encoder, profile: ModelProfile, questions: Vectors, passages: Vectors, pairs: list[dict[str, str]]
) -> Vectors:
    """(questions, passages) cosines to the closest sentence of each passage, as the search compares them."""
    split = [list(sentencex.segment(pair["passage_language"], pair["passage"])) for pair in pairs]
    vectors = profile.neutral(encode_texts(encoder, [one for part in split for one in part], "document"))
    closest = np.maximum.reduceat(questions @ vectors.T, np.cumsum([0, *map(len, split)])[:-1], axis=1)
    return np.where([len(part) > 1 for part in split], closest + profile.gap, questions @ passages.T)


def asked_twice(
    profile: ModelProfile, questions: Vectors, sentences: Vectors, passages: Vectors, fillers: Vectors, size: int
) -> NDArray[np.float64]:
    """(2 × questions, 3): probability of the first passage, whether it is the right one, whether there is one. Fillers
    have one sentence."""
    rng = np.random.default_rng(size)
    rows = []
    pool = np.concatenate([passages, fillers])
    for number, question in enumerate(questions):
        others = np.delete(np.arange(len(pool)), number)
        chosen = rng.choice(others, size - 1, replace=False)
        whole = pool @ question
        closest = np.concatenate([sentences[number], whole[len(passages) :]])
        for with_answer in (True, False):
            there = np.append(chosen, number) if with_answer else chosen
            sample = rng.choice(whole[there], min(SAMPLE, len(there)), replace=False)
            row, closeness, beside = first_one(whole[there], closest[there], pool[there], profile.translation)
            chance = profile.probability(np.array([closeness]), beside, sample, len(there))[0]
            rows.append((chance, with_answer and there[row] == number, with_answer))
    return np.array(rows, np.float64)


def calibration_error(chance: NDArray[np.float64], right: NDArray[np.float64]) -> float:
    """Expected calibration error over ten bins of equal width."""
    bins = np.clip((chance * BINS).astype(int), 0, BINS - 1)
    gaps = [abs(chance[bins == b].mean() - right[bins == b].mean()) * (bins == b).mean() for b in set(bins.tolist())]
    return float(sum(gaps))


def draw(chance: NDArray[np.float64], right: NDArray[np.float64], model: str) -> None:
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    bins = np.clip((chance * BINS).astype(int), 0, BINS - 1)
    there = sorted(set(bins.tolist()))
    figure, axes = pyplot.subplots(figsize=(5, 5))
    axes.plot([0, 1], [0, 1], color="0.7")
    axes.plot([chance[bins == b].mean() for b in there], [right[bins == b].mean() for b in there], "o-")
    axes.set(xlabel="probability that the first passage answers", ylabel="share that does", title=model)
    PLOT.parent.mkdir(exist_ok=True)
    figure.savefig(PLOT, dpi=100, bbox_inches="tight")
    print(f"reliability plot: {PLOT.relative_to(ROOT)}")


if __name__ == "__main__":
    main()
