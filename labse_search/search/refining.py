"""The passages to show, in a finer order: that of late interaction, joined with that by words."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from labse_search.records import Found
from labse_search.search.fusion import fused
from labse_search.search.passages import Shown, answers_first

# Passages that come in the finer order, however few are shown. Ten would find hardly more and take nearly twice as long
# to read (benchmarks/EXPERIMENTS.md).
FINER = 6


def refined(
    shown: Sequence[Shown], question: str, words: Sequence[Found], closeness: Mapping[str, float]
) -> list[Shown]:
    """The shown passages in the order of their closeness to the question, by point, joined with that by words; those
    without any cannot be compared and come where their words bring them, last where there are none."""
    entries = {entry[0].stored.point: entry for entry in shown}
    meaning = [one for one, _, _ in shown if one.stored.point in closeness]
    meaning.sort(key=lambda one: -closeness[one.stored.point])
    order = fused(question, meaning, [one for one in words if one.stored.point in entries])
    there = {one.stored.point for one in order}
    order += [one for one, _, _ in shown if one.stored.point not in there]
    return [entries[one.stored.point] for one in answers_first(order)]
