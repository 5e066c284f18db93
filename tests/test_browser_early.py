"""What a person does before an answer of the app has come: it is neither lost nor answered with something else.

At the start that is what the fields begin with, the first answer: the test holds it back until the person has acted.
Later it is the answer to the last action while the next one is begun, or to what was asked of another collection.
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

from indexer.sources import walk
from indexer.worker import do_job
from labse_search.library import Library
from labse_search.library.findings import Findings
from labse_search.records import Pair
from labse_search.settings import Settings
from labse_search.teach import Teaching

OTHER = sentence("de", CONCEPTS[1])
OTHERS = {"other": CONCEPTS[4:7], "left": CONCEPTS[7:8], "right": CONCEPTS[8:9]}
ASKED = "**/run/predict*"  # what the page asks of the app
# The passages on the cards as addresses name them, and the titles.
CARDS = """() => { const cards = [...document.querySelectorAll("article.card")];
  return [cards.map(one => `${one.dataset.document}.${one.dataset.index}`),
    cards.map(one => one.querySelector(".title").textContent)]; }"""

pytestmark = IN_BROWSER


@pytest.fixture(scope="module")
def app(tmp_path_factory: pytest.TempPathFactory) -> Iterator[App]:
    """Several collections: "documents", and others with documents of their own. The first two have pairs to review."""
    folder = tmp_path_factory.mktemp("early")
    home, model = small_home(folder)
    library, teaching = Library(home), Teaching(home)
    for name, some in OTHERS.items():
        (folder / name).mkdir()
        for number, concepts in enumerate(some):
            (folder / name / f"{name} {number}.txt").write_text(sentence("es", concepts) + ".")
        job = library.add_index_job(name, str(model), walk([folder / name], library, name))
        do_job(library, Settings(home=home, model=str(model)), library.job(job))
        assert library.job(job).state == "done", library.job(job).error
    library.close()
    for name in ("documents", "other"):
        teaching.pairs.add(name, [Pair(f"{name} {n}", f"{name} translated {n}", 1.2, "en", "de") for n in range(3)])
    with running_app(home, model) as app:
        yield app


@pytest.fixture(scope="module")
def view(app: App) -> str:
    """The parameters that open a document of the collection "other"."""
    library = Library(app.home)
    document = library.documents("other")[0].document
    library.close()
    return f"?collection=other&view={document}.0"


class Loading:
    """The page of a visit while it loads, from the moment when the question can be typed. What its fields begin with,
    and what it asks of the app then, waits for `release`: as many requests as are to be held, and later as `left` says.
    """

    def __init__(self, visit: Visit, parameters: str = "", hold: int = 1) -> None:
        self.page = visit.page
        self.left = hold
        self.begins = hold > 0
        self.held: list[Any] = []
        self.page.route(ASKED, self._hold)
        self.page.goto(visit.address + parameters, wait_until="commit")
        self.box = self.page.locator("#question textarea")
        self.box.wait_for(state="attached", timeout=SECONDS)  # another tab may be open

    def _hold(self, route: Any) -> None:
        begins = route.request.post_data_json["data"] == []  # the one that fills the fields is given none
        if self.left and (begins or not self.begins):
            self.begins = False
            self.left -= 1
            self.held.append(route)
        else:
            route.continue_()

    def release(self) -> None:
        """Let the next held request go, once it was sent."""
        self.is_held()
        self.held.pop(0).continue_()

    def is_held(self, requests: int = 1) -> None:
        """So many requests are waiting."""
        while len(self.held) < requests:
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


def test_a_link_opens_a_document_of_the_collection_that_it_names(app: App, visit: Visit, view: str) -> None:
    loading = Loading(visit, view)
    expect(visit.page.locator(".viewer h2")).to_contain_text("other")
    loading.release()
    expect(visit.page.locator(".head .counts")).to_contain_text("3 passages")
    expect(visit.page.locator(".viewer .source-text")).to_be_visible()
    visit.page.evaluate("labse.go({ view: '' })")
    visit.page.locator(".head select").select_option("documents")
    expect(visit.page.locator(".head .counts")).to_contain_text("12 passages")
    # The address follows the header: a step back before that would be another one.
    visit.page.wait_for_function("!new URL(location).searchParams.get('collection')", timeout=SECONDS)
    loading.left = 1
    visit.page.go_back()
    loading.is_held()  # the first step's search is on its way while the second one is made
    visit.page.go_back()
    expect(visit.page.locator(".viewer .source-text")).to_be_visible()
    loading.release()
    expect(visit.page.locator(".head .counts")).to_contain_text("3 passages")
    visit.page.wait_for_selector(".results[aria-busy=false]", timeout=SECONDS)
    assert visit.page.evaluate("!!labse.parameter('view')")
    expect(visit.page.locator(".viewer .source-text")).to_be_visible()
    expect(visit.page.locator(".viewer [role=alert]")).to_have_count(0)
    visit.was_clean()


def test_a_tab_shows_the_collection_of_the_address_and_then_the_one_that_is_picked(app: App, visit: Visit) -> None:
    followed: list[str] = []
    visit.page.on("request", lambda one: followed.append(one.url) if "/events?" in one.url else None)
    loading = Loading(visit, "?collection=other&tab=teach")
    pair, picker = visit.page.locator(".review .pair"), visit.page.locator(".head select")
    expect(pair).to_contain_text("other translated")
    loading.release()
    expect(picker).to_have_value("other")
    expect(pair).to_contain_text("other translated")
    picker.focus()
    picker.select_option("documents")
    expect(visit.page.locator(".head .counts")).to_contain_text("12 passages")
    expect(pair).to_contain_text("documents translated")
    expect(picker).to_be_focused()
    assert [url.partition("collection=")[2] for url in followed] == ["other", "documents"]
    visit.page.locator("#question textarea, .review h2").last.click()
    expect(picker).to_have_value("documents")
    visit.was_clean()


def test_the_page_goes_to_the_collection_that_another_is_merged_into_also_the_second_time(
    app: App, visit: Visit
) -> None:
    page = visit.page
    picker, whole = page.locator(".head select"), page.locator(".whole")
    page.on("dialog", lambda dialog: dialog.accept())
    visit.open("?collection=left")
    visit.tab("Collection")
    whole.locator("#labse-new-name").fill("renamed")
    whole.get_by_role("button", name="Rename").click()
    expect(picker).to_have_value("renamed")
    picker.select_option("right")
    expect(whole.locator("select")).to_contain_text("renamed")  # the parts of "right" are drawn
    whole.locator("select").select_option("renamed")
    whole.get_by_role("button", name="Merge").click()
    expect(page.locator(".head .counts")).to_contain_text("2 passages")
    expect(picker).to_have_value("renamed")
    visit.was_clean()


def test_what_is_pressed_before_the_last_press_was_answered_is_done_too(app: App, visit: Visit) -> None:
    loading = Loading(visit, f"?q={quote(QUESTION)}", hold=0)
    loading.is_answered(QUESTION)
    stars, facets = visit.page.locator("button.keep"), visit.page.locator(".facet-value")
    visit.page.evaluate("document.querySelectorAll('details.distant').forEach(one => { one.open = true; })")
    loading.left = 1
    stars.nth(0).click()
    loading.is_held()
    with visit.page.expect_response(ASKED, timeout=SECONDS):
        stars.nth(1).click()
    with visit.page.expect_response(ASKED, timeout=SECONDS):
        loading.release()
    assert len(Findings(app.home).all("documents")) == 2
    loading.left = 1
    facets.nth(0).click()
    facets.nth(1).click()
    loading.release()
    visit.page.wait_for_function("JSON.parse(new URL(location).searchParams.get('lang') || '[]').length === 2")
    expect(visit.page.locator(".facet-value[aria-pressed=true]")).to_have_count(2)
    expect(visit.page.locator(".chips .removable")).to_have_count(2)
    loading.left = 1
    visit.page.locator(".chips .removable").nth(0).click()
    visit.page.locator(".chips .removable").nth(1).click()
    loading.release()
    visit.page.wait_for_function("!new URL(location).searchParams.get('lang')")
    expect(visit.page.locator(".chips .removable")).to_have_count(0)
    visit.was_clean()


def test_the_reader_shows_what_was_opened_last_and_steps_from_there(app: App, visit: Visit) -> None:
    loading = Loading(visit, f"?q={quote(QUESTION)}", hold=0)
    loading.is_answered(QUESTION)
    shown, (cards, titles) = visit.page.locator(".viewer h2"), visit.page.evaluate(CARDS)
    loading.left = 2
    for at in (0, 1):
        visit.page.evaluate("view => labse.go({ view })", cards[at])
        loading.is_held(at + 1)
    with visit.page.expect_response(ASKED, timeout=SECONDS):
        loading.held.pop().continue_()  # the second overtakes the first
    expect(shown).to_have_text(titles[1])
    with visit.page.expect_response(ASKED, timeout=SECONDS):
        loading.release()
    loading.left = 1
    visit.page.locator(".viewer-body").press("n")
    loading.is_held()
    visit.page.locator(".viewer-body").press("n")
    loading.release()
    expect(shown).to_have_text(titles[3])
    visit.was_clean()


def test_two_pages_change_a_note_and_its_tags_apart(app: App, visit: Visit) -> None:
    visit.open(f"?q={quote(OTHER)}")
    visit.page.locator("button.keep[aria-pressed=false]").first.click()
    passage = visit.page.locator("button.keep[aria-pressed=true]").first.get_attribute("data-passage")
    other = visit.page.context.new_page()
    fields = []
    for page, field in ((visit.page, "note"), (other, "tags")):
        page.goto(f"{visit.address}?tab=findings")
        fields.append(page.locator(f"[data-passage='{passage}'] .finding-{field}"))
        fields[-1].wait_for(timeout=SECONDS)
    for field in fields:
        field.fill("changed here")
        with field.page.expect_response(ASKED, timeout=SECONDS):
            field.blur()
    kept = next(one for one in Findings(app.home).all("documents") if passage == f"{one.document}.{one.index}")
    assert (kept.note, kept.tags) == ("changed here", ("changed here",))
    other.goto(f"{visit.address}?q={quote(OTHER)}")  # whose list of findings was never opened
    star = other.locator(f"button.keep[data-passage='{passage}']")
    expect(star).to_have_attribute("aria-pressed", "true", timeout=SECONDS)
    with other.expect_response(ASKED, timeout=SECONDS):
        star.click()
    expect(star).to_have_attribute("aria-pressed", "false")
    assert kept not in Findings(app.home).all("documents")
    visit.was_clean()
