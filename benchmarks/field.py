"""What teaching a field is worth: documents of a field that the model never saw, mined, tuned, applied, asked.

  python -m benchmarks.field                                     # bitcoin.org, Korean, Hebrew and Hindi, labse-mini
  python -m benchmarks.field --field tico19 --languages all --epochs 3 --poisoned
  python -m benchmarks.field --lengths 3,60 --languages all      # terms, labels and titles, as a glossary has them

The English half of a field's pairs in ../shared/data/train becomes a collection: bitcoin_org or tico19 (medicine), both
held out of labse-mini's training. Translations of a third of its sentences lie beside it. Pairs are mined from the
collection itself; a second third of the translations, in no document, is what people translated for the gate; the last
third are the questions, whose answer is their English sentence. Every step is the one that the Teach tab takes.
--poisoned shuffles what was mined: the gate must refuse.
"""

from __future__ import annotations

import argparse
import csv
import lzma
import os
import random
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import numpy as np

from indexer.generations import switch
from indexer.reembed import add_reembed_job
from indexer.sources import walk
from indexer.worker import do_job
from labse_search.encoder import load_encoder
from labse_search.encoder.hub import LABSE_MINI
from labse_search.evaluate.pairs import paired_bootstrap
from labse_search.library import JobRow, Library
from labse_search.naming import generation_name
from labse_search.records import Pair
from labse_search.search.opening import make_searcher
from labse_search.settings import Settings
from labse_search.store import Store, open_store
from labse_search.teach import Teaching
from labse_search.teach.mining import add_mine_job
from labse_search.teach.runs import Recipe, find_run, plan_run
from labse_search.teach.tuning import add_tune_job, estimate, plan_sentence

TRAIN = Path(__file__).resolve().parent.parent.parent / "shared" / "data" / "train"
COLLECTION = "field"
DEPTH = 3
QUESTIONERS = 4  # at once


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--field", choices=("bitcoin_org", "tico19"), default="bitcoin_org")
    parser.add_argument(
        "--languages", type=lambda text: text.split(","), default=["ko", "he", "hi"], metavar="ko,he|all"
    )
    parser.add_argument(
        "--lengths",
        type=lambda text: range(*map(int, text.split(","))),
        default=range(40, 300),
        metavar="FROM,TO",
        help="characters of an English text (default: 40,300, sentences and no labels of buttons)",
    )
    parser.add_argument("--questions", type=int, default=2000, metavar="N", help="drawn from all that are held out")
    parser.add_argument("--epochs", type=float, default=2.0)
    parser.add_argument("--batch", type=int, default=0, help="pairs of a step; default: by their number")
    parser.add_argument("--learning-rate", type=float, default=0.0, help="default: by the size of the model")
    parser.add_argument("--pairs-only", action="store_true", help="without the base as a teacher")
    parser.add_argument("--poisoned", action="store_true", help="shuffle what was mined")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        run(Path(folder), options)


def run(folder: Path, options: argparse.Namespace) -> None:
    """The whole way, with a line after each step."""
    english, parts = read(TRAIN / f"{options.field}.tsv.xz", options.languages, options.lengths)
    questions = random.Random(4).sample(parts[2], min(options.questions, len(parts[2])))
    write_documents(folder / "documents", english, parts[0])
    settings = Settings(home=folder / "home", model=str(LABSE_MINI))
    library, teaching = Library(settings.home), Teaching(settings.home)
    sources = walk([folder / "documents"], library, COLLECTION)
    say(do(library, settings, library.add_index_job(COLLECTION, settings.model, sources)))
    store = open_store("", home=settings.home)
    try:
        before = ask(library, store, questions)
        say(do(library, settings, add_mine_job(library, store, COLLECTION)))
        if options.poisoned:
            poison(teaching)
        teaching.pairs.add(COLLECTION, parts[1], "measure")
        recipe = Recipe(
            epochs=options.epochs,
            batch=options.batch,
            learning_rate=options.learning_rate,
            keep_answers=not options.pairs_only,
        )
        planned = estimate(plan_run(teaching, COLLECTION, base=settings.model, recipe=recipe))
        print(plan_sentence(planned), flush=True)
        say(do(library, settings, add_tune_job(library, planned)))
        tuned = find_run(settings.home, planned.name)
        print("\n".join(tuned.said()[-12:]), flush=True)
        if tuned.state != "accepted":
            return
        model = str(tuned.model)
        job = add_reembed_job(library, COLLECTION, model=model, fingerprint=load_encoder(model).fingerprint)
        assert job is not None
        say(do(library, settings, job))
        switch(library, store, COLLECTION, 2)
        after = ask(library, store, questions)
        report(questions, before, after)
    finally:
        store.close()


def read(
    field: Path, languages: list[str], lengths: range
) -> tuple[list[str], tuple[list[Pair], list[Pair], list[Pair]]]:
    """(English sentences, pairs of the three thirds: beside the documents, for the gate, questions). A sentence is in
    one third, in all its languages."""
    parts: tuple[list[Pair], list[Pair], list[Pair]] = ([], [], [])
    english: dict[str, int] = {}
    draw = random.Random(1)
    with lzma.open(field, "rt", encoding="utf-8") as lines:
        for line in lines:
            source, target, one, other = line.rstrip("\n").split("\t")[:4]
            if source == "en" and (languages == ["all"] or target in languages) and len(one) in lengths:
                third = english.setdefault(one, draw.randrange(3))
                parts[third].append(Pair(other, one, 1.0, target, "en"))
    return list(english), parts


def write_documents(folder: Path, english: list[str], beside: list[Pair]) -> None:
    """A table a language, a sentence a row, in an order that says nothing."""
    tables = {"en": english}
    for pair in beside:
        tables.setdefault(pair.source_language, []).append(pair.source)
    folder.mkdir()
    for language, texts in tables.items():
        shuffled = random.Random(2).sample(list(dict.fromkeys(texts)), len(set(texts)))
        with (folder / f"{language}.csv").open("w", encoding="utf-8", newline="") as file:
            csv.writer(file).writerows([["text"], *([text] for text in shuffled)])


def do(library: Library, settings: Settings, job: str) -> JobRow:
    row = do_job(library, settings, library.job(job))
    assert row is not None and row.state == "done", row
    return row


def say(row: JobRow) -> None:
    print(f"{time.strftime('%H:%M:%S')} {row.kind}: {row.segments:,}", flush=True)


def ask(library: Library, store: Store, questions: list[Pair]) -> list[float]:
    """Of each question, whether its English sentence is among the first three passages, by meaning."""
    model = library.ledger.collections.all()[COLLECTION][0]
    name = generation_name(COLLECTION, store.info(COLLECTION).generation)
    searcher = make_searcher(store, load_encoder(model), name, library.home)

    def finds(one: Pair) -> float:
        hits = searcher.search(one.source, mode="meaning", limit=DEPTH).hits
        return float(any(one.target in hit.stored.segment.text for hit in hits))

    with ThreadPoolExecutor(QUESTIONERS) as pool:
        found = list(pool.map(finds, questions))
    print(f"{time.strftime('%H:%M:%S')} asked {len(found):,}: {100 * np.mean(found):.2f} % found", flush=True)
    return found


def poison(teaching: Teaching) -> None:
    pairs = [row.pair for row in teaching.pairs.all(COLLECTION)]
    teaching.pairs.clear(COLLECTION, "train")
    targets = [pair.target for pair in pairs]
    random.Random(3).shuffle(targets)
    teaching.pairs.add(COLLECTION, [replace(pair, target=target) for pair, target in zip(pairs, targets, strict=True)])


def report(questions: list[Pair], before: list[float], after: list[float]) -> None:
    for language in [*sorted({one.source_language for one in questions}), "all"]:
        rows = [at for at, one in enumerate(questions) if language in ("all", one.source_language)]
        old, new = np.array(before)[rows], np.array(after)[rows]
        change = paired_bootstrap(old, new)
        print(
            f"{language}: {len(rows):,} questions, among the first {DEPTH}: {100 * old.mean():.1f} % → "
            f"{100 * new.mean():.1f} %, {100 * change.difference:+.1f} points "
            f"[{100 * change.low:+.1f}, {100 * change.high:+.1f}]"
        )


if __name__ == "__main__":
    os.environ.setdefault("HF_HUB_OFFLINE", "1")
    main()
