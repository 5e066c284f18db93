"""How many of the documents that are translations of each other are found, and how many that are none.

  python -m indexer docs && python -m benchmarks.translations          # LABSE_HOME says where the collection is
  python -m benchmarks.translations --documents 5000 --languages 10    # random vectors: the time

Documents lie in folders by language, docs/LANGUAGE/NAME: the same name in another folder is the translation. Documents
of fewer than three passages, or of one language by their words, are not asked for.
"""

from __future__ import annotations

import argparse
import os
import time
from itertools import combinations

import numpy as np

from labse_search.align.translations import Document, find_among, find_translations, read_documents
from labse_search.library import Library
from labse_search.settings import Settings
from labse_search.similarity import normalize
from labse_search.store import open_store

SEGMENTS, DIMENSION, NOISE = 20, 256, 0.06


def quality() -> None:
    settings = Settings.from_env(os.environ)
    store = open_store(settings.store, home=settings.home, api_key=settings.api_key)
    names = {row.document: row.names for row in Library(settings.home).documents(settings.collection)}
    documents = read_documents(store, settings.collection)
    started = time.process_time()
    found = {frozenset((one.source, one.target)) for one in find_translations(store, settings.collection)}
    seconds = time.process_time() - started
    store.close()
    gold = {
        frozenset((one.id, other.id))
        for one, other in combinations(documents, 2)
        if one.language != other.language and are_translations(names[one.id], names[other.id])
    }
    right = len(found & gold)
    precision, recall = right / max(len(found), 1), right / max(len(gold), 1)
    print(
        f"{len(documents)} documents, {len(gold)} pairs of translations: {len(found)} found in {seconds:.1f} s;",
        end=" ",
    )
    print(f"precision {precision:.3f}, recall {recall:.3f}, F1 {2 * right / max(len(found) + len(gold), 1):.3f}")


def are_translations(names: tuple[str, ...], others: tuple[str, ...]) -> bool:
    """Whether one has a name that the other has, too, in the folder of another language."""
    split = [[name.split("/")[-2:] for name in some] for some in (names, others)]
    return any(one[-1] == other[-1] and one[0] != other[0] for one in split[0] for other in split[1])


def speed(count: int, languages: int) -> None:
    generator = np.random.default_rng(0)
    documents = []
    for number in range(count // languages):
        meaning = normalize(generator.standard_normal((SEGMENTS, DIMENSION)).astype(np.float32))
        for language in range(languages):
            noise = NOISE * generator.standard_normal(meaning.shape).astype(np.float32)
            documents.append(Document(f"{number}-{language}", f"l{language}", normalize(meaning + noise)))
    started = time.process_time()
    found = find_among(documents)
    print(f"{len(documents)} documents: {len(found)} pairs in {time.process_time() - started:.1f} s of processor time")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--documents", type=int, default=0)
    parser.add_argument("--languages", type=int, default=10)
    options = parser.parse_args()
    if options.documents:
        speed(options.documents, options.languages)
    else:
        quality()
