"""Hostile and broken files: each ends in text or in its reason code, and the reader lives on."""

from __future__ import annotations

import random
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import making
import pytest
from hostile import TEXT, Hostile, hostile_files
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from indexer.read import SUPPORTED, Limits, read
from indexer.sandbox import WorkPool
from indexer.sandbox_child import read_only
from labse_search.errors import REASONS, Unreadable
from labse_search.records import Extraction

# A child gets more than this in the app. None of these files needs it, but for those that are meant to hit it.
SECONDS = 40
FORBIDDEN = set(map(chr, [*range(9), 11, 12, *range(14, 32), 127, 0xFFFE, 0xFFFF, 0x202E, 0x2066]))


@cache
def corpus() -> tuple[Hostile, ...]:
    return tuple(hostile_files())


@pytest.fixture(scope="module")
def pool() -> Iterator[WorkPool[Extraction]]:
    with WorkPool(1, read_only, seconds=SECONDS) as opened:
        yield opened


def families(*, slow: bool) -> list[str]:
    return sorted({file.name.partition("/")[0] for file in corpus() if file.slow == slow})


def outcome(pool: WorkPool[Extraction], path: Path, name: str) -> str:
    try:
        extraction = pool.submit(path, name).result()
    except Unreadable as error:
        return error.code
    check(extraction)
    return TEXT


def check(extraction: Extraction) -> None:
    """What every extraction promises to those who store it."""
    text = extraction.text
    assert text.strip()
    assert not FORBIDDEN & set(text)
    text.encode()  # no lone surrogates
    for unit, start in zip(extraction.units, extraction.unit_starts(), strict=True):
        assert unit.text.strip()
        assert text[start : start + len(unit.text)] == unit.text
        assert all(isinstance(value, str | int) for value in unit.place.values())
        assert ".." not in str(unit.place.get("member", "")).split("/")
        assert not FORBIDDEN & set("".join(map(str, unit.place.values())))


def run_family(pool: WorkPool[Extraction], folder: Path, family: str, *, slow: bool) -> None:
    wrong = []
    for number, file in enumerate(corpus()):
        if file.slow != slow or file.name.partition("/")[0] != family:
            continue
        path = folder / f"{number}"
        path.write_bytes(file.content)
        ended = outcome(pool, path, file.name)
        path.unlink()
        if ended not in file.expected:
            wrong.append(f"{file.name}: {ended}, expected {' or '.join(sorted(file.expected))}")
    assert not wrong, "\n".join(wrong)


@pytest.mark.parametrize("family", families(slow=False))
def test_hostile_files_end_as_expected(pool: WorkPool[Extraction], tmp_path: Path, family: str) -> None:
    run_family(pool, tmp_path, family, slow=False)


@pytest.mark.slow
@pytest.mark.parametrize("family", families(slow=True))
def test_expensive_hostile_files_end_as_expected(pool: WorkPool[Extraction], tmp_path: Path, family: str) -> None:
    run_family(pool, tmp_path, family, slow=True)


def test_the_corpus_is_large_and_the_same_every_time() -> None:
    assert len(corpus()) > 300
    assert len({file.name for file in corpus()}) == len(corpus())
    assert all(file.expected <= {TEXT, *REASONS} for file in corpus())
    assert [file.content for file in hostile_files()] == [file.content for file in corpus()]


# Fuzz: any bytes under any name. In this process, so that hypothesis can shrink what it finds; deep recursion and
# memory are the business of the corpus above.

SEEDS = {
    "txt": "Grüße, мир, 世界".encode("utf-16"),
    "md": b"---\ntitle: x\n---\n# A\n\n## B\n\n```\n# c\n```\nD\n===\n",
    "rst": b"===\nA\n===\n\nB\n-\ntext\n",
    "html": b"<!doctype html><title>a</title><nav>x</nav><h1>a</h1><p>b<br>c<ul><li>d</ul><pre>\n e</pre><img alt='f'>",
    "xml": b"<?xml version='1.0' encoding='utf-8'?><a b='c'><d>e</d>f<g/></a>",
    "csv": b'a;b\n"c;\n""d";e\n\n1;2\n',
    "json": b'{"a": [1, {"text": "b"}, null], "c": {"d": true}}',
    "jsonl": b'{"a": "b"}\n{"text": "c"}\n',
    "ipynb": b'{"cells": [{"source": ["a\\n", "b"]}, {"source": "c"}]}',
    "srt": b"1\n00:00:01,000 --> 00:00:02,000\n<i>a</i>\nb\n\n2\n00:00:03,000 --> 00:00:04,000\nc.\n",
    "eml": b"Subject: =?utf-8?q?a?=\n"
    b"Content-Type: multipart/mixed; boundary=x\n\n--x\nContent-Type: text/html\n\n<p>b\n"
    b"--x\nContent-Disposition: attachment; filename*=utf-8''a%20b.txt\n\nc\n--x--\n",
    "rtf": rb"{\rtf1\ansi\ansicpg1251{\fonttbl{\f0\fcharset204 A;}}\f0 a {\b b}\par \'cf\u8364?{\footnote c}}",
    "pdf": making.pdf([[(72.0, 700.0, "Words")], [(72.0, 700.0, "םילמ")]]),
    "docx": making.docx(making.paragraph("a", "Heading1") + making.paragraph("b"), {"header": making.paragraph("c")}),
    "pptx": making.pptx([making.shape("a", "title")] * 2, [2, 1], {1: "b"}),
    "xlsx": making.xlsx({"S": [["a", "b"], ["c", 1.0]]}),
    "odt": making.opendocument("<text:h>a</text:h><text:p>b</text:p>"),
    "epub": making.epub({"a.xhtml": "<html><body><h1>a</h1><p>b</p></body></html>"}),
    "zip": making.zipped({"a.txt": "b", "c/d.zip": making.zipped({"e.md": "# f"})}),
}
TOKENS = [
    b"<",
    b">",
    b"\x00",
    b"\xff\xfe",
    b"{",
    b"}",
    b"\\",
    b'"',
    b"\n",
    b"=?",
    b"PK\x03\x04",
    b"%PDF-",
    b"--x",
    b"&#",
    b"-1",
]
LIMITS = Limits(file_bytes=1 << 20, unpacked_bytes=4 << 20, members=200)


def read_anything(name: str, content: bytes) -> None:
    try:
        extraction = read(name, content, limits=LIMITS)
    except Unreadable as error:
        assert error.code in REASONS
        return
    check(extraction)


@settings(max_examples=150, deadline=None, suppress_health_check=list(HealthCheck))
@given(st.sampled_from(sorted(SUPPORTED)), st.binary(max_size=300))
def test_any_bytes_under_any_name(extension: str, content: bytes) -> None:
    read_anything(f"a.{extension}", content)


@settings(max_examples=100, deadline=None, suppress_health_check=list(HealthCheck))
@given(st.text(max_size=200), st.sampled_from(["utf-8", "utf-16", "utf-16-le", "utf-32-be", "utf-7", "gb18030"]))
def test_any_text_under_any_name(text: str, encoding: str) -> None:
    for extension in ("txt", "md", "rst", "html", "csv", "json", "srt", "eml", "xml"):
        read_anything(f"a.{extension}", text.encode(encoding, "replace"))


def mutants(extension: str, count: int) -> Iterator[bytes]:
    source = random.Random(extension)
    for _ in range(count):
        content = bytearray(SEEDS[extension])
        for _ in range(source.choice((1, 1, 2, 5, 20))):
            at = source.randrange(len(content) + 1)
            match source.randrange(5):
                case 0:
                    content[at : at + 1] = bytes([source.randrange(256)])
                case 1:
                    del content[at : at + source.randrange(1, 30)]
                case 2:
                    content[at:at] = source.choice(TOKENS)
                case 3:
                    begin = source.randrange(len(content) + 1)
                    content[at:at] = content[begin : begin + source.randrange(1, 60)]
                case 4:
                    content[at : at + 2] = source.choice((b"\xff\xff", b"\0\0", b"99", b"\x80\x80"))
        yield bytes(content)


@pytest.mark.parametrize("extension", sorted(SEEDS))
def test_mutants_of_honest_files(extension: str) -> None:
    for content in mutants(extension, 60):
        read_anything(f"a.{extension}", content)


@pytest.mark.slow
@pytest.mark.timeout(1800)
@pytest.mark.parametrize("extension", sorted(SEEDS))
def test_many_mutants_of_honest_files(extension: str) -> None:
    for content in mutants(extension, 4000):
        read_anything(f"a.{extension}", content)


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("a", b"<!---->" * 1100 + b"<?x?>" * 100),
        ("a.xml", b"<a>" + b'<b c="' + b"ab" * 100_000 + b'"/>' + b"</a>"),
        ("a.eml", b"From: a@b\nSubject: x\n\n" + b"> " * 200_000),
        ("a.eml", b"From: a@b\nSubject: x\n\n" + b"begin 644 a\n" * 20_000),
        ("a.mbox", b"From a@b Mon Jan 01 2024\nA: b\n\n" * 3_000),
        ("a.tex", b"\\documentclass{a}\n\\section{" + b"{" * 100_000),
        ("a.bib", b"@article{a, b = {" * 3_000),
        ("a.vcf", b"BEGIN:VCARD\n" + b";" * 500_000),
        ("a.csv", b'a,b\n"' + b"x,y\n" * 50_000),
        ("a.txt", b"0x" * 500_000),
        ("a.srt", b"00:00:01,000 --> " * 50_000),
        ("a.po", b'msgid "a"\n"b"\n' * 50_000),
        ("a.ics", b"BEGIN:VEVENT\n" * 100_000),
    ],
)
def test_odd_repetitions_cost_linear_time(
    pool: WorkPool[Extraction], tmp_path: Path, name: str, content: bytes
) -> None:
    path = tmp_path / "a"
    path.write_bytes(content)
    assert outcome(pool, path, name) not in ("too_slow", "out_of_memory", "crashed")
