"""The sample collection and the two sets of questions are whole: what others measure with them rests on this."""

from __future__ import annotations

import email
import email.policy
import io
import json
import re
import zipfile
from collections import Counter
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pypdfium2
import pytest
from make_examples import ENCODINGS, EXAMPLES, LANGUAGES, made_documents, make, source_text

DATA = Path(__file__).resolve().parent / "data"
CORE = ("en", "de", "fr", "es", "ru", "pl", "tr", "ar", "hi", "zh", "ja", "pt")
ZIPPED = {".docx", ".pptx", ".xlsx", ".odt", ".epub", ".zip"}


def lines(name: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (DATA / name).read_text(encoding="utf-8").splitlines()]


def squeezed(text: str) -> str:
    return "".join(text.split())


def test_every_document_of_the_collection_is_listed_with_its_language() -> None:
    on_disk = {path.relative_to(EXAMPLES).as_posix() for path in EXAMPLES.rglob("*") if path.is_file()}
    assert on_disk == set(LANGUAGES)


def test_the_collection_is_small_and_speaks_many_languages_in_many_formats() -> None:
    assert sum((EXAMPLES / name).stat().st_size for name in LANGUAGES) < 1_500_000
    assert len(set(LANGUAGES.values()) - {"mul"}) >= 20
    assert len({Path(name).suffix for name in LANGUAGES}) >= 14
    assert {"ar", "fa", "he", "hi", "ja", "ko", "th", "zh"} <= set(LANGUAGES.values())


def test_the_collection_has_at_least_sixty_different_passages() -> None:
    passages = {
        line.strip()
        for name in LANGUAGES
        for line in re.sub(r"<[^>]+>", "", source_text(name)).splitlines()
        if len(line.encode("utf-8")) >= 100  # bytes: a Chinese passage has as few as 40 characters
    }
    assert len(passages) >= 120


@pytest.mark.parametrize("name", [name for name in made_documents() if not name.endswith(".pdf")])
def test_a_made_document_is_what_its_source_gives(name: str) -> None:
    assert same_content((EXAMPLES / name).read_bytes(), make(name)), "run: python tests/make_examples.py"


def same_content(a: bytes, b: bytes) -> bool:
    """Equal, or ZIPs of equal members: how well they are compressed depends on the zlib of the machine."""
    if not (zipfile.is_zipfile(io.BytesIO(a)) and zipfile.is_zipfile(io.BytesIO(b))):
        return a == b
    with zipfile.ZipFile(io.BytesIO(a)) as first, zipfile.ZipFile(io.BytesIO(b)) as second:
        names = first.namelist()
        return names == second.namelist() and all(same_content(first.read(n), second.read(n)) for n in names)


@pytest.mark.parametrize("name", [name for name in LANGUAGES if Path(name).suffix in ZIPPED])
def test_archives_open_and_the_xml_in_them_is_well_formed(name: str) -> None:
    with zipfile.ZipFile(EXAMPLES / name) as archive:
        assert archive.testzip() is None
        for member in archive.namelist():
            if member.endswith((".xml", ".rels", ".xhtml", ".opf")):
                ElementTree.fromstring(archive.read(member))


def test_the_archive_holds_folders_and_an_archive_of_its_own() -> None:
    with zipfile.ZipFile(EXAMPLES / "archive/attic.zip") as archive:
        assert {"letters/1931 lighthouse keeper.txt", "图书馆/借书须知.txt", "bottle-post.zip"} <= set(
            archive.namelist()
        )
        with zipfile.ZipFile(io.BytesIO(archive.read("bottle-post.zip"))) as inner:
            assert "1958" in inner.read("מכתב בבקבוק.txt").decode("utf-8")


@pytest.mark.parametrize(("name", "pages"), [("Il quaderno dell'ostetrica.pdf", 3), ("ضربة الشمس.pdf", 2)])
def test_pdfs_have_pages_with_text(name: str, pages: int) -> None:
    with pypdfium2.PdfDocument(EXAMPLES / "health" / name) as document:
        assert len(document) == pages
        assert all(page.get_textpage().count_chars() > 100 for page in document)


def test_the_hebrew_pdf_says_what_its_source_says() -> None:
    name = "market/תקנון השוק העירוני.pdf"
    with pypdfium2.PdfDocument(EXAMPLES / name) as document:
        text = "".join(page.get_textpage().get_text_bounded() for page in document)
    source = source_text(name).replace("=== page", "").replace("# ", "")
    assert squeezed(text) == squeezed(source)


@pytest.mark.parametrize("name", [name for name in LANGUAGES if Path(name).suffix == ".txt"])
def test_plain_text_is_in_the_encoding_that_is_claimed(name: str) -> None:
    content = (EXAMPLES / name).read_bytes()
    assert content.decode(ENCODINGS.get(name, "utf-8")) == source_text(name)
    if name in ENCODINGS:
        with pytest.raises(UnicodeDecodeError):
            content.decode("utf-8")


def test_the_message_has_a_subject_with_accents_and_a_body() -> None:
    content = (EXAMPLES / "health/vaccination.eml").read_bytes()
    message = email.message_from_bytes(content, policy=email.policy.default)
    assert message["Subject"].endswith("papiers à apporter")
    body = message.get_body()
    assert body is not None and "Mme Kervella" in body.get_content()


def test_each_question_is_in_another_language_than_its_answer() -> None:
    questions = lines("questions.jsonl")
    assert len(questions) >= 12
    assert all(q["language"] != q["answer_language"] for q in questions)
    assert len({q["language"] for q in questions}) == len(questions)


def test_several_questions_are_in_languages_that_no_document_uses() -> None:
    used = set(LANGUAGES.values()) | {notice["language"] for notice in notices()}
    assert len({q["language"] for q in lines("questions.jsonl")} - used) >= 5


def notices() -> list[dict[str, Any]]:
    return [json.loads(line) for line in source_text("market/noticeboard.jsonl").splitlines()]


def test_each_answer_stands_in_its_document_and_in_no_other() -> None:
    for question in lines("questions.jsonl"):
        holders = [name for name in LANGUAGES if question["answer"] in source_text(name)]
        assert holders == [question["document"]], question["question"]
        assert LANGUAGES[question["document"]] in (question["answer_language"], "mul")


def test_question_passage_pairs_are_many_and_even_over_twelve_languages() -> None:
    pairs = lines("question_passages.jsonl")
    assert len(pairs) >= 132
    asked = Counter(pair["question_language"] for pair in pairs)
    told = Counter(pair["passage_language"] for pair in pairs)
    assert all(asked[language] >= 11 and told[language] >= 11 for language in CORE), (asked, told)


def test_most_pairs_cross_languages_and_some_do_not() -> None:
    pairs = lines("question_passages.jsonl")
    crossing = sum(pair["question_language"] != pair["passage_language"] for pair in pairs)
    assert crossing > 0.75 * len(pairs)
    assert len(pairs) - crossing >= 12


def test_ids_questions_and_passages_are_all_different() -> None:
    pairs = lines("question_passages.jsonl")
    for key in ("id", "question", "passage"):
        assert len({pair[key] for pair in pairs}) == len(pairs), key


def test_a_pair_that_names_a_document_quotes_it() -> None:
    quoting = [pair for pair in lines("question_passages.jsonl") if "document" in pair]
    assert len(quoting) >= 60
    for pair in quoting:
        assert pair["passage"] in source_text(pair["document"]), pair["id"]
