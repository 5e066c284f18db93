"""The map of a collection as a person uses it: computed by the worker, looked at, encircled, read."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from browser_case import IN_BROWSER, SECONDS, App, Visit, running_app
from lexicon import LANGUAGES, make_lexicon_model, sentence

PATIENCE = 3 * SECONDS  # a job, on a machine that may be busy
HOSTILE = "<img src=x onerror='window.__hostile=5'> ${window.__hostile=3}"
TOPICS = 5

pytestmark = [*IN_BROWSER, pytest.mark.slow]


def write_rows(folder: Path, language: str, passages: int, first: int = 0) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    rows = [
        sentence(language, [topic * 15 + (number + step) % 15 for step in (0, 1, 3, 4, 6, 7)])
        for topic in range(TOPICS)
        for number in range(first, first + passages)
    ]
    (folder / f"{language}-{first}.csv").write_text("text\n" + "".join(f'"{row}"\n' for row in rows), encoding="utf-8")


@pytest.fixture(scope="module")
def app(tmp_path_factory: pytest.TempPathFactory) -> Iterator[App]:
    model = make_lexicon_model(tmp_path_factory.mktemp("models") / "lexicon")
    with running_app(tmp_path_factory.mktemp("home"), model) as app:
        yield app


def add_folder(visit: Visit, folder: Path) -> None:
    visit.tab("Add documents")
    visit.page.locator(".path input").fill(str(folder))
    visit.page.locator(".path button").click()
    visit.page.locator(".plan .start").click()
    visit.page.wait_for_function(
        "[...document.querySelectorAll('.jobs .job')].some(job => job.dataset.state === 'done')"
    )
    visit.page.wait_for_function(
        "![...document.querySelectorAll('.jobs .job')].some(job => ['queued', 'running'].includes(job.dataset.state))"
    )


def canvas_of(visit: Visit, points: int | None = None) -> Any:
    """The canvas once it is painted."""
    what = ".map-canvas[data-painted]" if points is None else f".map-canvas[data-painted][data-points='{points}']"
    visit.page.wait_for_selector(what)
    canvas = visit.page.locator(what)
    canvas.scroll_into_view_if_needed()
    return canvas


def place_of(canvas: Any, row: int) -> tuple[float, float]:
    """Where a passage lies on the screen."""
    canvas.scroll_into_view_if_needed()
    box = canvas.bounding_box()
    x, y = canvas.evaluate("(canvas, row) => canvas.map.toScreen(row)", row)
    return box["x"] + x, box["y"] + y


def test_a_person_computes_a_map_and_reads_in_it(app: App, visit: Visit, tmp_path: Path) -> None:
    page = visit.page
    fetched: list[str] = []
    page.on("request", lambda sent: fetched.append(sent.url))
    page.set_default_timeout(PATIENCE)
    visit.open()
    visit.tab("Collection")
    page.locator(".map-part .empty", has_text="at least 20 passages").wait_for()
    for language in LANGUAGES:
        write_rows(tmp_path / "in" / language, language, 6)
    (tmp_path / "in" / "hostile.csv").write_text(f'text\n"{sentence("en", list(range(20)))} {HOSTILE}"\n')
    add_folder(visit, tmp_path / "in")
    visit.tab("Collection")
    page.locator(".map-part .map_make").click()
    assert not [url for url in fetched if "/map/" in url]  # nothing of it before there is a map to look at
    canvas = canvas_of(visit)
    points = int(canvas.get_attribute("data-points"))
    assert points >= 4 * 6 * TOPICS
    look_at_it(visit, canvas)
    choose_a_topic(visit)
    encircle(visit, canvas, points)
    go_by_keys(visit, canvas)
    add_to_it(visit, tmp_path / "later", points)
    for width in (1100, 390):
        page.set_viewport_size({"width": width, "height": 900})
        assert page.evaluate("document.documentElement.scrollWidth") <= width
    visit.was_clean()


def add_to_it(visit: Visit, folder: Path, points: int) -> None:
    """Documents that came later are told of and added; what was there stays."""
    write_rows(folder, "en", 1, first=6)
    add_folder(visit, folder)
    visit.tab("Collection")
    visit.page.locator(".map-part .map_update").click()
    canvas_of(visit, points + TOPICS)


def look_at_it(visit: Visit, canvas: Any) -> None:
    """The pointer shows a passage, a click opens its source; colours have a legend."""
    page = visit.page
    hostile = canvas.evaluate(
        "canvas => { const { values, of } = canvas.map.points.folder;"
        " return of.findIndex(one => values[one] === 'in'); }"
    )
    page.mouse.move(*place_of(canvas, hostile))
    page.locator(".map-tip", has_text="window.__hostile").wait_for()
    page.mouse.move(*place_of(canvas, 0))
    page.locator(".map-tip .map-text").wait_for()
    page.mouse.down()
    page.mouse.up()
    page.wait_for_selector(".viewer[open]")
    assert re.search(r"view=[0-9a-f]{32}\.\d+", page.url)
    page.keyboard.press("Escape")
    page.wait_for_selector(".viewer:not([open])", state="attached")
    assert page.locator(".map-key").count() > 2
    page.locator(".map-tools select").select_option("kind")
    page.locator(".map-key", has_text="csv").wait_for()
    page.locator(".map-tools select").select_option("language")


def choose_a_topic(visit: Visit) -> None:
    page = visit.page
    topic = page.locator(".map-topic").first
    topic.click()
    page.wait_for_selector(".map-topic[aria-pressed=true]")
    page.wait_for_selector(".map-passages li")
    languages = set(page.locator(".map-passages .chip").all_inner_texts())
    assert len(languages) > 1, languages
    page.locator(".map-clear").click()
    page.wait_for_selector(".map-found", state="hidden")


def encircle(visit: Visit, canvas: Any, points: int) -> None:
    page = visit.page
    page.locator(".map-lasso").click()
    canvas.scroll_into_view_if_needed()  # the pointer hears nothing beyond the window
    box = canvas.bounding_box()
    left, top, right, bottom = 8, 8, box["width"] - 8, box["height"] - 8  # inside of the rounded corners
    corners = [(left, top), (right, top), (right, bottom), (left, bottom)]
    page.mouse.move(box["x"] + left, box["y"] + top)
    page.mouse.down()
    for x, y in corners[1:]:
        page.mouse.move(box["x"] + x, box["y"] + y, steps=2)
    page.mouse.up()
    page.locator(".map-found h3", has_text=f"Selected area · {points} passages").wait_for()
    page.wait_for_function("document.querySelectorAll('.map-passages li').length === 20")
    page.locator(".map-found .show-more").click()
    page.wait_for_function("document.querySelectorAll('.map-passages li').length === 40")
    page.locator(".map-lasso").click()
    page.locator(".map-clear").click()


def go_by_keys(visit: Visit, canvas: Any) -> None:
    page = visit.page
    canvas.focus()
    canvas.press("ArrowRight")
    page.wait_for_selector(".map-tip:not([hidden])")
    page.wait_for_function("document.getElementById('labse-live')?.textContent.length > 20")
    canvas.press("+")
    canvas.press("Enter")
    page.wait_for_selector(".viewer[open]")
    page.keyboard.press("Escape")
    page.wait_for_selector(".viewer:not([open])", state="attached")
