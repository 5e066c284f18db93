"""Groups of passages on a map, and the words that tell them apart, in the languages of their own passages.

Words are weighed by class-based TF-IDF (Grootendorst 2022, arXiv 2203.05794), with shares of passages in the place of
counts: a word's share in the group, times the logarithm of how many times that is its share of all passages of its
language. So a collection of a few passages needs no list of stop words in any language.

Of scripts without spaces the search by words knows pairs of neighbouring characters. A pair that tells a topic apart is
grown to the run that its passages repeat around it: 书馆 to 图书馆.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import regex
from numpy.typing import NDArray

from labse_search.map.layout import SEED, Positions
from labse_search.store.folding import words

MOST_GROUPS = 40  # a list that can be looked through
LEAST_WEIGHT = 0.01  # below, a word is as frequent elsewhere
LANGUAGES_NAMED, TERMS = 3, 4  # of one group, and of each language
MOST_MEMBERS_READ = 2000  # of one group and language: words that tell a topic apart are in many of them
LONGEST_RUN = 4  # ideographs in a row that are taken for one word; of more the pairs count
PASSAGES_GROWN_IN = 300  # of one group and language: where pairs are grown
LONGEST_GROWN = 8  # pairs; longer runs are phrases
SAME_NEIGHBOUR = 0.7  # of a run's places; an untested guess
_WORD = regex.compile(
    r"[\p{Han}々〆]+|[\p{Katakana}ー]+|\p{Hiragana}+|\p{Thai}+|[\p{L}\p{M}]+(?:['’\u200c-][\p{L}\p{M}]+)*"
)
_UNSPACED = regex.compile(r"[\p{Han}\p{Katakana}\p{Hiragana}\p{Thai}\p{Lao}\p{Khmer}\p{Myanmar}]")
_BROKEN = regex.compile(r"^[\p{M}ะาๅๆະາ]|[เแโใไເແໂໃໄ]$")  # begins with the end of a syllable, or ends with a beginning


@dataclass(frozen=True)
class Topic:
    """One group. `number` is what its passages carry."""

    number: int
    size: int
    terms: tuple[tuple[str, tuple[str, ...]], ...]  # (language, words), the language of most passages first
    x: float  # its middle
    y: float


def find_groups(positions: Positions) -> NDArray[np.int16]:
    """The number of each position's group (n,), from 0: k-means on the map, so that a group is one place of it."""
    from sklearn.cluster import KMeans

    groups = int(np.clip(round(math.sqrt(len(positions)) / 2), 1, MOST_GROUPS))
    return np.asarray(KMeans(groups, n_init=3, random_state=SEED).fit_predict(positions), np.int16)


def name_topics(
    positions: Positions, groups: NDArray[np.int16], texts: Sequence[str], languages: Sequence[str]
) -> tuple[Topic, ...]:
    """The groups with their words, the largest first."""
    terms = _terms(groups, texts, languages)
    topics = []
    for number in range(int(groups.max(initial=-1)) + 1):
        members = np.flatnonzero(groups == number)
        x, y = np.median(positions[members], axis=0)
        topics.append(Topic(number, len(members), terms.get(number, ()), float(x), float(y)))
    return tuple(sorted(topics, key=lambda topic: -topic.size))


def _terms(
    groups: NDArray[np.int16], texts: Sequence[str], languages: Sequence[str]
) -> dict[int, tuple[tuple[str, tuple[str, ...]], ...]]:
    reading = _Reading()
    members: dict[tuple[int, str], list[int]] = {}
    for at, language in enumerate(languages):
        members.setdefault((int(groups[at]), language), []).append(at)
    counts: dict[tuple[int, str], Counter[str]] = {}
    read: dict[tuple[int, str], int] = {}
    for key, rows in members.items():
        drawn = rows[:: max(1, len(rows) // MOST_MEMBERS_READ)]
        counts[key] = Counter(term for at in drawn for term in reading.terms(texts[at]))
        read[key] = len(drawn)
    everywhere: dict[str, Counter[str]] = {}
    passages: Counter[str] = Counter()
    for (_, language), counted in counts.items():
        everywhere.setdefault(language, Counter()).update(counted)
    for (_, language), n in read.items():
        passages[language] += n
    found: dict[int, list[tuple[str, tuple[str, ...]]]] = {}
    for number, language in sorted(members, key=lambda key: -len(members[key])):
        if len(found.setdefault(number, [])) < LANGUAGES_NAMED:
            key = (number, language)
            best = _best(
                counts[key], read[key], everywhere[language], passages[language], _Runs(texts, members[key]).grown
            )
            if best:
                found[number].append((language, tuple(reading.written(term) for term in best)))
    return {number: tuple(named) for number, named in found.items()}


def _best(own: Counter[str], n: int, every: Counter[str], n_every: int, grown: Callable[[str], str]) -> list[str]:
    def weight(term: str) -> float:
        share = own[term] / n
        return share * math.log(share / (every[term] / n_every)) if n < n_every else share

    def is_told(term: str) -> bool:
        return any(term in other or other in term for other in chosen)  # bread and breads, 図書 and 図書館

    fewest = 2 if n > 3 else 1
    chosen: list[str] = []
    for term in sorted((term for term in own if own[term] >= fewest), key=lambda term: (-weight(term), term)):
        if weight(term) < LEAST_WEIGHT or len(chosen) == TERMS:
            break
        if not is_told(term) and (whole := grown(term)) and not is_told(whole):
            chosen.append(whole)
    return chosen


class _Runs:
    """The pairs of characters of some passages, in their order."""

    def __init__(self, texts: Sequence[str], members: Sequence[int]) -> None:
        drawn = members[:: max(1, len(members) // PASSAGES_GROWN_IN)]
        self._texts = [texts[at] for at in drawn]
        self._read: list[list[str]] | None = None

    def grown(self, term: str) -> str:
        """The run that a pair mostly stands in, "" for a piece of a syllable; any other term as it is."""
        if not _UNSPACED.match(term):
            return term
        if self._read is None:
            runs = (run for text in self._texts for run in _WORD.findall(text) if _UNSPACED.match(run))
            self._read = [list(words(run)) for run in runs]
        places = [(run, at, at + 1) for run in self._read for at, pair in enumerate(run) if pair == term]
        grows = True
        while grows and places and places[0][2] - places[0][1] < LONGEST_GROWN:
            longer = (_repeated(places, 0, 1), _repeated(places, 1, 0))
            grows = any(longer)
            places = max(longer, key=len) or places
        whole = _joined(places[0]) if places else term
        return "" if _BROKEN.search(whole) else whole.replace("ํา", "ำ").replace("ໍາ", "ຳ")


_Place = tuple[list[str], int, int]  # a run's pairs, and from which to which


def _repeated(places: Sequence[_Place], before: int, after: int) -> list[_Place]:
    """The places with the neighbour that most of them have; none if it is not the same in most."""
    wider = [(run, a - before, b + after) for run, a, b in places if a >= before and b + after <= len(run)]
    neighbours = Counter(run[a] if before else run[b - 1] for run, a, b in wider)
    neighbour, count = next(iter(neighbours.most_common(1)), ("", 0))
    if count < max(2, SAME_NEIGHBOUR * len(places)):
        return []
    return [(run, a, b) for run, a, b in wider if (run[a] if before else run[b - 1]) == neighbour]


def _joined(place: _Place) -> str:
    """What neighbouring pairs have in common once."""
    run, a, b = place
    whole = run[a]
    for pair in run[a + 1 : b]:
        shared = next((k for k in range(len(pair) - 1, 0, -1) if whole.endswith(pair[:k])), 0)
        whole += pair[shared:]
    return whole


class _Reading:
    """Texts → terms as the search by words folds them, and back to how they are mostly written."""

    def __init__(self) -> None:
        self._known: dict[str, tuple[str, ...]] = {}
        self._written: dict[str, Counter[str]] = {}

    def terms(self, text: str) -> set[str]:
        """Each of the text's words once."""
        found: set[str] = set()
        for word in _WORD.findall(text):
            terms = self._known.get(word)
            if terms is None:
                terms = self._known[word] = tuple(_folded(word))
            found.update(terms)
            if len(terms) == 1:
                self._written.setdefault(terms[0], Counter())[word] += 1
        return found

    def written(self, term: str) -> str:
        """In its commonest spelling."""
        spellings = self._written.get(term)
        return spellings.most_common(1)[0][0] if spellings else term


def _folded(word: str) -> Iterator[str]:
    """A word of at least three letters; of scripts without spaces a short run, or its pairs."""
    if not _UNSPACED.match(word):
        folded = "".join(words(word))
        if len(word) > 2:
            yield folded
    elif regex.fullmatch(r"\p{Hiragana}+", word) is None:  # endings and particles
        short = len(word) <= LONGEST_RUN or regex.match(r"\p{Katakana}", word)
        yield from [word] if short and len(word) > 1 else [part for part in words(word) if len(part) > 1]
