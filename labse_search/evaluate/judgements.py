"""A person's own questions, asked of several models: where the answer that they called right comes.

Each model ranks the same passages: all that were judged, and others of the collection as it stands, at most so many.
Questions that a model may have been trained on are never among them (`teach.split_of`).
"""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from labse_search.errors import UserError
from labse_search.evaluate.embedding_cache import EmbeddingCache
from labse_search.evaluate.report import Report, Section, percent
from labse_search.search.profile import ModelProfile
from labse_search.store import Store
from labse_search.teach import Split, Teaching

POOL = 2000  # passages beside the judged ones: seconds for labse-mini, minutes for LaBSE
COLUMNS = ("R@1", "R@3", "R@10", "MRR")


@dataclass(frozen=True)
class Judged:
    """Questions with at least one right answer, and the passages to rank."""

    questions: tuple[str, ...]
    said: tuple[dict[str, bool], ...]  # of each question: text of a passage → whether it answers
    passages: tuple[str, ...]  # each text once


def read_judged(
    teaching: Teaching, store: Store, collection: str, *, split: Split | None = "verdict", pool: int = POOL
) -> Judged:
    """The questions of one half (None: of both). UserError where none has a right answer."""
    said: dict[str, dict[str, bool]] = {}
    for one in teaching.judgements.judged(collection):
        said.setdefault(one.question, {})[" ".join(one.text.split())] = one.answers
    asked = [one for one in teaching.judgements.questions(collection, split) if any(said.get(one.id, {}).values())]
    if not asked:
        half = "that are kept for measuring " if split == "verdict" else ""
        raise UserError(
            f"Collection {collection!r} has no judged questions {half}with a right answer yet. Judge answers of some "
            "more questions: half of all questions are kept for measuring, chosen by their words."
        )
    judged = {text for one in asked for text in said[one.id]}
    others = {" ".join(one.segment.text.split()) for one in store.segments(collection)} - judged
    sample = sorted(others) if len(others) <= pool else random.Random(0).sample(sorted(others), pool)
    return Judged(
        tuple(one.text for one in asked), tuple(said[one.id] for one in asked), tuple([*sorted(judged), *sample])
    )


def evaluate_judgements(
    encoder: EmbeddingCache, judged: Judged, profile: Callable[[], ModelProfile] | None = None
) -> Report:
    """Ranks by meaning, the question as the search asks it where there is a profile."""
    asked = encoder.vectors(judged.questions, "query")
    passages = encoder.vectors(judged.passages, "document")
    scores = (profile().neutral(asked) if profile else asked) @ passages.T  # (questions, passages)
    order = np.argsort(-scores, axis=1, kind="stable")
    items, ranks = [], np.zeros(len(judged.questions))
    for row, (question, said) in enumerate(zip(judged.questions, judged.said, strict=True)):
        texts = [judged.passages[column] for column in order[row].tolist()]
        ranks[row] = next(rank for rank, text in enumerate(texts, start=1) if said.get(text))
        items.append({"question": question, "rank": int(ranks[row]), "answer": texts[0], "right": said.get(texts[0])})
    found = (*(percent((ranks <= k).mean()) for k in (1, 3, 10)), percent((1 / ranks).mean()))
    return Report(
        task="judgements",
        model=encoder.encoder.model,
        sections=(Section("Judged questions (%)", COLUMNS, {f"{len(ranks):,} questions": found}),),
        facts={"questions": len(ranks), "pool": f"{len(judged.passages):,} passages", **encoder.facts()},
        scores=(ranks <= 3).astype(np.float64),
        items=tuple(items),
    )


def side_by_side(reports: Sequence[Report]) -> str:
    """Each question with every model's best passage and the place of the first right one, for the terminal."""
    lines = []
    for number, first in enumerate(reports[0].items):
        lines.append(first["question"])
        for report in reports:
            lines.append("  " + _line(report.items[number]) + ("" if len(reports) == 1 else f"   [{report.model}]"))
    return "\n".join(lines)


def _line(item: dict[str, Any]) -> str:
    said = {True: "right", False: "wrong", None: "not judged"}[item["right"]]
    return f"{item['answer'][:100]} ({said}); right answer at place {item['rank']}"
