"""Bodies of requests, read and judged before the framework behind sees them.

Gradio copies every file that a JSON value names ({"path": ..., "meta": {"_type": "gradio.FileData"}}) to its uploads,
whichever input it arrives in and whatever the path: another file of the account, a FIFO that blocks, an address that
is looked up. The page sends files to a route of its own, so a request that names one anywhere is refused whole.
"""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]

FILE_KEYS = frozenset({"path", "_type", "orig_name", "is_stream"})  # Gradio's FileData; no event of the page has them
_HALF = re.compile(r"\\u[dD][89a-fA-F]")  # of a pair of surrogates: alone it is no letter, and no answer can repeat it
PIECE_SECONDS = 30.0  # without a byte of a body that was announced
SLOWEST = 10_000  # bytes a second of a whole body; whoever is slower keeps a connection from others


class Refused(Exception):
    """A body that is not let through: (status, why)."""

    def __init__(self, status: int, why: str) -> None:
        super().__init__(why)
        self.status, self.why = status, why


def check_json(body: bytes) -> None:
    """Refused (400) for what is not JSON of whole letters in UTF-8, and for an object, however deep, that names a
    file."""

    def look(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        # Pairs, not a dict: a key that comes twice is seen twice.
        if any(key in FILE_KEYS for key, _ in pairs):
            raise Refused(400, "Requests do not name files here. Send them to /upload.")
        return dict(pairs)

    if not body:
        return
    try:
        text = body.decode()
        value = json.loads(text, object_pairs_hook=look)
        if _HALF.search(text):
            json.dumps(value, ensure_ascii=False).encode()
    except (ValueError, RecursionError):
        raise Refused(400, "The request is not JSON.") from None


def in_time(receive: Receive, length: int) -> Receive:
    """The same, but a body that stops arriving, or takes far too long, ends as Refused (408)."""
    loop = asyncio.get_running_loop()
    deadline = loop.time() + PIECE_SECONDS + length / SLOWEST
    arrived = False

    async def receive_in_time() -> Message:
        nonlocal arrived
        if arrived:  # what comes now is the end of the connection, which may take as long as the answer
            return await receive()
        try:
            message = await asyncio.wait_for(receive(), min(PIECE_SECONDS, max(0.0, deadline - loop.time())))
        except TimeoutError:
            raise Refused(408, "The request did not arrive in time.") from None
        arrived = message["type"] != "http.request" or not message.get("more_body", False)
        return message

    return receive_in_time


async def whole_body(receive: Receive) -> bytes | None:
    """All of it, or None if the sender went away. Its length was judged by its header."""
    pieces: list[bytes] = []
    while True:
        message = await receive()
        if message["type"] != "http.request":
            return None
        pieces.append(message.get("body", b""))
        if not message.get("more_body", False):
            return b"".join(pieces)


def replayed(body: bytes, receive: Receive) -> Receive:
    """A receive that gives the body in one piece, and then what comes after it."""
    given = False

    async def again() -> Message:
        nonlocal given
        if given:
            return await receive()
        given = True
        return {"type": "http.request", "body": body, "more_body": False}

    return again
