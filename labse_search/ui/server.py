"""The web server around the page: uvicorn, made to outlive clients that send half of a request and go on to the next.

uvicorn waits for the rest of a request's head for ever, and every connection takes a descriptor: 1,100 of them ended
the server for good. Here a head has seconds to arrive, connections have a limit below the limit of descriptors, one
address may hold half of them, and nothing that is logged can raise inside the event loop.
"""

from __future__ import annotations

import asyncio
import logging
import socket
from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import Any

import h11
import uvicorn
from uvicorn.protocols.http.h11_impl import H11Protocol

RESERVE = 96  # descriptors that the files of the app itself may take
WANTED_DESCRIPTORS = 8192
FAILED_TO_START = 3  # exit status, as uvicorn's own


@dataclass(frozen=True)
class Patience:
    """How long and for how many a server waits."""

    head_seconds: float = 10.0  # for the head of a request, from the connection or from its first byte
    connections: int = 1000  # at most; fewer where the process may not open as many files


class PatientProtocol(H11Protocol):
    """H11Protocol that closes a connection on which no whole head arrives in time, or one too many."""

    patience = Patience()  # `serve` makes a class with its own
    _late: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Closes the connection at once where there are too many, in all or from one address."""
        super().connection_made(transport)
        if len(self.connections) > self.patience.connections or self._share() > self.patience.connections // 2:
            transport.abort()
            return
        self._expect_head()

    def data_received(self, data: bytes) -> None:
        """Begins to wait for the next head once a request has been answered."""
        super().data_received(data)
        if self.conn.their_state is h11.IDLE and not self.transport.is_closing():
            if self._late is None:
                self._expect_head()
        else:
            self._stop_waiting()

    def connection_lost(self, exc: Exception | None) -> None:
        """Waits for nothing any more."""
        self._stop_waiting()
        super().connection_lost(exc)

    def _expect_head(self) -> None:
        self._late = self.loop.call_later(self.patience.head_seconds, self._give_up)

    def _stop_waiting(self) -> None:
        if self._late is not None:
            self._late.cancel()
            self._late = None

    def _give_up(self) -> None:
        self._late = None
        if self.conn.their_state is h11.IDLE and not self.transport.is_closing():
            self.transport.abort()

    def _share(self) -> int:
        """Connections of the same address, this one among them."""
        mine = self.client[0] if self.client else ""
        held = Counter(one.client[0] for one in self.connections if one.client)  # type: ignore[union-attr]
        return held[mine]


class QuietHandler(logging.Handler):
    """Hands a record to the log that is open already, and swallows what goes wrong there: the event loop logs that it
    has no descriptor left, and a handler that raised then would end it."""

    def __init__(self) -> None:
        super().__init__(logging.WARNING)

    def emit(self, record: logging.LogRecord) -> None:
        """To the log's handlers, without a traceback."""
        try:
            # No traceback: to print one, its source files are opened.
            record.exc_info, record.exc_text = None, None
            for handler in logging.getLogger().handlers:
                if record.levelno >= handler.level:
                    handler.handle(record)
        except Exception:  # nowhere is left to say it
            return


class AnnouncedServer(uvicorn.Server):
    """A server that says when it listens."""

    def __init__(self, config: uvicorn.Config, listening: Callable[[], object]) -> None:
        super().__init__(config)
        self._listening = listening

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Says it once a connection would be taken."""
        await super().startup(sockets)
        if self.started:
            self._listening()


def serve(
    app: Any,
    host: str,
    port: int,
    *,
    proxies: str = "",
    patience: Patience | None = None,
    listening: Callable[[], object] = lambda: None,
) -> None:
    """Answers until Ctrl-C. `proxies`: addresses, by commas, whose X-Forwarded-For is believed; no others' is.
    `listening` is called once, as soon as connections are taken."""
    patience = patience or Patience()
    most = max(8, min(patience.connections, raise_descriptors() - RESERVE))
    protocol = type("Protocol", (PatientProtocol,), {"patience": replace(patience, connections=most)})
    for name in ("asyncio", "uvicorn"):
        logger = logging.getLogger(name)
        logger.handlers, logger.propagate = [QuietHandler()], False
    config = uvicorn.Config(
        app,
        host=host,
        port=port,
        http=protocol,
        ws="none",
        log_config=None,
        access_log=False,
        proxy_headers=bool(proxies),
        forwarded_allow_ips=proxies or "",
        limit_concurrency=most,
        backlog=256,
        server_header=False,
    )
    server = AnnouncedServer(config, listening)
    if hasattr(app, "state"):  # streams end by themselves when the server is asked to end
        app.state.stopping = lambda: server.should_exit
    with suppress(KeyboardInterrupt):
        server.run()
    if not server.started:
        raise SystemExit(FAILED_TO_START)


def raise_descriptors() -> int:
    """Let this process open as many files as the system allows it, up to what is of use. How many that is."""
    try:
        import resource
    except ImportError:  # Windows has no such limit
        return WANTED_DESCRIPTORS
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = WANTED_DESCRIPTORS if hard == resource.RLIM_INFINITY else min(hard, WANTED_DESCRIPTORS)
    if soft < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
        return wanted
    return soft
