"""What a person typed, and which passages that lets through."""

from __future__ import annotations

import pytest

from labse_search.errors import UserError
from labse_search.search.question import MOST_CHARACTERS, Question, admits, exactness, read_question


@pytest.mark.parametrize(
    ("typed", "expected"),
    [
        ("red lighthouse", Question("red lighthouse")),
        ('"red lighthouse" harbour', Question("red lighthouse harbour", ("red lighthouse",))),
        ("„Haus am See“ kaufen", Question("Haus am See kaufen", ("Haus am See",))),
        ("« phare rouge »", Question("phare rouge", (" phare rouge ",))),
        ("”röda fyren” hamn", Question("röda fyren hamn", ("röda fyren",))),
        ("»roter Turm« am Hafen", Question("roter Turm am Hafen", ("roter Turm",))),
        ("港の「赤い灯台」はどこ", Question("港の赤い灯台はどこ", ("赤い灯台",))),
        ("港口的“红色灯塔”在哪里", Question("港口的红色灯塔在哪里", ("红色灯塔",))),
        ("港 －「赤い船」", Question("港", (), ("赤い船",))),
        ("harbour −boat", Question("harbour", (), ("boat",))),
        ("harbour -boat", Question("harbour", (), ("boat",))),
        ('harbour -"red boat"', Question("harbour", (), ("red boat",))),
        ("A-4711 and -5 degrees", Question("A-4711 and -5 degrees")),
        ("5 - 3 = 2", Question("5 - 3 = 2")),
        ('a 5" nail', Question('a 5" nail')),
    ],
)
def test_phrases_and_exclusions_are_read(typed: str, expected: Question) -> None:
    assert read_question(typed) == expected


def test_a_pasted_paragraph_is_taken_as_it_is() -> None:
    paragraph = 'She said "we leave at dawn" and left -quietly- the harbour. ' * 5
    assert read_question(paragraph) == Question(paragraph.strip())


@pytest.mark.parametrize(
    ("typed", "says"),
    [
        ("", "Type a question"),
        (" \n", "Type a question"),
        ("?!", "no letter"),
        ("-boat", "leave out"),
        ("caf\udce9", "UTF-8"),
        ("x" * (MOST_CHARACTERS + 1), "20,001"),
    ],
)
def test_what_cannot_be_looked_for_is_refused_with_a_reason(typed: str, says: str) -> None:
    with pytest.raises(UserError, match=says):
        read_question(typed)


@pytest.mark.parametrize(
    ("typed", "text", "passes"),
    [
        ('"red lighthouse"', "The RED lighthouse.", True),
        ('"red lighthouse"', "A lighthouse, red.", False),
        ('"ISO 9001"', "certified by ISO9001:2015", True),
        ('"ISO 9001"', "ISO 14001 and 9001", False),
        ('"O\'Brien"', "Mr Obrien", True),
        ('"Müller"', "Frau Mueller", True),
        ('"猫"', "庭に猫がいる", True),
        ('"犬"', "庭に猫がいる", False),
        ('"東京都"', "ここは東京都です", True),
        ('"email address"', "Your e-mail address, please", True),
        ('"e-mail address"', "Your email address, please", True),
        ('"address email"', "Your e-mail address, please", False),
        ('"email address"', "Your e-mail or address", False),
        ('"email address"', "Your e-mail and email, the address", False),
        ('"the email address"', "Type the E-MAIL address", True),
        ('"Mueller GmbH"', "bei der Müller GmbH", True),
        ('"Müller GmbH"', "bei der Mueller GmbH", True),
        ('"Muller GmbH"', "bei der Müller GmbH", True),
        ('"Muller GmbH"', "bei der Mueller GmbH", False),
        ('"John OBrien"', "said John O'Brien.", True),
        ('"John O’Brien"', "said John Obrien.", True),
        ('"1000 Euro"', "es kostet 1.000 Euro", True),
        ('"1.000 Euro"', "es kostet 1000 Euro", True),
        ('"1000 Euro"', "es kostet 1 000 Euro", True),
        ('"1000 Euro"', "es kostet 1,5 Euro, 1000", False),
        ('"ISO 9001 e-mail"', "an ISO9001 email", True),
        ('"mail address"', "Your e-mail address", True),
        ('office -"email address"', "office, e-mail address", False),
        ('office -"address email"', "office, e-mail address", True),
        ('"第3章"', "これは第3章です", True),
        ('"iPhone用"', "新しいiPhone用ケース", True),
        ('"東京都"', "東京。都内", False),
        ('"北京大学"', "北京的大学", False),
        ('"서울 지하철"', "서울 지하철은", True),
        ('"이 사람"', "많이 사람", False),
        ("haus -Müller", "das Haus von Frau Mueller", False),
        ("haus -boot", "das Hausboot", True),
    ],
)
def test_passages_that_a_question_lets_through(typed: str, text: str, passes: bool) -> None:
    assert admits(read_question(typed))(text) is passes


def test_exact_spelling_is_measured_with_accents() -> None:
    share = exactness("résumé writing")
    assert (share("A résumé"), share("a resume writing"), share("Résumé WRITING")) == (0.5, 0.5, 1.0)
