"""Whether memory stays flat: many searches, each person with a searcher of their own, and documents added and removed.

  python -m benchmarks.memory                                    # 3,000 searches, 30 cycles, 5,000 passages
  python -m benchmarks.memory --searches 300 --cycles 3 --passages 1000

Prints the resident memory of this process and of the store's, and what the last half of each round added. The texts are
synthetic (benchmarks.questioners); the page's own sessions are not in it.
"""

from __future__ import annotations

import argparse
import random

import numpy as np
import psutil

from benchmarks.questioners import COLLECTION, filled_store, passage, processes, sentence
from labse_search.encoder import Encoder, load_encoder
from labse_search.encoder.hub import LABSE_MINI
from labse_search.records import Filter
from labse_search.search import Searcher
from labse_search.similarity import normalize
from labse_search.store import Store

SESSION = 10  # searches of one person
DOCUMENT = 50  # passages that a cycle adds and removes, those of one document


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", default=str(LABSE_MINI), help="folder or name (default: labse-mini)")
    parser.add_argument("--passages", type=int, default=5_000, metavar="N")
    parser.add_argument("--searches", type=int, default=3_000, metavar="N")
    parser.add_argument("--cycles", type=int, default=30, metavar="N")
    options = parser.parse_args()
    encoder = load_encoder(options.model)
    with filled_store(encoder, options.passages) as store:
        watched = processes(store)
        print("| after | this process, MB | the store's, MB |\n|---|---|---|")
        search(store, encoder, options.searches, watched)
        add_and_remove(store, encoder, options.passages, options.cycles, watched)


def search(store: Store, encoder: Encoder, searches: int, watched: list[psutil.Process]) -> None:
    numbers = random.Random(1)
    searcher = Searcher(store, encoder, COLLECTION)
    taken = []
    for number in range(searches):
        if number % SESSION == 0:
            searcher = Searcher(store, encoder, COLLECTION)
        searcher.search(sentence(numbers, 8))
        if (number + 1) % max(searches // 6, 1) == 0:
            taken.append(resident(f"{number + 1:,} searches", watched))
    tell_growth("searches", taken)


def add_and_remove(store: Store, encoder: Encoder, first: int, cycles: int, watched: list[psutil.Process]) -> None:
    draw, vectors = random.Random(2), np.random.default_rng(2)
    first = -(-first // DOCUMENT) * DOCUMENT  # a document that is not there yet
    taken = []
    for cycle in range(cycles):
        segments = [passage(draw, first + number) for number in range(DOCUMENT)]
        rows = normalize(vectors.standard_normal((DOCUMENT, encoder.dimension), "f4"))
        store.upsert(COLLECTION, segments, rows, fingerprint=encoder.fingerprint)
        store.delete(COLLECTION, Filter(documents=(segments[0].document,)))
        if (cycle + 1) % max(cycles // 6, 1) == 0:
            taken.append(resident(f"{cycle + 1} times added and removed", watched))
    tell_growth("adding and removing", taken)


def resident(after: str, watched: list[psutil.Process]) -> list[float]:
    taken = [process.memory_info().rss / 1e6 for process in watched]
    print(f"| {after} | {taken[0]:.0f} | {taken[1]:.0f} |", flush=True)
    return taken


def tell_growth(what: str, taken: list[list[float]]) -> None:
    app, of_store = (last - middle for last, middle in zip(taken[-1], taken[len(taken) // 2], strict=True))
    print(f"| {what}: the last half added | {app:+.0f} | {of_store:+.0f} |")


if __name__ == "__main__":
    main()
