"""XML in, a stream of events out: nothing is expanded, nothing is fetched, no depth is too deep."""

from __future__ import annotations

import html.entities
from collections.abc import Iterator
from typing import NamedTuple
from xml.parsers import expat

from indexer.read.charset import decode
from indexer.read.limits import Source
from indexer.read.sections import Sections
from labse_search.errors import Unreadable
from labse_search.records import Extraction, Note, Unit

_STEP = 1 << 16  # bytes parsed at a time: bounds the events that wait

# Namespaces by the prefix that their specifications use. Office knows each of its own under two addresses.
_OFFICE = ("http://schemas.openxmlformats.org/", "http://purl.oclc.org/ooxml/")
_PREFIXES = {
    "wordprocessingml/2006/main": "w",
    "wordprocessingml/main": "w",
    "drawingml/2006/main": "a",
    "drawingml/main": "a",
    "drawingml/2006/chart": "c",
    "drawingml/chart": "c",
    "presentationml/2006/main": "p",
    "presentationml/main": "p",
    "spreadsheetml/2006/main": "x",
    "spreadsheetml/main": "x",
    "officeDocument/2006/relationships": "r",
    "officeDocument/relationships": "r",
    "officeDocument/2006/math": "m",
    "officeDocument/math": "m",
    "markup-compatibility/2006": "mc",
    "urn:oasis:names:tc:opendocument:xmlns:text:1.0": "text",
    "urn:oasis:names:tc:opendocument:xmlns:office:1.0": "office",
    "urn:oasis:names:tc:opendocument:xmlns:table:1.0": "table",
    "urn:oasis:names:tc:opendocument:xmlns:drawing:1.0": "draw",
    "urn:oasis:names:tc:opendocument:xmlns:presentation:1.0": "presentation",
    "urn:oasis:names:tc:opendocument:xmlns:style:1.0": "style",
    "http://purl.org/dc/elements/1.1/": "dc",
}


class Event(NamedTuple):
    kind: str  # "start", "end" or "text"
    name: str  # "w:p", or just the local name in a namespace not listed above; the characters of a "text"
    attributes: dict[str, str]


def events(content: bytes, *, encoding: str | None = None) -> Iterator[Event]:
    """Elements and text in document order.

    Unreadable("unsafe_xml") if the file declares entities of its own, ("damaged") if it is not well formed.
    """
    parser = expat.ParserCreate(encoding, namespace_separator=" ")
    waiting: list[Event] = []

    def start(name: str, attributes: dict[str, str]) -> None:
        waiting.append(Event("start", _short(name), {_short(key): value for key, value in attributes.items()}))

    def end(name: str) -> None:
        waiting.append(Event("end", _short(name), {}))

    def text(data: str) -> None:
        waiting.append(Event("text", data, {}))

    def skipped(name: str, is_parameter: bool) -> None:
        if not is_parameter:
            waiting.append(Event("text", html.entities.html5.get(f"{name};", f"&{name};"), {}))

    def declared(*_: object) -> None:
        raise Unreadable("unsafe_xml", "declares entities")

    parser.buffer_text = True
    parser.StartElementHandler = start
    parser.EndElementHandler = end
    parser.CharacterDataHandler = text
    parser.SkippedEntityHandler = skipped
    parser.EntityDeclHandler = declared
    for at in range(0, len(content) + 1, _STEP):
        try:
            parser.Parse(content[at : at + _STEP], at + _STEP > len(content))
        except (expat.ExpatError, ValueError, LookupError) as error:
            raise Unreadable("damaged", f"XML: {error}") from None
        yield from waiting
        waiting.clear()


def _short(name: str) -> str:
    namespace, _, local = name.rpartition(" ")
    for office in _OFFICE:
        namespace = namespace.removeprefix(office)
    prefix = _PREFIXES.get(namespace)
    return f"{prefix}:{local}" if prefix else local


# Elements that run inside a sentence, in the document formats we know (DocBook, TEI, FictionBook, SVG): around any
# other element the text breaks.
_INLINE = frozenset(
    "a b i u em strong emphasis hi span tspan sub sup code literal link ref foreign term bold italic g".split()
)


def read_xml(source: Source) -> Extraction:
    """The text of an XML file of any kind, one paragraph an element. Attributes are not text.

    What is not well formed is read as it stands: its words are there all the same.
    """
    head = source.content[:200].decode("latin-1")
    declared = head.partition('encoding="')[2].partition('"')[0] or head.partition("encoding='")[2].partition("'")[0]
    decoded = decode(source.content, declared)
    body = decoded.text.lstrip()
    parts: list[str] = []
    paragraphs = Sections()
    try:
        for event in events(body.encode(), encoding="utf-8"):
            if event.kind == "text":
                parts.append(event.name)
            elif event.name not in _INLINE:
                _flush(parts, paragraphs)
    except Unreadable as error:
        if error.code != "damaged":
            raise
        units = (Unit(decoded.text, {"line": 1}),)
        return Extraction(units, "xml", None, decoded.encoding, (*decoded.notes, Note("read_as_text")))
    _flush(parts, paragraphs)
    return Extraction(paragraphs.units(), "xml", encoding=decoded.encoding, notes=decoded.notes)


def _flush(parts: list[str], paragraphs: Sections) -> None:
    text = " ".join("".join(parts).split())
    parts.clear()
    if text:
        paragraphs.paragraph(text)
