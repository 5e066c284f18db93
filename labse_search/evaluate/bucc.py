"""BUCC 2018: find the translations hidden in two monolingual corpora, against gold pairs.

Raw cosine and the ratio margin, each forward (every source takes its best target; English is the target), backward and
max. The threshold of every row is tuned on the same gold pairs it is measured on, as published training-set figures
are; the gold of the official test sets was never public.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from labse_search.corpora.bucc import BuccSet
from labse_search.encoder import Encoder
from labse_search.encoder.texts import encode_texts
from labse_search.evaluate.report import Report, Row, Section, percent
from labse_search.mine.margin import Margin, Retrieval, margins, retrieve
from labse_search.mine.neighbours import find_neighbours
from labse_search.mine.threshold import Tuned, tune_threshold
from labse_search.progress import ProgressLine

WAYS: tuple[tuple[str, Margin, Retrieval], ...] = (
    ("cosine, forward", "absolute", "forward"),
    ("cosine, backward", "absolute", "backward"),
    ("cosine, max", "absolute", "max"),
    ("ratio margin, forward", "ratio", "forward"),
    ("ratio margin, backward", "ratio", "backward"),
    ("ratio margin, intersection", "ratio", "intersection"),
    ("ratio margin, max", "ratio", "max"),
)
COLUMNS = ("precision", "recall", "F1", "threshold", "found")
PUBLISHED: Mapping[str, Row] = {  # training set, ratio margin, max, tuned threshold
    "LASER fr-en": (91.52, 93.32, 92.41, 1.0881),
    "LASER de-en": (95.65, 95.19, 95.42, 1.0921),
    "LASER ru-en": (90.60, 94.04, 92.29, 1.0934),
    "LASER zh-en": (91.99, 91.31, 91.65, 1.0860),
}
PUBLISHED_SOURCE = "LASER, tasks/bucc/README.md; the published LaBSE figures could not be checked and are left out"


def evaluate_bucc(encoder: Encoder, sets: list[BuccSet], *, k: int = 4) -> Report:
    """One section a set, a row for each kind of score and retrieval."""
    sections = []
    pools = []
    for one in sets:
        sections.append(Section(f"BUCC, {one.name} (%)", COLUMNS, _measure(encoder, one, k), digits=2))
        pools.append(f"{one.name} {len(one.source)} × {len(one.target)}, gold {len(one.gold)}")
    facts: dict[str, str | int | float] = {"fingerprint": encoder.fingerprint[:12], "pool": "; ".join(pools), "k": k}
    return Report("bucc", encoder.model, tuple(sections), facts)


def published_section() -> Section:
    """Figures that others printed, with their source."""
    return Section(
        "Published figures (BUCC training set, %)",
        COLUMNS[:4],
        dict(PUBLISHED),
        note=f"Source: {PUBLISHED_SOURCE}.",
        digits=2,
    )


def _measure(encoder: Encoder, one: BuccSet, k: int) -> dict[str, Row]:
    source, target = (
        encode_texts(encoder, corpus.texts, progress=ProgressLine(f"encode {one.name}"))
        for corpus in (one.source, one.target)
    )
    neighbours = find_neighbours(source, target, k, progress=ProgressLine("neighbours"))
    scored = {margin: margins(neighbours, margin) for margin in {margin for _, margin, _ in WAYS}}
    gold = set(one.gold)
    rows: dict[str, Row] = {}
    for name, margin, retrieval in WAYS:
        mined = retrieve(neighbours, scored[margin], retrieval)
        pairs = zip(mined.source.tolist(), mined.target.tolist(), strict=True)
        is_gold = np.array([(one.source.ids[s], one.target.ids[t]) in gold for s, t in pairs], dtype=bool)
        rows[name] = _row(tune_threshold(mined.scores, is_gold, len(gold)))
    return rows


def _row(tuned: Tuned) -> Row:
    found = tuned.quality
    threshold = round(tuned.threshold, 4) if np.isfinite(tuned.threshold) else None
    return (percent(found.precision), percent(found.recall), percent(found.f1), threshold, found.found)
