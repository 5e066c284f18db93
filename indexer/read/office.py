"""DOCX in, sections out; PPTX in, slides out. Both straight from their XML."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field

from indexer.read.archive import Archive
from indexer.read.clean import clean, one_line
from indexer.read.limits import Source
from indexer.read.sections import Sections
from indexer.read.xml import Event, events
from labse_search.errors import Unreadable
from labse_search.records import Extraction, Note, Unit

# Text a person does not see: the second copy kept for older programs, what was deleted or moved away, field codes.
_UNSEEN = frozenset(("mc:Fallback", "w:moveFrom", "w:del", "w:instrText", "w:delText"))
_BREAKS = {"w:tab": "\t", "w:br": "\n", "w:cr": "\n", "w:noBreakHyphen": "-", "a:br": "\n", "a:tab": "\t"}
_RUNS = frozenset(("w:t", "a:t", "m:t"))


@dataclass
class _Paragraph:
    runs: list[str] = field(default_factory=list)
    style: str = ""
    level: int | None = None  # of the outline, where the paragraph says so itself

    @property
    def text(self) -> str:
        return "".join(self.runs)


def _paragraphs(content: bytes) -> Iterator[tuple[str, _Paragraph | str]]:
    """("paragraph", …) and ("row", text), and ("note", id) before the paragraphs of a foot- or endnote or comment.

    Paragraphs inside paragraphs (text boxes) come out on their own; those inside a table join into rows.
    """
    open_paragraphs: list[_Paragraph] = []
    cells: list[list[str]] = []  # of each open table, the cells of its row
    unseen = run = 0
    for kind, name, attributes in events(content):
        if name in _UNSEEN and kind != "text":
            unseen += 1 if kind == "start" else -1
        elif unseen:
            continue
        elif kind == "text":
            if run and open_paragraphs:
                open_paragraphs[-1].runs.append(name)
        elif kind == "start":
            run += name in _RUNS
            yield from _start(name, attributes, open_paragraphs, cells)
        else:
            run -= name in _RUNS
            yield from _end(name, open_paragraphs, cells)


def _start(
    name: str, attributes: dict[str, str], open_paragraphs: list[_Paragraph], cells: list[list[str]]
) -> Iterator[tuple[str, _Paragraph | str]]:
    if name in ("w:p", "a:p"):
        open_paragraphs.append(_Paragraph())
    elif name in ("w:footnote", "w:endnote", "w:comment"):
        yield "note", attributes.get("w:id", "")
    elif name in ("w:tr", "a:tr"):
        cells.append([])
    elif name in ("w:tc", "a:tc") and cells:
        cells[-1].append("")
    elif not open_paragraphs:
        return
    elif name in _BREAKS:
        open_paragraphs[-1].runs.append(_BREAKS[name])
    elif name == "w:rt":
        open_paragraphs[-1].runs.append("(")
    elif name == "w:pStyle":
        open_paragraphs[-1].style = attributes.get("w:val", "")
    elif name == "w:outlineLvl" and attributes.get("w:val", "").isdigit():
        open_paragraphs[-1].level = int(attributes["w:val"]) + 1


def _end(
    name: str, open_paragraphs: list[_Paragraph], cells: list[list[str]]
) -> Iterator[tuple[str, _Paragraph | str]]:
    if name in ("w:p", "a:p") and open_paragraphs:
        paragraph = open_paragraphs.pop()
        if not paragraph.text.strip():
            return
        if cells and cells[-1]:
            cells[-1][-1] += ("\n" if cells[-1][-1] else "") + paragraph.text.strip()
        else:
            yield "paragraph", paragraph
    elif name == "w:rt" and open_paragraphs:
        open_paragraphs[-1].runs.append(")")
    elif name in ("w:tr", "a:tr") and cells:
        row = " | ".join(cell for cell in cells.pop() if cell)
        if row and cells and cells[-1]:  # a table inside a cell
            cells[-1][-1] += ("\n" if cells[-1][-1] else "") + row
        elif row:
            yield "row", row


def read_docx(source: Source) -> Extraction:
    archive = Archive(source)
    kinds = archive.relations("")
    main = next((path for kind, path in kinds.values() if kind == "officeDocument"), "word/document.xml")
    levels = _heading_levels(archive, main)
    sections = Sections()
    for kind, found in _paragraphs(archive.read(main)):
        if isinstance(found, str):
            if kind == "row":
                sections.paragraph(found)
            continue
        level = levels.get(found.style) if found.level is None else found.level
        if level is None or level > 9 or len(found.text) > 300:  # nobody's heading is that long
            sections.paragraph(found.text)
        else:
            sections.heading(level, found.text)
    units, notes = list(sections.units()), []
    parts = sorted(set(archive.relations(main).values()), key=lambda part: (_PART_ORDER.get(part[0], 9), part[1]))
    seen: set[str] = set()
    for kind, path in parts:
        if kind not in _PART_ORDER or path not in archive:
            continue
        try:
            units += _part_units(kind, archive.read(path), seen)
        except Unreadable as error:
            notes.append(Note("member_skipped", f"{path}: {error.code}"))
    return Extraction(tuple(units), "docx", _core_title(archive) or sections.first_heading, notes=tuple(notes))


_PART_ORDER = {"footnotes": 0, "endnotes": 1, "comments": 2, "header": 3, "footer": 4}


def _part_units(kind: str, content: bytes, seen: set[str]) -> list[Unit]:
    """A unit for each foot- and endnote and comment; one for each header and footer, repeated ones once."""
    label = kind.removesuffix("s")
    gathered: dict[str, list[str]] = {label: []}
    key = label
    for found_kind, found in _paragraphs(content):
        if found_kind == "note" and isinstance(found, str):
            key = f"{label} {found}"
        else:
            gathered.setdefault(key, []).append(found if isinstance(found, str) else found.text)
    units = []
    for part, texts in gathered.items():
        text = clean("\n\n".join(texts)).strip()
        if text and text not in seen:
            seen.add(text)
            units.append(Unit(text, {"part": part}))
    return units


def _heading_levels(archive: Archive, main: str) -> dict[str, int]:
    """Style id → heading level, 1 the highest, 0 for the title. Ids are in the author's language, names are not."""
    path = next((path for kind, path in archive.relations(main).values() if kind == "styles"), "word/styles.xml")
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


def _core_title(archive: Archive) -> str | None:
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


def read_pptx(source: Source) -> Extraction:
    """One unit a slide in the order of the presentation, hidden ones too, and one for each slide's notes."""
    archive = Archive(source)
    kinds = archive.relations("")
    main = next((path for kind, path in kinds.values() if kind == "officeDocument"), "ppt/presentation.xml")
    slides = _slide_order(archive, main)
    if not slides:
        raise Unreadable("damaged", "no slides")
    units: list[Unit] = []
    notes: list[Note] = []
    title = _core_title(archive)
    for number, path in enumerate(slides, 1):
        place = {"slide": number, "slides": len(slides)}
        try:
            text, heading = _slide_text(archive, path)
            if text:
                units.append(Unit(text, {**place, **({"title": heading} if heading else {})}))
            title = title or heading
            for kind, related in sorted(archive.relations(path).values()):
                if kind in ("notesSlide", "comments"):
                    text = _slide_text(archive, related)[0]
                    if text and text != str(number):  # a slide without notes repeats its number there
                        units.append(Unit(text, {**place, "part": "notes" if kind == "notesSlide" else kind}))
        except Unreadable as error:
            notes.append(Note("slides_damaged", f"{number}: {error.code}"))
    if not units and notes:
        raise Unreadable("damaged", notes[0].detail)
    return Extraction(tuple(units), "pptx", title, notes=tuple(notes))


def _slide_order(archive: Archive, main: str) -> list[str]:
    relations = archive.relations(main)
    ids = [event.attributes.get("r:id", "") for event in events(archive.read(main)) if event.name == "p:sldId"]
    listed = [relations[key][1] for key in ids if key in relations]
    return list(dict.fromkeys(listed)) or archive.names(r"ppt/slides/slide\d+\.xml")


def _slide_text(archive: Archive, path: str) -> tuple[str, str | None]:
    """The text of a slide, its drawings and charts, and its title."""
    content = archive.read(path)
    texts = [found if isinstance(found, str) else found.text for _, found in _paragraphs(content)]
    texts += _comment_texts(content)
    for kind, related in sorted(archive.relations(path).values()):
        if kind in ("diagramData", "chart") and related in archive:
            inner = archive.read(related)
            texts += [found if isinstance(found, str) else found.text for _, found in _paragraphs(inner)]
            texts += _chart_labels(inner)
    return clean("\n\n".join(text.strip() for text in texts)).strip(), _slide_title(content)


def _chart_labels(content: bytes) -> list[str]:
    """Names of series and categories; the numbers in between are left to the eye."""
    labels, strings = [], 0
    inside, text = False, ""
    for kind, name, _ in events(content):
        if kind == "text":
            text += name if inside else ""
        elif name == "c:strCache":
            strings += 1 if kind == "start" else -1
        elif name == "c:v" and strings:
            inside = kind == "start"
            labels += [text] if kind == "end" and text.strip() else []
            text = ""
    return list(dict.fromkeys(labels))


def _comment_texts(content: bytes) -> list[str]:
    texts, inside = [], False
    for kind, name, _ in events(content):
        if name == "p:text" and kind != "text":
            inside = kind == "start"
        elif inside and kind == "text":
            texts.append(name)
    return texts


def _slide_title(content: bytes) -> str | None:
    in_title = run = False
    title = ""
    for kind, name, attributes in events(content):
        if kind == "start" and name == "p:ph":
            in_title = attributes.get("type") in ("title", "ctrTitle")
        elif kind == "end" and name == "p:sp":
            if title.strip():
                return one_line(title)
            in_title = False
        elif name in ("a:t", "a:br"):
            run = kind == "start" and name == "a:t"
            title += " " if name == "a:br" and in_title else ""
        elif kind == "text" and run and in_title:
            title += name
    return None
