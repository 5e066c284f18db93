"""DOCX in, sections out, straight from its XML."""

from __future__ import annotations

import re
from collections.abc import Iterator

from indexer.read.archive import Archive
from indexer.read.charts import object_texts
from indexer.read.clean import clean, one_line
from indexer.read.drawing import Mark, TableRow, paragraphs
from indexer.read.limits import Source
from indexer.read.nesting import Inside
from indexer.read.sections import Sections
from indexer.read.xml import Event, events
from labse_search.errors import Unreadable
from labse_search.records import Extraction, Note, Unit

_PART_ORDER = {"footnotes": 0, "endnotes": 1, "comments": 2, "header": 3, "footer": 4}


def read_docx(source: Source) -> Extraction:
    """Foot- and endnotes, comments, headers and footers, and embedded files come after the text."""
    archive = Archive(source)
    kinds = archive.relations("")
    main = next((path for kind, path in kinds.values() if kind == "officeDocument"), "word/document.xml")
    body = _Body(archive, main, Inside(source))
    body.follow()
    units, notes = [*body.sections.units(), *body.hidden], list(body.inside.notes)
    parts = sorted(set(archive.relations(main).values()), key=lambda part: (_PART_ORDER.get(part[0], 9), part[1]))
    seen: set[str] = set()
    for kind, path in parts:
        if kind not in _PART_ORDER or path not in archive:
            continue
        try:
            units += _part_units(kind, archive.read(path), seen, body.notes)
        except Unreadable as error:
            notes.append(Note("member_skipped", f"{path}: {error.code}"))
    comments = sum(1 for unit in units if str(unit.place.get("part", "")).startswith("comment"))
    images = len(archive.names(r"word/media/.*"))
    holds = {"comments": comments, "images": images, "embedded files": body.embedded, **body.inside.holds}
    return Extraction(
        (*units, *body.inside.units),
        "docx",
        core_title(archive) or body.sections.first_heading,
        notes=tuple(notes),
        holds={what: count for what, count in holds.items() if count},
    )


class _Body:
    """The main text, with what is embedded in it at its place."""

    def __init__(self, archive: Archive, main: str, inside: Inside) -> None:
        self._archive = archive
        self._content = archive.read(main)
        self._relations = archive.relations(main)
        self._levels = _heading_levels(archive, self._relations)
        self._in_table = False
        self.inside = inside
        self.sections = Sections()
        self.hidden: list[Unit] = []
        self.notes: dict[str, dict[str, int]] = {"footnote": {}, "endnote": {}}  # of each: id → number that is shown
        self.embedded = 0

    def follow(self) -> None:
        for found in paragraphs(self._content):
            if isinstance(found, TableRow):
                self._row(found)
                continue
            if isinstance(found, Mark):
                self._mark(found)
                continue
            self._in_table = False
            level = self._levels.get(found.style) if found.level is None else found.level
            if found.hidden:
                self.hidden.append(Unit(clean(found.text).strip(), {"part": "hidden"}))
            elif level is None or level > 9 or len(found.text) > 300:  # nobody's heading is that long
                self.sections.paragraph(found.text)
            else:
                self.sections.heading(level, found.text)

    def _row(self, row: TableRow) -> None:
        first, self._in_table = not self._in_table, True
        if row.is_header or (first and row.names_columns):
            self.sections.columns(row.text)
        else:
            self.sections.paragraph(row.text)

    def _mark(self, mark: Mark) -> None:
        if mark.kind == "picture":
            self.sections.paragraph(mark.value)
        if (known := self.notes.get(mark.kind)) is not None:
            known.setdefault(mark.value, len(known) + 1)
        if mark.kind != "object" or mark.value not in self._relations:
            return
        kind, path = self._relations[mark.value]
        for text in object_texts(self._archive, path, kind):
            self.sections.paragraph(text)
        if kind == "aFChunk":
            self._chunk(path)
        elif kind in ("package", "oleObject"):
            self.embedded += 1
            name = path.rpartition("/")[2]
            try:
                self.inside.add(name, self._archive.read(path))
            except Unreadable as error:
                self.inside.leave_out(name, error.code)

    def _chunk(self, path: str) -> None:
        """A whole document that stands in the place of a paragraph."""
        name = path.rpartition("/")[2]
        chunk = self.inside.beside()
        try:
            chunk.add(name, self._archive.read(path))
        except Unreadable as error:
            chunk.leave_out(name, error.code)
        for unit in chunk.units:
            self.sections.paragraph(unit.text)
        self.inside.notes += chunk.notes


def _part_units(kind: str, content: bytes, seen: set[str], notes: dict[str, dict[str, int]]) -> list[Unit]:
    """A unit for each foot- and endnote and comment; one for each header and footer, repeated ones once."""
    label = kind.removesuffix("s")
    gathered: dict[str, list[str]] = {}
    texts = gathered.setdefault("", [])
    for found in paragraphs(content):
        if not isinstance(found, Mark):
            texts.append(found.text)
        elif found.kind == "note":
            texts = gathered.setdefault(found.value, []) if found.value else []
    units = []
    for identity, texts in _in_order(gathered, notes[label]) if label in notes else gathered.items():
        text = clean("\n\n".join(texts)).strip()
        if text and text not in seen:
            seen.add(text)
            units.append(Unit(text, {"part": f"{label} {identity}".strip()}))
    return units


def _in_order(gathered: dict[str, list[str]], numbers: dict[str, int]) -> Iterator[tuple[str, list[str]]]:
    """By the numbers that the text's references give to notes; those that it does not mention follow."""
    for identity in gathered:
        if identity:
            numbers.setdefault(identity, len(numbers) + 1)
    for identity in sorted(gathered, key=lambda identity: numbers.get(identity, 0)):
        yield str(numbers.get(identity, "")), gathered[identity]


def _heading_levels(archive: Archive, relations: dict[str, tuple[str, str]]) -> dict[str, int]:
    """Style id → heading level, 1 the highest, 0 for the title. Ids are in the author's language, names are not."""
    path = next((path for kind, path in relations.values() if kind == "styles"), "word/styles.xml")
    levels: dict[str, int] = {}
    based_on: dict[str, str] = {}
    style = ""
    for event in events(archive.read(path)) if path in archive else ():
        if event.kind == "start":
            style = event.attributes.get("w:styleId", style) if event.name == "w:style" else style
            _note_style(event, style, levels, based_on)
    for style in based_on:
        seen = {style}
        parent = based_on[style]
        while style not in levels and parent not in seen:
            seen.add(parent)
            if parent in levels:
                levels[style] = levels[parent]
            parent = based_on.get(parent, parent)
    for number in range(1, 10):
        levels.setdefault(f"Heading{number}", number)
    levels.setdefault("Title", 0)
    return levels


def _note_style(event: Event, style: str, levels: dict[str, int], based_on: dict[str, str]) -> None:
    value = event.attributes.get("w:val", "")
    if event.name == "w:name":
        numbered = re.fullmatch(r"heading (\d)", value, re.I)
        if numbered:
            levels[style] = int(numbered[1])
        elif value.lower() == "title":
            levels[style] = 0
    elif event.name == "w:basedOn":
        based_on[style] = value
    elif event.name == "w:outlineLvl" and value.isdigit() and int(value) < 9:
        levels.setdefault(style, int(value) + 1)


def core_title(archive: Archive) -> str | None:
    """The title in the file's properties."""
    name = "docProps/core.xml"
    if name not in archive:
        return None
    inside, title = False, ""
    try:
        for kind, found, _ in events(archive.read(name)):
            if found == "dc:title" and kind != "text":
                inside = kind == "start"
            elif inside and kind == "text":
                title += found
    except Unreadable:
        return None  # the properties are a courtesy: the document can be read without them
    return one_line(title) or None
