"""Rows of a table in, one unit a row out: "column: value" lines, so that a row can be understood alone."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from types import MappingProxyType
from typing import NamedTuple

from labse_search.records import Place, Unit

Cells = Mapping[int, str]  # column, from 0 → what the cell shows, clean; only cells that are not empty

_HEADER_LENGTH = 64  # a longer cell is no name of a column but content
_SENTENCE_ENDS = tuple(".!?。！？।؟…")
_SAMPLE = 60  # rows of a block in which its header must come
_FILLED = 20_000  # rows of one merged range that are given its value
_NUMBER = re.compile(r"[-+(]?\s?(?:[$€£¥₽]\s?)?[-+]?\d[\d.,'\u00a0\u202f ]*\)?\s?(?:%|[$€£¥₽]|[A-Z]{3})?")
_YEAR = re.compile(r"(?:(?:FY|Q[1-4]|H[12])[ /-]?)?(?:1[89]|20|21)\d\d(?:[/–-](?:\d\d){1,2})?")
_DATE = re.compile(r"\d{1,4}[./-]\d{1,2}[./-]\d{1,4}(?:[ T]\d{1,2}:\d\d(?::\d\d)?)?")


class Row(NamedTuple):
    """A row of a table with its cells by the number of the column."""

    number: int  # as a spreadsheet shows it, from 1
    cells: Cells
    hidden: bool = False
    spread: Cells = MappingProxyType({})  # the same with each merged cell in all of its columns


def row_units(rows: Iterable[Row], place: Place) -> Iterator[Unit]:
    """A unit for each row. The row that names the columns is a heading; what stands above it is kept as it is."""
    labels: Mapping[int, str] = {}
    figures: set[int] = set()  # columns in which numbers were seen below the labels
    for block in _blocks(rows):
        head, found = _header(block, figures if labels else None)
        labels, figures = (found, set()) if found else (labels, figures)
        above = block[head].number if found else -1
        for row in block:
            if row.number <= above:
                yield _names(
                    row, place, is_header=row is block[head] or bool(row.spread) and _is_above(row, block, head)
                )
                continue
            if len(figures) < len(row.cells) and row.number - block[0].number < _SAMPLE:
                figures.update(column for column, cell in row.cells.items() if _NUMBER.fullmatch(cell))
            yield _values(row, labels, place)


def _is_above(row: Row, block: Sequence[Row], head: int) -> bool:
    """Whether it is the upper line of a header of two."""
    return head > 0 and row is block[head - 1] and len(row.cells) > 1


def filled(rows: list[Row], merged: Sequence[tuple[int, int, int, int]]) -> list[Row]:
    """The rows with each merged cell's value in all the rows that it stands for. `merged`: first row, from 1, first
    column, from 0, last row, last column."""
    if not merged:
        return rows
    by_number = {row.number: row for row in rows}
    for top, left, bottom, right in merged:
        first = by_number.get(top)
        value = first.cells.get(left) if first else None
        if value is None or first is None:
            continue
        if 0 < right - left < 1000:
            spread = {**first.cells, **first.spread, **dict.fromkeys(range(left, right + 1), value)}
            by_number[top] = Row(top, first.cells, first.hidden, spread)
        for number in range(top + 1, min(bottom, top + _FILLED) + 1):
            row = by_number.get(number)
            if row is not None and left not in row.cells:
                by_number[number] = Row(number, {**row.cells, left: value}, row.hidden, row.spread)
    return [by_number[number] for number in sorted(by_number)]


def _blocks(rows: Iterable[Row]) -> Iterator[list[Row]]:
    """Rows up to an empty one, so that two tables on one sheet have headers of their own."""
    block: list[Row] = []
    for row in rows:
        cells = {column: text for column, cell in row.cells.items() if (text := cell.strip())}
        if not cells:
            continue
        if block and row.number > block[-1].number + 1:
            yield block
            block = []
        block.append(Row(row.number, cells, row.hidden, row.spread))
    if block:
        yield block


def _header(block: Sequence[Row], figures: set[int] | None) -> tuple[int, Mapping[int, str]]:
    """(index of the header row, column → name); no names if there is none. `figures`: of the table above, if any."""
    sample = block[:_SAMPLE]
    widths = sorted(len(row.cells) for row in sample)
    usual = widths[len(widths) * 2 // 3]  # lines above and sums below are narrower than the table
    if usual < 2 or (figures is not None and len(block) < 2) or _are_pairs(block):
        return 0, {}
    for at, row in enumerate(sample):
        if not _is_wide_enough(row, sample, usual):
            continue
        names = _column_names(sample, at)
        if names is None or at + 1 == len(block) and at:
            return 0, {}
        if figures is not None and not (figures & set(row.cells)):
            return 0, {}
        return at, names
    return 0, {}


def _are_pairs(block: Sequence[Row]) -> bool:
    """Whether it is a form, a name and a value a row, no table: values of several kinds under each other, which no
    column has."""
    pairs = [tuple(cell for _, cell in sorted(row.cells.items())) for row in block[: _SAMPLE + 1] if len(row.cells) > 1]
    if not 3 <= len(pairs) <= _SAMPLE or any(len(pair) != 2 for pair in pairs):
        return False
    names = {name for name, _ in pairs}
    if len(names) < len(pairs) or any(is_sentence(name) or re.search(r"\d", name) for name in names):
        return False
    kinds = [bool(_NUMBER.fullmatch(value) or _DATE.fullmatch(value)) for _, value in pairs[1:]]
    return any(kinds) and not all(kinds)


def _is_wide_enough(row: Row, sample: Sequence[Row], usual: int) -> bool:
    """Whether a row names as many columns as the table has; the first column may be without a name."""
    count = len(row.cells)
    if usual > 4:
        return count >= 0.7 * usual
    first = min(min(one.cells) for one in sample)
    return count >= usual or (count == usual - 1 > 1 and first not in row.cells)


def _column_names(sample: Sequence[Row], at: int) -> Mapping[int, str] | None:
    row = sample[at]
    if not _are_names(row.cells, sample[at + 1 :]):
        return None
    if len(set(row.cells.values())) == len(row.cells) and not row.spread:
        return row.cells
    above = sample[at - 1].spread or sample[at - 1].cells if at else {}
    if row.spread and at + 1 < len(sample) and _are_names(sample[at + 1].cells, sample[at + 2 :]):
        below = sample[at + 1].cells  # merged names above their columns' own
        pairs = {column: (row.spread.get(column, ""), below.get(column, "")) for column in {*row.spread, *below}}
        joined = {column: " ".join(dict.fromkeys(pair)).strip() for column, pair in pairs.items()}
        return joined if len(set(joined.values())) == len(joined) else row.cells
    joined = {column: f"{above[column]} {name}" if column in above else name for column, name in row.cells.items()}
    if len(set(joined.values())) == len(joined):
        return joined
    return row.cells if _are_alike_by_intent(row.cells, sample[at + 1 :]) else None


def _are_alike_by_intent(cells: Cells, below: Sequence[Row]) -> bool:
    """Whether "Name, Phone, Phone" are names of columns: no value of these columns is called so."""
    counts = Counter(cells.values())
    often = {column for column, cell in cells.items() if counts[cell] > 1}
    values = {row.cells.get(column) for row in below for column in often}
    return len(counts) > 1 and not any(cells[column] in values for column in often)


def is_sentence(cell: str) -> bool:
    """Too long for a name, or ended like a sentence; "No." and "Paid?" are names."""
    return len(cell) > _HEADER_LENGTH or (cell.endswith(_SENTENCE_ENDS) and (" " in cell or len(cell) > 12))


def _are_names(cells: Cells, below: Sequence[Row]) -> bool:
    """Short, no sentences; numbers only where they are years or days above other numbers."""
    if len(cells) < 2 or any(map(is_sentence, cells.values())):
        return False
    if any("\n" in cell and len(cell) > 40 for cell in cells.values()):
        return False
    if len(cells) == 2:  # "Account: DE12" above the table is a pair, no header
        first, second = (cell for _, cell in sorted(cells.items()))
        if first.endswith(":") or (re.search(r"\d", second) and not _YEAR.fullmatch(second)):
            return False
    odd = [column for column, cell in cells.items() if _NUMBER.fullmatch(cell) or _DATE.fullmatch(cell)]
    if not odd:
        return any(any(map(str.isalpha, cell)) for cell in cells.values())
    if not all(_YEAR.fullmatch(cells[column]) or _DATE.fullmatch(cells[column]) for column in odd):
        return False
    # Years name columns where they stand side by side, or above what is no year.
    values = [row.cells[column] for column in odd for row in below[:10] if column in row.cells]
    same = sum(1 for value in values if _YEAR.fullmatch(value) or _DATE.fullmatch(value))
    return bool(values) and same * 2 < len(values) and len(set(cells.values())) == len(cells)


def _names(row: Row, place: Place, *, is_header: bool) -> Unit:
    text = "\n".join(cell for _, cell in sorted(row.cells.items()))
    return Unit(text, _place(row, place), ((0, len(text)),) if is_header else ())


def _values(row: Row, labels: Mapping[int, str], place: Place) -> Unit:
    lines = [f"{labels[column]}: {cell}" if labels.get(column) else cell for column, cell in sorted(row.cells.items())]
    return Unit("\n".join(lines), _place(row, place))


def _place(row: Row, place: Place) -> Place:
    return {**place, "row": row.number, **({"part": "hidden"} if row.hidden and "part" not in place else {})}
