"""Fusion, collapsing and shared words: pure functions of small lists."""

import numpy as np

from labse_search.records import Found, Segment, StoredSegment
from labse_search.search.fusion import closer_than, collapse, coverage, fuse, shared_words
from labse_search.search.searcher import above_usual, strength


def found(name: str, text: str = "", *, language: str = "en", score: float = 0.5) -> Found:
    segment = Segment(0, 0, len(text or name), text or name, language, {})
    return Found(StoredSegment(name, (name,), (), "txt", 0.0, segment), score)


def names(ranking: list[Found]) -> list[str]:
    return [one.stored.document for one in ranking]


def test_what_both_rankings_find_comes_before_what_one_finds() -> None:
    a, b, c, d = (found(name) for name in "abcd")
    assert names(fuse([a, b, c], [b, d], [1.0, 1.0])) == ["b", "a", "d", "c"]


def test_a_rank_by_words_counts_as_much_as_of_the_question_it_covers() -> None:
    a, b, c = (found(name) for name in "abc")
    assert names(fuse([a, b], [c], [0.1])) == ["a", "b", "c"]
    assert names(fuse([a, b], [b, c], [0.9, 0.9])) == ["b", "a", "c"]


def test_coverage_weighs_words_by_their_letters() -> None:
    assert coverage(["the", "lighthouse"], ["lighthouse"]) == 8 / 11
    assert coverage(["the", "lighthouse"], ["the", "the"]) == 3 / 11
    assert coverage([], ["a"]) == 0.0


def test_passages_that_differ_in_spaces_only_are_one() -> None:
    ranking = [found("a", "The sea is rising."), found("b", "The sea  is rising"), found("c", "Bread")]
    apart = dict(zip((one.stored.point for one in ranking), np.eye(3, dtype=np.float32), strict=True))
    kept = collapse(ranking, apart)
    assert [(one.stored.document, [copy.stored.document for copy in copies]) for one, copies in kept] == [
        ("a", ["b"]),
        ("c", []),
    ]


def test_nearly_equal_vectors_collapse_in_one_language_only() -> None:
    first, second = found("a", "It rains a lot"), found("b", "It is raining a lot")
    other = found("c", "Es regnet viel", language="de")
    vector = np.array([1, 0], np.float32)
    vectors = {one.stored.point: vector for one in (first, second, other)}
    kept = collapse([first, second, other], vectors)
    assert [one.stored.document for one, _ in kept] == ["a", "c"]


def test_passages_that_differ_in_a_number_are_two() -> None:
    first, second = found("a", "Platform 3 at noon"), found("b", "Platform 4 at noon")
    vector = np.array([1, 0], np.float32)
    kept = collapse([first, second], {one.stored.point: vector for one in (first, second)})
    assert len(kept) == 2


def test_shared_words_are_names_and_numbers_not_grammar() -> None:
    assert shared_words("What did Ms Novák pay in 1987 for it?", "In 1987 Novák paid for it") == ("1987", "Novák")
    assert shared_words("How?", "Not at all") == ()


def test_strength_is_measured_against_what_is_usual() -> None:
    usual = np.random.default_rng(0).normal(0.1, 0.05, 500)
    assert strength(above_usual(0.6, usual)) == "very close"
    assert strength(above_usual(0.12, usual)) == "far"
    assert closer_than(0.6, usual) == 1.0
    assert closer_than(-1.0, usual) == 0.0
