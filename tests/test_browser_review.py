"""The review list and the tunings of the Teach tab in a real browser: what is shown is used, what was said stays."""

from __future__ import annotations

import re
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from browser_case import IN_BROWSER, App, Visit, running_app
from browser_home import small_home
from playwright.sync_api import expect

from labse_search.records import Pair
from labse_search.teach import Teaching
from labse_search.teach.runs import Recipe, Run, save

pytestmark = IN_BROWSER

PAIRS = [Pair(f"Satz {i} hier", f"Sentence {i} here", 1.0 + i / 10, "de", "en") for i in range(10)]


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    home, model = small_home(tmp_path_factory.mktemp("review"))
    Teaching(home).pairs.add("documents", PAIRS)
    return home, model


@pytest.fixture(scope="module")
def app(home: tuple[Path, Path]) -> Iterator[App]:
    with running_app(*home) as app:
        yield app


def test_the_numbers_are_those_of_the_score_that_is_used(visit: Visit) -> None:
    page = visit.page
    visit.open()
    visit.tab("Teach")
    summary, field = page.locator(".all-pairs summary"), page.locator(".score-from")
    summary.click()
    field.click()
    field.press_sequentially("1.5")
    field.press("Enter")
    expect(summary).to_contain_text("5 kept")
    expect(page.locator(".exports a").first).to_have_attribute("href", re.compile(r"threshold=1\.5$"))
    page.keyboard.type("5")  # the caret is where it was
    page.keyboard.press("Enter")
    expect(summary).to_contain_text("4 kept")
    expect(field).to_be_focused()
    expect(field).to_have_value("1.55")
    field.fill("1.25")
    field.blur()
    expect(summary).to_contain_text("7 kept")
    page.keyboard.press("s")
    expect(page.locator("td", has_text="Skip")).to_have_count(1)
    expect(summary).to_contain_text("7 kept")
    visit.tab("Search")
    visit.tab("Teach")  # which asks for the list anew
    page.wait_for_timeout(1500)
    expect(field).to_have_value("1.25")
    expect(summary).to_contain_text("7 kept")
    page.keyboard.press("u")
    expect(page.locator("td", has_text="Skip")).to_have_count(0)
    visit.was_clean()


def test_judged_pairs_to_measure_on_come_back_to_the_list(visit: Visit, tmp_path: Path) -> None:
    page = visit.page
    known = tmp_path / "known.tsv"
    known.write_text("".join(f"{one.target}\t{one.source}\n" for one in PAIRS), encoding="utf-8")
    visit.open()
    visit.tab("Teach")
    page.locator(".review .pair").wait_for()
    page.keyboard.press("r")
    expect(page.locator(".estimate")).to_contain_text("Reviewed: 1")
    page.locator("label", has_text="Import pairs to measure on").locator("input").set_input_files(known)
    expect(page.locator(".pairs-part")).to_contain_text("10 pairs to measure on")
    expect(page.locator(".pairs-part")).to_contain_text("Fewer than 20 pairs tell nothing")
    page.get_by_role("button", name="Clear", exact=True).click()
    expect(page.locator(".all-pairs summary")).to_contain_text("1 pair found")
    expect(page.get_by_role("button", name="Clear", exact=True)).to_have_count(0)
    visit.was_clean()


def test_a_tuned_model_is_deleted_only_by_whoever_means_it(home: tuple[Path, Path], visit: Visit) -> None:
    page, answers = visit.page, [False, True]
    run = Run(home[0] / "tuned" / "20261130-101010-abcdef", "documents", "labse-mini", 1.0, Recipe(), 9, 0, 0, {})
    shutil.copytree(home[1], run.model)
    save(run)
    asked: list[str] = []

    def answer(dialog: Any) -> None:
        asked.append(dialog.message)
        dialog.accept() if answers[len(asked) - 1] else dialog.dismiss()

    page.on("dialog", answer)
    visit.open()
    visit.tab("Teach")
    page.locator(".delete-run").click()
    page.wait_for_timeout(1000)
    assert len(asked) == 1 and "cannot be put back" in asked[0] and run.model.is_dir()
    page.locator(".delete-run").click()
    expect(page.locator(".delete-run")).to_have_count(0)
    assert len(asked) == 2 and not run.folder.exists()
    visit.was_clean()


@pytest.mark.parametrize("part", ["queue", "runs"])
def test_an_answer_that_a_later_one_overtook_is_not_shown(home: tuple[Path, Path], visit: Visit, part: str) -> None:
    page = visit.page
    pairs = Teaching(home[0]).pairs
    pairs.clear("documents", "train")
    pairs.add("documents", [Pair(f"{part} {i}", f"{part} {i} too", 1.2) for i in range(9)])
    run = Run(home[0] / "tuned" / "20261130-202020-abcdef", "documents", "labse-mini", 1.0, Recipe(), 9, 0, 0, {})
    shutil.copytree(home[1], run.model)
    save(run)
    held: list[tuple[Any, Any]] = []

    def hold(route: Any) -> None:
        answer = route.fetch()
        if f'"{part}":' in answer.text() and not held:
            held.append((route, answer))
        else:
            route.fulfill(response=answer)

    visit.open()
    visit.tab("Teach")
    page.locator(".delete-run").wait_for()
    page.locator(".review .pair").wait_for()
    judged = page.locator("tr.gone").count()
    page.on("dialog", lambda dialog: dialog.accept())
    visit.tab("Search")
    page.route("**/run/predict*", hold)
    visit.tab("Teach")  # asks what is to be shown, and the answer takes long
    while not held:  # routes are told while Playwright waits; pytest's time limit ends this
        page.wait_for_timeout(50)
    page.locator(".delete-run").click()
    expect(page.locator(".delete-run")).to_have_count(0)
    page.keyboard.press("w")
    expect(page.locator("tr.gone")).to_have_count(judged + 1)
    for route, answer in held:
        route.fulfill(response=answer)
    page.wait_for_timeout(1000)
    assert page.locator(".delete-run").count() == 0
    assert page.locator("tr.gone").count() == judged + 1
    page.keyboard.press("u")
    expect(page.locator("tr.gone")).to_have_count(judged)
    visit.was_clean()
