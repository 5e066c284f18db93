"""Spreadsheets of every format: XLSX and OpenDocument by our own readers, XLS and XLSB by calamine."""

from __future__ import annotations

import datetime
import io
from collections.abc import Iterator

import python_calamine

from indexer.read.archive import Archive
from indexer.read.clean import clean, one_line
from indexer.read.limits import Source
from indexer.read.rows import Row, filled, row_units
from labse_search.errors import Unreadable
from labse_search.records import Extraction, Unit

_CELLS = 20_000_000  # of one sheet's rectangle that calamine may lay out; one far cell makes it as large as it likes


def read_workbook(source: Source) -> Extraction:
    """A spreadsheet by what it is, whatever its name says: ODS, XLSX, XLSB, XLS."""
    if source.content[:2] == b"PK":
        archive = Archive(source)
        if "content.xml" in archive:
            from indexer.read.opendocument import read_opendocument

            return read_opendocument(source)
        if "xl/workbook.bin" not in archive:
            from indexer.read.xlsx import read_xlsx

            return read_xlsx(source)
    return _read_with_calamine(source)


def _read_with_calamine(source: Source) -> Extraction:
    try:
        workbook = python_calamine.CalamineWorkbook.from_filelike(io.BytesIO(source.content))
        units = [unit for name in workbook.sheet_names for unit in _sheet_units(workbook, name)]
    except python_calamine.PasswordError as error:
        raise Unreadable("encrypted", type(error).__name__) from None
    except (python_calamine.CalamineError, OSError, ValueError) as error:
        raise Unreadable("damaged", f"{type(error).__name__}: {error}"[:200]) from None
    kind = source.extension if source.extension in ("xls", "xlsb") else "xls"
    return Extraction(tuple(units), kind, holds={"sheets": len(workbook.sheet_names)})


def _sheet_units(workbook: python_calamine.CalamineWorkbook, name: str) -> Iterator[Unit]:
    sheet = workbook.get_sheet_by_name(name)
    if sheet.height * sheet.width > _CELLS:
        raise Unreadable("too_large", f"a sheet of {sheet.height} rows and {sheet.width} columns")
    visible = {one.name: one.visible for one in workbook.sheets_metadata}
    hidden = "Visible" not in str(visible.get(name, "Visible"))
    top, left = sheet.start or (0, 0)
    rows = [
        Row(number, {left + n: text for n, value in enumerate(row) if (text := _cell(value))})
        for number, row in enumerate(sheet.to_python(skip_empty_area=True), top + 1)
    ]
    merged = [(a + 1, b, c + 1, d) for (a, b), (c, d) in sheet.merged_cell_ranges or ()]
    return row_units(filled(rows, merged), {"sheet": one_line(name), **({"part": "hidden"} if hidden else {})})


def _cell(value: object) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, float):
        return str(int(value)) if value.is_integer() and abs(value) < 1e15 else f"{value:.15g}"
    if isinstance(value, datetime.datetime) and value.time() == datetime.time():
        return value.date().isoformat()
    return value.isoformat(" ") if isinstance(value, datetime.datetime) else clean(str(value))
