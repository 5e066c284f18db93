"""The passages to show, in a finer order: that of late interaction, joined with that by words."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence

from labse_search.records import Found, StoredSegment
from labse_search.search.fusion import fused
from labse_search.search.passages import answers_first

# Passages that come in the finer order, however few are shown. Ten would find hardly more and take nearly twice as long
# to read (benchmarks/EXPERIMENTS.md).
FINER = 6
# And further rows of tables: those of one table are alike, so the vector of a whole row seldom tells which of them
# answers. They are short; together no longer than those passages.
ROWS = 24
ROW_CHARACTERS = 3000

Entry = tuple[Found, list[Found]]  # a passage, its copies


def rows_beside(first: Iterable[StoredSegment], found: Iterable[StoredSegment]) -> list[StoredSegment]:
    """Of the found passages, in order, the rows of tables that are read beside the `first`."""
    known = {one.point for one in first}
    rows: list[StoredSegment] = []
    left = ROW_CHARACTERS
    for one in found:
        if "row" in one.segment.place and one.point not in known:
            left -= len(one.segment.text)
            if left < 0 or len(rows) == ROWS:
                break
            rows.append(one)
    return rows


def refined(
    entries: Sequence[Entry],
    read: Collection[str],
    question: str,
    words: Sequence[Found],
    closeness: Mapping[str, float],
) -> list[Entry]:
    """The entries that were `read` first, by point, in the order of their passages' closeness to the question joined
    with that by words: those without any closeness cannot be compared and come where their words bring them, last where
    there are none. Behind them the others as they are."""
    compared = {one.stored.point: (one, copies) for one, copies in entries if one.stored.point in read}
    meaning = [one for one, _ in compared.values() if one.stored.point in closeness]
    meaning.sort(key=lambda one: -closeness[one.stored.point])
    order = fused(question, meaning, [one for one in words if one.stored.point in compared])
    there = {one.stored.point for one in order}
    order += [one for one, _ in compared.values() if one.stored.point not in there]
    others = [entry for entry in entries if entry[0].stored.point not in compared]
    return [*(compared[one.stored.point] for one in answers_first(order)), *others]
