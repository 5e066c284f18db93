"""How likely found passages answer: by the model's profile, and what is usual in the collection."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from labse_search.records import Found, StoredSegment
from labse_search.search.asked import Asked
from labse_search.search.fusion import coverage
from labse_search.search.passages import is_heading
from labse_search.search.profile import RELATED, ModelProfile, Pool, Unanswered, others_of
from labse_search.search.spelling import letters, tokens
from labse_search.similarity import Vectors
from labse_search.store import Store
from labse_search.store.folding import UNSPACED, UNSPACED_BEYOND

SAMPLE = 1000  # segments whose closeness to the question says what "usual" is in this collection
CERTAIN = 0.99  # the probability of a passage that holds the very words of the question
QUOTE = 12  # letters and digits of a question from which holding its very words is no accident
WORD = 4  # of a question that is a single word; fewer where it has digits, as a code has
QUESTION_MARKS = "?؟？"
_WITHOUT_SPACES = re.compile(f"[{UNSPACED}{UNSPACED_BEYOND}]")


@dataclass(frozen=True)
class Sample:
    """Vectors of passages drawn at random: what a collection is like."""

    count: int  # segments in the collection when it was taken
    rows: Vectors  # (n, dimension)

    def is_stale(self, count: int) -> bool:
        """Whether the collection has grown or shrunk by more than a twentieth since."""
        return abs(self.count - count) > 0.05 * count


def take_sample(store: Store, collection: str, dimension: int, count: int) -> Sample:
    """A random sample of the collection of `count` segments: ids are hashes, so the first by id are random."""
    stored = list(store.segments(collection, limit=SAMPLE))
    vectors = store.vectors(collection, [one.point for one in stored])
    rows = [vectors[one.point] for one in stored if one.point in vectors]
    return Sample(count, np.stack(rows) if rows else np.zeros((0, dimension), np.float32))


@dataclass(frozen=True)
class Surroundings:
    """What found passages are judged beside."""

    found: Pool  # all of them
    usual: NDArray[np.float32]  # (n,) the question's cosines to the collection's sample
    count: int  # segments in the collection
    beside: Pool | None = None  # what to compare with, where what was found is not the closest that there is


def chances(
    asked: Asked, closeness: Mapping[str, float], around: Surroundings, profile: ModelProfile
) -> dict[str, float]:
    """How likely each passage answers, by point, from how close it is to the question (in the order of `around.found`)
    and how close the others are."""
    values = np.array(list(closeness.values()), np.float64)
    if asked.intent == "translation":
        return dict(zip(closeness, profile.translation_probability(values).tolist(), strict=True))
    others = others_of(around.found, around.beside or around.found, profile.translation)
    likely = profile.probability(values, others, around.usual, around.count)
    return dict(zip(closeness, likely.tolist(), strict=True))


def late_chances(
    closeness: Mapping[str, float], around: Surroundings, profile: ModelProfile, unanswered: Unanswered | None
) -> dict[str, float]:
    """How likely each passage answers, by point, from how close it is by late interaction: the passages of
    `around.found`, in its order. `unanswered`: what the collection finds for questions without an answer."""
    others = others_of(around.found, around.found, profile.translation)
    likely = profile.late_probability(around.found.closeness, others, around.usual, around.count)
    if unanswered is not None:
        likely = profile.scored.probability(likely, unanswered.mean, unanswered.deviation)
    return dict(zip(closeness, likely.tolist(), strict=True))


def certain(asked: Asked, shown: Sequence[Found], *, by_words: bool = False) -> set[str]:
    """The points of passages that hold the question's very words: those answer, whatever the cosine. A single word is
    what somebody looks for, and no accident. `by_words`: nothing was looked for but words, so all of them are enough,
    in any order. A heading is no answer."""
    if asked.intent == "translation":
        return set()
    wanted = tokens(asked.text)
    while wanted and wanted[-1] in QUESTION_MARKS:
        wanted = wanted[:-1]
    if not _tells(asked.text, "".join(wanted)):
        return set()
    texts = {one.stored.point: one.stored.segment.text for one in shown if not is_heading(one.stored.segment)}
    if by_words:
        return {point for point, text in texts.items() if coverage(asked.said, text) == 1.0}
    run, plain = _run(wanted), letters("".join(wanted))
    # The letters alone tell nearly all that do not hold them, and take a twentieth of the time.
    return {point for point, text in texts.items() if plain in letters(text) and run in _run(tokens(text))}


def _tells(question: str, said: str) -> bool:
    """Whether holding what the question says, these letters and signs, is no accident. Where words have no spaces
    between them nobody knows where one ends: ライス, rice, stands in プライス, price. Who asks "Why?" does not look for
    a word."""
    if len(question.split()) > 1 or question.rstrip().endswith(tuple(QUESTION_MARKS)) or _WITHOUT_SPACES.search(said):
        return len(said) >= QUOTE
    return len(said) >= WORD or (any(map(str.isdigit, said)) and any(map(str.isalpha, said)))


def _run(words: Sequence[str]) -> str:
    """As one text in which a word is only found as a whole."""
    return "\n".join(("", *words, ""))


def related(found: Mapping[str, Found], likely: Mapping[str, float]) -> tuple[StoredSegment, ...]:
    """Those of the found that are at least related; all where that would leave no choice."""
    close = [one.stored for point, one in found.items() if likely[point] >= RELATED]
    return tuple(close if len(close) > 1 else (one.stored for one in found.values()))
