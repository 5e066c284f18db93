"""XML in, a stream of events out: nothing is expanded, nothing is fetched, no depth is too deep."""

from __future__ import annotations

import html.entities
from collections.abc import Callable, Iterator
from functools import lru_cache
from typing import NamedTuple
from xml.parsers import expat

from labse_search.errors import Unreadable

_NONE: dict[str, str] = {}  # never written to
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
    "http://openoffice.org/2000/text": "text",
    "http://openoffice.org/2000/office": "office",
    "http://openoffice.org/2000/table": "table",
    "http://openoffice.org/2000/drawing": "draw",
    "http://openoffice.org/2001/presentation": "presentation",
    "http://openoffice.org/2000/presentation": "presentation",
    "http://openoffice.org/2000/style": "style",
    "http://purl.org/dc/elements/1.1/": "dc",
}


class Event(NamedTuple):
    """A start, an end or a text of an XML stream."""

    kind: str  # "start", "end" or "text"
    name: str  # "w:p", or just the local name in a namespace not listed above; the characters of a "text"
    attributes: dict[str, str]


def events(content: bytes, *, encoding: str | None = None) -> Iterator[Event]:
    """Elements and text in document order.

    Unreadable("unsafe_xml") if the file declares entities of its own, ("damaged") if it is not well formed.
    """
    waiting: list[Event] = []

    def start(name: str, attributes: dict[str, str]) -> None:
        waiting.append(
            Event(
                "start",
                short(name),
                {short(key): value for key, value in attributes.items()} if attributes else _NONE,
            )
        )

    def end(name: str) -> None:
        waiting.append(Event("end", short(name), _NONE))

    def text(data: str) -> None:
        waiting.append(Event("text", data, _NONE))

    for _ in follow(content, start, end, text, encoding=encoding):
        yield from waiting
        waiting.clear()


def follow(
    content: bytes,
    start: Callable[[str, dict[str, str]], None],
    end: Callable[[str], None],
    text: Callable[[str], None],
    *,
    encoding: str | None = None,
) -> Iterator[None]:
    """Calls these for what comes, names as the parser has them (`short`), and gives back control now and then.

    Unreadable as `events`.
    """
    parser = expat.ParserCreate(encoding, namespace_separator=" ")

    def skipped(name: str, is_parameter: bool) -> None:
        if not is_parameter:
            text(html.entities.html5.get(f"{name};", f"&{name};"))

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
        yield


@lru_cache(maxsize=4096)
def short(name: str) -> str:
    """An element's or attribute's name with the prefix that its specification uses."""
    namespace, _, local = name.rpartition(" ")
    for office in _OFFICE:
        namespace = namespace.removeprefix(office)
    prefix = _PREFIXES.get(namespace)
    return f"{prefix}:{local}" if prefix else local
