"""Apple's property lists in their binary form: saved web pages (.webarchive) and settings with words in them."""

from __future__ import annotations

import datetime
import plistlib
from collections import Counter

from indexer.read.limits import Source
from indexer.read.nesting import Inside
from indexer.read.structured import record_text
from labse_search.errors import Unreadable
from labse_search.records import Extraction, Unit

_VALUES = 200_000  # of one list


def read_property_list(source: Source) -> Extraction:
    """A saved page is read as the page, with its frames; any other list as "key: value" lines."""
    try:
        value = plistlib.loads(source.content)
    except (ValueError, OverflowError, RecursionError, plistlib.InvalidFileException) as error:
        raise Unreadable("damaged", f"property list: {type(error).__name__}") from None
    if isinstance(value, dict) and isinstance(value.get("WebMainResource"), dict):
        return _page(source, value)
    text = record_text(_words(value, [_VALUES]))
    return Extraction((Unit(text),) if text else (), "plist")


def _page(source: Source, archive: dict[str, object]) -> Extraction:
    inside = Inside(source)
    waiting = [archive]
    main: Extraction | None = None
    while waiting:
        one = waiting.pop(0)
        found = one.get("WebMainResource")
        page = found if isinstance(found, dict) else {}
        content, kind = page.get("WebResourceData"), str(page.get("WebResourceMIMEType", "text/html"))
        if isinstance(content, bytes) and main is None:
            main = source.read_inside("page", content, kind)
        elif isinstance(content, bytes):
            inside.add("frame", content, kind)
        frames = one.get("WebSubframeArchives")
        waiting += [frame for frame in frames if isinstance(frame, dict)] if isinstance(frames, list) else []
    if main is None:
        raise Unreadable("damaged", "no page inside")
    holds = Counter(main.holds) + inside.holds
    return Extraction((*main.units, *inside.units), "html", main.title, main.encoding,
                      (*main.notes, *inside.notes), holds=holds)  # fmt: skip


def _words(value: object, left: list[int]) -> object:
    """What a person may read of it. `left`: how many values may follow; one may stand in a thousand places."""
    left[0] -= 1
    if left[0] < 0:
        raise Unreadable("too_large", f"more than {_VALUES} values")
    if isinstance(value, dict):
        return {str(key): _words(inner, left) for key, inner in value.items()}
    if isinstance(value, list):
        return [_words(inner, left) for inner in value]
    if isinstance(value, bytes | plistlib.UID):
        return None
    return value.isoformat(" ") if isinstance(value, datetime.datetime) else value
