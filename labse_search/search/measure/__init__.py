"""Measure a model once, so that its answers can say how good they are.

In: an encoder, and the texts beside this file (README.md says whose they are). Out: a `ModelProfile`, saved beside the
model's weights by `python -m labse_search.search.measure MODEL`, or in the home by the first search. 1,100 short texts
are encoded: seconds for labse-mini, a minute for LaBSE.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import sentencex
from numpy.typing import NDArray

from labse_search.encoder import Encoder
from labse_search.encoder.hub import find_model
from labse_search.encoder.texts import encode_texts
from labse_search.search.profile import (
    FILE,
    UNMEASURED,
    ModelProfile,
    Others,
    Pool,
    background,
    load_profile,
    others_of,
    sigmoid,
)
from labse_search.similarity import Vectors

log = logging.getLogger(__name__)
_measuring = threading.Lock()  # first questions that come together wait for one measurement

DATA = Path(__file__).parent
DIRECTIONS = (0, 10, 20, 30, 45)  # how many are tried
SAME_RANK = 0.01  # of the mean reciprocal rank: less is the chance of rounding, and fewer directions are as good
SIZES = (4, 12, 40, 118, 700)  # of the collections that the odds are fitted on
FOUND, SHOWN = 20, 10  # passages of an answer that rivals are looked for among, and that come in the finer order
GAP_AMONG = 5  # passages that come first for a question
SAMPLE = 1000  # passages, at most, that say what is usual
UNANSWERABLE_CLOSE = 0.1  # share of unanswerable questions, at most, whose best passage may be called close
LEAST_CLOSE, MOST_CLOSE = 0.3, 0.6
TRANSLATION_ERRORS = 0.001  # share of texts that are no translations of each other, at most, taken for some

Pairs = tuple[Vectors, Vectors]  # questions and the passages that answer them, row by row


def profile_of(encoder: Encoder, home: Path) -> ModelProfile:
    """The encoder's profile: from its folder, from the home, or measured now and kept in the home."""
    kept = home / "profiles" / f"{encoder.fingerprint}.json"
    with _measuring:
        for path in (find_model(encoder.model) / FILE, kept):
            profile = load_profile(path, encoder.fingerprint)
            if profile is not None:
                return profile
        log.info("measuring the model %s once, to tell how good its answers are", encoder.model)
        profile = measure(encoder)
        profile.save(kept)
        return profile


def measure(encoder: Encoder) -> ModelProfile:
    """Encode the shipped texts and fit everything that a profile holds."""
    pairs = [line.split("\t") for line in _lines("calibration.tsv")]
    articles = [line.split("\t") for line in _lines("declaration.tsv")]
    questions = encode_texts(encoder, [pair[2] for pair in pairs], "query")
    passages = encode_texts(encoder, [pair[3] for pair in pairs], "document")
    declaration = encode_texts(encoder, [article[2] for article in articles], "document")
    all_directions = language_directions(declaration, [a[0] for a in articles], [a[1] for a in articles])
    ranks = {n: _reciprocal_rank(*(_without(side, all_directions[:n]) for side in (questions, passages)))
             for n in DIRECTIONS}  # fmt: skip
    directions = all_directions[: next(n for n in DIRECTIONS if ranks[n] >= max(ranks.values()) - SAME_RANK)]
    neutral = (_without(questions, directions), _without(passages, directions))
    whole = neutral[0] @ neutral[1].T
    unrelated = whole[~np.eye(len(pairs), dtype=bool)]
    usual = float(np.median(unrelated))
    spread = float(np.percentile(unrelated, 97.5) - usual) / 1.96
    sentences, several = _sentence_cosines(encoder, neutral[0], pairs, directions)
    gap = sentence_gap(whole[:, several], sentences[:, several])
    closest = np.where(several, sentences + gap, whole)
    translation = _translation(_without(declaration, directions), articles)
    cases = fitting_cases(neutral, closest, _without(declaration, directions), (usual, spread), translation)
    weights = logistic(cases[:, :4], cases[:, 4])
    probabilities = sigmoid(weights[0] + cases[:, :4] @ weights[1:])
    return ModelProfile(
        fingerprint=encoder.fingerprint,
        directions=directions,
        usual=usual,
        spread=spread,
        gap=gap,
        intercept=float(weights[0]),
        closeness=float(weights[1]),
        rival=float(weights[2]),
        company=float(weights[3]),
        size=float(weights[4]),
        close=_close(probabilities, cases),
        translation=translation,
        translation_odds=_translation_odds(_without(declaration, directions), articles),
    )


def language_directions(vectors: Vectors, languages: Sequence[str], texts: Sequence[str]) -> Vectors:
    """(r, dimension) orthonormal, the telling ones first: in which the means of the languages differ. `vectors` (n,
    dimension) are of the same texts in many languages; what a text says is taken out before."""
    of_text, of_language = np.array(texts), np.array(languages)
    apart = vectors - np.stack([vectors[of_text == text].mean(axis=0) for text in texts])
    means = np.stack([apart[of_language == language].mean(axis=0) for language in dict.fromkeys(languages)])
    found = np.linalg.svd(means - means.mean(axis=0), full_matrices=False)[2]
    return np.asarray(found[: max(DIRECTIONS)], np.float32)


def sentence_gap(whole: NDArray[np.floating], closest: NDArray[np.floating]) -> float:
    """By how much the closest sentences of the passages that come first lie further from the questions than the whole
    passages: cosines (questions, passages) of both."""
    first = np.argsort(-whole, axis=1)[:, :GAP_AMONG]
    return float((np.take_along_axis(whole, first, 1) - np.take_along_axis(closest, first, 1)).mean())


def fitting_cases(
    pairs: Pairs, closest: NDArray[np.floating], others: Vectors, usual: tuple[float, float], same: float
) -> NDArray[np.float64]:
    """(cases, 7): closeness, rival and company of the first passage less what is usual, spread · ln(passages), whether
    it answers, whether any does, how many passages there are. Every question is asked twice in collections of several
    sizes: with its answer among the passages, and without. `closest` (questions, passages) are the cosines of the
    passages' closest sentences and the gap, `others` (n, dimension) further passages."""
    rng = np.random.default_rng(0)
    questions, passages = pairs
    vectors = np.concatenate([passages, others])
    whole = questions @ vectors.T
    closest = np.concatenate([closest, whole[:, len(passages) :]], axis=1)
    rows: list[tuple[float, ...]] = []
    for size in SIZES:
        for i in range(len(questions)):
            chosen = rng.permutation(np.delete(np.arange(len(vectors)), i))[: size - 1]
            for answered in (True, False):
                there = np.append(chosen, i) if answered else chosen
                at, deviation = background(rng.permutation(whole[i, there])[:SAMPLE], *usual)
                size_there = deviation * np.log(len(there))
                row, closeness, beside = first_one(whole[i, there], closest[i, there], vectors[there], same)
                apart = (0.0 if np.isnan(value) else value - at for value in (*beside.rival, *beside.company))
                right = answered and there[row] == i
                rows.append((closeness - at, *apart, size_there, right, answered, size))
    return np.array(rows, np.float64)


def first_one(
    whole: NDArray[np.floating], closest: NDArray[np.floating], vectors: Vectors, same: float
) -> tuple[int, float, Others]:
    """The row of the passage that comes first, how close it is, and what stands beside it, as a search finds it: the
    closest as a whole (n,), in the order of the mean with their closest sentence (n,)."""
    found = np.argsort(-whole, kind="stable")[:FOUND]
    mean = (whole + closest) / 2
    first = found[:SHOWN][[mean[found[:SHOWN]].argmax()]]
    beside = others_of(Pool(whole[first], vectors[first]), Pool(whole[found], vectors[found]), same)
    return int(first[0]), float(mean[first[0]]), beside


def logistic(features: NDArray[np.float64], right: NDArray[np.float64]) -> NDArray[np.float64]:
    """(1 + features,) weights of a logistic regression, the intercept first: Newton's method, a little ridge."""
    inputs = np.column_stack([np.ones(len(features)), features])
    weights = np.zeros(inputs.shape[1])
    for _ in range(50):
        odds = sigmoid(inputs @ weights)
        slope = inputs.T @ (odds - right) + 1e-3 * weights
        curve = (inputs * (odds * (1 - odds))[:, None]).T @ inputs + 1e-3 * np.eye(len(weights))
        step = np.linalg.solve(curve, slope)
        weights -= step
        if np.abs(step).max() < 1e-8:
            break
    return weights


def _close(probabilities: NDArray[np.float64], cases: NDArray[np.float64]) -> float:
    """The probability that few unanswerable questions reach, on average over the sizes."""
    unanswerable = [probabilities[(cases[:, 5] == 0) & (cases[:, 6] == size)] for size in SIZES]
    reached = np.mean([np.quantile(values, 1 - UNANSWERABLE_CLOSE) for values in unanswerable])
    return float(np.clip(reached, LEAST_CLOSE, MOST_CLOSE))


def _translation(vectors: Vectors, articles: Sequence[Sequence[str]]) -> float:
    """The cosine that hardly two texts in different languages reach that are no translations of each other."""
    language, article = (np.array([one[key] for one in articles]) for key in (0, 1))
    apart = (language[:, None] != language) & (article[:, None] != article)
    return float(np.quantile((vectors @ vectors.T)[apart], 1 - TRANSLATION_ERRORS))


def _translation_odds(vectors: Vectors, articles: Sequence[Sequence[str]]) -> tuple[float, float]:
    """Intercept and weight of the cosine in the log-odds that the closest of the texts in another language is a
    translation: each text meets every language twice, with its translation among the texts and without."""
    language, article = (np.array([one[key] for one in articles]) for key in (0, 1))
    cosines = vectors @ vectors.T
    features, right = [], []
    for other in dict.fromkeys(language.tolist()):
        columns = language == other
        part = cosines[np.ix_(~columns, columns)]
        same = article[~columns][:, None] == article[columns][None, :]
        known = same.any(axis=1)
        best = part.max(axis=1)
        features += [best[known], np.where(same, -1.0, part).max(axis=1)]
        right += [np.where(same, part, -1.0).max(axis=1)[known] == best[known], np.zeros(len(part), bool)]
    weights = logistic(np.concatenate(features)[:, None].astype(np.float64), np.concatenate(right).astype(np.float64))
    return float(weights[0]), float(weights[1])


def _sentence_cosines(
    encoder: Encoder, questions: Vectors, pairs: Sequence[Sequence[str]], directions: Vectors
) -> tuple[NDArray[np.float32], NDArray[np.bool_]]:
    """(questions, passages) cosines of neutral questions to the closest sentence of each passage, and which passages
    (passages,) have several sentences."""
    split = [[part.strip() for part in sentencex.segment(pair[1], pair[3]) if part.strip()] for pair in pairs]
    vectors = encode_texts(encoder, [sentence for part in split for sentence in part], "document")
    starts = np.cumsum([0, *map(len, split)])[:-1]
    cosines = questions @ _without(vectors, directions).T
    return np.asarray(np.maximum.reduceat(cosines, starts, axis=1)), np.array([len(part) > 1 for part in split])


def _without(vectors: Vectors, directions: Vectors) -> Vectors:
    return replace(UNMEASURED, directions=directions).neutral(vectors)


def _reciprocal_rank(questions: Vectors, passages: Vectors) -> float:
    cosines = questions @ passages.T
    ranks = 1 + (cosines > np.diag(cosines)[:, None]).sum(axis=1)
    return float((1 / ranks).mean())


def _lines(name: str) -> list[str]:
    return (DATA / name).read_text(encoding="utf-8").splitlines()
