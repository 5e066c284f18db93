"""What every request must pass before the page sees it, and what every answer carries.

Pure ASGI, so that streams are not held up. It refuses foreign Hosts (DNS rebinding: 421), foreign Origins and
cross-site requests (403), whoever has neither the token nor a session (401), paths that this app does not use (404),
bodies that are too large, of unknown length, late, not JSON or naming files (413, 411, 408, 400), and floods (429).
"""

from __future__ import annotations

import ipaddress
import re
import socket
from collections.abc import Awaitable, Callable
from contextvars import ContextVar
from dataclasses import dataclass
from urllib.parse import urlsplit

from labse_search.ui.access import AccessPolicy
from labse_search.ui.bodies import Message, Receive, Refused, check_json, in_time, replayed, whole_body
from labse_search.ui.rates import Rates
from labse_search.ui.users import is_loopback

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
# Of scripts, styles and pictures, of which a page has seventy: their own policy counts only where they are opened by
# themselves, and then nothing is allowed.
PART_HEADERS = {
    "content-security-policy": "default-src 'none'; frame-ancestors 'none'",
    "x-content-type-options": "nosniff",
    "cross-origin-resource-policy": "same-origin",
}
PARTS = ("/assets/", "/scripts/", "/static/", "/svelte/")
# Browsers know this one only on this computer or over HTTPS, and complain elsewhere.
OPENER = {"cross-origin-opener-policy": "same-origin"}
# What the page uses of Gradio, and our own routes. Everything else that Gradio has, or will have one day, is shut.
OPEN_PATHS = frozenset({
    "/", "/config", "/theme.css", "/favicon.ico", "/robots.txt", "/login", "/gradio_api/info", "/gradio_api/queue/join",
    "/gradio_api/queue/data", "/gradio_api/cancel", "/gradio_api/reset", "/gradio_api/theme.css",
    "/gradio_api/app_id", "/gradio_api/login_check", "/gradio_api/startup-events", "/gradio_api/user",
})  # fmt: skip
OPEN_BELOW = ("/static/", "/assets/", "/svelte/", "/gradio_api/call/", "/gradio_api/run/", "/gradio_api/heartbeat/")
UPLOAD = "/upload"
UPLOAD_BYTES = 64 << 20  # small files travel together
FORMS = ("/login",)  # their bodies are forms, which cannot name files to a component
FORM_BYTES = 64 << 10  # a name and a password: whoever has not signed in may send no more
BODY_BYTES = 16 << 20  # anything but an upload; the largest is the list of 20,000 uploaded names
MOST_IN_A_NAME = 255  # bytes, between two slashes of a path: file systems fail at longer ones
RATE, BURST = 60.0, 600  # requests that change something, a second and at once; uploads have their own limits
# Whose request is being answered; Gradio hands it to nobody who compares a password.
CLIENT: ContextVar[str] = ContextVar("client", default="")


@dataclass(frozen=True)
class Limits:
    """What a guard lets pass: the address listened on, the largest file, and who gives out the room for uploads."""

    host: str
    max_file_bytes: int
    takes: Callable[[int], bool]  # whether so many bytes more may be uploaded
    own: tuple[str, ...]  # routes beside Gradio's; those that end in "/" with all below


class Guard:
    """ASGI middleware before everything else: host names, limits, rates, who may come in, headers."""

    def __init__(self, app: App, limits: Limits, access: AccessPolicy) -> None:
        self.app, self.limits, self.access = app, limits, access
        self.names = allowed_names(limits.host)
        self.any_address = not is_loopback(limits.host)
        self.headers = HEADERS if self.any_address else HEADERS | OPENER
        self.rates = Rates(RATE, BURST)

    async def __call__(self, scope: Message, receive: Receive, send: Send) -> None:
        if scope["type"] == "websocket":  # the page uses none
            await send({"type": "websocket.close", "code": 1008})
            return
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        CLIENT.set(_client(scope))
        started = False

        async def send_with_headers(message: Message) -> None:
            nonlocal started
            if message["type"] == "http.response.start":
                started = True
                message = {**message, "headers": self.with_headers(message.get("headers", []), scope["path"])}
            await send(message)

        try:
            entered = self._enter(scope)
            if entered is not None:
                await entered(scope, receive, send_with_headers)
                return
            judged = await self._judged(scope, receive)
            if judged is not None:
                await self.app(_own_headers(scope), judged, send_with_headers)
        except Refused as refused:
            if not started:
                await self._refuse(send, scope["path"], refused)

    def _enter(self, scope: Message) -> App | None:
        """What answers instead of the page, if anything does: a refusal, or the access policy."""
        refusal = self.refusal(scope)
        if refusal is not None:
            raise Refused(*refusal)
        return self.access.answer(scope)

    async def _judged(self, scope: Message, receive: Receive) -> Receive | None:
        """The request's body for the page behind; None if its sender went away."""
        if scope["method"] in ("GET", "HEAD"):
            return receive
        length = int(_headers(scope).get("content-length", "0"))
        receive = in_time(receive, length)
        if scope["path"] == UPLOAD or scope["path"] in FORMS:
            return receive
        body = await whole_body(receive)
        if body is None:
            return None
        check_json(body)
        return replayed(body, receive)

    def refusal(self, scope: Message) -> tuple[int, str] | None:
        """(status, why), or None for a request that may pass."""
        headers = _headers(scope)
        host = headers.get("host", "")
        if not self.knows(host):
            return 421, "This page does not answer under that name."
        origin = headers.get("origin")
        if origin is not None and _host_of(origin) != host.lower():
            return 403, "Requests from other pages are refused."
        method, path = scope["method"], scope["path"]
        opened_by_person = method == "GET" and headers.get("sec-fetch-mode") == "navigate"
        if headers.get("sec-fetch-site") in ("cross-site", "same-site") and not opened_by_person:
            return 403, "Requests from other pages are refused."
        if not self.has(path):
            return 404, "There is nothing here."
        if method in ("GET", "HEAD"):
            return None
        return self._body_refusal(scope, headers, path) if method == "POST" else (405, "This is only read.")

    def has(self, path: str) -> bool:
        """Whether there is such a path here, with or without a slash at its end, and not longer than names of files."""
        if any(len(part.encode("utf-8", "surrogatepass")) > MOST_IN_A_NAME for part in path.split("/")):
            return False
        own = any(path == one or (one.endswith("/") and path.startswith(one)) for one in self.limits.own)
        return own or path in OPEN_PATHS or path.removesuffix("/") in OPEN_PATHS or path.startswith(OPEN_BELOW)

    def _body_refusal(self, scope: Message, headers: dict[str, str], path: str) -> tuple[int, str] | None:
        length = headers.get("content-length", "" if "transfer-encoding" in headers else "0")
        if not length.isdecimal():
            return 411, "The length of the request must be given."
        if path == UPLOAD:
            if int(length) > max(self.limits.max_file_bytes, UPLOAD_BYTES):
                return 413, "The file is larger than the limit."
            full = not self.limits.takes(int(length))
            return (413, "There is no room for more uploads. Start or discard those that wait.") if full else None
        if int(length) > (FORM_BYTES if path in FORMS else BODY_BYTES):
            return 413, "The request is too large."
        return None if self.rates.allow(_client(scope)) else (429, "Too many requests. Wait a moment.")

    def with_headers(self, headers: list[tuple[bytes, bytes]], path: str) -> list[tuple[bytes, bytes]]:
        """Ours are added, but for a stricter policy that a route has set itself."""
        present = {key.lower() for key, _ in headers}
        wanted = PART_HEADERS if path.startswith(PARTS) else self.headers
        ours = [(key.encode(), value.encode()) for key, value in wanted.items() if key.encode() not in present]
        return [*headers, *ours]

    async def _refuse(self, send: Send, path: str, refused: Refused) -> None:
        headers = self.with_headers([(b"content-type", b"text/plain; charset=utf-8")], path)
        await send({"type": "http.response.start", "status": refused.status, "headers": headers})
        await send({"type": "http.response.body", "body": refused.why.encode()})

    def knows(self, host: str) -> bool:
        """A name of ours; an address in figures too where others may come: rebinding needs a name."""
        found = _HOST.fullmatch(host)
        if found is None:
            return False
        name = (found["name"] or found["address"]).lower()
        if name in self.names:
            return True
        try:
            ipaddress.ip_address(name)
        except ValueError:
            return False
        return self.any_address


# A name or an address, and a port: no user before it and no path after it, which urlsplit would take in.
_HOST = re.compile(r"(?:(?P<name>[A-Za-z0-9._-]+)|\[(?P<address>[0-9A-Fa-f:.]+)\])(?::\d{1,5})?")


def _host_of(origin: str) -> str:
    """Name and port of an Origin; empty for one that is none."""
    try:
        return urlsplit(origin).netloc.lower()
    except ValueError:  # a bracket that is not closed, for one
        return ""


def _headers(scope: Message) -> dict[str, str]:
    return {key.decode("latin-1").lower(): value.decode("latin-1") for key, value in scope["headers"]}


def _own_headers(scope: Message) -> Message:
    """Without what proxies say: the server has believed a configured one already, and nobody else's word counts."""
    kept = [
        (key, value)
        for key, value in scope["headers"]
        if not key.lower().startswith(b"x-forwarded-") and key.lower() not in (b"forwarded", b"x-gradio-server")
    ]
    return {**scope, "headers": kept}


def _client(scope: Message) -> str:
    return str((scope.get("client") or ("",))[0])


def allowed_names(host: str) -> frozenset[str]:
    """Under which names the page answers: loopback's, and this computer's own where others may come."""
    names = {"127.0.0.1", "localhost", "::1"}
    if not is_loopback(host):
        own = socket.gethostname().lower()
        names |= {own, own.partition(".")[0] + ".local", host.lower()}
    return frozenset(names)
