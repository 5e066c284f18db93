"""Files as programs really write them, a little wrong or in a rarer form: the words that must come out."""

from __future__ import annotations

import base64
import bz2
import gzip
import io
import json
import lzma
import plistlib
import random
import re
import tarfile
import zlib
from collections.abc import Callable
from urllib.parse import quote

import making
import pytest

from indexer.read import read
from labse_search.errors import Unreadable
from labse_search.records import Note

XML = '<?xml version="1.0" encoding="UTF-8"?>\n'
CUES = "1\n00:00:01,000 {0} 00:00:03,000\nOne two.\n\n2\n00:00:04,000 {0} 00:00:06,000\nThree.\n"


@pytest.mark.parametrize(
    ("name", "content"),
    [
        *((f"{n}.srt", CUES.format(arrow)) for n, arrow in enumerate(("→", "–>", "-->", "-- >", "->"))),
        ("a.srt", CUES.format("-->").replace("00:00:04,000", "00: 00: 04, 000")),
        ("b.srt", CUES.format("-->").replace(",000", "")),
        ("a.sub", "{1}{1}25.000\n{25}{75}One two.\n{100}{150}{y:i}Three.\n"),
        ("b.sub", "[INFORMATION]\n[SUBTITLE]\n00:00:01.00,00:00:03.00\nOne two.\n\n00:00:04.00,00:00:06.00\nThree.\n"),
        ("a.sbv", "0:00:01.000,0:00:03.000\nOne two.\n\n0:00:04.000,0:00:06.000\nThree.\n"),
        ("a.txt", "[10][30]One two.\n[40][60]/Three.\n"),
        (
            "a.smi",
            "<SAMI><BODY>\n<SYNC Start=1000><P Class=EN>One <i>two</i>.\n<SYNC Start=3000><P Class=EN>&nbsp;\n"
            "<SYNC Start=4000><P Class=EN>Three.\n</BODY></SAMI>\n",
        ),
        (
            "a.ttml",
            f'{XML}<tt xmlns="http://www.w3.org/ns/ttml"><body><div>'
            '<p begin="00:00:01.000" end="3s">One <span>two</span>.</p>'
            '<p begin="4000ms" dur="2s">Three.</p></div></body></tt>',
        ),
        ("a.xml", f'{XML}<timedtext><body><p t="1000" d="2000">One two.</p><p t="4000">Three.</p></body></timedtext>'),
        (
            "b.xml",
            f'{XML}<transcript><text start="1.2" dur="1">One two.</text><text start="4">Three.</text></transcript>',
        ),
        ("a.lrc", "[ti:x]\n[00:04.00]Three.\n[00:01.00]One <00:02.00>two.\n"),
    ],
)
def test_subtitles_of_every_form_have_their_times(name: str, content: str) -> None:
    units = read(name, content.encode()).units
    assert [(unit.text, unit.place["time"]) for unit in units] == [("One two.", "00:00:01"), ("Three.", "00:00:04")]


@pytest.mark.parametrize(
    ("content", "last"),
    [
        ("Town\tSum, net\nKiel\t3,5\nLund\t4,25\n", "Town: Lund|Sum, net: 4,25"),
        ("name,text\n'Kiel','at sea, north'\n'Lund','inland, south'\n", "name: Lund|text: inland, south"),
        ('name, text\n"Kiel", "at sea, north"\n"Lund", "inland, south"\n', "name: Lund|text: inland, south"),
        ('"sep=;"\nTown;Sum\nLund;3\n', "Town: Lund|Sum: 3"),
        ("name\tnote\nKiel\tgood\nLund\t\\N\n", "name: Lund"),
        ('id,name\n="007",Bond\n', "id: 007|name: Bond"),
        ('id,body\n1,"<p>Tom &amp; <b>Eva</b></p>"\n', "id: 1|body: Tom & Eva"),
    ],
    ids=[
        "decimal commas beside tabs",
        "single quotes",
        "spaces before quotes",
        "sep in quotes",
        "nothing",
        "numbers as text",
        "markup",
    ],
)
def test_more_dialects_of_csv(content: str, last: str) -> None:
    assert read("a.csv", content.encode()).units[-1].text.replace("\n", "|") == last


PACKED = json.dumps({"payload": json.dumps({"text": "Grüße aus Köln"})})
GARBLED = json.dumps({"content": "Grüße aus Köln".encode().decode("latin-1")})
SHEET = (
    '<Workbook xmlns="urn:schemas-microsoft-com:office:spreadsheet" '
    'xmlns:ss="urn:schemas-microsoft-com:office:spreadsheet"><Worksheet ss:Name="T"><Table>'
    '<Row><Cell><Data ss:Type="String">Town</Data></Cell><Cell ss:Index="3"><Data ss:Type="String">Sum</Data></Cell>'
    '</Row><Row><Cell><Data ss:Type="String">Kiel</Data></Cell><Cell ss:Index="3"><Data ss:Type="Number">3</Data>'
    "<Comment><Data>Not sure</Data></Comment></Cell></Row></Table></Worksheet></Workbook>"
)
SAVED = plistlib.dumps(
    {"WebMainResource": {"WebResourceData": "<p>Grüße aus Köln</p>".encode(), "WebResourceMIMEType": "text/html"}},
    fmt=plistlib.FMT_BINARY,
)
SMS = '<smses><sms body="Joy &#55357;&#56832; &amp; more" contact_name="Eva"/></smses>'
BOOK = making.zipped(
    {
        "mimetype": "application/epub+zip",
        "EPUB/broken.opf": "<package><dc:title>x",
        "EPUB/a.xhtml": "<html><body><p>A chapter.</p></body></html>",
    },
    stored_first=True,
)


@pytest.mark.parametrize(
    ("name", "content", "wanted", "kind"),
    [
        ("a.json", GARBLED, "Grüße aus Köln", "json"),
        ("a.jsonl", '{"text": "Grüße"}{"text": "aus Köln"}\n', "Grüße\naus Köln", "jsonl"),
        ("a.tei", XML + "<TEI><p>Fer<lb break='no'/>ry<lb/>port</p></TEI>", "Ferry port", "xml"),
        ("a.ics", "BEGIN:VCALENDAR\nBEGIN:VEVENT\nX-ALT-DESC;FMTTYPE=text/html:<p>Bring <b>oars</b></p>\nEND:VEVENT\n"
         "END:VCALENDAR\n", "Bring oars", "calendar"),
        ("a.json", PACKED, "Grüße aus Köln", "json"),
        ("tweets.js", 'window.YTD.part0 = [{"full_text": "Tom &amp; K\\u00f6ln"}];', "full_text: Tom & Köln", "json"),
        ("sms.xml", XML + SMS, "Joy 😀 & more\nEva", "xml"),
        ("a.xml", XML + "<notes><note>Tom & Jerry&#0;</note></notes>", "Tom & Jerry", "xml"),
        ("a.resx", XML + '<root><data name="Hi"><value>Grüße</value></data></root>', "Grüße", "xml"),
        ("a.xls", XML + SHEET, "Town\nSum\nTown: Kiel\nSum: 3\nNot sure", "excel_xml"),
        ("a.webarchive", SAVED, "Grüße aus Köln", "plist"),
        ("a.plist", plistlib.dumps({"Hi": ["Grüße", 3]}, fmt=plistlib.FMT_BINARY), "Hi: Grüße\nHi: 3", "plist"),
        ("a.epub", BOOK, "A chapter.", "epub"),
        ("a.html", "<p>Map: <svg><title>x</title><text>North</text></svg></p>", "Map: North", "html"),
        ("a.doc", "MIME-Version: 1.0\nContent-Type: multipart/related; boundary=B\n\n--B\nContent-Type: text/html\n"
         "Content-Transfer-Encoding: quoted-printable\n\n<p>Gr=C3=BC=C3=9Fe</p>\n--B--\n", "Grüße", "mhtml"),
    ],
)  # fmt: skip
def test_what_a_program_shows_is_read(name: str, content: str | bytes, wanted: str, kind: str) -> None:
    extraction = read(name, content.encode() if isinstance(content, str) else content)
    assert extraction.text == wanted
    assert extraction.reader.startswith(kind)


def test_characters_that_xml_does_not_allow_are_read_from_their_codes() -> None:
    assert read("a.xlsx", making.xlsx({"S": [["The water_x000D_\nrises"]]})).text == "The water\nrises"


def test_a_broken_xml_keeps_the_words_of_its_attributes() -> None:
    extraction = read("a.xml", b'<smses><sms body="The key is under the mat" date="1"/><sms body="cut')
    assert "The key is under the mat" in extraction.text


def test_a_property_list_that_repeats_one_part_without_end_is_refused() -> None:
    value: list[object] = ["x"]
    for _ in range(40):
        value = [value, value]
    with pytest.raises(Unreadable) as caught:
        read("a.plist", plistlib.dumps(value, fmt=plistlib.FMT_BINARY))
    assert caught.value.code == "too_large"


def tar(members: dict[str, bytes], mode: str) -> bytes:
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode=mode) as archive:  # type: ignore[call-overload]
        for name, content in members.items():
            member = tarfile.TarInfo(name)
            member.size = len(content)
            archive.addfile(member, io.BytesIO(content))
        link = tarfile.TarInfo("link")
        link.type, link.linkname = tarfile.SYMTYPE, "/etc/passwd"
        archive.addfile(link)
    return packed.getvalue()


@pytest.mark.parametrize(
    ("name", "mode"),
    [("a.tar", "w:"), ("a.tgz", "w:gz"), ("a.tar.gz", "w:gz"), ("a.tar.bz2", "w:bz2"), ("a.txz", "w:xz")],
)
def test_each_file_of_a_tar_is_read_however_it_is_packed(name: str, mode: str) -> None:
    read_files = read(name, tar({"a/notes.md": b"# Water\n\nHigh.", "../b.txt": b"Low.", "._b.txt": b"\0\1"}, mode))
    assert [unit.text for unit in read_files.units] == ["Water\n\nHigh.", "Low."]
    assert [unit.place["member"].removeprefix("a.tar/") for unit in read_files.units] == ["a/notes.md", "b.txt"]  # type: ignore[union-attr]
    assert read_files.notes == (Note("member_skipped", "link: link"),)
    assert read_files.holds == {"members": 3}


@pytest.mark.parametrize(("ending", "pack"), [("gz", gzip.compress), ("bz2", bz2.compress), ("xz", lzma.compress)])
def test_one_packed_file_is_read_as_what_it_is(ending: str, pack: Callable[[bytes], bytes]) -> None:
    packed = pack(b'{"a": "one"}\n{"a": "two"}\n')
    assert [unit.text for unit in read(f"a.jsonl.{ending}", packed).units] == ["a: one", "a: two"]
    lines = random.Random(1).sample(range(10**9), 130_000)
    whole = pack("\n".join(map(str, lines)).encode())
    assert read(f"a.txt.{ending}", whole).notes == ()
    assert Note("member_skipped", "the rest of the file: damaged") in read(f"a.txt.{ending}", whole[:-2000]).notes
    with pytest.raises(Unreadable, match="more than the limit"):
        read(f"a.txt.{ending}", pack(b"x" * (8 << 20)))


def test_a_tar_that_was_cut_off_gives_what_is_whole_and_says_so() -> None:
    cut = tar({"a.txt": b"Water.", "b.txt": b"x" * 4000}, "w:")[:2500]
    read_files = read("a.tar", cut)
    assert read_files.text == "Water."
    assert read_files.notes == (Note("member_skipped", "the rest of the archive: damaged"),)


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("a.mobi", b"Title".ljust(60, b"\0") + b"BOOKMOBI" + bytes(range(256))),
        ("a.djvu", b"AT&TFORM\0\0\2\0DJVUINFO" + bytes(range(256))),
        ("a.chm", b"ITSF\3\0\0\0" + bytes(range(256))),
        ("a.heic", b"\0\0\0\x18ftypheic" + bytes(range(256))),
        ("a.wpd", b"\xffWPC\x10\0\0\0" + bytes(range(256))),
        ("a.pages", making.zipped({"Index/Document.iwa": "x", "preview.jpg": "y"})),
    ],
)
def test_what_other_programs_alone_can_read_says_that_it_is_not_supported(name: str, content: bytes) -> None:
    with pytest.raises(Unreadable) as refused:
        read(name, content)
    assert refused.value.code == "unsupported"


CELLS = '<mxCell value="Mill"/><mxCell value="by the &lt;b&gt;old&lt;/b&gt; barn"/>'
PAGE = f"<mxGraphModel><root>{CELLS}</root></mxGraphModel>"


def deflated(text: str) -> str:
    packer = zlib.compressobj(9, zlib.DEFLATED, -15)
    return base64.b64encode(packer.compress(quote(text).encode()) + packer.flush()).decode()


@pytest.mark.parametrize(
    ("name", "content", "words"),
    [
        ("a.drawio", f'<mxfile><diagram name="One">{PAGE}</diagram></mxfile>', "Mill|by the old barn"),
        ("b.drawio", f'<mxfile><diagram name="One">{deflated(PAGE)}</diagram></mxfile>', "Mill|by the old barn"),
        ("a.fpage", f'{XML}<FixedPage><Glyphs UnicodeString="The mill stands"/><Glyphs UnicodeString="here."/>'
         "</FixedPage>", "The mill stands|here."),
        ("a.abw", "<abiword><section><p>Coff<c>ee</c> mill.</p></section></abiword>", "Coffee mill."),
        ("strings.xml",
         f"{XML}<resources><string name='a'>It isn\\'t \\u00fcber</string></resources>", "It isn't über"),
        ("wiki.xml", f"{XML}<x><p><![CDATA[<p>Before</p><ac:body><![CDATA[print(1 < 2)]] ></ac:body>]]></p></x>",
         "Before|print(1 < 2)"),
        ("a.html", '<!doctype html><meta name=description content="A mill."><div id=root></div>'
         '<script type="application/json">{"text": "It stands here."}</script>', "A mill.|It stands here."),
        ("a.rtf", r"{\rtf1\mac\deff0 Kaffeem\'9fhle}", "Kaffeemühle"),
        ("a.mrc", "00112nam a2200049 a 4500245003900000\x1e10\x1faDie Mühle /\x1fcEva Berg.\x1e\x1d",
         "00112nam a2200049 a 4500245003900000 10 aDie Mühle / cEva Berg."),
    ],
)  # fmt: skip
def test_words_that_a_program_shows_wherever_it_keeps_them(name: str, content: str, words: str) -> None:
    assert re.sub(r"\n+", "|", read(name, content.encode()).text.strip()) == words


def test_a_drawing_that_unpacks_to_too_much_is_refused() -> None:
    with pytest.raises(Unreadable):
        read("a.drawio", f"<mxfile><diagram>{deflated('a' * (9 << 20))}</diagram></mxfile>".encode())


def test_openoffice_1_is_read() -> None:
    names = 'xmlns:office="http://openoffice.org/2000/office" xmlns:text="http://openoffice.org/2000/text"'
    body = '<text:h text:level="1">Mill</text:h><text:p>It <text:span>stands</text:span> here.</text:p>'
    document = f"{XML}<office:document-content {names}><office:body>{body}</office:body></office:document-content>"
    (unit,) = read(
        "a.sxw", making.zipped({"mimetype": "application/vnd.sun.xml.writer", "content.xml": document})
    ).units
    assert (unit.text, unit.place) == ("Mill\n\nIt stands here.", {"section": "Mill"})
