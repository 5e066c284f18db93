"""The start of the app: where it listens, what it opens once, what it gives back."""

import contextlib
import logging
import os
import socket
import sys
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Event
from types import SimpleNamespace

import psutil
import pytest
from ports import free_port, own_host
from processes import SECONDS, run

from labse_search import app
from labse_search.encoder import Encoder
from labse_search.errors import UserError
from labse_search.settings import Settings
from labse_search.store import open_store
from labse_search.store.edge.client import EdgeStore

ROOT = Path(__file__).resolve().parent.parent
UNPRIVILEGED = Path("/proc/sys/net/ipv4/ip_unprivileged_port_start")


# ---- where it listens


@pytest.mark.parametrize("host", ["no..where", "x" * 64 + ".invalid", "[::1]"])
def test_an_unknown_host_is_named_and_not_called_taken(host: str) -> None:
    with pytest.raises(UserError, match="Nobody knows") as caught:
        app.free_port(host, 7860)
    assert host in str(caught.value) and "taken" not in str(caught.value)


def test_an_address_of_another_computer_is_named() -> None:
    with pytest.raises(UserError, match=r"192\.0\.2\.1: that is not an address of this computer"):
        app.free_port("192.0.2.1", 7860)  # RFC 5737: nobody has it


def test_a_port_that_needs_rights_says_so() -> None:
    if not UNPRIVILEGED.is_file() or int(UNPRIVILEGED.read_text()) <= 80:
        pytest.skip("here everybody may listen on port 80")
    code = """
import os
from labse_search import app
from labse_search.errors import UserError
if os.geteuid() == 0:
    os.setuid(65534)
try:
    app.free_port("127.0.0.1", 80)
except UserError as error:
    print(error)
"""
    done = run(sys.executable, "-c", code)
    assert "port 80" in done.stdout and "1024" in done.stdout and "taken" not in done.stdout


def test_the_next_free_port_is_taken_until_ten_are_not() -> None:
    host = own_host()
    first = app.free_port(host, 17950)
    with socket.create_server((host, first)):
        assert first < app.free_port(host, first) < first + 10
    held = []
    for port in range(first, first + 10):
        with contextlib.suppress(OSError):  # somebody else's: taken, too
            held.append(socket.create_server((host, port)))
    with pytest.raises(UserError, match="taken"):
        app.free_port(host, first)
    for one in held:
        one.close()


# ---- what it opens once


class Loading:
    """Loads of models that go on until the test lets them end."""

    def __init__(self, names: Sequence[str]) -> None:
        self.asked: list[str] = []
        self.begun = {name: Event() for name in names}
        self.may_end = {name: Event() for name in names}

    def __call__(self, model: str) -> Encoder:
        self.asked.append(model)
        self.begun[model].set()
        assert self.may_end[model].wait(SECONDS)
        return SimpleNamespace(model=model, languages=())  # type: ignore[return-value]


@pytest.fixture
def pool() -> Iterator[ThreadPoolExecutor]:
    with ThreadPoolExecutor(4) as pool:
        yield pool


def test_no_model_waits_for_the_load_of_another(tmp_path: Path, pool: ThreadPoolExecutor) -> None:
    load = Loading(["loaded", "slow", "quick"])
    searchers = app.Searchers(SimpleNamespace(), tmp_path, load)  # type: ignore[arg-type]
    load.may_end["loaded"].set()
    load.may_end["quick"].set()
    loaded = searchers.encoder("loaded")
    slow = pool.submit(searchers.encoder, "slow")
    assert load.begun["slow"].wait(SECONDS)
    try:
        assert pool.submit(searchers.encoder, "loaded").result(SECONDS) is loaded
        assert pool.submit(searchers.encoder, "quick").result(SECONDS).model == "quick"
        assert not slow.done()
    finally:
        load.may_end["slow"].set()
    assert slow.result(SECONDS).model == "slow"


def test_a_model_is_loaded_once_however_many_ask(tmp_path: Path, pool: ThreadPoolExecutor) -> None:
    load = Loading(["slow"])
    searchers = app.Searchers(SimpleNamespace(), tmp_path, load)  # type: ignore[arg-type]
    asking = [pool.submit(searchers.encoder, "slow") for _ in range(4)]
    assert load.begun["slow"].wait(SECONDS)
    load.may_end["slow"].set()
    assert len({id(one.result(SECONDS)) for one in asking}) == 1
    assert load.asked == ["slow"]


def test_a_load_that_failed_is_tried_again(tmp_path: Path) -> None:
    loads: list[Callable[[], Encoder]] = [
        lambda: (_ for _ in ()).throw(UserError("gone")),
        lambda: SimpleNamespace(model="back"),  # type: ignore[list-item,return-value]
    ]
    searchers = app.Searchers(SimpleNamespace(), tmp_path, lambda model: loads.pop(0)())  # type: ignore[arg-type]
    with pytest.raises(UserError, match="gone"):
        searchers.encoder("m")
    assert searchers.encoder("m").model == "back"


# ---- what it gives back


@pytest.fixture
def own_log() -> Iterator[None]:
    """What the app logs in this process ends with the test."""
    root = logging.getLogger()
    level, before = root.level, list(root.handlers)
    yield
    root.setLevel(level)
    for handler in [one for one in root.handlers if one not in before]:
        root.removeHandler(handler)
        handler.close()


def connections() -> int:
    """Sockets of this process that are connected to another one on this computer."""
    return len(psutil.Process().net_connections("unix"))


@pytest.mark.skipif(os.name != "posix", reason="the store is reached by other means there")
def test_a_start_that_fails_gives_the_store_back(tmp_path: Path, own_log: None) -> None:
    open_store("", home=tmp_path).close()  # its process runs, and nobody is connected
    before = connections()
    # Nobody may sign in, so it must not listen for others; its model is not there, so nothing is warmed up.
    settings = Settings(home=tmp_path, host="0.0.0.0", model=str(tmp_path / "no model"), port=free_port())
    try:
        with pytest.raises(UserError, match="add-user"):
            app.serve(settings, app.How(browser=False))
        assert connections() == before
    finally:
        EdgeStore(tmp_path / "store").stop()
