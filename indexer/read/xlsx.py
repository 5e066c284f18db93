"""XLSX straight from its XML: rows as they are shown, in memory for one sheet's filled cells only."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from indexer.read import numbers
from indexer.read.archive import Archive
from indexer.read.charts import drawing_units
from indexer.read.clean import clean, one_line
from indexer.read.limits import Source
from indexer.read.ranges import ranges
from indexer.read.rows import filled, row_units
from indexer.read.sheet_xml import SheetXml, unescaped
from indexer.read.xml import events
from labse_search.errors import Unreadable
from labse_search.records import Extraction, Note, Place, Unit


def read_xlsx(source: Source) -> Extraction:
    """Every sheet, hidden ones too; comments, text boxes and charts of a sheet after its rows."""
    archive = Archive(source)
    book = _Book(archive)
    units: list[Unit] = []
    notes: list[Note] = []
    for sheet in book.sheets:
        try:
            units += _sheet_units(book, sheet, notes)
        except Unreadable as error:
            notes.append(Note("member_skipped", f"{sheet.name}: {error.code}"))
    if not units and notes:
        raise Unreadable("damaged", notes[0].detail)
    holds = {"sheets": len(book.sheets), **({"comments": book.comments} if book.comments else {})}
    return Extraction(tuple(units), source.extension or "xlsx", book.title, notes=tuple(notes), holds=holds)


@dataclass(frozen=True)
class _Sheet:
    name: str
    path: str
    hidden: bool


class _Book:
    """What all sheets share: strings, formats, and where the sheets are."""

    def __init__(self, archive: Archive) -> None:
        self.archive = archive
        kinds = archive.relations("")
        main = next((path for kind, path in kinds.values() if kind == "officeDocument"), "xl/workbook.xml")
        relations = archive.relations(main)
        self.comments = 0
        self.title: str | None = None
        self.from_1904 = False
        self.sheets: list[_Sheet] = []
        for event in events(archive.read(main)):
            if event.kind != "start":
                continue
            if event.name == "x:workbookPr":
                self.from_1904 = event.attributes.get("date1904", "") in ("1", "true")
            elif event.name == "x:sheet" and event.attributes.get("r:id") in relations:
                path = relations[event.attributes["r:id"]][1]
                hidden = event.attributes.get("state", "visible") != "visible"
                self.sheets.append(_Sheet(one_line(event.attributes.get("name", "")), path, hidden))
        if not self.sheets:
            raise Unreadable("damaged", "no sheets")
        parts = {kind: path for kind, path in relations.values()}
        self.strings = list(_strings(archive, parts.get("sharedStrings", "xl/sharedStrings.xml")))
        self.formats = list(_formats(archive, parts.get("styles", "xl/styles.xml")))


def _strings(archive: Archive, path: str) -> Iterator[str]:
    """Shared strings; the readings above Japanese words are left out."""
    if path not in archive:
        return
    text: list[str] = []
    run = spoken = 0
    for kind, name, _ in events(archive.read(path)):
        if kind == "text":
            if run and not spoken:
                text.append(name)
        elif name == "x:t":
            run += 1 if kind == "start" else -1
        elif name == "x:rPh":
            spoken += 1 if kind == "start" else -1
        elif name == "x:si" and kind == "end":
            yield unescaped("".join(text))
            text = []


def _formats(archive: Archive, path: str) -> Iterator[numbers.Format]:
    """The number format of each cell style."""
    if path not in archive:
        return
    codes: dict[str, str] = {}
    inside = False
    for kind, name, attributes in events(archive.read(path)):
        if kind == "start" and name == "x:numFmt":
            codes[attributes.get("numFmtId", "")] = attributes.get("formatCode", "")
        elif name == "x:cellXfs":
            inside = kind == "start"
        elif inside and kind == "start" and name == "x:xf":
            number = attributes.get("numFmtId", "0")
            known = codes.get(number)
            yield (
                numbers.parse(known) if known is not None else numbers.built_in(int(number) if number.isdigit() else 0)
            )


def _sheet_units(book: _Book, sheet: _Sheet, notes: list[Note]) -> Iterator[Unit]:
    place: dict[str, str | int] = {"sheet": sheet.name, **({"part": "hidden"} if sheet.hidden else {})}
    reader = SheetXml(book.strings, book.formats, from_1904=book.from_1904)
    content = book.archive.read(sheet.path) if sheet.path in book.archive else b""
    if content:
        rows = filled(list(reader.rows(content)), reader.merged)
        yield from row_units(rows, place)
    if reader.without_value:
        shown = ", ".join(reader.without_value[:10])
        notes.append(Note("formulas_without_value", f"{sheet.name}: {len(reader.without_value)} ({shown})"))
    if reader.hidden_columns:
        notes.append(Note("hidden_columns", f"{sheet.name}: {ranges(sorted(reader.hidden_columns))}"))
    yield from _remarks(book, sheet, place)


def _remarks(book: _Book, sheet: _Sheet, place: Place) -> Iterator[Unit]:
    """Comments, boxes drawn over the cells, charts."""
    archive = book.archive
    threaded = {path for kind, path in archive.relations(sheet.path).values() if kind == "threadedComment"}
    for kind, path in sorted(archive.relations(sheet.path).values()):
        if path not in archive:
            continue
        if kind == "threadedComment" or (kind == "comments" and not threaded):
            for reference, text in _comments(archive.read(path)):
                book.comments += 1
                row = re.sub(r"\D", "", reference)
                where: dict[str, str | int] = {**place, **({"row": int(row)} if row else {}), "part": "comment"}
                yield Unit(text, where)
        elif kind == "drawing":
            yield from drawing_units(archive, path, place)


def _comments(content: bytes) -> Iterator[tuple[str, str]]:
    reference, text, run = "", "", False
    for kind, name, attributes in events(content):
        if kind == "text":
            text += name if run else ""
        elif name in ("x:t", "text"):
            run = kind == "start"
        elif kind == "start" and name in ("x:comment", "threadedComment"):
            reference, text = attributes.get("ref", ""), ""
        elif kind == "end" and name in ("x:comment", "threadedComment") and text.strip():
            yield reference, clean(text).strip()
