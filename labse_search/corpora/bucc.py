"""BUCC 2018: two monolingual corpora with ids, and gold pairs of ids."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from labse_search.corpora.lines import read_lines, wrong_line
from labse_search.corpora.sentences import Corpus, read_corpus
from labse_search.errors import UserError


@dataclass(frozen=True)
class BuccSet:
    """Two monolingual corpora and the translations hidden in them."""

    name: str
    source: Corpus
    target: Corpus
    gold: list[tuple[str, str]]  # ids


def read_bucc(source: Path, target: Path, gold: Path) -> BuccSet:
    """Files of `id TAB sentence`, and gold of `id TAB id`. Sentences that occur twice are left out, as LASER does."""
    corpora = [read_corpus(path, with_ids=True, repeated="drop") for path in (source, target)]
    return BuccSet(gold.name.removesuffix(".gold"), corpora[0], corpora[1], read_gold_ids(gold))


def find_bucc(folder: Path) -> list[BuccSet]:
    """The sets of a folder: xx-en.training.xx, xx-en.training.en and xx-en.training.gold, in subfolders too."""
    found = []
    for gold in sorted(folder.rglob("*.gold")):
        languages = gold.name.split(".")[0].split("-")
        sides = [gold.with_name(gold.name.removesuffix("gold") + language) for language in languages]
        if len(sides) == 2 and all(side.is_file() for side in sides):
            found.append(read_bucc(sides[0], sides[1], gold))
    if not found:
        raise UserError(f"{folder} holds no xx-en.*.xx, xx-en.*.en and xx-en.*.gold together")
    return found


def read_gold_ids(path: Path) -> list[tuple[str, str]]:
    """The ids of the pairs of a gold file. UserError when it holds none."""
    pairs = []
    for number, line in enumerate(read_lines(path), start=1):
        if not line.strip():
            continue
        columns = line.split("\t")
        if len(columns) < 2:
            raise wrong_line(path, number, f"expected two columns with a tab between, found {line[:60]!r}")
        pairs.append((columns[0].strip(), columns[1].strip()))
    if not pairs:
        raise UserError(f"{path} holds no gold pairs.")
    return pairs
