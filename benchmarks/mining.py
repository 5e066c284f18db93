"""Mining on real text with known answers, and the memory of a big run.

  python -m benchmarks.mining plant ../shared/data planted --languages de,fr,ru,zh,hi
  python -m labse_search.evaluate bucc planted --model labse_search/models/labse-mini
  python -m benchmarks.mining memory --rows 200000 --dimension 768 --blocks 2

plant: the pairs of a dev set are hidden among sentences of both languages of which no two translate each other: of
every training pair only one side is used, the same for all pairs with the same English. Written in the
BUCC 2018 format.
"""

from __future__ import annotations

import argparse
import random
import resource
import time
import zlib
from pathlib import Path

import numpy as np

from labse_search.mine.corpus import read_lines, written_aside
from labse_search.mine.neighbours import find_neighbours
from labse_search.similarity import Vectors, normalize

# Not MASSIVE or Tatoeba: they say the same thing in many ways, and every paraphrase would be a pair counted as wrong.
NOISE_SOURCES = (
    "wmt_news", "gnome_user_docs", "flores_dev_sib", "tico19", "opensource_guide", "bitcoin_org", "mlqe_pe",
    "indic_wiki", "mozilla_www",
)  # fmt: skip


def plant(data: Path, output: Path, languages: list[str], noise: int, seed: int) -> None:
    collected: dict[str, list[tuple[str, str]]] = {language: [] for language in languages}
    for source in NOISE_SOURCES:
        for line in read_lines(data / "train" / f"{source}.tsv.xz"):
            first, second, english, other = line.split("\t")[:4]
            if first == "en" and second in collected:
                collected[second].append((english, other))
    for language in languages:
        rng = random.Random(f"{seed} {language}")
        gold = [tuple(line.split("\t")[2:4]) for line in read_lines(data / "dev" / f"dev.en-{language}.tsv.xz")]
        pairs = collected[language]
        rng.shuffle(pairs)
        # Sentences have several translations in these sources: which half is English is decided by the English text,
        # and what translates any of that half may not stand on the other side. Paraphrases remain.
        english_noise = dict.fromkeys(text for text, _ in pairs if zlib.crc32(text.encode()) % 2)
        translated = {text for english_text, text in pairs if english_text in english_noise}
        other_noise = dict.fromkeys(text for _, text in pairs if text not in translated)
        english = [text for text, _ in gold] + list(english_noise)[:noise]
        other = [text for _, text in gold] + list(other_noise)[:noise]
        ids = {}
        for code, texts in (("en", english), (language, other)):
            rows = list(range(len(texts)))
            rng.shuffle(rows)
            ids[code] = {row: f"{code}-{place:06}" for place, row in enumerate(rows)}
            with written_aside(output / f"{language}-en.training.{code}") as lines:
                lines.writelines(f"{ids[code][row]}\t{texts[row]}\n" for row in rows)
        with written_aside(output / f"{language}-en.training.gold") as lines:
            lines.writelines(f"{ids[language][row]}\t{ids['en'][row]}\n" for row in range(len(gold)))
        print(f"{language}: {len(gold)} pairs hidden in {len(other)} × {len(english)} sentences")


def measure_memory(rows: int, dimension: int, blocks: int) -> None:
    """Peak memory of the search for neighbours; `blocks` of source rows are enough, every block needs the same."""
    rng = np.random.default_rng(0)
    source, target = (random_vectors(rng, rows, dimension) for _ in range(2))
    print(f"vectors of 2 × {rows:,} × {dimension}: {source.nbytes * 2 / 2**30:.2f} GiB, peak so far {peak():.2f} GiB")
    started = time.monotonic()

    def report(done: int, total: int) -> None:
        seconds = time.monotonic() - started
        whole = seconds / done * total / 60
        print(f"{done:,} of {total:,} source rows: peak {peak():.2f} GiB, whole run {whole:.0f} min", flush=True)
        if done >= blocks * 2048:
            raise SystemExit

    find_neighbours(source, target, 4, progress=report)


def random_vectors(rng: np.random.Generator, rows: int, dimension: int) -> Vectors:
    vectors = np.empty((rows, dimension), dtype=np.float32)
    for start in range(0, rows, 20_000):
        part = vectors[start : start + 20_000]
        part[:] = normalize(rng.standard_normal(part.shape, dtype=np.float32))
    return vectors


def peak() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    tasks = parser.add_subparsers(dest="task", required=True)
    planting = tasks.add_parser("plant")
    planting.add_argument("data", type=Path)
    planting.add_argument("output", type=Path)
    planting.add_argument("--languages", default="de,fr,ru,zh,hi")
    planting.add_argument("--noise", type=int, default=19_000)
    planting.add_argument("--seed", type=int, default=0)
    memory = tasks.add_parser("memory")
    memory.add_argument("--rows", type=int, default=200_000)
    memory.add_argument("--dimension", type=int, default=768)
    memory.add_argument("--blocks", type=int, default=10**9, help="stop after that many blocks of 2,048 source rows")
    options = parser.parse_args()
    if options.task == "plant":
        plant(options.data, options.output, options.languages.split(","), options.noise, options.seed)
    else:
        measure_memory(options.rows, options.dimension, options.blocks)


if __name__ == "__main__":
    main()
