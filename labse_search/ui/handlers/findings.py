"""What happens with passages that are kept. Values in, values out; no gradio here."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import asdict
from typing import Any
from urllib.parse import urlencode

from labse_search.errors import UserError
from labse_search.library.findings import Finding
from labse_search.places import describe_place
from labse_search.records import Filter
from labse_search.ui.cards import title
from labse_search.ui.events import Event
from labse_search.ui.handlers.base import Shared, Value, looked, sentence, then_shown
from labse_search.ui.query import MAX_QUESTION
from labse_search.ui.strings import text


class FindingsHandlers:
    """What the page does with kept passages."""

    def __init__(self, shared: Shared) -> None:
        self.context = shared.context
        self.findings = shared.findings

    def shown(self, collection: str, message: str = "") -> Value:
        """All findings of the collection, for findings.js and for the stars on cards."""

        def look() -> Value:
            rows = [asdict(one) | {"tags": list(one.tags)} for one in self.findings.all(collection)]
            return {"findings": rows, "message": message}

        value = looked(look, lambda *failed: {"findings": [], "message": sentence(*failed)})
        return value | {"collection": collection}

    def keep(self, collection: str, event: Event) -> Value:
        """Keep the passage that the event names, as the store has it. What is kept then."""

        def add() -> None:
            document, index = _passage(event)
            where = Filter(documents=(document,), indexes=(index,))
            stored = next(iter(self.context.store.segments(collection, where)), None)
            if stored is None:
                raise UserError(text("gone"))
            segment, mark = stored.segment, event.pair("mark")
            start, end = mark if mark and 0 <= mark[0] < mark[1] <= len(segment.text) else (0, len(segment.text))
            finding = Finding(
                document=document,
                index=index,
                title=title(stored.names),
                place=describe_place(segment.place),
                language=segment.language,
                text=segment.text,
                sentence=segment.text[start:end].strip(),
                question=event.text("question")[:MAX_QUESTION],
            )
            self.findings.keep(collection, finding)

        return then_shown(add, self.shown, collection)

    def annotate(self, collection: str, event: Event) -> Value:
        """Change the note or the tags, whichever the event holds. What is kept then."""

        def write() -> None:
            document, index = _passage(event)
            note = event.text("note") if event.has("note") else None
            tags = event.texts("tags") if event.has("tags") else None
            self.findings.annotate(collection, document, index, note=note, tags=tags)

        return then_shown(write, self.shown, collection)

    def drop(self, collection: str, event: Event) -> Value:
        """Keep the passage no longer. What is kept then."""
        return then_shown(lambda: self.findings.drop(collection, *_passage(event)), self.shown, collection)

    def rows(self, collection: str, address: str) -> list[Mapping[str, Any]]:
        """For an export: `address` of the page is the start of the links."""
        return [
            {
                "text": one.text,
                "sentence": one.sentence,
                "title": one.title,
                "place": one.place,
                "language": one.language,
                "question": one.question,
                "note": one.note,
                "tags": list(one.tags),
                "kept": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(one.kept)),
                "link": link(address, collection, one.document, one.index),
            }
            for one in self.findings.all(collection)
        ]


def link(address: str, collection: str, document: str, index: int) -> str:
    """The page's address that opens a passage."""
    return f"{address}?{urlencode({'collection': collection, 'view': f'{document}.{index}'})}"


def _passage(event: Event) -> tuple[str, int]:
    document, index = event.document(), event.number("index")
    if not document or index is None:
        raise UserError(text("gone"))
    return document, index
