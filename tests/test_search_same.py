"""Which passages are copies of each other."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from labse_search.records import Found, Segment, StoredSegment
from labse_search.search.same import collapse
from labse_search.search.spelling import spelling


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
        ("Well-known ships", "well known ships"),
        ("The house – an old one – fell", "the house, an old one, fell"),
        ("the years 1990 – 1995", "the years 1990-1995"),
        ("at –5 °C", "at -5 °C"),
        ("at −5 °C", "at -5 °C"),
        ("the years 1990−1995", "the years 1990–1995"),
        ("Rock 'n' Roll", "rock n roll"),
        ("¿Dónde está?", "Dónde está?"),
        ("《论语》，孔子。", "论语 孔子"),
        ("a gap of 3 : 5", "a gap of 3:5"),
        ("10 km", "10km"),
        ("am 5. Mai", "am 5 Mai"),
        ("he said “I am 12” and left", "he said I am 12, and left"),
        ("it doesn’t", "it doesn't"),
        ("5′ 11″ tall", "5' 11\" tall"),
        ("東京 都。\n大阪", "東京都大阪"),
        ("ภาษา ไทย", "ภาษาไทย"),
        ("• milk", "milk"),
        ("- milk", "milk"),
        ("He stopped … and went", "He stopped and went"),
        ("Name: ______", "Name"),
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
        ("return !door.locked;", "return door.locked;"),
        ("if (!(a || b))", "if ((a || b))"),
        ("while (a != b)", "while (a = b)"),
        ("x := 1", "x = 1"),
        ("a <- b", "a < b"),
        ("return -x", "return x"),
        ("git push --force now", "git push force now"),
        ("2 * (3 + 4)", "2 * 3 + 4"),
        ("was (500) euros", "was 500 euros"),
        ("Saldo 500-", "Saldo 500"),
        ("costs .5 euros", "costs 5 euros"),
        ("10² metres", "102 metres"),
        ("12″ lang", "12′ lang"),
        ('12" lang', "12' lang"),
        ('12" lang', "12 lang"),
        ("12” lang", "12 lang"),
        ("5! = 120", "5 = 120"),
        ("٢٠٪", "٢٠"),
        ("‱ 5", "5"),
        ("Employee(s) leave", "Employees leave"),
        ("The contract holds?", "The contract holds."),
        ("Anna Meier †", "Anna Meier"),
        ("the rapist was found", "therapist was found"),
        ("he'll come", "hell come"),
        ("user_name", "username"),
        ("while (i--)", "while (i)"),
        ("A − B", "A B"),
        ("10⁻³ metres", "10-3 metres"),
        ("uses .NET", "uses NET"),
        ("x → y", "x y"),
        ("5′ 11″ tall", "5″ 11′ tall"),
        ("_door", "door"),
        ("the x-5", "the x 5"),
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
