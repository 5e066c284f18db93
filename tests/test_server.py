"""The web server survives clients that send half of a request, and a process without a descriptor left."""

from __future__ import annotations

import http.client
import os
import socket
import sys
import textwrap
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from ports import free_port
from processes import SECONDS, finish, next_line, start

ROOT = Path(__file__).resolve().parent.parent
pytestmark = pytest.mark.skipif(os.name != "posix", reason="limits of descriptors are POSIX")

SERVER = """
    import asyncio, logging, os, resource, sys
    from pathlib import Path
    port, limit, home, proxies = int(sys.argv[1]), int(sys.argv[2]), Path(sys.argv[3]), sys.argv[4]
    resource.setrlimit(resource.RLIMIT_NOFILE, (limit, limit))
    from labse_search.library.log import open_log
    from labse_search.ui.server import Patience, serve
    open_log(home)
    held = []

    def free():
        while held:
            os.close(held.pop())

    async def app(scope, receive, send):
        if scope["type"] != "http":
            return
        if scope["path"] == "/exhaust":
            try:
                while True:
                    held.append(os.open("/dev/null", os.O_RDONLY))
            except OSError:
                asyncio.get_running_loop().call_later(1.5, free)
        body = scope["client"][0].encode() if scope["path"] == "/client" else b"ok"
        length = str(len(body)).encode()
        await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", length)]})
        await send({"type": "http.response.body", "body": body})

    def listening():
        print("up", flush=True)

    patience = Patience(head_seconds=float(sys.argv[5]))
    serve(app, "127.0.0.1", port, proxies=proxies, patience=patience, listening=listening)
"""


@pytest.fixture
def port(tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[int]:
    """Of a server whose process may open 160 files and believes the proxies of the parameter, if any. It waits longer
    for the head of a request than the test can be kept waiting on a busy machine."""
    with serving(tmp_path, proxies=getattr(request, "param", ""), head_seconds=1000.0) as port:
        assert ask(port) == 200  # at once: it said so when it listened
        yield port


@pytest.fixture
def impatient(tmp_path: Path) -> Iterator[int]:
    """The same of one that waits a second for the head of a request."""
    with serving(tmp_path, proxies="", head_seconds=1.0) as port:
        assert answers(port)
        yield port


@contextmanager
def serving(home: Path, *, proxies: str, head_seconds: float) -> Iterator[int]:
    port = free_port()
    command = [sys.executable, "-c", textwrap.dedent(SERVER), port, 160, home, proxies, head_seconds]
    process = start(*map(str, command), stderr=None)  # nobody would empty the pipe
    assert next_line(process) == "up\n"
    try:
        yield port
        assert process.poll() is None
    finally:
        process.terminate()
        finish(process, status=None)


def ask(port: int, path: str = "/") -> int:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=SECONDS)
    try:
        connection.request("GET", path)
        return connection.getresponse().status
    finally:
        connection.close()


def answers(port: int, tries: int = 40) -> bool:
    """Whether it answers within some tries; each may take minutes."""
    for _ in range(tries):
        try:
            if ask(port) == 200:
                return True
        except (OSError, http.client.HTTPException):
            pass
        time.sleep(0.25)
    return False


@pytest.mark.parametrize("half", [b"", b"GET / HT", b"POST /x HTTP/1.1\r\nHost: a\r\n"])
def test_half_sent_requests_do_not_keep_others_out(impatient: int, half: bytes) -> None:
    held = []
    for _ in range(300):
        one = socket.create_connection(("127.0.0.1", impatient), timeout=SECONDS)
        held.append(one)
        try:
            one.sendall(half)
        except OSError:
            continue  # one too many: sent away
    assert answers(impatient)
    for one in held:
        one.close()


def test_a_process_without_descriptors_recovers(port: int) -> None:
    assert ask(port, "/exhaust") == 200
    waiting = [socket.create_connection(("127.0.0.1", port), timeout=SECONDS) for _ in range(3)]  # in the backlog
    assert answers(port)
    for one in waiting:
        one.close()


def test_a_whole_request_may_be_followed_by_another(port: int) -> None:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=SECONDS)
    for _ in range(3):
        connection.request("GET", "/")
        answer = connection.getresponse()
        assert (answer.status, answer.read()) == (200, b"ok")
    connection.close()


@pytest.mark.parametrize(
    ("port", "client"),
    [("", "127.0.0.1"), ("10.0.0.9", "127.0.0.1"), ("127.0.0.1", "203.0.113.7")],
    indirect=["port"],
)
def test_where_a_request_comes_from_is_believed_of_configured_proxies_alone(port: int, client: str) -> None:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=SECONDS)
    connection.request("GET", "/client", headers={"x-forwarded-for": "203.0.113.7", "x-forwarded-proto": "https"})
    assert connection.getresponse().read().decode() == client
    connection.close()
