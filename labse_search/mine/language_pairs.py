"""Translations among all passages of a collection: every two of its languages mined against each other."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import combinations

import numpy as np

from labse_search.corpora.sentences import Corpus
from labse_search.errors import UserError
from labse_search.mine.collection import read_collection
from labse_search.mine.filters import drop_reasons
from labse_search.mine.margin import margins, retrieve
from labse_search.mine.neighbours import find_neighbours
from labse_search.mine.threshold import CHANCE, FALLBACK_THRESHOLDS, threshold_of
from labse_search.records import UNKNOWN_LANGUAGE, Pair
from labse_search.similarity import Vectors
from labse_search.store import Store

FEWEST_SEGMENTS = 20  # of a language: with fewer, chance alone makes high margins
NEIGHBOURS = 4  # as in the paper
Progress = Callable[[int, int], None]
Side = tuple[Corpus, Vectors]
Codes = tuple[str, str]  # of a pair of languages, source first


def mine_collection(
    store: Store, collection: str, languages: Sequence[str] = (), *, progress: Progress | None = None
) -> list[Pair]:
    """The pairs of passages that are translations of each other, best ratio margin first; each with its languages.

    `languages`: two or more codes; none: all of which the collection has enough passages. `progress` counts pairs of
    languages, and may raise to end it. UserError where there are fewer than two languages.
    """
    combined = language_pairs(store, collection, languages)
    sides = {code: read_collection(store, collection, code) for code in dict.fromkeys(sum(combined, ()))}
    pairs: list[Pair] = []
    for done, codes in enumerate(combined, start=1):
        pairs += mine_between(sides[codes[0]], sides[codes[1]], codes)
        if progress:
            progress(done, len(combined))
    return sorted(pairs, key=lambda pair: -pair.score)


def language_pairs(store: Store, collection: str, languages: Sequence[str] = ()) -> list[Codes]:
    """Every two of these languages or, where none is named, of all that have enough passages, most frequent first.
    UserError where there are fewer than two."""
    found = store.facet(collection, "language")
    enough = [code for code, n in found.items() if n >= FEWEST_SEGMENTS and code != UNKNOWN_LANGUAGE]
    codes = list(languages) or sorted(enough, key=lambda code: (-found[code], code))
    if len(codes) < 2:
        raise UserError(
            f"Collection {collection!r} has {len(codes)} languages with {FEWEST_SEGMENTS} passages or more: "
            "translations are found between two. Add more documents, or pairs that you have: "
            "python -m labse_search.teach add FILE"
        )
    return list(combinations(codes, 2))


def mine_between(source: Side, target: Side, codes: Codes, *, progress: Progress | None = None) -> list[Pair]:
    """The pairs of two languages, best first. `progress` counts source rows, and may raise to end it."""
    neighbours = find_neighbours(source[1], target[1], NEIGHBOURS, progress=progress)
    scored = margins(neighbours, "ratio")
    mined = retrieve(neighbours, scored, "max")
    chance = threshold_of(mined, neighbours, scored, (source[1], target[1]), CHANCE["ratio"])
    texts = [
        [side.texts[row] for row in rows]
        for side, rows in ((source[0], mined.source.tolist()), (target[0], mined.target.tolist()))
    ]
    good = np.array([not reason for reason in drop_reasons(texts[0], texts[1], mined.scores.tolist())], dtype=bool)
    good &= mined.scores >= (FALLBACK_THRESHOLDS["ratio"] if chance is None else chance)
    return [Pair(texts[0][row], texts[1][row], float(mined.scores[row]), *codes) for row in np.flatnonzero(good)]
