"""Pairs of your own: accuracy and reciprocal rank both ways, per file and over all."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from labse_search.corpora.aligned import AlignedTexts, names_of_their_own
from labse_search.evaluate.embedding_cache import EmbeddingCache
from labse_search.evaluate.pairs import pair_accuracy
from labse_search.evaluate.report import Report, Row, Section, percent

COLUMNS = ("forward", "backward", "mean", "MRR", "pairs")


def evaluate_pairs(encoder: EmbeddingCache, sets: Sequence[AlignedTexts]) -> Report:
    """Forward: the first column looks for the second. Equal texts count as one candidate."""
    encoder.prepare([text for one in sets for text in (*one.sources, *one.targets)])
    rows: dict[str, Row] = {}
    hits = []
    for name, one in zip(names_of_their_own(sets), sets, strict=True):
        accuracy = pair_accuracy(
            encoder.vectors(one.sources),
            encoder.vectors(one.targets),
            source_texts=one.sources,
            target_texts=one.targets,
        )
        values = (accuracy.forward, accuracy.backward, accuracy.mean, accuracy.mrr)
        rows[name] = (*(percent(value) for value in values), accuracy.pairs)
        hits.append(accuracy.hits())
    if len(rows) > 1:
        means = np.mean([row[:4] for row in rows.values()], axis=0)  # type: ignore[arg-type]
        rows[f"mean of {len(sets)}"] = (*(round(float(mean), 3) for mean in means), sum(len(one) for one in sets))
    section = Section("Pairs, accuracy (%)", COLUMNS, rows)
    return Report("pairs", encoder.encoder.model, (section,), encoder.facts(), np.concatenate(hits))
