"""PPTX in, slides out, straight from its XML."""

from __future__ import annotations

from indexer.read.archive import Archive
from indexer.read.charts import object_texts
from indexer.read.clean import clean, one_line
from indexer.read.docx import core_title
from indexer.read.drawing import Mark, TableRow, paragraphs
from indexer.read.limits import Source
from indexer.read.nesting import Inside
from indexer.read.xml import events
from labse_search.errors import Unreadable
from labse_search.records import Extraction, Note, Unit


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
    inside = Inside(source)
    title = core_title(archive)
    for number, path in enumerate(slides, 1):
        try:
            found, heading = _slide_units(archive, path, {"slide": number, "slides": len(slides)}, inside)
        except Unreadable as error:
            notes.append(Note("slides_damaged", f"{number}: {error.code}"))
            continue
        units += found
        title = title or heading
    if not units and notes:
        raise Unreadable("damaged", notes[0].detail)
    holds = {"slides": len(slides), "images": len(archive.names(r"ppt/media/.*")), **inside.holds}
    return Extraction(
        (*units, *inside.units),
        "pptx",
        title,
        notes=(*notes, *inside.notes),
        holds={what: count for what, count in holds.items() if count},
    )


def _slide_order(archive: Archive, main: str) -> list[str]:
    relations = archive.relations(main)
    ids = [event.attributes.get("r:id", "") for event in events(archive.read(main)) if event.name == "p:sldId"]
    listed = [relations[key][1] for key in ids if key in relations]
    return list(dict.fromkeys(listed)) or archive.names(r"ppt/slides/slide\d+\.xml")


def _slide_units(
    archive: Archive, path: str, place: dict[str, str | int], inside: Inside
) -> tuple[list[Unit], str | None]:
    """The units of a slide, its notes and comments, and its title."""
    content = archive.read(path)
    relations = archive.relations(path)
    heading = _slide_title(content)
    around = {**place, **({"title": heading} if heading else {})}
    units = []
    text, names = _slide_text(archive, content, relations, heading)
    if text:
        hidden = {"part": "hidden"} if _is_hidden(content) else {}
        units.append(Unit(text, {**around, **hidden}, names))
    for kind, related in sorted(relations.values()):
        if kind in ("notesSlide", "comments", "comment") and related in archive:
            remarks = _joined([*_plain_texts(archive.read(related)), *_comment_texts(archive.read(related))])
            if remarks and remarks != str(place["slide"]):  # a slide without notes repeats its number there
                units.append(Unit(remarks, {**place, "part": "notes" if kind == "notesSlide" else "comments"}))
        elif kind in ("package", "oleObject") and related in archive:
            inside.add(related.rpartition("/")[2], archive.read(related), place=place)
    return units, heading


def _slide_text(
    archive: Archive, content: bytes, relations: dict[str, tuple[str, str]], heading: str | None
) -> tuple[str, tuple[tuple[int, int], ...]]:
    """The words of a slide with its tables, diagrams and charts, and where its title and names of columns stand."""
    parts: list[tuple[str, bool]] = []
    in_table = False
    named = False
    for found in paragraphs(content):
        if isinstance(found, Mark):
            if found.kind == "object" and found.value in relations:
                kind, path = relations[found.value]
                parts += [(text, False) for text in object_texts(archive, path, kind)]
            elif found.kind == "picture":
                parts.append((found.value, False))
            continue
        is_row = isinstance(found, TableRow)
        is_title = not named and not is_row and heading is not None and one_line(found.text) == heading
        parts.append((found.text, is_title or (isinstance(found, TableRow) and not in_table and found.names_columns)))
        named, in_table = named or is_title, is_row
    cleaned = [(clean(text).strip(), names) for text, names in parts]
    cleaned = [(text, names) for text, names in cleaned if text]
    spans, at = [], 0
    for text, names in cleaned:
        spans += [(at, at + len(text))] if names else []
        at += len(text) + 2
    return "\n\n".join(text for text, _ in cleaned), tuple(spans)


def _joined(texts: list[str]) -> str:
    return clean("\n\n".join(text.strip() for text in texts)).strip()


def _plain_texts(content: bytes) -> list[str]:
    return [found.text for found in paragraphs(content) if not isinstance(found, Mark)]


def _is_hidden(content: bytes) -> bool:
    first = next((event for event in events(content[:65536]) if event.kind == "start"), None)
    return first is not None and first.attributes.get("show") in ("0", "false")


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
