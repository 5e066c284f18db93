"""Pairs in JSON: records by line or in one list, under the names that datasets of pairs use."""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Iterator, Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any

from labse_search.corpora.columns import Columns, columns_by_choice, columns_by_name, is_labelled_true
from labse_search.corpora.lines import read_json_lines, read_lines, wrong_line
from labse_search.corpora.values import Pair, Say, language_code
from labse_search.errors import UserError

LISTS = ("texts", "set", "pair", "sentences")  # keys whose list is [source, target, negative …]


def read_json_pairs(path: Path, *, is_document: bool, wanted: Sequence[str], say: Say) -> Iterator[Pair]:
    """Every record's pairs: {source, target}, {translation: {en, de}}, {query, pos, neg}, {texts: [...]} or a list of
    texts. A list of targets is a pair with each; null is an empty text. UserError names the line (or record)."""
    no = 0
    for number, record in _document(path) if is_document else read_json_lines(path):
        try:
            pairs = list(_pairs(record, tuple(wanted)))
        except ValueError as error:
            raise wrong_line(path, number, str(error)) from error
        no += pairs.count(None)
        yield from (pair for pair in pairs if pair is not None)
    if no:
        say(f"{path.name}: {no:,} pairs left out, their label says that they do not mean the same")


def _document(path: Path) -> Iterable[tuple[int, Any]]:
    """The records of a .json file: one list, an object with a list in it, or, after all, records by line."""
    text = "\n".join(read_lines(path))
    try:
        value = json.loads(text)
    except json.JSONDecodeError as error:
        if error.msg == "Extra data":
            return read_json_lines(path)
        raise wrong_line(path, error.lineno, f"no JSON ({error.msg})") from error
    if isinstance(value, dict):
        lists = [entry for entry in value.values() if isinstance(entry, list) and entry and isinstance(entry[0], dict)]
        value = lists[0] if len(lists) == 1 else [value]
    if not isinstance(value, list):
        raise UserError(f"{path}: holds no records.")
    if value and all(isinstance(entry, str) for entry in value):
        value = [value]
    return enumerate(value, start=1)


def _pairs(record: Any, wanted: tuple[str, ...]) -> Iterator[Pair | None]:
    """ValueError with what is wrong; None for a pair that its label denies."""
    if isinstance(record, list):
        yield from _listed(record)
        return
    if not isinstance(record, dict):
        raise ValueError("expected a record with source and target")
    record = {str(key): value for key, value in record.items()}
    lowered = {key.lower(): value for key, value in record.items()}
    if not wanted:
        for name in ("translation", "translations"):
            if isinstance(lowered.get(name), dict):
                yield from _translations(lowered[name])
                return
        if columns_of(tuple(record), wanted) is None:
            texts = next((lowered[name] for name in LISTS if isinstance(lowered.get(name), list)), None)
            if texts is not None:
                yield from _listed(texts)
                return
    columns = columns_of(tuple(record), wanted)
    if columns is None:
        raise ValueError(f"keys {sorted(record)}, expected source and target")
    yield from _named(list(record.values()), columns)


@lru_cache(maxsize=1024)
def columns_of(keys: tuple[str, ...], wanted: tuple[str, ...]) -> Columns | None:
    """What the keys of a record hold. ValueError where that is not clear."""
    try:
        return columns_by_choice(wanted, keys, len(keys)) if wanted else columns_by_name(keys)
    except UserError as error:
        raise ValueError(str(error).rstrip(".")) from error


def _named(values: Sequence[Any], columns: Columns) -> Iterator[Pair | None]:
    source = _text(values[columns.source])
    targets = _texts(values[columns.target])
    if columns.label is not None and values[columns.label] is not None:
        meant = is_labelled_true(str(values[columns.label]))
        if meant is None:
            raise ValueError(f"the label {values[columns.label]!r} is neither yes (1) nor no (0)")
        if not meant:
            yield from [None] * len(targets)
            return
    negatives = tuple(text for at in columns.negatives for text in _texts(values[at]) if text.strip())
    languages = [
        (language_code(_text(values[at])) if at is not None else "") or spoken
        for at, spoken in zip(columns.languages, columns.spoken, strict=True)
    ]
    for target in targets:
        yield Pair(source, target, negatives, languages[0], languages[1])


def _translations(texts: dict[str, Any]) -> Iterator[Pair]:
    """The first language with each of the others, as datasets' Translation feature has them."""
    languages = [language_code(str(language)) for language in texts]
    first, *others = [_texts(text) for text in texts.values()]
    if not others:
        raise ValueError("a translation into one language")
    for language, found in zip(languages[1:], others, strict=True):
        for text in found:
            yield Pair(first[0], text, (), languages[0], language)


def _listed(texts: list[Any]) -> Iterator[Pair]:
    if len(texts) < 2:
        raise ValueError("a list of fewer than two texts")
    source, target, *negatives = [_text(text) for text in texts]
    yield Pair(source, target, tuple(negatives))


def _texts(value: Any) -> list[str]:
    """The texts of one value; of passages, {title, text}, both."""
    if not isinstance(value, list):
        return [_text(value)]
    found = []
    for entry in value:
        if isinstance(entry, dict) and isinstance(entry.get("text"), str):
            found.append(" ".join(part for part in (entry.get("title"), entry["text"]) if part))
        else:
            found.append(_text(entry))
    return found


def _text(value: Any) -> str:
    if value is None or (isinstance(value, float) and math.isnan(value)):
        return ""
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        kinds = {dict: "an object", list: "a list", bool: "a truth value"}
        raise ValueError(f"{kinds.get(type(value), 'something')} where a text belongs: {str(value)[:60]}")
    return str(value)
