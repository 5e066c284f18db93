"""Read pairs from the formats people have them in: TSV, CSV, JSON, TMX, two line-aligned files; packed ones too.

A specification is PATH, PATH=WEIGHT, or SOURCE,TARGET[=WEIGHT] for two files whose lines belong together. Out come
`Pair`s as they stand in the file; which of them are fit for training is for others to say.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from itertools import zip_longest
from pathlib import Path

from labse_search.corpora.json_pairs import read_json_pairs
from labse_search.corpora.lines import read_lines, suffixes
from labse_search.corpora.tables import read_table
from labse_search.corpora.tmx import read_tmx
from labse_search.corpora.values import Pair, Say, score_of
from labse_search.errors import UserError
from labse_search.records import Pair as Scored

KINDS = ("tsv", "csv", "jsonl", "json", "ndjson", "tmx")


def read_pairs(specification: str, *, columns: Sequence[str] = (), say: Say | None = None) -> list[Pair]:
    """All pairs of one specification, in the file's order. `columns`: the two of a table to take, by name or number;
    `say` hears how the columns were taken where that is not plain. UserError when there are no pairs in it."""
    path, weight = _split_weight(specification)
    tell = say or _silence
    if not Path(path).exists() and "," in path:
        source, target = path.split(",", 1)
        found: Iterable[Pair] = read_aligned(Path(source), Path(target))
    else:
        found = _read_file(Path(path), columns, tell)
    pairs = list(found if weight == 1 else (replace(pair, weight=weight) for pair in found))
    if not pairs:
        raise UserError(f"{path} holds no pairs.")
    return pairs


def read_scored_pairs(path: Path) -> tuple[list[Scored], list[Scored]]:
    """The pairs of a file that it gives a score, as mining and aligning write it (a TMX's property, the third column of
    a table without a header), and those that it gives none, which count 1. UserError when there are no pairs in it."""
    found = read_pairs(str(path))
    if "tsv" in suffixes(path):
        rows = [line.split("\t") for line in read_lines(path) if line.strip()]
        if len(rows) == len(found) and all(len(row) == 3 and _is_number(row[2]) for row in rows):
            found = [replace(one, score=score_of(row[2])) for one, row in zip(found, rows, strict=True)]
    return (
        [_scored(one, one.score) for one in found if one.score is not None],
        [_scored(one, 1.0) for one in found if one.score is None],
    )


def read_aligned(source: Path, target: Path) -> Iterator[Pair]:
    """The pairs of two files whose lines correspond; the languages are the ends of their names, as Moses has them."""
    languages = [_suffix_language(file) for file in (source, target)]
    counts = [0, 0]
    missing = object()
    for one, other in zip_longest(read_lines(source), read_lines(target), fillvalue=missing):
        counts[0] += one is not missing
        counts[1] += other is not missing
        if isinstance(one, str) and isinstance(other, str):
            yield Pair(one, other, (), languages[0], languages[1])
    if counts[0] != counts[1]:
        raise UserError(
            f"{source} has {counts[0]:,} lines and {target} {counts[1]:,}: line-aligned files have as many."
        )


def is_pair_file(path: Path) -> bool:
    """Whether the name is that of a file of pairs."""
    return path.is_file() and next(reversed(suffixes(path)), "") in KINDS


def _read_file(path: Path, columns: Sequence[str], say: Say) -> Iterator[Pair]:
    if not path.is_file():
        raise UserError(f"{path}: there is no such file. Pairs are given as PATH, PATH=WEIGHT or SOURCE,TARGET.")
    kind = next(reversed(suffixes(path)), "")
    if kind == "tmx":
        return read_tmx(path)
    if kind in ("jsonl", "json", "ndjson"):
        return read_json_pairs(path, is_document=kind == "json", wanted=columns, say=say)
    return read_table(path, is_csv=kind == "csv", wanted=columns, say=say)


def _split_weight(specification: str) -> tuple[str, float]:
    path, equals, weight = specification.rpartition("=")
    if not equals or Path(specification).exists():
        return specification, 1.0
    try:
        value = float(weight)
    except ValueError:
        raise UserError(f"{specification}: {weight!r} is no weight. Write PATH=2 to draw its pairs twice.") from None
    if not 0 < value <= 1000:
        raise UserError(f"{specification}: the weight must be above 0 and at most 1000.")
    return path, value


def _suffix_language(path: Path) -> str:
    """corpus.en, corpus.sw.gz"""
    last = next(reversed(suffixes(path)), "")
    return last if re.fullmatch(r"[a-z]{2,3}", last) and last not in ("txt", "tok", "raw") else ""


def _scored(pair: Pair, score: float) -> Scored:
    return Scored(pair.source, pair.target, score, pair.source_language, pair.target_language)


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True


def _silence(_: str) -> None:
    return None
