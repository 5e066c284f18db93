"""The passages to show, in a finer order: a passage answers if it is about the question and one of its sentences is.

A long passage that answers in one of its sentences lies further from the question than a short one that only touches
it. How much this finds is in benchmarks/EXPERIMENTS.md.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from labse_search.records import Found
from labse_search.search.context import Marked
from labse_search.search.fusion import fused
from labse_search.search.passages import Shown, answers_first


def finer(closeness: Mapping[str, float], marked: Mapping[str, Marked], gap: float) -> dict[str, float]:
    """How close each passage is to the question, by point: where its closest sentence is known (`marked`), the mean of
    both cosines. `gap`: by how much the sentence usually lies further away, which must not count against passages of
    several sentences."""
    known = {point: one.closeness + gap for point, one in marked.items() if one.closeness is not None}
    return {
        point: whole if whole == -1.0 else (whole + known.get(point, whole)) / 2  # -1: cannot be compared
        for point, whole in closeness.items()
    }


def refined(
    shown: Sequence[Shown], question: str, words: Sequence[Found], closeness: Mapping[str, float]
) -> list[Shown]:
    """The shown passages in the order of their closeness to the question, by point, joined with that by words."""
    entries = {entry[0].stored.point: entry for entry in shown}
    meaning = [one for one, _, _ in shown if closeness[one.stored.point] > -1.0]
    meaning.sort(key=lambda one: -closeness[one.stored.point])
    order = fused(question, meaning, [one for one in words if one.stored.point in entries])
    return [entries[one.stored.point] for one in answers_first(order)]
