"""The review list: pairs that were mined or aligned, and what a person says of them.

Difficult pairs come first, those with scores just above and below the threshold, but never only those: the pairs are
cut into strata by their score, each stratum is shown in an order that chance decided, and a stratum near the threshold
gets twice as many turns as the next. So whoever stops after twenty has seen a sample of every stratum.
"""

from __future__ import annotations

import hashlib
import time
import unicodedata
import zlib
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from math import inf
from pathlib import Path
from typing import Literal

import numpy as np

from labse_search.corpora.pairs import read_scored_pairs
from labse_search.errors import UserError
from labse_search.library.database import Database
from labse_search.records import Pair

Verdict = Literal["right", "wrong", "skip"]
Purpose = Literal["train", "measure"]  # what was mined, and what people translated: on that a tuned model is measured
WRONG_IS_NOT_MEASURED = "UPDATE pairs SET purpose = 'train' WHERE purpose = 'measure' AND verdict = 'wrong'"
_ENDS = ".!?…。！？।؟ "
STRATA = 5  # of the pairs above the threshold; those below are one


@dataclass(frozen=True)
class PairRow:
    """A pair of the review list."""

    id: int
    pair: Pair
    verdict: Verdict | Literal[""]


@dataclass(frozen=True)
class Imported:
    """How many pairs of a file were put on the list, and how many of them were not there."""

    given: int
    new: int


class Pairs:
    """The tables of pairs and of every verdict on them, in order."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def add(
        self, collection: str, pairs: Iterable[Pair], purpose: Purpose = "train", *, are_scored: bool = True
    ) -> int:
        """Put pairs on the list; what is there already, in whichever direction, keeps its verdict and takes the new
        score, unless nobody gave these one. How many are new. A pair to measure on is never trained on any more,
        whatever is found later; one that a person called wrong is neither trained nor measured on."""
        now = time.time()
        rows = [
            (
                collection,
                one.source,
                one.target,
                one.source_language,
                one.target_language,
                one.score,
                now,
                purpose,
                pair_key(one.source, one.target),
            )
            for one in pairs
            if one.source.strip() and one.target.strip()
        ]
        with self._database.write() as database:
            before = database.execute("SELECT COUNT(*) FROM pairs").fetchone()[0]
            database.executemany(
                "INSERT INTO pairs (collection, source, target, source_language, target_language, score, added, "
                "purpose, texts) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT DO UPDATE SET "
                f"score = {'excluded' if are_scored else 'pairs'}.score, "
                "purpose = IIF(excluded.purpose = 'measure' AND pairs.verdict != 'wrong', 'measure', pairs.purpose)",
                rows,
            )
            after = database.execute("SELECT COUNT(*) FROM pairs").fetchone()[0]
        return int(after - before)

    def take_in(self, collection: str, file: Path, purpose: Purpose = "train", *, threshold: float = -inf) -> Imported:
        """Put the pairs of a file on the list, those that score at or above the threshold. UserError when there are no
        pairs in it."""
        given = new = 0
        for pairs, are_scored in zip(read_scored_pairs(file), (True, False), strict=True):
            kept = [one for one in pairs if one.score >= threshold]
            given += len(kept)
            new += self.add(collection, kept, purpose, are_scored=are_scored)
        return Imported(given, new)

    def all(self, collection: str, purpose: Purpose = "train") -> list[PairRow]:
        """Best score first."""
        rows = self._database.read(
            "SELECT id, source, target, score, source_language, target_language, verdict FROM pairs "
            "WHERE collection = ? AND purpose = ? ORDER BY score DESC, id",
            (collection, purpose),
        )
        return [
            PairRow(
                row["id"],
                Pair(row["source"], row["target"], row["score"], row["source_language"], row["target_language"]),
                row["verdict"],
            )
            for row in rows
        ]

    def judge(self, pair: int, verdict: Verdict) -> None:
        """UserError if the list has no such pair."""
        with self._database.write() as database:
            row = database.execute("SELECT verdict FROM pairs WHERE id = ?", (pair,)).fetchone()
            if row is None:
                raise UserError(f"The review list has no pair number {pair}.")
            database.execute(
                "UPDATE pairs SET verdict = ?1, purpose = IIF(?1 = 'wrong', 'train', purpose) WHERE id = ?2",
                (verdict, pair),
            )
            database.execute(
                "INSERT INTO verdicts (pair, before, verdict, given) VALUES (?, ?, ?, ?)",
                (pair, row["verdict"], verdict, time.time()),
            )

    def undo(self, collection: str) -> int | None:
        """Take the last verdict on a pair of the review list back; the pair, None where there is none left."""
        with self._database.write() as database:
            last = database.execute(
                "SELECT verdicts.id, pair, before FROM verdicts JOIN pairs ON pairs.id = pair WHERE collection = ? "
                "AND purpose = 'train' ORDER BY verdicts.id DESC LIMIT 1",
                (collection,),
            ).fetchone()
            if last is None:
                return None
            database.execute("UPDATE pairs SET verdict = ? WHERE id = ?", (last["before"], last["pair"]))
            database.execute("DELETE FROM verdicts WHERE id = ?", (last["id"],))
            return int(last["pair"])

    def to_review(self, collection: str, threshold: float, limit: int = 20) -> list[PairRow]:
        """The next pairs to look at."""
        return in_turn(self.all(collection), threshold, limit)

    def kept(self, collection: str, threshold: float) -> list[Pair]:
        """What may be trained on: pairs that a person called right, and unjudged ones at or above the threshold."""
        return in_one_direction([row.pair for row in self.all(collection) if is_kept(row, threshold)])

    def to_measure(self, collection: str) -> list[Pair]:
        """Pairs that people translated: those to measure a tuned model on."""
        return in_one_direction([row.pair for row in self.all(collection, "measure")])

    def clear(self, collection: str, purpose: Purpose) -> int:
        """Take all pairs of one purpose off the list that nobody has judged. How many. What was judged stays on the
        review list: pairs to measure on go back to it."""
        with self._database.write() as database:
            query = "DELETE FROM pairs WHERE collection = ? AND purpose = ? AND verdict = ''"
            gone = int(database.execute(query, (collection, purpose)).rowcount)
            query = "UPDATE pairs SET purpose = 'train' WHERE collection = ? AND purpose = ?"
            back = int(database.execute(query, (collection, purpose)).rowcount) if purpose == "measure" else 0
        return gone + back


def pair_key(one: str, other: str) -> str:
    """The same for two texts in either order, also where they differ in case, width, spacing or at their end: signs
    inside a text may tell it from another, as in 3.5 and 35, C and C++."""
    even = (" ".join(unicodedata.normalize("NFKC", text).casefold().split()).rstrip(_ENDS) for text in (one, other))
    return " ".join(sorted(hashlib.blake2b(text.encode(), digest_size=8).hexdigest() for text in even))


def in_one_direction(pairs: Sequence[Pair]) -> list[Pair]:
    """The same pairs, those of two languages all in the direction that most of them have: they are one column of a
    table, one language pair to draw from and one row of what is measured, whatever they came from."""
    counts = Counter((one.source_language, one.target_language) for one in pairs)

    def turned(one: Pair) -> bool:
        codes = one.source_language, one.target_language
        return (counts[codes[::-1]], codes[::-1]) > (counts[codes], codes)

    return [
        replace(
            one,
            source=one.target,
            target=one.source,
            source_language=one.target_language,
            target_language=one.source_language,
        )
        if turned(one)
        else one
        for one in pairs
    ]


def is_kept(row: PairRow, threshold: float) -> bool:
    """Whether the pair is trained on: a person's verdict goes before the score."""
    return row.verdict == "right" or (row.verdict != "wrong" and row.pair.score >= threshold)


def in_turn(rows: Sequence[PairRow], threshold: float, limit: int) -> list[PairRow]:
    """Of all rows of a list, best score first, the next ones to review."""
    strata = strata_of([row.pair.score for row in rows], threshold)
    turns: list[tuple[float, PairRow]] = []
    seen: dict[int, int] = {}
    for stratum, row in sorted(zip(strata, rows, strict=True), key=_turn):
        place = seen[stratum] = seen.get(stratum, 0) + 1
        if not row.verdict:
            turns.append(((place - 0.5) * 2.0 ** max(stratum, 0), row))
    return [row for _, row in sorted(turns, key=lambda turn: (turn[0], -turn[1].pair.score))[:limit]]


def strata_of(scores: Sequence[float], threshold: float) -> list[int]:
    """The stratum of each score: -1 below the threshold; 0, the lowest, to STRATA - 1 above it, of equal size."""
    values = np.asarray(scores, dtype=np.float64)
    above = values[values >= threshold]
    if not len(above):
        return [-1] * len(values)
    edges = np.quantile(above, np.linspace(0, 1, STRATA + 1)[1:-1])
    found = np.where(values >= threshold, np.searchsorted(edges, values, side="right"), -1)
    return [int(stratum) for stratum in found]


def _turn(entry: tuple[int, PairRow]) -> float:
    """The order inside a stratum: by chance, the same on every machine, so that what was seen is a sample of it. Below
    the threshold, of which nothing is estimated, the nearest come first."""
    stratum, row = entry
    if stratum < 0:
        return -row.pair.score
    return float(zlib.crc32(f"{row.pair.source}\t{row.pair.target}".encode()))
