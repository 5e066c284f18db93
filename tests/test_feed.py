"""What open pages are told: what changed and nothing else, and that the app is there, whatever it is busy with."""

from __future__ import annotations

import asyncio
import json
import threading
from collections.abc import Callable
from typing import Any

from labse_search.ui.feed import Feed

Told = list[tuple[str, Any]]


async def events(feed: Feed, enough: Callable[[Told], bool]) -> Told:
    """Those of a stream until there are enough: (name, data)."""
    found: Told = []
    stream = feed.stream("notes", lambda: False)
    async for sent in stream:
        name, data = sent.decode().strip().split("\n")
        found.append((name.removeprefix("event: "), json.loads(data.removeprefix("data: "))))
        if enough(found):
            break
    await stream.aclose()  # type: ignore[attr-defined]
    return found


def test_a_page_is_told_everything_once_and_then_what_changed() -> None:
    looks = iter([{"header": 1, "jobs": 1}, {"header": 1, "jobs": 1}, *[{"header": 1, "jobs": 2}] * 3])
    over: list[str] = []

    def look(name: str) -> dict[str, Any]:
        found = next(looks, None)
        over.extend([] if found else ["over"])
        return found or {"header": 1, "jobs": 2}

    sent = asyncio.run(events(Feed(look, beat_seconds=0.001), lambda found: bool(over)))
    told = [data for name, data in sent if name == "state"]
    assert told == [{"collection": "notes", "header": 1, "jobs": 1}, {"collection": "notes", "jobs": 2}]


def test_a_look_that_hangs_holds_up_no_beat() -> None:
    going_on = threading.Event()

    def look(name: str) -> dict[str, Any]:
        going_on.wait(60)
        return {}

    async def run() -> list[tuple[str, Any]]:
        try:
            return await events(Feed(look, beat_seconds=0.001), lambda found: len(found) == 3)
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
