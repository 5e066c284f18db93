"""Passages that say the same in the same words are folded into one. By their text alone: vectors of "A owes B" and "B
owes A" are nearly equal, and so are those of all texts in a script that the model cannot read."""

from __future__ import annotations

import functools
from collections.abc import Sequence
from unicodedata import normalize

import regex

from labse_search.records import Found

# What may differ between two copies: spaces, line breaks, punctuation, invisible characters. Not beside digits, where a
# sign or a point makes another number, and not %, #, &, @, /, * and the like, which are read aloud.
_LOOSE = regex.compile(r"(?:(?![%‰#&@§*/\\])[\p{P}\p{Z}\p{C}])+")
_INVISIBLE = regex.compile(r"[\p{Cf}\u034f\ufe00-\ufe0f]+")


@functools.lru_cache(maxsize=2048)  # passages that many questions find
def spelling(text: str) -> str:
    """The text with case, width, spacing and punctuation folded, nothing else: equal for copies only."""
    text = _INVISIBLE.sub("", normalize("NFKC", text)).lower().strip()

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
    kept: dict[str, tuple[Found, list[Found]]] = {}
    for one in found:
        first = kept.setdefault(spelling(one.stored.segment.text), (one, []))
        if first[0] is not one:
            first[1].append(one)
    return list(kept.values())
