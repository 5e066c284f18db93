"""Who comes in: whoever has the token of this page, whoever has signed in, or everybody.

On this computer's own address a token keeps other accounts of the computer out, as in Jupyter: it stands in the address
that the app prints, moves into a cookie at the first visit, and lies in the home, so that an open tab or a bookmark
still works after the next start. On other addresses people sign in.
"""

from __future__ import annotations

import hmac
import logging
import secrets
from collections.abc import Awaitable, Callable, MutableMapping
from http.cookies import CookieError, SimpleCookie
from pathlib import Path
from typing import Any, Protocol
from urllib.parse import parse_qsl, quote, urlencode

from labse_search.errors import UserError
from labse_search.files import write_private
from labse_search.ui.bodies import Message, Refused
from labse_search.ui.users import Users

Answer = Callable[[Message, Any, Callable[[Message], Awaitable[None]]], Awaitable[None]]

COOKIE_SECONDS = 365 * 86400
# Open to all: whether the app is there at all, and what Gradio's sign-in page needs. None of it tells about documents.
LOCALE = "/locale.json"
# What makes the page an app of the desktop (desktop.py): fetched without a cookie.
DESKTOP = frozenset(
    {"/manifest.webmanifest", "/worker.js", "/shell", "/icon-192.png", "/icon-512.png", "/icon-maskable.png"}
)
FOR_ALL = frozenset({"/healthz", "/favicon.ico", "/robots.txt", LOCALE, *DESKTOP})
SIGN_IN = frozenset({"/", "/login", "/login/", "/theme.css", "/gradio_api/theme.css"})
SIGN_IN_BELOW = ("/assets/", "/static/", "/svelte/")
log = logging.getLogger("labse_search.ui")


class AccessPolicy(Protocol):
    """Decides whether a request may come in."""

    def answer(self, scope: Message) -> Answer | None:
        """None for a request that may come in, or what answers in its place. Refused for one that may not."""


class OpenAccess:
    """Lets everybody in."""

    def answer(self, scope: Message) -> Answer | None:
        """None: whoever asks may come in."""
        return None


class TokenAccess:
    """The token in a cookie, in `Authorization: Bearer`, or once in the address as `?token=`."""

    def __init__(self, token: str) -> None:
        self._token = token

    def answer(self, scope: Message) -> Answer | None:
        """Lets in whoever knows the token, by address, cookie or header, and answers the address with a cookie."""
        if scope["path"] in FOR_ALL:
            return None
        headers = dict(scope["headers"])
        query = parse_qsl(scope.get("query_string", b"").decode("latin-1"), keep_blank_values=True)
        given = dict(query).get("token", "")
        if given and scope["method"] == "GET" and self._fits(given):
            return self._welcome(scope, [pair for pair in query if pair[0] != "token"])
        bearer = headers.get(b"authorization", b"").decode("latin-1").removeprefix("Bearer ")
        if self._fits(cookies(scope).get(cookie_name(scope), "")) or self._fits(bearer):
            return None
        raise Refused(401, "Open the address that the app printed when it started. It ends in ?token=…")

    def _fits(self, given: str) -> bool:
        return hmac.compare_digest(given.encode(), self._token.encode())

    def _welcome(self, scope: Message, query: list[tuple[str, str]]) -> Answer:
        """To the same address without the token: it would stay in the history and in bookmarks."""
        where = quote(scope["path"]) + ("?" + urlencode(query) if query else "")
        cookie = f"{cookie_name(scope)}={self._token}; Path=/; Max-Age={COOKIE_SECONDS}; HttpOnly; SameSite=Lax"
        headers = [(b"location", where.encode()), (b"set-cookie", cookie.encode()), (b"cache-control", b"no-store")]

        async def answer(_scope: Message, _receive: Any, send: Callable[[Message], Awaitable[None]]) -> None:
            await send({"type": "http.response.start", "status": 303, "headers": headers})
            await send({"type": "http.response.body", "body": b""})

        return answer


class SessionAccess:
    """The sessions that Gradio's sign-in gives out. One ends when its person is removed or has a new password."""

    def __init__(self, tokens: MutableMapping[str, str], cookie_id: str, users: Users) -> None:
        """`tokens`: Gradio's table of session → name, which it reads too."""
        self._tokens, self._users = tokens, users
        self._names = tuple(f"{kind}-{cookie_id}" for kind in ("access-token", "access-token-unsecure"))
        self._hashes: dict[str, str] = {}  # of each session: the password it was opened with

    def answer(self, scope: Message) -> Answer | None:
        """Lets in who signed in, and everybody to the page for signing in."""
        path = scope["path"]
        inside = self._is_open(scope)  # asked first: it ends sessions that must not go on
        if inside or path in FOR_ALL or path in SIGN_IN or path.startswith(SIGN_IN_BELOW):
            return None
        raise Refused(401, "Sign in first.")

    def sign_out(self, scope: Message) -> list[str]:
        """Ends the session of that request. The cookies to delete."""
        for token in self._sessions(scope):
            self._tokens.pop(token, None)
            self._hashes.pop(token, None)
        return list(self._names)

    def _is_open(self, scope: Message) -> bool:
        try:
            users = self._users.current()
        except UserError as error:
            log.warning("%s", error)
            raise Refused(503, "Nobody can sign in: the file of users is damaged. The log says more.") from None
        found = False
        for token in self._sessions(scope):
            stored = users.get(self._tokens.get(token, ""))
            if stored is not None and self._hashes.setdefault(token, stored) == stored:
                found = True
            else:
                self._tokens.pop(token, None)
                self._hashes.pop(token, None)
        return found

    def _sessions(self, scope: Message) -> set[str]:
        sent = cookies(scope)
        return {sent[name] for name in self._names if name in sent}


def cookies(scope: Message) -> dict[str, str]:
    """The request's, by name; none if the header is broken."""
    header = "; ".join(value.decode("latin-1") for key, value in scope["headers"] if key == b"cookie")
    try:
        return {name: morsel.value for name, morsel in SimpleCookie(header).items()}
    except CookieError:
        return {}


def cookie_name(scope: Message) -> str:
    """With the port: pages on other ports of this computer share the jar."""
    host = dict(scope["headers"]).get(b"host", b"").decode("latin-1")
    port = host.rpartition(":")[2]
    return f"labse-token-{port if port.isdecimal() else '80'}"


def page_token(home: Path) -> str:
    """The token of this home, made at the first start; delete HOME/page-token for a new one."""
    file = home / "page-token"
    try:
        found = file.read_text(encoding="ascii", errors="replace").strip()
    except FileNotFoundError:
        found = ""
    if len(found) >= 32 and found.isascii():
        return found
    home.mkdir(parents=True, exist_ok=True)
    token = secrets.token_urlsafe(32)
    write_private(file, token.encode())
    return token
