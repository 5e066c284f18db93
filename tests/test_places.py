"""How a place in a source and a language are called."""

from __future__ import annotations

import pytest

from labse_search.places import LANGUAGE_NAMES, cite, describe_place, is_right_to_left, language_name

# The languages of the LaBSE paper's appendix, as Google's model card spells them.
LABSE = """af am ar as az be bg bn bo bs ca ceb co cs cy da de el en eo es et eu fa fi fr fy ga gd gl gu ha haw he hi
hmn hr ht hu hy id ig is it ja jv ka kk km kn ko ku ky la lb lo lt lv mg mi mk ml mn mr ms mt my ne nl no ny or pa pl
pt ro ru rw si sk sl sm sn so sq sr st su sv sw ta te tg th tk tl tr tt ug uk ur uz vi wo xh yi yo zh zu""".split()


@pytest.mark.parametrize(
    ("place", "words"),
    [
        ({}, ""),
        ({"page": 12, "pages": 80, "section": "Methods"}, "p. 12 of 80 · Methods"),
        ({"section": "Methods", "pages": 80, "page": 12}, "p. 12 of 80 · Methods"),
        ({"page": "iv"}, "p. iv"),
        ({"slide": 3}, "slide 3"),
        ({"slide": 3, "slides": 9, "title": "Bridges", "part": "notes"}, "slide 3 of 9 · Bridges · notes"),
        ({"sheet": "Sheet1", "row": 17}, "Sheet1, row 17"),
        ({"row": 17}, "row 17"),
        ({"sheet": "Sheet1"}, "Sheet1"),
        ({"time": "00:01:02"}, "00:01:02"),
        ({"chapter": 2}, "chapter 2"),
        ({"chapter": 2, "title": "The river"}, "chapter 2 · The river"),
        ({"chapter": "Prologue"}, "Prologue"),
        ({"title": "Salt", "section": "Salt"}, "Salt"),
        ({"line": 40}, "line 40"),
        ({"path": "items[3].name"}, "items[3].name"),
        ({"part": "body"}, ""),
        ({"member": "notes/a.txt", "line": 3}, "notes/a.txt › line 3"),
        ({"member": "in.zip/b.pdf", "page": 1}, "in.zip/b.pdf › p. 1"),
        ({"attachment": "plan.docx"}, "plan.docx"),
        ({"member": "post.eml", "attachment": "plan.pdf", "page": 2}, "post.eml › plan.pdf › p. 2"),
    ],
)
def test_a_place_is_said_in_the_words_of_a_citation(place: dict[str, str | int], words: str) -> None:
    assert describe_place(place) == words


def test_a_citation_joins_the_name_and_the_place() -> None:
    assert cite("report.pdf", {"page": 12}) == "report.pdf, p. 12"
    assert cite("all.zip", {"member": "notes/a.txt", "line": 3}) == "all.zip › notes/a.txt › line 3"
    assert cite("letter.txt", {}) == "letter.txt"


def test_every_language_of_labse_has_a_name_of_its_own() -> None:
    assert [code for code in LABSE if code not in LANGUAGE_NAMES] == []
    assert len(set(LANGUAGE_NAMES.values())) == len(LANGUAGE_NAMES)


def test_a_code_with_a_region_has_the_name_of_its_language_and_an_unknown_one_stands_for_itself() -> None:
    assert language_name("zh-cn") == language_name("zh_Hant") == "Chinese"
    assert language_name("unknown") == "unknown language"
    assert language_name("tlh") == "tlh"


def test_right_to_left_languages_are_known() -> None:
    assert all(is_right_to_left(code) for code in ("ar", "fa", "he", "ur", "yi", "ug", "ps", "ar-EG"))
    assert not any(is_right_to_left(code) for code in ("en", "ja", "ru", "unknown", ""))
