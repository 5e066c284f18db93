"""The page as a person uses it: a real browser, the real app, its store, its worker and the shipped model."""

from __future__ import annotations

import os
import re
import shutil
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
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
# A name and a text that would run as script wherever they were taken for a template or for markup.
HOSTILE_NAME = "`${window.__hostile=1}` {{x}} <img src=x onerror='window.__hostile=2'>.txt"
HOSTILE_TEXT = (
    "Zebra ${window.__hostile=3} `backticks` {{window.__hostile=4}} <img src=x onerror='window.__hostile=5'>."
)

pytestmark = [
    pytest.mark.browser,
    pytest.mark.timeout(300),
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
        box.press("Enter")
        self.page.wait_for_function("q => new URL(location).searchParams.get('q') === q", arg=question, timeout=SECONDS)
        self.page.wait_for_selector(".results[aria-busy=false] .card", timeout=SECONDS)

    def job_is_done(self) -> None:
        self.page.wait_for_selector(".job[data-state=done]", timeout=SECONDS)

    def was_clean(self) -> None:
        assert self.errors == []
        assert self.foreign == []
        assert self.page.evaluate("window.__hostile") is None


@dataclass
class App:
    address: str
    home: Path
    process: subprocess.Popen[bytes]


@pytest.fixture(scope="module")
def app(tmp_path_factory: pytest.TempPathFactory) -> Iterator[App]:
    home = tmp_path_factory.mktemp("home")
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    environ = {key: value for key, value in os.environ.items() if not key.startswith("LABSE_")}
    environ |= {"LABSE_HOME": str(home), "LABSE_MODEL": str(ROOT / "labse_search" / "models" / "labse-mini")}
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
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, headless=True, args=FLAGS)
        yield browser
        browser.close()


@pytest.fixture
def visit(app: App, browser: Any, request: pytest.FixtureRequest) -> Iterator[Visit]:
    options = {"viewport": {"width": 1100, "height": 900}} | getattr(request, "param", {})
    context = browser.new_context(accept_downloads=True, **options)
    context.grant_permissions(["clipboard-read", "clipboard-write"], origin=app.address.rstrip("/"))
    page = context.new_page()
    visit = Visit(page, app.address)
    page.on("pageerror", lambda error: visit.errors.append(str(error)))
    page.on("console", lambda message: visit.errors.append(message.text) if message.type == "error" else None)
    inside = (app.address, "data:", "blob:")
    page.on("request", lambda sent: None if sent.url.startswith(inside) else visit.foreign.append(sent.url))
    yield visit
    context.close()


@pytest.fixture(scope="module")
def indexed(app: App, browser: Any, tmp_path_factory: pytest.TempPathFactory) -> App:
    """The app after a person dropped the examples, with a hostile file among them, from the desktop."""
    folder = tmp_path_factory.mktemp("desktop") / "examples"
    shutil.copytree(ROOT / "examples", folder)
    (folder / "notes").mkdir()
    (folder / "notes" / HOSTILE_NAME.replace("/", "")).write_text(HOSTILE_TEXT)
    (folder / "empty.txt").write_text("")
    (folder / ".hidden").write_text("hidden")
    context = browser.new_context(viewport={"width": 1100, "height": 900})
    page = context.new_page()
    visit = Visit(page, app.address)
    page.on("pageerror", lambda error: visit.errors.append(str(error)))
    visit.open()
    assert page.locator(".results").get_attribute("data-state") == "first"
    visit.tab("Add documents")
    drop_from_desktop(context, page, folder)
    page.wait_for_selector(".plan .start", timeout=SECONDS)
    plan = page.locator(".plan").inner_text()
    assert "38 files" in plan and "PDF" in plan, plan
    page.locator(".plan .start").click()
    page.get_by_role("button", name="Pause").click(timeout=SECONDS)  # so that the reload surely comes in mid-job
    page.wait_for_selector(".job[data-state=paused]", timeout=SECONDS)
    page.reload()
    page.wait_for_selector(".head h1", timeout=SECONDS)
    visit.tab("Add documents")
    page.wait_for_selector(".job[data-state=paused]", timeout=SECONDS)
    page.get_by_role("button", name="Resume").click(timeout=SECONDS)
    visit.job_is_done()
    assert visit.errors == []
    context.close()
    return app


def drop_from_desktop(context: Any, page: Any, folder: Path) -> None:
    """What the browser does when files are dragged in from outside, folders included."""
    page.wait_for_selector(".drop")
    box = page.locator(".drop").bounding_box()
    devtools = context.new_cdp_session(page)
    data = {"items": [], "files": [str(folder)], "dragOperationsMask": 1}
    for kind in ("dragEnter", "dragOver", "drop"):
        event = {"type": kind, "x": box["x"] + 40, "y": box["y"] + 30, "data": data}
        devtools.send("Input.dispatchDragEvent", event)


def test_a_dropped_folder_keeps_its_structure_and_tells_what_became_of_each_file(indexed: App, visit: Visit) -> None:
    visit.open()
    visit.tab("Add documents")
    visit.job_is_done()
    job = visit.page.locator(".job").first
    assert "37 added" in job.inner_text() and "1 skipped" in job.inner_text()
    job.locator(".problems summary").click()
    assert "This file is empty." in job.inner_text()
    visit.tab("Collection")
    visit.page.wait_for_selector("tr[data-document]", timeout=SECONDS)
    folders = visit.page.locator(".doc-name .folder").all_inner_texts()
    assert "examples/bread" in folders and "examples/notes" in folders
    assert "hidden" not in visit.page.locator(".table-box").inner_text()
    visit.was_clean()


def test_a_question_finds_the_passage_in_another_language_and_opens_it_at_its_place(indexed: App, visit: Visit) -> None:
    visit.open()
    visit.ask("Hvor højt steg vandet i floden under oversvømmelsen i 1987?")  # Danish; the answer is in Russian
    first = visit.page.locator(".card").first
    assert first.locator(".title").inner_text() == "Паводок 1987 года.txt"
    assert first.locator(".chip").inner_text() == "Russian"
    passage = first.locator(".passage")
    assert (passage.get_attribute("lang"), passage.get_attribute("dir")) == ("ru", "ltr")
    marked = first.locator("mark").inner_text()
    first.locator(".why summary").click()
    assert (
        "Machine comparison, check the source." in first.inner_text()
        and "1987" in first.locator(".shared").inner_text()
    )

    first.get_by_role("button", name="Open source").click()
    viewer = visit.page.locator("dialog.viewer[open]")
    viewer.wait_for(timeout=SECONDS)
    assert re.sub(r"\s+", " ", viewer.locator("mark").first.inner_text()) in re.sub(r"\s+", " ", marked)
    assert viewer.locator("mark").first.is_visible()
    with visit.page.expect_download() as download:
        viewer.get_by_text("Download the original").click()
    assert Path(download.value.path()).read_bytes() == (ROOT / "examples/water/Паводок 1987 года.txt").read_bytes()
    visit.page.keyboard.press("Escape")
    assert visit.page.locator("dialog[open]").count() == 0
    visit.was_clean()


def test_a_pdf_opens_at_its_page_with_the_passage_boxed(indexed: App, visit: Visit) -> None:
    visit.open()
    visit.ask("Il quaderno dell'ostetrica")
    visit.page.evaluate("document.querySelectorAll('.distant').forEach(list => { list.open = true; })")
    card = visit.page.locator(".card", has_text="Il quaderno dell'ostetrica.pdf").first
    card.get_by_role("button", name="Open source").click()
    image = visit.page.locator("dialog.viewer[open] .page-frame img")
    image.wait_for(timeout=SECONDS)
    visit.page.wait_for_function("() => document.querySelector('.page-frame img').naturalWidth > 500", timeout=SECONDS)
    assert visit.page.locator(".page-frame .box").count() >= 1
    visit.was_clean()


def test_right_to_left_passages_read_right_to_left(indexed: App, visit: Visit) -> None:
    visit.open("?lang=" + urllib.request.quote('["ar","he","fa"]') + "&q=" + urllib.request.quote("water and bread"))
    visit.page.wait_for_selector(".card", timeout=SECONDS)
    for card in visit.page.locator(".card").all():
        passage = card.locator(".passage")
        assert passage.get_attribute("lang") in ("ar", "he", "fa")
        assert passage.evaluate("node => getComputedStyle(node).direction") == "rtl"
    assert visit.page.locator(".chips .removable").count() == 3
    visit.was_clean()


def test_hostile_names_and_texts_are_shown_and_do_nothing(indexed: App, visit: Visit) -> None:
    visit.open()
    visit.page.locator("#mode label", has_text="Words").click()
    visit.ask("Zebra backticks")
    card = visit.page.locator(".card").first
    assert "${window.__hostile=1}" in card.locator(".title").inner_text()
    assert "{{window.__hostile=4}}" in card.locator(".passage").inner_text()
    assert card.locator("img").count() == 0
    card.get_by_role("button", name="Open source").click()
    viewer = visit.page.locator("dialog.viewer[open]")
    viewer.wait_for(timeout=SECONDS)
    assert "<img src=x" in viewer.inner_text() and viewer.locator("img").count() == 0
    visit.page.keyboard.press("Escape")
    visit.tab("Collection")
    visit.page.wait_for_selector("tr[data-document]", timeout=SECONDS)
    assert "onerror" in visit.page.locator(".table-box").inner_text()
    visit.was_clean()


def test_a_search_can_be_bookmarked(indexed: App, visit: Visit) -> None:
    visit.open()
    visit.page.locator("#only input").check()
    visit.ask("How are carpets cleaned with snow in winter?")
    first, address = visit.page.locator(".card .passage").first.inner_text(), visit.page.url
    visit.open(address.removeprefix(visit.address))
    visit.page.wait_for_selector(".card", timeout=SECONDS)
    assert visit.page.locator("#question textarea").input_value() == "How are carpets cleaned with snow in winter?"
    assert visit.page.locator("#only input").is_checked()
    assert visit.page.locator(".card .passage").first.inner_text() == first
    assert "English" not in visit.page.locator(".card .chip").all_text_contents()
    visit.was_clean()


def test_filters_narrow_and_chips_take_them_away(indexed: App, visit: Visit) -> None:
    visit.open()
    visit.ask("bread")
    visit.page.locator("#filters > button").click()
    visit.page.locator("#languages input").click()
    visit.page.get_by_role("option", name=re.compile("Japanese")).click(timeout=SECONDS)
    visit.page.keyboard.press("Escape")  # leaves the list, which stays open for more
    visit.page.wait_for_selector(".chips .removable", timeout=SECONDS)
    assert set(visit.page.locator(".card .chip").all_text_contents()) == {"Japanese"}
    assert "lang=" in visit.page.url
    visit.page.locator(".chips .removable").click()
    visit.page.wait_for_selector(".chips .removable", state="detached", timeout=SECONDS)
    assert "lang=" not in visit.page.url
    assert visit.page.locator(".card").count() == 20
    visit.page.evaluate("document.querySelectorAll('.distant').forEach(list => { list.open = true; })")
    visit.page.locator(".show-more").click()
    visit.page.wait_for_function("() => document.querySelectorAll('.card').length > 20", timeout=SECONDS)
    assert visit.page.evaluate("document.activeElement.dataset.rank") == "21"
    visit.was_clean()


def test_the_keyboard_reaches_everything(indexed: App, visit: Visit) -> None:
    visit.open()
    keyboard = visit.page.keyboard
    visit.ask("Hvor højt steg vandet i floden under oversvømmelsen i 1987?")
    keyboard.press("Escape")
    keyboard.press("j")
    assert visit.page.evaluate("document.activeElement.dataset.rank") == "1"
    keyboard.press("j")  # distant passages unfold on the way
    keyboard.press("ArrowDown")
    keyboard.press("k")
    assert visit.page.evaluate("document.activeElement.dataset.rank") == "2"
    keyboard.press("k")
    keyboard.press("c")
    visit.page.wait_for_function(
        "() => document.getElementById('labse-live')?.textContent === 'Copied'", timeout=SECONDS
    )
    assert "Паводок 1987 года.txt" in visit.page.evaluate("navigator.clipboard.readText()")
    keyboard.press("Enter")
    visit.page.wait_for_selector("dialog.viewer[open]", timeout=SECONDS)
    keyboard.press("Escape")
    keyboard.press("?")
    visit.page.wait_for_selector("#labse-help[open]", timeout=SECONDS)
    keyboard.press("Escape")
    keyboard.press("/")
    visit.page.wait_for_function("() => document.activeElement === labse.question()", timeout=SECONDS)
    keyboard.type("j?")  # while typing, letters are letters
    assert visit.page.locator("#labse-help[open]").count() == 0
    keyboard.press("Escape")
    visit.page.locator(".card").first.focus()
    keyboard.press("m")
    visit.page.wait_for_selector(".like-title", timeout=SECONDS)
    assert visit.page.locator(".card .title").first.inner_text() != "Паводок 1987 года.txt"
    visit.page.get_by_role("button", name="Back to your question").click()
    visit.page.wait_for_selector(".like-title", state="detached", timeout=SECONDS)
    visit.was_clean()


def test_a_removed_document_is_gone_and_comes_back(indexed: App, visit: Visit) -> None:
    visit.open()
    visit.tab("Collection")
    row = visit.page.locator("tr[data-document]", has_text="Simit fırını.txt")
    row.get_by_role("button", name="Remove").click()
    undo = row.get_by_role("button", name="Undo")
    undo.wait_for(timeout=SECONDS)
    undo.click()
    row.get_by_role("button", name="Remove").wait_for(timeout=SECONDS)
    visit.was_clean()


def test_a_local_folder_is_offered_by_its_path(indexed: App, visit: Visit) -> None:
    visit.open()
    visit.tab("Add documents")
    visit.page.locator("#labse-path").fill(str(ROOT / "examples" / "bread"))
    visit.page.locator("#labse-path").press("Enter")
    visit.page.wait_for_selector(".plan", timeout=SECONDS)
    assert "5 files are already indexed" in visit.page.locator(".plan").inner_text()
    visit.page.locator("#labse-path").fill("/there/is/no/such/folder")
    visit.page.get_by_role("button", name="Check").click()
    visit.page.wait_for_selector(".add [role=alert]", timeout=SECONDS)
    visit.was_clean()


def test_the_sample_collection_is_one_click_away(app: App, visit: Visit) -> None:
    visit.open("?collection=sample")
    assert visit.page.locator(".results").get_attribute("data-state") == "first"
    visit.page.get_by_role("button", name="Try the sample collection").click()
    visit.page.locator(".example").first.click(timeout=SECONDS)
    visit.page.wait_for_selector(".results[aria-busy=false] .card", timeout=SECONDS)
    assert visit.page.locator(".head select").input_value() == "sample"
    assert "q=" in visit.page.url and "collection=sample" in visit.page.url
    visit.was_clean()


@pytest.mark.parametrize("visit", [{"color_scheme": "dark", "viewport": {"width": 390, "height": 844}}], indirect=True)
def test_nothing_sticks_out_of_a_narrow_screen(indexed: App, visit: Visit) -> None:
    visit.open("?q=bread")
    visit.page.wait_for_selector(".card", timeout=SECONDS)
    for tab in ("Add documents", "Collection", "Settings", "Search"):
        visit.tab(tab)
        assert visit.page.evaluate("document.documentElement.scrollWidth <= window.innerWidth"), tab
    visit.was_clean()
