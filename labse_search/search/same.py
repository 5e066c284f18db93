"""Passages that say the same in the same words are folded into one. By their text alone: vectors of "A owes B" and "B
owes A" are nearly equal, and so are those of all texts in a script that the model cannot read."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from itertools import islice

from labse_search.records import Found
from labse_search.search.spelling import even, spelling

LETTERS = 64  # of the beginning, by which texts that cannot be copies are told apart


def collapse(found: Sequence[Found]) -> list[tuple[Found, list[Found]]]:
    """Each passage once, in order, with those after it that have the same spelling."""
    beginnings = [_letters(one.stored.segment.text) for one in found]
    often = Counter(beginnings)
    kept: dict[tuple[str, str], tuple[Found, list[Found]]] = {}
    for one, letters in zip(found, beginnings, strict=True):
        # Hardly ever needed, and a spelling takes six times as long as these letters, which are all in it.
        rest = spelling(one.stored.segment.text) if often[letters] > 1 else ""
        first = kept.setdefault((letters, rest), (one, []))
        if first[0] is not one:
            first[1].append(one)
    return list(kept.values())


def _letters(text: str) -> str:
    """The first letters and digits of its spelling."""
    return "".join(islice(filter(str.isalnum, even(text)), LETTERS))
