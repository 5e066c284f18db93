"""The order of the passages shown, and what late interaction tells of them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from labse_search.encoder import TokenStates
from labse_search.records import Found, Segment, StoredSegment
from labse_search.search.late import LateInteraction, question_tokens
from labse_search.search.refining import Entry, refined

WORDS = {word: axis for axis, word in enumerate(("rain", "snow", "salt", "is", "it", "cold", "?", "."))}
MEAN = np.zeros(len(WORDS), np.float32)


class Letters:
    """Tells of each word of a text one direction, whatever stands beside it."""

    dimension = len(WORDS)

    def __init__(self) -> None:
        self.read: list[list[str]] = []

    def token_states(self, texts: Sequence[str], tasks: Sequence[str]) -> list[TokenStates]:
        self.read.append(list(texts))
        return [self._states(text) for text in texts]

    def _states(self, text: str) -> TokenStates:
        at, spans = 0, []
        for word in text.split():
            at = text.index(word, at)
            spans.append((at, at + len(word)))
            at += len(word)
        rows = np.eye(len(WORDS), dtype=np.float32)[[WORDS[word] for word in text.split()]]
        return TokenStates(2 * rows, np.array(spans, np.int64).reshape(-1, 2))


class Sentences:
    """Tells nothing of tokens: only what a whole text is, the sum of its words."""

    dimension = len(WORDS)

    def token_states(self, texts: Sequence[str], tasks: Sequence[str]) -> None:
        return None

    def encode(self, texts: Sequence[str], task: str = "text") -> np.ndarray:
        return np.stack([Letters()._states(text).states.sum(axis=0) for text in texts])


def passage(name: str, text: str = "text", spans: Sequence[tuple[int, int]] = ()) -> Found:
    segment = Segment(0, 0, len(text), text, "en", {}, tuple(spans))
    return Found(StoredSegment(name * 32, (name,), (), "txt", 1.0, segment), 0.0)


def compare(encoder: Any, question: str, *found: Found) -> list[tuple[tuple[int, int], float | None]]:
    told = LateInteraction(encoder).compare([question], [one.stored for one in found], MEAN)
    return [(told[one.stored.point].span, told[one.stored.point].closeness) for one in found]


def test_a_passage_is_as_close_as_the_counterparts_of_the_words_asked_for() -> None:
    both, one, none = passage("a", "snow rain"), passage("b", "salt rain rain"), passage("c", "salt")
    assert [close for _, close in compare(Letters(), "rain snow", both, one, none)] == [1.0, 0.5, 0.0]


def test_the_sentence_is_marked_that_has_most_of_them() -> None:
    text = "rain . snow is cold . salt ."
    found = passage("a", text, [(0, 6), (7, 21), (22, 28)])
    ((span, close),) = compare(Letters(), "is snow cold ?", found)
    assert text[slice(*span)] == "snow is cold ." and close == 1.0


def test_a_question_mark_looks_for_no_counterpart_unless_nothing_else_is_asked() -> None:
    assert compare(Letters(), "rain ?", passage("a", "? salt"), passage("b", "rain salt"))[0][1] == 0.0
    assert question_tokens(Letters(), ["? ."], MEAN).shape == (2, len(WORDS))  # type: ignore[arg-type]


def test_a_model_that_tells_nothing_of_tokens_is_asked_for_sentences() -> None:
    text = "rain . snow . salt ."
    ((span, close),) = compare(Sentences(), "snow .", passage("a", text, [(0, 6), (7, 13), (14, 20)]))
    assert text[slice(*span)] == "snow ." and close is not None and close > 0.99


def test_a_passage_without_tokens_cannot_be_compared() -> None:
    assert compare(Letters(), "rain", passage("a", "  ", [(0, 2)])) == [((0, 2), None)]


def test_passages_are_read_once_and_those_not_asked_for_are_forgotten() -> None:
    encoder = Letters()
    late = LateInteraction(encoder, most_tokens=3)  # type: ignore[arg-type]
    for name in ("rain", "snow", "rain", "salt", "it is", "rain"):
        late.compare(["cold"], [passage("a", name).stored], MEAN)
    assert [texts[1:] for texts in encoder.read] == [["rain"], ["snow"], [], ["salt"], ["it is"], ["rain"]]
    assert all(texts[0] == "cold" for texts in encoder.read)  # the question goes along, in one call


def test_shown_passages_come_closest_first_and_what_has_all_words_before_that() -> None:
    one, two, three = (passage(name, text) for name, text in (("a", "rain"), ("b", "snow"), ("c", "XR-77 salt")))
    shown: list[Entry] = [(found, []) for found in (one, two, three)]
    read = {found.stored.point for found, _ in shown}
    close = {one.stored.point: 0.4, two.stored.point: 0.6, three.stored.point: 0.55}
    assert [found for found, _ in refined(shown, read, "Is it cold?", [], close)] == [two, three, one]
    assert [found for found, _ in refined(shown, read, "XR-77", [three], close)] == [three, two, one]


def test_a_passage_that_cannot_be_compared_is_not_lost() -> None:
    one, two = passage("a", "rain"), passage("b", "snow")
    shown: list[Entry] = [(found, []) for found in (one, two)]
    read = {one.stored.point, two.stored.point}
    assert [found for found, _ in refined(shown, read, "cold", [], {two.stored.point: 0.4})] == [two, one]
