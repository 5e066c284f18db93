"""What is shown around a passage that was found: those beside it."""

from __future__ import annotations

from collections.abc import Sequence

from labse_search.records import Found, StoredSegment, point_id
from labse_search.store import Store


def neighbours(store: Store, collection: str, found: Sequence[Found]) -> dict[str, tuple[StoredSegment, ...]]:
    """For each segment, by point, those just before and after it, in reading order: one call of the store for all."""
    beside = {
        one.stored.point: [point_id(one.stored.document, one.stored.segment.index + step) for step in (-1, 1)]
        for one in found
    }
    there = store.by_point(collection, list({point: None for both in beside.values() for point in both}))
    return {of: tuple(there[point] for point in both if point in there) for of, both in beside.items()}
