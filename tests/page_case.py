"""The page over a small real library: lexicon model, embedded store, two documents."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from lexicon import make_lexicon_model, sentence
from starlette.testclient import TestClient

from indexer.sources import walk
from indexer.worker import do_job
from labse_search.encoder import load_encoder
from labse_search.library import Library
from labse_search.search import Searcher
from labse_search.settings import Settings
from labse_search.store import open_store
from labse_search.ui import AppContext, create_app

ROOT = Path(__file__).resolve().parent.parent
HOSTILE = "`${window.__p=1}` {{x}} <img src=x onerror=window.__p=2>"


@contextmanager
def page_client(home: Path) -> Iterator[Any]:
    """A client whose `context` is the application's."""
    model = str(make_lexicon_model(home / "model"))
    documents = home / "in"
    documents.mkdir()
    (documents / "one.txt").write_text(sentence("de", [1, 2, 3, 4, 5]) + ".")
    # words enough that the model can read most of the passage, though it knows no word of HOSTILE
    (documents / "two.txt").write_text(sentence("fr", list(range(11, 31))) + ".\n\n" + HOSTILE)
    settings = Settings(home=home / "home", model=model)
    library = Library(settings.home)
    job = library.add_index_job("documents", model, walk([documents], library, "documents"))
    do_job(library, settings, library.job(job))
    assert library.job(job).state == "done", library.job(job).error
    store = open_store("", home=settings.home)
    encoder = load_encoder(model)
    context = AppContext(
        settings=settings,
        library=library,
        store=store,
        model=model,
        searcher=lambda collection: Searcher(store, encoder, collection),
        wake=lambda: None,
        examples=ROOT / "examples",
    )
    with TestClient(create_app(context), base_url="http://127.0.0.1:7860") as client:
        client.context = context  # type: ignore[attr-defined]
        yield client
    store.close()
