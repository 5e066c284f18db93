"""Mining on real text with known answers, and the memory of a big run.

  python -m benchmarks.mining plant ../shared/data planted --languages de,fr,ru,zh,hi
  python -m labse_search.evaluate bucc planted --model labse_search/models/labse-mini
  python -m benchmarks.mining thresholds ../shared/data
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
from collections.abc import Iterable, Iterator
from pathlib import Path

import numpy as np

from labse_search.corpora.lines import read_lines
from labse_search.encoder import load_encoder
from labse_search.encoder.hub import LABSE_MINI
from labse_search.encoder.texts import encode_texts
from labse_search.files import written_aside
from labse_search.mine.__main__ import CHANCE, FALLBACK_THRESHOLDS
from labse_search.mine.margin import MARGINS, Margin, margins, retrieve
from labse_search.mine.neighbours import find_neighbours
from labse_search.mine.threshold import quality, threshold_of, tune_threshold
from labse_search.similarity import Vectors, normalize

# Not MASSIVE or Tatoeba: they say the same thing in many ways, and every paraphrase would be a pair counted as wrong.
NOISE_SOURCES = (
    "wmt_news", "gnome_user_docs", "flores_dev_sib", "tico19", "opensource_guide", "bitcoin_org", "mlqe_pe",
    "indic_wiki", "mozilla_www",
)  # fmt: skip
HIDDEN_IN = ("de", "ru", "zh", "hi")
PARALLEL = (
    ("gnome_user_docs", "de"), ("tico19", "fr"), ("wmt_news", "de"), ("opensource_guide", "ru"),
    ("gnome_user_docs", "kk"), ("tico19", "sw"),
)  # fmt: skip
Pair = tuple[str, str]


def plant(data: Path, output: Path, languages: list[str], noise: int, seed: int) -> None:
    pairs = pairs_with_english(data, NOISE_SOURCES, languages)
    for language in languages:
        rng = random.Random(f"{seed} {language}")
        gold = dev_pairs(data, language)
        english, other = hidden(gold, pairs[language], noise, rng)
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


def pairs_with_english(data: Path, sources: Iterable[str], languages: Iterable[str]) -> dict[str, list[Pair]]:
    """Pairs (English, other) by language."""
    found: dict[str, list[Pair]] = {language: [] for language in languages}
    for source in sources:
        for line in read_lines(data / "train" / f"{source}.tsv.xz"):
            first, second, english, other = line.split("\t")[:4]
            if first == "en" and second in found:
                found[second].append((english.strip(), other.strip()))
    return found


def dev_pairs(data: Path, language: str) -> list[Pair]:
    lines = (line.split("\t") for line in read_lines(data / "dev" / f"dev.en-{language}.tsv.xz"))
    return [(cells[2], cells[3]) for cells in lines]


def hidden(gold: list[Pair], pairs: list[Pair], noise: int, rng: random.Random) -> tuple[list[str], list[str]]:
    """The gold pairs' sentences, English and other, each before at most `noise` that nothing translates."""
    rng.shuffle(pairs)
    # Sentences have several translations in these sources: which half is English is decided by the English text,
    # and what translates any of that half may not stand on the other side. Paraphrases remain.
    english_noise = dict.fromkeys(text for text, _ in pairs if zlib.crc32(text.encode()) % 2)
    translated = {text for english_text, text in pairs if english_text in english_noise}
    other_noise = dict.fromkeys(text for _, text in pairs if text not in translated)
    english = [text for text, _ in gold] + list(english_noise)[:noise]
    return english, [text for _, text in gold] + list(other_noise)[:noise]


def thresholds(data: Path, margin: Margin) -> None:
    """How good each way to choose a threshold without gold pairs is, where few, some and all have a translation. For
    cosines, too, which the command leaves to the fixed one: the table says why."""
    encoder = load_encoder(LABSE_MINI.name)
    print("| corpora | tuned | a hundredth of the pairs | fixed |\n|---|---|---|---|")
    shares = []
    for name, english, other, gold in corpora(data):
        sides = encode_texts(encoder, other), encode_texts(encoder, english)
        neighbours = find_neighbours(*sides, 4)
        scored = margins(neighbours, margin)
        mined = retrieve(neighbours, scored, "max")
        found = zip(mined.source.tolist(), mined.target.tolist(), strict=True)
        is_gold = np.array([(english[target], other[source]) in gold for source, target in found])
        fixed = FALLBACK_THRESHOLDS[margin]
        chance = threshold_of(mined, neighbours, scored, sides, CHANCE.get(margin, 0.01))
        tuned = tune_threshold(mined.scores, is_gold, len(gold)).threshold
        cuts = (tuned, fixed if chance is None else chance, fixed)
        of_cut = [quality(is_gold[mined.scores >= cut], len(gold)) for cut in cuts]
        shares.append([one.f1 / of_cut[0].f1 for one in of_cut[1:]])
        shown = (" / ".join(f"{100 * value:.0f}" for value in (one.precision, one.recall, one.f1)) for one in of_cut)
        print(f"| {name} | {' | '.join(shown)} |", flush=True)
    least, median = np.min(shares, axis=0), np.median(shares, axis=0)
    print(f"share of the tuned F1, least and median: a hundredth {least[0]:.2f} {median[0]:.2f}, ", end="")
    print(f"fixed {least[1]:.2f} {median[1]:.2f}")


def corpora(data: Path) -> Iterator[tuple[str, list[str], list[str], set[Pair]]]:
    """(name, English, other, pairs of both that translate each other), no sentence twice."""
    pairs = pairs_with_english(data, NOISE_SOURCES, HIDDEN_IN)
    for language in HIDDEN_IN:
        gold = dev_pairs(data, language)
        english, other = hidden(gold, pairs[language], 9000, random.Random(language))
        yield f"{language}, 1,000 pairs hidden", english, other, set(gold)
    for source, language in PARALLEL:
        every = list(dict.fromkeys(pairs_with_english(data, [source], [language])[language]))
        random.Random(0).shuffle(every)
        every = every[:4000]
        for share in (1.0, 0.3):
            both = int(len(every) * share)
            alone = (len(every) - both) // 2  # of the rest one half is there in English, the other half in the other
            english = list(dict.fromkeys(one for one, _ in every[: both + alone]))
            other = list(dict.fromkeys(two for _, two in every[:both] + every[both + alone :]))
            there = set(english), set(other)
            gold_pairs = {pair for pair in every if pair[0] in there[0] and pair[1] in there[1]}
            yield f"{source} {language}, {share:.0%} with both sides", english, other, gold_pairs


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
    choosing = tasks.add_parser("thresholds")
    choosing.add_argument("data", type=Path)
    choosing.add_argument("--margin", choices=MARGINS, default="ratio")
    options = parser.parse_args()
    if options.task == "thresholds":
        thresholds(options.data, options.margin)
    elif options.task == "plant":
        plant(options.data, options.output, options.languages.split(","), options.noise, options.seed)
    else:
        measure_memory(options.rows, options.dimension, options.blocks)


if __name__ == "__main__":
    main()
