"""EPUB in, one unit a section of each chapter out, in reading order."""

from __future__ import annotations

import posixpath
import re
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
    """Chapters in reading order; Unreadable where all are encrypted."""
    archive = Archive(source)
    members = _Members(archive)
    title, chapters = _contents(archive, members)
    locked = _locked(archive)
    if chapters and locked.issuperset(chapters):
        raise Unreadable("encrypted", "the chapters are encrypted")
    units: list[Unit] = []
    notes: list[Note] = []
    images = 0
    for number, path in enumerate(chapters, 1):
        if path in locked:
            notes.append(Note("member_skipped", f"{path}: encrypted"))
            continue
        try:
            content = archive.read(path)
            decoded = decode(content, _declared(content))
        except Unreadable as error:
            notes.append(Note("member_skipped", f"{path}: {error.code}"))
            continue
        notes += decoded.notes
        page = Page(decoded.text, {"chapter": number})
        units += _chapter_units(page)
        images += page.holds().get("images without text", 0)
    if not units and notes:
        raise Unreadable("damaged", notes[0].detail)
    holds = {"chapters": len(chapters), **({"images without text": images} if images else {})}
    return Extraction(tuple(units), "epub", title, notes=tuple(notes), holds=holds)


def _chapter_units(page: Page) -> tuple[Unit, ...]:
    units = page.units()
    title = next((str(unit.place["section"]).partition(" › ")[0] for unit in units if "section" in unit.place), None)
    title = title or page.title
    if not title:
        return units
    return tuple(Unit(unit.text, {**unit.place, "title": title}, unit.headings) for unit in units)


def _declared(content: bytes) -> str:
    found = re.search(rb"encoding=[\"']([\w-]+)", content[:200])
    return found[1].decode() if found else "utf-8"


class _Members:
    """Finds members as the system did on which the book was made: in another case of letters, too."""

    def __init__(self, archive: Archive) -> None:
        self._archive = archive
        self._folded = {member.filename.casefold(): member.filename for member in archive.members}

    def find(self, path: str) -> str | None:
        if path in self._archive:
            return path
        return self._folded.get(path.casefold()) or self._folded.get(unquote(path).casefold())

    def first(self, ending: str) -> str | None:
        return next((name for folded, name in sorted(self._folded.items()) if folded.endswith(ending)), None)


def _package(archive: Archive, members: _Members) -> str | None:
    """The part that lists the book's parts: as the container says, or any there is."""
    container = members.find("META-INF/container.xml")
    if container is not None:
        try:
            for event in events(archive.read(container)):
                path = event.attributes.get("full-path")
                if event.name == "rootfile" and path and (found := members.find(path.lstrip("/"))):
                    return found
        except Unreadable as error:
            if error.code != "damaged":
                raise
    return members.first(".opf")


def _contents(archive: Archive, members: _Members) -> tuple[str | None, list[str]]:
    """The book's title, and its chapters: those of the spine, then those that no reading order names."""
    package = _package(archive, members)
    try:
        if package is not None:
            return _listed(archive, members, package)
    except Unreadable as error:
        if error.code != "damaged":
            raise
    pages = [name for name in archive.names(r".*") if name.lower().endswith((".xhtml", ".html", ".htm"))]
    if not pages:
        raise Unreadable("damaged", "EPUB without a package")
    return None, pages


def _listed(archive: Archive, members: _Members, package: str) -> tuple[str | None, list[str]]:
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
            given = posixpath.normpath(posixpath.join(folder, unquote(attributes.get("href", "")))).lstrip("/")
            path = members.find(given) or given
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
