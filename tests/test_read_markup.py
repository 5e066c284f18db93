"""HTML, XML with text in odd places, JSON, notebooks, subtitles, web archives: what a person would read in them."""

from __future__ import annotations

import gzip
import json
import time

import making
import pytest

from indexer.read import read
from labse_search.records import Extraction, Note


def texts(extraction: Extraction) -> list[str]:
    return [unit.text for unit in extraction.units]


def test_frames_and_scripts_that_do_not_run_show_what_stands_instead() -> None:
    frames = read(
        "a.html", b"<html><frameset><frame src=a.html><noframes><p>Address: Quay 9</p></noframes></frameset></html>"
    )
    assert (frames.text, frames.notes) == ("Address: Quay 9", (Note("frames_skipped", "1"),))
    page = b"<body><div id=app></div><noscript><h1>Timetable</h1><p>It sails at 7.</p></noscript></body>"
    assert read("a.html", page).text == "Timetable\n\nIt sails at 7."
    beside = b"<body><p>It sails at seven from the north quay.</p><noscript>Switch on scripts.</noscript></body>"
    assert read("a.html", beside).text == "It sails at seven from the north quay."


def test_a_page_that_calls_itself_utf_16_in_bytes_that_are_not() -> None:
    text = "Ключи от баржи лежат у механика Фёдорова."
    page = f'<html><head><meta charset="utf-16"></head><body><p>{text}</p></body></html>'
    assert read("a.html", page.encode("cp1251")).text == text
    assert read("a.html", page.encode("utf-8")).text == text


def test_readings_stand_behind_words_that_stay_whole() -> None:
    page = (
        "<p><ruby>漢<rp>(</rp><rt>かん</rt><rp>)</rp>字<rt>じ</rt></ruby>を<ruby>学<rt>がく</rt></ruby>"
        "<ruby>校<rt>こう</rt></ruby>で</p>"
    )
    assert read("a.html", page.encode()).text == "漢字(かんじ)を学校(がくこう)で"


def test_headings_and_names_of_columns_are_marked() -> None:
    page = b"<h1>Prices</h1><table><tr><th>Thing<th>Price</tr><tr><td>Oven<td>17</tr></table>"
    unit = read("a.html", page).units[0]
    assert [unit.text[a:b] for a, b in unit.headings] == ["Prices", "Thing | Price"]


@pytest.mark.parametrize("tag", ["p", "div", "center"])
def test_cells_with_paragraphs_inside_stand_in_their_row(tag: str) -> None:
    def cell(kind: str, *texts: str) -> str:
        return f"<{kind}> " + "\n".join(f"<{tag}>{text}</{tag}>" for text in texts) + f" </{kind}>"

    rows = [cell("th", "Name") + cell("th", "Town"), cell("td", "Anna", "Lee") + cell("td", "Bern")]
    page = "<table>" + "".join(f"<tr>\n{row}\n</tr>" for row in rows) + "</table>"
    unit = read("a.html", page.encode()).units[0]
    assert unit.text == "Name | Town\n\nAnna\nLee | Bern"
    assert [unit.text[a:b] for a, b in unit.headings] == ["Name | Town"]
    mail = f"Subject: Towns\nContent-Type: text/html\n\n{page}"
    assert "Name | Town\n\nAnna\nLee | Bern" in read("a.eml", mail.encode()).text


@pytest.mark.parametrize(
    ("cells", "text"),
    [
        ("<td><ul><li>Tea<li>Milk</ul><td>17", "Tea\nMilk | 17"),
        ("<td><td><p>17", "| 17"),
        ("<td>Oven<td><p>Warm<br>or hot<p>Dry<td>17", "Oven | Warm\nor hot\nDry | 17"),
        ("<td>&nbsp;<td><p>One.<p>Two.<td>&nbsp;", "One.\n\nTwo."),  # a table for the layout only
        ("<td>A<td><table><tr><td>B<td>C</table><td>D", "A\n\nB | C\n\nD"),
        ("<td>A<td>x<table><tr><td><p>B<td><p>C</table>y<td>D<td>E", "A | x\n\nB | C\n\ny | D | E"),
        ("<td><h2>Care</h2><p>Water it.<td>Now", "Care\n\nWater it. | Now"),
        ("<td><pre>a  b\n c</pre><td>1", "a  b\n c\n\n1"),
        ("<td><p></p><td><div></div>", ""),
        ("<td><ruby>漢<rt>かん</ruby><td>1", "漢(かん) | 1"),
        ("<td><p><ruby>漢<rt>かん</ruby></p><p>次</p><td>1", "漢(かん)\n次 | 1"),
        ("<td>Home<td><p>One<p>Two<p>Three<p>Four", "Home | One\n\nTwo\n\nThree\n\nFour"),
    ],
)
def test_whatever_stands_in_a_cell_is_read(cells: str, text: str) -> None:
    page = f"<p>Begin</p><table><tr>{cells}</tr></table><p>End</p>"
    assert "\n\n".join(unit.text for unit in read("a.html", page.encode()).units).split("\n\n") == [
        "Begin", *filter(None, text.split("\n\n")), "End"
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("body", "text", "headings"),
    [
        ("<p>At eight weeks.</p>", "Dogs and fleas – Dr. Li\n\nAt eight weeks.", ["Dogs and fleas – Dr. Li"]),
        ("<h1>Fleas</h1><p>At eight weeks.</p>", "Dogs and fleas – Dr. Li\n\nFleas\n\nAt eight weeks.",
         ["Dogs and fleas – Dr. Li", "Fleas"]),
        ("<h1>Dogs and fleas</h1><p>At eight weeks.</p>", "Dogs and fleas\n\nAt eight weeks.", ["Dogs and fleas"]),
        ("<p>Dogs and fleas – DR. Li</p>", "Dogs and fleas – DR. Li", []),
        ("<h2>Prices</h2>", "Dogs and fleas – Dr. Li\n\nPrices", ["Dogs and fleas – Dr. Li", "Prices"]),
    ],
)  # fmt: skip
def test_the_title_of_a_page_is_its_first_heading_where_the_page_does_not_say_it(
    body: str, text: str, headings: list[str]
) -> None:
    page = f"<html><head><title>Dogs and fleas – Dr. Li</title></head><body>{body}</body></html>"
    extraction = read("a.html", page.encode())
    unit = extraction.units[0]
    assert (unit.text, [unit.text[a:b] for a, b in unit.headings]) == (text, headings)
    assert extraction.title == "Dogs and fleas – Dr. Li"


def test_nested_elements_cost_linear_time() -> None:
    def seconds(depth: int) -> float:
        begun = time.process_time()
        assert read("a.html", b"<div>" * depth + b"Words" + b"</div>" * depth).text == "Words"
        return time.process_time() - begun

    assert seconds(80_000) < 20 * max(0.02, seconds(10_000))  # quadratic would be 64 times


@pytest.mark.parametrize(
    ("name", "content", "wanted"),
    [
        ("a.opml", '<opml><head><title>Ideas</title></head><body><outline text="Trip to Faroe">'
            '<outline text="Book the ferry" '
         '_note="Cabin with window"/></outline></body></opml>',
         ["Ideas", "Trip to Faroe", "Book the ferry", "Cabin with window"]),
        ("sms.xml", '<smses count="1"><sms address="+49123" date="157" body="The key is below the '
            'pot" contact_name="Nele"/></smses>',
         ["The key is below the pot", "Nele"]),
        ("Posts.xml", '<posts><row Id="1" Title="How to descale a boiler?" Body="&lt;p&gt;Mine &lt;'
            'b&gt;hums&lt;/b&gt;.&lt;/p&gt;"/></posts>',
         ["How to descale a boiler?", "Mine hums."]),
        ("a.rss", "<rss><channel><title>Blog</title><item><title>Storm</title><description>"
            "<![CDATA[<p>The <b>dyke</b> held &amp; "
         "nobody was hurt.</p><script>x()</script>]]></description></item></channel></rss>",
         ["Storm", "The dyke held & nobody was hurt."]),
        ("a.atom", '<feed><title>Blog</title><entry><title>Storm</title><content type="html">&lt;p&gt;Rain &amp;amp; '
         "wind&lt;/p&gt;</content></entry></feed>", ["Storm", "Rain & wind"]),
        ("a.enex", "<en-export><note><title>Recipe</title><content><![CDATA[<?xml version=\"1.0\"?>"
            "<en-note><div>Herring"
         "&nbsp;soup</div></en-note>]]></content><resource><data encoding=\"base64\">"
             "c6m+9Jm79Nx7</data></resource></note></en-export>",
         ["Recipe", "Herring\u00a0soup"]),
        ("a.fb2", "<FictionBook><body><section><title><p>One</p></title><p>The <emphasis>"
            "old</emphasis> keeper.</p></section>"
         '</body><binary id="c">c6m+9Jm79Nx7</binary></FictionBook>', ["One", "The old keeper."]),
        ("a.xlf", '<xliff><file><body><trans-unit id="1"><source>Press <bpt id="1">&lt;b&gt;</bpt>'
            'Save<ept id="1">&lt;/b&gt;</ept>'
         ".</source><target>Sichern.</target></trans-unit></body></file></xliff>", ["Press Save.", "Sichern."]),
        ("a.tmx", '<tmx><body><tu><tuv xml:lang="en"><seg>Wind <ph>{1}</ph>force</seg></tuv><tuv '
            'xml:lang="de"><seg>Stärke</seg>'
         "</tuv></tu></body></tmx>", ["Wind force", "Stärke"]),
        ("a.mm", '<map><node TEXT="Plans"><node TEXT="Paint the boat"/></node></map>', ["Plans", "Paint the boat"]),
        ("a.kml", "<kml><Placemark><name>Quay</name><description><![CDATA[<p>Deep water</p>]]>"
            "</description></Placemark></kml>",
         ["Quay", "Deep water"]),
    ],
    ids=lambda value: value if isinstance(value, str) and value.startswith(("a.", "sms", "Posts")) else "",
)  # fmt: skip
def test_xml_is_read_wherever_its_text_stands(name: str, content: str, wanted: list[str]) -> None:
    extraction = read(name, content.encode())
    for text in wanted:
        assert text in extraction.text.split("\n") + extraction.text.split("\n\n")
    for junk in ("<", "&lt;", "&amp;", "c6m+9", "x()", "{1}"):
        assert junk not in extraction.text


def test_flat_opendocument_of_every_kind() -> None:
    body = '<text:h text:outline-level="1">Title</text:h><text:p>The <text:span>guide</text:span> knows it.</text:p>'
    flat = (
        f"<?xml version='1.0' encoding='UTF-8'?><office:document {making.ODF}><office:body>"
        f"<office:text>{body}</office:text>"
    )
    extraction = read("a.fodt", f"{flat}</office:body></office:document>".encode())
    assert (extraction.text, extraction.kind) == ("Title\n\nThe guide knows it.", "fodt")


@pytest.mark.parametrize(
    ("name", "content", "wanted"),
    [
        ("a.json", '{"a": "\\u0422\\u0440"}\n{"a": "\\u044e\\u043c"}\n', ["a: Тр", "a: юм"]),
        ("a.json", '{"a": "\\u0422\\u0440",}', ['{"a": "Тр",}']),
        ("a.json", '{"a": 1}\n\n{\n"a": "two"\n}', ["a: 1", "a: two"]),
        ("a.json", '[{"html": "<p>Rain &amp; wind</p>"}]', ["html: Rain & wind"]),
        ("data", '{"role": "user", "text": "One"}\n{"role": "assistant", "text": "Two"}\n',
         ["role: user\nOne", "role: assistant\nTwo"]),
        ("a.jsonl", '{"a": "\\ud83d\\ude00 yes"}\n', ["a: 😀 yes"]),
    ],
    ids=["lines", "comma too many", "one after the other", "markup inside", "lines without extension", "surrogates"],
)  # fmt: skip
def test_json_of_every_make(name: str, content: str, wanted: list[str]) -> None:
    assert texts(read(name, content.encode())) == wanted


def test_notebooks_of_both_formats_with_what_they_printed() -> None:
    picture = {"output_type": "display_data", "png": "c6m+9Jm79Nx7", "text": ["<Figure size 1>"]}
    old = {"nbformat": 3, "worksheets": [{"cells": [
        {"cell_type": "markdown", "source": ["About the tide"]},
        {"cell_type": "code", "input": "x = 'creek'", "outputs": [picture]},
    ]}]}  # fmt: skip
    new = {"nbformat": 4, "cells": [
        {"cell_type": "code", "source": "print(h)", "outputs": [
            {"output_type": "stream", "name": "stdout", "text": ["Tidal range 3.4 m\n"]},
            {"output_type": "execute_result", "data": {"text/html": "<b>Wave</b>", "image/png": "c6m+9"}},
            {"output_type": "error", "ename": "ValueError", "evalue": "no water", "traceback": []},
        ]},
    ]}  # fmt: skip
    first, second = (read("a.ipynb", json.dumps(one).encode()) for one in (old, new))
    assert texts(first) == ["About the tide", "x = 'creek'"]
    assert texts(second) == ["print(h)", "Tidal range 3.4 m\nWave\nValueError: no water"]
    assert second.units[1].place == {"path": "cells[0]", "part": "output"}
    assert second.notes == (Note("outputs_skipped", "1"),)


@pytest.mark.parametrize(
    ("name", "content", "wanted"),
    [
        ("a.srt", "1\n00:00:01,000-->00:00:03,000\nI am stuck,\n\nhe comes later.\n\n2\n"
         "00:00:04,000 --> 00:00:05,000\nGood.\n",
         ["I am stuck,\nhe comes later.", "Good."]),
        ("a.vtt", "WEBVTT\n\n00:00.000 --> 00:02.000\nRain &amp; wind &lt;3\n", ["Rain & wind <3"]),
        ("a.vtt", "WEBVTT\n\n00:00.000 --> 00:02.000\n<v.loud Bo>Come <i>in</i></v>\n", ["Bo: Come in"]),
        ("a.vtt", "WEBVTT\n\n00:00.000 --> 00:01.000\nwe speak\n\n00:01.000 --> 00:02.000\nwe speak\nof the flood\n\n"
         "00:02.000 --> 00:03.000\nof the flood\nof 1962\n", ["we speak\nof the flood\nof 1962"]),
        ("a.ass", "[Script Info]\n\n[Events]\n"
         "Format: Layer, Start, End, Style, Name, MarginL, MarginR, MarginV, Effect, Text\n"
         "Dialogue: 0,0:00:03.00,0:00:04.00,D,Bo,0,0,0,,{\\i1}Later,{\\i0} yes\\Nand no\n"
         "Dialogue: 0,0:00:01.00,0:00:02.00,D,,0,0,0,,First.\n", ["First.", "Bo: Later, yes\nand no"]),
    ],
    ids=["blank line in a cue", "entities", "voices", "roll-up", "ass"],
)  # fmt: skip
def test_subtitles(name: str, content: str, wanted: list[str]) -> None:
    assert texts(read(name, content.encode())) == wanted


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        ("a.vtt", "WEBVTT\n\n{0}\nWhich year?\n\n{1}\n1987\n\n{2}\nThe year was\n2001\n\n{3}\nReally.\n",
         "Which year? 1987 The year was 2001 Really."),
        ("a.srt", "{0}\nTen\n\n{1}\n9\n\n{2}\n8\n\n{3}\nGo!\n", "Ten 9 8 Go!"),
        ("a.srt", "{0}\nTen\n{1}\n9\n{2}\n8\n{3}\nGo!\n", "Ten 9 8 Go!"),
        ("a.vtt", "WEBVTT\n\nbegin\n{0}\nTen\n\n2\n{1}\n9\n\n{2}\n8\n\nSeven\n\nend\n{3}\nGo!\n", "Ten 9 8 Seven Go!"),
        ("a.srt", "1\n{0}\nTen\n\n2\n{1}\n9\n\n3\n{2}\n8\n\n4\n{3}\nGo!\n", "Ten 9 8 Go!"),
        ("a.srt", "1\n{0}\nTen\n\n2\n{1}\n9\n\n{2}\n8\n\n4\n{3}\nGo!\n", "Ten 9 8 Go!"),
        ("a.srt", "1\n\n{0}\n\nTen\n\n2\n\n{1}\n\n9\n\n3\n\n{2}\n\n8\n\n4\n\n{3}\n\nGo!\n", "Ten 9 8 Go!"),
    ],
)  # fmt: skip
def test_lines_of_digits_are_speech_where_cues_have_no_number_or_another(name: str, content: str, said: str) -> None:
    times = [f"00:00:0{second}.000 --> 00:00:0{second}.900" for second in range(1, 5)]
    assert " ".join(read(name, content.format(*times).encode()).text.split()) == said


def test_a_refrain_is_no_roll_up() -> None:
    cues = "".join(
        f"{n}\n00:00:0{n},000 --> 00:00:0{n},900\n{line}\n\n" for n, line in enumerate(("Hey.", "Ho.", "Ho.", "Go."))
    )
    assert read("a.srt", cues.encode()).text.split("\n") == ["Hey.", "Ho.", "Ho.", "Go."]


def test_a_web_archive_gives_the_pages_that_were_answered() -> None:
    def record(kind: str, address: str, body: bytes) -> bytes:
        heads = f"WARC/1.0\r\nWARC-Type: {kind}\r\nWARC-Target-URI: {address}\r\nContent-Length: {len(body)}\r\n\r\n"
        return heads.encode() + body + b"\r\n\r\n"

    page = b"HTTP/1.1 200 OK\r\nContent-Type: text/html; charset=utf-8\r\nContent-Encoding: gzip\r\n\r\n"
    content = (
        record("warcinfo", "", b"software: x")
        + record("response", "https://example.org/a", page + gzip.compress(b"<p>High water at noon.</p>"))
        + record(
            "response", "https://example.org/b", b"HTTP/1.1 404 Not Found\r\nContent-Type: text/html\r\n\r\n<p>No</p>"
        )
        + record("response", "https://example.org/c.png", b"HTTP/1.1 200 OK\r\nContent-Type: image/png\r\n\r\n\x89PNG")
    )
    for name, packed in (("a.warc", content), ("a.warc.gz", gzip.compress(content))):
        extraction = read(name, packed)
        assert [(unit.text, unit.place["member"]) for unit in extraction.units] == [
            ("High water at noon.", "https://example.org/a")
        ]
        assert extraction.holds["answers"] == 3


def test_a_saved_page_is_read_as_the_page() -> None:
    content = (
        "From: <Saved by Blink>\nSubject: Tides\nMIME-Version: 1.0\nContent-Type: multipart/related; boundary=B\n\n"
        "--B\nContent-Type: text/html\nContent-Transfer-Encoding: quoted-printable\n\n<p>High=20water</p>\n"
        "--B\nContent-Type: text/css\n\np {color: red}\n--B--\n"
    )
    extraction = read("a.mhtml", content.encode())
    assert (extraction.text, extraction.kind, extraction.title) == ("High water", "mhtml", "Tides")


def test_epub_with_paths_in_another_case_and_without_a_container() -> None:
    import io
    import zipfile

    book = making.epub({"Chapter.xhtml": "<html><body><p>The keeper climbs.</p></body></html>"})
    with zipfile.ZipFile(io.BytesIO(book)) as archive:
        members = {name: archive.read(name) for name in archive.namelist()}
    other_case = making.zipped(
        {name.replace("Chapter", "CHAPTER"): inside for name, inside in members.items()}, stored_first=True
    )
    bare = making.zipped(
        {name: inside for name, inside in members.items() if "container" not in name}, stored_first=True
    )
    for content in (other_case, bare):
        assert read("a.epub", content).text == "The keeper climbs."
