"""Read pairs from the formats people have them in: TSV, CSV, JSON lines, TMX, two line-aligned files; .gz and .xz too.

A specification is PATH, PATH=WEIGHT, or SOURCE,TARGET[=WEIGHT] for two files whose lines belong together. Out come
`TrainingPair`s as they stand in the file; `clean` decides which of them are fit for training.
"""

from __future__ import annotations

import csv
import gzip
import json
import lzma
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO, TextIO, cast
from xml.etree import ElementTree

from labse_search.errors import UserError

LANGUAGE = re.compile(r"^[a-z]{2,3}([-_][A-Za-z0-9]{2,8})*$")
XML_LANGUAGE = "{http://www.w3.org/XML/1998/namespace}lang"
# The names under which people write these columns in headers and JSON keys.
COLUMNS = {
    "source": ("source", "src", "sentence1", "text1", "anchor", "query", "question", "en", "english"),
    "target": ("target", "tgt", "sentence2", "text2", "positive", "translation", "answer", "document"),
    "source_language": ("source_language", "lang1", "source_lang", "src_lang"),
    "target_language": ("target_language", "lang2", "target_lang", "tgt_lang"),
}
csv.field_size_limit(10_000_000)  # a document-long cell is a long pair, which cleaning reports; not a crash


@dataclass(frozen=True, slots=True)
class TrainingPair:
    """Two texts that mean the same, and texts that look alike but do not."""

    source: str
    target: str
    negatives: tuple[str, ...] = ()
    source_language: str = ""
    target_language: str = ""
    weight: float = 1.0  # how often the pair is drawn, beside one of weight 1

    @property
    def language(self) -> str:
        """The language pair, "" when the file does not name it."""
        languages = [language for language in (self.source_language, self.target_language) if language]
        return "-".join(languages)


def read_pairs(specification: str) -> list[TrainingPair]:
    """All pairs of one specification, in the file's order. UserError when it cannot be read as pairs."""
    path, weight = _split_weight(specification)
    if not Path(path).exists() and "," in path:
        source, target = path.split(",", 1)
        return list(_read_aligned(Path(source), Path(target), weight))
    file = Path(path)
    if not file.is_file():
        raise UserError(f"{path}: there is no such file. Pairs are given as PATH, PATH=WEIGHT or SOURCE,TARGET.")
    kind = _kind(file)
    try:
        if kind == "tmx":
            return list(_read_tmx(file, weight))
        with open_text(file) as lines:
            if kind in ("jsonl", "json", "ndjson"):
                return list(_read_jsonl(lines, file, weight))
            if kind == "csv":
                return list(_read_rows(csv.reader(lines), file, weight))
            return list(_read_rows((line.rstrip("\r\n").split("\t") for line in lines), file, weight))
    except (UnicodeDecodeError, ElementTree.ParseError, csv.Error, lzma.LZMAError, gzip.BadGzipFile) as error:
        raise UserError(f"{file}: cannot be read as {kind} ({error}). Save it again as UTF-8.") from error


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


def _kind(file: Path) -> str:
    suffixes = [suffix.lower().lstrip(".") for suffix in file.suffixes]
    suffixes = [suffix for suffix in suffixes if suffix not in ("gz", "xz")]
    return suffixes[-1] if suffixes and suffixes[-1] in ("csv", "jsonl", "json", "ndjson", "tmx") else "tsv"


def open_text(file: Path) -> TextIO:
    """UTF-8 text, compressed or not; a byte order mark is no text."""
    if file.suffix == ".gz":
        return gzip.open(file, "rt", encoding="utf-8-sig", newline="")
    if file.suffix == ".xz":
        return lzma.open(file, "rt", encoding="utf-8-sig", newline="")
    return open(file, encoding="utf-8-sig", newline="")


def _open_bytes(file: Path) -> IO[bytes]:
    if file.suffix == ".gz":
        return cast(IO[bytes], gzip.open(file, "rb"))
    return lzma.open(file, "rb") if file.suffix == ".xz" else open(file, "rb")


def _read_rows(rows: Iterable[Sequence[str]], file: Path, weight: float) -> Iterator[TrainingPair]:
    """Rows of cells: with a header that names its columns, lang1 lang2 text1 text2, or source target [negative …]."""
    names: dict[str, int] | None = None
    for number, cells in enumerate(rows, start=1):
        if number == 1 and (names := _header(cells)):
            continue
        if not any(cell.strip() for cell in cells):
            continue
        if names:
            yield _named({name: cells[at] if at < len(cells) else "" for name, at in names.items()}, weight)
        elif len(cells) >= 4 and LANGUAGE.match(cells[0]) and LANGUAGE.match(cells[1]):
            yield TrainingPair(cells[2], cells[3], tuple(filter(None, cells[4:])), cells[0], cells[1], weight)
        elif len(cells) >= 2:
            yield TrainingPair(cells[0], cells[1], tuple(filter(None, cells[2:])), "", "", weight)
        else:
            raise UserError(f"{file}, line {number}: one column, expected source and target with a tab between.")


def _header(cells: Sequence[str]) -> dict[str, int] | None:
    lowered = [cell.strip().lower() for cell in cells]
    found = {
        name: next(lowered.index(alias) for alias in aliases if alias in lowered)
        for name, aliases in COLUMNS.items()
        if any(alias in lowered for alias in aliases)
    }
    if "source" not in found or "target" not in found:
        return None
    # Only what calls itself a negative is one: a score or an id beside the texts is not.
    for at, name in enumerate(lowered):
        if name.startswith("negative"):
            found.setdefault(name, at)
    return found


def _named(cells: Mapping[str, str], weight: float) -> TrainingPair:
    negatives = tuple(value for name, value in sorted(cells.items()) if name.startswith("negative") and value)
    return TrainingPair(
        cells["source"],
        cells["target"],
        negatives,
        cells.get("source_language", ""),
        cells.get("target_language", ""),
        weight,
    )


def _read_jsonl(lines: Iterable[str], file: Path, weight: float) -> Iterator[TrainingPair]:
    for number, line in enumerate(lines, start=1):
        if not line.strip():
            continue
        try:
            record = json.loads(line)
        except json.JSONDecodeError as error:
            raise UserError(f"{file}, line {number}: no JSON ({error.msg}).") from error
        if isinstance(record, list):
            record = dict(zip(("source", "target"), record, strict=False)) | {"negatives": record[2:]}
        record = {str(key).lower(): value for key, value in record.items()}
        cells = {
            name: str(next(record[alias] for alias in aliases if alias in record))
            for name, aliases in COLUMNS.items()
            if any(alias in record for alias in aliases)
        }
        if "source" not in cells or "target" not in cells:
            raise UserError(f"{file}, line {number}: keys {sorted(record)}, expected source and target.")
        negatives = record.get("negatives", record.get("negative", []))
        for at, negative in enumerate([negatives] if isinstance(negatives, str) else negatives):
            cells[f"negative_{at:03}"] = str(negative)
        yield _named(cells, weight)


def _read_tmx(file: Path, weight: float) -> Iterator[TrainingPair]:
    """Each translation unit's first language with each of its others. expat refuses entities that swell."""
    with _open_bytes(file) as stream:
        for _, unit in ElementTree.iterparse(stream):
            if unit.tag.rpartition("}")[2] != "tu":
                continue
            variants = []
            for variant in unit:
                segment = variant.find("{*}seg")
                language = variant.get(XML_LANGUAGE) or variant.get("lang") or ""
                if segment is not None:
                    variants.append((language.lower(), "".join(segment.itertext())))
            for language, text in variants[1:]:
                yield TrainingPair(variants[0][1], text, (), variants[0][0], language, weight)
            unit.clear()


def _read_aligned(source: Path, target: Path, weight: float) -> Iterator[TrainingPair]:
    for file in (source, target):
        if not file.is_file():
            raise UserError(f"{file}: there is no such file (of the two line-aligned files {source},{target}).")
    languages = [_suffix_language(file) for file in (source, target)]
    with open_text(source) as left, open_text(target) as right:
        lines = [left.read().splitlines(), right.read().splitlines()]
    if len(lines[0]) != len(lines[1]):
        raise UserError(
            f"{source} has {len(lines[0])} lines and {target} {len(lines[1])}: line-aligned files have as many."
        )
    for one, other in zip(lines[0], lines[1], strict=True):
        yield TrainingPair(one, other, (), languages[0], languages[1], weight)


def _suffix_language(file: Path) -> str:
    """corpus.en, corpus.sw.gz: the language is the name's end, as Moses has it."""
    suffixes = [suffix.lstrip(".") for suffix in file.suffixes if suffix not in (".gz", ".xz")]
    return suffixes[-1] if suffixes and re.match(r"^[a-z]{2,3}$", suffixes[-1]) and suffixes[-1] != "txt" else ""
