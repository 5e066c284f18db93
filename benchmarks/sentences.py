"""How often the translation of a sentence comes first: by the cosine alone, and with margins against neighbours.

  python -m benchmarks.sentences ../shared/data/dev/dev.en-{de,fr,ru,ar,hi,zh,ja,th,fi,tr,ka,sw}.tsv.xz
  python -m benchmarks.sentences ../shared/data/test/tatoeba/tatoeba.{deu,fra,rus,ara,hin,cmn}-eng.tsv.xz

Files of pairs with an English side. The other sides are one pool of passages; asked for are English sentences, and
sentences of the pool themselves, for which passages in their own language do not count. A passage is right if the
English side of its pair is that of the sentence. Printed are the share of sentences with a right passage first, and the
average precision over all right ones.
"""

from __future__ import annotations

import argparse
import random
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from labse_search.corpora.pairs import read_pairs
from labse_search.encoder import load_encoder
from labse_search.encoder.texts import encode_texts
from labse_search.search import translation
from labse_search.search.measure import profile_of
from labse_search.settings import Settings
from labse_search.similarity import Vectors

FOUND = 60  # passages that a search looks at
WAYS = ((0, 0), (3, 2), (5, 2), (5, 4), (10, 2), (20, 2), (20, 4))  # candidates and neighbours


@dataclass(frozen=True)
class Pool:
    texts: list[str]
    english: NDArray[np.str_]
    language: NDArray[np.str_]  # a file each
    vectors: Vectors  # (n, dimension)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("files", nargs="+")
    parser.add_argument("--model", default="labse-mini")
    parser.add_argument("--sentences", type=int, default=400, help="of each file")
    parser.add_argument("--questions", type=int, default=300, help="of both kinds")
    options = parser.parse_args()
    encoder = load_encoder(options.model)
    profile = profile_of(encoder, Settings.from_env({}).home)
    rows = [(file, *sides) for file in options.files for sides in taken(file, options.sentences)]
    language, english, texts = (list(column) for column in zip(*rows, strict=True))
    vectors = encode_texts(encoder, texts, "document")
    pool = Pool(texts, np.array(english), np.array(language), vectors)
    draw = random.Random(0)
    asked = draw.sample(list(dict.fromkeys(english)), options.questions)
    own = draw.sample(range(len(texts)), options.questions)
    questions = [(sentence, "", -1) for sentence in asked] + [(english[row], language[row], row) for row in own]
    sentences = encode_texts(encoder, [*asked, *(texts[row] for row in own)], "query")
    found = [looked_for(pool, *how) for how in zip(profile.neutral(sentences), questions, strict=True)]
    print("| candidates, neighbours | English: first | precision | of the pool: first | precision |")
    print("|---|---|---|---|---|")
    for way, (candidates, neighbours) in enumerate(WAYS):
        halves = (found[: len(asked)], found[len(asked) :])
        shares = [100 * np.mean([one[way] for one in half if one], axis=0) for half in halves]
        figures = " | ".join(f"{share:.1f}" for share in np.concatenate(shares))
        print(f"| {f'{candidates}, {neighbours}' if candidates else 'the cosine alone'} | {figures} |")


def taken(file: str, limit: int) -> list[tuple[str, str]]:
    """(English, other side) of pairs spread evenly over the file; English stands where the file's name says."""
    pairs = read_pairs(file)
    swapped = "-eng." in file
    sides = [(pair.target, pair.source) if swapped else (pair.source, pair.target) for pair in pairs]
    return sides[:: max(1, len(sides) // limit)][:limit]


def looked_for(pool: Pool, sentence: Vectors, question: tuple[str, str, int]) -> list[tuple[float, float]]:
    """For each way whether a right passage comes first, and the average precision; empty where none is right."""
    english, language, row = question
    allowed = pool.language != language
    right = (pool.english == english) & allowed
    if not right.any():
        return []
    cosines = pool.vectors @ sentence
    closest = np.argsort(-np.where(allowed, cosines, -2), kind="stable")[:FOUND]

    def near(vectors: Vectors, limit: int) -> Sequence[Sequence[float]]:
        around = vectors @ pool.vectors.T
        if row >= 0:
            around[:, row] = -1.0  # the sentence itself is no neighbour
        return np.sort(around, axis=1)[:, ::-1][:, :limit].tolist()  # type: ignore[no-any-return]

    return [judged(right[ordered(pool, sentence, closest, near, way)], int(right.sum())) for way in WAYS]


def ordered(
    pool: Pool, sentence: Vectors, closest: NDArray[np.intp], near: translation.Near, way: tuple[int, int]
) -> NDArray[np.intp]:
    candidates, neighbours = way
    first = closest[:candidates]
    margins = translation.by_margin(sentence, pool.vectors[first], near, neighbours)
    return np.concatenate([first[np.argsort(-margins, kind="stable")], closest[candidates:]])


def judged(right: NDArray[np.bool_], count: int) -> tuple[float, float]:
    precision = np.cumsum(right) / np.arange(1, len(right) + 1)
    return float(right[0]), float((precision * right).sum() / count)


if __name__ == "__main__":
    main()
