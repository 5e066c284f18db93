"""Steering a question towards passages and further questions, or away from them."""

from __future__ import annotations

import numpy as np
import pytest
from test_search import searcher as searcher
from test_search import store as store

from labse_search.errors import UserError
from labse_search.records import Filter
from labse_search.search import Searcher
from labse_search.search.facets import GROUPS
from labse_search.search.steer import Steer, read_question_steer, read_steer, steered
from labse_search.similarity import normalize

SEA, MARKET, BRIDGE, GONE = f"{0:032x}", f"{2:032x}", f"{2:032x}", "f" * 32


def test_a_question_moves_towards_and_away_and_never_turns_round() -> None:
    question, near, other = (normalize(np.array(row)) for row in ([1.0, 0, 0], [1.0, 1, 0], [0.0, 0, 1]))
    towards = steered(question, np.array([other]), [1.0])
    assert float(towards @ other) == pytest.approx(float(towards @ question))
    for weight in (-0.1, -1.0, -2.0):
        away = steered(question, np.array([near]), [weight])
        assert float(away @ near) < float(question @ near) and float(away @ question) > 0.4
    assert np.array_equal(steered(question, np.zeros((0, 3)), []), question.astype(np.float32))


def test_what_is_steered_towards_rises_and_what_is_steered_away_from_goes(searcher: Searcher) -> None:
    plain = [hit.stored.segment.text for hit in searcher.search("sea", mode="meaning", group=False).hits]
    more = searcher.search("sea", mode="meaning", group=False, steers=[Steer(1.0, SEA, 1)])
    assert more.hits[0].stored.segment.text == "The sea at night." != plain[0]
    less = searcher.search("sea", mode="both", group=False, steers=[Steer(-1.0, SEA, 1)])
    texts = [hit.stored.segment.text for hit in less.hits]
    assert "The sea at night." not in texts and {"Das Meer und Wind.", "The  sea and wind"} == set(texts[:2])


def test_several_questions_are_asked_at_once(searcher: Searcher) -> None:
    answer = searcher.search("sea", steers=[Steer(0.6, text="night")], group=False)
    assert answer.hits[0].stored.segment.text == "The sea at night." and answer.question == "sea"
    assert "night" in answer.hits[0].shared_words
    with pytest.raises(UserError):
        searcher.search("sea", steers=[Steer(1.0, text=" … ")])


def test_what_cannot_steer_is_said(searcher: Searcher) -> None:
    plain = searcher.search("sea", mode="words")
    answer = searcher.search("sea", mode="words", steers=[Steer(2.0, MARKET)])
    assert answer.hits == plain.hits and "Weights" in answer.notes[0]
    gone = searcher.search("sea", steers=[Steer(1.0, GONE, 3)])
    assert gone.hits == searcher.search("sea").hits and "no longer" in gone.notes[0]


def test_passages_like_one_are_steered_too(searcher: Searcher) -> None:
    like = searcher.more_like(SEA, 0, steers=[Steer(2.0, BRIDGE, 1)])
    assert like.hits[0].stored.segment.text in ("Die Brücke.", "город и мост")


@pytest.mark.parametrize("weight", [0.0, 0.09, 2.01, -2.5, float("nan"), float("inf")])
def test_a_weight_has_bounds(weight: float) -> None:
    with pytest.raises(UserError, match="expected 0.1 to 2.0"):
        Steer(weight, SEA)


def test_steers_are_written_as_text() -> None:
    assert (read_steer(f"{SEA}.3"), read_steer(f"{SEA}.3", sign=-1)) == (Steer(0.5, SEA, 3), Steer(-0.2, SEA, 3))
    assert read_steer(f"{SEA}.3:0.5", sign=-1) == Steer(-0.5, SEA, 3)
    assert read_question_steer("Wo?::1.5") == Steer(1.5, text="Wo?")
    assert read_question_steer("Wo? :: 1,5 ") == Steer(1.5, text="Wo? ")
    for text in ("at 9:30?", "How does std::sort work", "std::nan", "std::1st", "Wo?::", "::2", "a::1e1"):
        assert read_question_steer(text) == Steer(1.0, text=text)
    with pytest.raises(UserError, match="expected 0.1 to 2.0"):
        read_question_steer("Wo?::5")
    for wrong in ("", "x", f"{SEA}.", f"{SEA}.-1", f"{SEA}.1:x", ".1"):
        with pytest.raises(UserError):
            read_steer(wrong)


def test_pools_tell_what_each_filter_would_bring(searcher: Searcher) -> None:
    answer = searcher.search("sea and wind", where=Filter(languages=("de",)), pools=True)
    assert set(answer.languages) == {"de"}
    languages = {group: {one.segment.language for one in answer.pools[group]} for group in GROUPS}
    assert {"de", "en"} <= languages["languages"] and languages["kinds"] == {"de"}
    nothing = searcher.search("bread", pools=True, where=Filter(added_after=1e12))
    assert not nothing.hits and nothing.pools["added"]
