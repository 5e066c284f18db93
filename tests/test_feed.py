"""What open pages are told: what changed and nothing else, and that the app is there, whatever it is busy with."""

from __future__ import annotations

import asyncio
import json
import threading
from typing import Any

from labse_search.ui.feed import Feed


async def events(feed: Feed, count: int) -> list[tuple[str, Any]]:
    """The first so many of a stream: (name, data)."""
    found: list[tuple[str, Any]] = []
    stream = feed.stream("notes", lambda: len(found) >= count)
    async for sent in stream:
        name, data = sent.decode().strip().split("\n")
        found.append((name.removeprefix("event: "), json.loads(data.removeprefix("data: "))))
        if len(found) == count:
            break
    await stream.aclose()  # type: ignore[attr-defined]
    return found


def test_a_page_is_told_everything_once_and_then_what_changed() -> None:
    looks = iter([{"header": 1, "jobs": 1}, {"header": 1, "jobs": 1}])
    feed = Feed(lambda name: next(looks, {"header": 1, "jobs": 2}), beat_seconds=0.001)
    told = [data for name, data in asyncio.run(events(feed, 12)) if name == "state"]
    assert told == [{"collection": "notes", "header": 1, "jobs": 1}, {"collection": "notes", "jobs": 2}]


def test_a_look_that_hangs_holds_up_no_beat() -> None:
    going_on = threading.Event()

    def look(name: str) -> dict[str, Any]:
        going_on.wait(60)
        return {}

    async def run() -> list[tuple[str, Any]]:
        try:
            return await events(Feed(look, beat_seconds=0.001), 3)
        finally:
            going_on.set()

    assert [name for name, _ in asyncio.run(run())] == ["beat", "beat", "beat"]


def test_many_pages_of_one_collection_cost_one_look() -> None:
    looks = []

    def look(name: str) -> dict[str, Any]:
        looks.append(name)
        return {"header": len(looks)}

    async def run() -> None:
        feed = Feed(look, beat_seconds=60.0)
        streams = [feed.stream("notes", lambda: False) for _ in range(5)]
        first = [await anext(stream) for stream in streams]
        assert len(set(first)) == 1
        for stream in streams:
            await stream.aclose()  # type: ignore[attr-defined]

    asyncio.run(run())
    assert looks == ["notes"]
