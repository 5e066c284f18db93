"""Passages that say the same in the same words are folded into one. By their text alone: vectors of "A owes B" and "B
owes A" are nearly equal, and so are those of all texts in a script that the model cannot read."""

from __future__ import annotations

import functools
from collections import Counter
from collections.abc import Sequence
from itertools import islice
from unicodedata import normalize

import regex

from labse_search.records import Found

# What may differ between two copies: spaces, line breaks, punctuation, invisible characters. Not beside digits, where a
# sign or a point makes another number, and not %, #, &, @, /, * and the like, which are read aloud.
_LOOSE = regex.compile(r"(?:(?![%‰#&@§*/\\])[\p{P}\p{Z}\p{C}])+")
_INVISIBLE = regex.compile(r"[\p{Cf}\u034f\ufe00-\ufe0f]+")
LETTERS = 64  # of the beginning, by which texts that cannot be copies are told apart


@functools.lru_cache(maxsize=2048)  # passages that many questions find
def spelling(text: str) -> str:
    """The text with case, width, spacing and punctuation folded, nothing else: equal for copies only."""
    text = _even(text)

    def kept(match: regex.Match[str]) -> str:
        start, end = match.span()
        before = text[start - 1].isdigit() if start else False
        after = text[end].isdigit() if end < len(text) else False
        signs = "".join(match.group().split())
        if before and after:
            return signs or " "
        return "-" if after and signs[-1:] in ("-", "\u2212") else ""

    return _LOOSE.sub(kept, text) or text


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


def _even(text: str) -> str:
    """The text with case and width folded and nothing invisible in it."""
    even: str = _INVISIBLE.sub("", normalize("NFKC", text)).lower().strip()
    return even


def _letters(text: str) -> str:
    """The first letters and digits of its spelling."""
    return "".join(islice(filter(str.isalnum, _even(text)), LETTERS))
