"""Writes the corpus of hostile and broken files, and says how each must end.

    python tests/hostile.py FOLDER        writes them all, with expected.tsv

Deterministic: the same bytes every time. Each file ends in text or in a reason code; where both are right (what can be
saved from a damaged file is up to the library that reads it) both are listed. Nothing here is an attack that is not
public: bombs, loops, lies about sizes, depth, names that climb, and formats that are not what they say.
"""

from __future__ import annotations

import bz2
import gzip
import lzma
import random
import stat
import struct
import sys
import tarfile
import zipfile
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path

import making

TEXT = "text"  # it is read
DAMAGED_OR_TEXT = "damaged text no_text"
WORDS = "The plants need water and light. "


@dataclass(frozen=True)
class Hostile:
    name: str  # unique; the extension is part of the trick
    content: bytes
    expected: frozenset[str]  # TEXT or codes of REASONS
    slow: bool = False  # takes seconds


def hostile_files() -> Iterator[Hostile]:
    for family in (
        _empty, _binary, _mislabelled, _truncated, _corrupted, _encrypted, _zip_bombs, _office_bombs, _entities,
        _deep_markup,
        _deep_containers, _names, _lying_archives, _pdf_structure, _long_lines, _stress, _mail, _rtf, _tables,
    ):  # fmt: skip
        for name, content, expected, *slow in family():
            yield Hostile(f"{family.__name__[1:]}/{name}", content, frozenset(expected.split()), bool(slow))


Made = Iterator[tuple[str, bytes, str] | tuple[str, bytes, str, bool]]


def _samples() -> dict[str, bytes]:
    """An honest file of each container format."""
    lines = [(72.0, 700.0 - 15 * n, WORDS) for n in range(20)]
    chapter = f"<html><body><h1>One</h1><p>{WORDS * 20}</p></body></html>"
    return {
        "pdf": making.pdf([lines] * 5),
        "docx": making.docx(making.paragraph(WORDS * 50)),
        "pptx": making.pptx([making.shape(WORDS)] * 3, [1, 2, 3]),
        "xlsx": making.xlsx({"S": [["a", "b"], [WORDS, 1.0]] * 20}),
        "odt": making.opendocument(f"<text:p>{WORDS * 20}</text:p>"),
        "epub": making.epub({"a.xhtml": chapter, "b.xhtml": chapter}),
        "zip": making.zipped({f"{n}.txt": WORDS * 9 for n in range(5)}),
    }


def _empty() -> Made:
    for extension in ("txt", "pdf", "docx", "zip", "csv", "json", "html", "eml"):
        yield f"nothing.{extension}", b"", "empty"
    yield "newlines.md", b"\r\n \t\n" * 500, "empty"
    yield "zeros.txt", bytes(5000), "empty"
    yield "mark-only.txt", b"\xef\xbb\xbf", "no_text"
    yield "no-members.zip", making.zipped({}), "empty"
    yield "only-folders.zip", making.zipped({"a/": "", "a/b/": ""}), "empty"
    yield "only-empty-files.zip", making.zipped({"a.txt": "", "b.md": ""}), "empty"
    yield "no-words.docx", making.docx("<w:p/>"), "no_text"
    yield "no-words.html", b"<html><body><script>alert(1)</script></body></html>", "no_text"
    yield "no-cells.xlsx", making.xlsx({"S": []}), "no_text"
    yield "no-chapters.epub", making.epub({}), "no_text"
    yield "only-controls.txt", b"\x0c\x0c\x0b", "no_text"


def _binary() -> Made:
    noise = random.Random(1).randbytes(20_000)
    for extension in ("txt", "md", "csv", "json", "jsonl", "html", "srt", "py", "bin", "xyz"):
        yield f"noise.{extension}", noise, "binary"
    yield "noise", noise, "binary"
    yield "noise.xml", noise, "binary"
    yield "noise.eml", b"A: b\n\n" + noise, "binary no_text text"
    for extension in ("pdf", "docx", "xlsx", "epub", "rtf", "zip"):
        yield f"noise.{extension}", noise, "damaged"
    heads = {
        "picture.png": b"\x89PNG\r\n\x1a\n", "picture.jpg": b"\xff\xd8\xff\xe0", "picture.gif": b"GIF89a",
        "sound.mp3": b"ID3",
        "sound.ogg": b"OggS", "packed.gz": b"\x1f\x8b\x08", "packed.bz2": b"BZh9", "packed.xz": b"\xfd7zXZ\0",
        "packed.7z": b"7z\xbc\xaf\x27\x1c", "packed.rar": b"Rar!\x1a\x07", "program": b"\x7fELF",
        "data.db": b"SQLite format 3\0",
        "picture.txt": b"\x89PNG\r\n\x1a\n", "program.pdf": b"\x7fELF",
    }  # fmt: skip
    for name, head in heads.items():
        yield name, head + noise, "damaged" if name.endswith((".gz", ".bz2", ".xz")) else "unsupported"
    yield "all-bytes.txt", bytes(range(256)) * 40, "binary"
    yield "few-controls.txt", (WORDS * 50).encode() + b"\x01\x02", TEXT


def _mislabelled() -> Made:
    samples = _samples()
    for extension, content in samples.items():
        yield f"{extension}-named.txt", content, TEXT
        yield f"{extension}-without-extension", content, TEXT
    yield "docx-named.zip", samples["docx"], TEXT
    yield "zip-named.docx", samples["zip"], "damaged"
    yield "zip-named.epub", samples["zip"], "damaged"
    yield "pdf-named.docx", samples["pdf"], TEXT
    yield "docx-named.pdf", samples["docx"], TEXT
    for extension in ("pdf", "docx", "xlsx", "rtf", "epub", "zip", "odt", "pptx"):
        yield f"text-named.{extension}", (WORDS * 9).encode(), TEXT
    yield "html-named.xls", f"<html><table><tr><td>{WORDS}</table>".encode(), TEXT
    yield "rtf-named.doc", rb"{\rtf1 Words}", TEXT
    yield "utf16-named.csv", "a;b\nWörter;ß\n".encode("utf-16"), TEXT
    yield "text-named.json", WORDS.encode(), TEXT
    yield "text-named.xml", WORDS.encode(), TEXT
    yield "text-named.eml", b"no headers here", "damaged no_text text"


def _truncated() -> Made:
    for extension, content in _samples().items():
        for percent in (1, 30, 70, 99):
            expected = DAMAGED_OR_TEXT if extension == "pdf" else "damaged"
            if percent == 1:
                expected = "damaged unsupported text empty no_text"
            yield f"{percent}-percent.{extension}", content[: len(content) * percent // 100], expected
    yield "middle-of-letter.txt", "Плющ".encode() * 99 + b"\xd0", TEXT
    yield "middle-of-tag.html", b"<p>Words<a href='", TEXT
    yield "middle-of-string.json", b'{"a": "wor', TEXT
    yield "middle-of-record.jsonl", b'{"a": "words"}\n{"a": "wor', TEXT
    yield "middle-of-element.xml", b"<a><b>words</b>", TEXT
    yield "middle-of-group.rtf", rb"{\rtf1 Words {\b bold", TEXT


def _corrupted() -> Made:
    for extension, content in _samples().items():
        for seed in range(4):
            source = random.Random(f"{extension}{seed}")
            broken = bytearray(content)
            for _ in range(1 + len(broken) // 300):
                broken[source.randrange(len(broken))] = source.randrange(256)
            expected = f"{DAMAGED_OR_TEXT} unsupported encrypted archive_bomb binary unsafe_xml archive_too_many_files"
            yield f"bytes-{seed}.{extension}", bytes(broken), expected
        # Zeros over the middle: what a failed copy leaves.
        half = len(content) // 2
        yield f"hole.{extension}", content[: half - 40] + bytes(80) + content[half + 40 :], DAMAGED_OR_TEXT


def _encrypted() -> Made:
    page = [(72.0, 700.0, WORDS)]
    yield "user-password.pdf", making.pdf([page], user_password="secret"), "encrypted"
    yield "owner-password.pdf", making.pdf([page], owner_password="secret"), TEXT
    ole = bytes.fromhex("d0cf11e0a1b11ae1") + bytes(2000)
    for extension in ("docx", "xlsx", "pptx"):
        yield f"office.{extension}", ole + "EncryptedPackage".encode("utf-16-le") + bytes(2000), "encrypted"
    yield "old.doc", ole, "unsupported"
    yield "broken.xls", ole + "Workbook".encode("utf-16-le") + bytes(3000), "damaged"
    manifest = {"META-INF/manifest.xml": "<manifest><encryption-data/></manifest>"}
    yield "locked.odt", making.opendocument("<text:p>x</text:p>", extra=manifest), "encrypted"
    yield "locked.ods", making.opendocument("<table:table/>", "spreadsheet", extra=manifest), "encrypted"
    lock = {"META-INF/encryption.xml": "<e><CipherReference URI='OEBPS/a.xhtml'/></e>"}
    yield "locked.epub", making.epub({"a.xhtml": "<p>x</p>"}, extra=lock), "encrypted"
    plain = making.zipped({"a.txt": WORDS})
    flagged = plain.replace(b"PK\x03\x04\x14\0\0\0", b"PK\x03\x04\x14\0\1\0").replace(
        b"PK\x01\x02\x14\x03\x14\0\0\0", b"PK\x01\x02\x14\x03\x14\0\1\0"
    )
    yield "member.zip", flagged, "encrypted"


def _zip_bombs() -> Made:
    yield "thousandfold.zip", making.zipped({"a.txt": bytes(5 << 20)}), "archive_bomb"
    yield "thousandfold.tar.bz2", bz2.compress(bytes(20 << 20)), "archive_bomb"
    yield "thousandfold.xz", lzma.compress(bytes(20 << 20)), "archive_bomb"
    member = tarfile.TarInfo("a.txt")
    member.size = 1 << 40
    yield "says-large.tar", member.tobuf(tarfile.GNU_FORMAT) + bytes(4096), "archive_bomb"
    packed = WORDS.encode()
    for _ in range(9):
        packed = gzip.compress(packed, mtime=0)
    yield "nine-deep.gz", packed, "archive_too_deep"
    # Hundreds of entries that share one packed megabyte (D. Fifield, "A better zip bomb", 2019).
    yield "overlapping.zip", _overlapping(400), "archive_bomb"
    yield "overlapping-few.zip", _overlapping(40), "text damaged"
    yield "many-names.zip", making.zipped({f"{n}": "" for n in range(6000)}), "archive_too_many_files"
    content = making.zipped({"a.txt": WORDS})
    for _ in range(30):
        content = making.zipped({"in.zip": content})
    yield "onion.zip", content, "archive_too_deep"
    wide = making.zipped({f"{n}.txt": WORDS for n in range(400)})
    tree = making.zipped({f"{n}.zip": wide for n in range(20)})
    yield "tree.zip", tree, TEXT
    layer = making.zipped({"a.txt": bytes(1 << 20)})
    yield (
        "bombs-inside.zip",
        making.zipped({f"{n}.zip": making.zipped({"b.zip": layer}) for n in range(50)}),
        "no_text empty",
    )
    yield (
        "bomb-beside-text.zip",
        making.zipped({"bomb.zip": making.zipped({"x": bytes(3 << 20)}), "a.txt": WORDS}),
        TEXT,
    )


def _overlapping(entries: int) -> bytes:
    content = making.zipped({"a.txt": WORDS * ((1 << 20) // len(WORDS))})
    start = content.index(b"PK\x01\x02")
    entry, end = content[start:-22] * entries, content[-22:]
    return content[:start] + entry + end[:8] + struct.pack("<HHI", entries, entries, len(entry)) + end[16:]


def _office_bombs() -> Made:
    spaces = " " * (3 << 20)
    samples = {
        "docx": "word/document.xml",
        "pptx": "ppt/slides/slide1.xml",
        "xlsx": "xl/worksheets/s1.xml",
        "odt": "content.xml",
        "epub": "OEBPS/a.xhtml",
    }
    for extension, part in samples.items():
        with zipfile.ZipFile(BytesIO(_samples()[extension])) as archive:
            members: dict[str, str | bytes] = {name: archive.read(name) for name in archive.namelist()}
        yield f"spaces.{extension}", making.zipped({**members, part: spaces}, stored_first=True), "archive_bomb"
        many = {f"extra/{n}": "" for n in range(6000)}
        yield f"parts.{extension}", making.zipped({**members, **many}, stored_first=True), "archive_too_many_files"
    # One cell in the last corner: a program that keeps the whole sheet needs a hundred gigabytes.
    sheet = making.xlsx({"S": [["a"]]})
    with zipfile.ZipFile(BytesIO(sheet)) as archive:
        members = {name: archive.read(name) for name in archive.namelist()}
    far = bytes(members["xl/worksheets/s1.xml"]).replace(  # type: ignore[arg-type]
        b"</sheetData>", b'<row r="1048576"><c r="XFD1048576"><v>1</v></c></row></sheetData>'
    )
    far_book = making.zipped({**members, "xl/worksheets/s1.xml": far})
    yield "far-corner.xlsx", far_book, "text out_of_memory crashed too_slow too_large", True


def _entities() -> Made:
    laughs = "<!DOCTYPE x [<!ENTITY a 'ha'>" + "".join(
        f"<!ENTITY {chr(98 + n)} '{f'&{chr(97 + n)};' * 10}'>" for n in range(9)
    )
    doctypes = {
        "laughs": f"{laughs}]>",
        "outside": "<!DOCTYPE x [<!ENTITY a SYSTEM 'file:///etc/passwd'>]>",
        "network": "<!DOCTYPE x [<!ENTITY a SYSTEM 'http://127.0.0.1:9/x'>]>",
        "parameter": "<!DOCTYPE x [<!ENTITY % a SYSTEM 'file:///etc/passwd'> %a;]>",
        "quadratic": f"<!DOCTYPE x [<!ENTITY a '{'x' * 50_000}'>]>",
    }
    for name, doctype in doctypes.items():
        markup = f"{doctype}<x>{'&a;' * 100}</x>"
        yield f"{name}.xml", markup.encode(), "unsafe_xml"
        yield f"{name}.svg", markup.encode("utf-16"), "unsafe_xml"
        members = {"[Content_Types].xml": "<Types/>", "word/document.xml": markup}
        yield f"{name}.docx", making.zipped(members), "unsafe_xml"
        odt = making.opendocument("")
        with zipfile.ZipFile(BytesIO(odt)) as archive:
            parts: dict[str, str | bytes] = {part: archive.read(part) for part in archive.namelist()}
        yield f"{name}.odt", making.zipped({**parts, "content.xml": markup}, stored_first=True), "unsafe_xml"
        book = making.epub({"a.xhtml": f"{doctype}<html><body>&a; words</body></html>"})
        yield f"{name}.epub", book, TEXT  # chapters are read as HTML, which has no entities of its own
    yield "only-a-doctype.xml", b"<!DOCTYPE x SYSTEM 'http://127.0.0.1:9/x.dtd'><x>words &nbsp;&unknown;</x>", TEXT
    yield "xinclude.xml", b"<x xmlns:i='http://www.w3.org/2001/XInclude'>w<i:include href='/etc/passwd'/></x>", TEXT


def _deep_markup() -> Made:
    depth = 50_000
    yield "div.html", b"<div>" * depth + b"words", TEXT, True
    yield "b.html", b"<b>" * depth + b"words", TEXT
    yield "span.html", b"<span>w " * depth, TEXT
    yield "table.html", b"<table><tr><td>" * 2000 + b"words", TEXT
    yield "list.html", b"<ul><li>" * 5000 + b"words", TEXT
    yield "xml.xml", b"<a>" * depth + b"words" + b"</a>" * depth, TEXT
    yield "xml.docx", making.docx("<w:x>" * depth + making.paragraph(WORDS) + "</w:x>" * depth), TEXT
    tables = "<w:tbl><w:tr><w:tc>" * 5000 + making.paragraph(WORDS) + "</w:tc></w:tr></w:tbl>" * 5000
    yield "tables.docx", making.docx(tables), TEXT
    boxes = "<w:p><w:r>" * 5000 + "<w:t>words</w:t>" + "</w:r></w:p>" * 5000
    yield "boxes.docx", making.docx(boxes), TEXT
    yield "p.odt", making.opendocument("<text:p>" * 5000 + "words" + "</text:p>" * 5000), TEXT
    yield "json.json", b"[" * 100_000, TEXT
    yield "json-objects.json", b'{"a":' * 100_000 + b"1" + b"}" * 100_000, TEXT
    yield "json-deep-but-allowed.json", b'{"a":' * 900 + b'"words"' + b"}" * 900, TEXT
    yield "json.jsonl", b"[" * 100_000 + b"\n" + b'{"a":"words"}', TEXT
    yield "quotes.md", b">" * depth + b" words", TEXT
    yield "lists.md", b"\n".join(b" " * n + b"- words" for n in range(1000)), TEXT
    yield "headings.md", b"".join(b"#" * (n % 6 + 1) + b" Words\n" for n in range(5000)), TEXT
    yield "groups.rtf", b"{\\rtf1 " + b"{" * depth + b"words" + b"}" * depth + b"}", TEXT
    yield "open-groups.rtf", b"{\\rtf1 " + b"{\\b w" * depth, TEXT


def _deep_containers() -> Made:
    head = "Subject: words\nMIME-Version: 1.0\n"
    parts = "".join(f"Content-Type: multipart/mixed; boundary=b{n}\n\n--b{n}\n" for n in range(2000))
    yield "multipart.eml", f"{head}{parts}\nwords".encode(), "text damaged"
    forwards = head + "Content-Type: message/rfc822\n\n" * 300 + "Subject: x\n\nwords"
    yield "forwards.eml", forwards.encode(), "text damaged"
    content = f"{head}Content-Type: text/plain\n\n{WORDS}".encode()
    for _ in range(6):
        content = making.zipped({"a.eml": _attach(content, "b.eml"), "c.txt": WORDS})
    yield "mail-zip-mail.zip", content, TEXT
    tree = {8 + 2 * n: f"<< /Type /Pages /Count 1 /Kids [{10 + 2 * n} 0 R] >>" for n in range(3000)}
    yield (
        "page-tree.pdf",
        _raw_pdf({2: "<< /Type /Pages /Count 1 /Kids [8 0 R] >>", **tree}),
        "damaged no_text_layer text",
    )


def _attach(content: bytes, name: str) -> bytes:
    from email.message import EmailMessage

    message = EmailMessage()
    message["Subject"] = "words"
    message.set_content(WORDS)
    message.add_attachment(content, maintype="application", subtype="octet-stream", filename=name)
    return message.as_bytes().replace(message.get_boundary("").encode(), b"=-=")


def _names() -> Made:
    names = {
        "climbs": "../../../../etc/cron.d/x.txt", "absolute": "/etc/x.txt", "drive": "C:\\Windows\\x.txt",
        "backslash": "..\\..\\x.txt",
        "dots": "...", "long": "n" * 60_000 + ".txt", "deep": "d/" * 20_000 + "x.txt", "newline": "a\nb\r.txt",
        "bidi": "a\u202etxt.exe", "script": "<img src=x onerror=alert(1)>.txt", "template": "${alert(1)}{{7*7}}.txt",
        "shell": "$(touch x);`id`.txt", "device": "CON", "formula": "=cmd|' /C calc'!A0.txt",
        "percent": "%2e%2e%2fx.txt",
        "space": " ", "nothing": "", "emoji": "🌱" * 200 + ".txt",
    }  # fmt: skip
    for name, member in names.items():
        yield f"{name}.zip", making.zipped({member: WORDS}), TEXT
    yield "null.zip", making.zipped({"aXb.txt": WORDS}).replace(b"aXb.txt", b"a\0b.txt"), "text damaged"
    twice = making.zipped({"a.txt": "first words", "b.txt": "other words"}).replace(b"b.txt", b"a.txt")
    yield "same-twice.zip", twice, TEXT
    buffer = BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for target in ("/etc/passwd", "../../x", "."):
            link = zipfile.ZipInfo(f"link to {target.count('.')}")
            link.external_attr = (stat.S_IFLNK | 0o777) << 16
            archive.writestr(link, target)
    yield "links.zip", buffer.getvalue(), "no_text"


def _lying_archives() -> Made:
    plain = making.zipped({"a.txt": WORDS * 1000})
    size, lie = struct.pack("<I", len(WORDS) * 1000), struct.pack("<I", 10)
    yield "says-small.zip", plain.replace(size, lie), "damaged text no_text"
    yield "says-large.zip", plain.replace(size, struct.pack("<I", 0x7FFFFFFF)), "archive_bomb"
    yield (
        "wrong-checksum.zip",
        plain.replace(struct.pack("<I", zlib.crc32((WORDS * 1000).encode())), b"\1\2\3\4"),
        "damaged",
    )
    yield "unknown-packing.zip", plain.replace(b"\x08\0\0\0\x21", b"\x63\0\0\0\x21"), "unsupported damaged"
    yield "directory-elsewhere.zip", plain[:-6] + struct.pack("<IH", 0xFFFFFF, 0), "damaged"
    end = plain[-22:]
    yield "counts-more.zip", plain[:-22] + end[:8] + struct.pack("<HH", 60000, 60000) + end[12:], "damaged text"
    yield "two-ends.zip", plain + end, "damaged text"
    yield "text-before.zip", b"#!/bin/sh\nexit\n" + plain, "damaged text binary"
    yield "zip64-nonsense.zip", plain[:-22] + b"PK\x06\x07" + b"\xff" * 16 + end, "damaged text"


def _raw_pdf(objects: dict[int, str], trailer: str = "/Root 1 0 R") -> bytes:
    everything = {1: "<< /Type /Catalog /Pages 2 0 R >>", **objects}
    out, places = bytearray(b"%PDF-1.4\n"), {}
    for number, body in everything.items():
        places[number] = len(out)
        out += f"{number} 0 obj\n{body}\nendobj\n".encode("latin-1")
    start, count = len(out), max(everything) + 1
    out += f"xref\n0 {count}\n".encode()
    for number in range(count):
        out += f"{places.get(number, 0):010} 00000 {'n' if number in places else 'f'} \n".encode()
    return bytes(out + f"trailer\n<< {trailer} /Size {count} >>\nstartxref\n{start}\n%%EOF".encode())


def _stream(data: bytes, filters: str) -> str:
    return f"<< /Length {len(data)} /Filter {filters} >>\nstream\n{data.decode('latin-1')}\nendstream"


def _pdf_structure() -> Made:
    page = "<< /Type /Page /Parent 2 0 R /MediaBox [0 0 595 842] /Contents 4 0 R /Resources << >> >>"
    tree = {2: "<< /Type /Pages /Count 1 /Kids [3 0 R] >>"}
    any_end = "damaged no_text_layer text"
    bomb = zlib.compress(b"q 1 0 0 1 0 0 cm " * 6_000_000, 6)
    yield (
        "stream-bomb.pdf",
        _raw_pdf({**tree, 3: page, 4: _stream(bomb, "/FlateDecode")}),
        f"{any_end} out_of_memory crashed",
        True,
    )
    twice = zlib.compress(zlib.compress(bytes(100 << 20), 1), 1)
    filters = "[/FlateDecode /FlateDecode]"
    yield (
        "two-filters.pdf",
        _raw_pdf({**tree, 3: page, 4: _stream(twice, filters)}),
        f"{any_end} out_of_memory crashed",
        True,
    )
    chain = "[" + "/ASCIIHexDecode " * 2000 + "]"
    yield "filter-chain.pdf", _raw_pdf({**tree, 3: page, 4: _stream(b"61>", chain)}), any_end
    yield "own-parent.pdf", _raw_pdf({2: "<< /Type /Pages /Count 9 /Kids [2 0 R 2 0 R] >>"}), any_end
    yield (
        "two-billion-pages.pdf",
        _raw_pdf({2: "<< /Type /Pages /Count 2000000000 /Kids [3 0 R] >>", 3: page}),
        f"{any_end} too_large",
    )
    yield "negative-count.pdf", _raw_pdf({2: "<< /Type /Pages /Count -5 /Kids [3 0 R] >>", 3: page}), any_end
    yield "no-pages.pdf", _raw_pdf({2: "<< /Type /Pages /Count 0 /Kids [] >>"}), any_end
    yield "no-catalog.pdf", _raw_pdf({}, trailer="/Root 9 0 R"), "damaged"
    yield "nested-arrays.pdf", _raw_pdf({2: "[" * 100_000 + "]" * 100_000}), any_end
    yield "nested-dictionaries.pdf", _raw_pdf({2: "<< /A " * 50_000 + ">>" * 50_000}), any_end
    form = _stream(b"", "[]").replace(
        "<<", "<< /Type /XObject /Subtype /Form /Resources << /XObject << /X 5 0 R >> >>", 1
    )
    caller = page.replace("/Resources << >>", "/Resources << /XObject << /X 5 0 R >> >>")
    drawn = {4: _stream(b"/X Do", "[]"), 5: form.replace("stream\n\nendstream", "stream\n/X Do\nendstream")}
    yield "form-in-itself.pdf", _raw_pdf({**tree, 3: caller, **drawn}), any_end
    yield "endless-length.pdf", _raw_pdf({**tree, 3: page, 4: "<< /Length 4 0 R >>\nstream\nBT\nendstream"}), any_end
    yield "xref-loop.pdf", _raw_pdf({**tree, 3: page}, trailer="/Root 1 0 R /Prev 9"), any_end
    yield "huge-page.pdf", _raw_pdf({**tree, 3: page.replace("595 842", "1e38 1e38")}), any_end
    yield "head-only.pdf", b"%PDF-1.7\n%%EOF", "damaged"
    yield "late-head.pdf", b"junk\n" * 100 + _samples()["pdf"], "damaged text"
    garbled = _samples()["pdf"].replace(b"/ToUnicode 6 0 R", b"")
    yield "no-unicode-table.pdf", garbled, "text no_text no_text_layer"
    many = [[(float(n % 500), float(n // 100), "אב")] * 1 for n in range(1)]
    lines = [(float(n * 7 % 550), float(n * 13 % 800), "אבגד 12 ab") for n in range(5000)]
    yield "scattered-right-to-left.pdf", making.pdf([lines, *many]), TEXT
    yield "one-endless-line.pdf", making.pdf([[(0.0, 700.0, "אבגד " * 2000)]]), TEXT


def _long_lines() -> Made:
    long = 3 << 20
    yield "letters.txt", b"a" * long, TEXT
    yield "words.txt", (WORDS * (long // len(WORDS))).encode(), TEXT
    yield "lines.txt", b"a\n" * (long // 2), TEXT
    yield "chinese.txt", ("水" * (long // 3)).encode(), TEXT
    yield "emoji.txt", ("👩‍👩‍👧‍👦" * 50_000).encode(), TEXT
    yield "accents.txt", ("a" + "\u0301" * 200_000).encode(), TEXT
    yield "bidi.txt", ("\u202e\u202d\u2067" * 200_000 + "words").encode(), TEXT
    yield "terminal.log", b"\x1b[31mwords\x1b[0m " * 50_000, TEXT
    yield "lone-surrogates.txt", ("words " + "\ud800" * 50).encode("utf-8", "surrogatepass"), "text binary"
    yield "overlong.txt", b"words \xc0\xaf\xc0\xae" * 50, TEXT
    yield "carriage-returns.txt", b"words\r" * 100_000, TEXT


def _stress() -> Made:
    """What makes a careless pattern take for ever."""
    many = 300_000
    yield "hashes.md", b"#" * many, TEXT
    yield "hashes-and-spaces.md", b"# a" + b" #" * many + b"x", TEXT
    yield "backticks.md", b"`" * many, TEXT
    yield "fences.md", b"```\n" * (many // 10), TEXT
    yield "underlines.md", b"a\n---\n" * (many // 20), TEXT
    yield "rules.rst", b"=" * many + b"\n" + b"=" * many, TEXT
    yield "underlines.rst", b"\na\n-\n" * (many // 20), TEXT
    yield "angles.html", b"<" * many, "text no_text"
    yield "open-comment.html", b"<p>words</p><!--" + b"-" * many, TEXT
    yield "attributes.html", b"<p " + b"a='b' " * (many // 10) + b">words", TEXT
    yield "long-attribute.html", b"<p a='" + b"x" * (10 * many) + b"'>words", TEXT
    yield "quotes.xhtml", b"<?xml version='1.0'?><html><body><p a=\"" + b"'" * many + b"<p/>words", "text no_text"
    yield "slashes.xhtml", b"<?xml version='1.0'?><html><body>words<p " + b"/ " * many, TEXT
    yield "entities.html", b"<p>words " + b"&amp" * (many // 2), TEXT
    yield "headings.html", b"<h1>a</h1><h2>b</h2>words" * (many // 50), TEXT
    yield "times.srt", b"00:00:01,000 --> 00:00:02,000\n" * (many // 20) + b"words", TEXT
    yield "angles.vtt", b"WEBVTT\n\n00:01.000 --> 00:02.000\nwords " + b"<" * many, TEXT
    yield "digits.srt", b"1" * many + b"\n00:00:01,000 --> 00:00:02,000\nwords", TEXT
    yield "strings.json", b"[" + b'"words",' * (many // 3) + b'"end"]', TEXT
    yield "number.json", b"[" + b"9" * many + b"]", TEXT
    yield "same-key.json", b"{" + b'"a":"words",' * (many // 10) + b'"a":1}', TEXT
    yield "front-matter.md", b"---\n" + b"title: a\n" * 10_000, TEXT
    yield "meta.html", b"<meta " + b"charset" * 500 + b">words", "text"
    yield "wrong-charset.html", b"<meta charset='utf-7\0evil'><p>words", TEXT
    yield "codec.html", b"<meta charset='rot13'><p>words", TEXT
    yield "zlib-charset.html", b"<meta charset='zlib'><p>words \xff", TEXT


def _mail() -> Made:
    head = b"Subject: words\n"
    yield "header.eml", b"Subject: " + b"w " * 300_000 + b"\n\nwords", TEXT
    yield "headers.eml", b"X: y\n" * 50_000 + b"\nwords", TEXT
    encoded = b"=?utf-8?q?w?= " * 20_000
    yield "encoded-words.eml", b"Subject: " + encoded + b"\n\nwords", TEXT
    yield "open-encoded-word.eml", b"Subject: =?utf-8?b?" + b"A" * 100_000 + b"\n\nwords", TEXT
    yield "bad-base64.eml", head + b"Content-Transfer-Encoding: base64\n\n!!!not base64???", "text"
    yield "unknown-charset.eml", head + b"Content-Type: text/plain; charset=\xff\xfe\n\nwords", TEXT
    yield "no-boundary.eml", head + b"Content-Type: multipart/mixed\n\nwords", "text"
    yield "lost-boundary.eml", head + b"Content-Type: multipart/mixed; boundary=b\n\nwords", "text"
    parts = b"--b\nContent-Disposition: attachment; filename=a.txt\n\nwords\n" * 6000
    yield "attachments.eml", head + b"Content-Type: multipart/mixed; boundary=b\n\n" + parts, "archive_too_many_files"
    yield "long-name.eml", _attach(WORDS.encode(), "n" * 50_000 + ".txt"), TEXT
    yield "evil-name.eml", _attach(WORDS.encode(), "../../${alert(1)}<b>.txt"), TEXT
    yield "bomb.eml", _attach(making.zipped({"x": bytes(3 << 20)}), "x.zip"), TEXT
    parameters = b";".join(b" name*%d=a" % n for n in range(3000))
    yield "parameters.eml", head + b"Content-Type: text/plain;" + parameters + b"\n\nwords", TEXT
    yield "html-bomb.eml", head + b"Content-Type: text/html\n\n" + b"<b>" * 20_000 + b"words", TEXT


def _rtf() -> Made:
    yield "large-number.rtf", rb"{\rtf1 words \u99999999 ?}", "damaged text"
    yield "negative-number.rtf", rb"{\rtf1 words \u-99999999 ?}", "damaged text"
    yield "endless-bin.rtf", rb"{\rtf1 words {\pict\bin9999999999 x}", "damaged text"
    yield "bin-without-number.rtf", rb"{\rtf1 words {\pict\bin x}}", "damaged text"
    yield "half-characters.rtf", rb"{\rtf1 words \u-10179? \u-10179?}", TEXT
    yield "closed-first.rtf", rb"{\rtf1}}}}} words", "no_text text"
    yield "links.rtf", b"{\\rtf1 words " + rb'{\field{\*\fldinst{HYPERLINK "' * 200 + b"}", "text no_text damaged", True
    yield "unknown-page.rtf", rb"{\rtf1\ansicpg99999 words \'ff}", "text damaged"
    yield "bad-font.rtf", rb"{\rtf1{\fonttbl{\f0\fcharset128 X;}}\f0 words \'81}", TEXT
    yield "many-fonts.rtf", rb"{\rtf1{\fonttbl" + rb"{\f0\fcharset0 X;}" * 5000 + rb"}words}", TEXT


def _tables() -> Made:
    yield "columns.csv", b",".join(b"c%d" % n for n in range(50_000)) + b"\n" + b"1," * 50_000, TEXT
    yield "open-quote.csv", b'a,b\n"' + b"words,x\n" * 20_000, TEXT
    yield "quotes.csv", b'"' * 300_001, TEXT
    yield "only-commas.csv", b"," * 300_000, "no_text"
    yield "nulls.csv", b"a,b\nx\0y,z\n" + b"words,1\n" * 50, TEXT
    yield "no-newline.tsv", b"a\tb", TEXT
    yield "field.csv", b"a,b\n1," + b"w" * (1 << 20), TEXT
    yield "formulas.csv", b"=1+1,@SUM(A1)\n+cmd|' /C calc'!A0,-2\n", TEXT
    book = _samples()["xlsx"]
    with zipfile.ZipFile(BytesIO(book)) as archive:
        members: dict[str, str | bytes] = {name: archive.read(name) for name in archive.namelist()}
    sheet = bytes(members["xl/worksheets/s1.xml"])  # type: ignore[arg-type]
    changes: dict[str, Callable[[bytes], bytes]] = {
        "wrong-cell": lambda xml: xml.replace(b'r="A2"', b'r="!!"'),
        "row-zero": lambda xml: xml.replace(b'r="2"', b'r="0"').replace(b'r="A2"', b'r="A0"'),
        "no-sheet-data": lambda xml: xml.replace(b"sheetData", b"x"),
        "shared-string": lambda xml: xml.replace(b't="inlineStr"', b't="s"').replace(
            b"<is><t>a", b"<v>999999</v><is><t>a"
        ),
        "not-closed": lambda xml: xml[:-200],
    }
    for name, change in changes.items():
        content = making.zipped({**members, "xl/worksheets/s1.xml": change(sheet)})
        yield f"{name}.xlsx", content, "damaged text no_text crashed"
    del members["xl/worksheets/s1.xml"]
    yield "lost-sheet.xlsx", making.zipped(members), "damaged no_text"


def main() -> None:
    if len(sys.argv) != 2:
        sys.exit("usage: python tests/hostile.py FOLDER")
    rows = []
    for hostile in hostile_files():
        path = Path(sys.argv[1]) / hostile.name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(hostile.content)
        rows.append(f"{hostile.name}\t{' '.join(sorted(hostile.expected))}\n")
    (Path(sys.argv[1]) / "expected.tsv").write_text("".join(rows), "utf-8")
    print(f"{len(rows)} files in {sys.argv[1]}")


if __name__ == "__main__":
    main()
