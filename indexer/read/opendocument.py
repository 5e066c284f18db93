"""ODT in, sections out; ODP in, slides out; ODS in, rows out. Each in a ZIP, or flat in one XML file."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace

from indexer.read.archive import Archive
from indexer.read.charset import decode
from indexer.read.clean import clean, one_line
from indexer.read.drawing import TableRow
from indexer.read.limits import Source
from indexer.read.sections import Sections
from indexer.read.xml import Event, events
from labse_search.errors import Unreadable
from labse_search.records import Extraction, Note, Unit

_UNSEEN = frozenset(
    "text:tracked-changes text:note-citation text:sequence-decls text:ruby-text office:forms office:binary-data "
    "office:styles office:automatic-styles office:master-styles office:meta office:settings office:scripts".split()
)
# What people write for a picture, in SVG's namespace, stands in the middle of the sentence that the picture stands in.
_DESCRIPTIONS = frozenset(("title", "desc"))
_PARAGRAPHS = frozenset(("text:p", "text:h", *_DESCRIPTIONS))
# What stands in the middle of a paragraph but belongs beside it.
_ASIDES = {"text:note": "note", "office:annotation": "comment"}
_COLUMNS = 200  # the most that one empty cell may stand for
_SPACES = 1000  # the most that one <text:s/> may stand for


class Story:
    """Follows the events of a document, and keeps paragraphs, rows of tables, and asides apart."""

    def __init__(self) -> None:
        self.sections = Sections()
        self.slides: list[tuple[list[str], list[str]]] = []  # texts and notes of each
        self._paragraphs: list[list[str]] = []  # open ones, the innermost last
        self._levels: list[int | None] = []
        self._cells: list[list[str]] = []
        self._asides: list[str] = []
        self._spanning: dict[int, tuple[str, int]] = {}  # column → text of a merged cell, rows that it still covers
        self._opened: tuple[int, int] | None = None
        self._first_row = self._header_rows = False
        self._in_notes = self._unseen = self._in_chart = 0
        self.aside_units: list[Unit] = []
        self.objects: list[str] = []  # paths of what is embedded
        self.is_chart = False  # some of it

    def follow(self, event: Event) -> None:
        """Take the next event of the stream."""
        if event.kind == "text":
            self._text(event.name)
        elif event.kind == "start":
            self._start(event.name, event.attributes)
        else:
            self._end(event.name)

    def _is_unseen(self, name: str) -> bool:
        """A chart has descriptions too: for programs, of the cells that its numbers come from."""
        return name in _UNSEEN or bool(self._in_chart and name in _DESCRIPTIONS)

    def _start(self, name: str, attributes: dict[str, str]) -> None:
        if self._is_unseen(name):
            self._unseen += 1
        elif name in _PARAGRAPHS:
            self._paragraphs.append([])
            level = attributes.get("text:outline-level") or attributes.get("text:level", "1")  # OpenOffice 1
            self._levels.append(int(level) if name == "text:h" and level.isdigit() else None)
        elif name in _ASIDES:
            self._asides.append(_ASIDES[name])
            self._paragraphs.append([])  # for its author, date and initials, which are no words of the sentence around
        elif name == "office:chart":
            self._in_chart += 1
            self.is_chart = True
        elif name == "draw:object":
            self.objects.append(attributes.get("href", "").removeprefix("./").rstrip("/"))
        elif name == "draw:page":
            self.slides.append(([], []))
        elif name == "presentation:notes":
            self._in_notes += 1
        elif name in ("table:table", "table:table-header-rows"):
            self._first_row = True
            self._header_rows = name == "table:table-header-rows"
        elif name == "table:table-row":
            self._cells.append([])
        elif name in ("table:table-cell", "table:covered-table-cell") and self._cells:
            self._cells[-1] += [""] * min(_COLUMNS, _count(attributes.get("table:number-columns-repeated")))
            self._span(name, attributes)
        elif self._paragraphs:
            self._space(name, attributes)

    def _space(self, name: str, attributes: dict[str, str]) -> None:
        if name in ("text:tab", "text:line-break"):
            self._paragraphs[-1].append("\t" if name == "text:tab" else "\n")
        elif name == "text:s":
            count = attributes.get("text:c", "1")
            self._paragraphs[-1].append(" " * min(_SPACES, int(count) if count.isdigit() else 1))

    def _span(self, name: str, attributes: dict[str, str]) -> None:
        """A cell that is merged over several rows says its text in each of them."""
        column = len(self._cells[-1]) - 1
        if name == "table:covered-table-cell" and self._spanning.get(column, ("", 0))[1] > 0:
            text, rows = self._spanning[column]
            self._cells[-1][-1] = text
            self._spanning[column] = (text, rows - 1)
        rows = _count(attributes.get("table:number-rows-spanned"))
        self._opened = (column, rows) if rows > 1 else None

    def _text(self, data: str) -> None:
        if self._paragraphs and not self._unseen:
            self._paragraphs[-1].append(data)

    def _end(self, name: str) -> None:
        if self._is_unseen(name):
            self._unseen -= 1
        elif name in _PARAGRAPHS:
            self._place("".join(self._paragraphs.pop()), self._levels.pop())
        elif name in _ASIDES:
            self._asides.pop()
            self._paragraphs.pop()
        elif name == "office:chart":
            self._in_chart -= 1
        elif name == "presentation:notes":
            self._in_notes -= 1
        elif name == "table:table-cell" and self._opened and self._cells:
            column, rows = self._opened
            self._spanning[column] = (self._cells[-1][-1], rows - 1)
            self._opened = None
        elif name == "table:table-header-rows":
            self._header_rows = False
        elif name == "table:table-row" and self._cells:
            row = TableRow(self._cells.pop(), self._header_rows)
            names = row.is_header or (self._first_row and row.names_columns)
            self._first_row = False
            self._place(row.text, None, names=names)

    def _place(self, text: str, level: int | None, *, names: bool = False) -> None:
        text = text.strip()
        if not text or self._unseen:
            return
        if self._asides:
            self.aside_units.append(Unit(clean(text), {"part": self._asides[-1]}))
        elif self._cells and self._cells[-1]:
            self._cells[-1][-1] += ("\n" if self._cells[-1][-1] else "") + text
        elif self.slides:
            self.slides[-1][1 if self._in_notes else 0].append(text)
        elif names:
            self.sections.columns(text)
        elif level is not None:
            self.sections.heading(level, text)
        else:
            self.sections.paragraph(text)


def read_opendocument(source: Source) -> Extraction:
    """Text documents by section, presentations by slide, spreadsheets by row; headers and footers come last, once."""
    archive = Archive(source)
    if "META-INF/manifest.xml" in archive and b"encryption-data" in archive.read("META-INF/manifest.xml"):
        raise Unreadable("encrypted", "the manifest says so")
    content = archive.read("content.xml")
    objects, notes = _objects(archive)
    if _is_spreadsheet(content):
        from indexer.read.ods import read_sheets

        sheets = read_sheets(content, source.extension or "ods", _title(archive), objects)
        return replace(sheets, notes=(*sheets.notes, *notes))
    story = _follow(content)
    units = [*_story_units(story), *_headers_and_footers(archive)]
    units += [Unit(unit.text, {"part": "object"}) for one in objects.values() for unit in one.sections.units()]
    images = len(archive.names(r"Pictures/.*"))
    kind = "odp" if story.slides else "odt"
    holds = {"slides": len(story.slides), "images": images, "objects": len(objects)}
    title = _title(archive) or story.sections.first_heading
    holds = {what: count for what, count in holds.items() if count}
    return Extraction(tuple(units), kind, title, notes=tuple(notes), holds=holds)


def read_flat(source: Source) -> Extraction:
    """The same in one XML file."""
    content = decode(source.content).text.encode()
    content = re.sub(rb"(<\?xml[^>]*?)\s+encoding=(\"[^\"]*\"|'[^']*')", rb"\1", content[:200]) + content[200:]
    if _is_spreadsheet(content):
        from indexer.read.ods import read_sheets

        return read_sheets(content, "fods", None, {})
    story = _follow(content)
    return Extraction(tuple(_story_units(story)), "fodp" if story.slides else "fodt", story.sections.first_heading)


def _is_spreadsheet(content: bytes) -> bool:
    """By what it begins with: a flat text may hold a sheet."""
    body = re.search(rb"<office:(text|spreadsheet|presentation|drawing|chart)[\s/>]", content)
    return body is not None and body[1] == b"spreadsheet"


def _objects(archive: Archive) -> tuple[dict[str, Story], list[Note]]:
    """Charts and tables that are embedded, by the folder that each lies in, and what cannot be read of them."""
    found: dict[str, Story] = {}
    notes = []
    for name in archive.names(r".+/content\.xml"):
        try:
            found[name.removesuffix("/content.xml")] = _follow(archive.read(name))
        except Unreadable as error:
            notes.append(Note("member_skipped", f"{name}: {error.code}"))
    return found, notes


def _story_units(story: Story) -> Iterator[Unit]:
    yield from story.sections.units()
    for number, (texts, remarks) in enumerate(story.slides, 1):
        place: dict[str, str | int] = {"slide": number, "slides": len(story.slides)}
        if texts:
            yield Unit(clean("\n\n".join(texts)), place)
        if remarks:
            yield Unit(clean("\n\n".join(remarks)), {**place, "part": "notes"})
    yield from story.aside_units


def _count(text: str | None) -> int:
    return int(text) if text and text.isdigit() and len(text) < 8 else 1


def _follow(content: bytes) -> Story:
    story = Story()
    for event in events(content):
        story.follow(event)
    return story


def _headers_and_footers(archive: Archive) -> list[Unit]:
    if "styles.xml" not in archive:
        return []
    found: dict[str, str] = {}  # text → part; the pages' styles repeat each other
    part, text = "", ""
    for kind, name, _ in events(archive.read("styles.xml")):
        if kind == "text":
            text += name if part else ""
        elif name.startswith(("style:header", "style:footer")) and not name.endswith(("-style", "properties")):
            if kind == "end" and part and text.strip():
                found.setdefault(clean(text).strip(), part)
            part, text = ("header" if "header" in name else "footer") if kind == "start" else "", ""
        elif part and name in _PARAGRAPHS:
            text = text.rstrip("\n") + "\n"
    return [Unit(text, {"part": part}) for text, part in found.items()]


def _title(archive: Archive) -> str | None:
    if "meta.xml" not in archive:
        return None
    inside, title = False, ""
    for kind, name, _ in events(archive.read("meta.xml")):
        if kind != "text" and name == "dc:title":
            inside = kind == "start"
        elif inside and kind == "text":
            title += name
    return one_line(title) or None
