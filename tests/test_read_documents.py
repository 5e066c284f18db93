"""PDF and office documents: all text, in order, each unit at the place that a person would cite."""

from __future__ import annotations

import shutil
import zipfile
from io import BytesIO
from pathlib import Path

import making
import pytest
from processes import run

from indexer.read import Limits, read
from labse_search.errors import Unreadable
from labse_search.records import Extraction, Note


def found(extraction: Extraction) -> list[tuple[str, dict[str, str | int]]]:
    return [(unit.text, dict(unit.place)) for unit in extraction.units]


def reason(name: str, content: bytes, limits: Limits | None = None) -> str:
    with pytest.raises(Unreadable) as caught:
        read(name, content, limits=limits or Limits())
    return caught.value.code


# PDF


def test_pdf_pages_are_numbered_and_those_without_text_reported() -> None:
    page = [(72.0, 700.0, "Some words")]
    extraction = read("a.pdf", making.pdf([page, page, [], [], [], page, []], title="Übersicht"))
    assert [unit.place["page"] for unit in extraction.units] == [1, 2, 6]
    assert all(unit.place["pages"] == 7 for unit in extraction.units)
    assert extraction.notes == (Note("pages_without_text", "3-5, 7"),)
    assert extraction.title == "Übersicht"


def test_pdf_words_broken_at_the_end_of_a_line_are_mended() -> None:
    lines = ["The gar-", "dener is a well-", "known man. Well-known, says Anne-", "Marie; in 2019-", "2020 too."]
    content = making.pdf([[(72.0, 700.0 - 15 * n, line) for n, line in enumerate(lines)]])
    text = " ".join(read("a.pdf", content).text.split())
    assert text == "The gardener is a well-known man. Well-known, says Anne-Marie; in 2019-2020 too."


@pytest.mark.parametrize(
    ("reading", "painted"),
    [
        ("הילדים הלכו לבית הספר", "רפסה תיבל וכלה םידליה"),
        ("הספר יצא בשנת 2024 על ידי ABC", "ABC ידי לע 2024 תנשב אצי רפסה"),
        ("المدرسة بعيدة عن بيتنا 3.5 كم", "مك 3.5 انتيب نع ةديعب ةسردملا"),
        ("کتاب را در ۱۴۰۲ خواندم", "مدناوخ ۱۴۰۲ رد ار باتک"),
    ],
    ids=["hebrew", "hebrew with a year and a name", "arabic with a number", "persian with digits"],
)
def test_pdf_right_to_left_text_comes_in_reading_order(reading: str, painted: str) -> None:
    assert read("a.pdf", making.pdf([[(72, 700, painted), (72, 680, painted)]])).text == f"{reading}\n{reading}"


def test_pdf_right_to_left_columns_are_read_right_column_first() -> None:
    right = ["השורה הראשונה בטור הימני", "השורה השנייה בטור הימני", "השורה השלישית בטור הימני", "והשורה הרביעית שם"] * 2
    left = ["כאן מתחיל הטור השמאלי", "וכאן הוא ממשיך עוד קצת", "ועוד שורה אחת של מילים", "וזו השורה האחרונה בו"] * 2
    lines = [(330.0, 700.0 - 15 * n, line[::-1]) for n, line in enumerate(right)]
    lines += [(60.0, 700.0 - 15 * n, line[::-1]) for n, line in enumerate(left)]
    assert read("a.pdf", making.pdf([lines])).text.split("\n") == [*right, *left]


RIGHT_TO_LEFT = {
    "he": 'הילדים הלכו לבית הספר בבוקר, ואחר כך (בשנת 2024) שיחקו בגינה עם ABC עד הערב. המחיר הוא 3.50 ש"ח בלבד.',
    "ar": "ذهب الأطفال إلى المدرسة في الصباح، ثم لعبوا في الحديقة (عام 2024) حتى المساء.",
    "ar-LB": "التمر واللبن هما فطور الصيادين لأنهما يعوضان السكر والأملاح، والماء فاتر، وست ملاعق حوله.",
    "fa": "کتابها را در ۱۴۰۲ خواندیم و میخواهیم دوباره بخوانیم.",
    "ur": "بچے صبح سکول گئے اور شام تک باغ میں کھیلتے رہے۔",
}


@pytest.mark.slow
def test_pdf_right_to_left_text_as_a_browser_prints_it(tmp_path: Path) -> None:
    """Shaped letters, ligatures, marks: what the PDFs made by hand above do not have."""
    chromium = shutil.which("chromium") or shutil.which("chromium-browser")
    if chromium is None:
        pytest.skip("chromium is not installed: this test prints with it")
    lines = "".join(f"<p dir=rtl lang={language}>{text}</p>" for language, text in RIGHT_TO_LEFT.items())
    (tmp_path / "a.html").write_text(f"<meta charset=utf-8><body style='font-size:13px'>{lines}", "utf-8")
    options = ["--headless", "--no-sandbox", "--disable-gpu", "--no-pdf-header-footer", f"--user-data-dir={tmp_path}/p"]
    run(chromium, *options, f"--print-to-pdf={tmp_path}/a.pdf", f"{tmp_path}/a.html")
    extraction = read("a.pdf", (tmp_path / "a.pdf").read_bytes())
    assert extraction.text.split("\n") == list(RIGHT_TO_LEFT.values())


def test_pdf_damaged_pages_are_reported_and_the_others_read() -> None:
    page = [(72.0, 700.0, "Some words")]
    extraction = read("a.pdf", making.pdf([page] * 5, missing_pages=[2, 4]))
    assert [unit.place["page"] for unit in extraction.units] == [1, 3, 5]
    assert extraction.notes == (Note("pages_damaged", "2, 4"),)


def test_pdf_passwords() -> None:
    page = [(72.0, 700.0, "Some words")]
    assert read("a.pdf", making.pdf([page], owner_password="x")).text == "Some words"
    assert reason("a.pdf", making.pdf([page], user_password="x")) == "encrypted"


def test_pdf_that_is_only_pictures_and_pdf_that_is_none() -> None:
    assert reason("a.pdf", making.pdf([[], []])) == "no_text_layer"
    assert reason("a.pdf", b"%PDF-1.7 and then nothing") == "damaged"


# DOCX

STYLES = (
    '<w:style w:styleId="berschrift1"><w:name w:val="heading 1"/></w:style>'
    '<w:style w:styleId="berschrift2"><w:name w:val="heading 2"/></w:style>'
    '<w:style w:styleId="Eigene"><w:name w:val="Own"/><w:basedOn w:val="berschrift1"/></w:style>'
)


def test_docx_sections_follow_headings_in_any_language_of_word() -> None:
    body = "".join(
        [
            making.paragraph("Before all"),
            making.paragraph("Plants", "berschrift1"),
            making.paragraph("Care", "berschrift2"),
            making.paragraph("Water them."),
            making.paragraph("Animals", "Eigene"),
            making.paragraph("Feed them."),
        ]
    )
    assert found(read("a.docx", making.docx(body, styles=STYLES))) == [
        ("Before all", {}),
        ("Plants\n\nCare\n\nWater them.", {"section": "Plants › Care"}),
        ("Animals\n\nFeed them.", {"section": "Animals"}),
    ]


def test_docx_loses_nothing_that_a_person_sees() -> None:
    table = (
        f"<w:tbl><w:tr><w:tc>{making.paragraph('a')}</w:tc><w:tc>{making.paragraph('b')}</w:tc></w:tr>"
        f"<w:tr><w:tc>{making.paragraph('c')}{making.paragraph('d')}</w:tc><w:tc><w:p/></w:tc></w:tr></w:tbl>"
    )
    box = (
        '<w:p><w:r><w:t>Around</w:t></w:r><mc:AlternateContent xmlns:mc="http://schemas.openxmlformats.org/'
        f'markup-compatibility/2006"><mc:Choice>{making.paragraph("in the box")}</mc:Choice>'
        f"<mc:Fallback>{making.paragraph('in the box')}</mc:Fallback></mc:AlternateContent></w:p>"
    )
    runs = (
        "<w:p><w:r><w:t>one</w:t><w:tab/><w:t>two</w:t><w:br/><w:t>three</w:t></w:r>"
        "<w:del><w:r><w:delText>gone</w:delText></w:r></w:del><w:ins><w:r><w:t>, four</w:t></w:r></w:ins></w:p>"
    )
    parts = {
        "footnotes": f'<w:footnote w:id="2">{making.paragraph("A note")}</w:footnote>'
        f'<w:footnote w:id="3">{making.paragraph("Another")}</w:footnote>',
        "comments": f'<w:comment w:id="0">{making.paragraph("Really?")}</w:comment>',
        "header": making.paragraph("On every page"),
    }
    assert found(read("a.docx", making.docx(table + box + runs, parts))) == [
        ("a | b\n\nc\nd\n\nin the box\n\nAround\n\none\ttwo\nthree, four", {}),
        ("A note", {"part": "footnote 1"}),
        ("Another", {"part": "footnote 2"}),
        ("Really?", {"part": "comment 0"}),
        ("On every page", {"part": "header"}),
    ]


def test_docx_under_another_name_is_still_a_docx() -> None:
    content = making.docx(making.paragraph("Hello"))
    for name in ("a.zip", "a.txt", "a", "a.pdf"):
        extraction = read(name, content)
        assert (extraction.kind, extraction.text) == ("docx", "Hello")
    assert read("a.zip", content).notes == (Note("read_as", "docx"),)


# PPTX


def test_pptx_slides_come_in_the_order_of_the_presentation_with_their_notes() -> None:
    slides = [making.shape("Made first", "title") + making.shape("Line\nline"), making.shape("Made second")]
    extraction = read("a.pptx", making.pptx(slides, order=[2, 1], notes={1: "Say hello"}))
    assert found(extraction) == [
        ("Made second", {"slide": 1, "slides": 2}),
        ("Made first\n\nLine\n\nline", {"slide": 2, "slides": 2, "title": "Made first"}),
        ("Say hello", {"slide": 2, "slides": 2, "part": "notes"}),
    ]


# Spreadsheets


def test_xlsx_rows_keep_their_numbers_and_sheets() -> None:
    sheets = {"Stock & more": [["Plant", "Pots"], ["Fern", 3.0], ["", ""], [None, 2.5]], "Empty": []}
    assert found(read("a.xlsx", making.xlsx(sheets, first_row=3))) == [
        ("Plant\nPots", {"sheet": "Stock & more", "row": 3}),
        ("Plant: Fern\nPots: 3", {"sheet": "Stock & more", "row": 4}),
        ("Pots: 2.5", {"sheet": "Stock & more", "row": 6}),
    ]


def test_notes_of_docx_have_the_numbers_that_the_text_gives_them() -> None:
    def note(identity: int, text: str, attributes: str = "") -> str:
        return f'<w:footnote w:id="{identity}" {attributes}>{making.paragraph(text)}</w:footnote>'

    body = "".join(
        f'<w:p><w:r><w:t>{word}</w:t></w:r><w:r><w:{kind}Reference w:id="{identity}"/></w:r></w:p>'
        for word, kind, identity in (("One", "footnote", 7), ("two", "endnote", 2), ("three", "footnote", 2))
    )
    parts = {
        "footnotes": note(0, "", 'w:type="separator"') + note(1, "from the page before", 'w:type="continuationNotice"')
        + note(2, "Second") + note(7, "First") + note(9, "Nowhere"),
        "endnotes": note(2, "End").replace("footnote", "endnote"),
    }  # fmt: skip
    assert found(read("a.docx", making.docx(body, parts)))[1:] == [
        ("First", {"part": "footnote 1"}),
        ("Second", {"part": "footnote 2"}),
        ("Nowhere", {"part": "footnote 3"}),
        ("End", {"part": "endnote 1"}),
    ]


def test_ods_rows() -> None:
    cell = '<table:table-cell office:value-type="string"><text:p>{}</text:p></table:table-cell>'
    row = "<table:table-row>{}</table:table-row>"
    rows = row.format(cell.format("Plant") + cell.format("Place")) + row.format(
        cell.format("Fern") + cell.format("Hall")
    )
    content = making.opendocument(f'<table:table table:name="T">{rows}</table:table>', "spreadsheet")
    assert found(read("a.ods", content))[1] == ("Plant: Fern\nPlace: Hall", {"sheet": "T", "row": 2})


def test_encrypted_office_files_say_so() -> None:
    ole = bytes.fromhex("d0cf11e0a1b11ae1") + bytes(1000) + "EncryptedPackage".encode("utf-16-le") + bytes(1000)
    assert reason("a.xlsx", ole) == reason("a.docx", ole) == "encrypted"
    assert reason("a.doc", bytes.fromhex("d0cf11e0a1b11ae1") + bytes(2000)) == "unsupported"


# OpenDocument, EPUB, RTF


def test_odt_sections_tables_and_asides() -> None:
    body = (
        '<text:h text:outline-level="1">Plants</text:h><text:p>Water<text:s text:c="2"/>them<text:note>'
        "<text:note-citation>1</text:note-citation><text:note-body><text:p>Not too much</text:p></text:note-body>"
        "</text:note> daily.</text:p><table:table><table:table-row><table:table-cell><text:p>a</text:p>"
        "</table:table-cell><table:table-cell><text:p>b</text:p></table:table-cell></table:table-row></table:table>"
    )
    style = f"{making.XML}<office:document-styles {making.ODF}><style:header><text:p>Top</text:p></style:header>"
    content = making.opendocument(body, extra={"styles.xml": f"{style}</office:document-styles>"})
    assert found(read("a.odt", content)) == [
        ("Plants\n\nWater  them daily.\n\na | b", {"section": "Plants"}),
        ("Not too much", {"part": "note"}),
        ("Top", {"part": "header"}),
    ]


def test_odp_slides() -> None:
    slide = "<draw:page><draw:frame><text:p>{}</text:p></draw:frame>{}</draw:page>"
    notes = "<presentation:notes><text:p>Smile</text:p></presentation:notes>"
    content = making.opendocument(slide.format("One", "") + slide.format("Two", notes), "presentation")
    assert found(read("a.odp", content)) == [
        ("One", {"slide": 1, "slides": 2}),
        ("Two", {"slide": 2, "slides": 2}),
        ("Smile", {"slide": 2, "slides": 2, "part": "notes"}),
    ]


def test_epub_chapters_of_strict_xhtml() -> None:
    head = '<?xml version="1.0"?><html xmlns="http://www.w3.org/1999/xhtml"><head><title/><script src="a.js"/></head>'
    chapters = {
        "b.xhtml": f'{head}<body><h1>First</h1><p>Once <a id="x"/>upon</p><h2>Inner</h2><p>a time</p></body></html>',
        "a%20a.xhtml": f"{head}<body><h1>Last</h1><p>The end</p></body></html>",
    }
    content = making.epub({name.replace("%20", " "): markup for name, markup in chapters.items()}, "Tales & more")
    extraction = read("a.epub", content)
    assert extraction.title == "Tales & more"
    assert found(extraction) == [
        ("First\n\nOnce upon", {"chapter": 1, "section": "First", "title": "First"}),
        ("Inner\n\na time", {"chapter": 1, "section": "First › Inner", "title": "First"}),
        ("Last\n\nThe end", {"chapter": 2, "section": "Last", "title": "Last"}),
    ]


def test_epub_under_lock_is_encrypted_but_hidden_fonts_are_not() -> None:
    lock = "<encryption><CipherReference URI='{}'/></encryption>"
    chapter = {"a.xhtml": "<html><body><p>Text</p></body></html>"}
    locked = making.epub(chapter, extra={"META-INF/encryption.xml": lock.format("OEBPS/a.xhtml")})
    fonts = making.epub(chapter, extra={"META-INF/encryption.xml": lock.format("OEBPS/font.otf")})
    assert reason("a.epub", locked) == "encrypted"
    assert read("a.epub", fonts).text == "Text"


RTF_BOX = (
    r"{\shp{\*\shpinst\shpleft0\shptop0{\sp{\sn shapeType}{\sv 202}}{\sp{\sn pib}{\sv {\pict 00ff}}}"
    r"{\shptxt \ltrpar\pard\plain Words in a box\par Two lines}}%s}"
)
RTF_OLD_BOX = r"{\*\do\dobxcolumn{\dptxbx{\dptxbxtext\pard Words in a box\par Two lines\par}}\dpx0\dpy0}"


@pytest.mark.parametrize("box", [RTF_BOX % "", RTF_BOX % (r"{\shprslt" + RTF_OLD_BOX + "}"), RTF_OLD_BOX])
def test_words_in_text_boxes_of_rtf_are_read_once(box: str) -> None:
    content = r"{\rtf1\ansi\ansicpg1252{\fonttbl{\f0 Arial;}}{\header Top\par}\pard Before.\par " + box
    content += r"\pard\par After, in C:\\sp or so.\par}"
    text = read("a.rtf", content.encode()).text
    assert text.split("\n\n") == ["Top", "Before.", "Words in a box", "Two lines", "After, in C:\\sp or so."]


def test_rtf_keeps_footnotes_and_all_scripts() -> None:
    content = (
        rb"{\rtf1\ansi\ansicpg1251{\info{\title A title}}{\header Top\par}Hello {\b bold}{\footnote A note}"
        rb"\par \'cf\'f0\'e8\'e2\'e5\'f2 \u8364? \u-10179?\u-8704?}"
    )
    extraction = read("a.rtf", content)
    assert extraction.title == "A title"
    for words in ("Top", "Hello bold", "A note", "Привет € 😀"):
        assert words in extraction.text


def test_member_order_and_symbols_do_not_matter_to_office_files() -> None:
    content = making.docx(making.paragraph("Hello"))
    with zipfile.ZipFile(BytesIO(content)) as archive:
        members = {name: archive.read(name) for name in reversed(archive.namelist())}
    assert read("a.docx", making.zipped(members)).text == "Hello"
