"""Spreadsheets of OpenDocument: each cell as it is shown, which the format writes beside the value."""

from __future__ import annotations

from collections.abc import Iterator

from indexer.read.clean import clean, one_line
from indexer.read.rows import Row, row_units
from indexer.read.xml import events
from labse_search.records import Extraction, Note, Unit

_REPEATED = 1000  # rows or columns of equal cells that are written out; a sheet's empty rest claims a million


def read_sheets(content: bytes, kind: str, title: str | None) -> Extraction:
    """The sheets of a content.xml: a unit for each row and each comment."""
    units: list[Unit] = []
    notes: list[Note] = []
    sheets = 0
    for sheet in _Sheets().follow(content):
        sheets += 1
        place: dict[str, str | int] = {"sheet": sheet.name, **({"part": "hidden"} if sheet.hidden else {})}
        units += row_units(sheet.rows, place)
        units += [Unit(text, {**place, "row": row, "part": "comment"}) for row, text in sheet.comments]
        if sheet.without_value:
            notes.append(Note("formulas_without_value", f"{sheet.name}: {sheet.without_value}"))
    return Extraction(tuple(units), kind, title, notes=tuple(notes), holds={"sheets": sheets})


class _Sheet:
    def __init__(self, name: str, hidden: bool) -> None:
        self.name, self.hidden = name, hidden
        self.rows: list[Row] = []
        self.comments: list[tuple[int, str]] = []  # row and text
        self.without_value = 0


class _Sheets:
    """Follows content.xml and gives each sheet when it ends."""

    def __init__(self) -> None:
        self._sheet: _Sheet | None = None
        self._hidden_styles: set[str] = set()
        self._row = self._column = self._times = 0
        self._cells: dict[int, str] = {}
        self._hidden = False
        self._attributes: dict[str, str] = {}
        self._text: list[str] = []
        self._comment: list[str] | None = None
        self._paragraphs = 0
        self._covered: dict[int, tuple[str, int]] = {}  # column → text of a merged cell, last row that it covers

    def follow(self, content: bytes) -> Iterator[_Sheet]:
        style = ""
        for kind, name, attributes in events(content):
            if kind == "text":
                if self._paragraphs:
                    (self._text if self._comment is None else self._comment).append(name)
            elif kind == "start":
                if name == "style:style":
                    style = attributes.get("style:name", "")
                elif name == "style:table-properties" and attributes.get("table:display") == "false":
                    self._hidden_styles.add(style)
                self._start(name, attributes)
            elif name == "table:table" and self._sheet is not None:
                yield self._sheet
                self._sheet = None
            else:
                self._end(name)

    def _start(self, name: str, attributes: dict[str, str]) -> None:
        if name == "table:table" and self._sheet is None:
            hidden = attributes.get("table:style-name", "") in self._hidden_styles
            self._sheet = _Sheet(one_line(attributes.get("table:name", "")), hidden)
            self._row, self._covered = 0, {}
        elif name == "table:table-row":
            self._cells, self._column = {}, 0
            self._times = _number(attributes.get("table:number-rows-repeated"))
            self._hidden = attributes.get("table:visibility", "visible") != "visible"
        elif name in ("table:table-cell", "table:covered-table-cell"):
            self._attributes, self._text = attributes, []
        elif name == "office:annotation":
            self._comment = []
        elif name == "text:p":
            self._paragraphs += 1
            if self._comment or (self._comment is None and self._text):
                (self._text if self._comment is None else self._comment).append("\n")
        elif name in ("text:s", "text:tab", "text:line-break") and self._paragraphs:
            (self._text if self._comment is None else self._comment).append(" " if name != "text:line-break" else "\n")

    def _end(self, name: str) -> None:
        if name == "text:p":
            self._paragraphs -= 1
        elif name == "office:annotation":
            text = clean("".join(self._comment or [])).strip()
            if self._sheet is not None and text:
                self._sheet.comments.append((self._row + 1, text))
            self._comment = None
        elif name in ("table:table-cell", "table:covered-table-cell"):
            self._end_cell(covered=name == "table:covered-table-cell")
        elif name == "table:table-row" and self._sheet is not None:
            for number in range(min(self._times, _REPEATED) if self._cells else 0):
                self._sheet.rows.append(Row(self._row + number + 1, self._cells, self._hidden))
            self._row += self._times

    def _end_cell(self, *, covered: bool) -> None:
        times = _number(self._attributes.get("table:number-columns-repeated"))
        text = clean("".join(self._text)).strip() or self._attributes.get("office:string-value", "").strip()
        if not text and self._attributes.get("table:formula") and self._sheet is not None:
            text = self._attributes.get("office:value", "")
            self._sheet.without_value += not text
        above, last = self._covered.get(self._column, ("", -1))
        if covered and not text and self._row <= last:
            text = above
        rows = _number(self._attributes.get("table:number-rows-spanned"))
        if rows > 1 and text:
            self._covered[self._column] = (text, self._row + rows - 1)
        for column in range(self._column, self._column + min(times, _REPEATED) if text else self._column):
            self._cells[column] = text
        self._column += times


def _number(text: str | None) -> int:
    return max(1, int(text)) if text and text.isdigit() and len(text) < 9 else 1
