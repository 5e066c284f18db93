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
from numpy.typing import NDArray

from labse_search.encoder import Encoder, Task, TokenStates
from labse_search.encoder.hub import find_model
from labse_search.encoder.texts import encode_texts, fit_window
from labse_search.search.late import question_tokens, read_tokens, token_cosines
from labse_search.search.profile import (
    FILE,
    UNMEASURED,
    ModelProfile,
    Odds,
    Others,
    Pool,
    ScoredOdds,
    background,
    load_profile,
    others_of,
    sigmoid,
    standard_scores,
    usual_odds,
)
from labse_search.search.refining import FINER
from labse_search.similarity import Vectors

log = logging.getLogger(__name__)
_measuring = threading.Lock()  # first questions that come together wait for one measurement

DATA = Path(__file__).parent
DIRECTIONS = (0, 10, 20, 30, 45)  # how many are tried
SAME_RANK = 0.01  # of the mean reciprocal rank: less is the chance of rounding, and fewer directions are as good
SIZES = (4, 12, 40, 118, 700)  # of the collections that the odds are fitted on
FEW = 40  # passages: with fewer of them, what comes first for a question without an answer is far away by chance
FOUND = 20  # passages of an answer that rivals are looked for among
SAMPLE = 1000  # passages, at most, that say what is usual
UNANSWERABLE_CLOSE = 0.1  # share of unanswerable questions, at most, whose best passage may be called close
LEAST_CLOSE, MOST_CLOSE = 0.3, 0.6
TRANSLATION_ERRORS = 0.001  # share of texts that are no translations of each other, at most, taken for some

Pairs = tuple[Vectors, Vectors]  # questions, and passages of which the first answer them, row by row


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
    texts = [*(pair[3] for pair in pairs), *(article[2] for article in articles)]
    token_mean, late = late_interaction(encoder, [pair[2] for pair in pairs], texts, len(pairs))
    translation = _translation(_without(declaration, directions), articles)
    found = (neutral[0], np.concatenate([neutral[1], _without(declaration, directions)]))
    late_usual = float(np.median(late[:, len(pairs) :]))
    cases = fitting_cases(found, late - late_usual, (usual, spread), translation)
    late_odds = _odds(cases[1])
    return ModelProfile(
        fingerprint=encoder.fingerprint,
        directions=directions,
        token_mean=token_mean,
        usual=usual,
        spread=spread,
        late_usual=late_usual,
        whole=_odds(cases[0]),
        late=late_odds,
        scored=_scored(late_odds, cases[1]),
        translation=translation,
        translation_odds=_translation_odds(_without(declaration, directions), articles),
    )


def late_interaction(
    encoder: Encoder, questions: Sequence[str], texts: Sequence[str], answers: int
) -> tuple[Vectors, NDArray[np.float32]]:
    """The mean (width,) of the tokens of the texts after the first `answers`, and how close each text is to each
    question by late interaction (questions, texts)."""
    tokens = _tokens(encoder, texts, "document")
    mean = np.concatenate([one.states for one in tokens[answers:]]).mean(axis=0)
    starts = np.cumsum([0, *(len(one.spans) for one in tokens)])[:-1]
    every = np.concatenate([one.states for one in tokens])
    rows = []
    for question in questions:
        cosines = token_cosines(question_tokens(encoder, fit_window(encoder, [question]), mean), every, mean)
        rows.append(np.maximum.reduceat(cosines, starts, axis=1).mean(axis=0))
    return np.asarray(mean, np.float32), np.array(rows, np.float32)


def _tokens(encoder: Encoder, texts: Sequence[str], task: Task) -> list[TokenStates]:
    fitted = fit_window(encoder, texts)
    return read_tokens(encoder, fitted, [[(0, len(text))] for text in fitted], [task] * len(texts))


def language_directions(vectors: Vectors, languages: Sequence[str], texts: Sequence[str]) -> Vectors:
    """(r, dimension) orthonormal, the telling ones first: in which the means of the languages differ. `vectors` (n,
    dimension) are of the same texts in many languages; what a text says is taken out before."""
    of_text, of_language = np.array(texts), np.array(languages)
    apart = vectors - np.stack([vectors[of_text == text].mean(axis=0) for text in texts])
    means = np.stack([apart[of_language == language].mean(axis=0) for language in dict.fromkeys(languages)])
    found = np.linalg.svd(means - means.mean(axis=0), full_matrices=False)[2]
    return np.asarray(found[: max(DIRECTIONS)], np.float32)


def fitting_cases(
    found: Pairs, late: NDArray[np.floating], usual: tuple[float, float], same: float
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Two tables (cases, 7), by whole passages and by late interaction: closeness, rival and company of the first
    passage less what is usual, spread · ln(passages), whether it answers, whether any does, how many passages there
    are. Every question is asked twice in collections of several sizes: with its answer among the passages, and without.
    `found`: the questions, and the passages (n, dimension) of which the first answer them, row by row; `late`
    (questions, n) less what is usual."""
    rng = np.random.default_rng(0)
    questions, vectors = found
    whole = questions @ vectors.T
    tables: tuple[list[tuple[float, ...]], list[tuple[float, ...]]] = ([], [])
    for size in SIZES:
        for i in range(len(questions)):
            chosen = rng.permutation(np.delete(np.arange(len(vectors)), i))[: size - 1]
            for answered in (True, False):
                there = np.append(chosen, i) if answered else chosen
                at, deviation = background(rng.permutation(whole[i, there])[:SAMPLE], *usual)
                size_there = deviation * np.log(len(there))
                there = there[np.argsort(-whole[i, there], kind="stable")[:FOUND]]
                finer = there[:FINER]
                for table, those, closeness in zip(
                    tables, (there, finer), (whole[i, there] - at, late[i, finer]), strict=True
                ):
                    row, first, beside = first_one(closeness, vectors[those], same)
                    apart = np.nan_to_num((*beside.rival, *beside.company)).tolist()
                    right = answered and those[row] == i
                    table.append((first, *apart, size_there, right, answered, size))
    return np.array(tables[0], np.float64), np.array(tables[1], np.float64)


def first_one(closeness: NDArray[np.floating], vectors: Vectors, same: float) -> tuple[int, float, Others]:
    """The row of the passage that comes first among those as close as this (n,), how close it is, and what stands
    beside it."""
    first = [int(closeness.argmax())]
    beside = others_of(Pool(closeness[first], vectors[first]), Pool(closeness, vectors), same)
    return first[0], float(closeness[first[0]]), beside


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


def _odds(cases: NDArray[np.float64]) -> Odds:
    """Fitted on one table of `fitting_cases`."""
    weights = logistic(cases[:, :4], cases[:, 4])
    probabilities = sigmoid(weights[0] + cases[:, :4] @ weights[1:])
    intercept, closeness, rival, company, size = map(float, weights)
    return Odds(intercept, closeness, rival, company, size, _close(probabilities, cases, SIZES))


def _scored(odds: Odds, cases: NDArray[np.float64]) -> ScoredOdds:
    """Fitted on the table by late interaction: the questions without an answer are those that are unanswered."""
    values = odds.intercept + cases[:, :4] @ np.array([odds.closeness, odds.rival, odds.company, odds.size])
    usual = {size: usual_odds(_unanswerable(values, cases, size)) for size in SIZES}
    means, deviations = np.array([usual[size] for size in cases[:, 6].astype(int)]).T
    least = usual[FEW][0]
    scores = standard_scores(values, means, deviations, least)
    intercept, score = map(float, logistic(scores[:, None], cases[:, 4]))
    close = _close(sigmoid(intercept + score * scores), cases, [size for size in SIZES if size >= FEW])
    return ScoredOdds(intercept, score, least, close)


def _close(probabilities: NDArray[np.float64], cases: NDArray[np.float64], sizes: Sequence[int]) -> float:
    """The probability from which a passage is close: few unanswerable questions reach it, on average over the sizes."""
    unanswerable = [_unanswerable(probabilities, cases, size) for size in sizes]
    reached = np.mean([np.quantile(values, 1 - UNANSWERABLE_CLOSE) for values in unanswerable])
    return float(np.clip(reached, LEAST_CLOSE, MOST_CLOSE))


def _unanswerable(values: NDArray[np.float64], cases: NDArray[np.float64], size: int) -> NDArray[np.float64]:
    """Those of the values (cases,) that are of questions without an answer among so many passages."""
    return np.asarray(values[(cases[:, 5] == 0) & (cases[:, 6] == size)])


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


def _without(vectors: Vectors, directions: Vectors) -> Vectors:
    return replace(UNMEASURED, directions=directions).neutral(vectors)


def _reciprocal_rank(questions: Vectors, passages: Vectors) -> float:
    cosines = questions @ passages.T
    ranks = 1 + (cosines > np.diag(cosines)[:, None]).sum(axis=1)
    return float((1 / ranks).mean())


def calibration_questions() -> list[str]:
    """Those of calibration.tsv, in many languages about many matters."""
    return [line.split("\t")[2] for line in _lines("calibration.tsv")]


def _lines(name: str) -> list[str]:
    return (DATA / name).read_text(encoding="utf-8").splitlines()
