"""The order of the passages shown, by the whole passage and its closest sentence."""

from __future__ import annotations

from labse_search.records import Found, Segment, StoredSegment
from labse_search.search.context import Marked
from labse_search.search.refining import finer, refined


def passage(name: str, text: str = "text") -> Found:
    segment = Segment(0, 0, len(text), text, "en", {})
    return Found(StoredSegment(name * 32, (name,), (), "txt", 1.0, segment), 0.0)


def test_a_passage_of_several_sentences_is_as_close_as_it_and_its_closest_sentence() -> None:
    marked = {"a": Marked((0, 4), 0.7), "b": Marked((0, 4))}
    found = finer({"a": 0.5, "b": 0.4, "c": 0.3, "d": -1.0}, marked | {"d": Marked((0, 4), 0.9)}, gap=0.1)
    assert {point: round(value, 6) for point, value in found.items()} == {"a": 0.65, "b": 0.4, "c": 0.3, "d": -1.0}


def test_shown_passages_come_closest_first_and_what_has_all_words_before_that() -> None:
    one, two, three = (passage(name, text) for name, text in (("a", "rain"), ("b", "snow"), ("c", "XR-77 salt")))
    shown = [(found, [], []) for found in (one, two, three)]
    close = {one.stored.point: 0.4, two.stored.point: 0.6, three.stored.point: 0.55}
    assert [found for found, _, _ in refined(shown, "Is it cold?", [], close)] == [two, three, one]
    assert [found for found, _, _ in refined(shown, "XR-77", [three], close)] == [three, two, one]
    assert [found for found, _, _ in refined(shown, "cold", [], {**close, two.stored.point: -1.0})] == [three, one]
