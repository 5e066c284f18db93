"""Which passages are copies of each other."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from labse_search.records import Found, Segment, StoredSegment
from labse_search.search.same import collapse, spelling


def found(name: str, text: str) -> Found:
    return Found(StoredSegment(name, (name,), (), "txt", 0.0, Segment(0, 0, len(text), text, "en", {})), 0.5)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("The sea is rising.", "The sea  is\nrising"),
        ("The Sea is RISING!", "the sea is rising"),
        ("Rhein\u00adschifffahrt", "Rheinschifffahrt"),
        ("ＡＢＣ １２３", "abc 123"),
        ("“Yes”, he said.", '"Yes" he said'),
        ("東京都。", "東京都"),
        ("e\u0301te\u0301", "été"),
        ("price 5.", "price 5"),
    ],
)
def test_copies_differ_in_case_width_spaces_and_punctuation_only(one: str, other: str) -> None:
    assert spelling(one) == spelling(other)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("A owes B the rent.", "B owes A the rent."),
        ("in Maßen genießen", "in Massen genießen"),
        ("résumé", "resume"),
        ("platform 1 23", "platform 12 3"),
        ("it is -5 degrees", "it is 5 degrees"),
        ("costs 3.5", "costs 35"),
        ("grew by 5%", "grew by 5"),
        ("a < b", "a > b"),
        ("$5", "€5"),
        ("ប្រទីប", "បរទប"),
        ("مَلِك", "مُلك"),
        ("…", "!"),
    ],
)
def test_whatever_changes_the_meaning_keeps_them_apart(one: str, other: str) -> None:
    assert spelling(one) != spelling(other)


def test_a_passage_stands_for_the_copies_after_it() -> None:
    ranking = [found("a", "The sea."), found("b", "Bread"), found("c", "the sea"), found("d", "THE  SEA")]
    names = [(one.stored.document, [copy.stored.document for copy in copies]) for one, copies in collapse(ranking)]
    assert names == [("a", ["c", "d"]), ("b", [])]


def test_long_passages_of_one_beginning_are_copies_only_to_their_end() -> None:
    beginning = "The water rose to the second step of the old bridge in the spring of that year, and nobody was hurt. "
    ranking = [found("a", beginning + "Then it fell."), found("b", beginning + "Then it rose."), found("c", beginning)]
    ranking += [found("d", f"“{beginning.upper()}” Then: it fell!"), found("e", beginning.strip(". "))]
    names = [(one.stored.document, [copy.stored.document for copy in copies]) for one, copies in collapse(ranking)]
    assert names == [("a", ["d"]), ("b", []), ("c", ["e"])]


@settings(deadline=None)
@given(st.lists(st.text("ab1²٣, .-−%“\u00a0東Éé\u0301İſ", max_size=6), max_size=12))
def test_copies_are_those_of_equal_spelling(texts: list[str]) -> None:
    groups: dict[str, list[str]] = {}
    for number, text in enumerate(texts):
        groups.setdefault(spelling(text), []).append(str(number))
    folded = collapse([found(str(number), text) for number, text in enumerate(texts)])
    assert [[one.stored.document, *(copy.stored.document for copy in copies)] for one, copies in folded] == list(
        groups.values()
    )
