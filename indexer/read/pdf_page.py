"""One page of a PDF: its text, what stands on it beside the text, and what it draws that gives no text."""

from __future__ import annotations

import ctypes
import math
import re
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass, field

import pypdfium2
import pypdfium2.raw as pdfium

from indexer.read.pdf_order import (
    RTL,
    Glyph,
    is_painted_row_by_row,
    is_table,
    is_vertical,
    phrases_in_order,
    reading_order,
    rows_text,
    vertical_order,
)

_RTL_SHARE = 0.2  # of a page's characters; below, PDFium's own order is the better one
_RECTS = 640  # stretches of text that are looked at to see whether a page may have columns or a table
_OBJECTS = 3000  # of a page that are looked at for pictures
_CJK = re.compile("[\u3040-\u30ff\u4e00-\u9fff]")
_JOINED = re.compile("[\ufb00-\ufb06\ufb50-\ufdff\ufe70-\ufefc]+")  # ligatures and the shapes of Arabic letters
_SILENT = frozenset((pdfium.FPDF_ANNOT_LINK, pdfium.FPDF_ANNOT_POPUP))
_BUTTONS = frozenset((pdfium.FPDF_FORMFIELD_CHECKBOX, pdfium.FPDF_FORMFIELD_RADIOBUTTON))


@dataclass
class PageText:
    """What was found on one page."""

    text: str = ""
    fields: list[str] = field(default_factory=list)  # "name: value" of a form
    remarks: list[str] = field(default_factory=list)  # of annotations
    attached: list[tuple[str, bytes]] = field(default_factory=list)  # name and content of files pinned to the page
    outside: int = 0  # characters beyond the edge of the page
    pictures: int = 0
    covered: float = 0.0  # share of the page that its largest picture covers


def read_page(document: pypdfium2.PdfDocument, index: int) -> PageText:
    """PdfiumError if the page can't be opened."""
    page = document[index]
    try:
        textpage = page.get_textpage()
        try:
            found = PageText()
            found.text = _text(textpage)
            count = textpage.count_chars()
            if count > len(found.text) + 8:
                found.outside = _outside(textpage, page)
        finally:
            textpage.close()
        _annotations(document, page, found)
        _pictures(page, found)
        return found
    finally:
        page.close()


def _text(textpage: pypdfium2.PdfTextPage) -> str:
    text: str = textpage.get_text_bounded(errors="replace")
    rtl = len(RTL.findall(text))
    if rtl > _RTL_SHARE * max(1, len(text)):
        text = reading_order(_glyphs(textpage))
    elif rtl:
        text = phrases_in_order(text, _glyphs(textpage))
    elif _CJK.search(text) and is_vertical(_glyphs(textpage, 80)):
        text = vertical_order(_glyphs(textpage))
    elif _has_gaps(textpage):
        text = _sorted(text, _glyphs(textpage))
    return _JOINED.sub(lambda match: unicodedata.normalize("NFKC", match[0]), text)


def _sorted(text: str, glyphs: list[Glyph]) -> str:
    if is_painted_row_by_row(glyphs):
        return reading_order(glyphs, rtl=False)
    if is_table(glyphs):
        return rows_text(glyphs)
    return text


def _has_gaps(textpage: pypdfium2.PdfTextPage) -> bool:
    """Whether stretches of text stand side by side with a gap between them, in more than two lines: a cheap look."""
    count = textpage.count_rects()
    if count < 4:
        return False
    left, top, right, bottom = (ctypes.c_double() for _ in range(4))
    found: list[tuple[float, float, float]] = []
    for index in range(min(count, _RECTS)):
        pdfium.FPDFText_GetRect(textpage, index, left, top, right, bottom)
        found.append(((top.value + bottom.value) / 2, left.value, right.value))
    found.sort(reverse=True)
    gaps, begin = 0, 0
    for at in range(1, len(found) + 1):
        if at == len(found) or found[at - 1][0] - found[at][0] > 3:
            gaps += _has_gap(sorted((left, right) for _, left, right in found[begin:at]))
            begin = at
    return gaps > 2


def _has_gap(spans: list[tuple[float, float]]) -> bool:
    edge = spans[0][1]
    for begin, end in spans[1:]:
        if begin - edge > 12:  # points, more than a space of any text
            return True
        edge = max(edge, end)
    return False


def _glyphs(textpage: pypdfium2.PdfTextPage, most: int = 1 << 30) -> list[Glyph]:
    box = pdfium.FS_RECTF()
    x, y = ctypes.c_double(), ctypes.c_double()
    matrix = pdfium.FS_MATRIX()
    found = []
    for index in range(min(most, textpage.count_chars())):
        character = chr(pdfium.FPDFText_GetUnicode(textpage, index))
        if character in "\r\n" or pdfium.FPDFText_IsGenerated(textpage, index) == 1:
            continue
        pdfium.FPDFText_GetLooseCharBox(textpage, index, box)
        pdfium.FPDFText_GetCharOrigin(textpage, index, x, y)
        pdfium.FPDFText_GetMatrix(textpage, index, matrix)
        size = pdfium.FPDFText_GetFontSize(textpage, index) * math.hypot(matrix.c, matrix.d)
        found.append(Glyph(character, box.left, box.right, x.value, y.value, size, index))
    return found


def _outside(textpage: pypdfium2.PdfTextPage, page: pypdfium2.PdfPage) -> int:
    """Letters that lie beyond the page's edges."""
    left, bottom, right, top = page.get_bbox()
    return sum(
        1
        for glyph in _glyphs(textpage)
        if not glyph.text.isspace()
        and not (left - 1 <= glyph.origin <= right + 1 and bottom - 1 <= glyph.baseline <= top + 1)
    )


def _annotations(document: pypdfium2.PdfDocument, page: pypdfium2.PdfPage, found: PageText) -> None:
    for index in range(min(pdfium.FPDFPage_GetAnnotCount(page), 5000)):
        annotation = pdfium.FPDFPage_GetAnnot(page, index)
        if not annotation:
            continue
        kind = pdfium.FPDFAnnot_GetSubtype(annotation)
        if kind == pdfium.FPDF_ANNOT_WIDGET:
            found.fields += _field(document, annotation)
        elif kind not in _SILENT:
            text = _string(pdfium.FPDFAnnot_GetStringValue, annotation, b"Contents").strip()
            if text and text not in found.text:
                found.remarks.append(text)
            if kind == pdfium.FPDF_ANNOT_FILEATTACHMENT and (file := pdfium.FPDFAnnot_GetFileAttachment(annotation)):
                attached = pypdfium2.PdfAttachment(file, document)
                found.attached.append((attached.get_name(), bytes(attached.get_data())))
        pdfium.FPDFPage_CloseAnnot(annotation)


def _field(document: pypdfium2.PdfDocument, annotation: object) -> Iterator[str]:
    form = document.formenv
    if form is None:
        return
    kind = pdfium.FPDFAnnot_GetFormFieldType(form, annotation)
    name = _string(pdfium.FPDFAnnot_GetFormFieldAlternateName, form, annotation) or _string(
        pdfium.FPDFAnnot_GetFormFieldName, form, annotation
    )
    value = _string(pdfium.FPDFAnnot_GetFormFieldValue, form, annotation).strip()
    if kind in _BUTTONS:
        value = value if pdfium.FPDFAnnot_IsChecked(form, annotation) and value != "Off" else ""
        value = "✓" if value in ("Yes", "On", "1") else value
    if value and kind not in (pdfium.FPDF_FORMFIELD_PUSHBUTTON, pdfium.FPDF_FORMFIELD_SIGNATURE):
        yield f"{name}: {value}" if name else value


def form_packets(document: pypdfium2.PdfDocument) -> Iterator[tuple[str, bytes]]:
    """The words and values of a form of Adobe's own kind (XFA), whose pages say no more than "Please wait"."""
    for index in range(min(pdfium.FPDF_GetXFAPacketCount(document), 100)):
        length = pdfium.FPDF_GetXFAPacketName(document, index, None, 0)
        buffer = ctypes.create_string_buffer(max(1, length))
        pdfium.FPDF_GetXFAPacketName(document, index, buffer, length)
        name = buffer.value.decode("latin-1")
        if name not in ("template", "datasets"):
            continue
        size = ctypes.c_ulong()
        pdfium.FPDF_GetXFAPacketContent(document, index, None, 0, size)
        content = ctypes.create_string_buffer(max(1, size.value))
        if pdfium.FPDF_GetXFAPacketContent(document, index, content, size.value, size):
            yield f"form {name}.xml", content.raw[: size.value]


def _string(function: object, *arguments: object) -> str:
    length = function(*arguments, None, 0)  # type: ignore[operator]
    if not 2 < length < 1 << 22:
        return ""
    buffer = ctypes.create_string_buffer(length)
    function(*arguments, ctypes.cast(buffer, ctypes.POINTER(ctypes.c_ushort)), length)  # type: ignore[operator]
    return buffer.raw[:length].decode("utf-16-le", "replace").rstrip("\0")


def _pictures(page: pypdfium2.PdfPage, found: PageText) -> None:
    whole = max(1.0, page.get_width() * page.get_height())
    left, bottom, right, top = (ctypes.c_float() for _ in range(4))
    for index in range(min(pdfium.FPDFPage_CountObjects(page), _OBJECTS)):
        one = pdfium.FPDFPage_GetObject(page, index)
        if pdfium.FPDFPageObj_GetType(one) == pdfium.FPDF_PAGEOBJ_IMAGE:
            found.pictures += 1
            pdfium.FPDFPageObj_GetBounds(one, left, bottom, right, top)
            area = (right.value - left.value) * (top.value - bottom.value)
            found.covered = max(found.covered, min(1.0, area / whole))
