"""The coverage ledger: characters extracted = embedded + skipped, to the character, with a reason for each skip."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from library_case import MODEL, Home
from making import pdf

from indexer.documents import document_row
from indexer.job import Inspection
from indexer.losses import with_losses
from indexer.segment import Segmenter
from labse_search.encoder import load_tokenizer
from labse_search.errors import REASONS
from labse_search.languages.identify import LanguageIdentifier
from labse_search.library import DocumentRow, JobFile, Library, Source
from labse_search.records import Extraction, Note, Unit

SCRIPTS = [
    "The quick brown fox. ",
    "Der Bäcker öffnet um sechs. ",
    "ตลาดเปิดตอนเช้าขายปลาและผัก",
    "河水上涨了。桥已经关闭，",
    "まつりの日に、川へ行った。",
    "ភាសាខ្មែរគ្មានដកឃ្លាទេ",
    "བོད་ཡིག་གི་ཚིག་གྲུབ་",
    "السوق مفتوح اليوم. ",
    "שוק פתוח היום. ",
    "사과와 배를 샀다. ",
    "नदी का पानी बढ़ गया। ",
    "𝔉𝔯𝔞𝔨𝔱𝔲𝔯 👩‍👩‍👧‍👦 🏳️‍🌈 ",
]
ODD = [
    " ",
    "\n",
    "\n\n",
    "\t",
    "\u200b",
    "\u2028",
    "\x00",
    "\u00ad",
    "\ufeff",
    "\ud800",
    "e\u0301",
    "x" * 400,
    "।" * 90,
]
PIECES = st.lists(st.sampled_from(SCRIPTS + ODD) | st.text(max_size=30), max_size=30)
UNITS = st.lists(PIECES.map("".join), max_size=6)


@pytest.fixture(scope="module")
def segmenter() -> Segmenter:
    return Segmenter(load_tokenizer(str(MODEL)), LanguageIdentifier(()))


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(units=UNITS)
@example(units=[])
@example(units=["", "", ""])
@example(units=["ไทย" * 500, "中文" * 500])
@example(units=["\ud800", "a\udfff b"])
def test_the_ledger_balances_to_the_character(
    segmenter: Segmenter, tmp_path_factory: pytest.TempPathFactory, units: list[str]
) -> None:
    extraction = Extraction(tuple(Unit(text) for text in units), "text", title="T\ud800", notes=(Note("x", "1"),))
    split = segmenter.split(extraction)
    file = Inspection(JobFile(0, Source("a.txt", "a.txt"), "", "", "", "", 0), "a.txt", document="d" * 32, size=1)
    row = document_row("notes", file, extraction, split)
    assert row.characters == len(extraction.text) == row.embedded + sum(row.skipped.values())
    assert all(count > 0 for count in row.skipped.values())
    assert row.embedded == sum(len(segment.text) for segment in split.segments)
    assert row.segments == sum(row.languages.values()) == len(split.segments)
    # And the ledger gives back what it was given, halves of surrogate pairs included.
    library = Library(tmp_path_factory.getbasetemp() / "coverage")
    library.ledger.documents.put(row, version=1)
    library.originals.keep_text(row.document, extraction)
    found = library.ledger.documents.get("notes", row.document)
    assert found is not None and (found.characters, found.embedded, found.skipped) == (
        row.characters,
        row.embedded,
        row.skipped,
    )
    assert library.originals.text(row.document) == extraction


@pytest.fixture
def home(tmp_path: Path) -> Iterator[Home]:
    home = Home(tmp_path / "home")
    yield home
    home.stop_store()


def test_what_was_not_read_or_not_embedded_is_told_with_its_reason(home: Home, tmp_path: Path) -> None:
    files = tmp_path / "files"
    files.mkdir()
    (files / "bytes.txt").write_bytes(
        b"A good line of English text.\n" * 20 + b"broken \xff\xfe\x81 bytes\n" + "ä".encode()
    )
    (files / "thai.txt").write_text("ตลาดเปิดตอนเช้า  ขายปลาและผัก\n\n" * 20, encoding="utf-8")
    (files / "halves.json").write_text('[{"text": "One half \\ud800 of a pair."}]')
    (files / "empty.txt").write_bytes(b"")
    (files / "noise.bin").write_bytes(bytes(range(256)) * 40)
    (files / "pages.pdf").write_bytes(
        pdf([[(72, 700, "Page one has text.")], [], [], [(72, 700, "Page four has text.")]])
    )
    outcome = home.index(files)
    found = {file["name"].removeprefix("files/"): file for file in outcome["files"]}
    assert {name: file.get("reason") for name, file in found.items()} == {
        "bytes.txt": None,
        "thai.txt": None,
        "halves.json": None,
        "empty.txt": "empty",
        "noise.bin": "binary",
        "pages.pdf": None,
    }
    for file in found.values():
        if "reason" in file:
            assert file["advice"] == REASONS[file["reason"]]
        else:
            assert file["characters"] == file["embedded"] + sum(file["skipped"].values())
            assert file["languages"] and file["segments"] == sum(file["languages"].values())
    notes = {name: {note["code"]: note["detail"] for note in file.get("notes", ())} for name, file in found.items()}
    assert "undecodable_bytes" in notes["bytes.txt"] or "encoding_guessed" in notes["bytes.txt"], found["bytes.txt"]
    assert notes["pages.pdf"] == {"pages_without_text": "2-3"}
    assert found["thai.txt"]["skipped"]["whitespace"] > 0
    assert found["thai.txt"]["encoding"] == "utf-8"
    assert (
        "pages.pdf: not in any passage: pages without text (2-3)"
        in home.command("labse_search.library", "check").stdout
    )
    listed = json.loads(home.command("labse_search.library", "list", "--json").stdout.splitlines()[0])
    assert {"characters", "embedded", "skipped", "languages", "encoding"} <= listed.keys()


def test_documents_that_lost_something_come_first_and_are_named_by_the_check() -> None:
    row = DocumentRow(
        "notes", "a", ("whole.txt",), "txt", "", 10, 10, 8, {"whitespace": 2}, 1, {}, "", (), "", "stored", 0.0
    )
    noted = replace(row, names=("scan.pdf",), notes=(Note("pages_without_text", "3"), Note("read_as", "PDF")))
    half = replace(row, names=("half.txt",), embedded=4, skipped={"whitespace": 1, "encoded": 5})
    assert with_losses([row, noted, half]) == [
        (half, {"encoded": "5 characters"}),
        (noted, {"pages_without_text": "3"}),
    ]
