"""What happens with the map of a collection. Values in, values out; no gradio here."""

from __future__ import annotations

import threading
import time
from collections.abc import Sequence
from typing import cast

import numpy as np

from labse_search.errors import CollectionMissing, UserError
from labse_search.library import Action
from labse_search.map import PassageMap, find_changes, load_map
from labse_search.map.file import map_file
from labse_search.map.job import FEWEST, KIND, add_map_job
from labse_search.map.passages import MOST
from labse_search.places import describe_place
from labse_search.records import point_id
from labse_search.ui.cards import title
from labse_search.ui.events import Event
from labse_search.ui.handlers.base import Shared, Value, guarded, sentence, then_shown
from labse_search.ui.handlers.jobs import newest_job
from labse_search.ui.strings import text

MUCH = 0.2  # of the map: from so large a share of changes on it is better computed anew
SPAN = 10_000  # positions are sent as whole numbers up to this
MOST_PASSAGES = 40  # told of at once
KEPT = 2  # maps in memory, the last that were asked for: 10 MB of 50,000 passages


class MapHandlers:
    """What the part about the map asks for."""

    def __init__(self, shared: Shared) -> None:
        self.context = shared.context
        self._maps: dict[tuple[str, int], PassageMap] = {}
        self._lock = threading.Lock()

    def shown(self, collection: str, message: str = "") -> Value:
        """Whether there is a map, what has changed since, and the job that makes one."""

        def look() -> Value:
            return {
                "job": newest_job(self.context, collection, KIND),
                "few": self._has_few(collection),
                "least": FEWEST,
            }

        value: Value = {"message": message}
        for part in (look, lambda: self._state(collection)):
            value |= guarded(part, lambda *failed: {"message": sentence(*failed)})
        return value | {"collection": collection, "nonce": time.time_ns()}

    def make(self, collection: str, event: Event) -> Value:
        """Compute the map as a job, or add to it what came since."""

        def begin() -> None:
            library, store = self.context.library, self.context.store
            add_map_job(library, store, collection, anew=event.text("anew") == "yes")
            self.context.wake()

        return then_shown(begin, self.shown, collection)

    def request(self, collection: str, event: Event) -> Value:
        """Cancel the job, or try it again."""

        def ask() -> None:
            if event.text("job") and event.text("action") in ("", "cancel"):
                self.context.library.ask(event.text("job"), cast(Action, event.text("action")))
                self.context.wake()

        return then_shown(ask, self.shown, collection)

    def points(self, collection: str, stamp: str) -> Value:
        """All of the map that is drawn: a number a passage in each list. UserError where it is gone."""
        known = self._stamped(collection, stamp)
        low, high = known.positions.min(axis=0), known.positions.max(axis=0)
        scale = SPAN / max(float((high - low).max()), 1e-6)
        low = (high + low) / 2 - SPAN / scale / 2  # in the middle, also of the shorter side
        x, y = np.rint((known.positions - low) * scale).astype(int).T
        columns = {"language": known.languages, "kind": known.kinds, "folder": known.folders}
        return {
            "x": x.tolist(),
            "y": y.tolist(),
            "topic": known.groups.tolist(),
            **{name: {"values": column.values, "of": column.of.tolist()} for name, column in columns.items()},
            "topics": [
                {
                    "number": topic.number, "size": topic.size, "terms": topic.terms,
                    "x": round((topic.x - float(low[0])) * scale), "y": round((topic.y - float(low[1])) * scale),
                }
                for topic in known.topics
            ],
        }  # fmt: skip

    def passages(self, collection: str, stamp: str, rows: Sequence[int]) -> list[Value]:
        """What stands at these places of the map; nothing of passages that are gone by now."""
        known = self._stamped(collection, stamp)
        asked = [row for row in rows[:MOST_PASSAGES] if 0 <= row < len(known)]
        points = {
            row: point_id(known.documents.values[known.documents.of[row]], int(known.indexes[row])) for row in asked
        }
        found = self.context.store.by_point(collection, list(points.values()))
        return [
            {
                "row": row, "document": stored.document, "index": stored.segment.index, "title": title(stored.names),
                "place": describe_place(stored.segment.place), "lang": stored.segment.language,
                "text": stored.segment.text,
            }
            for row in asked
            if (stored := found.get(points[row])) is not None
        ]  # fmt: skip

    def rows(self, collection: str, stamp: str, passages: Sequence[str]) -> list[int]:
        """Where on the map these passages lie ("DOCUMENT.INDEX"); those that are not on it are left out."""
        known = self._stamped(collection, stamp)
        named = [one.partition(".") for one in passages[:MOST_PASSAGES]]
        keys = [(document, int(index)) for document, _, index in named if index.isdecimal() and len(index) < 10]
        return [known.rows[key] for key in keys if key in known.rows]

    def known(self, collection: str) -> PassageMap | None:
        """The collection's map, kept in memory while its file stays. UserError for a damaged file."""
        home = self.context.settings.home
        file = map_file(home, collection)
        if not file.exists():
            return None
        key = (file.name, file.stat().st_mtime_ns)
        with self._lock:
            if key not in self._maps:
                loaded = load_map(home, collection)
                if loaded is None:
                    return None
                kept = [(old, one) for old, one in self._maps.items() if old[0] != file.name][-(KEPT - 1) :]
                self._maps = {**dict(kept), key: loaded}
            return self._maps[key]

    def _state(self, collection: str) -> Value:
        """The map there is, and what it doesn't know yet."""
        known = self.known(collection)
        if known is None:
            return {}
        changes = find_changes(self.context.library, known)
        much = changes.added + changes.gone > MUCH * len(known) or known.added > MUCH * len(known)
        state = {"stamp": known.stamp, "shown": len(known), "much": much}
        state["all"] = known.passages if known.passages > MOST else len(known)  # all but those that say nothing
        return {"map": state | {name: getattr(changes, name) for name in ("added", "gone", "generation")}}

    def _stamped(self, collection: str, stamp: str) -> PassageMap:
        known = self.known(collection)
        if known is None or known.stamp != stamp:
            raise UserError(text("map_replaced"))
        return known

    def _has_few(self, collection: str) -> bool:
        try:
            return self.context.store.info(collection).segments < FEWEST
        except CollectionMissing:
            return True
