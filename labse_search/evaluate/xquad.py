"""XQuAD-R: from a question to the paragraph that answers it, in one language, across two, and in one pool of all.

The pool is LAReQA's test (Roy et al. 2020, arXiv 2004.05484): every question has a right paragraph in each language,
and a model without language bias finds them all before any wrong one, whatever language they are in.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from labse_search.errors import UserError
from labse_search.evaluate.metrics import rank_documents, reciprocal_rank, success
from labse_search.evaluate.rankers import ModelRanker, Ranker
from labse_search.evaluate.read import Paragraph
from labse_search.evaluate.report import Report, Row, Section, percent
from labse_search.similarity import Vectors

COLUMNS = ("R@1", "R@3", "R@10", "MRR")
ROWS_AT_ONCE = 2048  # questions: a full order of 2,880 paragraphs for 2,048 questions is 47 MB


@dataclass(frozen=True)
class Language:
    """The paragraphs of one language and the questions to them."""

    questions: tuple[str, ...]
    answers: NDArray[np.int64]  # (questions,) number of the paragraph that answers
    paragraphs: tuple[str, ...]


@dataclass(frozen=True)
class Pooled:
    """What one pool of all languages shows; (questions,) each."""

    precision: NDArray[np.float64]  # average precision over the right paragraphs of all languages
    first_is_right: NDArray[np.float64]
    first_is_own: NDArray[np.float64]  # whether the first right paragraph is in the question's language
    own_found: NDArray[np.float64]  # whether the right one in the own language is among the first L
    others_found: NDArray[np.float64]  # share of the right ones in other languages among the first L
    own_cosine: NDArray[np.float64]  # score of the right one in the own language
    others_cosine: NDArray[np.float64]  # mean score of the right ones in other languages


def evaluate_xquad(ranker: Ranker, paragraphs: Mapping[str, Sequence[Paragraph]]) -> Report:
    """`paragraphs`: per language, the same ids in the same order in all of them."""
    _check_aligned(paragraphs)
    languages = {code: _language(found) for code, found in paragraphs.items()}
    if isinstance(ranker, ModelRanker):
        everything = [(text, code) for code, one in languages.items() for text in one.paragraphs]
        questions = [question for one in languages.values() for question in one.questions]
        ranker.prepare(questions, [text for text, _ in everything], [code for _, code in everything])
    rows, across_ranks = _by_pair(ranker, languages)
    pooled = _pool(ranker, languages)
    sections = [_same_and_across(rows), _matrix(rows, tuple(languages))]
    if len(languages) > 1:
        sections.append(_pool_section(pooled, is_cosine=type(ranker) is ModelRanker))
    first = next(iter(languages.values()))
    return Report(
        task="xquad_r",
        model=ranker.name,
        sections=tuple(sections),
        facts={
            "questions": f"{len(first.questions)} × {len(languages)}",
            "pool": f"{len(first.paragraphs)} paragraphs a language, {len(first.paragraphs) * len(languages)} in all",
            **ranker.facts(),
        },
        scores=across_ranks,
    )


def _check_aligned(paragraphs: Mapping[str, Sequence[Paragraph]]) -> None:
    first, *others = (
        [(one.id, tuple(question.id for question in one.questions)) for one in found] for found in paragraphs.values()
    )
    for code, other in zip(list(paragraphs)[1:], others, strict=True):
        if other != first:
            raise UserError(f"The paragraphs and questions of {code!r} are not those of {next(iter(paragraphs))!r}")


def _language(found: Sequence[Paragraph]) -> Language:
    questions = [(question.text, number) for number, one in enumerate(found) for question in one.questions]
    return Language(
        tuple(text for text, _ in questions),
        np.array([number for _, number in questions], dtype=np.int64),
        tuple(one.text for one in found),
    )


def _by_pair(
    ranker: Ranker, languages: Mapping[str, Language]
) -> tuple[dict[tuple[str, str], Row], NDArray[np.float64]]:
    """Per (question language, paragraph language) the columns; and per question the share of language pairs in which
    it was answered at rank 1: across languages, or in the same language where there is only one."""
    rows: dict[tuple[str, str], Row] = {}
    first = []
    for asked, questions in languages.items():
        for held, pool in languages.items():
            scores = ranker.scores(questions.questions, pool.paragraphs, [held] * len(pool.paragraphs))
            gains = rank_documents(scores, len(pool.paragraphs)) == questions.answers[:, None]
            values = [success(gains, k) for k in (1, 3, 10)] + [reciprocal_rank(gains)]
            rows[asked, held] = tuple(percent(value.mean()) for value in values)
            if asked != held or len(languages) == 1:
                first.append(values[0])
    return rows, np.mean(first, axis=0)  # a question in ten languages is one item, not ten independent ones


def _same_and_across(rows: Mapping[tuple[str, str], Row]) -> Section:
    same = [row for (asked, held), row in rows.items() if asked == held]
    across = [row for (asked, held), row in rows.items() if asked != held]
    named: dict[str, Row] = {"same language": _mean(same)}
    if across:
        named["across languages"] = _mean(across)
        for asked in dict.fromkeys(asked for asked, _ in rows):
            others = [row for (a, held), row in rows.items() if a == asked and held != asked]
            named[f"{asked} → {asked}"] = rows[asked, asked]
            named[f"{asked} → others"] = _mean(others)
    return Section("XQuAD-R, question → paragraph (%)", COLUMNS, named)


def _matrix(rows: Mapping[tuple[str, str], Row], languages: tuple[str, ...]) -> Section:
    cells = {asked: tuple(rows[asked, held][0] for held in languages) for asked in languages}
    return Section(
        "XQuAD-R, R@1 (%), question language down, paragraph language across", languages, cells, is_matrix=True
    )


def _pool(ranker: Ranker, languages: Mapping[str, Language]) -> Pooled:
    texts = [text for one in languages.values() for text in one.paragraphs]
    codes = [code for code, one in languages.items() for _ in one.paragraphs]
    size = len(next(iter(languages.values())).paragraphs)
    parts = []
    for own, one in enumerate(languages.values()):
        for start in range(0, len(one.questions), ROWS_AT_ONCE):
            asked = slice(start, start + ROWS_AT_ONCE)
            scores = ranker.scores(one.questions[asked], texts, codes)
            parts.append(_judge(scores, one.answers[asked], own, len(languages), size))
    return Pooled(*(np.concatenate(column) for column in zip(*parts, strict=True)))


def _judge(
    scores: Vectors, answers: NDArray[np.int64], own: int, languages: int, size: int
) -> tuple[NDArray[np.float64], ...]:
    """The columns of `Pooled` for questions in language number `own`; `scores` (questions, languages × size)."""
    right = answers[:, None] + size * np.arange(languages)  # (questions, languages) columns of the right paragraphs
    order = rank_documents(scores, scores.shape[1])
    ranks = np.empty_like(order)
    np.put_along_axis(ranks, order, np.arange(scores.shape[1])[None], axis=1)
    places = np.take_along_axis(ranks, right, axis=1)  # (questions, languages), from 0
    found = np.sort(places, axis=1)
    others = np.arange(languages) != own
    cosines = np.take_along_axis(scores, right, axis=1).astype(np.float64)
    within = places < languages
    return (
        (np.arange(1, languages + 1) / (found + 1)).mean(axis=1),
        (found[:, 0] == 0).astype(np.float64),
        (places.argmin(axis=1) == own).astype(np.float64),
        within[:, own].astype(np.float64),
        within[:, others].mean(axis=1) if languages > 1 else np.zeros(len(places)),
        cosines[:, own],
        cosines[:, others].mean(axis=1) if languages > 1 else np.zeros(len(places)),
    )


def _pool_section(pooled: Pooled, *, is_cosine: bool) -> Section:
    own, others = float(pooled.own_found.mean()), float(pooled.others_found.mean())
    rows: dict[str, Row] = {
        "mean average precision": (percent(pooled.precision.mean()),),
        "a right paragraph comes first": (percent(pooled.first_is_right.mean()),),
        "the first right one is in the question's language": (percent(pooled.first_is_own.mean()),),
        "right one in the same language among the first L": (percent(own),),
        "right ones in other languages among the first L": (percent(others),),
        "gap, same language − other languages (points)": (percent(own - others),),
    }
    if is_cosine:
        rows["mean cosine of the right one, same language × 100"] = (percent(pooled.own_cosine.mean()),)
        rows["mean cosine of the right ones, other languages × 100"] = (percent(pooled.others_cosine.mean()),)
    note = "L: number of languages = right paragraphs of a question. Without language bias the gap is 0."
    return Section("XQuAD-R, one pool of all languages (LAReQA, arXiv 2004.05484)", ("%",), rows, note)


def _mean(rows: Sequence[Row]) -> Row:
    return tuple(round(float(value), 3) for value in np.mean(np.array(rows, dtype=np.float64), axis=0))
