"""A small library for browser tests: a model that knows four languages word by word, twelve files in two folders."""

from __future__ import annotations

from pathlib import Path

from lexicon import make_lexicon_model, random_concepts, sentence

from indexer.sources import walk
from indexer.worker import do_job
from labse_search.library import Library
from labse_search.settings import Settings

CONCEPTS = random_concepts(12, seed=3)
QUESTION = sentence("de", CONCEPTS[0])  # answered by in/a/0.txt, which is English


def small_home(folder: Path) -> tuple[Path, Path]:
    """(home, model): the collection "documents" with a passage a file, every third in French."""
    model, home, files = make_lexicon_model(folder / "model"), folder / "home", folder / "in"
    for number, concepts in enumerate(CONCEPTS):
        file = files / "ab"[number % 2] / f"{number}.txt"
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(sentence("fr" if number % 3 == 2 else "en", concepts) + ".")
    library = Library(home)
    job = library.add_index_job("documents", str(model), walk([files], library, "documents"))
    do_job(library, Settings(home=home, model=str(model)), library.job(job))
    assert library.job(job).state == "done", library.job(job).error
    library.close()
    return home, model
