"""How a place in a source is called."""

from __future__ import annotations

import pytest

from labse_search.places import cite, describe_place


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
        ({"message": 3, "title": "The boat", "part": "body"}, "message 3 · The boat"),
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
