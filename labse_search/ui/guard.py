"""What every request must pass before the page sees it, and what every answer carries.

Pure ASGI, so that streams are not held up. It refuses foreign Hosts (DNS rebinding: 421), foreign Origins and
cross-site requests (403), paths of Gradio that this app does not use (404), bodies that are too large or of unknown
length (413, 411), and floods (429).
"""

from __future__ import annotations

import ipaddress
import socket
import time
from collections.abc import Awaitable, Callable, MutableMapping
from contextvars import ContextVar
from typing import Any
from urllib.parse import urlsplit

from labse_search.ui.users import is_loopback

Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
App = Callable[[Message, Receive, Send], Awaitable[None]]

HEADERS = {
    # Gradio compiles its templates with `new Function`, hence unsafe-eval; no document text ever reaches one.
    "content-security-policy": "default-src 'none'; script-src 'self' 'unsafe-inline' 'unsafe-eval' blob:; "
    "style-src 'self' 'unsafe-inline'; img-src 'self' data: blob:; font-src 'self' data:; connect-src 'self'; "
    "worker-src 'self' blob:; manifest-src 'self'; media-src 'self' blob:; frame-ancestors 'none'; base-uri 'self'; "
    "form-action 'self'; object-src 'none'",
    "x-frame-options": "DENY",
    "x-content-type-options": "nosniff",
    "referrer-policy": "no-referrer",
    "cross-origin-resource-policy": "same-origin",
    "permissions-policy": "camera=(), microphone=(), geolocation=(), payment=(), usb=()",
}
# Browsers know this one only on this computer or over HTTPS, and complain elsewhere.
OPENER = {"cross-origin-opener-policy": "same-origin"}
# Uploaded files are never served back; the rest are features of Gradio that this page does not have.
CLOSED = (
    "/gradio_api/file", "/gradio_api/proxy", "/gradio_api/stream", "/gradio_api/deep_link", "/gradio_api/runs",
    "/gradio_api/dev", "/gradio_api/mcp", "/gradio_api/token", "/gradio_api/process_recording", "/gradio_api/vibe",
    "/gradio_api/monitoring", "/file", "/proxy", "/stream", "/monitoring", "/dev", "/mcp", "/token", "/deep_link",
)  # fmt: skip
UPLOAD = "/gradio_api/upload"
FORM_BYTES = 1 << 20  # what a multipart form may add around one file
BODY_BYTES = 16 << 20  # anything but an upload; the largest is the list of 20,000 uploaded names
RATE, BURST = 60.0, 600  # requests that change something, a second and at once; uploads have their own limits
CLIENTS = 4096  # addresses remembered
# Whose request is being answered; Gradio hands it to nobody who compares a password.
CLIENT: ContextVar[str] = ContextVar("client", default="")


class Guard:
    def __init__(self, app: App, *, host: str, max_file_bytes: int, room: Callable[[], int]) -> None:
        """`room`: bytes that may still be uploaded."""
        self.app = app
        self.names = allowed_names(host)
        self.any_address = not is_loopback(host)
        self.headers = HEADERS if self.any_address else HEADERS | OPENER
        self.max_file_bytes = max_file_bytes
        self.room = room
        self.rates = Rates(RATE, BURST)

    async def __call__(self, scope: Message, receive: Receive, send: Send) -> None:
        if scope["type"] == "websocket":  # the page uses none
            await send({"type": "websocket.close", "code": 1008})
            return
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        CLIENT.set(_client(scope))
        refusal = self.refusal(scope)
        if refusal is not None:
            await self._refuse(send, *refusal)
            return

        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                message = {**message, "headers": self.with_headers(message.get("headers", []))}
            await send(message)

        await self.app(scope, receive, send_with_headers)

    def refusal(self, scope: Message) -> tuple[int, str] | None:
        """(status, why), or None for a request that may pass."""
        headers = {key.decode("latin-1").lower(): value.decode("latin-1") for key, value in scope["headers"]}
        host = headers.get("host", "")
        if not self.knows(host):
            return 421, "This page does not answer under that name."
        origin = headers.get("origin")
        if origin is not None and urlsplit(origin).netloc.lower() != host.lower():
            return 403, "Requests from other pages are refused."
        method, path = scope["method"], scope["path"]
        opened_by_person = method == "GET" and headers.get("sec-fetch-mode") == "navigate"
        if headers.get("sec-fetch-site") in ("cross-site", "same-site") and not opened_by_person:
            return 403, "Requests from other pages are refused."
        if any(path == closed or path.startswith((closed + "/", closed + "=")) for closed in CLOSED):
            return 404, "There is nothing here."
        return None if method in ("GET", "HEAD") else self._body_refusal(scope, headers, path)

    def _body_refusal(self, scope: Message, headers: dict[str, str], path: str) -> tuple[int, str] | None:
        length = headers.get("content-length", "" if "transfer-encoding" in headers else "0")
        if not length.isdecimal():
            return 411, "The length of the request must be given."
        if path.rstrip("/") == UPLOAD:
            if int(length) > self.max_file_bytes + FORM_BYTES:
                return 413, "The file is larger than the limit."
            return (413, "There is no room for more uploads. Start or discard those that wait.") if (
                int(length) > self.room()
            ) else None  # fmt: skip
        if int(length) > BODY_BYTES:
            return 413, "The request is too large."
        return None if self.rates.allow(_client(scope)) else (429, "Too many requests. Wait a moment.")

    def with_headers(self, headers: list[tuple[bytes, bytes]]) -> list[tuple[bytes, bytes]]:
        """Ours are added, but for a stricter policy that a route has set itself."""
        present = {key.lower() for key, _ in headers}
        ours = [(key.encode(), value.encode()) for key, value in self.headers.items() if key.encode() not in present]
        return [*headers, *ours]

    async def _refuse(self, send: Send, status: int, why: str) -> None:
        headers = self.with_headers([(b"content-type", b"text/plain; charset=utf-8")])
        await send({"type": "http.response.start", "status": status, "headers": headers})
        await send({"type": "http.response.body", "body": why.encode()})

    def knows(self, host: str) -> bool:
        """A name of ours; an address in figures too where others may come: rebinding needs a name."""
        try:
            name = (urlsplit("//" + host).hostname or "").lower()
        except ValueError:
            return False
        if name in self.names:
            return True
        try:
            ipaddress.ip_address(name)
        except ValueError:
            return False
        return self.any_address


def _client(scope: Message) -> str:
    return str((scope.get("client") or ("",))[0])


class Rates:
    """A bucket of allowances for each client, refilled with time."""

    def __init__(self, rate: float, burst: int, clock: Callable[[], float] = time.monotonic) -> None:
        self.rate, self.burst, self.clock = rate, burst, clock
        self._left: dict[str, tuple[float, float]] = {}

    def allow(self, client: str) -> bool:
        now = self.clock()
        left, then = self._left.pop(client, (float(self.burst), now))
        left = min(self.burst, left + (now - then) * self.rate)
        if len(self._left) >= CLIENTS:
            self._left.pop(next(iter(self._left)))  # whoever was here longest ago
        self._left[client] = (left - 1 if left >= 1 else left, now)
        return left >= 1


def allowed_names(host: str) -> frozenset[str]:
    """Under which names the page answers: loopback's, and this computer's own where others may come."""
    names = {"127.0.0.1", "localhost", "::1"}
    if not is_loopback(host):
        own = socket.gethostname().lower()
        names |= {own, own.partition(".")[0] + ".local", host.lower()}
    return frozenset(names)
