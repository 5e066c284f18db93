"""Alignment of sentences against gold, and the time it takes for long texts.

  python -m benchmarks.alignment ../shared/data/test/text_berg --model labse_search/models/labse-mini
  python -m benchmarks.alignment --long 10000

Text+Berg: 991 German and 1,011 French sentences of the Alpine yearbooks. Strict precision, recall and F1 as vecalign's
score.py counts them: a bead is right if both of its sides are exactly those of a gold bead; precision counts sentences
that stand alone too, recall doesn't. Published: vecalign with LASER 0.90, bertalign with LaBSE 0.936.

--long: two texts of that many sentences, random vectors with noise, a tenth of the sentences joined, a fifth of one
text left out in the other: processor time beyond encoding, memory, and F1.
"""

from __future__ import annotations

import argparse
import json
import resource
import time
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from labse_search.align import align_sentences
from labse_search.align.beads import find_beads
from labse_search.align.joins import MOST_JOINED, Side
from labse_search.encoder import load_encoder
from labse_search.encoder.hub import LABSE_MINI
from labse_search.similarity import normalize

Bead = tuple[tuple[int, ...], tuple[int, ...]]


def text_berg(folder: Path, models: Sequence[str]) -> None:
    names = sorted(file.name for file in (folder / "gold").iterdir())
    gold = [read_gold(folder / "gold" / name) for name in names]
    for model in models:
        encoder = load_encoder(model)
        found = []
        started = time.process_time()
        for name in names:
            sides = [(folder / side / name).read_text(encoding="utf-8").splitlines() for side in ("de", "fr")]
            sides = [[line.strip() for line in side] for side in sides]
            beads = align_sentences(encoder, sides[0], sides[1])
            found.append({(tuple(bead.source), tuple(bead.target)) for bead in beads})
        print(f"{model}: {time.process_time() - started:.1f} s of processor time, encoding included")
        for name, one, other in zip((*names, "all"), (*gold, None), (*found, None), strict=True):
            golds, founds = ([one], [other]) if one and other else (gold, found)
            precision, recall, f1 = strict(golds, founds)
            print(f"  {name}: precision {precision:.3f}, recall {recall:.3f}, F1 {f1:.3f}", flush=True)


def read_gold(file: Path) -> set[Bead]:
    beads = set()
    for line in file.read_text(encoding="utf-8").splitlines():
        source, target = line.split(":")[:2]
        beads.add((tuple(json.loads(source)), tuple(json.loads(target))))
    return beads


def strict(gold: Sequence[set[Bead]], found: Sequence[set[Bead]]) -> tuple[float, float, float]:
    right = sum(len(one & other) for one, other in zip(gold, found, strict=True))
    paired = [{bead for bead in one if bead[0] and bead[1]} for one in gold]
    recalled = sum(len(one & other) for one, other in zip(paired, found, strict=True))
    precision = right / max(sum(map(len, found)), 1)
    recall = recalled / max(sum(map(len, paired)), 1)
    return precision, recall, 2 * precision * recall / max(precision + recall, 1e-9)


def long_texts(sentences: int, dimension: int = 384) -> None:
    source, target, gold = random_texts(sentences, dimension)
    started = time.process_time()
    beads = find_beads(source, target)
    seconds = time.process_time() - started
    f1 = strict([gold], [{(tuple(bead.source), tuple(bead.target)) for bead in beads}])[2]
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**10
    print(f"{len(source):,} × {len(target):,} sentences: {seconds:.1f} s of processor time, {peak:.0f} MB, F1 {f1:.3f}")


def random_texts(sentences: int, dimension: int) -> tuple[Side, Side, set[Bead]]:
    rng = np.random.default_rng(0)
    meanings = rng.standard_normal((sentences, dimension)).astype(np.float32)
    source, target, gold = [], [], set()
    i = 0
    while i < sentences:
        at = len(source), len(target)
        if sentences * 0.3 < i < sentences * 0.5:
            source.append(meanings[i])
            gold.add(((at[0],), ()))
        elif rng.random() < 0.1 and i + 1 < sentences:
            source += [meanings[i], meanings[i + 1]]
            target.append(meanings[i] + meanings[i + 1])
            gold.add(((at[0], at[0] + 1), (at[1],)))
            i += 1
        else:
            source.append(meanings[i])
            target.append(meanings[i])
            gold.add(((at[0],), (at[1],)))
        i += 1
    return noisy(rng, source), noisy(rng, target), gold


def noisy(rng: np.random.Generator, vectors: Sequence[np.ndarray]) -> Side:
    rows = np.stack(vectors) + rng.standard_normal((len(vectors), vectors[0].shape[0]))
    joins = np.zeros((len(rows), MOST_JOINED, rows.shape[1]), dtype=np.float32)
    for k in range(1, MOST_JOINED + 1):
        joins[: len(rows) - k + 1, k - 1] = normalize(
            sum(rows[j : len(rows) - k + 1 + j] for j in range(k))  # type: ignore[arg-type]
        )
    return Side(joins, 80.0 * np.arange(len(rows) + 1))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path, nargs="?")
    parser.add_argument("--model", action="append", help="folder or hub name; repeat it to compare models")
    parser.add_argument("--long", type=int, nargs="+", metavar="N", default=[])
    options = parser.parse_args()
    for sentences in options.long:
        long_texts(sentences)
    if options.folder:
        text_berg(options.folder, options.model or [LABSE_MINI.name])


if __name__ == "__main__":
    main()
