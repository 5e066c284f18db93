"""ODT in, sections out; ODP in, slides out."""

from __future__ import annotations

from indexer.read.archive import Archive
from indexer.read.clean import clean, one_line
from indexer.read.limits import Source
from indexer.read.sections import Sections
from indexer.read.xml import events
from labse_search.errors import Unreadable
from labse_search.records import Extraction, Unit

_UNSEEN = frozenset(("text:tracked-changes", "text:note-citation", "text:sequence-decls", "office:forms"))
_PARAGRAPHS = frozenset(("text:p", "text:h"))
# What stands in the middle of a paragraph but belongs beside it.
_ASIDES = {"text:note": "note", "office:annotation": "comment"}
_SPACES = 1000  # the most that one <text:s/> may stand for


class _Story:
    """Follows the events of a document, and keeps paragraphs, rows of tables, and asides apart."""

    def __init__(self) -> None:
        self.sections = Sections()
        self.slides: list[tuple[list[str], list[str]]] = []  # texts and notes of each
        self._paragraphs: list[list[str]] = []  # open ones, the innermost last
        self._levels: list[int | None] = []
        self._cells: list[list[str]] = []
        self._asides: list[str] = []
        self._in_notes = self._unseen = 0
        self.aside_units: list[Unit] = []

    def start(self, name: str, attributes: dict[str, str]) -> None:
        if name in _UNSEEN:
            self._unseen += 1
        elif name in _PARAGRAPHS:
            self._paragraphs.append([])
            level = attributes.get("text:outline-level", "1")
            self._levels.append(int(level) if name == "text:h" and level.isdigit() else None)
        elif name in _ASIDES:
            self._asides.append(_ASIDES[name])
        elif name == "draw:page":
            self.slides.append(([], []))
        elif name == "presentation:notes":
            self._in_notes += 1
        elif name == "table:table-row":
            self._cells.append([])
        elif name in ("table:table-cell", "table:covered-table-cell") and self._cells:
            self._cells[-1].append("")
        elif self._paragraphs and name in ("text:tab", "text:line-break"):
            self._paragraphs[-1].append("\t" if name == "text:tab" else "\n")
        elif self._paragraphs and name == "text:s":
            count = attributes.get("text:c", "1")
            self._paragraphs[-1].append(" " * min(_SPACES, int(count) if count.isdigit() else 1))

    def text(self, data: str) -> None:
        if self._paragraphs and not self._unseen:
            self._paragraphs[-1].append(data)

    def end(self, name: str) -> None:
        if name in _UNSEEN:
            self._unseen -= 1
        elif name in _PARAGRAPHS:
            self._place("".join(self._paragraphs.pop()), self._levels.pop())
        elif name in _ASIDES:
            self._asides.pop()
        elif name == "presentation:notes":
            self._in_notes -= 1
        elif name == "table:table-row" and self._cells:
            self._place(" | ".join(cell for cell in self._cells.pop() if cell), None)

    def _place(self, text: str, level: int | None) -> None:
        text = text.strip()
        if not text or self._unseen:
            return
        if self._asides:
            self.aside_units.append(Unit(clean(text), {"part": self._asides[-1]}))
        elif self._cells and self._cells[-1]:
            self._cells[-1][-1] += ("\n" if self._cells[-1][-1] else "") + text
        elif self.slides:
            self.slides[-1][1 if self._in_notes else 0].append(text)
        elif level is not None:
            self.sections.heading(level, text)
        else:
            self.sections.paragraph(text)


def read_opendocument(source: Source) -> Extraction:
    """Text documents by section, presentations by slide; headers and footers come last, each once."""
    archive = Archive(source)
    if "META-INF/manifest.xml" in archive and b"encryption-data" in archive.read("META-INF/manifest.xml"):
        raise Unreadable("encrypted", "the manifest says so")
    story = _follow(archive.read("content.xml"))
    units = list(story.sections.units())
    for number, (texts, remarks) in enumerate(story.slides, 1):
        place: dict[str, str | int] = {"slide": number, "slides": len(story.slides)}
        if texts:
            units.append(Unit(clean("\n\n".join(texts)), place))
        if remarks:
            units.append(Unit(clean("\n\n".join(remarks)), {**place, "part": "notes"}))
    units += story.aside_units
    units += _headers_and_footers(archive)
    kind = "odp" if story.slides else "odt"
    return Extraction(tuple(units), kind, _title(archive) or story.sections.first_heading)


def _follow(content: bytes) -> _Story:
    story = _Story()
    for kind, name, attributes in events(content):
        if kind == "text":
            story.text(name)
        elif kind == "start":
            story.start(name, attributes)
        else:
            story.end(name)
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
        elif part and kind == "end" and name in _PARAGRAPHS:
            text += "\n"
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
