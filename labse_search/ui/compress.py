"""What is text goes over the wire compressed, and files whose names say their content once.

Gradio compresses its own scripts at Brotli's level 4 and nothing else; the page itself came as 190 kB. Level 5 takes
3 ms for the page; level 11 makes 9 % less of it in 60 times the time, so files that never change are packed again at
that level after they were first given out, and kept in the cache folder for the next starts.
"""

from __future__ import annotations

import gzip
import logging
from collections.abc import Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import brotli

from labse_search.files import written_whole
from labse_search.ui.bodies import Message, Receive

Send = Callable[[Message], Awaitable[None]]
App = Callable[[Message, Receive, Send], Awaitable[None]]

LEVEL, BEST = 5, 11
SMALLEST = 500  # bytes: less fits in a packet with its headers anyway
# Answers that end; a stream of events does not.
TEXTS = ("text/html", "text/css", "text/javascript", "application/javascript", "application/json", "image/svg+xml",
         "application/manifest+json")  # fmt: skip
NAMED_BY_CONTENT = ("/assets/", "/scripts/")
NEEDLESS = (b"cache-control", b"etag", b"last-modified", b"accept-ranges")  # of what never changes
KEEP = b"private, max-age=31536000, immutable"


log = logging.getLogger("labse_search.ui")


class Compress:
    """ASGI: around the page, inside the guard."""

    def __init__(self, app: App, folder: Path) -> None:
        """`folder`: where files that were packed well are kept."""
        self.app = app
        self._folder = folder
        self._packed: dict[tuple[str, str], bytes] = {}  # of files named by their content: (path, encoding)
        self._packing = ThreadPoolExecutor(1, "packing")

    async def __call__(self, scope: Message, receive: Receive, send: Send) -> None:
        encoding = _accepted(scope) if scope["type"] == "http" and scope["method"] in ("GET", "POST") else ""
        if not encoding:
            await self.app(scope, receive, send)
            return
        plain = [(key, value) for key, value in scope["headers"] if key.lower() != b"accept-encoding"]
        answer = _Answer(send, lambda body: self._pack(scope["path"], encoding, body), encoding)
        if scope["path"].startswith(NAMED_BY_CONTENT):
            answer.lasting = True
        await self.app({**scope, "headers": plain}, receive, answer.take)

    def _pack(self, path: str, encoding: str, body: bytes) -> bytes:
        if not path.startswith(NAMED_BY_CONTENT):
            return pack(body, encoding)
        key = (path, encoding)
        if key not in self._packed:
            kept = self._folder / f"{path.rpartition('/')[2]}.{encoding}"
            if kept.is_file():
                self._packed[key] = kept.read_bytes()
            else:
                self._packed[key] = pack(body, encoding)
                if encoding == "br":
                    self._packing.submit(self._pack_well, key, body, kept)
        return self._packed[key]

    def _pack_well(self, key: tuple[str, str], body: bytes, kept: Path) -> None:
        try:
            packed = pack(body, key[1], BEST)
            with written_whole(kept) as file:
                file.write(packed)
        except OSError as error:  # the disk is full, or somebody else's: what is packed already will do
            log.warning("%s could not be kept: %s", kept, error)
            return
        self._packed[key] = packed


class _Answer:
    """Holds back an answer of text until it is whole; every other one passes as it comes."""

    def __init__(self, send: Send, pack: Callable[[bytes], bytes], encoding: str) -> None:
        self._send, self._pack, self._encoding = send, pack, encoding
        self._start: Message = {}
        self._parts: list[bytes] = []
        self.lasting = False

    async def take(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            if message["status"] == 200 and self.lasting:
                kept = [(key, value) for key, value in message["headers"] if key.lower() not in NEEDLESS]
                message = {**message, "headers": [*kept, (b"cache-control", KEEP)]}
            if message["status"] == 200 and _is_text(message):
                self._start = message
                return
        if not self._start:
            await self._send(message)
            return
        self._parts.append(message.get("body", b""))
        if not message.get("more_body", False):
            await self._whole(b"".join(self._parts))

    async def _whole(self, body: bytes) -> None:
        headers = [(key, value) for key, value in self._start["headers"] if key.lower() != b"content-length"]
        headers.append((b"vary", b"accept-encoding"))
        if len(body) >= SMALLEST:
            body = self._pack(body)
            headers.append((b"content-encoding", self._encoding.encode()))
        headers.append((b"content-length", str(len(body)).encode()))
        await self._send({**self._start, "headers": headers})
        await self._send({"type": "http.response.body", "body": body})


def pack(body: bytes, encoding: str, level: int = LEVEL) -> bytes:
    """`encoding`: "br" or "gzip"; `level` is Brotli's."""
    packed: bytes = brotli.compress(body, quality=level) if encoding == "br" else gzip.compress(body, 6, mtime=0)
    return packed


def _accepted(scope: Message) -> str:
    sent = b",".join(value for key, value in scope["headers"] if key.lower() == b"accept-encoding").decode("latin-1")
    wanted = {part.strip().lower() for part in sent.split(",")}
    return next((one for one in ("br", "gzip") if one in wanted), "")


def _is_text(start: Message) -> bool:
    headers = {key.lower(): value.decode("latin-1") for key, value in start["headers"]}
    return b"content-encoding" not in headers and headers.get(b"content-type", "").partition(";")[0] in TEXTS
