"""Which passages answer for certain: those that hold the very words of the question."""

from __future__ import annotations

import numpy as np
import pytest

from labse_search.records import Found, Segment, StoredSegment
from labse_search.search.asked import Asked
from labse_search.search.likelihood import certain


def is_certain(question: str, passage: str, *, by_words: bool = False) -> bool:
    nothing = np.zeros(1, np.float32)
    segment = Segment(0, 0, len(passage), passage, "en", {})
    found = Found(StoredSegment("a" * 32, ("a.txt",), (), "txt", 0.0, segment), 0.5)
    return bool(certain(Asked(question, nothing, nothing, (question,)), [found], by_words=by_words))


@pytest.mark.parametrize(
    ("question", "passage"),
    [
        ("constitutional", "Is that Constitutional? It is."),
        ("vakuus", "4. Vakuus\nVuokralainen maksaa kaksi kuukausivuokraa."),
        ("накипь", "Накипь: раз в три месяца."),
        ("E2", "E2 – нет слива."),
        ("1987", "The flood of 1987."),
        ("rent", "The rent is 20 euros."),
        ("authorized access", "Only “authorized”\naccess is logged."),
        ("How high is the tower?", "He asked how high is the tower, and who built it."),
        ("invoice number 1234", "The invoice number: 1234."),
        ("café au lait crème", "Un CAFÉ au lait-crème."),
        ("東京都庁舎の展望台は何階ですか", "質問：東京都庁舎の展望台は何階ですか。お答えします"),
        ("東京都の人口は何人ですか", "昨年の東京都の人口は何人ですかと聞かれた"),
        ("มหาวิทยาลัยเชียงใหม่", "นักศึกษาของมหาวิทยาลัยเชียงใหม่เดินทาง"),
        ("សាកលវិទ្យាល័យភូមិន្ទ", "នៅសាកលវិទ្យាល័យភូមិន្ទភ្នំពេញ"),
        ("서울특별시 지하철 노선도 안내", "오늘 서울특별시 지하철 노선도 안내를 받았다"),
    ],
)
def test_the_very_words_are_certain(question: str, passage: str) -> None:
    assert is_certain(question, passage)


@pytest.mark.parametrize(
    ("question", "passage"),
    [
        ("constitutional", "The court called the new law unconstitutional."),
        ("is", "It is."),
        ("E2", "E22 – нет слива."),
        ("42", "There are 42 of them."),
        ("fee", "They drank coffee."),
        ("กา", "การเดินทาง"),
        ("the fee", "The fee is 20 euros."),
        ("ライス", "プライスの確認"),
        ("学生会", "大学生会议"),
        ("서울", "서울은 크다"),
        ("was", "What the cat was for."),
        ("Which?", "Ask which of them it is."),
        ("constitutional", "A debate on constitutionalism."),
        ("authorized access", "Unauthorized access to the server room."),
        ("authorized access", "Who authorized accession talks?"),
        ("invoice number 1234", "Invoice number 12345 was paid."),
        ("invoice number 1234", "Invoice number 1234.5 was paid."),
        ("invoice number 1234", "Invoice number 1234a was paid."),
        ("500 euros for the room", "They paid 1.500 euros for the room."),
        ("500 euros for the room", "The balance is -500 euros for the room."),
        ("конституционный", "Это неконституционный закон."),
        ("the rapist was seen", "The therapist was seen."),
        ("door.locked is returned", "Here !door.locked is returned."),
        ("café au lait crème", "cafe au lait creme"),
        ("sea and wind", "The sea and the wind."),
        ("a sea", "This is a sea."),
    ],
)
def test_other_words_that_hold_them_are_not(question: str, passage: str) -> None:
    assert not is_certain(question, passage)


def test_who_looks_for_words_alone_finds_them_in_any_order() -> None:
    assert is_certain("yearly fee for members", "Members pay for it: the FEE is yearly.", by_words=True)
    assert is_certain("Zuzahlung", "Für jeden Tag eine Zuzahlung.", by_words=True)
    assert is_certain("resume", "Send your résumé.", by_words=True)
    assert not is_certain("yearly fee for members", "The fee is yearly for all.", by_words=True)
    assert not is_certain("was the for", "What the cat was for.", by_words=True)


def test_a_translation_is_not_looked_for_by_its_words() -> None:
    nothing = np.zeros(1, np.float32)
    found = Found(StoredSegment("a" * 32, (), (), "txt", 0.0, Segment(0, 0, 14, "constitutional", "en", {})), 0.5)
    asked = Asked("constitutional", nothing, nothing, ("constitutional",), intent="translation")
    assert certain(asked, [found]) == set()
