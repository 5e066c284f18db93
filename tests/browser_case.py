"""The page in a real browser: the real app in a process of its own, one open page, and what it should not have done."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parent.parent
CHROMIUM = shutil.which("chromium") or "/usr/bin/chromium"
FLAGS = (
    "--no-sandbox --disable-gpu --disable-quic --no-first-run --disable-background-networking "
    "--disable-component-update --disable-sync"
).split()
SECONDS = 60_000  # of patience, in milliseconds: the machine may be busy

IN_BROWSER = [
    pytest.mark.browser,
    pytest.mark.skipif(not Path(CHROMIUM).exists(), reason="no Chromium: apt-get install chromium"),
]


@dataclass
class Visit:
    """One open page, and everything it should not have done."""

    page: Any
    address: str
    errors: list[str] = field(default_factory=list)
    foreign: list[str] = field(default_factory=list)
    aborted: bool = False

    def fail(self, error: str) -> None:
        """Remember an error of the page. Gradio's own, when its client ends the stream of answers while something is
        asked, is not one; it says so with an AbortError, and then that each of the answers is broken."""
        if error.startswith("AbortError") and "/assets/" in error:
            self.aborted = True
        elif not (self.aborted and "Connection errored out" in error):
            self.errors.append(error)

    def open(self, parameters: str = "") -> None:
        self.page.goto(self.address + parameters)
        self.page.wait_for_selector(".head h1", timeout=SECONDS)
        self.page.wait_for_selector(".results[data-state]:not([data-state=''])", timeout=SECONDS)

    def tab(self, name: str) -> None:
        self.page.get_by_role("tab", name=name).click()

    def ask(self, question: str) -> None:
        box = self.page.locator("#question textarea")
        box.fill(question)
        box.press("Enter")
        self.page.wait_for_function("q => new URL(location).searchParams.get('q') === q", arg=question, timeout=SECONDS)
        self.page.wait_for_selector(".results[aria-busy=false] .card", timeout=SECONDS)

    def leave(self) -> None:
        """Go away, whatever the page waits for: Gradio's client says then that its connection broke, as it did."""
        self.page.goto("about:blank")
        self.errors = [error for error in self.errors if "Connection errored out" not in error]

    def job_is_done(self) -> None:
        self.page.wait_for_selector(".job[data-state=done]", timeout=SECONDS)

    def was_clean(self) -> None:
        assert self.errors == [], "\n".join(self.errors)
        assert self.foreign == []
        assert self.page.evaluate("window.__hostile") is None


@dataclass
class App:
    address: str
    home: Path
    process: subprocess.Popen[bytes]

    def admit(self, context: Any) -> None:
        """What the first visit of the printed address leaves in the browser."""
        port = self.address.rstrip("/").rpartition(":")[2]
        value = (self.home / "page-token").read_text()
        context.add_cookies([{"name": f"labse-token-{port}", "value": value, "url": self.address}])


@contextmanager
def running_app(home: Path, model: Path) -> Iterator[App]:
    """The app in a process of its own, with this home and this model."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    environ = {key: value for key, value in os.environ.items() if not key.startswith("LABSE_")}
    environ |= {"LABSE_HOME": str(home), "LABSE_MODEL": str(model)}
    with (home / "app.log").open("wb") as log:
        command = [sys.executable, "app.py", "--port", str(port), "--no-browser"]
        process = subprocess.Popen(command, cwd=ROOT, env=environ, stdout=log, stderr=log)
    try:
        wait_until_up(f"http://127.0.0.1:{port}/healthz", process, home / "app.log")
        yield App(f"http://127.0.0.1:{port}/", home, process)
    finally:
        process.terminate()
        process.wait(20)


def wait_until_up(address: str, process: subprocess.Popen[bytes], log: Path) -> None:
    for _ in range(300):
        if process.poll() is not None:
            raise RuntimeError(log.read_text())
        try:
            urllib.request.urlopen(address, timeout=1).close()
            return
        except OSError:
            time.sleep(0.2)
    raise RuntimeError("the app did not start: " + log.read_text())


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    from playwright.sync_api import expect, sync_playwright

    expect.set_options(timeout=SECONDS)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, headless=True, args=FLAGS)
        yield browser
        browser.close()


@pytest.fixture
def visit(app: App, browser: Any, request: pytest.FixtureRequest) -> Iterator[Visit]:
    options = {"viewport": {"width": 1100, "height": 900}} | getattr(request, "param", {})
    context = browser.new_context(accept_downloads=True, **options)
    app.admit(context)
    context.grant_permissions(["clipboard-read", "clipboard-write"], origin=app.address.rstrip("/"))
    page = context.new_page()
    visit = Visit(page, app.address)
    page.on("pageerror", lambda error: visit.fail(str(error)))
    page.on("console", lambda message: visit.fail(message.text) if message.type == "error" else None)
    inside = (app.address, "data:", "blob:")
    page.on("request", lambda sent: None if sent.url.startswith(inside) else visit.foreign.append(sent.url))
    yield visit
    context.close()


def drop_from_desktop(context: Any, page: Any, folder: Path) -> None:
    """What the browser does when files are dragged in from outside, folders included; anywhere on the page will do."""
    box = page.locator(".results").bounding_box()
    devtools = context.new_cdp_session(page)
    data = {"items": [], "files": [str(folder)], "dragOperationsMask": 1}
    for kind in ("dragEnter", "dragOver", "drop"):
        event = {"type": kind, "x": box["x"] + 40, "y": box["y"] + 30, "data": data}
        devtools.send("Input.dispatchDragEvent", event)
