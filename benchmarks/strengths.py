"""How far "close" can be trusted: in collections of several sizes, questions with and without an answer.

  python -m benchmarks.strengths                                      # the shipped model, up to 900 passages
  python -m benchmarks.strengths --filler ../shared/data/train/wmt_news.tsv.xz --sizes 4,180,3600,50000

The 156 questions of tests/data/question_passages.jsonl, which no profile was fitted on, each asked twice: with its
answer among the passages, and without it, the other 155 answers, which are often about the same, and the fillers
staying. "whole" are the odds of passages behind the first six, "late" those of the six, compared token by token, by the
profile of the model alone, and "scored" the same beside what shipped questions find in the collection, as they are
told. AUC: right first hits against unanswerable questions. Prints a table
and draws the reliability of the scored probabilities into benchmarks/results/strengths.png.
"""

from __future__ import annotations

import argparse
import json
import os
from collections.abc import Sequence
from itertools import islice
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from labse_search.corpora.pairs import read_pairs
from labse_search.encoder import Encoder, TokenStates, load_encoder
from labse_search.encoder.texts import encode_texts, fit_window
from labse_search.search.late import question_tokens, read_tokens, token_cosines
from labse_search.search.measure import DATA, FOUND, calibration_questions, first_one, profile_of
from labse_search.search.profile import ModelProfile, log_odds, usual_odds
from labse_search.search.refining import FINER
from labse_search.settings import Settings
from labse_search.similarity import Vectors

ROOT = Path(__file__).resolve().parent.parent
PLOT = ROOT / "benchmarks" / "results" / "strengths.png"
BINS = 10
SAMPLE = 1000
DRAWN_FROM = 22_500  # texts of the filler files: whatever the sizes, fillers are in the same languages


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
    questions = [pair["question"] for pair in pairs]
    passages = [pair["passage"] for pair in pairs] + filler_texts(options.filler, max(options.sizes))
    asked = profile.neutral(encode_texts(encoder, questions, "query"))
    pool = profile.neutral(encode_texts(encoder, passages, "document"))
    others = calibration_questions()[::2]
    late = Late(encoder, profile, [*questions, *others], passages)
    unanswerable = profile.neutral(encode_texts(encoder, others, "query"))
    every = []
    print("| passages | compared | first right | close or better, unanswerable | close or better, first right "
          "| ECE | AUC |\n|---|---|---|---|---|---|---|")  # fmt: skip
    for size in options.sizes:
        if size > len(passages):
            print(f"| {size:,} | there are only {len(passages):,} passages |||||| ")
            continue
        for name, cases in asked_twice(profile, (asked, unanswerable), pool, late, size).items():
            close = {"whole": profile.whole, "late": profile.late, "scored": profile.scored}[name].close
            print(f"| {size:,} | {name} | {row(cases, close)} |", flush=True)
            every += [cases] if name == "scored" else []
    joined = np.concatenate(every)
    print(
        f"\nall sizes together, scored: expected calibration error {calibration_error(joined[:, 0], joined[:, 1]):.3f}"
    )
    draw(joined[:, 0], joined[:, 1], options.model)


def row(cases: NDArray[np.float64], close: float) -> str:
    chance, right, answerable = cases.T
    figures = (right[answerable == 1], chance[answerable == 0] >= close, chance[right == 1] >= close)
    shares = " | ".join(f"{100 * np.mean(values):.0f} %" for values in figures)
    above = chance[right == 1][:, None] - chance[answerable == 0][None, :]
    return f"{shares} | {calibration_error(chance, right):.3f} | {np.mean((above > 0) + (above == 0) / 2):.3f}"


def filler_texts(files: Sequence[str], limit: int) -> list[str]:
    if not files:
        own = [line.split("\t")[-1] for name in ("calibration.tsv", "declaration.tsv")
               for line in (DATA / name).read_text(encoding="utf-8").splitlines()]  # fmt: skip
        return own[:limit]
    texts = (text for file in files for pair in read_pairs(file) for text in (pair.source, pair.target))
    first = list(islice(dict.fromkeys(texts), max(limit, DRAWN_FROM)))
    return [first[at] for at in np.random.default_rng(0).permutation(len(first))[:limit]]


class Late:
    """How close passages are by late interaction; each is read when it is asked for first."""

    def __init__(self, encoder: Encoder, profile: ModelProfile, questions: Sequence[str], passages: Sequence[str]):
        self.encoder, self.mean, self.passages = encoder, profile.token_mean, fit_window(encoder, passages)
        self.questions = [question_tokens(encoder, fit_window(encoder, [one]), self.mean) for one in questions]
        self.known: dict[int, TokenStates] = {}

    def closeness(self, question: int, passages: NDArray[np.int64]) -> NDArray[np.float64]:
        """(n,) of these passages to one of the questions."""
        new = [number for number in passages.tolist() if number not in self.known]
        texts = [self.passages[number] for number in new]
        found = read_tokens(self.encoder, texts, [[(0, len(text))] for text in texts], ["document"] * len(texts))
        self.known.update(zip(new, found, strict=True))
        asked = self.questions[question]
        cosines = (token_cosines(asked, self.known[number].states, self.mean) for number in passages.tolist())
        return np.array([one.max(axis=1).mean() for one in cosines], np.float64)


def asked_twice(
    profile: ModelProfile, questions: tuple[Vectors, Vectors], pool: Vectors, late: Late, size: int
) -> dict[str, NDArray[np.float64]]:
    """By whole passages, by late interaction, and scored (2 × questions, 3): probability of the first passage, whether
    it is the right one, whether there is one. `questions`: those whose answers the pool begins with, and those that
    nothing answers, which `late` numbers after them."""
    rng = np.random.default_rng(size)
    rows: dict[str, list[tuple[float, bool, bool]]] = {"whole": [], "late": []}
    for number, question in enumerate(questions[0]):
        chosen = rng.choice(np.delete(np.arange(len(pool)), number), size - 1, replace=False)
        for with_answer in (True, False):
            there = np.append(chosen, number) if with_answer else chosen
            for name, (chance, first) in first_of(profile, question, number, pool, late, there).items():
                rows[name].append((chance, with_answer and first == number, with_answer))
    found = {name: np.array(cases, np.float64) for name, cases in rows.items()}
    unanswered = []
    for number, question in enumerate(questions[1], len(questions[0])):
        there = rng.choice(len(pool), size, replace=False)
        unanswered.append(first_of(profile, question, number, pool, late, there)["late"][0])
    scored = found["late"].copy()
    scored[:, 0] = profile.scored.probability(scored[:, 0], *usual_odds(log_odds(unanswered)))
    return {**found, "scored": scored}


def first_of(
    profile: ModelProfile,
    question: NDArray[np.float32],
    number: int,
    pool: Vectors,
    late: Late,
    there: NDArray[np.int64],
) -> dict[str, tuple[float, int]]:
    """The probability of the first one of these passages and which it is, by whole passages and by late interaction."""
    whole = pool[there] @ question
    sample = np.random.default_rng(number).choice(whole, min(SAMPLE, len(there)), replace=False)
    found = there[np.argsort(-whole, kind="stable")[:FOUND]]
    rows: dict[str, tuple[float, int]] = {}
    first, closeness, beside = first_one(pool[found] @ question, pool[found], profile.translation)
    rows["whole"] = profile.probability(np.array([closeness]), beside, sample, len(there))[0], found[first]
    finer = found[:FINER]
    first, closeness, beside = first_one(late.closeness(number, finer), pool[finer], profile.translation)
    rows["late"] = profile.late_probability(np.array([closeness]), beside, sample, len(there))[0], finer[first]
    return rows


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
