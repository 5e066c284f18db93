"""One app a home: who starts a second one gets the first one's page, in a browser or in a window of its own."""

from __future__ import annotations

import importlib.util
import json
import os
import signal
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from pathlib import Path

from filelock import FileLock

from labse_search.errors import UserError
from labse_search.files import write_private
from labse_search.library import Library

FILE = "running.json"  # in the home: where its app listens
START_SECONDS = 20.0  # for an app that is just starting
WINDOW = "labse_search.ui.window"


def take_turn(library: Library) -> FileLock | None:
    """The right to be this home's app, until the process ends; None if another one has it."""
    return library.lock("app")


def announce(home: Path, host: str, port: int) -> None:
    """Note in the home where its app listens."""
    write_private(home / FILE, json.dumps({"host": host, "port": port, "pid": os.getpid()}).encode())


def running_at(home: Path, host: str, port: int | None, *, seconds: float = START_SECONDS) -> int | None:
    """The port of the running app, as soon as it answers. None if it listens on another address than what is wanted
    (`port` None: on whichever), or does not answer."""
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        try:
            known = json.loads((home / FILE).read_text(encoding="utf-8"))
            if known["host"] != host or port not in (None, known["port"]):
                return None
            if _answers(host, known["port"]):
                return int(known["port"])
        except (OSError, ValueError, KeyError, TypeError):  # not written yet, or left by another version
            pass
        time.sleep(0.1)
    return None


def _answers(host: str, port: int) -> bool:
    name = "127.0.0.1" if host == "0.0.0.0" else "[::1]" if host == "::" else f"[{host}]" if ":" in host else host
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))  # no proxy between us and ourselves
    try:
        with opener.open(f"http://{name}:{port}/healthz", timeout=2) as answer:
            return bool(answer.status == 200)
    except (urllib.error.URLError, OSError):
        return False


def check_window() -> None:
    """UserError if there is nothing to make a window with."""
    if importlib.util.find_spec("webview") is None:
        raise UserError("--window needs pywebview: pip install -r requirements-window.txt (or leave out --window)")


def open_window(address: str, home: Path, *, when_closed: Callable[[], None] | None = None) -> None:
    """Show the page in a window of its own, a process of its own: who draws windows wants the main thread. Waits until
    it is closed, or calls `when_closed` then from a thread."""
    window = subprocess.Popen([sys.executable, "-m", WINDOW, address, str(home / "window")])
    if when_closed is None:
        window.wait()
        return

    def wait() -> None:
        window.wait()
        when_closed()

    threading.Thread(target=wait, daemon=True, name="window").start()


def end_app() -> None:
    """End this process as Ctrl-C does."""
    if os.name == "nt":
        signal.raise_signal(signal.SIGINT)
    else:
        os.kill(os.getpid(), signal.SIGINT)
