"""Two translations of one text as a person meets them: found by themselves, read side by side, corrected by key."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from browser_case import IN_BROWSER, ROOT, SECONDS, App, Visit, running_app
from playwright.sync_api import expect

pytestmark = [*IN_BROWSER, pytest.mark.slow]

# A name that would run as script wherever it was taken for a template or for markup.
HOSTILE_NAME = "`${window.__hostile=1}` {{x}} <img src=x onerror='window.__hostile=2'>.txt"

ENGLISH = """The bakery on the corner opens at six in the morning and closes at noon, except on Sundays. Fresh rye bread
is sold on Wednesdays only, and whoever orders cakes for a wedding has to call a week before.

On Thursdays the market moves to the square behind the church, because the main street is closed for repairs. Farmers
from the valley bring cheese, honey and apples, and the mayor has promised them cheaper stalls.

Fishermen sell their catch at the harbour before sunrise, long before the shops in the town open. In winter storms the
boats stay in the harbour for days, and then there is no fresh fish at all.

The old bridge over the river was closed after the flood in spring, when two of its pillars sank into the mud. Engineers
say that the repair will cost more than a new bridge made of steel.

Children under twelve years travel by bus without a ticket, but they have to sit beside an adult. Dogs pay half the
price, and bicycles are taken along only in the evening.

The town library lends books for three weeks, and films for one week. Whoever brings a book back too late pays a small
fee, which is spent on new books for the children."""
ARABIC = """يفتح المخبز في الزاوية في السادسة صباحا ويغلق عند الظهر ما عدا أيام الأحد. يباع خبز الجاودار الطازج يوم
الأربعاء فقط، وعلى من يطلب كعكا لعرس أن يتصل قبل أسبوع.

في أيام الخميس ينتقل السوق إلى الساحة خلف الكنيسة لأن الشارع الرئيسي مغلق للإصلاح. يجلب المزارعون من الوادي الجبن
والعسل والتفاح، وقد وعدهم رئيس البلدية بأكشاك أرخص.

يبيع الصيادون صيدهم في الميناء قبل شروق الشمس، قبل أن تفتح المحلات في المدينة بوقت طويل. في عواصف الشتاء تبقى القوارب في
الميناء أياما، وعندها لا يوجد سمك طازج على الإطلاق.

أغلق الجسر القديم فوق النهر بعد الفيضان في الربيع عندما غرق اثنان من أعمدته في الطين. يقول المهندسون إن الإصلاح
سيكلف أكثر من جسر جديد من الفولاذ.

يسافر الأطفال دون الثانية عشرة بالحافلة بدون تذكرة، لكن عليهم الجلوس بجانب شخص بالغ. تدفع الكلاب نصف السعر، وتؤخذ
الدراجات في المساء فقط.

تعير مكتبة المدينة الكتب لمدة ثلاثة أسابيع والأفلام لمدة أسبوع واحد. من يعيد الكتاب متأخرا يدفع رسما صغيرا ينفق على كتب
جديدة للأطفال."""
OTHER = "The orchestra rehearses in the town hall.\n\nTickets are sold at the door.\n\nDogs must stay outside."


@pytest.fixture(scope="module")
def app(tmp_path_factory: pytest.TempPathFactory) -> Iterator[App]:
    with running_app(tmp_path_factory.mktemp("home"), ROOT / "labse_search" / "models" / "labse-mini") as app:
        yield app


def new_visit(app: App, context: Any) -> Visit:
    page = context.new_page()
    page.set_default_timeout(SECONDS)
    visit = Visit(page, app.address)
    page.on("pageerror", lambda error: visit.errors.append(str(error)))
    page.on("console", lambda message: visit.errors.append(message.text) if message.type == "error" else None)
    return visit


def test_two_translations_are_found_read_side_by_side_and_corrected(app: App, browser: Any, tmp_path: Path) -> None:
    folder = tmp_path / "texts"
    folder.mkdir()
    for name, text in (("english.txt", ENGLISH), (HOSTILE_NAME, ARABIC)):
        (folder / name).write_text(re.sub(r"(?<!\n)\n(?!\n)", " ", text), encoding="utf-8")
    (folder / "other.txt").write_text(OTHER, encoding="utf-8")
    context = browser.new_context(viewport={"width": 1440, "height": 900})
    app.admit(context)
    visit = new_visit(app, context)
    visit.open()
    visit.tab("Add documents")
    visit.page.locator(".path input").fill(str(folder))
    visit.page.locator(".path button").click()
    visit.page.locator(".plan .start").click()
    visit.job_is_done()
    found_by_itself(visit)
    left = corrected_by_key(visit)
    saved(visit)
    address = visit.page.url
    visit.page.close()
    again = new_visit(app, context)
    again.page.goto(address)
    lines = again.page.locator(".align li.bead")
    lines.first.wait_for()
    expect(lines).to_have_count(left)  # the correction outlived the tab
    again.page.keyboard.press("Escape")
    again.page.locator("dialog.align").wait_for(state="hidden")
    named_in_the_reader(again)
    again.was_clean()
    assert visit.errors == []
    context.close()


def test_copies_are_found_and_show_what_is_different(app: App, browser: Any, tmp_path: Path) -> None:
    folder = tmp_path / "letters"
    folder.mkdir()
    (folder / "letter.txt").write_text(ENGLISH, encoding="utf-8")
    (folder / "draft.txt").write_text(ENGLISH.replace("cheese", "<b>butter</b>"))
    context = browser.new_context(viewport={"width": 1440, "height": 900})
    app.admit(context)
    visit = new_visit(app, context)
    page = visit.page
    visit.open("?collection=letters")
    visit.tab("Add documents")
    page.locator(".path input").fill(str(folder))
    page.locator(".path button").click()
    page.locator(".plan .start").click()
    visit.job_is_done()
    visit.tab("Collection")
    row = page.locator(".pairs-of.copies li", has_text="draft.txt")
    row.locator(".open-pair").click()
    page.locator(".align li.bead").first.wait_for()
    sides = [page.locator(f".align li.bead .side:nth-child({n}) mark").all_inner_texts() for n in (1, 2)]
    assert sorted(sides) == [["b", "butter", "b"], ["cheese"]]
    assert visit.errors == []
    context.close()


def found_by_itself(visit: Visit) -> None:
    visit.tab("Collection")
    row = visit.page.locator(".translations .pairs-of li")
    row.first.wait_for()
    assert row.count() == 1 and HOSTILE_NAME in row.inner_text() and "english.txt" in row.inner_text()
    row.locator(".open-pair").click()
    visit.page.locator(".align li.bead").first.wait_for()


def corrected_by_key(visit: Visit) -> int:
    """How many lines there are in the end: one fewer than were found."""
    page, lines = visit.page, visit.page.locator(".align li.bead")
    found = lines.count()
    assert 10 <= found <= 14
    arabic = lines.first.locator(".side[lang=ar]")
    assert arabic.get_attribute("dir") == "rtl" and lines.first.locator(".side[lang=en]").get_attribute("dir") == "ltr"
    page.wait_for_selector(".align li.bead:first-child[aria-current=true]")
    page.keyboard.press("ArrowDown")
    page.wait_for_selector(".align li.bead:nth-child(2)[aria-current=true]:focus")
    page.keyboard.press("m")
    lines_are(page, found - 1)
    page.keyboard.press("u")
    lines_are(page, found)
    page.keyboard.press("Home")
    page.keyboard.press("x")
    lines_are(page, found + 1)
    expect(page.locator(".align li.bead:nth-child(-n+2).alone")).to_have_count(2)
    page.get_by_role("button", name="Take back").click()
    lines_are(page, found)
    page.locator(".align li.bead").first.click()
    page.get_by_role("button", name="Merge with next").click()
    lines_are(page, found - 1)
    return found - 1


def lines_are(page: Any, count: int) -> None:
    """So many, and the answer to the last correction is there."""
    page.wait_for_function("n => document.querySelectorAll('.align li.bead').length === n", arg=count, timeout=SECONDS)


def saved(visit: Visit) -> None:
    page = visit.page
    with page.expect_download() as download:
        page.locator(".align .exports a", has_text="TMX").click()
    written = Path(download.value.path()).read_text(encoding="utf-8")
    assert written.count("<tu>") >= 9 and 'xml:lang="ar"' in written
    page.locator(".align button", has_text="Pairs into the review list").click()
    page.wait_for_function("document.querySelector('.align .said').textContent.includes('pairs')")


def named_in_the_reader(visit: Visit) -> None:
    visit.tab("Search")
    visit.ask("When does the bakery open?")
    visit.page.locator(".card").first.get_by_role("button", name="Open source").click()
    visit.page.locator(".viewer .also .open-pair").wait_for()
    visit.page.locator(".viewer .also .open-pair").click()
    visit.page.locator(".align li.bead").first.wait_for()
