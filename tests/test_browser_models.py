"""Models and backups on the page, in a real browser: looked at, embedded again, paused, cancelled, switched, back."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from browser_case import IN_BROWSER, SECONDS, App, Visit, running_app
from lexicon import make_lexicon_model, random_concepts, sentence
from playwright.sync_api import expect

from indexer.sources import walk
from indexer.worker import do_job, reembedding_lock
from labse_search.library import Library
from labse_search.settings import Settings

pytestmark = IN_BROWSER


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("models")


@pytest.fixture(scope="module")
def app(folder: Path) -> Iterator[App]:
    """The app with a small collection, and another model beside it."""
    model, home = make_lexicon_model(folder / "first"), folder / "home"
    make_lexicon_model(folder / "second", seed=1)
    (folder / "in").mkdir()
    for number, concepts in enumerate(random_concepts(12, seed=3)):
        (folder / "in" / f"{number}.txt").write_text(sentence("en", concepts))
    library = Library(home)
    job = library.add_index_job("documents", str(model), walk([folder / "in"], library, "documents"))
    do_job(library, Settings(home=home, model=str(model)), library.job(job))
    assert library.job(job).state == "done"
    library.close()
    with running_app(home, model) as app:
        yield app


@pytest.mark.slow
def test_another_model_is_looked_at_embeds_the_collection_answers_and_goes(
    app: App,
    visit: Visit,
    folder: Path,
) -> None:
    visit.open()
    visit.tab("Collection")
    page = visit.page
    models = page.locator(".models")
    models.locator(".model-name").first.wait_for(timeout=SECONDS)
    assert "12 passages" in models.inner_text() and "Answers" in models.inner_text()
    page.locator("#labse-model").fill(str(folder / "second"))
    page.locator("#labse-model").press("Enter")
    models.get_by_role("button", name="Embed again by this model").click(timeout=SECONDS)
    models.get_by_role("button", name="Let it answer: second").click(timeout=SECONDS)
    models.get_by_role("button", name="Let it answer: first").wait_for(timeout=SECONDS)
    models.get_by_role("button", name="Let it answer: first").click()
    models.get_by_role("button", name="Free its room: second").click(timeout=SECONDS)
    page.wait_for_function("() => document.querySelectorAll('.models tbody tr').length === 1", timeout=SECONDS)
    page.locator("#labse-model").fill("/no/such/model")
    page.locator("#labse-model").press("Enter")
    models.locator("[role=alert]").wait_for(timeout=SECONDS)
    expect(page.locator("#labse-model")).to_have_value("/no/such/model")
    visit.was_clean()


def test_a_backup_is_followed_brought_in_and_deleted(app: App, visit: Visit) -> None:
    visit.open()
    visit.tab("Collection")
    page, whole = visit.page, visit.page.locator(".whole")
    whole.get_by_role("button", name="Back up everything").click(timeout=SECONDS)
    whole.locator(".job[data-kind=backup][data-state=done]").wait_for(timeout=SECONDS)
    whole.locator(".backups a").wait_for(timeout=SECONDS)
    whole.locator(".backups").get_by_role("button", name="Bring in").click()
    whole.locator(".job[data-kind=restore][data-state=done]").wait_for(timeout=SECONDS)
    page.on("dialog", lambda dialog: dialog.accept())
    whole.locator(".backups").get_by_role("button", name="Delete").click()
    whole.locator(".backups").wait_for(state="detached", timeout=SECONDS)
    visit.was_clean()


@contextmanager
def jobs_wait(app: App) -> Iterator[None]:
    """No worker may begin what is clicked meanwhile, so that it can be paused and cancelled in peace."""
    library = Library(app.home)
    locks = [library.lock("keeping"), library.lock(reembedding_lock("documents"))]
    assert None not in locks
    try:
        yield
    finally:
        for lock in locks:
            if lock is not None:
                lock.release()
        library.close()


def test_jobs_are_paused_resumed_and_cancelled_by_their_buttons(app: App, visit: Visit, folder: Path) -> None:
    visit.open()
    visit.tab("Collection")
    page = visit.page
    models, whole = page.locator(".models"), page.locator(".whole")
    models.locator(".model-name").first.wait_for(timeout=SECONDS)
    with jobs_wait(app):
        page.locator("#labse-model").fill(str(folder / "second"))
        page.locator("#labse-model").press("Enter")
        models.get_by_role("button", name="Embed again by this model").click(timeout=SECONDS)
        models.locator(".job[data-state=queued]").wait_for(timeout=SECONDS)
        models.get_by_role("button", name="Pause").click()
        models.locator(".job[data-state=paused]").wait_for(timeout=SECONDS)
        models.get_by_role("button", name="Resume").click()
        models.locator(".job[data-state=queued]").wait_for(timeout=SECONDS)
        models.get_by_role("button", name="Cancel").click()
        models.locator(".job").wait_for(state="detached", timeout=SECONDS)
        models.get_by_role("button", name="Free its room: second").click(timeout=SECONDS)
        whole.get_by_role("button", name="Back up everything").click()
        whole.locator(".job[data-state=queued]").wait_for(timeout=SECONDS)
        whole.locator(".job[data-state=queued]").get_by_role("button", name="Cancel").click()
        whole.locator(".job[data-kind=backup][data-state=cancelled]").wait_for(timeout=SECONDS)
    visit.was_clean()
