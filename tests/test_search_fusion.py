"""Fusion and shared words: pure functions of small lists."""

import numpy as np
import pytest

from labse_search.records import Found, Segment, StoredSegment
from labse_search.search.fusion import closer_than, coverage, fuse, shared_words


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
    assert coverage("the lighthouse", "Lighthouse!") == 8 / 11
    assert coverage("the lighthouse", "the the") == 3 / 11
    assert coverage("…", "a") == 0.0


def test_coverage_counts_a_word_that_is_written_in_another_way() -> None:
    assert coverage("Müller", "bei Mueller") == 1.0
    assert coverage("don't", "dont") == 1.0


@pytest.mark.parametrize(("question", "text"), [("猫", "庭に猫がいる"), ("집", "집이 크다"), ("ဈေး", "ဈေးသည်")])
def test_coverage_counts_a_word_of_one_character(question: str, text: str) -> None:
    assert coverage(question, text) == 1.0


def test_shared_words_are_names_and_numbers_not_grammar() -> None:
    assert shared_words("What did Ms Novák pay in 1987 for it?", "In 1987 Novák paid for it") == ("1987", "Novák")
    assert shared_words("How?", "Not at all") == ()


def test_closer_than_is_the_share_of_the_sample_below() -> None:
    usual = np.random.default_rng(0).normal(0.1, 0.05, 500)
    assert closer_than(0.6, usual) == 1.0
    assert closer_than(-1.0, usual) == 0.0
