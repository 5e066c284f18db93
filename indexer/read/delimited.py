"""CSV and TSV, in the dialects that programs write."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterator
from itertools import islice

from indexer.read.charset import decode
from indexer.read.limits import Source
from indexer.read.markup import is_markup, without_markup
from indexer.read.rows import Row, row_units
from labse_search.records import Extraction

_DELIMITERS = ",;\t|"
_SAMPLE = 50  # rows that vote on the delimiter
_QUOTED = re.compile(r'="[^"]*"')
_NULL = "\\N"  # what databases write for nothing
_SINGLE = re.compile(r"(?:^|[,;\t|])'[^'\n]{0,200}[,;\t|][^'\n]{0,200}'(?=[,;\t|]|$)", re.M)  # 'Smith, Ann'
_SPACED = re.compile(r'[,;|] {1,8}"[^"\n]{0,200}[,;|][^"\n]{0,200}"(?= *(?:[,;|]|$))', re.M)  # 1, "Smith, Ann"
_BACKSLASHED = re.compile(r'(?:^|[,;\t|])"(?:[^"\\\n]|\\.)*\\"(?!\s*(?:[,;\t|]|$))', re.M)  # "Er sagte \"Moin\""


def read_delimited(source: Source) -> Extraction:
    """The delimiter is the one that gives most rows the same number of columns. "row" is the record's number, as a
    spreadsheet shows it.

    csv.Sniffer guesses wrong on quoted text with commas.
    """
    decoded = decode(source.content)
    text = decoded.text
    first, _, rest = text.partition("\n")
    first = first.strip(" \"'").lower()
    if first in (f"sep={mark}" for mark in _DELIMITERS):  # Excel's own way to say it
        rows, offset = _records(rest, first[4]), 2
    else:
        delimiter = "\t" if source.extension in ("tsv", "tab") and "\t" in text else _delimiter(text)
        rows, offset = _records(text, delimiter), 1
    if is_markup(text):
        rows = [[without_markup(cell) if is_markup(cell) else cell for cell in row] for row in rows]
    if '="' in text:  # how Excel is told that 007 is no number
        rows = [[cell[2:-1] if _QUOTED.fullmatch(cell) else cell for cell in row] for row in rows]
    found = (
        Row(number, {n: cell for n, cell in enumerate(row) if cell and cell != _NULL})
        for number, row in enumerate(rows, offset)
    )
    units = tuple(row_units(found, {}))
    kind = source.extension if source.extension in ("csv", "tsv", "tab") else "csv"
    return Extraction(units, kind, encoding=decoded.encoding, notes=decoded.notes, holds={"rows": len(units)})


def _delimiter(text: str) -> str:
    sample = text[: 1 << 16]

    def vote(mark: str) -> tuple[float, int]:
        widths = [len(row) for row in islice(csv.reader(io.StringIO(sample, newline=""), delimiter=mark), 2 * _SAMPLE)]
        widths = [width for width in widths if width]
        if len(widths) > 2:
            widths = widths[:-1] if len(sample) < len(text) else widths  # the sample's end may cut the last row
        common = max(set(widths), key=lambda width: (widths.count(width) if width > 1 else 0, width), default=0)
        return (widths.count(common) / len(widths) if common > 1 else 0.0, common)

    csv.field_size_limit(1 << 30)
    votes = {mark: vote(mark) for mark in _DELIMITERS}
    # Decimal commas give every row of a list with semicolons or tabs the same number of commas, too.
    for mark in ";\t|":
        between = re.escape(mark)
        decimal = rf"(?:^|{between})\"?-?\d+,\d+\"?(?:{between}|$)"
        if votes[mark][1] > 1 and votes[mark][0] > 0.5 and re.search(decimal, sample, re.M):
            return mark
    return max(_DELIMITERS, key=lambda mark: votes[mark])


def _records(text: str, delimiter: str) -> list[list[str]]:
    """Rows of cells. A quote that never closes would swallow the rows below it: then quotes are just letters."""
    csv.field_size_limit(1 << 30)
    head = text[: 1 << 20]
    escape = "\\" if '\\"' in text and _BACKSLASHED.search(head) else None
    quote = "'" if "'" in head and '"' not in head and _SINGLE.search(head) else '"'
    reader = csv.reader(
        io.StringIO(text, newline=""),
        delimiter=delimiter,
        quotechar=quote,
        escapechar=escape,
        doublequote=escape is None,
        skipinitialspace=_SPACED.search(head) is not None,
    )
    rows = list(reader)
    if any("\n" in cell for row in rows for cell in row) and _swallows(rows, delimiter):
        return [cells for line in text.split("\n") for cells in _without_quoting(line, delimiter)]
    return rows


def _swallows(rows: list[list[str]], delimiter: str) -> bool:
    """Whether a cell with line breaks looks like rows of the table rather than like text."""
    width = max((len(row) for row in rows), default=0)
    for row in rows:
        for cell in row:
            if "\n" not in cell:
                continue
            lines = cell.split("\n")[1:-1] or cell.split("\n")[1:]
            like_rows = sum(1 for line in lines if line.count(delimiter) >= max(1, width - 2))
            if like_rows * 2 > len(lines) or (len(lines) > 200 and row is rows[-1]):
                return True
    return False


def _without_quoting(line: str, delimiter: str) -> Iterator[list[str]]:
    """A line as a row: quotes are a pair around a whole cell, or letters."""
    quoted = line.count('"') % 2 == 0
    reader = csv.reader([line], delimiter=delimiter, quoting=csv.QUOTE_MINIMAL if quoted else csv.QUOTE_NONE)
    for cells in reader:
        yield [_bare(cell) for cell in cells] if not quoted else cells


def _bare(cell: str) -> str:
    whole = cell.strip()
    return whole[1:-1].replace('""', '"') if len(whole) > 1 and whole[0] == whole[-1] == '"' else cell
