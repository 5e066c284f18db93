"""Everything by keyboard, and no state of the page violates a rule of axe: light and dark, left to right and right to
left, wide and on a phone.

axe-core 4.14.1 lies in tests/data/axe as its package on npm has it (MPL-2.0); the app neither ships nor loads it.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from browser_case import IN_BROWSER, SECONDS, App, Visit, running_app
from browser_home import QUESTION, small_home

AXE = (Path(__file__).parent / "data" / "axe" / "axe.min.js").read_text(encoding="utf-8")
# color-contrast cannot see through Gradio's layers everywhere; what it cannot decide it does not report as a violation.
RUN = """async () => {
  const found = await axe.run(document, { resultTypes: ['violations'] });
  return found.violations.map(one =>
    [one.id, ...one.nodes.slice(0, 4).map(node => node.target.join(' '))].join(' | '));
}"""

pytestmark = IN_BROWSER


@pytest.fixture(scope="module")
def app(tmp_path_factory: pytest.TempPathFactory) -> Iterator[App]:
    home, model = small_home(tmp_path_factory.mktemp("axe"))
    with running_app(home, model) as app:
        yield app


def look(scheme: str, locale: str, width: int) -> Any:
    height = 844 if width < 500 else 900
    return {"color_scheme": scheme, "locale": locale, "viewport": {"width": width, "height": height}}


EVERYDAY = [look("dark", "ar", 390)]  # most can go wrong there; all looks take two minutes
OTHERS = [
    look(scheme, locale, width) for scheme in ("light", "dark") for locale in ("en", "ar") for width in (1440, 390)
    if look(scheme, locale, width) not in EVERYDAY
]  # fmt: skip


def name(look: Any) -> str:
    return f"{look['color_scheme']}-{look['locale']}-{look['viewport']['width']}"


@pytest.mark.parametrize(
    "visit",
    [
        *(pytest.param(one, id=name(one)) for one in EVERYDAY),
        *(pytest.param(one, id=name(one), marks=pytest.mark.slow) for one in OTHERS),
    ],
    indirect=True,
)
def test_no_state_of_the_page_violates_a_rule(app: App, visit: Visit) -> None:
    page = visit.page
    wrong: dict[str, list[str]] = {}

    def check(state: str) -> None:
        page.wait_for_function("() => !document.getAnimations().some(one => one.playState === 'running')")
        if not page.evaluate("() => 'axe' in window"):
            page.evaluate(AXE)
        found = page.evaluate(RUN)
        if found:
            wrong[state] = found

    visit.open("?collection=empty")
    check("nothing indexed yet")
    visit.open()
    check("no question yet")
    visit.ask(QUESTION)
    check("answers")
    page.locator("#filters > button").click()
    page.locator(".card .why summary").first.click()
    star = page.locator(".card .keep").first
    if star.get_attribute("aria-pressed") == "false":  # of another size or language of the page: it stays kept
        star.click()
    check("filters and reasons")
    page.locator(".card .open-source").first.click()
    page.locator("dialog.viewer[open] mark").first.wait_for(timeout=SECONDS)
    check("the reader")
    page.keyboard.press("Escape")
    page.keyboard.press("?")
    page.locator("#labse-help[open]").wait_for(timeout=SECONDS)
    check("the list of keys")
    page.keyboard.press("Escape")
    tabs = page.locator("#tabs button[role=tab]")
    for number, ready in enumerate(READY, start=1):
        tabs.nth(number).click()
        page.wait_for_selector(ready, timeout=SECONDS)
        check(tabs.nth(number).inner_text())
    assert wrong == {}
    visit.was_clean()


# What shows, in the order of the tabs, that a tab is drawn: findings, add documents, collection, teach, settings.
READY = (
    ".findings .finding",
    "#labse-path",
    ".models .model-name",
    "body:has(.pairs-part h2):has(.judged-part h2):has(.tune-part h2)",  # each is drawn when its answer comes
    ".settings select",
)


# ---- everything by keyboard

# What tells one control from another, also after it was drawn anew.
KEY = """window.__key ??= node => [node.tagName, node.type || '', node.id,
  (node.getAttribute('aria-label') || node.textContent || node.name || node.placeholder || '').trim().slice(0, 80)
].join(' ');"""
# The element that has the focus: whether it is seen with a frame around it, where it is, whether it had it before.
FOCUSED = (
    "() => {"
    + KEY
    + """
  const node = document.activeElement, box = node.getBoundingClientRect(), style = getComputedStyle(node);
  window.__been ??= new WeakSet();
  const before = node === document.body || window.__been.has(node);
  window.__been.add(node);
  const around = [node, node.closest('label'), node.parentElement].filter(Boolean).map(one => getComputedStyle(one));
  const framed = around.some(one => one.boxShadow !== 'none'
    || (one.outlineStyle !== 'none' && parseFloat(one.outlineWidth) > 0));
  const seen = box.width > 0 && box.height > 0 && style.visibility !== 'hidden';
  const panel = !!node.closest('[role=tabpanel]');
  return { before, framed, seen, panel, top: box.top + scrollY, key: window.__key(node) };
}"""
)
# What Tab has to reach in the open tab: of a group of radio buttons one, of a list of cards one, no hidden file fields.
MUST = (
    "() => {"
    + KEY
    + """
  const panel = [...document.querySelectorAll('[role=tabpanel]')].find(one => one.offsetParent);
  const can = 'button, a[href], input, select, textarea, summary, [tabindex="0"]';
  return [...panel.querySelectorAll(can)].filter(node => node.checkVisibility({ visibilityProperty: true })
    && !node.disabled && node.tabIndex >= 0 && !(node.type === 'radio' && !node.checked)).map(window.__key);
}"""
)
MOST_STEPS = 400


def walk_through(visit: Visit) -> list[str]:
    """Go through the open tab with the Tab key, from its tab on. What is wrong on the way."""
    page, wrong = visit.page, []
    page.evaluate("() => { window.__been = new WeakSet(); }")
    reached: set[str] = set()
    last = float("-inf")
    for _ in range(MOST_STEPS):
        page.keyboard.press("Tab")
        at = page.evaluate(FOCUSED)
        if at["before"]:
            break
        if not at["panel"]:
            continue
        reached.add(at["key"])
        if not at["seen"]:
            wrong.append(f"focus on what is not seen: {at['key']}")
        elif not at["framed"]:
            wrong.append(f"focus without a frame: {at['key']}")
        if at["top"] < last - 400:  # within a row the order goes to and fro
            wrong.append(f"focus jumps up from {last} to {at['top']}: {at['key']}")
        last = at["top"]
    return wrong + [f"never reached: {key}" for key in page.evaluate(MUST) if key not in reached]


@pytest.mark.parametrize("visit", [look("light", "en", 1100)], indirect=True)
def test_every_tab_is_walked_through_by_keyboard(app: App, visit: Visit) -> None:
    page = visit.page
    wrong: dict[str, list[str]] = {}
    visit.open()
    page.keyboard.press("Escape")  # leaves the question, which has the focus at the start
    page.keyboard.press("/")
    page.wait_for_function("() => document.activeElement === labse.question()", timeout=SECONDS)
    page.keyboard.type(QUESTION)
    page.keyboard.press("Enter")
    page.wait_for_selector(".results[aria-busy=false] .card", timeout=SECONDS)
    page.locator("#tabs button[role=tab]").first.focus()
    for number in range(page.locator("#tabs button[role=tab]").count()):
        tab = page.locator("#tabs button[role=tab]").nth(number)
        tab.focus()
        page.keyboard.press("Enter")
        if number:
            page.wait_for_selector(READY[number - 1] if number > 1 else ".findings > *", timeout=SECONDS)
        tab.focus()
        if found := walk_through(visit):
            wrong[tab.inner_text()] = found
    assert wrong == {}
    visit.was_clean()


@pytest.mark.parametrize("visit", [look("light", "en", 1100)], indirect=True)
def test_what_opens_over_the_page_gives_the_focus_back(app: App, visit: Visit) -> None:
    page, keyboard = visit.page, visit.page.keyboard
    visit.open()
    visit.ask(QUESTION)
    card = page.locator(".card").first
    card.focus()
    keyboard.press("?")
    page.locator("#labse-help[open]").wait_for(timeout=SECONDS)
    assert page.evaluate("document.getElementById('labse-help').contains(document.activeElement)")
    keyboard.press("Escape")
    page.wait_for_function("() => document.activeElement?.matches('.card')", timeout=SECONDS)
    opener = card.get_by_role("button", name="Open source")
    opener.focus()
    keyboard.press("Enter")
    page.locator("dialog.viewer[open] mark").first.wait_for(timeout=SECONDS)
    page.wait_for_function("() => document.activeElement?.closest('dialog')", timeout=SECONDS)
    keyboard.press("Escape")
    page.wait_for_function("() => document.activeElement?.matches('.open-source')", timeout=SECONDS)
    visit.was_clean()
