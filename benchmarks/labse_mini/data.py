"""The pairs that labse-mini is trained on: a sample of the files of pairs, languages nearly alike, of all lengths.

English is always the source, the side that the teacher reads. A language counts by its pairs to the power of 0.35. Long
texts are preferred, since most pairs are of a few words; and where a source keeps the order of its documents, two to
four neighbours are joined into a passage.
"""

from __future__ import annotations

import lzma
import random
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

HELD_OUT = {"tico19", "bitcoin_org"}  # for measuring what fine-tuning on a new field gains
ORDERED = {
    "wmt_news", "wmt21_news", "gnome_user_docs", "mozilla_www", "opensource_guide", "indic_wiki", "bible_nt",
    "mozilla_www_ftl", "flores_dev_sib",
}  # fmt: skip
WORD_LISTS = {"cldr_names", "osm_presets"}
UNSPACED = {"zh", "ja", "th"}
TEMPERATURE = 0.35
LONGEST_PASSAGE = 480  # characters
PASSAGE_WEIGHT = 16.0
SEED = 17


@dataclass(frozen=True, slots=True)
class Candidate:
    source: str
    target: str
    weight: float  # of being drawn, among those of its language


def write_pairs(data: Path, output: Path, *, total: int) -> dict[str, int]:
    """Write `total` pairs or a few less as lang1, lang2, text1, text2; how many there are of each language."""
    chosen = random.Random(SEED)
    candidates: dict[str, list[Candidate]] = defaultdict(list)
    for file in sorted((data / "train").glob("*.tsv.xz")):
        if file.name.split(".")[0] not in HELD_OUT:
            for language, candidate in read_source(file, chosen):
                candidates[language].append(candidate)
    shares = {language: len(pairs) ** TEMPERATURE for language, pairs in candidates.items()}
    rows: list[tuple[str, str, str, str]] = []
    counts = {}
    for language, pairs in candidates.items():
        count = min(int(total * shares[language] / sum(shares.values())), len(pairs))
        # Weighted sampling without replacement (Efraimidis & Spirakis 2006).
        drawn = sorted(((chosen.random() ** (1 / pair.weight), at) for at, pair in enumerate(pairs)), reverse=True)
        rows += [("en", language, pairs[at].source, pairs[at].target) for _, at in drawn[:count]]
        counts[language] = count
    chosen.shuffle(rows)
    with open(output, "w", encoding="utf-8") as file:
        file.writelines("\t".join(row) + "\n" for row in rows)
    return counts


def write_measured(data: Path, output: Path) -> None:
    """dev.tsv, ten pairs a language, and regression.tsv, twenty a language of a source that is held out."""
    chosen = random.Random(SEED)
    dev = [row for file in sorted((data / "dev").glob("*.tsv.xz")) for row in sampled(read_rows(file), 10, chosen)]
    by_language: dict[str, list[list[str]]] = defaultdict(list)
    for row in read_rows(data / "train" / "tico19.tsv.xz"):
        by_language[row[1]].append(row)
    regression = [row for rows in by_language.values() for row in sampled(rows, 20, chosen)]
    for name, rows in (("dev.tsv", dev), ("regression.tsv", regression)):
        (output / name).write_text("".join("\t".join(row) + "\n" for row in rows), encoding="utf-8")


def read_rows(file: Path) -> list[list[str]]:
    with lzma.open(file, "rt", encoding="utf-8") as lines:
        return [line.rstrip("\n").split("\t")[:4] for line in lines]


def sampled(rows: list[list[str]], count: int, chosen: random.Random) -> list[list[str]]:
    return chosen.sample(rows, min(count, len(rows)))


def read_source(file: Path, chosen: random.Random) -> Iterator[tuple[str, Candidate]]:
    """Language of the other side, and pair: each with English of one source, and passages of its neighbours."""
    source = file.name.split(".")[0]
    before: list[tuple[str, str, str]] = []
    with lzma.open(file, "rt", encoding="utf-8") as lines:
        for line in lines:
            first, language, english, other = line.rstrip("\n").split("\t")[:4]
            if first != "en":
                continue
            weight = min(len(english), 150) ** 0.5
            weight *= 0.25 if source in WORD_LISTS else 1
            weight *= 0.7 if source == "massive" else 1
            yield language, Candidate(english, other, weight)
            if source not in ORDERED:
                continue
            if before and before[0][0] != language:
                before = []
            before = [*before[-3:], (language, english, other)]
            if passage := join(before, chosen):
                yield language, passage


def join(before: list[tuple[str, str, str]], chosen: random.Random) -> Candidate | None:
    """A passage of the last two to four pairs, or none: too long, too few, or not drawn."""
    count = chosen.choice((2, 2, 3, 4))
    if len(before) < count:
        return None
    part = before[-count:]
    english = " ".join(pair[1] for pair in part)
    other = ("" if part[0][0] in UNSPACED else " ").join(pair[2] for pair in part)
    if len(english) >= LONGEST_PASSAGE or len(other) >= LONGEST_PASSAGE or chosen.random() >= 0.5:
        return None
    return Candidate(english, other, PASSAGE_WEIGHT)
