"""PDF in, one unit a page out, in the order a person reads.

PDFium finds the order of lines; where it is wrong (right-to-left pages) the page is put together again from the
places of its glyphs. Pages with pictures only, and pages that can't be opened, are reported by number.
"""

from __future__ import annotations

import ctypes
import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass

import pypdfium2
import pypdfium2.raw as pdfium

from indexer.read.clean import clean, join_surrogates, one_line
from indexer.read.limits import Source
from indexer.read.ranges import ranges
from labse_search.errors import Unreadable
from labse_search.records import Extraction, Note, Unit

_RTL = re.compile("[\u0590-\u08ff\ufb1d-\ufdff\ufe70-\ufefc]")
_RTL_SHARE = 0.2  # of a page's characters; below, PDFium's own order is the better one
_PAGES = 20_000  # a page tree can claim more pages than could ever be read
_UNMAPPED = re.compile("[\x00\ufffd\ue000-\uf8ff]")  # glyphs without a meaning: a font without a Unicode table
# A word that was broken at the end of a line. PDFium writes U+FFFE or U+0002 for a hyphen it takes for a break.
_BROKEN_WORD = re.compile("(\\w+)([\ufffe\x02\u00ad\u2010-])[ \t]*\r?\n[ \t]*(\\w+)")
_SOFT = "\ufffe\x02\u00ad"


def read_pdf(source: Source) -> Extraction:
    try:
        document = pypdfium2.PdfDocument(source.content)
    except pypdfium2.PdfiumError as error:
        encrypted = "password" in str(error).lower() or "security" in str(error).lower()
        raise Unreadable("encrypted" if encrypted else "damaged", str(error)) from None
    try:
        return _read_pages(document)
    finally:
        document.close()


def _read_pages(document: pypdfium2.PdfDocument) -> Extraction:
    count = len(document)
    if count > _PAGES:
        raise Unreadable("too_large", f"{count} pages")
    pages: dict[int, str] = {}
    damaged, without_text = [], []
    for number in range(1, count + 1):
        try:
            text = _page_text(document, number - 1)
        except pypdfium2.PdfiumError:
            damaged.append(number)
            continue
        if text.strip():
            pages[number] = text
        else:
            without_text.append(number)
    if not pages:
        raise Unreadable("damaged" if damaged or not count else "no_text_layer", f"{count} pages")
    unmapped = {number: len(_UNMAPPED.findall(text)) for number, text in pages.items()}
    joined = hyphen_joiner(pages.values())
    units = tuple(Unit(clean(joined(text)).strip(), {"page": number, "pages": count}) for number, text in pages.items())
    notes = []
    if damaged:
        notes.append(Note("pages_damaged", ranges(damaged)))
    if without_text:
        notes.append(Note("pages_without_text", ranges(without_text)))
    if sum(unmapped.values()):
        where = ranges([number for number, found in unmapped.items() if found])
        notes.append(Note("undecodable_characters", f"{sum(unmapped.values())} on pages {where}"))
    title = one_line(document.get_metadata_value("Title") or "")
    named_by_program = title.lower().endswith((".doc", ".docx", ".dvi", ".tex", ".indd")) or title == "untitled"
    return Extraction(units, "pdf", None if named_by_program else title or None, notes=tuple(notes))


def hyphen_joiner(texts: Iterable[str]) -> Callable[[str], str]:
    """A function that mends words broken at the end of a line.

    The hyphen stays where the same word stands with a hyphen elsewhere in these texts ("well-known"), and where the
    next line does not begin with a small letter (names, numbers).
    """
    hyphenated = {word.lower() for text in texts for word in re.findall(r"\w+-\w+", text)}

    def mend(match: re.Match[str]) -> str:
        before, hyphen, after = match.groups()
        if hyphen in _SOFT:
            return before + after
        if not after[0].islower() or not before[-1].isalpha() or f"{before}-{after}".lower() in hyphenated:
            return f"{before}-\n{after}" if not after[0].islower() else f"{before}-{after}"
        return before + after

    return lambda text: _BROKEN_WORD.sub(mend, text)


def _page_text(document: pypdfium2.PdfDocument, index: int) -> str:
    page = document[index]
    try:
        textpage = page.get_textpage()
        try:
            text: str = textpage.get_text_bounded(errors="replace")
            if len(_RTL.findall(text)) <= _RTL_SHARE * max(1, len(text)):
                return text
            return reading_order(_glyphs(textpage))
        finally:
            textpage.close()
    finally:
        page.close()


@dataclass(frozen=True, slots=True)
class Glyph:
    """One character and its place on the page, in points; y grows upwards."""

    text: str
    left: float
    right: float
    origin: float  # x at which it is drawn
    baseline: float  # y
    height: float
    index: int  # order in the file


def _glyphs(textpage: pypdfium2.PdfTextPage) -> list[Glyph]:
    box = pdfium.FS_RECTF()
    x, y = ctypes.c_double(), ctypes.c_double()
    found = []
    for index in range(textpage.count_chars()):
        character = chr(pdfium.FPDFText_GetUnicode(textpage, index))
        if character in "\r\n" or pdfium.FPDFText_IsGenerated(textpage, index) == 1:
            continue
        pdfium.FPDFText_GetLooseCharBox(textpage, index, box)
        pdfium.FPDFText_GetCharOrigin(textpage, index, x, y)
        found.append(Glyph(character, box.left, box.right, x.value, y.value, abs(box.top - box.bottom), index))
    return found


def reading_order(glyphs: list[Glyph]) -> str:
    """The text of a page whose main direction is right to left."""
    lines = [_line_text(line) for column in _columns(glyphs) for line in _lines(column)]
    return join_surrogates("\n".join(line for line in lines if line))


def _columns(glyphs: list[Glyph], depth: int = 0) -> list[list[Glyph]]:
    """Columns of running text, right one first: a gap from top to bottom with long lines on both its sides."""
    solid = [glyph for glyph in glyphs if not glyph.text.isspace()]
    if len(solid) < 200 or depth > 4:
        return [glyphs]
    size = sorted(glyph.height for glyph in solid)[len(solid) // 2]
    edge, gap_at, widest = None, 0.0, 1.2 * size
    for glyph in sorted(solid, key=lambda glyph: glyph.left):
        if edge is not None and glyph.left - edge > widest:
            gap_at, widest = (edge + glyph.left) / 2, glyph.left - edge
        edge = glyph.right if edge is None else max(edge, glyph.right)
    right = [glyph for glyph in glyphs if glyph.left >= gap_at]
    left = [glyph for glyph in glyphs if glyph.left < gap_at]
    for side in (left, right):
        lines = _lines(side)
        if len(lines) < 4 or len(side) / len(lines) < 15:  # a table's column, not running text
            return [glyphs]
    return [*_columns(right, depth + 1), *_columns(left, depth + 1)]


def _lines(glyphs: list[Glyph]) -> list[list[Glyph]]:
    """Glyphs of about the same baseline, from the top of the page down."""
    lines: list[list[Glyph]] = []
    for glyph in sorted(glyphs, key=lambda glyph: -glyph.baseline):
        if lines and lines[-1][0].baseline - glyph.baseline <= 3:  # points: raised vowel marks, small shifts
            lines[-1].append(glyph)
        else:
            lines.append([glyph])
    return lines


# Digits and Latin words run left to right inside a right-to-left line.
_DIGITS = "0-9\u0660-\u0669\u06f0-\u06f9"
_LATIN = "A-Za-z\u00c0-\u024f\u0370-\u052f"
_LTR_RUN = re.compile(f"[{_DIGITS}{_LATIN}](?:[{_DIGITS}{_LATIN}.,:/%@&+'\u066b\u066c_ -]*[{_DIGITS}{_LATIN}])?")


def _line_text(line: list[Glyph]) -> str:
    if not any(_RTL.match(glyph.text) for glyph in line):
        line.sort(key=lambda glyph: (glyph.origin, glyph.index))
        return _spaced(line, lambda before, glyph: glyph.left - before.right)
    line.sort(key=lambda glyph: (-glyph.origin, glyph.index))
    text = _spaced(line, lambda before, glyph: before.left - glyph.right)
    return _LTR_RUN.sub(lambda run: run[0][::-1], text)


def _spaced(line: list[Glyph], gap: Callable[[Glyph, Glyph], float]) -> str:
    """The line's characters, with a space where the glyphs leave more than a hair between them."""
    text, before = "", None
    for glyph in line:
        if before is not None and gap(before, glyph) > 1.2 and not glyph.text.isspace() and not text.endswith(" "):
            text += " "
        text += glyph.text
        before = glyph
    return re.sub(r"[ \u00a0]+", " ", text).strip()
