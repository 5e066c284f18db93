"""Pairs of texts as a search meets them: one side cut to a part, made like a question, or put into a passage.

Translations alone teach that whole sentences match whole sentences. A question holds some of the words of its answer,
the answer itself missing, between words that say nothing; a passage holds its sentence among others. Both are made here
from pairs of sentences, on the fly (an inverse cloze task, Lee et al. 2019, across languages).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from labse_search.align.corpus import Side, TokenPairs

WHOLE, SPAN, HALF, QUESTION = 0, 1, 2, 3  # what is left of a text
SHORT = 6  # tokens; texts up to that are left alone: their parts mean anything
LONG = 18  # tokens; a pair whose texts are both longer is long
SHARE_OF_SPAN = (0.35, 0.7)
SHARE_OF_ANSWER = (0.2, 0.5)  # of a question's text: the span that is taken out, as what is asked for
FORGOTTEN = 0.25  # of the rest of a question's text
FILLERS = 4  # words at most that are put before it: frequent ones of its language, as "what", "the" and "of" are
FILLERS_KEPT = 20_000  # tokens of each language to draw them from
FEWEST_TEXTS = 50  # of a language with fillers
PASSAGE = 110  # tokens of a passage at most
THIRD = 0.6  # of the passages get a third sentence


@dataclass(frozen=True)
class Tokens:
    """Texts, one after the other."""

    ids: NDArray[np.int64]  # (tokens,)
    lengths: NDArray[np.int64]  # (n,) at least 1 each

    @property
    def starts(self) -> NDArray[np.int64]:
        return np.cumsum(self.lengths) - self.lengths

    def first(self, n: int) -> Tokens:
        return Tokens(self.ids[: self.lengths[:n].sum()], self.lengths[:n])


def places(lengths: NDArray[np.int64]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """(tokens,) each, of texts that lie one after the other: the number of a token's text, and its place in it."""
    row = np.repeat(np.arange(len(lengths)), lengths)
    return row, np.arange(len(row)) - np.repeat(np.cumsum(lengths) - lengths, lengths)


def joined(first: Tokens, second: Tokens) -> Tokens:
    """The texts of both, the first's before the second's."""
    return Tokens(np.concatenate([first.ids, second.ids]), np.concatenate([first.lengths, second.lengths]))


@dataclass(frozen=True)
class Cuts:
    """Shares of the pairs of which one text is changed."""

    short: float = 0.0  # cut to a part, of pairs that are not long
    long: float = 0.0  # the same, of long ones
    questions: float = 0.0  # of those that are cut: made like a question; the others keep a span, or half of the tokens
    passages: float = 0.0  # put among the sentences before and after it in its source


class Cutter:
    """Takes texts out of the pairs. What chance decides is decided by the generator that comes with each call."""

    def __init__(self, pairs: TokenPairs, drawn: NDArray[np.bool_], cuts: Cuts, seed: int) -> None:
        """`drawn`: (n,) the pairs that may be used at all."""
        self.pairs = pairs
        self.cuts = cuts
        self._fillers = make_fillers(pairs, drawn, seed) if cuts.questions else None

    def __call__(self, rows: NDArray[np.int64], random: np.random.Generator) -> tuple[Tokens, Tokens]:
        """The two sides of these pairs."""
        n = len(rows)
        lengths = [side.lengths[rows] for side in self.pairs.sides]
        share = np.where(np.minimum(*lengths) > LONG, self.cuts.long, self.cuts.short)
        kind = np.where(random.random(n) < self.cuts.questions, QUESTION, random.integers(SPAN, HALF + 1, n))
        cut, put = random.random(n), random.random(n)
        sides = []
        for number in (0, 1):
            kinds = np.where(_falls_to(number, cut, share), kind, WHOLE)
            texts = take(self.pairs.sides[number], rows, kinds, random)
            if self._fillers is not None:
                languages = self.pairs.languages[rows, number]
                texts = ask(texts, (kinds == QUESTION) & (lengths[number] > SHORT), self._fillers[languages], random)
            if self.cuts.passages:
                chosen = _falls_to(number, put, self.cuts.passages) & (kinds == WHOLE)
                texts = among_neighbours(self.pairs, number, rows, texts, chosen, random)
            sides.append(texts)
        return sides[0], sides[1]


def _falls_to(side: int, chance: NDArray[np.float64], share: NDArray[np.float64] | float) -> NDArray[np.bool_]:
    """(n,) whether the first (0) or the second (1) text is the one: half of `share` each, never both."""
    return (chance >= share / 2) & (chance < share) if side else chance < share / 2


def take(side: Side, rows: NDArray[np.int64], kinds: NDArray[np.int64], random: np.random.Generator) -> Tokens:
    """The texts of these rows, or what `kinds` leaves of each: WHOLE, a SPAN, about HALF of the tokens, or what a
    QUESTION keeps, in order.

    Always at least one token, and three of a SPAN.
    """
    lengths = side.lengths[rows]
    enough = lengths > SHORT
    shares = random.uniform(*SHARE_OF_SPAN, len(rows))
    kept = np.where(enough & (kinds == SPAN), np.maximum(3, (lengths * shares).astype(np.int64)), lengths)
    starts = side.starts[rows] + (random.random(len(rows)) * (lengths - kept + 1)).astype(np.int64)
    row, within = places(kept)
    ids = side.ids[starts[row] + within].astype(np.int64)
    chance = random.random(len(row))
    dropped = (enough & (kinds == HALF))[row] & (chance < 0.5) & (within > 0)
    gaps = (lengths * random.uniform(*SHARE_OF_ANSWER, len(rows))).astype(np.int64)
    first = (random.random(len(rows)) * (lengths - gaps + 1)).astype(np.int64)
    in_gap = (within >= first[row]) & (within < (first + gaps)[row])
    anchor = np.where(first > 0, 0, gaps)  # one token stays, whatever chance says
    forgotten = (in_gap | (chance < FORGOTTEN)) & (within != anchor[row])
    dropped |= (enough & (kinds == QUESTION))[row] & forgotten
    return Tokens(ids[~dropped], np.bincount(row[~dropped], minlength=len(rows)))


def ask(texts: Tokens, chosen: NDArray[np.bool_], fillers: NDArray[np.int64], random: np.random.Generator) -> Tokens:
    """One to four of each chosen text's own `fillers`, (n, FILLERS_KEPT), before it."""
    counts = np.where(chosen, random.integers(1, FILLERS + 1, len(chosen)), 0)
    row, _ = places(counts)
    put = fillers[row, random.integers(0, fillers.shape[1], len(row))]
    return _merged([(row, put), (places(texts.lengths)[0], texts.ids)], len(chosen))


def among_neighbours(
    pairs: TokenPairs,
    number: int,
    rows: NDArray[np.int64],
    texts: Tokens,
    chosen: NDArray[np.bool_],
    random: np.random.Generator,
) -> Tokens:
    """One or two sentences before or after each chosen text of the side `number`: those that stand there in its source,
    in the same two languages, while the passage stays in PASSAGE tokens."""
    side = pairs.sides[number]
    sizes = texts.lengths
    before: list[tuple[NDArray[np.int64], NDArray[np.int64]]] = []
    after: list[tuple[NDArray[np.int64], NDArray[np.int64]]] = []
    for step in (1, 2):
        chosen = chosen & (random.random(len(rows)) < THIRD) if step == 2 else chosen
        is_after = random.random(len(rows)) < 0.5
        beside = np.clip(rows + np.where(is_after, step, -step), 0, len(pairs) - 1)
        same = (pairs.sources[beside] == pairs.sources[rows]) & (pairs.languages[beside] == pairs.languages[rows]).all(
            1
        )
        other = pairs.keys[beside, number] != pairs.keys[rows, number]
        lengths = side.lengths[beside]
        fits = (np.minimum(lengths, sizes) > SHORT) & (sizes + lengths <= PASSAGE)
        put = np.where(chosen & same & other & fits, lengths, 0)
        sizes = sizes + put
        row, within = places(put)
        ids = side.ids[side.starts[beside][row] + within].astype(np.int64)
        for place, which in ((before, ~is_after[row]), (after, is_after[row])):
            place.append((row[which], ids[which]))
    return _merged([*reversed(before), (places(texts.lengths)[0], texts.ids), *after], len(rows))


def make_fillers(pairs: TokenPairs, drawn: NDArray[np.bool_], seed: int) -> NDArray[np.int64]:
    """(languages, FILLERS_KEPT) tokens out of each language's texts, as often as they stand there: most are those that
    every text has. Languages with hardly any text have those of all."""
    random = np.random.default_rng((seed, 0))
    fillers = np.empty((len(pairs.language_names), FILLERS_KEPT), np.int64)
    for language in range(len(pairs.language_names)):
        found = []
        for number, side in enumerate(pairs.sides):
            own = np.flatnonzero(drawn & (pairs.languages[:, number] == language) & (side.lengths > SHORT))
            found.append((side, own))
        if sum(len(own) for _, own in found) < FEWEST_TEXTS:
            found = [(side, np.flatnonzero(drawn & (side.lengths > 0))) for side in pairs.sides]
        tokens = [_random_tokens(side, own, random) for side, own in found if len(own)]
        fillers[language] = random.permutation(np.concatenate(tokens))[:FILLERS_KEPT]
    return fillers


def _random_tokens(side: Side, rows: NDArray[np.int64], random: np.random.Generator) -> NDArray[np.int64]:
    drawn = random.choice(rows, FILLERS_KEPT)
    at = (random.random(FILLERS_KEPT) * side.lengths[drawn]).astype(np.int64)
    return np.asarray(side.ids[side.starts[drawn] + at], dtype=np.int64)


def _merged(parts: list[tuple[NDArray[np.int64], NDArray[np.int64]]], n: int) -> Tokens:
    """Texts of (row, token) parts, each text's parts in the order of `parts`."""
    row, ids = (np.concatenate(column) for column in zip(*parts, strict=True))
    order = np.argsort(row, kind="stable")
    return Tokens(ids[order], np.bincount(row, minlength=n))
