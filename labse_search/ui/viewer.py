"""The source at the place of a hit: the text around it, and for a PDF the page itself."""

from __future__ import annotations

import re
import threading
import uuid
from bisect import bisect_right
from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

from labse_search.errors import UserError
from labse_search.library import DocumentRow, Library
from labse_search.places import describe_place
from labse_search.records import UNIT_SEPARATOR, Extraction, Filter, Segment
from labse_search.store import Store
from labse_search.ui.cards import title
from labse_search.ui.concurrency_limit import ConcurrencyLimit
from labse_search.ui.events import Event
from labse_search.ui.pdf_page import PageImage, draw
from labse_search.ui.strings import text

PART = 30_000  # characters of a part of a text; the reader fetches parts as it is scrolled
KEPT_PAGES = 24  # drawn pages kept in memory, some 300 kB each


@dataclass(frozen=True)
class Wanted:
    """Which passage to show. Everything in it came from a browser."""

    document: str
    index: int
    mark: tuple[int, int] | None = None  # closest sentence, relative to the passage
    page: int | None = None  # another page of the PDF than the passage's own

    @classmethod
    def from_event(cls, event: Event) -> Wanted:
        """UserError for anything the page's own script would not send."""
        document, index = event.document(), event.number("index")
        if not document or index is None:
            raise UserError(text("gone"))
        return cls(document, index, event.pair("mark"), event.number("page"))

    @classmethod
    def from_address(cls, value: str) -> Wanted:
        """From "DOCUMENT.INDEX" or "DOCUMENT.INDEX.START-END", as addresses have it. UserError for anything else."""
        found = _ADDRESS.fullmatch(value)
        if found is None:
            raise UserError(text("gone"))
        mark = (int(found["start"]), int(found["end"])) if found["start"] else None
        return cls(found["document"], int(found["index"]), mark)


_ADDRESS = re.compile(
    r"(?P<document>[0-9a-f]{32})\.(?P<index>[0-9]{1,9})(?:\.(?P<start>[0-9]{1,9})-(?P<end>[0-9]{1,9}))?"
)


class Viewer:
    """Builds the value of the viewer component, and keeps the pages it drew until the browser fetches them."""

    def __init__(self, library: Library, store: Store) -> None:
        self.library = library
        self.store = store
        self._pages: OrderedDict[tuple[str, int], bytes] = OrderedDict()
        self._lock = threading.Lock()
        self._limit = ConcurrencyLimit()

    def value(self, collection: str, wanted: Wanted) -> dict[str, Any]:
        """UserError when the document is gone."""
        row = self.library.ledger.documents.get(collection, wanted.document)
        where = Filter(documents=(wanted.document,), indexes=(wanted.index,))
        stored = next(iter(self.store.segments(collection, where)), None)
        if row is None or stored is None:
            raise UserError(text("gone"))
        segment = stored.segment
        value = {
            "nonce": uuid.uuid4().hex,
            "document": wanted.document,
            "index": wanted.index,
            "mark": list(wanted.mark) if wanted.mark else None,
            "title": title(row.names) or row.title,
            "lang": segment.language,
            "place": describe_place(segment.place),
            "original": f"source/{quote(collection, safe='')}/{wanted.document}/original",
        }
        text_of = self.library.originals.text(wanted.document).text
        bounds = part_bounds(text_of)
        value |= {
            "text": f"source/{quote(collection, safe='')}/{wanted.document}/text",
            "parts": len(bounds) - 1,
            "part": max(0, bisect_right(bounds, segment.start) - 1),
        }
        if row.kind == "pdf" and isinstance(segment.place.get("page"), int):
            value |= self._page(collection, row, segment, wanted.page or int(segment.place["page"]))
        return value

    def part(self, collection: str, wanted: Wanted, number: int) -> dict[str, Any] | None:
        """A part of the document's text, the passage in it marked; None if there is no such part."""
        where = Filter(documents=(wanted.document,), indexes=(wanted.index,))
        stored = next(iter(self.store.segments(collection, where)), None)
        extraction = self.library.originals.text(wanted.document)
        bounds = part_bounds(extraction.text)
        if stored is None or number + 1 >= len(bounds):
            return None
        return {"blocks": blocks_between(extraction, stored.segment, wanted.mark, bounds[number : number + 2])}

    def png(self, document: str, number: int) -> bytes | None:
        """A page that `value` has drawn, or drawn now; None if there is no such page."""
        with self._lock:
            drawn = self._pages.get((document, number))
        if drawn is not None:
            return drawn
        image = self._draw(document, number, "")
        if image is None:
            return None
        self._keep(document, number, image)
        return image.png

    def _draw(self, document: str, number: int, passage: str) -> PageImage | None:
        """Busy, a UserError, if too many are being drawn."""
        with self._limit.take():
            return draw(self.library.originals.path(document), number, passage)

    def _page(self, collection: str, row: DocumentRow, segment: Segment, number: int) -> dict[str, Any]:
        own = number == segment.place.get("page")
        image = self._draw(row.document, number, segment.text if own else "")
        if image is None:
            return {"page_failed": True}
        number = min(max(number, 1), image.pages)
        self._keep(row.document, number, image)
        page = {
            "number": number,
            "pages": image.pages,
            "width": image.width,
            "height": image.height,
            "boxes": [list(box) for box in image.boxes],
            "url": f"source/{quote(collection, safe='')}/{row.document}/page/{number}",
        }
        return {"page": page, "on_page": own}

    def _keep(self, document: str, number: int, image: PageImage) -> None:
        with self._lock:
            self._pages[(document, number)] = image.png
            while len(self._pages) > KEPT_PAGES:
                self._pages.popitem(last=False)


def part_bounds(text: str) -> list[int]:
    """Where the parts of a text begin, and its end: at the first end of a line after PART characters."""
    bounds = [0]
    while len(text) - bounds[-1] > PART:
        end = text.find("\n", bounds[-1] + PART, bounds[-1] + 2 * PART)
        bounds.append(min(len(text), end + 1 if end >= 0 else bounds[-1] + 2 * PART))
    return bounds if bounds[-1] == len(text) and len(bounds) > 1 else [*bounds, len(text)]


def blocks_between(
    extraction: Extraction, segment: Segment, mark: tuple[int, int] | None, bounds: Sequence[int]
) -> list[dict[str, Any]]:
    """The units between two places of the text as blocks of lines, the passage in tone 1 and its sentence in tone 2."""
    first, last = bounds
    tones = _tones(segment, mark)
    blocks = []
    for unit, start in zip(extraction.units, extraction.unit_starts(), strict=True):
        end = start + len(unit.text)
        if end <= first or start >= last:
            continue
        lines = _lines(unit.text, start, (max(first, start), min(last, end)), tones, segment)
        row = "row" in unit.place or "time" in unit.place  # short units are shown beside their place, one a line
        label = describe_place(unit.place)
        said = unit.text.lstrip().startswith(label) or start < first  # its own heading, or it began in the part before
        blocks.append({"label": "" if said else label, "row": row, "lines": lines})
    return blocks


def _tones(segment: Segment, mark: tuple[int, int] | None) -> list[tuple[int, int, int]]:
    """(start, end, tone) in the document's text, in order."""
    if mark is None or not 0 <= mark[0] < mark[1] <= len(segment.text):
        return [(segment.start, segment.end, 2)]
    start, end = segment.start + mark[0], segment.start + mark[1]
    return [(segment.start, start, 1), (start, end, 2), (end, segment.end, 1)]


def _lines(
    unit: str, offset: int, span: tuple[int, int], tones: list[tuple[int, int, int]], segment: Segment
) -> list[dict[str, Any]]:
    """The lines of a unit between two places of the document, each cut where the tone changes."""
    first, last = span
    lines, at = [], first
    for line in unit[first - offset : last - offset].split(UNIT_SEPARATOR):
        end = at + len(line)
        cuts = sorted({at, end, *(cut for start, stop, _ in tones for cut in (start, stop) if at < cut < end)})
        pieces = [
            {"text": unit[start - offset : stop - offset], "mark": _tone(start, tones)}
            for start, stop in zip(cuts, cuts[1:], strict=False)
        ]
        if line.strip():
            inside = any(piece["mark"] for piece in pieces)
            lines.append({"parts": pieces, "lang": segment.language if inside else None})
        at = end + 1
    return lines


def _tone(at: int, tones: list[tuple[int, int, int]]) -> int:
    return next((tone for start, end, tone in tones if start <= at < end), 0)
