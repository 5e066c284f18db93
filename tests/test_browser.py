"""The page as a person uses it: a real browser, the real app, its store, its worker and the shipped model."""

from __future__ import annotations

import csv
import re
import shutil
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from browser_case import IN_BROWSER, ROOT, SECONDS, App, Visit, drop_from_desktop, running_app
from playwright.sync_api import expect

from labse_search.library.searches import MOST, SavedSearches
from labse_search.search.refining import FINER

OPEN_ALL = "document.querySelectorAll('details.distant').forEach(one => { one.open = true; })"
# A name and a text that would run as script wherever they were taken for a template or for markup.
HOSTILE_NAME = "`${window.__hostile=1}` {{x}} <img src=x onerror='window.__hostile=2'>.txt"
HOSTILE_TEXT = (
    "Zebra ${window.__hostile=3} `backticks` {{window.__hostile=4}} <img src=x onerror='window.__hostile=5'>."
)

pytestmark = IN_BROWSER


@pytest.fixture(scope="module")
def app(tmp_path_factory: pytest.TempPathFactory) -> Iterator[App]:
    with running_app(tmp_path_factory.mktemp("home"), ROOT / "labse_search" / "models" / "labse-mini") as app:
        yield app


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
    app.admit(context)
    page = context.new_page()
    visit = Visit(page, app.address)
    page.on("pageerror", lambda error: visit.errors.append(str(error)))
    visit.open()
    expect(page.locator(".results")).to_have_attribute("data-state", "first")
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


def test_a_dropped_folder_keeps_its_structure_and_tells_what_became_of_each_file(indexed: App, visit: Visit) -> None:
    visit.open()
    visit.tab("Add documents")
    visit.job_is_done()
    job = visit.page.locator(".job").first
    assert "37 added" in job.inner_text() and "1 skipped" in job.inner_text()
    job.locator(".problems summary").click()
    expect(job).to_contain_text("This file is empty.", use_inner_text=True)
    visit.tab("Collection")
    visit.page.wait_for_selector("tr[data-document]", timeout=SECONDS)
    folders = visit.page.locator(".doc-name .folder").all_inner_texts()
    assert "examples/bread" in folders and "examples/notes" in folders
    assert "hidden" not in visit.page.locator(".table-box:has(tr[data-document])").inner_text()
    visit.was_clean()


def test_the_printed_address_opens_the_page_and_another_does_not(app: App, browser: Any) -> None:
    printed = re.findall(r"Ready in [^:]+: (\S+)", (app.home / "app.log").read_text())[0]
    context = browser.new_context()
    page = context.new_page()
    assert page.goto(printed.partition("?")[0]).status == 401
    assert "the address that the app printed" in page.inner_text("body")
    page.goto(printed)
    page.wait_for_selector(".head h1", timeout=SECONDS)
    assert "token" not in page.url
    page.reload()
    page.wait_for_selector(".head h1", timeout=SECONDS)
    context.close()


@pytest.mark.parametrize("visit", [{"locale": one} for one in ("en", "hi")], ids=["English", "Hindi"], indirect=True)
def test_a_first_visit_fetches_less_than_300_kB(app: App, visit: Visit) -> None:
    devtools = visit.page.context.new_cdp_session(visit.page)
    devtools.send("Network.enable")
    urls: dict[str, str] = {}
    weights: dict[str, int] = {}
    devtools.on("Network.requestWillBeSent", lambda sent: urls.update({sent["requestId"]: sent["request"]["url"]}))
    devtools.on("Network.loadingFinished", lambda got: weights.update({got["requestId"]: got["encodedDataLength"]}))
    visit.open()
    visit.page.wait_for_load_state("networkidle")
    rows = sorted(((weight, urls[request]) for request, weight in weights.items()), reverse=True)
    assert any(url.endswith("/locale.json") for _, url in rows)
    assert sum(weight for weight, _ in rows) < 300_000, rows
    visit.was_clean()


def test_a_script_of_a_tab_that_could_not_be_fetched_is_fetched_again(app: App, visit: Visit) -> None:
    refused: list[str] = []

    def refuse_once(route: Any) -> None:
        if refused:
            route.fallback()
        else:
            refused.append(route.request.url)
            route.abort()

    visit.page.route("**/scripts/settings.*.js*", refuse_once)
    visit.open()
    visit.tab("Settings")
    visit.page.wait_for_selector(".settings select", timeout=SECONDS)
    assert len(refused) == 1
    visit.errors = [error for error in visit.errors if "ERR_FAILED" not in error]  # what the test itself made
    visit.was_clean()


def test_a_question_finds_the_passage_in_another_language_and_opens_it_at_its_place(indexed: App, visit: Visit) -> None:
    visit.open()
    visit.ask("Hvor højt steg vandet i floden under oversvømmelsen i 1987?")  # Danish; the answer is in Russian
    first = visit.page.locator(".card").first
    expect(first.locator(".title")).to_have_text("Паводок 1987 года.txt", use_inner_text=True)
    expect(first.locator(".chip")).to_have_text("Russian", use_inner_text=True)
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
    expect(viewer.locator("mark").first).to_be_visible()
    with visit.page.expect_download() as download:
        viewer.get_by_text("Download the original").click()
    assert Path(download.value.path()).read_bytes() == (ROOT / "examples/water/Паводок 1987 года.txt").read_bytes()
    visit.page.keyboard.press("Escape")
    expect(visit.page.locator("dialog[open]")).to_have_count(0)
    visit.was_clean()


@pytest.mark.parametrize("visit", [{"viewport": {"width": 1440, "height": 900}}], ids=["wide"], indirect=True)
def test_the_reader_opens_beside_its_card_and_the_answers_stay_where_they_were(indexed: App, visit: Visit) -> None:
    visit.open()
    visit.ask("Wasser")
    expect(visit.page.locator(".card")).to_have_count(20)
    visit.page.locator(".card .open-source").first.click()
    visit.page.locator("dialog.viewer.pane[open] mark").first.wait_for(timeout=SECONDS)
    expect(visit.page.locator(".card").first).to_have_class(re.compile("current"))
    expect(visit.page.locator(".card").first).to_be_in_viewport()
    visit.was_clean()


def test_a_pdf_opens_at_its_page_with_the_passage_boxed(indexed: App, visit: Visit) -> None:
    visit.open()
    visit.ask("Il quaderno dell'ostetrica")
    visit.page.evaluate(OPEN_ALL)
    card = visit.page.locator(".card", has_text="Il quaderno dell'ostetrica.pdf").first
    card.get_by_role("button", name="Open source").click()
    image = visit.page.locator("dialog.viewer[open] .page-frame img")
    image.wait_for(timeout=SECONDS)
    visit.page.wait_for_function("() => document.querySelector('.page-frame img')?.naturalWidth > 500", timeout=SECONDS)
    assert visit.page.locator(".page-frame .box").count() >= 1
    visit.was_clean()


def test_right_to_left_passages_read_right_to_left(indexed: App, visit: Visit) -> None:
    visit.open("?lang=" + urllib.request.quote('["ar","he","fa"]') + "&q=" + urllib.request.quote("water and bread"))
    visit.page.wait_for_selector(".card", timeout=SECONDS)
    for card in visit.page.locator(".card").all():
        passage = card.locator(".passage")
        assert passage.get_attribute("lang") in ("ar", "he", "fa")
        assert passage.evaluate("node => getComputedStyle(node).direction") == "rtl"
    expect(visit.page.locator(".chips .removable")).to_have_count(3)
    visit.was_clean()


def test_hostile_names_and_texts_are_shown_and_do_nothing(indexed: App, visit: Visit) -> None:
    visit.open()
    visit.page.locator("#mode label", has_text="Words").click()
    visit.ask("Zebra backticks")
    card = visit.page.locator(".card").first
    expect(card.locator(".title")).to_contain_text("${window.__hostile=1}", use_inner_text=True)
    expect(card.locator(".passage")).to_contain_text("{{window.__hostile=4}}", use_inner_text=True)
    expect(card.locator("img")).to_have_count(0)
    card.get_by_role("button", name="Open source").click()
    viewer = visit.page.locator("dialog.viewer[open]")
    viewer.wait_for(timeout=SECONDS)
    assert "<img src=x" in viewer.inner_text() and viewer.locator("img").count() == 0
    visit.page.keyboard.press("Escape")
    visit.tab("Collection")
    visit.page.wait_for_selector("tr[data-document]", timeout=SECONDS)
    expect(visit.page.locator(".table-box:has(tr[data-document])")).to_contain_text("onerror", use_inner_text=True)
    visit.was_clean()


def test_a_search_can_be_bookmarked(indexed: App, visit: Visit) -> None:
    visit.open()
    visit.page.locator("#only input").check()
    visit.ask("How are carpets cleaned with snow in winter?")
    first, address = visit.page.locator(".card .passage").first.inner_text(), visit.page.url
    visit.open(address.removeprefix(visit.address))
    visit.page.wait_for_selector(".card", timeout=SECONDS)
    expect(visit.page.locator("#question textarea")).to_have_value("How are carpets cleaned with snow in winter?")
    expect(visit.page.locator("#only input")).to_be_checked()
    expect(visit.page.locator(".card .passage").first).to_have_text(first, use_inner_text=True)
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
    expect(visit.page.locator(".card")).to_have_count(20)
    visit.page.evaluate(OPEN_ALL)
    visit.page.locator(".show-more").click()
    visit.page.wait_for_function("() => document.querySelectorAll('.card').length > 20", timeout=SECONDS)
    assert visit.page.evaluate("document.activeElement.dataset.rank") == "21"
    visit.was_clean()


def test_what_was_unfolded_stays_so_until_something_else_is_asked(indexed: App, visit: Visit) -> None:
    unfolded = visit.page.locator("details.distant[open]")
    visit.open()
    visit.ask("bread at night")
    expect(unfolded).to_have_count(0)
    visit.page.evaluate(OPEN_ALL)
    visit.ask("bread at night")
    expect(unfolded).to_have_count(1)
    visit.ask("the flood of 1987")
    expect(unfolded).to_have_count(0)
    visit.was_clean()


def test_more_is_shown_of_what_was_asked_and_not_of_what_is_being_typed(indexed: App, visit: Visit) -> None:
    page = visit.page
    held: list[Any] = []

    def hold(route: Any) -> None:
        if '"limit":' in (route.request.post_data or ""):
            held.append(route)
        else:
            route.fallback()

    def show_more() -> None:
        page.evaluate(OPEN_ALL)
        page.locator(".show-more").click()

    visit.open()
    visit.ask("bread at night")
    first = page.locator(".card .title").first.inner_text()
    page.locator("#question textarea").fill("the flood of 1987")
    show_more()
    page.wait_for_function("() => document.querySelectorAll('.card').length > 20", timeout=SECONDS)
    expect(page.locator(".card .title").first).to_have_text(first, use_inner_text=True)
    visit.ask("bread at night")
    page.route("**/run/predict*", hold)
    with page.expect_request("**/run/predict*", timeout=SECONDS):
        show_more()
    visit.ask("the flood of 1987")
    other = page.locator(".card .title").first.inner_text()
    assert other != first
    with page.expect_event("requestfinished", lambda sent: sent == held[0].request, timeout=SECONDS):
        held[0].continue_()
    page.evaluate("() => new Promise(drawn => requestAnimationFrame(() => requestAnimationFrame(drawn)))")
    expect(page.locator(".card .title").first).to_have_text(other, use_inner_text=True)
    visit.was_clean()


def drawn_with(visit: Visit, steers: int) -> None:
    """Wait until the answers are those of so many steers."""
    visit.page.wait_for_function(
        "n => document.querySelector('.results')?.getAttribute('aria-busy') === 'false' && "
        "document.querySelectorAll('.steer-chip').length === n && "
        "JSON.parse(new URL(location).searchParams.get('steer') || '[]').length === n",
        arg=steers,
        timeout=SECONDS,
    )


def test_a_question_is_steered_by_passages_and_by_another_question(indexed: App, visit: Visit) -> None:
    page = visit.page
    visit.open()
    visit.ask("Where can I buy bread at night?")
    page.evaluate(OPEN_ALL)
    liked = page.locator(".card").nth(3)
    passage = f"{liked.get_attribute('data-document')}.{liked.get_attribute('data-index')}"
    liked.focus()
    page.keyboard.press("+")
    drawn_with(visit, 1)
    expect(page.locator(".card").first).to_have_attribute("data-focus", f"card {passage}")
    assert page.evaluate("document.activeElement.dataset.focus") == f"card {passage}"
    slider = page.locator(".steer-chip .slider")
    slider.focus()
    page.keyboard.press("Home")
    page.wait_for_function("() => location.search.includes('0.1')", timeout=SECONDS)
    drawn_with(visit, 1)
    assert page.evaluate("document.activeElement.className") == "slider"
    expect(slider).to_have_attribute("aria-valuetext", "+0.1")
    gone = page.locator(".card").nth(1).get_attribute("data-focus")
    page.locator(".card").nth(1).get_by_label("Steer away from this passage").click()
    drawn_with(visit, 2)
    assert gone not in [card.get_attribute("data-focus") for card in page.locator(".card").all()]
    page.get_by_role("button", name="Another question at the same time").click()
    page.keyboard.type("<b>Hochwasser</b>")
    page.keyboard.press("Enter")
    drawn_with(visit, 3)
    page.reload()
    drawn_with(visit, 3)
    assert page.locator(".steer-chip").last.inner_text().startswith("<b>Hochwasser</b>")
    page.go_back()
    drawn_with(visit, 2)
    page.get_by_role("button", name="Clear", exact=True).click()
    drawn_with(visit, 0)
    visit.was_clean()


def test_what_was_found_is_narrowed_by_one_click_and_read_in_the_order_of_its_documents(
    indexed: App, visit: Visit
) -> None:
    page = visit.page
    visit.open("?mode=meaning")
    visit.ask("bread in the city")
    japanese = page.get_by_role("group", name="Languages").get_by_role("button", name=re.compile("Japanese"))
    japanese.click()
    page.wait_for_selector(".facet-value[aria-pressed=true]", timeout=SECONDS)
    assert set(page.locator(".card .chip").all_text_contents()) == {"Japanese"}
    assert page.locator(".facet-value").count() > 1  # the other languages are still offered
    page.locator(".facet-more summary").click()
    page.get_by_role("group", name="File types").get_by_role("button").first.click()
    page.wait_for_function("() => document.querySelectorAll('.chips .removable').length === 2", timeout=SECONDS)
    page.get_by_role("button", name="Clear all filters").click()
    page.wait_for_selector(".chips .removable", state="detached", timeout=SECONDS)
    page.get_by_label("Order").select_option("place")
    page.wait_for_function("() => location.search.includes('sort=place')", timeout=SECONDS)
    page.wait_for_selector(".results[aria-busy=false]", timeout=SECONDS)
    shown = page.evaluate("[...document.querySelectorAll('.card')].map(c => [c.dataset.document, +c.dataset.index])")
    for one, other in zip(shown, shown[1:], strict=False):
        assert one[0] != other[0] or one[1] < other[1]
    assert len({document for document, _ in shown}) < len(shown)  # each passage on its own
    visit.was_clean()


def test_the_first_cards_are_marked_at_once_and_the_others_when_somebody_comes_to_them(
    indexed: App, visit: Visit
) -> None:
    page = visit.page
    held: list[Any] = []
    released = False

    def hold(route: Any) -> None:
        if released:
            route.continue_()
        else:
            held.append(route)

    page.route("**/marks/**", hold)
    visit.open()
    visit.ask("Where can I buy bread at night?")
    cards = page.locator(".card")
    expect(cards.nth(FINER - 1).locator("mark").first).to_be_attached(timeout=SECONDS)
    expect(cards.last.locator("mark")).to_have_count(0)  # a row of a table may have been read, too
    sentence = cards.first.locator("mark").first.inner_text()
    cards.first.focus()
    page.keyboard.press("c")
    page.wait_for_selector("text=Copied", timeout=SECONDS)
    assert sentence.split()[0] in page.evaluate("navigator.clipboard.readText()")
    assert not held  # nothing more was asked for
    last = cards.last
    with page.expect_request("**/marks/**", timeout=SECONDS):
        page.evaluate(OPEN_ALL)
        last.scroll_into_view_if_needed()
    text, said = last.locator(".passage").inner_text(), page.locator("#labse-live").all_inner_texts()
    last.focus()
    at = page.evaluate("window.__focused = document.activeElement, scrollY")
    released = True
    while held:
        held.pop().continue_()
    last.locator("mark").first.wait_for(timeout=SECONDS)
    expect(last.locator(".passage")).to_have_text(text, use_inner_text=True)
    assert page.evaluate("window.__focused === document.activeElement") and page.evaluate("scrollY") == at
    assert page.locator("#labse-live").all_inner_texts() == said
    visit.was_clean()


def test_a_new_question_ends_the_search_for_sentences_of_the_last_one(indexed: App, visit: Visit) -> None:
    page = visit.page
    page.route("**/marks/**", lambda route: None)
    visit.open()
    visit.ask("Where can I buy bread at night?")
    with page.expect_request("**/marks/**", timeout=SECONDS):
        page.evaluate(OPEN_ALL)
        page.locator(".card").last.scroll_into_view_if_needed()
    with page.expect_event("requestfailed", lambda sent: "/marks/" in sent.url, timeout=SECONDS):
        visit.ask("the flood of 1987")
    page.unroute("**/marks/**")
    page.route("**/marks/**", lambda route: route.continue_())
    visit.ask("Hvor højt steg vandet i floden under oversvømmelsen i 1987?")
    page.evaluate(OPEN_ALL)
    last = page.locator(".card").last
    last.scroll_into_view_if_needed()
    last.locator("mark").first.wait_for(timeout=SECONDS)
    visit.was_clean()


def test_words_that_met_are_shown_at_the_card_that_a_person_looks_at(indexed: App, visit: Visit) -> None:
    page = visit.page
    asked: list[str] = []
    page.on("request", lambda sent: asked.append(sent.url) if "/explain" in sent.url else None)
    visit.open()
    visit.ask("Hvor højt steg vandet i floden under oversvømmelsen i 1987?")
    card = page.locator(".card").first
    text = card.locator(".passage").inner_text()
    assert asked == []  # the answers waited for none of it
    card.hover()
    card.locator(".linked").first.wait_for(timeout=SECONDS)
    expect(card.locator(".passage")).to_have_text(text, use_inner_text=True)
    assert "1987" in page.evaluate("[...document.querySelectorAll('.linked')].map(word => word.dataset.word)")
    card.focus()
    page.keyboard.press("w")
    pairs = card.locator(".why .link-pair")
    assert any("1987 ↔ 1987" in pair for pair in pairs.all_inner_texts())
    assert len(asked) == 1
    visit.was_clean()


@pytest.mark.parametrize(
    "visit", [{"viewport": {"width": 390, "height": 844}}, {"viewport": {"width": 640, "height": 450}}], indirect=True
)
def test_answers_begin_on_the_first_screen_of_a_phone_and_of_a_magnified_page(indexed: App, visit: Visit) -> None:
    visit.open("?q=Where+can+I+buy+bread+at+night%3F")
    visit.page.wait_for_selector(".card", timeout=SECONDS)
    assert visit.page.locator(".card").first.bounding_box()["y"] < visit.page.viewport_size["height"] - 40
    assert visit.page.evaluate("document.documentElement.scrollWidth <= window.innerWidth")
    visit.was_clean()


def test_a_search_is_saved_and_a_table_of_questions_answered_while_the_page_is_away(
    indexed: App, visit: Visit, tmp_path: Path
) -> None:
    page = visit.page
    visit.open("?mode=meaning")
    visit.ask("bread in the city")
    page.get_by_role("button", name="Save this search").click()
    page.wait_for_selector(".save-search[aria-pressed=true]", timeout=SECONDS)
    visit.tab("Findings")
    page.locator(".saved-open", has_text="bread in the city").wait_for(timeout=SECONDS)
    table = tmp_path / "<img src=x>.csv"
    table.write_text('id,question\n1,Hvor højt steg vandet i floden under oversvømmelsen i 1987?\n2,"<b>,…"\n')
    page.locator(".batch input[type=file]").set_input_files(table)
    page.wait_for_selector(".batch .job", timeout=SECONDS)
    visit.leave()
    visit.page.goto(visit.address + "?tab=findings")
    page.wait_for_selector(".batch .job[data-state=done]", timeout=SECONDS)
    with page.expect_download() as download:
        page.locator(".batch .batch-save a").first.click()
    rows = list(csv.DictReader(Path(download.value.path()).read_text(encoding="utf-8-sig").splitlines()))
    assert rows[0]["document"].endswith("Паводок 1987 года.txt") and {row["number"] for row in rows} == {"1", "2"}
    page.locator(".saved-open").click()
    page.wait_for_function("() => location.search.includes('mode=meaning')", timeout=SECONDS)
    question_is(visit, "bread in the city")
    page.locator(".save-search[aria-pressed=true]").click()
    page.wait_for_selector(".save-search[aria-pressed=false]", timeout=SECONDS)
    visit.was_clean()


def test_a_saved_search_that_is_on_the_page_already_is_asked_again(indexed: App, visit: Visit, tmp_path: Path) -> None:
    page = visit.page
    visit.open("?collection=fresh")
    for number, text in enumerate(("The lion sleeps under the old tree.", "The lion sleeps under the new tree.")):
        folder = tmp_path / str(number)
        folder.mkdir()
        (folder / f"{number}.txt").write_text(text)
        drop_from_desktop(page.context, page, folder)
        page.locator(".plan .start").click(timeout=SECONDS)
        expect(page.locator(".job[data-state=done]")).to_have_count(number + 1)
        visit.tab("Search")
        if not number:
            visit.ask("The lion sleeps under the tree.")
            page.get_by_role("button", name="Save this search").click()
            page.wait_for_selector(".save-search[aria-pressed=true]", timeout=SECONDS)
    expect(page.locator(".card")).to_have_count(1)
    visit.tab("Findings")
    page.locator(".saved-row .saved-new").wait_for(timeout=SECONDS)
    page.locator(".saved-open").click()
    expect(page.locator(".card").filter(has=page.locator(".saved-new"))).to_have_count(1)
    expect(page.locator(".card")).to_have_count(2)
    page.get_by_role("tab", name="Search", selected=True).wait_for(timeout=SECONDS)
    visit.was_clean()


def test_a_search_that_could_not_be_saved_says_so_beside_its_button(indexed: App, visit: Visit) -> None:
    page, searches = visit.page, SavedSearches(indexed.home)
    before = {one.id for one in searches.all("documents")}
    for number in range(MOST - len(before)):
        searches.keep("documents", f"q=bread+{number}", f"bread {number}", ())
    visit.open()
    visit.ask("bread in the city by day")
    page.get_by_role("button", name="Save this search").click()
    alert = page.locator(".results [role=alert]")
    expect(alert).to_contain_text("at most", use_inner_text=True)
    expect(page.locator(".save-search")).to_have_attribute("aria-pressed", "false")
    for one in searches.all("documents"):
        if one.id not in before:
            searches.drop("documents", one.id)
    page.get_by_role("button", name="Save this search").click()
    alert.wait_for(state="detached", timeout=SECONDS)
    expect(page.locator(".save-search")).to_have_attribute("aria-pressed", "true")
    page.locator(".save-search").click()
    expect(page.locator(".save-search")).to_have_attribute("aria-pressed", "false")
    visit.was_clean()


def test_the_ways_to_find_are_one_group_and_the_question_takes_its_direction_from_the_text(
    indexed: App, visit: Visit
) -> None:
    page = visit.page
    visit.open("?q=bread&mode=words")
    group = page.get_by_role("radiogroup", name="Find by")
    group.get_by_label("Words").focus()
    page.keyboard.press("ArrowLeft")
    page.wait_for_function("() => location.search.includes('mode=meaning')", timeout=SECONDS)
    expect(group.get_by_role("radio", checked=True)).to_have_attribute("value", "meaning")
    visit.ask("متى تفتح السوق؟")
    page.wait_for_function("() => getComputedStyle(labse.question()).direction === 'rtl'", timeout=SECONDS)
    headings = page.locator(".results h3")
    assert headings.count() == page.locator(".card").count() > 0
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
    expect(visit.page.locator("#labse-help[open]")).to_have_count(0)
    keyboard.press("Escape")
    visit.page.locator(".card").first.focus()
    keyboard.press("m")
    visit.page.wait_for_selector(".like-title", timeout=SECONDS)
    assert visit.page.locator(".card .title").first.inner_text() != "Паводок 1987 года.txt"
    assert visit.page.evaluate("document.activeElement.dataset.rank") == "1"
    visit.page.get_by_role("button", name="Back to your question").click()
    visit.page.wait_for_selector(".like-title", state="detached", timeout=SECONDS)
    visit.was_clean()


def test_the_collection_is_drawn_by_language_type_and_coverage(indexed: App, visit: Visit) -> None:
    visit.open()
    visit.tab("Collection")
    visit.page.wait_for_selector(".chart.coverage_bars li", timeout=SECONDS)

    def drawn(chart: str) -> dict[str, int]:
        rows = visit.page.locator(f".chart.{chart} li").all()
        return {row.locator(".bar-name").inner_text(): int(row.locator(".number").inner_text().replace(",", ""))
                for row in rows}  # fmt: skip

    assert drawn("kind_bars")["TXT"] >= 5 and drawn("language_bars")["German"] > 1
    covered = drawn("coverage_bars")
    assert covered["In passages"] > 10_000 and max(covered.values()) == covered["In passages"]
    assert "on its way in" in visit.page.locator(".chart.coverage_bars p").inner_text().replace("their", "its")
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


def refused_once(visit: Visit, part: str) -> None:
    """The next event that sends this is refused, as one of too many."""
    refused: list[str] = []

    def refuse(route: Any) -> None:
        if refused or part not in (route.request.post_data or ""):
            route.fallback()
        else:
            refused.append(route.request.url)
            route.fulfill(status=429, json={"detail": "Too many requests."})

    visit.page.route("**/run/predict*", refuse)


def test_a_button_can_be_pressed_again_after_the_same_answer_and_after_none(indexed: App, visit: Visit) -> None:
    page = visit.page
    visit.open()
    visit.tab("Collection")
    check = page.locator("button.check")
    words = check.inner_text()
    for _ in range(2):
        with page.expect_response("**/run/predict*", timeout=SECONDS):
            check.click()
        expect(check).to_be_enabled()
        expect(check).to_have_text(words, use_inner_text=True)
    refused_once(visit, '"event_data"')
    check.click()
    page.wait_for_function("() => !document.querySelector('button.check').disabled", timeout=SECONDS)
    expect(check).to_have_text(words, use_inner_text=True)
    visit.errors = [error for error in visit.errors if "429" not in error]  # what the test itself made
    visit.was_clean()


def test_a_question_that_the_app_did_not_take_in_says_so_at_once(indexed: App, visit: Visit) -> None:
    page = visit.page
    visit.open()
    refused_once(visit, "bread at night")
    page.locator("#question textarea").fill("bread at night")
    page.locator("#question textarea").press("Enter")
    page.locator(".results[aria-busy=false] .notice.error").get_by_role("button", name="Try again").click()
    page.wait_for_selector(".results[aria-busy=false] .card", timeout=SECONDS)
    visit.errors = [error for error in visit.errors if "429" not in error]  # what the test itself made
    visit.was_clean()


def test_dropped_files_that_the_app_did_not_take_in_are_looked_at_again(indexed: App, visit: Visit) -> None:
    page = visit.page
    visit.open("?collection=refused")
    refused_once(visit, '"failed":1')
    page.evaluate(  # as dropping.js does it with a folder in which the browser may read one file and not the other
        """() => {
          labse.goTo('tab_add');
          const file = new File(['A text that nobody has read yet.'], 'one.txt');
          labse.dropped.push([[file, 'dropped/one.txt'], [null, 'dropped/other.txt']]);
          window.dispatchEvent(new Event('labse-dropped'));
        }"""
    )
    page.locator(".drop-status.wrong").wait_for(timeout=SECONDS)
    page.locator(".drop-status").get_by_role("button", name="Try again").click()
    expect(page.locator(".plan")).to_contain_text("1 file did not arrive", use_inner_text=True, timeout=SECONDS)
    expect(page.locator(".plan tfoot .number").first).to_have_text("1 file", use_inner_text=True)
    refused_once(visit, '"place":')
    page.locator("#labse-path").fill("/there/is/no/such/folder")
    page.locator("#labse-path").press("Enter")
    page.locator(".drop-status.wrong").get_by_role("button", name="Try again").click(timeout=SECONDS)
    page.wait_for_selector(".add [role=alert]", timeout=SECONDS)
    page.get_by_role("button", name="Discard").click()
    page.wait_for_selector(".plan", state="detached", timeout=SECONDS)
    visit.errors = [error for error in visit.errors if "429" not in error]  # what the test itself made
    visit.was_clean()


def test_a_local_folder_is_offered_by_its_path(indexed: App, visit: Visit) -> None:
    visit.open()
    visit.tab("Add documents")
    visit.page.locator("#labse-path").fill(str(ROOT / "examples" / "bread"))
    visit.page.locator("#labse-path").press("Enter")
    visit.page.wait_for_selector(".plan", timeout=SECONDS)
    expect(visit.page.locator(".plan")).to_contain_text("5 files are already indexed", use_inner_text=True)
    visit.page.locator("#labse-path").fill("/there/is/no/such/folder")
    visit.page.get_by_role("button", name="Check").click()
    visit.page.wait_for_selector(".add [role=alert]", timeout=SECONDS)
    visit.was_clean()


def test_a_watched_folder_is_followed_and_nothing_leaves_unsaid(indexed: App, visit: Visit, tmp_path: Path) -> None:
    folder = tmp_path / "watched"
    folder.mkdir()
    (folder / "one.txt").write_text("A zebra crosses the river in the morning.")
    visit.open("?collection=watched")
    visit.tab("Add documents")
    visit.page.locator("#labse-path").fill(str(folder))
    visit.page.locator("#labse-path").press("Enter")
    visit.page.locator(".plan .watch").click(timeout=SECONDS)
    visit.job_is_done()
    (folder / "two.txt").write_text("A giraffe looks over the wall.")
    visit.page.wait_for_function(
        "() => document.querySelectorAll('.job[data-state=done]').length === 2", timeout=SECONDS
    )
    (folder / "one.txt").unlink()
    visit.page.get_by_role("button", name="Keep it: watched/one.txt").click(timeout=SECONDS)
    visit.page.wait_for_selector(".leaving", state="detached", timeout=SECONDS)
    (folder / "two.txt").unlink()
    visit.page.get_by_role("button", name="Remove now").click(timeout=SECONDS)
    visit.page.wait_for_selector(".watched .latest:has-text('1 removed')", timeout=SECONDS)
    visit.page.get_by_role("button", name="Stop watching").click()
    visit.page.wait_for_selector(".watched", state="detached", timeout=SECONDS)
    visit.tab("Collection")
    visit.page.wait_for_selector("tr.gone", timeout=SECONDS)
    assert visit.page.locator("tr:not(.gone) .doc-name .title").all_inner_texts() == ["one.txt"]
    visit.page.locator("#labse-new-name").fill("Звери")
    visit.page.get_by_role("button", name="Rename").click()
    visit.page.wait_for_function("() => document.querySelector('.head select')?.value === 'Звери'", timeout=SECONDS)
    visit.page.wait_for_selector("tr.gone", timeout=SECONDS)
    assert "watched" not in visit.page.locator(".head select").inner_text()
    visit.was_clean()


def test_a_plan_stays_until_it_is_started_or_discarded(indexed: App, visit: Visit, tmp_path: Path) -> None:
    page, dropped, folder = visit.page, tmp_path / "dropped", tmp_path / "kept"
    for one, names in ((dropped, ("one", "two")), (folder, ("three",))):
        one.mkdir()
        for name in names:
            (one / f"{name}.txt").write_text(f"A text about the number {name}, which nobody has read yet.")
    uploads = set((indexed.home / "uploads").iterdir())
    new = page.locator(".plan tfoot .number").first
    visit.open("?collection=plans")
    drop_from_desktop(page.context, page, dropped)
    expect(new).to_have_text("2 files", use_inner_text=True)
    page.locator("#labse-path").fill("not/a/whole/path")
    page.locator("#labse-path").press("Enter")
    page.wait_for_selector(".add [role=alert]", timeout=SECONDS)
    expect(new).to_have_text("2 files", use_inner_text=True)
    page.locator("#labse-path").fill(str(folder))
    page.locator("#labse-path").press("Enter")
    expect(new).to_have_text("3 files", use_inner_text=True)
    page.locator(".plan .watch").click()
    visit.job_is_done()
    expect(new).to_have_text("2 files", use_inner_text=True)  # the folder is followed, the rest still waits
    page.get_by_role("button", name="Stop watching").click()
    page.wait_for_selector(".watched", state="detached", timeout=SECONDS)
    visit.tab("Search")
    visit.ask("number three")
    visit.ask("three")
    page.go_back()
    question_is(visit, "number three")
    page.evaluate("window.dispatchEvent(new CustomEvent('labse-pick', { detail: 'documents' }))")
    page.wait_for_selector(".results[data-state=idle]", timeout=SECONDS)
    visit.tab("Add documents")
    expect(page.locator(".plan .elsewhere")).to_have_text("They go into the collection plans.", use_inner_text=True)
    expect(new).to_have_text("2 files", use_inner_text=True)
    page.get_by_role("button", name="Discard").click()
    page.wait_for_selector(".plan", state="detached", timeout=SECONDS)
    assert set((indexed.home / "uploads").iterdir()) == uploads
    visit.was_clean()


@pytest.mark.parametrize("visit", [{"service_workers": "allow"}], indirect=True)
def test_a_page_asks_nothing_by_itself_and_sees_at_once_that_the_app_is_gone(indexed: App, visit: Visit) -> None:
    sent: list[str] = []
    visit.open("?q=bread")
    visit.page.wait_for_selector(".card", timeout=SECONDS)
    visit.page.wait_for_load_state("networkidle", timeout=SECONDS)
    visit.page.on("request", lambda request: sent.append(request.url))
    visit.page.wait_for_function("beats => labse.feed.beats > beats", arg=3, timeout=SECONDS)
    assert sent == []
    visit.page.context.set_offline(True)  # which leaves open connections alone: the page has to open its stream again
    visit.page.evaluate("document.dispatchEvent(new Event('visibilitychange'))")
    visit.page.wait_for_selector(":root[data-gone] .status.bad", timeout=SECONDS)
    expect(visit.page.locator(".status")).to_have_text("The app is not answering", use_inner_text=True)
    visit.page.context.set_offline(False)
    visit.page.wait_for_selector(":root:not([data-gone]) .status.good", timeout=SECONDS)
    visit.page.evaluate("navigator.serviceWorker.ready.then(() => 0)")
    visit.page.context.set_offline(True)
    visit.page.reload()
    visit.page.wait_for_selector("h1:has-text('The app is not running')", timeout=SECONDS)
    visit.page.context.set_offline(False)
    visit.page.wait_for_selector(".head h1", timeout=SECONDS)  # by itself
    assert visit.errors and all("ERR_INTERNET_DISCONNECTED" in error for error in visit.errors)


def test_the_sample_collection_is_one_click_away(app: App, visit: Visit) -> None:
    visit.open("?collection=sample")
    expect(visit.page.locator(".results")).to_have_attribute("data-state", "first")
    visit.page.get_by_role("button", name="Try the sample collection").click()
    visit.page.locator(".example").first.click(timeout=SECONDS)
    visit.page.wait_for_selector(".results[aria-busy=false] .card", timeout=SECONDS)
    expect(visit.page.locator(".head select")).to_have_value("sample")
    assert "q=" in visit.page.url and "collection=sample" in visit.page.url
    visit.was_clean()


def test_a_first_run_that_brought_nothing_in_begins_anew(app: App, visit: Visit) -> None:
    page = visit.page
    patched: list[str] = []

    def still_indexing(route: Any) -> None:
        answer = route.fetch()
        value = answer.json()
        first = [one for one in value.get("data", []) if isinstance(one, dict) and one.get("state") == "first"]
        if first and not patched:
            patched.append(route.request.url)
            first[0]["indexing"] = {"done": 0, "total": 1}
        route.fulfill(response=answer, json=value)

    page.route("**/run/predict*", still_indexing)
    visit.open("?collection=void")
    page.get_by_text("The first documents are being indexed.").wait_for(timeout=SECONDS)
    status = {"collection": "void", "passages": 0, "indexing": None}  # none of the files had any text
    page.evaluate("status => window.dispatchEvent(new CustomEvent('labse-status', { detail: status }))", status)
    page.get_by_role("button", name="Try the sample collection").wait_for(timeout=SECONDS)
    visit.was_clean()


@pytest.mark.parametrize("visit", [{"color_scheme": "dark", "viewport": {"width": 390, "height": 844}}], indirect=True)
def test_nothing_sticks_out_of_a_narrow_screen(indexed: App, visit: Visit) -> None:
    visit.open("?q=bread")
    visit.page.wait_for_selector(".card", timeout=SECONDS)
    for tab in ("Add documents", "Collection", "Settings", "Search"):
        visit.tab(tab)
        assert visit.page.evaluate("document.documentElement.scrollWidth <= window.innerWidth"), tab
    visit.was_clean()


# ---- the reader and the history


def opened(visit: Visit, card: int = 0) -> Any:
    visit.page.locator(".card").nth(card).get_by_role("button", name="Open source").click()
    viewer = visit.page.locator("dialog.viewer[open]")
    viewer.locator("mark").first.wait_for(timeout=SECONDS)
    return viewer


@pytest.mark.parametrize("visit", [{"viewport": {"width": 1440, "height": 900}}], indirect=True)
def test_the_reader_stands_beside_the_results_and_steps_through_them(indexed: App, visit: Visit) -> None:
    visit.open()
    visit.ask("Where can I buy bread at night?")
    viewer = opened(visit)
    cards, pane = visit.page.locator(".card").first.bounding_box(), viewer.bounding_box()
    assert cards["x"] + cards["width"] <= pane["x"] and not visit.page.locator("dialog:modal").count()
    first = viewer.locator(".title").inner_text()
    expect(visit.page.locator(".card.current .title")).to_have_text(first, use_inner_text=True)
    visit.page.keyboard.press("n")
    visit.page.wait_for_function(
        "title => ![undefined, title].includes(document.querySelector('dialog .title')?.innerText)",
        arg=first,
        timeout=SECONDS,
    )
    assert viewer.locator(".step-count").inner_text().startswith("2 of ")
    visit.page.keyboard.press("p")
    visit.page.wait_for_function(
        "title => document.querySelector('dialog .title')?.innerText === title", arg=first, timeout=SECONDS
    )
    visit.page.keyboard.press("Escape")
    viewer.wait_for(state="hidden", timeout=SECONDS)
    assert "view=" not in visit.page.url
    visit.was_clean()


def test_words_are_found_in_the_open_document(indexed: App, visit: Visit) -> None:
    visit.open()
    visit.ask("Hvor højt steg vandet i floden under oversvømmelsen i 1987?")
    viewer = opened(visit)
    visit.page.keyboard.press("f")
    visit.page.keyboard.type("1987")
    visit.page.keyboard.press("Enter")
    visit.page.wait_for_function(
        "() => /^1 of [1-9]/.test(document.querySelector('.find-count')?.innerText)", timeout=SECONDS
    )
    assert visit.page.evaluate("[...CSS.highlights.get('labse-found')][0].toString()") == "1987"
    visit.page.locator(".find-in").fill("no such word here")
    visit.page.locator(".find-in").press("Enter")
    visit.page.wait_for_function("() => document.querySelector('.find-count')?.innerText === 'Not found'")
    expect(viewer).to_be_visible()
    visit.was_clean()


def test_words_are_found_beside_letters_of_another_length_and_across_marks(indexed: App, visit: Visit) -> None:
    page = visit.page
    asked: list[str] = []

    def answer(route: Any) -> None:
        asked.append(route.request.url)
        if len(asked) == 1:
            route.abort()  # the app is away for a moment
        elif len(asked) == 2:
            route.fulfill(status=500, body="")
        else:
            parts = [{"text": "İSTANBUL ve An", "mark": 2}, {"text": "kara, ΟΔΟΣ", "mark": 0}]
            line = {"parts": parts, "lang": "tr"}
            route.fulfill(json={"blocks": [{"label": "p. 1", "row": False, "lines": [line]}]})

    visit.open()
    visit.ask("Hvor højt steg vandet i floden under oversvømmelsen i 1987?")
    page.route("**/text/*", answer)
    page.locator(".card").first.get_by_role("button", name="Open source").click()
    page.locator(".viewer .cut").get_by_role("button", name="Try again").click(timeout=SECONDS)
    page.locator(".viewer mark").wait_for(timeout=SECONDS)
    expect(page.locator(".viewer .cut")).to_have_count(0)
    for word, found in (("ankara", "Ankara"), ("istanbul", "İSTANBUL"), ("οδος", "ΟΔΟΣ")):
        page.locator(".find-in").fill(word)
        page.locator(".find-in").press("Enter")
        page.wait_for_function(
            "word => [...CSS.highlights.get('labse-found') || []].join() === word", arg=found, timeout=SECONDS
        )
        expect(page.locator(".find-count")).to_have_text("1 of 1", use_inner_text=True)
    visit.errors = [error for error in visit.errors if "ERR_FAILED" not in error and "500" not in error]
    visit.was_clean()


def test_selected_text_can_be_asked_about(indexed: App, visit: Visit) -> None:
    visit.open()
    visit.ask("Where can I buy bread at night?")
    opened(visit)
    visit.page.evaluate("getSelection().selectAllChildren(document.querySelector('dialog mark'))")
    visit.page.get_by_role("button", name="Find about the selected text").click()
    visit.page.wait_for_function("() => !document.querySelector('dialog[open]')", timeout=SECONDS)
    visit.page.wait_for_selector(".results[aria-busy=false] .card", timeout=SECONDS)
    assert "Where can I buy" not in visit.page.locator("#question textarea").input_value()
    visit.was_clean()


def test_files_dropped_on_the_reader_close_it_and_it_opens_again(indexed: App, visit: Visit, tmp_path: Path) -> None:
    (tmp_path / "dropped").mkdir()
    (tmp_path / "dropped" / "one.txt").write_text("Nobody has read this yet.")
    visit.open()
    visit.ask("Where can I buy bread at night?")
    opened(visit)
    drop_from_desktop(visit.page.context, visit.page, tmp_path / "dropped")
    visit.page.wait_for_selector(".plan .start", timeout=SECONDS)
    assert "view=" not in visit.page.url and visit.page.locator("dialog[open]").count() == 0
    visit.page.get_by_role("button", name="Discard").click()
    visit.tab("Search")
    opened(visit)
    visit.was_clean()


def question_is(visit: Visit, question: str) -> None:
    visit.page.wait_for_function(
        "q => document.querySelector('#question textarea')?.value === q && "
        "document.querySelector('.results')?.getAttribute('aria-busy') === 'false'",
        arg=question,
        timeout=SECONDS,
    )


def test_back_and_forward_go_through_questions_reader_likeness_and_tabs(indexed: App, visit: Visit) -> None:
    visit.open()
    visit.ask("bread at night")
    visit.ask("the flood of 1987")
    first = visit.page.locator(".card .title").first.inner_text()
    opened(visit)
    visit.page.go_back()
    visit.page.locator("dialog.viewer[open]").wait_for(state="hidden", timeout=SECONDS)
    visit.page.go_back()
    question_is(visit, "bread at night")
    visit.page.wait_for_function(
        "title => ![undefined, title].includes(document.querySelector('.card .title')?.innerText)",
        arg=first,
        timeout=SECONDS,
    )
    visit.page.go_forward()
    question_is(visit, "the flood of 1987")
    visit.page.locator(".card").first.get_by_role("button", name="More like this").click()
    visit.page.wait_for_selector(".like-title", timeout=SECONDS)
    assert "like=" in visit.page.url
    visit.page.reload()
    visit.page.wait_for_selector(".like-title", timeout=SECONDS)
    visit.page.go_back()
    visit.page.wait_for_selector(".like-title", state="detached", timeout=SECONDS)
    visit.tab("Collection")
    visit.page.wait_for_function("() => location.search.includes('tab=collection')", timeout=SECONDS)
    visit.page.reload()
    visit.page.wait_for_selector("tr[data-document]", timeout=SECONDS)
    visit.page.go_back()
    visit.page.wait_for_selector(".card >> visible=true", timeout=SECONDS)
    question_is(visit, "the flood of 1987")
    visit.was_clean()


def test_a_likeness_ends_with_the_way_back_and_with_a_new_question(indexed: App, visit: Visit) -> None:
    page = visit.page
    like, title = page.locator(".card").first.get_by_role("button", name="More like this"), page.locator(".like-title")
    visit.open()
    visit.ask("bread at night")
    like.click()
    title.wait_for(timeout=SECONDS)
    page.locator(".card").nth(1).get_by_label("Steer towards this passage").click()
    drawn_with(visit, 1)
    assert "like=" in page.url and title.count() == 1  # steered, it is still a likeness
    page.get_by_role("button", name="Back to your question").click()
    title.wait_for(state="detached", timeout=SECONDS)
    page.get_by_label("Order").select_option("place")
    page.wait_for_function("() => location.search.includes('sort=place')", timeout=SECONDS)
    page.wait_for_selector(".results[aria-busy=false]", timeout=SECONDS)
    assert "like=" not in page.url and title.count() == 0
    like.click()
    title.wait_for(timeout=SECONDS)
    visit.ask("the flood of 1987")
    page.locator(".card").nth(1).get_by_label("Steer towards this passage").click()
    drawn_with(visit, 2)
    assert "like=" not in page.url and title.count() == 0
    visit.was_clean()


def test_a_copied_link_opens_the_passage_again(indexed: App, visit: Visit) -> None:
    visit.open()
    visit.ask("Hvor højt steg vandet i floden under oversvømmelsen i 1987?")
    visit.page.locator(".card").first.get_by_role("button", name="Copy link").click()
    visit.page.wait_for_selector("text=Copied", timeout=SECONDS)
    link = visit.page.evaluate("navigator.clipboard.readText()")
    assert "token" not in link
    visit.page.goto("about:blank")
    visit.page.goto(link)
    viewer = visit.page.locator("dialog.viewer[open]")
    viewer.locator("mark").first.wait_for(timeout=SECONDS)
    expect(viewer.locator(".title")).to_have_text("Паводок 1987 года.txt", use_inner_text=True)
    expect(visit.page.locator("#question textarea")).to_have_value(re.compile("^Hvor højt"))
    visit.was_clean()


@pytest.mark.parametrize("visit", [{"viewport": {"width": 390, "height": 844}}], indirect=True)
def test_on_a_phone_the_reader_fills_the_screen(indexed: App, visit: Visit) -> None:
    visit.open("?q=bread")
    visit.page.wait_for_selector(".card", timeout=SECONDS)
    box = opened(visit).bounding_box()
    assert (box["x"], box["y"], box["width"], box["height"]) == (0, 0, 390, 844)
    visit.was_clean()


# ---- the languages of the page


@pytest.mark.parametrize("visit", [{"locale": "de-DE"}], indirect=True)
def test_the_page_speaks_the_visitors_language_and_another_can_be_chosen(indexed: App, visit: Visit) -> None:
    visit.open("?q=bread&added=week")
    visit.page.wait_for_selector(".card", timeout=SECONDS)
    expect(visit.page.get_by_role("tab", name="Suche")).to_be_visible()
    expect(visit.page.locator(".chips .removable")).to_contain_text("Letzte 7 Tage", use_inner_text=True)
    expect(visit.page.get_by_role("button", name="Quelle öffnen").first).to_be_visible()
    assert visit.page.evaluate("document.documentElement.lang") == "de"
    visit.tab("Einstellungen")
    with visit.page.expect_navigation():
        visit.page.get_by_label("Sprache der Seite").select_option("ar")
    visit.page.wait_for_selector(".head h1", timeout=SECONDS)
    assert visit.page.evaluate("getComputedStyle(document.querySelector('.head')).direction") == "rtl"
    assert visit.page.evaluate("document.documentElement.scrollWidth <= window.innerWidth")
    visit.tab("بحث")
    visit.page.wait_for_selector(".card >> visible=true", timeout=SECONDS)
    visit.was_clean()
