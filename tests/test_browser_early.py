"""What a person types and asks before the page has loaded: it is neither lost nor answered with something else.

The first answer of the app, what the fields begin with, is held back by the test until the person has acted.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any
from urllib.parse import quote

import pytest
from browser_case import IN_BROWSER, SECONDS, App, Visit, running_app
from browser_home import CONCEPTS, QUESTION, small_home
from lexicon import sentence
from playwright.sync_api import expect

OTHER = sentence("de", CONCEPTS[1])

pytestmark = IN_BROWSER


@pytest.fixture(scope="module")
def app(tmp_path_factory: pytest.TempPathFactory) -> Iterator[App]:
    home, model = small_home(tmp_path_factory.mktemp("early"))
    with running_app(home, model) as app:
        yield app


class Loading:
    """The page of a visit while it loads, from the moment when the question can be typed: what it asks of the app first
    waits for `release`, as many requests as are to be held."""

    def __init__(self, visit: Visit, parameters: str = "", hold: int = 1) -> None:
        self.page = visit.page
        self.left = hold
        self.held: list[Any] = []
        self.page.route("**/run/predict*", self._hold)
        self.page.goto(visit.address + parameters, wait_until="commit")
        self.box = self.page.locator("#question textarea")
        self.box.wait_for(timeout=SECONDS)

    def _hold(self, route: Any) -> None:
        if self.left:
            self.left -= 1
            self.held.append(route)
        else:
            route.continue_()

    def release(self) -> None:
        """Let the next held request go, once it was sent."""
        self.is_held()
        self.held.pop(0).continue_()

    def is_held(self) -> None:
        """A request is waiting."""
        while not self.held:
            self.page.wait_for_timeout(50)  # routes are told while Playwright waits; pytest's time limit ends this

    def is_answered(self, question: str) -> None:
        expect(self.page.locator(".results[aria-busy=false] .card").first).to_be_visible()
        expect(self.box).to_have_value(question)
        assert self.page.evaluate("new URL(location).searchParams.get('q')") == question


@pytest.mark.parametrize("address", ["", f"?q={quote(OTHER)}"], ids=["an empty page", "a page with a question"])
@pytest.mark.parametrize("sent", ["by Enter", "by the button"])
def test_a_question_sent_before_the_page_has_loaded_is_answered(
    app: App, visit: Visit, sent: str, address: str
) -> None:
    loading = Loading(visit, address)
    loading.box.fill(QUESTION)
    if sent == "by Enter":
        loading.box.press("Enter")
    else:
        visit.page.locator("#go").click()
    expect(visit.page.locator(".results")).to_have_attribute("aria-busy", "true")
    loading.release()
    loading.is_answered(QUESTION)
    assert "collection=" not in visit.page.url
    visit.was_clean()


def test_what_is_typed_before_the_page_has_loaded_stays_and_is_not_asked(app: App, visit: Visit) -> None:
    loading = Loading(visit)
    loading.box.fill(QUESTION[:7])
    loading.release()
    expect(visit.page.locator(".results")).to_have_attribute("data-state", "idle")
    expect(loading.box).to_have_value(QUESTION[:7])
    assert "q=" not in visit.page.url
    visit.page.keyboard.type(QUESTION[7:])
    visit.page.keyboard.press("Enter")
    loading.is_answered(QUESTION)
    visit.was_clean()


def test_an_answer_that_a_later_question_overtook_is_not_shown(app: App, visit: Visit) -> None:
    loading = Loading(visit, hold=2)
    loading.release()  # the fields
    loading.is_held()  # what the page then asks by itself
    loading.box.fill(QUESTION)
    loading.box.press("Enter")
    loading.is_answered(QUESTION)
    with visit.page.expect_response(lambda _: True, timeout=SECONDS):
        loading.release()
    loading.is_answered(QUESTION)
    visit.was_clean()


def test_an_early_question_goes_to_the_collection_of_the_address(app: App, visit: Visit) -> None:
    loading = Loading(visit, "?collection=another")
    loading.box.fill(QUESTION)
    loading.box.press("Enter")
    loading.release()
    expect(visit.page.locator(".results")).to_have_attribute("data-state", "first")  # nothing is indexed there
    assert visit.page.evaluate("new URL(location).searchParams.get('collection')") == "another"
    visit.was_clean()


def test_an_example_is_asked_as_soon_as_it_is_shown(app: App, visit: Visit) -> None:
    loading = Loading(visit)
    loading.release()
    example = visit.page.locator("button.example").first
    question = example.inner_text(timeout=SECONDS)
    example.click()
    expect(loading.box).to_have_value(question)
    visit.page.wait_for_function("q => new URL(location).searchParams.get('q') === q", arg=question, timeout=SECONDS)
    expect(visit.page.locator(".results")).to_have_attribute("data-state", re.compile("none|weak|results"))
    visit.was_clean()
