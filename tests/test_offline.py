"""Offline means offline: no name is looked up and no connection leaves this computer, at start, indexing or search.

An audit hook in a fresh process (and, through sitecustomize, in every process that it starts) sees each look-up and
each connection before it happens, whichever library asks for it, writes it down and refuses it.
"""

from __future__ import annotations

import subprocess
import sys
import textwrap
from collections.abc import Iterator
from pathlib import Path

import processes
import pytest
from library_case import EXAMPLES, Home

HOOK = """
import os, sys

def watch(event, arguments):
    if event in ("socket.getaddrinfo", "socket.gethostbyname", "socket.gethostbyaddr", "socket.getnameinfo"):
        host = arguments[0]
        host = host[0] if isinstance(host, tuple) else host
        host = host.decode() if isinstance(host, bytes) else host
        allowed = host in (None, "", "127.0.0.1", "::1", "localhost", "0.0.0.0")
    elif event in ("socket.connect", "socket.sendto", "socket.sendmsg"):
        host = arguments[1]
        # A path is AF_UNIX; None is a socket that is connected already.
        allowed = not isinstance(host, tuple) or host[0] in ("127.0.0.1", "::1")
    else:
        return
    if not allowed:
        with open(os.environ["WATCHED"], "a") as file:
            file.write(f"{event} {host} by {sys.argv[:3]}\\n")
        raise OSError(f"this test allows no {event} of {host}")

sys.addaudithook(watch)
"""


class Watched:
    """Runs code with the hook on, and tells what it wanted of the network."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.home = Home(folder / "home")
        (folder / "hook").mkdir()
        (folder / "hook" / "sitecustomize.py").write_text(HOOK)

    def environ(self) -> dict[str, str]:
        environ = self.home.environ()
        for name in ("HF_HUB_OFFLINE", "TRANSFORMERS_OFFLINE", "GRADIO_ANALYTICS_ENABLED", "http_proxy", "https_proxy"):
            environ.pop(name, None)  # as a person has it, not as the tests set it
        environ["PYTHONPATH"] = f"{self.folder / 'hook'}:{environ['PYTHONPATH']}"
        return environ | {"WATCHED": str(self.folder / "wanted"), "HF_HOME": str(self.folder / "hub")}

    def run(self, *arguments: str, status: int = 0) -> subprocess.CompletedProcess[str]:
        return processes.run(sys.executable, *arguments, status=status, env=self.environ())

    def wanted(self) -> list[str]:
        file = self.folder / "wanted"
        return file.read_text().splitlines() if file.exists() else []


@pytest.fixture
def watched(tmp_path: Path) -> Iterator[Watched]:
    watched = Watched(tmp_path)
    yield watched
    watched.home.stop_store()


@pytest.mark.parametrize(
    "code",
    [
        "import socket; socket.getaddrinfo('example.org', 80)",
        "import socket; socket.create_connection(('93.184.215.14', 80), timeout=1)",
        "import urllib.request; urllib.request.urlopen('http://example.org', timeout=1)",
        "import subprocess, sys; sys.exit(subprocess.call([sys.executable, '-c', "
        "\"import socket; socket.gethostbyname('example.org')\"]))",
    ],
)
def test_the_hook_sees_what_it_should_and_refuses_it(watched: Watched, code: str) -> None:
    watched.run("-c", code, status=1)
    assert watched.wanted()


def test_the_hook_lets_this_computer_talk_to_itself(watched: Watched) -> None:
    code = "import socket; s = socket.create_server(('127.0.0.1', 0)); socket.create_connection(s.getsockname())"
    watched.run("-c", code)
    assert watched.wanted() == []


BOTH = """
import sys
from indexer.__main__ import main as index
from labse_search.search.__main__ import main as search
sys.argv = ["indexer", sys.argv[1], "--model", "labse-mini"]
status = index()
print("----")
sys.argv = ["search", "Where can I buy bread at night?"]
sys.exit(status or search())
"""


def test_indexing_and_searching_want_nothing_of_the_network(watched: Watched) -> None:
    done = watched.run("-c", BOTH, str(EXAMPLES / "bread"))
    assert "bread" in done.stdout.partition("----")[2], done.stdout + done.stderr
    assert watched.wanted() == []


START = """
    import os, socket, sys, threading, time, urllib.request
    from labse_search import app
    from labse_search.settings import Settings

    def ask(address):
        request = urllib.request.Request(address, headers={"Host": address.split("/")[2]})
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        for _ in range(1500):
            try:
                with opener.open(request, timeout=30) as answer:
                    print("page", answer.status, len(answer.read()), flush=True)
                break
            except OSError:
                time.sleep(0.2)
        os._exit(0)

    settings = Settings.from_env(os.environ)
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    threading.Thread(target=ask, args=(f"http://localhost:{port}/",), daemon=True).start()
    sys.argv = ["app.py", "--no-browser", "--no-token", "--port", str(port)]
    app.main()
"""


def test_starting_the_app_and_opening_its_page_want_nothing_of_the_network(watched: Watched) -> None:
    done = watched.run("-c", textwrap.dedent(START))
    assert "page 200" in done.stdout, done.stdout + done.stderr
    assert watched.wanted() == []
