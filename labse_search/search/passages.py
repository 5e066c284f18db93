"""Passages that were found → the ones to show, in order: headings last, one a document, with their translations."""

from __future__ import annotations

import functools
from collections.abc import Sequence

from labse_search.records import UNKNOWN_LANGUAGE, Found, Segment, StoredSegment
from labse_search.similarity import Vectors
from labse_search.store.folding import words as words_of

MORE_IN_DOCUMENT = 3
Shown = tuple[Found, list[Found], list[Found]]  # a passage, its copies, further passages of its document

TRANSLATIONS = 8  # of one passage, at most, that are named


def is_readable(found: Found) -> bool:
    """Whether the passage's vector says anything: the model has tokens for most of its text."""
    return not found.stored.segment.unreadable


def answers_first(ordered: Sequence[Found]) -> list[Found]:
    """The same order, but what consists of headings alone comes last: it names an answer and is none."""
    headings = [is_heading(one.stored.segment) for one in ordered]
    return [one for want in (False, True) for one, heading in zip(ordered, headings, strict=True) if heading is want]


def is_heading(segment: Segment) -> bool:
    """Whether it consists of headings alone."""
    return bool(segment.sentences) and len(segment.headings) == len(segment.sentences)


def sentences(segment: Segment) -> list[tuple[int, int]]:
    """The sentences that may answer: all but the headings, or all if there is nothing else."""
    spans = [span for number, span in enumerate(segment.sentences) if number not in segment.headings]
    return spans or list(segment.sentences)


def grouped(found: Sequence[tuple[Found, list[Found]]], group: bool) -> list[Shown]:
    """(passage, its copies, further passages of its document), best first; no grouping: nothing further."""
    if not group:
        return [(one, copies, []) for one, copies in found]
    documents: dict[str, Shown] = {}
    for one, copies in found:
        known = documents.setdefault(one.stored.document, (one, copies, []))
        if known[0] is not one and len(known[2]) < MORE_IN_DOCUMENT:
            known[2].append(one)
    return list(documents.values())


def translations(
    shown: Sequence[Found], there: dict[str, Found], vectors: Vectors, least: float
) -> dict[str, tuple[StoredSegment, ...]]:
    """For each shown passage the found ones that say the same in another language, one a language: neutral vectors
    (found, dimension) that are close enough, the same numbers."""
    row_of = {point: row for row, point in enumerate(there)}
    segments = [found.stored.segment for found in there.values()]
    numbers = functools.cache(lambda row: frozenset(filter(str.isdigit, words_of(segments[row].text))))
    found: dict[str, tuple[StoredSegment, ...]] = {}
    for one in shown:
        row = row_of[one.stored.point]
        alike = vectors @ vectors[row]
        languages = {segments[row].language, UNKNOWN_LANGUAGE}
        kept: list[StoredSegment] = []
        for other, stored in sorted(enumerate(there.values()), key=lambda pair: -float(alike[pair[0]])):
            if alike[other] < least or len(kept) == TRANSLATIONS:
                break
            language = segments[other].language
            readable = is_readable(one) and is_readable(stored)
            if readable and language not in languages and numbers(other) == numbers(row):
                languages.add(language)
                kept.append(stored.stored)
        found[one.stored.point] = tuple(kept)
    return found
