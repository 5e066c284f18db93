"""HTML, XML, tables, JSON, subtitles, mail and archives."""

from __future__ import annotations

import stat
import zipfile
from email.message import EmailMessage
from io import BytesIO

import making
import pytest

from indexer.read import Limits, read
from labse_search.errors import Unreadable
from labse_search.records import Extraction, Note


def found(extraction: Extraction) -> list[tuple[str, dict[str, str | int]]]:
    return [(unit.text, dict(unit.place)) for unit in extraction.units]


def reason(name: str, content: bytes, limits: Limits | None = None) -> str:
    with pytest.raises(Unreadable) as caught:
        read(name, content, limits=limits or Limits())
    return caught.value.code


# HTML and XML


def test_html_sections_and_everything_a_person_sees() -> None:
    page = """<!doctype html><title>The  page</title><body><script>x</script><nav>Home | About</nav>
    <header>Top</header><p>Before</p><h1>Plants</h1><h2>Care<br>and more</h2><p>Water <b>them</b>
    daily.<div>Light<p>and air</div><ul><li>one<li>two</ul><table><tr><td>a<td>b</table><pre>x
      y</pre><img src=x alt="A fern"><footer>Foot</footer>"""
    extraction = read("a.html", page.encode())
    assert extraction.title == "The page"
    assert found(extraction) == [
        ("The page\n\nTop\n\nBefore", {}),
        (
            "Plants\n\nCare\nand more\n\nWater them daily.\n\nLight\n\nand air\n\none\n\ntwo\n\na | b\n\nx\n      y\n\n"
            "A fern\n\nFoot",
            {"section": "Plants › Care and more"},
        ),
    ]
    assert extraction.notes == (Note("navigation_skipped", "12"),)


@pytest.mark.parametrize(
    "head", [b"<meta charset=windows-1251>", b'<meta http-equiv=x content="text/html; charset=windows-1251">']
)
def test_html_in_the_charset_it_declares(head: bytes) -> None:
    assert read("a.html", head + "<p>Да, я".encode("cp1251")).text == "Да, я"


def test_xml_of_any_kind_is_its_text_by_element() -> None:
    head = b'<?xml version="1.0" encoding="iso-8859-2"?><!DOCTYPE a SYSTEM "a.dtd">'
    content = head + b"<a><t>\xb1 &nbsp;<i>b</i> c</t><t>d</t></a>"
    assert read("a.xml", content).text == "ą b c\n\nd"


def test_xml_that_is_not_well_formed_is_read_without_its_tags() -> None:
    extraction = read("a.xml", b"<a>Salt & pepper<b></a>")
    assert (extraction.text, extraction.notes) == (" Salt & pepper", (Note("read_as_text"),))


def test_xml_that_declares_entities_is_refused() -> None:
    laughs = '<!DOCTYPE a [<!ENTITY b "ha"><!ENTITY c "&b;&b;">]><a>&c;</a>'
    outside = '<!DOCTYPE a [<!ENTITY b SYSTEM "file:///etc/passwd">]><a>&b;</a>'
    for markup in (laughs, outside):
        assert reason("a.xml", markup.encode()) == "unsafe_xml"
        assert reason("a.xml", markup.encode("utf-16")) == "unsafe_xml"
        members = {"[Content_Types].xml": "<Types/>", "word/document.xml": markup}
        assert reason("a.docx", making.zipped(members)) == "unsafe_xml"


# Tables


def test_csv_rows_name_their_columns() -> None:
    content = 'Name;Text\nFern;"green; and\nlarge"\n;alone\n\nMoss;soft\n'
    assert found(read("a.csv", content.encode())) == [
        ("Name\nText", {"row": 1}),
        ("Name: Fern\nText: green; and\nlarge", {"row": 2}),
        ("Text: alone", {"row": 3}),
        ("Name: Moss\nText: soft", {"row": 5}),
    ]


@pytest.mark.parametrize("mark", [",", ";", "\t", "|"])
def test_csv_delimiter_is_the_one_that_makes_columns(mark: str) -> None:
    rows = [["id", "text"], ["1", '"Well, yes; or no"'], ["2", '"Ah, well"'], ["3", '"One, two, three"']]
    content = "\n".join(mark.join(row) for row in rows)
    assert read("a.csv", content.encode()).units[1].text == "id: 1\ntext: Well, yes; or no"


def test_csv_without_a_header_has_no_labels() -> None:
    assert read("a.csv", b"The dog barks.,Der Hund bellt.\nThe cat,Die Katze\n").units[1].text == "The cat\nDie Katze"


def test_csv_with_a_quote_that_never_closes_keeps_its_rows() -> None:
    content = 'a,b\n1,"open\n' + "2,x\n" * 300
    assert len(read("a.csv", content.encode()).units) == 302


def test_csv_that_says_its_delimiter() -> None:
    assert found(read("a.csv", b"sep=;\nA;B\nx,y;z\n"))[1] == ("A: x,y\nB: z", {"row": 3})


# JSON


def test_json_lists_are_records_and_nothing_is_lost() -> None:
    content = b'[{"title":"Fern","size":{"cm":40,"tall":true},"tags":["green","wet"],"none":null},"alone",7]'
    assert found(read("a.json", content)) == [
        ("Fern\nsize.cm: 40\nsize.tall: true\ntags: green\ntags: wet", {"path": "[0]"}),
        ("alone", {"path": "[1]"}),
        ("7", {"path": "[2]"}),
    ]


def test_json_objects_go_by_key() -> None:
    content = b'{"name":"Plants","items":[{"name":"Fern"},{"name":"Moss"}]}'
    assert found(read("a.json", content)) == [
        ("name: Plants", {"path": "name"}),
        ("name: Fern", {"path": "items[0]"}),
        ("name: Moss", {"path": "items[1]"}),
    ]


@pytest.mark.parametrize("content", [b'{"a": "b", // why not\n}', b"[" * 100_000 + b"hello"])
def test_what_is_no_json_is_read_as_text(content: bytes) -> None:
    extraction = read("a.json", content)
    assert extraction.text == content.decode()
    assert extraction.notes == (Note("read_as_text"),)


def test_json_lines_keep_broken_lines_and_say_which() -> None:
    extraction = read("a.jsonl", b'{"text":"one"}\n\n{"text": "tw\n{"text":"three"}\n')
    assert found(extraction) == [("one", {"row": 1}), ('{"text": "tw', {"row": 3}), ("three", {"row": 4})]
    assert extraction.notes == (Note("lines_damaged", "3"),)


def test_notebooks_are_their_cells() -> None:
    content = b'{"cells":[{"source":["# A\\n","b"],"outputs":[{"data":{"image/png":"iVBORw0"}}]},{"source":"c"}]}'
    assert found(read("a.ipynb", content)) == [("# A\nb", {"path": "cells[0]"}), ("c", {"path": "cells[1]"})]


# Subtitles


def test_subtitles_go_by_sentence_at_the_time_it_begins() -> None:
    content = """1
00:00:01,000 --> 00:00:02,000
<i>Where</i> are you

2
00:00:02,100 --> 00:00:03,000
{\\an8}going?

3
00:00:03,500 --> 00:00:04,000
Home
4
01:00:00,000 --> 01:00:02,000
42
"""
    assert found(read("a.srt", content.encode())) == [
        ("Where are you\ngoing?", {"time": "00:00:01"}),
        ("Home", {"time": "00:00:03"}),
        ("42", {"time": "01:00:00"}),
    ]


def test_vtt() -> None:
    content = "WEBVTT\n\nNOTE not said\n\nintro\n00:01.000 --> 00:02.000 align:start\n<v Ann>Hello.\n"
    assert found(read("a.vtt", content.encode())) == [("Ann: Hello.", {"time": "00:00:01"})]


# Mail


def mail() -> EmailMessage:
    message = EmailMessage()
    message["Subject"] = "Über Pflanzen"
    message["From"] = "Ann <ann@example.org>"
    message.set_content("Hello,\nwater them.\n")
    return message


def test_mail_body_and_attachments_of_every_kind() -> None:
    message = mail()
    message.add_alternative("<p>Hello, water them.</p>", subtype="html")
    message.add_attachment("Zeile\n".encode("utf-16"), maintype="text", subtype="plain", filename="Größe.txt")
    message.add_attachment(making.docx(making.paragraph("Inside")), maintype="a", subtype="b", filename="a.docx")
    message.add_attachment(b"\x89PNG\r\n\x1a\n\0\0", maintype="image", subtype="png", filename="a.png")
    inner = mail()
    inner.replace_header("Subject", "Before")
    message.add_attachment(inner)
    extraction = read("a.eml", message.as_bytes())
    assert extraction.title == "Über Pflanzen"
    assert [(text.replace("\n", "|"), place) for text, place in found(extraction)] == [
        ("Subject: Über Pflanzen|From: Ann <ann@example.org>", {"title": "Über Pflanzen", "part": "headers"}),
        ("Hello,|water them.", {"title": "Über Pflanzen", "part": "body"}),
        ("Zeile|", {"attachment": "Größe.txt", "line": 1}),
        ("Inside", {"attachment": "a.docx"}),
        (
            "Subject: Before|From: Ann <ann@example.org>",
            {"attachment": "message.eml", "title": "Before", "part": "headers"},
        ),
        ("Hello,|water them.", {"attachment": "message.eml", "title": "Before", "part": "body"}),
    ]
    assert extraction.notes == (Note("attachment_skipped", "a.png: unsupported"),)


def test_mail_whose_plain_part_says_nothing_is_read_from_its_html() -> None:
    message = EmailMessage()
    message["Subject"] = "x"
    message.set_content("Use another program.")
    message.add_alternative(f"<p>{'Real words. ' * 20}</p>", subtype="html")
    assert "Real words." in read("a.eml", message.as_bytes()).text


def test_mail_with_raw_bytes_and_broken_headers() -> None:
    heads = b"Subject: \xcf\xf0\xe8\xe2\xe5\xf2, \xec\xe8\xf0!\nFrom: =?utf-8?q?=FF?= <>\n"
    extraction = read("a.eml", heads + b"Content-Type: text/plain; charset=nope\n\nBody")
    assert extraction.title == "Привет, мир!"
    assert extraction.units[-1].text == "Body"
    folded = read("a.eml", b"Subject: =?utf-8?q?papiers_=C3=A0?=\n apporter\n\nBody")
    assert folded.title == "papiers à apporter"


# Archives


def test_zip_members_folders_and_archives_inside() -> None:
    inner = making.zipped({"ф/c.md": "# H\ntext"})
    content = making.zipped(
        {"a.txt": "one", "d/": "", "d/b.csv": "x,y\n1,2\n", "d/in.zip": inner, "__MACOSX/a.txt": "-"}
    )
    assert found(read("a.zip", content)) == [
        ("one", {"member": "a.txt", "line": 1}),
        ("x\ny", {"member": "d/b.csv", "row": 1}),
        ("x: 1\ny: 2", {"member": "d/b.csv", "row": 2}),
        ("H\ntext", {"member": "d/in.zip/ф/c.md", "section": "H", "line": 1}),
    ]


def test_zip_members_that_give_nothing_are_noted_with_their_reason() -> None:
    inner = making.zipped({"x.bin": bytes(range(256)), "ok.txt": "fine"})
    content = making.zipped({"a.txt": "one", "b.pdf": b"%PDF-1.4", "empty.txt": "", "in.zip": inner})
    assert read("a.zip", content).notes == (
        Note("member_skipped", "b.pdf: damaged"),
        Note("member_skipped", "empty.txt: empty"),
        Note("member_skipped", "in.zip/x.bin: binary"),
    )


@pytest.mark.parametrize(
    ("name", "label"),
    [
        ("../../etc/passwd", "etc/passwd"),
        ("/etc/passwd", "etc/passwd"),
        ("C:\\Windows\\a.txt", "Windows/a.txt"),
        ("a\u202etxt.exe", "atxt.exe"),
        ("a\nb.txt", "a b.txt"),
        ("..", "unnamed"),
    ],
)
def test_zip_member_names_are_only_labels(name: str, label: str) -> None:
    assert read("a.zip", making.zipped({name: "x y"})).units[0].place["member"] == label


def test_zip_member_names_in_old_encodings() -> None:
    content = making.zipped({"X" * 19 + ".txt": "x y"}).replace(b"X" * 19, "Очень старый архив!".encode("cp866"))
    assert read("a.zip", content).units[0].place["member"] == "Очень старый архив!.txt"


def test_zip_links_are_not_followed() -> None:
    buffer = BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        link = zipfile.ZipInfo("link.txt")
        link.external_attr = (stat.S_IFLNK | 0o777) << 16
        archive.writestr(link, "/etc/passwd")
        archive.writestr("a.txt", "one")
    extraction = read("a.zip", buffer.getvalue())
    assert (extraction.text, extraction.notes) == ("one", (Note("member_skipped", "link.txt: link"),))


def test_zip_limits() -> None:
    bomb = making.zipped({"a.txt": "0" * (5 << 20)})
    assert reason("a.zip", bomb) == "archive_bomb"
    many = making.zipped({f"{n}.txt": "x" for n in range(30)})
    assert reason("a.zip", many, Limits(members=20)) == "archive_too_many_files"
    deep = b"words"
    for level in range(6):
        deep = making.zipped({"a.zip" if level else "a.txt": deep})
    assert reason("a.zip", deep) == "archive_too_deep"
    assert reason("a.zip", making.zipped({})) == "empty"


def test_zip_limits_hold_over_everything_inside() -> None:
    inner = making.zipped({f"{n}.txt": f"{n} " * 500 for n in range(10)})
    content = making.zipped({f"{n}.zip": inner for n in range(10)})
    extraction = read("a.zip", content, limits=Limits(unpacked_bytes=40_000))
    assert any(note.detail.endswith(": archive_bomb") for note in extraction.notes)
    assert len(extraction.text) < 40_000
    skipped = {note.detail.partition(": ")[0].partition("/")[0] for note in extraction.notes}
    assert {f"{n}.zip" for n in range(10)} == skipped | {
        str(u.place["member"]).partition("/")[0] for u in extraction.units
    }


def test_text_under_a_binary_name_is_read_and_noise_is_not() -> None:
    assert read("a.pdf", b"just a note\n").notes == (Note("read_as", "text"),)
    assert read("a.xls", b"<html><table><tr><td>a<td>b</table>").text == "a | b"
    assert reason("a.pdf", bytes(range(256)) * 8) == "damaged"
    assert reason("a.docx", making.zipped({"a.txt": "x"})) == "damaged"
    assert reason("a.tar.gz", b"\x1f\x8b\x08" + bytes(50)) == "damaged"
