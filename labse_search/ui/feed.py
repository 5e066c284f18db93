"""What open pages are told without asking: one stream a page, as server-sent events, with what has changed.

A page that asked every second sent 3,600 requests an hour, and noticed late that the app had gone. An open connection
ends in the moment the app does. However many pages look at a collection, it is looked up once a second.
"""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import AsyncIterator, Callable
from typing import Any

from fastapi.concurrency import run_in_threadpool

BEAT_SECONDS = 1.0
STREAMS = 256  # at once; who comes later is told to come again


class Feed:
    """Tells the pages that look at a collection when something about it has changed."""

    def __init__(self, look: Callable[[str], dict[str, Any]], beat_seconds: float = BEAT_SECONDS) -> None:
        """`look`: everything that pages of a collection show of its state, by part; called in a thread."""
        self._look = look
        self._beat = beat_seconds
        self._looks: dict[str, tuple[float, asyncio.Task[dict[str, Any]]]] = {}
        self._open = 0

    @property
    def is_full(self) -> bool:
        """Whether no further page is told: it asks from time to time instead."""
        return self._open >= STREAMS

    async def stream(self, collection: str, stopping: Callable[[], bool]) -> AsyncIterator[bytes]:
        """Events until `stopping` or until the reader goes: "state" with the parts that changed, all of them at first,
        and "beat" each second, also while a look takes longer."""
        told: dict[str, Any] = {}
        self._open += 1
        try:
            while not stopping():
                look = self._latest(collection)
                await asyncio.wait([look], timeout=self._beat)
                if look.done():
                    found = look.result()
                    changed = {name: value for name, value in found.items() if told.get(name) != value}
                    told = found
                    if changed:
                        yield _event("state", {"collection": collection, **changed})
                yield _event("beat", None)
                await asyncio.sleep(self._beat)
        finally:
            self._open -= 1

    def _latest(self, collection: str) -> asyncio.Task[dict[str, Any]]:
        """The look that is under way or fresh, else a new one."""
        now = time.monotonic()
        if collection in self._looks:
            begun, task = self._looks[collection]
            if not task.done() or now - begun < self._beat / 2:
                return task
        self._looks = {name: one for name, one in self._looks.items() if not one[1].done()}
        task = asyncio.create_task(run_in_threadpool(self._look, collection))
        self._looks[collection] = (now, task)
        return task


def _event(name: str, value: object) -> bytes:
    return f"event: {name}\ndata: {json.dumps(value, ensure_ascii=False)}\n\n".encode()
