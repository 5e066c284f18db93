"""The page in a real browser: the real app in a process of its own, one open page, and what it should not have done."""

from __future__ import annotations

import contextlib
import os
import re
import shutil
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from ports import free_port

ROOT = Path(__file__).resolve().parent.parent
CHROMIUM = shutil.which("chromium") or "/usr/bin/chromium"
FLAGS = (
    "--no-sandbox --disable-gpu --disable-quic --no-first-run --disable-background-networking "
    "--disable-component-update --disable-sync"
).split()
SECONDS = 180_000  # of patience, in milliseconds: the machine may be busy
READY = re.compile(r"^Ready in .*?://[^/ ]+:(\d+)/", re.MULTILINE)  # what the app prints

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

    def open(self, parameters: str = "") -> None:
        self.page.goto(self.address + parameters)
        self.page.wait_for_selector(".head h1", timeout=SECONDS)
        self.page.wait_for_selector(".results[data-state]:not([data-state=''])", timeout=SECONDS)

    def tab(self, name: str) -> None:
        self.page.get_by_role("tab", name=name).click()

    def ask(self, question: str) -> None:
        box = self.page.locator("#question textarea")
        box.fill(question)
        # Gradio runs what Enter begins a moment later: until then the page shows the last answer, and is not busy.
        self.page.evaluate(
            "() => { window.__drawn = false; "
            "addEventListener('labse-drawn', () => { window.__drawn = true; }, { once: true }); }"
        )
        box.press("Enter")
        self.page.wait_for_function("q => new URL(location).searchParams.get('q') === q", arg=question, timeout=SECONDS)
        self.page.wait_for_function("() => window.__drawn !== false", timeout=SECONDS)  # undefined on a page of its own
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
    environ = {key: value for key, value in os.environ.items() if not key.startswith("LABSE_")}
    environ |= {"LABSE_HOME": str(home), "LABSE_MODEL": str(model)}
    with (home / "app.log").open("wb") as log:
        command = [sys.executable, "-u", "app.py", "--port", str(free_port()), "--no-browser"]
        process = subprocess.Popen(command, cwd=ROOT, env=environ, stdout=log, stderr=log)
    try:
        yield App(address_of(process, home / "app.log"), home, process)
    finally:
        process.terminate()
        process.wait(200)


def address_of(process: subprocess.Popen[bytes], log: Path) -> str:
    """Where the app listens, once it answers: at another port, if somebody took its own in the meantime."""
    until = time.monotonic() + 300
    while process.poll() is None and time.monotonic() < until:
        if ready := READY.search(log.read_text()):
            address = f"http://127.0.0.1:{ready[1]}/"
            with contextlib.suppress(OSError):
                urllib.request.urlopen(f"{address}healthz", timeout=60).close()
                return address
        time.sleep(0.05)
    raise RuntimeError("the app did not start: " + log.read_text())


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    from playwright.sync_api import expect, sync_playwright

    expect.set_options(timeout=SECONDS)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, headless=True, args=FLAGS)
        yield browser
        browser.close()


@pytest.fixture(scope="module")
def contexts(app: App, browser: Any) -> Iterator[Callable[..., Any]]:
    """A profile of the browser with these options that knows the page's address: one for all visits, so that only the
    first of them fetches and compiles the page's scripts."""
    made: dict[str, Any] = {}

    def context(**options: Any) -> Any:
        key = repr(sorted(options.items()))
        if key not in made:
            # A service worker would answer for a page that a test has cut off; who tests it lets it in.
            made[key] = browser.new_context(accept_downloads=True, **({"service_workers": "block"} | options))
            made[key].grant_permissions(["clipboard-read", "clipboard-write"], origin=app.address.rstrip("/"))
        app.admit(made[key])
        return made[key]

    yield context
    for one in made.values():
        one.close()


@pytest.fixture
def visit(app: App, contexts: Callable[..., Any], request: pytest.FixtureRequest) -> Iterator[Visit]:
    """A new page, in a profile where nobody has been: what the last one had left is cleared away."""
    options = dict(getattr(request, "param", {}))
    viewport = options.pop("viewport", {"width": 1100, "height": 900})
    scheme = options.pop("color_scheme", "light")
    context = contexts(**options)
    page = context.new_page()
    page.set_viewport_size(viewport)
    page.emulate_media(color_scheme=scheme)
    visit = Visit(page, app.address)
    page.on("pageerror", lambda error: visit.errors.append(str(error)))
    page.on("console", lambda message: visit.errors.append(message.text) if message.type == "error" else None)
    inside = (app.address, "data:", "blob:")
    page.on("request", lambda sent: None if sent.url.startswith(inside) else visit.foreign.append(sent.url))
    yield visit
    for one in context.pages:
        if one.url.startswith(app.address):
            one.evaluate("() => { localStorage.clear(); sessionStorage.clear(); }")
        one.close()
    context.clear_cookies()


def drop_from_desktop(context: Any, page: Any, folder: Path) -> None:
    """What the browser does when files are dragged in from outside, folders included; anywhere on the page will do."""
    box = page.locator(".results").bounding_box()
    devtools = context.new_cdp_session(page)
    data = {"items": [], "files": [str(folder)], "dragOperationsMask": 1}
    for kind in ("dragEnter", "dragOver", "drop"):
        event = {"type": kind, "x": box["x"] + 40, "y": box["y"] + 30, "data": data}
        devtools.send("Input.dispatchDragEvent", event)
