"""Excel's XML of 2003, which many programs export under the name .xls or .xml: rows as in any spreadsheet."""

from __future__ import annotations

from indexer.read.clean import clean, one_line
from indexer.read.limits import Source
from indexer.read.rows import Row, filled, row_units
from indexer.read.xml import events
from indexer.read.xmldocs import well_formed
from labse_search.records import Extraction, Unit


def read_excel_xml(source: Source) -> Extraction:
    """Comments come after their sheet's rows."""
    book = _Book()
    book.follow(well_formed(source))
    units: list[Unit] = []
    for name, rows, merged, comments in book.sheets:
        units += [*row_units(filled(rows, merged), {"sheet": name}), *comments]
    return Extraction(tuple(units), "xls", holds={"sheets": len(book.sheets)})


class _Book:
    def __init__(self) -> None:
        self.sheets: list[tuple[str, list[Row], list[tuple[int, int, int, int]], list[Unit]]] = []
        self._row = self._column = 0  # from 1 and from 0
        self._cells: dict[int, str] = {}
        self._hidden = False
        self._text: list[str] | None = None  # of the open cell or comment
        self._remark = False

    def follow(self, content: bytes) -> None:
        for kind, name, attributes in events(content, encoding="utf-8"):
            if kind == "text":
                if self._text is not None:
                    self._text.append(name)
            elif kind == "start":
                self._start(name, attributes)
            else:
                self._end(name)

    def _start(self, name: str, attributes: dict[str, str]) -> None:
        if name == "Worksheet":
            self.sheets.append((one_line(attributes.get("Name", "")), [], [], []))
            self._row = 0
        elif name == "Row":
            self._row = _number(attributes.get("Index"), self._row + 1)
            self._cells, self._column, self._hidden = {}, -1, attributes.get("Hidden") == "1"
        elif name == "Cell":
            self._column = _number(attributes.get("Index"), self._column + 2) - 1
            self._merge(attributes)
        elif name == "Comment":
            self._remark, self._text = True, []
        elif name == "Data" and not self._remark:
            self._text = []

    def _merge(self, attributes: dict[str, str]) -> None:
        across, down = _number(attributes.get("MergeAcross"), 0), _number(attributes.get("MergeDown"), 0)
        if (across or down) and self.sheets:
            self.sheets[-1][2].append((self._row, self._column, self._row + down, self._column + across))

    def _end(self, name: str) -> None:
        if name == ("Comment" if self._remark else "Data") and self._text is not None:
            text, self._text, self._remark = clean("".join(self._text)).strip(), None, False
            if name == "Data" and text:
                self._cells[self._column] = text
            elif text and self.sheets:
                place: dict[str, str | int] = {"sheet": self.sheets[-1][0], "row": self._row, "part": "comment"}
                self.sheets[-1][3].append(Unit(text, place))
        elif name == "Row" and self._cells and self.sheets:
            self.sheets[-1][1].append(Row(self._row, self._cells, self._hidden))


def _number(text: str | None, otherwise: int) -> int:
    return int(text) if text and text.isdigit() and len(text) < 8 else otherwise
