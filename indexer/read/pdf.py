"""PDF in, one unit a page out, in the order a person reads.

PDFium finds the order of lines; where it is wrong (right-to-left pages) the page is put together again from the
places of its glyphs. Pages with pictures only, and pages that can't be opened, are reported by number.
"""

from __future__ import annotations

import ctypes
import math
import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from itertools import pairwise

import pypdfium2
import pypdfium2.raw as pdfium

from indexer.read.clean import clean, join_surrogates, one_line
from indexer.read.limits import Source
from indexer.read.ranges import ranges
from labse_search.errors import Unreadable
from labse_search.records import Extraction, Note, Unit

_RTL = re.compile("[\u0590-\u08ff\ufb1d-\ufdff\ufe70-\ufefc]")
_RTL_SHARE = 0.2  # of a page's characters; below, PDFium's own order is the better one
_WORD_GAP = 0.24  # em: spaces are 0.25 and more, the air between unjoined letters was up to 0.18
_NARROW = 0.19  # em: the least that was seen for a space, in Urdu
_HAIR = 0.08  # em: less than this is no gap
_NEAR = 0.8  # em: how far from its gap a space without a width was found
_PAGES = 20_000  # a page tree can claim more pages than could ever be read
_UNMAPPED = re.compile("[\x00\ufffd\ue000-\uf8ff]")  # glyphs without a meaning: a font without a Unicode table
# A word that was broken at the end of a line. Of most, PDFium leaves U+0002 (once U+FFFE) and takes the break away.
_BROKEN_WORD = re.compile("(\\w+)(?:[\ufffe\x02\u00ad](?:[ \t]*\r?\n[ \t]*)?|[\u2010-][ \t]*\r?\n[ \t]*)(\\w+)")


def read_pdf(source: Source) -> Extraction:
    try:
        document = pypdfium2.PdfDocument(source.content)
    except pypdfium2.PdfiumError as error:
        # PDFium's last error may be that of an earlier file: what is not encrypted needs no password.
        encrypted = re.search("password|security", str(error), re.I) and b"/Encrypt" in source.content
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
        before, after = match.groups()
        broken = after[0].islower() and before[-1].isalpha() and f"{before}-{after}".lower() not in hyphenated
        return before + after if broken else f"{before}-{after}"

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
    size: float  # of the font: one em
    index: int  # order in the file


def _glyphs(textpage: pypdfium2.PdfTextPage) -> list[Glyph]:
    box = pdfium.FS_RECTF()
    x, y = ctypes.c_double(), ctypes.c_double()
    matrix = pdfium.FS_MATRIX()
    found = []
    for index in range(textpage.count_chars()):
        character = chr(pdfium.FPDFText_GetUnicode(textpage, index))
        if character in "\r\n" or pdfium.FPDFText_IsGenerated(textpage, index) == 1:
            continue
        pdfium.FPDFText_GetLooseCharBox(textpage, index, box)
        pdfium.FPDFText_GetCharOrigin(textpage, index, x, y)
        pdfium.FPDFText_GetMatrix(textpage, index, matrix)
        size = pdfium.FPDFText_GetFontSize(textpage, index) * math.hypot(matrix.c, matrix.d)
        found.append(Glyph(character, box.left, box.right, x.value, y.value, size, index))
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
    em = sorted(glyph.size for glyph in solid)[len(solid) // 2]
    edge, gap_at, widest = None, 0.0, 1.5 * em
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
    if any(_RTL.match(glyph.text) for glyph in line):
        # Letters of one ligature have one origin: the first of them ends further right.
        line.sort(key=lambda glyph: (-round(glyph.origin, 1), -glyph.right, glyph.index))
        text = _spaced(line, lambda before, after: (after.right, before.left))
        return _right_brackets(_LTR_RUN.sub(lambda run: run[0][::-1], text))
    line.sort(key=lambda glyph: (glyph.origin, glyph.index))
    return _spaced(line, lambda before, after: (before.right, after.left))


def _spaced(line: list[Glyph], between: Callable[[Glyph, Glyph], tuple[float, float]]) -> str:
    """The line's characters, with spaces where words end: at space characters, and in gaps as wide as a space.

    Programs that join letters write spaces without a width, somewhere beside their gap: each goes into the gap that
    is nearest.
    """
    em = max(glyph.size for glyph in line) or 1.0
    solid = [glyph for glyph in line if not _is_thin_space(glyph, em)]
    gaps = [between(before, after) for before, after in pairwise(solid)]
    spaces = {n for n, (left, right) in enumerate(gaps) if right - left > _WORD_GAP * em}
    for glyph in line:
        if _is_thin_space(glyph, em):
            spaces |= _nearest_gap(glyph.origin, gaps, em)
    text = "".join(glyph.text + (" " if n in spaces else "") for n, glyph in enumerate(solid))
    return re.sub(r"[ \u00a0]+", " ", text).strip()


def _nearest_gap(x: float, gaps: list[tuple[float, float]], em: float) -> set[int]:
    """The gap that a space without a width belongs to: one as wide as a space if there is one near, else any."""
    near = [
        (right - left < _NARROW * em, distance, n)
        for n, (left, right) in enumerate(gaps)
        if right - left > _HAIR * em and (distance := max(left - x, x - right, 0)) < _NEAR * em
    ]
    return {min(near)[2]} if near else set()


def _is_thin_space(glyph: Glyph, em: float) -> bool:
    return glyph.text.isspace() and glyph.right - glyph.left <= 0.05 * em


_OPENING, _CLOSING = "([{«", ")]}»"
_MIRRORED = str.maketrans(_OPENING + _CLOSING, _CLOSING + _OPENING)
_LOOSE_SPACE = re.compile(r"(?<=[(\[{«]) | (?=[)\]}»])")


def _right_brackets(text: str) -> str:
    """Some fonts give the bracket that is painted, not the one that is meant: ")so("."""
    brackets = [character for character in text if character in _OPENING + _CLOSING]
    if brackets and brackets[0] in _CLOSING and brackets[-1] in _OPENING:
        text = text.translate(_MIRRORED)
    return _LOOSE_SPACE.sub("", text)
