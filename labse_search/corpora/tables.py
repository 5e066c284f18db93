"""Pairs in tables: TSV, and CSV with whatever stands between its columns."""

from __future__ import annotations

import csv
from collections.abc import Iterator, Sequence
from itertools import chain, islice
from pathlib import Path

from labse_search.corpora.columns import (
    Columns,
    columns_by_choice,
    columns_by_content,
    columns_by_name,
    is_labelled_true,
)
from labse_search.corpora.lines import read_lines, wrong_line
from labse_search.corpora.values import Pair, Say, language_code
from labse_search.errors import UserError
from labse_search.languages import find_language

SAMPLE = 100  # rows that are looked at to tell what the columns are
DELIMITERS = ",;\t|"
LONGEST_CELL = 10_000_000  # characters; a document-long cell is a long pair, which cleaning reports, and no crash

Row = tuple[int, Sequence[str]]  # line number from 1, cells


def read_table(path: Path, *, is_csv: bool, wanted: Sequence[str], say: Say) -> Iterator[Pair]:
    """The pairs of a table in its order, empty rows left out. `wanted`: two columns by name or number; without, the
    header says what is what, or the first rows do. What is not used, or left out by its label, is said."""
    rows = table_rows(path, is_csv=is_csv)
    sample = list(islice(rows, SAMPLE))
    if not sample:
        return
    columns = _columns(path, [cells for _, cells in sample], wanted)
    note = describe(columns, [cells for _, cells in sample])
    if note:
        say(f"{path.name}: {note}")
    no = 0
    for number, cells in islice(chain(sample, rows), int(columns.has_header), None):
        pair = _pair(path, number, cells, columns)
        if pair is None:
            no += 1
        else:
            yield pair
    if no:
        say(f"{path.name}: {no:,} pairs left out, their label says that they do not mean the same")


def table_rows(path: Path, *, is_csv: bool) -> Iterator[Row]:
    """The rows of a table with their line numbers, empty ones left out; CSV with whatever stands between its columns.
    UserError for what is neither UTF-8 nor a table."""
    return (row for row in (_csv_rows(path) if is_csv else _tsv_rows(path)) if any(cell.strip() for cell in row[1]))


def describe(columns: Columns, sample: Sequence[Sequence[str]]) -> str:
    """What a person should know about how the columns were taken; "" where there is but one way."""
    width = max(len(cells) for cells in sample)
    unused = [at for at in range(width) if at not in columns.used]
    if columns.has_header:
        names = sample[0]
        parts = [f"source is column {names[columns.source]!r}, target {names[columns.target]!r}"]
        listed = [repr(names[at]) for at in unused if at < len(names)]
    elif unused or columns.negatives or columns.label is not None:
        parts = [f"no header: source is column {columns.source + 1}, target {columns.target + 1}"]
        listed = [str(at + 1) for at in unused]
    else:
        return ""
    if columns.negatives:
        parts.append(f"{len(columns.negatives)} of hard negatives")
    return "; ".join([*parts, *([f"not used: {', '.join(listed)}"] if listed else [])])


def _columns(path: Path, sample: Sequence[Sequence[str]], wanted: Sequence[str]) -> Columns:
    width = max(len(cells) for cells in sample)
    try:
        if wanted:
            in_header = not all(name.isdigit() for name in wanted) or _looks_like_header(sample)
            return columns_by_choice(wanted, sample[0] if in_header else None, width)
        named = columns_by_name(sample[0]) if _looks_like_header(sample) else None
        return named or columns_by_content(sample)
    except UserError as error:
        raise UserError(f"{path}: {error}") from error


def _looks_like_header(sample: Sequence[Sequence[str]]) -> bool:
    """Whether the first row names columns. Codes of languages are names, too, unless every row has them, or there is
    no other row."""
    if columns_by_content(sample).languages != (None, None):
        return False
    try:
        named = columns_by_name(sample[0])
    except UserError:
        return True  # it names too many
    return named is not None and not (len(sample) == 1 and all(map(find_language, sample[0][:2])))


def _pair(path: Path, number: int, cells: Sequence[str], columns: Columns) -> Pair | None:
    """None for a pair that its label denies."""

    def cell(at: int | None) -> str:
        return cells[at] if at is not None and at < len(cells) else ""

    if len(cells) < 2:
        raise wrong_line(path, number, "one column, expected source and target")
    if columns.label is not None:
        meant = is_labelled_true(cell(columns.label))
        if meant is None:
            raise wrong_line(path, number, f"the label {cell(columns.label)!r} is neither yes (1) nor no (0). "
                             "Take the column out, or name the texts with --columns")  # fmt: skip
        if not meant:
            return None
    languages = [
        language_code(cell(at)) or spoken for at, spoken in zip(columns.languages, columns.spoken, strict=True)
    ]
    negatives = tuple(text for at in columns.negatives if (text := cell(at)).strip())
    return Pair(cell(columns.source), cell(columns.target), negatives, languages[0], languages[1])


def _tsv_rows(path: Path) -> Iterator[Row]:
    return ((number, line.split("\t")) for number, line in enumerate(read_lines(path), start=1))


def _csv_rows(path: Path) -> Iterator[Row]:
    lines = (line.replace("\r", " ") + "\n" for line in read_lines(path))
    sample = list(islice(lines, SAMPLE))
    csv.field_size_limit(LONGEST_CELL)
    rows = csv.reader(chain(sample, lines), delimiter=_delimiter(sample))
    try:
        for cells in rows:
            yield rows.line_num, cells
    except csv.Error as error:
        raise wrong_line(path, rows.line_num, f"no CSV ({error})") from error


def _delimiter(sample: Sequence[str]) -> str:
    """The sign under which the first rows have the same number of columns, two at least; most columns win."""
    best = (0, 0)
    found = ","
    for sign in DELIMITERS:
        widths = [len(cells) for cells in csv.reader(sample, delimiter=sign) if cells]
        if len(widths) > 1 and len(sample) == SAMPLE:
            widths.pop()  # a quoted cell may go on beyond the sample
        alike = widths.count(widths[0]) if widths and widths[0] > 1 else 0
        if (alike, widths[0] if widths else 0) > best:
            best, found = (alike, widths[0]), sign
    return found
