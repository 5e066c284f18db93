"""The loop as a person closes it: documents in, pairs found and reviewed, answers judged, a model tuned by two
processes, applied, asked, and taken back; in a real browser, with the real app and its workers."""

from __future__ import annotations

import random
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from browser_case import CHROMIUM, FLAGS, App, Visit, running_app

from labse_search.teach import split_of

PATIENCE = 600_000  # milliseconds: two processes train, on a machine that may be busy
WORDS = """cat кот, dog собака, house дом, water вода, sea море, river река, city город, bridge мост, market рынок,
bread хлеб, salt соль, wind ветер, rain дождь, sun солнце, night ночь, day день, book книга, table стол, window окно,
door дверь, garden сад, tree дерево, flower цветок, bird птица, fish рыба, horse лошадь, road дорога, train поезд,
ship корабль, school школа, teacher учитель, doctor врач, letter письмо, paper бумага, music музыка, song песня,
winter зима, summer лето, snow снег, fire огонь, stone камень, gold золото, glass стекло, wood лес, field поле,
mountain гора, island остров, king король, friend друг, child ребёнок, mother мать, father отец, brother брат,
sister сестра, milk молоко, apple яблоко, tea чай, sugar сахар, knife нож, clock часы"""
PAIRS = [tuple(pair.split()) for pair in WORDS.replace("\n", " ").split(", ")]
FILLERS = "the and near with in и около с в".split()

pytestmark = [
    pytest.mark.slow,
    pytest.mark.browser,
    pytest.mark.timeout(1500),
    pytest.mark.skipif(not Path(CHROMIUM).exists(), reason="no Chromium: apt-get install chromium"),
]


def sentences(n: int, seed: int) -> list[tuple[str, str]]:
    """English and Russian, five things each."""
    chosen, found = random.Random(seed), {}
    while len(found) < n:
        (a, x), (b, y), (c, z), (d, u), (e, v) = (tuple(pair) for pair in chosen.sample(PAIRS, 5))
        found[f"The {a} and the {b} near the {c} with the {d} in the {e}."] = f"{x} и {y} около {z} с {u} в {v}."
    return list(found.items())


def make_model(folder: Path) -> Path:
    """Word vectors in which a word and its translation are alike, but so loosely that there is much to learn."""
    import torch
    from sentence_transformers import SentenceTransformer
    from sentence_transformers.sentence_transformer.modules import Normalize, StaticEmbedding
    from tokenizers import Tokenizer, normalizers
    from tokenizers.models import WordLevel
    from tokenizers.pre_tokenizers import Whitespace

    generator = torch.Generator().manual_seed(0)
    vocabulary: dict[str, int] = {"[UNK]": 0, ".": 1, **{word: at for at, word in enumerate(FILLERS, start=2)}}
    rows = [0.05 * torch.randn(48, generator=generator) for _ in vocabulary]
    for pair in PAIRS:
        meaning = torch.randn(48, generator=generator)
        for word in pair:
            vocabulary[word] = len(rows)
            rows.append(meaning + 1.0 * torch.randn(48, generator=generator))
    tokenizer = Tokenizer(WordLevel(vocabulary, unk_token="[UNK]"))
    tokenizer.normalizer = normalizers.Lowercase()
    tokenizer.pre_tokenizer = Whitespace()
    model = SentenceTransformer(modules=[StaticEmbedding(tokenizer, torch.stack(rows)), Normalize()], device="cpu")
    model.save(str(folder), create_model_card=False)
    (folder / "labse.json").write_text('{"languages": ["en", "ru"]}')
    return folder


@pytest.fixture(scope="module")
def desktop(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of two tables, the second in Russian, and beside it the pairs that people translated."""
    folder = tmp_path_factory.mktemp("desktop")
    (folder / "field").mkdir()
    rows = sentences(380, seed=1)
    for name, side in (("english", 0), ("russian", 1)):
        table = "text\n" + "".join(f'"{row[side]}"\n' for row in rows[:260])
        (folder / "field" / f"{name}.csv").write_text(table, encoding="utf-8")
    (folder / "known.tsv").write_text("".join(f"en\tru\t{one}\t{other}\n" for one, other in rows[260:]), "utf-8")
    return folder


@pytest.fixture(scope="module")
def app(tmp_path_factory: pytest.TempPathFactory) -> Iterator[App]:
    model = make_model(tmp_path_factory.mktemp("models") / "loose")
    with running_app(tmp_path_factory.mktemp("home"), model) as app:
        yield app


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, headless=True, args=FLAGS)
        yield browser
        browser.close()


def test_a_person_closes_the_loop_and_takes_it_back(app: App, browser: Any, desktop: Path) -> None:
    context = browser.new_context(viewport={"width": 1440, "height": 900})
    app.admit(context)
    page = context.new_page()
    page.set_default_timeout(PATIENCE)
    visit = Visit(page, app.address)
    page.on("pageerror", lambda error: visit.errors.append(str(error)))
    page.on("console", lambda message: visit.errors.append(message.text) if message.type == "error" else None)
    visit.open()
    add_documents(visit, desktop / "field")
    find_and_review(visit, desktop / "known.tsv")
    judge_answers(visit)
    tune(visit)
    apply_and_take_back(visit)
    for width in (1440, 390):
        page.set_viewport_size({"width": width, "height": 900})
        assert page.evaluate("document.documentElement.scrollWidth") <= width
    assert visit.errors == []
    context.close()


def add_documents(visit: Visit, folder: Path) -> None:
    visit.tab("Add documents")
    visit.page.locator(".path input").fill(str(folder))
    visit.page.locator(".path button").click()
    visit.page.locator(".plan .start").click()
    visit.page.wait_for_selector(".job[data-state=done]")


def find_and_review(visit: Visit, known: Path) -> None:
    page = visit.page
    visit.tab("Teach")
    page.locator(".mine").click()
    page.wait_for_selector(".review .pair")
    page.locator("label", has_text="Import pairs to measure on").locator("input").set_input_files(known)
    page.get_by_text("120 pairs to measure on").wait_for()
    translations = dict(sentences(380, seed=1))
    for _ in range(10):
        shown = page.locator(".review .pair")
        source, target = shown.locator(".side").all_inner_texts()
        before = shown.get_attribute("data-pair")
        english, russian = (source, target) if source in translations else (target, source)
        page.keyboard.press("r" if translations[english] == russian else "w")
        page.wait_for_function("id => document.querySelector('.review .pair')?.dataset.pair !== id", arg=before)
    page.get_by_text("Reviewed: 10").wait_for()
    page.keyboard.press("u")
    page.get_by_text("Reviewed: 9").wait_for()
    with page.expect_download() as download:
        page.locator(".all-pairs summary").click()
        page.locator(".all-pairs a", has_text="TMX").click()
    assert "<tuv xml:lang=" in Path(download.value.path()).read_text("utf-8")


def judge_answers(visit: Visit) -> None:
    """Two questions that train and three that measure."""
    page = visit.page
    visit.tab("Search")
    asked = [russian.replace(" и ", " с ", 1) for _, russian in sentences(380, seed=1)[:60]]
    halves = [[one for one in asked if split_of(one) == half] for half in ("training", "verdict")]
    for question in [*halves[0][:2], *halves[1][:3]]:
        visit.ask(question)
        page.keyboard.press("Escape")
        for key in ("j", "y", "j", "x"):
            page.keyboard.press(key)
        page.wait_for_function("document.querySelectorAll('.card .judge [aria-pressed=true]').length === 2")
    visit.tab("Teach")
    page.get_by_text("5 questions").wait_for()


def tune(visit: Visit) -> None:
    page = visit.page
    page.locator(".advanced summary").click()
    for name, value in (("epochs", "8"), ("processes", "2"), ("batch", "32"), ("learning_rate", "0.02")):
        page.locator(f"#labse-recipe-{name}").fill(value)
    assert page.locator("#labse-recipe-keep_answers").is_checked()
    assert not page.locator("#labse-recipe-lenient").is_checked()
    page.locator(".tune").click()
    page.wait_for_selector(".planned, .tune-part .error")
    assert "About" in page.locator(".planned").inner_text(), page.locator(".tune-part").inner_text()
    page.locator(".planned .start").click()
    page.wait_for_selector(".run .job")
    page.wait_for_selector(".run:is([data-state=accepted], [data-state=refused]):not(:has(.job))")
    run = page.locator(".run").first
    assert run.get_attribute("data-state") == "accepted", run.inner_text()
    assert re.search(r"\+\d+\.\d points on pairs of your field", run.inner_text())
    assert "regression accuracy" in run.inner_text() and run.locator("table tbody tr").count() >= 4
    assert "questions: 2" in run.inner_text() and "a right answer among the first three" in run.inner_text()
    run.locator("summary", has_text="Your own questions").click()
    assert run.locator(".own tbody tr").count() == 3
    run.locator("summary", has_text="By language").click()
    assert "English" in run.locator("details[open]", has_text="By language").inner_text()


def apply_and_take_back(visit: Visit) -> None:
    page = visit.page
    page.locator(".use_model").click()
    page.locator(".run .switch", has_text="Let it answer").click()
    page.get_by_text("This model answers now.").wait_for()
    english, russian = sentences(380, seed=1)[100]
    visit.tab("Search")
    visit.ask(english)
    after = page.locator(".card").count()
    visit.tab("Teach")
    page.locator(".run .switch", has_text="Back to the model before").click()
    page.locator(".run .switch", has_text="Let it answer").wait_for()
    visit.tab("Search")
    visit.ask(russian)
    assert after > 0 and page.locator(".card").count() > 0
