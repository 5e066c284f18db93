"""What a PDF holds beside plain lines: order that is not the file's, forms, remarks, attached files, running lines."""

from __future__ import annotations

import shutil

import making
import pytest

from indexer.read import Limits, read
from indexer.read.ocr import Recognizer
from indexer.read.pdf_order import Glyph, is_vertical, vertical_order
from indexer.read.pdf_running import without_running_lines
from labse_search.errors import Unreadable
from labse_search.records import Note

LEFT = ["The harbour lies well sheltered", "behind the island of the seals", "and was known to traders from",
        "Luebeck in the Middle Ages as a", "safe place for the winter."]  # fmt: skip
RIGHT = ["Honey bees collect nectar on the", "heath and carry it to their hive", "where it is thickened to honey",
         "and closed with a lid of wax so", "that it keeps for years."]  # fmt: skip


def column(lines: list[str], x: float, top: float = 700) -> list[tuple[float, float, str]]:
    return [(x, top - 16 * n, line) for n, line in enumerate(lines)]


def by_rows(*columns: list[tuple[float, float, str]]) -> list[tuple[float, float, str]]:
    return [line for row in zip(*columns, strict=True) for line in row]


def test_columns_painted_row_by_row_are_read_one_after_the_other() -> None:
    page = by_rows(column(LEFT, 40), column(RIGHT, 320))
    assert read("a.pdf", making.pdf([page])).text.split("\n") == LEFT + RIGHT


def test_a_title_across_both_columns_stays_above_them() -> None:
    title = (40.0, 740.0, "A title that reaches over both columns of this page, all of it")
    page = [title, *by_rows(column(LEFT, 40), column(RIGHT, 320))]
    assert read("a.pdf", making.pdf([page])).text.split("\n") == [title[2], *LEFT, *RIGHT]


def test_right_to_left_columns_painted_row_by_row_begin_at_the_right() -> None:
    right = ["הילדים הלכו לבית הספר בבוקר יום", "ואחר כך שיחקו בגינה עד הערב שם", "והגשם ירד כל הלילה על הגגות הם",
             "ובבוקר זרחה השמש מעל ההרים שם", "והציפורים שרו בין העצים בגינה"]  # fmt: skip
    left = ["הדייגים יצאו לים עם עלות השחר", "וחזרו בצהריים עם סירות מלאות דג", "השוק נפתח בשעה שבע בכל בוקר אז",
            "והרוכלים קראו בקול את המחירים", "עד שהכול נמכר והרחוב התרוקן שם"]  # fmt: skip
    painted = by_rows(column([line[::-1] for line in right], 320), column([line[::-1] for line in left], 40))
    assert read("a.pdf", making.pdf([painted])).text.split("\n") == right + left


def test_a_table_stays_row_by_row_however_it_was_painted() -> None:
    names, places, sums = ["Anna", "Bert", "Carla", "Dora"], ["Kiel", "Lund", "Riga", "Gent"], ["12", "240", "77", "38"]
    wanted = [f"{name} | {place} | {total}" for name, place, total in zip(names, places, sums, strict=True)]
    columns = [column(names, 60), column(places, 220), column(sums, 400)]
    row_wise = read("a.pdf", making.pdf([by_rows(*columns)])).text
    column_wise = read("a.pdf", making.pdf([[line for one in columns for line in one]])).text
    assert row_wise.split("\n") == wanted
    assert column_wise.split("\n") == wanted


def test_vertical_lines_are_read_from_the_right_and_tiers_from_the_top() -> None:
    def vertical(lines: list[str], top: float) -> list[Glyph]:
        return [
            Glyph(letter, x, x + 12, x, top - 12 * at, 12, 0)
            for x, line in ((500.0 - 20 * n, line) for n, line in enumerate(lines))
            for at, letter in enumerate(line)
        ]

    lines = ["灯台の明かりは毎晩日没から", "日の出まで海を照らしている。"]
    glyphs = vertical(lines, 700)
    assert is_vertical(glyphs)
    assert vertical_order(glyphs[::-1]).split("\n") == lines
    tiers = [
        [f"上段の{n}行目の文字列がここに並んでいます" for n in "一二三四五"],
        [f"下段の{n}行目の文字列がここに並んでいます" for n in "一二三四五"],
    ]
    mixed = [glyph for pair in zip(vertical(tiers[0], 800), vertical(tiers[1], 400), strict=True) for glyph in pair]
    assert vertical_order(mixed).split("\n") == [*tiers[0], *tiers[1]]


def test_a_right_to_left_phrase_in_a_left_to_right_page_keeps_its_words_in_order() -> None:
    line = f"The contract term in Hebrew is {'חוזה שכירות'[::-1]} and must be cited as such in English letters."
    text = read(
        "a.pdf", making.pdf([[(40, 700, line), (40, 680, "Nothing else on this page is in Hebrew at all.")]])
    ).text
    assert "is חוזה שכירות and must" in text


def test_ligatures_are_letters() -> None:
    assert read("a.pdf", making.pdf([[(40, 700, "ofﬁce ﬂoor, ﬁne")]])).text == "office floor, fine"


def test_running_lines_are_kept_once_and_marked() -> None:
    pages = [
        [(40, 800, "Annual report of the port"), (40, 700, f"Body of page {n} here."),
         (40, 680, f"More of it, {n} times."),
         (40, 660, f"And an end to page {n}."), (40, 640, f"{'abcde'[n]} last."), (40, 40, f"Page {n} of 4")]
        for n in range(1, 5)
    ]  # fmt: skip
    extraction = read("a.pdf", making.pdf(pages))
    marked = {str(unit.place["part"]): unit.text for unit in extraction.units if "part" in unit.place}
    assert marked == {"header": "Annual report of the port", "footer": "Page 1 of 4"}
    assert extraction.text.count("Annual report") == 1
    assert all(f"Body of page {n} here." in extraction.text for n in range(1, 5))


@pytest.mark.parametrize(
    ("line", "is_running"),
    [
        ("Day {}", False), ("Question {}", False), ("{}. Lesson", False), ("Sheet {} of 5", False),
        ("Your answers to question {} (10 points)", False),
        ("The port of Lindau {}", True), ("{} The port of Lindau", True),
        ("{}", True), ("- {} -", True), ("Seite {} von 5", True), ("Pág. {}/5", True), ("第{}页 共5页", True),
        ("{} / 5", True), ("Confidential - Page {} of 5", True), ("ACME – Seite {}", True), ("Draft, p. {}", True),
        ("Version 2 Page {} of 5", True), ("Page {} – Annual Report", True), ("Report | Page {} of 5 | ACME Ltd", True),
        ("Страница {} из 5", True), ("p. {}", True), ("{} ページ", True),
    ],
)  # fmt: skip
def test_headings_that_count_with_the_pages_stay_on_their_page(line: str, is_running: bool) -> None:
    pages = {
        n: f"{line.format(n)}\n{'abcde'[n]} one\n{'abcde'[n]} two\n{'abcde'[n]} three\nand so\non" for n in range(1, 5)
    }
    bodies, running = without_running_lines(pages)
    assert [body.startswith(line.format(n)) for n, body in bodies.items()] == [not is_running] * 4
    assert [(one.part, one.text) for one in running if one.text != line.format(1)] == [
        ("footer", "and so"),
        ("footer", "on"),
    ]


def annotated() -> bytes:
    form = "/AcroForm << /Fields [100 0 R 101 0 R] /DA (/F 0 Tf) >>"
    beside: dict[int, tuple[str, bytes | None]] = {
        100: ("<< /Type /Annot /Subtype /Widget /FT /Tx /T (Name) /V (Rosa Luchs) /Rect [80 700 200 715] >>", None),
        101: ("<< /Type /Annot /Subtype /Widget /FT /Btn /T (Swimmer) /V /Yes /AS /Yes /Rect [80 680 90 690] "
              "/AP << /N << /Yes 104 0 R /Off 104 0 R >> >> >>", None),
        102: ("<< /Type /Annot /Subtype /Text /Contents (The sum is wrong) /Rect [10 10 20 20] >>", None),
        103: ("<< /Type /Annot /Subtype /FreeText /Contents (Approved) /DA (/F 9 Tf) /Rect [10 30 90 50] >>", None),
        104: ("", b""),
    }  # fmt: skip
    annots = "/Annots [100 0 R 101 0 R 102 0 R 103 0 R]"
    return making.pdf([[(40, 700, "Name:")]], catalog=form, page=annots, beside=beside)


def test_what_was_filled_in_and_remarked_is_read() -> None:
    extraction = read("a.pdf", annotated())
    parts = {str(unit.place["part"]): unit.text for unit in extraction.units if "part" in unit.place}
    assert parts == {"form": "Name: Rosa Luchs\nSwimmer: ✓", "annotation": "The sum is wrong\n\nApproved"}
    assert extraction.holds["form fields"] == 2 and extraction.holds["annotations"] == 2


def test_attached_files_are_read_or_named() -> None:
    names = "/Names << /EmbeddedFiles << /Names [(a.txt) 100 0 R (b.bin) 102 0 R] >> >>"
    beside: dict[int, tuple[str, bytes | None]] = {
        100: ("<< /Type /Filespec /F (a.txt) /UF (a.txt) /EF << /F 101 0 R >> >>", None),
        101: ("", b"Customs number 55"),
        102: ("<< /Type /Filespec /F (b.bin) /UF (b.bin) /EF << /F 103 0 R >> >>", None),
        103: ("", bytes(range(256)) * 4),
    }
    extraction = read("a.pdf", making.pdf([[(40, 700, "Open the portfolio")]], catalog=names, beside=beside))
    assert (extraction.units[1].text, dict(extraction.units[1].place)) == (
        "Customs number 55",
        {"attachment": "a.txt", "line": 1},
    )
    assert extraction.notes == (Note("attachment_skipped", "b.bin: binary"),)
    assert extraction.holds["attachments"] == 2


def test_a_file_pinned_to_a_page_is_read_with_the_page() -> None:
    beside: dict[int, tuple[str, bytes | None]] = {
        100: ("<< /Type /Annot /Subtype /FileAttachment /FS 101 0 R /Rect [1 1 9 9] >>", None),
        101: ("<< /Type /Filespec /F (a.txt) /UF (a.txt) /EF << /F 102 0 R >> >>", None),
        102: ("", b"Customs number 55"),
    }
    content = making.pdf([[(40, 700, "See the pin")]], page="/Annots [100 0 R]", beside=beside)
    unit = read("a.pdf", content).units[-1]
    assert (unit.text, dict(unit.place)) == ("Customs number 55", {"page": 1, "attachment": "a.txt", "line": 1})


def test_a_form_of_adobes_own_kind_gives_its_words_and_values() -> None:
    template = (
        b'<template xmlns="t"><subform><draw><value><text>Name of the ship</text></value></draw></subform></template>'
    )
    values = b'<xfa:datasets xmlns:xfa="x"><xfa:data><form><ship>Seagull</ship></form></xfa:data></xfa:datasets>'
    form = "/AcroForm << /Fields [] /XFA [(template) 100 0 R (datasets) 101 0 R (config) 102 0 R] >>"
    beside: dict[int, tuple[str, bytes | None]] = {100: ("", template), 101: ("", values), 102: ("", b"<config/>")}
    extraction = read("a.pdf", making.pdf([[(40, 700, "Please wait")]], catalog=form, beside=beside))
    assert extraction.text == "Please wait\nName of the ship\nSeagull"


def test_a_pdf_without_its_end_is_read_as_far_as_it_goes() -> None:
    content = making.pdf([[(40, 700, "Some words")]])
    assert read("a.pdf", content[: content.index(b"xref\n0 ")]).text == "Some words"


def test_a_pdf_behind_junk_is_found() -> None:
    content = b"\r\n--boundary junk from a scanner's mail--\r\n" * 40 + making.pdf([[(40, 700, "Some words")]])
    for name in ("a.pdf", "scan"):
        extraction = read(name, content)
        assert (extraction.text, extraction.reader) == ("Some words", "pdf (its first bytes)")


def test_text_beyond_the_edge_of_the_page_is_noted() -> None:
    page = [(40.0, 700.0, "Inside"), (2000.0, 700.0, "Outside of it")]
    notes = read("a.pdf", making.pdf([page])).notes
    assert notes == (Note("text_outside_page", "11 characters on pages 1"),)


def scanned(text: str) -> bytes:
    """A page that is a picture of a text."""
    from PIL import Image, ImageDraw, ImageFont

    image = Image.new("L", (1240, 400), 255)
    font = ImageFont.load_default(size=56)
    ImageDraw.Draw(image).text((60, 120), text, font=font, fill=0)
    pixels = image.tobytes()
    drawn = b"q 500 0 0 160 40 600 cm /I Do Q"
    picture = (
        f"<< /Type /XObject /Subtype /Image /Width 1240 /Height 400 /ColorSpace /DeviceGray /BitsPerComponent 8 "
        f"/Length {len(pixels)} >>\nstream\n".encode()
        + pixels
        + b"\nendstream"
    )
    out = bytearray(b"%PDF-1.4\n")
    objects = [
        b"<< /Type /Catalog /Pages 2 0 R >>", b"<< /Type /Pages /Count 1 /Kids [3 0 R] >>",
        b"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 595 842] /Contents 4 0 R "
        b"/Resources << /XObject << /I 5 0 R >> >> >>",
        f"<< /Length {len(drawn)} >>\nstream\n".encode() + drawn + b"\nendstream", picture,
    ]  # fmt: skip
    for number, one in enumerate(objects, 1):
        out += f"{number} 0 obj\n".encode() + one + b"\nendobj\n"
    return bytes(out + b"trailer\n<< /Root 1 0 R >>\n%%EOF\n")


def test_scanned_pages_are_named_until_recognition_is_switched_on() -> None:
    with pytest.raises(Unreadable) as caught:
        read("a.pdf", scanned("The lighthouse"))
    assert caught.value.code == "no_text_layer"


@pytest.mark.skipif(shutil.which("tesseract") is None, reason="Tesseract is not installed")
def test_scanned_pages_are_read_by_tesseract_with_its_confidence() -> None:
    extraction = read("a.pdf", scanned("The lighthouse shines"), limits=Limits(ocr="auto"))
    assert "lighthouse" in extraction.text
    assert dict(extraction.units[0].place) == {"page": 1, "pages": 1, "part": "ocr"}
    assert extraction.notes[0].code == "ocr" and "confidence" in extraction.notes[0].detail


def test_recognition_that_is_off_is_no_recognition() -> None:
    assert Recognizer.of("", "some text") is None
