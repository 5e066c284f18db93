"""What happens with watched folders. Values in, values out; no gradio here."""

from __future__ import annotations

import math
from collections.abc import Callable
from pathlib import Path

from indexer.watching import News, Watched, Watching
from labse_search.errors import UserError
from labse_search.ui.events import Event
from labse_search.ui.handlers.base import Shared, Value, guarded, sentence
from labse_search.ui.strings import text

NAMES = 5  # shown of one line of news
PENDING = 50  # files that are about to leave, shown of one folder


class WatchHandlers:
    """What the page does with watched folders."""

    def __init__(self, shared: Shared) -> None:
        self.shared = shared
        self.context = shared.context

    def shown(self, collection: str, message: str = "") -> Value:
        """The watched folders of a collection; none where others than this computer's people look at the page."""

        def look() -> Value:
            watching = self.context.watching if self.context.local else None
            folders = [_shown(one) for one in watching.watched(collection)] if watching else []
            return {"collection": collection, "folders": folders, "message": message}

        return guarded(look, lambda *failed: {"collection": collection, "folders": [], "message": sentence(*failed)})

    def add(self, collection: str, event: Event) -> Value:
        """Keep the collection in step with a folder of this computer, where only this computer can ask."""

        def act(watching: Watching) -> None:
            path = Path(event.text("place")).expanduser()
            if not path.is_absolute():
                raise UserError(text("path_relative"))
            watching.add(collection, path)

        return self._acted(collection, act)

    def stop(self, collection: str, event: Event) -> Value:
        """Watch the folder no longer. The folders then."""
        return self._acted(collection, lambda watching: watching.drop(collection, Path(event.text("folder"))))

    def keep(self, collection: str, event: Event) -> Value:
        """Keep these files that are gone, or all that were said to leave."""
        folder, names = Path(event.text("folder")), event.texts("names")
        return self._acted(collection, lambda watching: watching.keep(collection, folder, names or None))

    def remove_now(self, collection: str, event: Event) -> Value:
        """Remove what is gone from the folder without waiting; all of it if no names are given."""
        folder, names = Path(event.text("folder")), event.texts("names")
        return self._acted(collection, lambda watching: watching.remove_now(collection, folder, names or None))

    def _acted(self, collection: str, act: Callable[[Watching], None]) -> Value:
        def done() -> Value:
            if self.context.watching is None or not self.context.local:
                raise UserError(text("path_missing"))
            act(self.context.watching)
            return self.shown(collection)

        return guarded(done, lambda *failed: self.shown(collection, sentence(*failed)))


def _shown(one: Watched) -> Value:
    leaving = sorted(one.pending.items(), key=lambda item: (item[1], item[0]))
    return {
        "folder": str(one.folder),
        "state": one.state,
        "held": sum(seconds == math.inf for _, seconds in leaving),
        "leaving": len(leaving),
        # Rounded up to tens: a value that changed every second would be told every second.
        "pending": [
            {"name": name, "seconds": None if seconds == math.inf else 10 * math.ceil(seconds / 10)}
            for name, seconds in leaving[:PENDING]
        ],
        "news": [_line(news) for news in one.news],
    }


def _line(news: News) -> Value:
    return {"at": news.at, "what": news.what, "n": len(news.names), "names": list(news.names[:NAMES])}
