"""What happens with saved searches. Values in, values out; no gradio here."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any
from urllib.parse import parse_qsl

from labse_search.errors import CollectionMissing
from labse_search.library.searches import SavedSearch, SavedSearches
from labse_search.ui.events import Event
from labse_search.ui.handlers.base import Shared, Value, guarded, sentence
from labse_search.ui.query import Query

DEPTH = 100  # passages of a search that are compared with those of last time


class SavedHandlers:
    """What the list of saved searches, and the button above the answers, ask for."""

    def __init__(self, shared: Shared) -> None:
        self.context = shared.context
        self.searches = shared.saved

    def shown(self, collection: str, message: str = "", **more: Any) -> Value:
        """All saved searches of the collection, each with how many passages are new."""

        def look() -> Value:
            rows = [self._row(collection, one) for one in self.searches.all(collection)]
            return {"searches": rows, "collection": collection, "message": message, "nonce": time.time_ns(), **more}

        return guarded(look, lambda *failed: {"searches": [], "collection": collection, "message": sentence(*failed)})

    def toggle(self, collection: str, query: Query) -> Value:
        """Save the search, or take it off the list where it is saved."""

        def act() -> Value:
            there = saved_as(self.searches, collection, query)
            if there is not None:
                self.searches.drop(collection, there.id)
            elif query.question:
                self.searches.keep(collection, query.address(), query.question, self._found(collection, query))
            return {"saved": there is None and bool(query.question)}

        return self._then_shown(act, collection)

    def open(self, collection: str, event: Event) -> Value:
        """The search is opened: the value names its address, and what is found now is seen."""

        def act() -> Value:
            wanted = next((one for one in self.searches.all(collection) if one.id == event.text("id")), None)
            if wanted is None:
                return {}
            self.searches.open(collection, wanted.id, self._found(collection, _query(wanted)))
            return {"go": wanted.address}

        return self._then_shown(act, collection)

    def drop(self, collection: str, event: Event) -> Value:
        """The search is taken off the list."""

        def act() -> Value:
            self.searches.drop(collection, event.text("id"))
            return {}

        return self._then_shown(act, collection)

    def _row(self, collection: str, one: SavedSearch) -> Value:
        query = _query(one)
        chips = [chip for chip in query.chips({}) if chip["name"] != "documents"]
        row = {"id": one.id, "question": one.question, "opened": one.opened, "chips": chips, "problem": ""}

        def count() -> Value:
            seen = set(one.seen)
            return row | {"new": sum(passage not in seen for passage in self._found(collection, query))}

        return guarded(count, lambda *failed: row | {"new": 0, "problem": sentence(*failed)})

    def _found(self, collection: str, query: Query) -> list[str]:
        """The passages that are at least related, as DOCUMENT.INDEX."""
        try:
            searcher = self.context.searcher(collection)
        except CollectionMissing:
            return []
        answer = searcher.search(
            query.question,
            mode=query.how,
            intent=query.intent,
            limit=DEPTH,
            where=query.filter(time.time()),
            other_languages_only=query.only_other,
            steers=query.steers,
            group=False,
            mark=False,
            refine=False,
        )
        return [f"{hit.stored.document}.{hit.stored.segment.index}" for hit in answer.hits if hit.strength != "far"]

    def _then_shown(self, act: Callable[[], Value], collection: str) -> Value:
        return guarded(
            lambda: self.shown(collection, **act()), lambda *failed: self.shown(collection, sentence(*failed))
        )


def saved_as(searches: SavedSearches, collection: str, query: Query) -> SavedSearch | None:
    """The saved search that asks what `query` asks, however its address was written then."""
    return next((one for one in searches.all(collection) if _query(one).address() == query.address()), None)


def _query(one: SavedSearch) -> Query:
    return Query.from_address(dict(parse_qsl(one.address)))
