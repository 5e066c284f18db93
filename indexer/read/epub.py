"""EPUB in, one unit a section of each chapter out, in reading order."""

from __future__ import annotations

import posixpath
from urllib.parse import unquote

from indexer.read.archive import Archive
from indexer.read.charset import decode
from indexer.read.clean import one_line
from indexer.read.limits import Source
from indexer.read.web import Page
from indexer.read.xml import events
from labse_search.errors import Unreadable
from labse_search.records import Extraction, Note, Unit

_CHAPTER_TYPES = ("application/xhtml+xml", "text/html", "text/x-oeb1-document")


def read_epub(source: Source) -> Extraction:
    archive = Archive(source)
    title, chapters = _contents(archive)
    locked = _locked(archive)
    if chapters and locked.issuperset(chapters):
        raise Unreadable("encrypted", "the chapters are encrypted")
    units: list[Unit] = []
    notes: list[Note] = []
    for number, path in enumerate(chapters, 1):
        if path in locked:
            notes.append(Note("member_skipped", f"{path}: encrypted"))
            continue
        try:
            decoded = decode(archive.read(path), "utf-8")
        except Unreadable as error:
            notes.append(Note("member_skipped", f"{path}: {error.code}"))
            continue
        notes += decoded.notes
        units += _chapter_units(decoded.text, number)
    if not units and notes:
        raise Unreadable("damaged", notes[0].detail)
    return Extraction(tuple(units), "epub", title, notes=tuple(notes))


def _chapter_units(markup: str, number: int) -> tuple[Unit, ...]:
    page = Page(markup, {"chapter": number})
    units = page.units()
    title = next((str(unit.place["section"]).partition(" › ")[0] for unit in units if "section" in unit.place), None)
    title = title or page.title
    return tuple(Unit(unit.text, {**unit.place, "title": title}) for unit in units) if title else units


def _contents(archive: Archive) -> tuple[str | None, list[str]]:
    """The book's title, and its chapters: those of the spine, then those that no reading order names."""
    package = next(
        (
            event.attributes["full-path"]
            for event in events(archive.read("META-INF/container.xml"))
            if event.name == "rootfile" and event.attributes.get("full-path")
        ),
        None,
    )
    if package is None:
        raise Unreadable("damaged", "EPUB without a package")
    folder = posixpath.dirname(package)
    items: dict[str, str] = {}
    documents: list[str] = []
    spine: list[str] = []
    title, in_title = "", False
    for kind, name, attributes in events(archive.read(package)):
        if kind == "text":
            title += name if in_title else ""
        elif name == "dc:title":
            in_title = kind == "start" and not title
        elif kind == "start" and name == "item":
            path = posixpath.normpath(posixpath.join(folder, unquote(attributes.get("href", ""))))
            items[attributes.get("id", "")] = path
            if attributes.get("media-type") in _CHAPTER_TYPES and "nav" not in attributes.get("properties", "").split():
                documents.append(path)
        elif kind == "start" and name == "itemref":
            spine.append(attributes.get("idref", ""))
    ordered = [items[key] for key in spine if key in items]
    return one_line(title) or None, list(dict.fromkeys([*ordered, *documents]))


def _locked(archive: Archive) -> set[str]:
    """Members that are encrypted. Fonts often are, in books that anybody may read."""
    name = "META-INF/encryption.xml"
    if name not in archive:
        return set()
    return {
        unquote(event.attributes.get("URI", ""))
        for event in events(archive.read(name))
        if event.kind == "start" and event.name == "CipherReference"
    }
