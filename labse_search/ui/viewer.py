"""The source at the place of a hit: the text around it, and for a PDF the page itself."""

from __future__ import annotations

import threading
import uuid
from collections import OrderedDict
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

from labse_search.errors import UserError
from labse_search.library import DocumentRow, Library
from labse_search.places import describe_place
from labse_search.records import UNIT_SEPARATOR, Extraction, Filter, Segment
from labse_search.store import Store
from labse_search.ui.cards import title
from labse_search.ui.pdf_page import PageImage, draw
from labse_search.ui.strings import text

AROUND = 4000  # characters shown before and after the passage: about two screens each way
KEPT_PAGES = 12  # drawn pages kept in memory, some 300 kB each


@dataclass(frozen=True)
class Wanted:
    """Which passage to show. Everything in it came from a browser."""

    document: str
    index: int
    mark: tuple[int, int] | None = None  # closest sentence, relative to the passage
    page: int | None = None  # another page of the PDF than the passage's own

    @classmethod
    def from_event(cls, data: object) -> Wanted:
        """UserError for anything the page's own script would not send."""
        if isinstance(data, dict):
            document, index, mark, page = (data.get(key) for key in ("document", "index", "mark", "page"))
            if is_document_id(document) and isinstance(index, int):
                return cls(str(document), index, _pair(mark), page if isinstance(page, int) else None)
        raise UserError(text("gone"))


class Viewer:
    """Builds the value of the viewer component, and keeps the pages it drew until the browser fetches them."""

    def __init__(self, library: Library, store: Store) -> None:
        self.library = library
        self.store = store
        self._pages: OrderedDict[tuple[str, int], bytes] = OrderedDict()
        self._lock = threading.Lock()

    def value(self, collection: str, wanted: Wanted) -> dict[str, Any]:
        """UserError when the document is gone."""
        row = self.library.ledger.document(collection, wanted.document)
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
        if row.kind == "pdf" and isinstance(segment.place.get("page"), int):
            value |= self._page(collection, row, segment, wanted.page or int(segment.place["page"]))
            value["blocks"] = [_passage_alone(segment, wanted.mark)]
            return value
        return value | text_around(self.library.originals.text(wanted.document), segment, wanted.mark)

    def png(self, document: str, number: int) -> bytes | None:
        """A page that `value` has drawn, or drawn now; None if there is no such page."""
        with self._lock:
            drawn = self._pages.get((document, number))
        if drawn is not None:
            return drawn
        image = draw(self.library.originals.path(document), number, "")
        return image.png if image else None

    def _page(self, collection: str, row: DocumentRow, segment: Segment, number: int) -> dict[str, Any]:
        own = number == segment.place.get("page")
        image = draw(self.library.originals.path(row.document), number, segment.text if own else "")
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


def text_around(extraction: Extraction, segment: Segment, mark: tuple[int, int] | None) -> dict[str, Any]:
    """The units around the segment as blocks of lines, the passage in tone 1 and its closest sentence in tone 2."""
    first, last = max(0, segment.start - AROUND), segment.end + AROUND
    tones = _tones(segment, mark)
    blocks = []
    for unit, start in zip(extraction.units, extraction.unit_starts(), strict=True):
        end = start + len(unit.text)
        if end <= first or start >= last:
            continue
        lines = _lines(unit.text, start, max(first, start), min(last, end), tones, segment)
        row = "row" in unit.place or "time" in unit.place  # short units are shown beside their place, one a line
        label = describe_place(unit.place)
        said = unit.text.lstrip().startswith(label)  # a section that begins with its own heading
        blocks.append({"label": "" if said else label, "row": row, "lines": lines})
    return {"blocks": blocks, "cut_before": first > 0, "cut_after": last < len(extraction.text)}


def _pair(value: object) -> tuple[int, int] | None:
    if isinstance(value, list) and len(value) == 2 and all(isinstance(one, int) for one in value):
        return value[0], value[1]
    return None


def is_document_id(value: object) -> bool:
    return isinstance(value, str) and len(value) == 32 and all(letter in "0123456789abcdef" for letter in value)


def _tones(segment: Segment, mark: tuple[int, int] | None) -> list[tuple[int, int, int]]:
    """(start, end, tone) in the document's text, in order."""
    if mark is None or not 0 <= mark[0] < mark[1] <= len(segment.text):
        return [(segment.start, segment.end, 2)]
    start, end = segment.start + mark[0], segment.start + mark[1]
    return [(segment.start, start, 1), (start, end, 2), (end, segment.end, 1)]


def _lines(
    unit: str, offset: int, first: int, last: int, tones: list[tuple[int, int, int]], segment: Segment
) -> list[dict[str, Any]]:
    """The lines of a unit between two places of the document, each cut where the tone changes."""
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


def _passage_alone(segment: Segment, mark: tuple[int, int] | None) -> dict[str, Any]:
    tones = [(start - segment.start, end - segment.start, tone) for start, end, tone in _tones(segment, mark)]
    return {"label": "", "row": False, "lines": _lines(segment.text, 0, 0, len(segment.text), tones, segment)}
