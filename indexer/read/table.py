"""Tables in, one unit a row out: "header: value" lines, so that a row can be understood alone."""

from __future__ import annotations

import csv
import datetime
import io
from collections.abc import Iterable, Iterator, Sequence
from itertools import islice

import python_calamine

from indexer.read.archive import Archive
from indexer.read.charset import decode
from indexer.read.clean import clean, one_line
from indexer.read.limits import Source
from indexer.read.xml import events
from labse_search.errors import Unreadable
from labse_search.records import Extraction, Place, Unit

_DELIMITERS = ",;\t|"
_SAMPLE = 50  # rows that vote on the delimiter
_HEADER_LENGTH = 64  # a longer cell is no header but content
_SENTENCE_ENDS = tuple(".!?。！？।؟…")


def read_delimited(source: Source) -> Extraction:
    """CSV and TSV. The delimiter is the one that gives most rows the same number of columns.

    csv.Sniffer guesses wrong on quoted text with commas. "row" is the record's number, as a spreadsheet shows it.
    """
    decoded = decode(source.content)
    text = decoded.text
    first, _, rest = text.partition("\n")
    if first.strip().lower() in (f"sep={mark}" for mark in _DELIMITERS):  # Excel's own way to say it
        rows, offset = _records(rest, first.strip()[4]), 2
    else:
        delimiter = "\t" if source.extension == "tsv" and "\t" in text else _delimiter(text)
        rows, offset = _records(text, delimiter), 1
    units = _row_units(rows, {}, offset)
    return Extraction(tuple(units), source.extension or "csv", encoding=decoded.encoding, notes=decoded.notes)


def _delimiter(text: str) -> str:
    sample = text[: 1 << 16]

    def vote(mark: str) -> tuple[float, int]:
        widths = [len(row) for row in islice(csv.reader(io.StringIO(sample, newline=""), delimiter=mark), _SAMPLE)]
        widths = [width for width in widths if width]
        if len(widths) > 2:
            widths = widths[:-1] if len(sample) < len(text) else widths  # the sample's end may cut the last row
        common = max(set(widths), key=lambda width: (widths.count(width), width), default=0)
        return (widths.count(common) / len(widths) if common > 1 else 0.0, common)

    csv.field_size_limit(1 << 30)
    return max(_DELIMITERS, key=vote)


def _records(text: str, delimiter: str) -> list[list[str]]:
    """Rows of cells. One quote that never closes would swallow the rest of the file: then quotes are just letters."""
    csv.field_size_limit(1 << 30)
    rows = list(csv.reader(io.StringIO(text, newline=""), delimiter=delimiter))
    swallowed = any(cell.count("\n") > 200 for row in rows[-1:] for cell in row)
    if swallowed and text.count('"') % 2:
        return list(csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, quoting=csv.QUOTE_NONE))
    return rows


def read_spreadsheet(source: Source) -> Extraction:
    """XLSX, XLSB, XLS and ODS, every sheet, hidden ones too; comments and text boxes of XLSX after them."""
    archive = Archive(source) if source.content[:2] == b"PK" else None
    if archive and "META-INF/manifest.xml" in archive and b"encryption-data" in archive.read("META-INF/manifest.xml"):
        raise Unreadable("encrypted", "the manifest says so")
    try:
        workbook = python_calamine.CalamineWorkbook.from_filelike(io.BytesIO(source.content))
        units = [unit for name in workbook.sheet_names for unit in _sheet_units(workbook, name)]
    except python_calamine.PasswordError as error:
        raise Unreadable("encrypted", type(error).__name__) from None
    except (python_calamine.CalamineError, OSError, ValueError) as error:
        raise Unreadable("damaged", f"{type(error).__name__}: {error}"[:200]) from None
    if archive is not None:
        for part in archive.names(r"xl/(comments|threadedComments/|drawings/)[\w/]*\.xml"):
            units += _remarks(archive.read(part), "comment" if "omments" in part else "text box")
    return Extraction(tuple(units), source.extension if source.extension in _KINDS else "xlsx")


_KINDS = frozenset(("xlsx", "xlsm", "xlsb", "xls", "ods"))


def _sheet_units(workbook: python_calamine.CalamineWorkbook, name: str) -> Iterator[Unit]:
    sheet = workbook.get_sheet_by_name(name)
    first_row = sheet.start[0] + 1 if sheet.start else 1
    rows = [[_cell(value) for value in row] for row in sheet.to_python(skip_empty_area=True)]
    return _row_units(rows, {"sheet": one_line(name)}, first_row)


def _cell(value: object) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, float) and value.is_integer() and abs(value) < 1e15:
        return str(int(value))
    if isinstance(value, datetime.datetime) and value.time() == datetime.time():
        return value.date().isoformat()
    return value.isoformat(" ") if isinstance(value, datetime.datetime) else str(value)


def _row_units(rows: Iterable[Sequence[str]], place: Place, first_row: int) -> Iterator[Unit]:
    """A unit for each row that is not empty; the first one names the columns if it looks like names."""
    header: Sequence[str] | None = None
    for number, row in enumerate(rows, first_row):
        cells = [clean(cell).strip() for cell in row]
        if not any(cells):
            continue
        labels = header or ()
        if header is None:
            header = cells if _names_columns(cells) else ()
        lines = [
            f"{labels[column]}: {cell}" if column < len(labels) and labels[column] else cell
            for column, cell in enumerate(cells)
            if cell
        ]
        yield Unit("\n".join(lines), {**place, "row": number})


def _names_columns(cells: Sequence[str]) -> bool:
    """Short, different from each other, no numbers, no sentences."""
    filled = [cell for cell in cells if cell]
    return (
        len(filled) > 1
        and len(set(filled)) == len(filled)
        and not any(
            len(cell) > _HEADER_LENGTH
            or cell.endswith(_SENTENCE_ENDS)
            or cell.replace(".", "").replace(",", "").isdigit()
            for cell in filled
        )
    )


def _remarks(content: bytes, part: str) -> list[Unit]:
    """Texts of the cells' comments, or of the boxes drawn over them, one unit each."""
    units, text, run = [], "", False
    for kind, name, _ in events(content):
        if kind == "text":
            text += name if run else ""
        elif name in ("x:t", "a:t", "text"):
            run = kind == "start"
        elif kind == "end" and name == "a:p":
            text += "\n"
        elif kind == "end" and name in ("x:comment", "threadedComment", "sp", "txBody"):
            if text.strip():
                units.append(Unit(clean(text).strip(), {"part": part}))
            text = ""
    return units
