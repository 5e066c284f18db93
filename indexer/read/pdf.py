"""PDF in, one unit a page out, in the order a person reads; forms, annotations and attached files beside them.

PDFium finds the order of lines; where it is wrong the page is put together again from the places of its glyphs
(`pdf_order`). Pages with pictures only, and pages that can't be opened, are reported by number.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterable

import pypdfium2

from indexer.read.clean import clean, one_line
from indexer.read.limits import Source
from indexer.read.nesting import Inside
from indexer.read.ocr import Recognizer
from indexer.read.pdf_page import PageText, form_packets, read_page
from indexer.read.pdf_running import without_running_lines
from indexer.read.ranges import ranges
from labse_search.errors import Unreadable
from labse_search.records import Extraction, Note, Unit

_PAGES = 20_000  # a page tree can claim more pages than could ever be read
_COVERED = 0.5  # share of a page with text that a picture covers for it to be named: a scan with a stamp over it
_CATALOG = re.compile(rb"(\d{1,8}) 0 obj\s*<<[^<>]{0,200}/Type\s*/Catalog")
_UNMAPPED = re.compile("[\x00\ufffd\ue000-\uf8ff]")  # glyphs without a meaning: a font without a Unicode table
# A word that was broken at the end of a line. Of most, PDFium leaves U+0002 (once U+FFFE) and takes the break away.
_BROKEN_WORD = re.compile("(\\w+)(?:[\ufffe\x02\u00ad](?:[ \t]*\r?\n[ \t]*)?|[\u2010-][ \t]*\r?\n[ \t]*)(\\w+)")


def read_pdf(source: Source) -> Extraction:
    """A unit for each page, forms and remarks included; Unreadable where it is encrypted or broken."""
    content = source.content
    begin = content.find(b"%PDF-", 0, 1 << 16)
    document = _opened(content[begin:] if begin > 0 else content)  # PDFium looks for it in the first 1,024 bytes only
    try:
        if document.get_formtype():
            document.init_forms()
        return _read(document, source)
    finally:
        document.close()


def _opened(content: bytes) -> pypdfium2.PdfDocument:
    """The document; one whose end is missing, if it can be found where it begins."""
    try:
        return pypdfium2.PdfDocument(content)
    except pypdfium2.PdfiumError as error:
        # PDFium's last error may be that of an earlier file: what is not encrypted needs no password.
        if re.search("password|security", str(error), re.I) and b"/Encrypt" in content:
            raise Unreadable("encrypted", str(error)) from None
        root = _CATALOG.search(content)
        reason = str(error)
    if root is not None and b"/Encrypt" not in content:
        try:
            end = b"\nendobj\ntrailer\n<< /Root " + root[1] + b" 0 R >>\nstartxref\n0\n%%EOF\n"
            return pypdfium2.PdfDocument(content + end)
        except pypdfium2.PdfiumError as error:
            reason = str(error)
    raise Unreadable("damaged", reason)


def _read(document: pypdfium2.PdfDocument, source: Source) -> Extraction:
    count = len(document)
    if count > _PAGES:
        raise Unreadable("too_large", f"{count} pages")
    pages: dict[int, PageText] = {}
    damaged = []
    for number in range(1, count + 1):
        try:
            pages[number] = read_page(document, number - 1)
        except pypdfium2.PdfiumError:
            damaged.append(number)
    inside = _attachments(document, source)
    for name, content in form_packets(document):
        inside.add(name, content, "text/xml")
    for number, page in pages.items():
        for name, content in page.attached:
            inside.add(one_line(name) or f"attachment {inside.count + 1}", content, place={"page": number})
    recognized, notes = _recognized(document, pages, source)
    texts = {number: page.text for number, page in pages.items() if page.text.strip()}
    units = [*_page_units(texts, count), *recognized, *_beside(pages, count)]
    units.sort(key=lambda unit: int(unit.place["page"]))
    if not units and not inside.units:
        raise Unreadable("damaged" if damaged or not count else "no_text_layer", f"{count} pages")
    notes += [Note("pages_damaged", ranges(damaged))] if damaged else []
    read = {int(unit.place["page"]) for unit in units if unit.place.get("part") in (None, "ocr")}
    notes += _losses(pages, read)
    return Extraction(
        (*units, *inside.units),
        "pdf",
        _title(document),
        notes=(*notes, *inside.notes),
        holds=_holds(pages, count, inside),
    )


def _page_units(texts: dict[int, str], count: int) -> list[Unit]:
    """A unit for each page; lines that stand at the top or bottom of many pages once, as "header" or "footer"."""
    joined = hyphen_joiner(texts.values())
    cleaned = {number: clean(joined(text)).strip() for number, text in texts.items()}
    bodies, running = without_running_lines(cleaned)
    units = [Unit(text, {"page": number, "pages": count}) for number, text in bodies.items() if text]
    return units + [Unit(line.text, {"page": line.page, "pages": count, "part": line.part}) for line in running]


def _beside(pages: dict[int, PageText], count: int) -> list[Unit]:
    """What was filled in, and what was remarked on the page."""
    units = []
    for number, page in pages.items():
        place: dict[str, str | int] = {"page": number, "pages": count}
        for lines, part in ((page.fields, "form"), (page.remarks, "annotation")):
            text = clean("\n".join(dict.fromkeys(lines)) if part == "form" else "\n\n".join(lines)).strip()
            units += [Unit(text, {**place, "part": part})] if text else []
    return units


def _recognized(
    document: pypdfium2.PdfDocument, pages: dict[int, PageText], source: Source
) -> tuple[list[Unit], list[Note]]:
    """The text in the pictures of pages without text, where recognition is switched on."""
    waiting = [number for number, page in pages.items() if not page.text.strip() and page.pictures]
    recognizer = Recognizer.of(source.account.limits.ocr, " ".join(page.text for page in pages.values())[:20_000])
    if recognizer is None or not waiting:
        return [], []
    units, sure = [], []
    for number in waiting:
        page = recognizer.page(document, number - 1)
        if page is not None and page.text:
            units.append(Unit(page.text, {"page": number, "pages": len(document), "part": "ocr"}))
            sure.append((number, page.confidence))
    if not sure:
        return [], []
    mean = sum(confidence for _, confidence in sure) / len(sure)
    told = f"pages {ranges([n for n, _ in sure])} ({recognizer.languages}, confidence {mean:.0f} of 100)"
    return units, [Note("ocr", told)]


def _losses(pages: dict[int, PageText], read: set[int]) -> list[Note]:
    """What the pages draw and no text yields."""
    notes = []
    mute = [number for number in pages if number not in read]
    if mute:
        notes.append(Note("pages_without_text", ranges(mute)))
    pictured = [n for n, page in pages.items() if page.text.strip() and page.covered > _COVERED]
    if pictured:
        notes.append(Note("pictures_on_pages", ranges(pictured)))
    unmapped = {number: len(_UNMAPPED.findall(page.text)) for number, page in pages.items()}
    if sum(unmapped.values()):
        where = ranges([number for number, found in unmapped.items() if found])
        notes.append(Note("undecodable_characters", f"{sum(unmapped.values())} on pages {where}"))
    outside = [number for number, page in pages.items() if page.outside]
    if outside:
        total = sum(page.outside for page in pages.values())
        notes.append(Note("text_outside_page", f"{total} characters on pages {ranges(outside)}"))
    return notes


def _attachments(document: pypdfium2.PdfDocument, source: Source) -> Inside:
    inside = Inside(source)
    for index in range(document.count_attachments()):
        try:
            attached = document.get_attachment(index)
            inside.add(one_line(attached.get_name()) or f"attachment {index + 1}", bytes(attached.get_data()))
        except pypdfium2.PdfiumError:
            inside.leave_out(f"attachment {index + 1}", "damaged")
    return inside


def _holds(pages: dict[int, PageText], count: int, inside: Inside) -> dict[str, int]:
    holds = Counter(pages=count, images=sum(page.pictures for page in pages.values()))
    holds["form fields"] = sum(len(page.fields) for page in pages.values())
    holds["annotations"] = sum(len(page.remarks) for page in pages.values())
    holds["attachments"] = inside.count
    holds.update(inside.holds)
    return {what: number for what, number in holds.items() if number}


def _title(document: pypdfium2.PdfDocument) -> str | None:
    title = one_line(document.get_metadata_value("Title") or "")
    named_by_program = title.lower().endswith((".doc", ".docx", ".dvi", ".tex", ".indd")) or title == "untitled"
    return None if named_by_program else title or None


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
