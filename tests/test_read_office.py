"""Word, PowerPoint and their like: diagrams, charts, embedded documents, tables, hidden text."""

from __future__ import annotations

import shutil
from pathlib import Path

import making
import pytest
from processes import run

from indexer.read import read
from labse_search.errors import Unreadable

CHART = (
    '<c:chartSpace xmlns:c="http://schemas.openxmlformats.org/drawingml/2006/chart" '
    'xmlns:a="http://schemas.openxmlformats.org/drawingml/2006/main"><c:chart><c:title><c:tx>'
    "<c:rich><a:p><a:r><a:t>Herring"
    "</a:t></a:r></a:p></c:rich></c:tx></c:title><c:plotArea><c:barChart><c:ser><c:tx><c:strRef>"
    '<c:strCache><c:pt idx="0">'
    "<c:v>North</c:v></c:pt></c:strCache></c:strRef></c:tx><c:cat><c:strRef><c:strCache><c:pt "
    'idx="0"><c:v>Q1</c:v></c:pt>'
    '<c:pt idx="1"><c:v>Q2</c:v></c:pt></c:strCache></c:strRef></c:cat><c:val><c:numRef><c:numCache>'
    '<c:pt idx="0"><c:v>120'
    '</c:v></c:pt><c:pt idx="1"><c:v>130.50</c:v></c:pt></c:numCache></c:numRef></c:val></c:ser>'
    "</c:barChart></c:plotArea>"
    "</c:chart></c:chartSpace>"
)
DIAGRAM = (
    '<dgm:dataModel xmlns:dgm="d" '
    'xmlns:a="http://schemas.openxmlformats.org/drawingml/2006/main"><a:p><a:r><a:t>Board</a:t>'
    "</a:r></a:p></dgm:dataModel>"
)
R = f'xmlns:r="{making.RELATION}"'


def document(body: str, parts: dict[str, tuple[str, str | bytes]]) -> bytes:
    """A DOCX; `parts`: relation kind → (target, content), ids rId1, rId2, …"""
    members: dict[str, str | bytes] = {
        "[Content_Types].xml": "<Types/>",
        "_rels/.rels": making.relations([("officeDocument", "word/document.xml")]),
        "word/document.xml": f"<w:document {making.W} {R}><w:body>{body}</w:body></w:document>",
        "word/_rels/document.xml.rels": making.relations([(kind, target) for kind, (target, _) in parts.items()]),
    }
    return making.zipped(members | {f"word/{target}": content for target, content in parts.values()})


def test_charts_diagrams_and_chunks_stand_where_they_are_drawn() -> None:
    body = (
        f"{making.paragraph('Before.')}<w:p><w:r><w:drawing><c:chart "
        f'xmlns:c="http://schemas.openxmlformats.org/drawingml/'
        '2006/chart" r:id="rId1"/></w:drawing></w:r></w:p><w:p><w:r><w:drawing><dgm:relIds xmlns:dgm="x" r:dm="rId2"/>'
        f'</w:drawing></w:r></w:p><w:altChunk r:id="rId3"/>{making.paragraph("After.")}'
    )
    parts: dict[str, tuple[str, str | bytes]] = {
        "chart": ("charts/c.xml", CHART),
        "diagramData": ("diagrams/d.xml", DIAGRAM),
        "aFChunk": ("chunk.htm", "<html><body><p>A chapter of its own.</p></body></html>"),
    }
    text = read("a.docx", document(body, parts)).text
    assert text.split("\n\n") == [
        "Before.",
        "Herring",
        "North: Q1 120, Q2 130.5",
        "Board",
        "A chapter of its own.",
        "After.",
    ]


CHART_OF_2016 = (
    '<cx:chartSpace xmlns:cx="x" xmlns:a="http://schemas.openxmlformats.org/drawingml/2006/main"><cx:chartData>'
    '<cx:data id="0"><cx:strDim type="cat"><cx:lvl><cx:pt idx="0">Herring</cx:pt><cx:pt idx="1">Cod</cx:pt></cx:lvl>'
    '</cx:strDim><cx:numDim type="val"><cx:lvl><cx:pt idx="0">120.0</cx:pt></cx:lvl></cx:numDim></cx:data>'
    "</cx:chartData><cx:chart><cx:title><a:p><a:r><a:t>Catch</a:t></a:r></a:p></cx:title></cx:chart></cx:chartSpace>"
)


def test_charts_of_2016_and_letters_drawn_as_pictures_are_read() -> None:
    body = (
        '<w:p><w:r><w:drawing><cx:chart xmlns:cx="x" r:id="rId1"/></w:drawing></w:r></w:p>'
        '<w:p><w:r><w:pict><v:textpath xmlns:v="urn:schemas-microsoft-com:vml" string="Feast at the dyke"/>'
        "</w:pict></w:r></w:p>"
    )
    text = read("a.docx", document(body, {"chartEx": ("charts/c.xml", CHART_OF_2016)})).text
    assert "Catch\n\nHerring 120, Cod" in text and "Feast at the dyke" in text


def test_parts_whose_paths_are_written_as_windows_writes_them_are_found() -> None:
    main = f"<w:document {making.W}><w:body>{making.paragraph('Words.')}</w:body></w:document>"
    links = making.relations([("officeDocument", "word/document.xml")])
    content = making.zipped({"[Content_Types].xml": "<Types/>", "_rels\\.rels": links, "word\\document.xml": main})
    assert read("a.docx", content).text == "Words."


def cell(text: str, properties: str = "") -> str:
    return f"<w:tc><w:tcPr>{properties}</w:tcPr>{making.paragraph(text) if text else '<w:p/>'}</w:tc>"


def test_cells_keep_their_columns() -> None:
    rows = [
        cell("Thing") + cell("Colour") + cell("Price"),
        cell("Tube") + cell("") + cell("17"),
        cell("Oven", '<w:vMerge w:val="restart"/>') + cell("red") + cell("20"),
        cell("", "<w:vMerge/>") + cell("blue") + cell("30"),
    ]
    table = "<w:tbl>" + "".join(f"<w:tr>{row}</w:tr>" for row in rows) + "</w:tbl>"
    unit = read("a.docx", making.docx(table)).units[0]
    assert unit.text.split("\n\n") == ["Thing | Colour | Price", "Tube |  | 17", "Oven | red | 20", "Oven | blue | 30"]
    assert [unit.text[a:b] for a, b in unit.headings] == ["Thing | Colour | Price"]


def test_hidden_text_is_marked_and_readings_follow_their_words() -> None:
    hidden = "<w:p><w:r><w:t>Seen. </w:t></w:r><w:r><w:rPr><w:vanish/></w:rPr><w:t>Unseen.</w:t></w:r></w:p>"
    ruby = (
        "<w:p><w:r><w:ruby><w:rt><w:r><w:t>かんじ</w:t></w:r></w:rt><w:rubyBase><w:r><w:t>漢字</w:t>"
        "</w:r></w:rubyBase></w:ruby></w:r></w:p>"
    )
    units = read("a.docx", making.docx(hidden + ruby)).units
    assert [(unit.text, dict(unit.place)) for unit in units] == [
        ("Seen. \n\n漢字(かんじ)", {}),
        ("Unseen.", {"part": "hidden"}),
    ]


def test_words_broken_by_soft_hyphens_are_whole() -> None:
    body = "<w:p><w:r><w:t>Donau</w:t></w:r><w:r><w:softHyphen/></w:r><w:r><w:t>dampf\u00adschiff</w:t></w:r></w:p>"
    assert read("a.docx", making.docx(body)).text == "Donaudampfschiff"
    assert read("a.txt", "Wasser\u200bstands\u2060meldung".encode()).text == "Wasserstandsmeldung"
    assert read("a.txt", "ភាសា\u200bខ្មែរ".encode()).text == "ភាសា\u200bខ្មែរ"  # there it tells words apart


def test_embedded_files_are_read() -> None:
    body = (
        f'{making.paragraph("See the sheet.")}<w:p><w:r><w:object><o:OLEObject xmlns:o="o" '
        f'r:id="rId1"/></w:object></w:r></w:p>'
    )
    sheet = making.xlsx({"S": [["Depth", "Place"], ["seven", "Quay"]]})
    extraction = read("a.docx", document(body, {"package": ("embeddings/s.xlsx", sheet)}))
    assert extraction.units[-1].text == "Depth: seven\nPlace: Quay"
    assert extraction.units[-1].place["attachment"] == "s.xlsx"
    assert extraction.holds["embedded files"] == 1


def test_slides_mark_their_titles_and_hidden_ones() -> None:
    content = making.pptx([making.shape("The tide", "title") + making.shape("It rises.")], [1])
    unit = read("a.pptx", content).units[0]
    assert [unit.text[a:b] for a, b in unit.headings] == ["The tide"]


def test_tables_of_opendocument_keep_empty_cells() -> None:
    def odf(text: str) -> str:
        return f"<table:table-cell>{f'<text:p>{text}</text:p>' if text else ''}</table:table-cell>"

    rows = "".join(f"<table:table-row>{odf(a)}{odf(b)}{odf(c)}</table:table-row>" for a, b, c in
                   (("Thing", "Colour", "Price"), ("Tube", "", "17")))  # fmt: skip
    text = read("a.odt", making.opendocument(f"<table:table>{rows}</table:table>")).text
    assert text == "Thing | Colour | Price\n\nTube |  | 17"


def test_who_wrote_a_comment_and_what_a_picture_shows_do_not_stand_in_the_sentence_around() -> None:
    comment = (
        "<office:annotation><dc:creator>Ann Lee</dc:creator><dc:date>2024-01-01T10:00:00</dc:date>"
        "<meta:creator-initials>AL</meta:creator-initials><text:p>Check this</text:p></office:annotation>"
    )
    picture = "<draw:frame><draw:image/><svg:title>Photo</svg:title><svg:desc>A red roof</svg:desc></draw:frame>"
    units = read("a.odt", making.opendocument(f"<text:p>The roof{comment} was mended{picture} in May.</text:p>")).units
    assert [(unit.text, unit.place) for unit in units] == [
        ("Photo\n\nA red roof\n\nThe roof was mended in May.", {}),
        ("Check this", {"part": "comment"}),
    ]


@pytest.mark.skipif(shutil.which("soffice") is None, reason="LibreOffice is not installed")
def test_word_before_2007_is_read_through_libreoffice(tmp_path: Path) -> None:
    path = tmp_path / "a.txt"
    path.write_text("The old lighthouse.")
    command = ["soffice", f"-env:UserInstallation={(tmp_path / 'p').as_uri()}", "--headless", "--convert-to", "doc"]
    run(*command, "--outdir", tmp_path, path)
    extraction = read("a.doc", (tmp_path / "a.doc").read_bytes())
    assert (extraction.text, extraction.kind) == ("The old lighthouse.", "doc")


def test_word_before_2007_without_libreoffice_says_what_to_do(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "")
    content = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(600) + "WordDocument".encode("utf-16-le")
    with pytest.raises(Unreadable) as caught:
        read("a.doc", content)
    assert (caught.value.code, caught.value.detail) == ("needs_program", "LibreOffice")
