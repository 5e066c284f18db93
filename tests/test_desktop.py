"""The page as an app of the desktop: one app a home, a window of its own, a shell where the app does not run."""

from __future__ import annotations

import importlib.util
import json
import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest
from fastapi import FastAPI
from processes import run
from starlette.testclient import TestClient

from labse_search.library import Library
from labse_search.ui.access import DESKTOP
from labse_search.ui.desktop import add_desktop
from labse_search.ui.running import announce, running_at, take_turn
from labse_search.ui.theme import STATIC

ROOT = Path(__file__).resolve().parent.parent


class Healthy(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        self.send_response(200)
        self.end_headers()

    def log_message(self, format: str, *arguments: object) -> None:
        pass


@pytest.fixture
def port() -> Iterator[int]:
    """Of something that answers as an app does."""
    server = HTTPServer(("127.0.0.1", 0), Healthy)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield server.server_port
    server.shutdown()
    thread.join()
    server.server_close()


def test_a_home_has_one_app_and_who_comes_second_finds_it(tmp_path: Path, port: int) -> None:
    library = Library(tmp_path)
    first = take_turn(library)
    assert first is not None and take_turn(library) is None
    announce(tmp_path, "127.0.0.1", port)
    assert running_at(tmp_path, "127.0.0.1", None) == running_at(tmp_path, "127.0.0.1", port) == port
    assert running_at(tmp_path, "127.0.0.1", port + 1) is None  # somebody wants a second one, on that port
    assert running_at(tmp_path, "0.0.0.0", None) is None
    first.release()
    assert take_turn(library) is not None


def app(home: Path, *arguments: str, status: int = 0, **environ: str) -> subprocess.CompletedProcess[str]:
    kept = {key: value for key, value in os.environ.items() if not key.startswith("LABSE_")}
    environ = {**kept, "LABSE_HOME": str(home), **environ}
    return run(sys.executable, "app.py", *arguments, status=status, env=environ)


def test_a_second_start_shows_the_running_page_in_a_window(tmp_path: Path, port: int) -> None:
    (tmp_path / "webview.py").write_text(
        "import json, os, pathlib\n"
        "def create_window(*a, **k): pathlib.Path(os.environ['SEEN']).write_text(json.dumps(a))\n"
        "def start(**k): pass\n"
    )
    library = Library(tmp_path / "home")
    turn = take_turn(library)
    assert turn is not None
    announce(library.home, "127.0.0.1", port)
    done = app(library.home, "--window", PYTHONPATH=str(tmp_path), SEEN=str(tmp_path / "seen"))
    assert done.stdout.startswith(f"Running already: http://localhost:{port}/?token=")
    assert json.loads((tmp_path / "seen").read_text()) == ["labse-search", done.stdout.split()[-1]]
    turn.release()


@pytest.mark.skipif(importlib.util.find_spec("webview") is not None, reason="pywebview is installed here")
def test_a_window_without_its_library_is_one_line(tmp_path: Path) -> None:
    done = app(tmp_path, "--window", status=2)
    assert "pip install -r requirements-window.txt" in done.stderr


def test_what_browsers_install_is_there_in_their_language_and_open_to_all() -> None:
    app = FastAPI()
    add_desktop(app, "")
    client = TestClient(app)
    manifest = client.get("/manifest.webmanifest", headers={"accept-language": "ar"}).json()
    assert (manifest["lang"], manifest["dir"], manifest["display"]) == ("ar", "rtl", "standalone")
    for icon in manifest["icons"]:
        assert client.get(f"/{icon['src']}").content.startswith(b"\x89PNG") and f"/{icon['src']}" in DESKTOP
    assert "läuft nicht" in client.get("/shell", headers={"accept-language": "de"}).text
    assert client.get("/worker.js").content == (STATIC / "worker.js").read_bytes()
    assert client.get("/icon-x.png").status_code == 404
