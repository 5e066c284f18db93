"""The XML of one sheet of XLSX: its rows as they are shown, and what lies over them.

The parser's own calls are answered without a detour, since a sheet has a million of them.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence

from indexer.read import numbers
from indexer.read.clean import clean
from indexer.read.rows import Row
from indexer.read.xml import follow, short

_REFERENCE = re.compile(r"([A-Z]{1,3})(\d{1,7})")
_LETTERS = re.compile("[A-Z]{1,3}")
_ESCAPED = re.compile(r"_x([0-9A-Fa-f]{4})_")
_GENERAL = numbers.Format("number", -1)


class SheetXml:
    """`strings`: the book's shared strings; `formats`: of its cell styles, by their numbers."""

    def __init__(self, strings: Sequence[str], formats: Sequence[numbers.Format], *, from_1904: bool) -> None:
        self._strings = strings
        self._formats = {str(number): form for number, form in enumerate(formats)}
        self._from_1904 = from_1904
        self._number = self._column = 0  # of the open row and cell
        self._columns: dict[str, int] = {}  # by their letters; -1 for what is none
        self._hidden = self._formula = False
        self._cells: dict[int, str] = {}
        self._cell: dict[str, str] = {}
        self._text: list[str] = []
        self._runs = self._readings = 0  # open elements with the cell's text, and with readings above it
        self._done: list[Row] = []
        self.merged: list[tuple[int, int, int, int]] = []  # first row, first column, last row, last column
        self.without_value: list[str] = []
        self.hidden_columns: set[int] = set()  # from 1
        self._starts: dict[str, Callable[[dict[str, str]], None]] = {
            "x:c": self._start_cell, "x:v": self._start_run, "x:t": self._start_run, "x:row": self._start_row,
            "x:f": self._start_formula, "x:rPh": self._start_reading, "x:mergeCell": self._merge,
            "x:col": self._hide_columns,
        }  # fmt: skip
        self._ends: dict[str, Callable[[], None]] = {
            "x:c": self._end_cell, "x:v": self._end_run, "x:t": self._end_run, "x:row": self._end_row,
            "x:rPh": self._end_reading,
        }  # fmt: skip

    def rows(self, content: bytes) -> Iterator[Row]:
        """Rows with a cell that is not empty, in the order of the file."""

        starts: dict[str, Callable[[dict[str, str]], None] | None] = {}  # by names as the parser has them
        ends: dict[str, Callable[[], None] | None] = {}

        def start(name: str, attributes: dict[str, str]) -> None:
            if name not in starts:
                starts[name] = self._starts.get(short(name))
            if (found := starts[name]) is not None:
                found(attributes)

        def end(name: str) -> None:
            if name not in ends:
                ends[name] = self._ends.get(short(name))
            if (found := ends[name]) is not None:
                found()

        def text(data: str) -> None:
            if self._runs and not self._readings:
                self._text.append(data)

        for _ in follow(content, start, end, text):
            yield from self._done
            self._done.clear()

    def _start_row(self, attributes: dict[str, str]) -> None:
        self._number = whole(attributes.get("r"), self._number + 1)
        self._hidden = attributes.get("hidden") in ("1", "true")
        self._cells, self._column = {}, -1

    def _start_cell(self, attributes: dict[str, str]) -> None:
        letters = attributes.get("r", "").rstrip("0123456789")
        if letters not in self._columns:
            self._columns[letters] = column(letters) if _LETTERS.fullmatch(letters) else -1
        found = self._columns[letters]
        self._column = found if found >= 0 else self._column + 1
        self._cell, self._text, self._formula = attributes, [], False

    def _start_run(self, _: dict[str, str]) -> None:
        self._runs += 1

    def _end_run(self) -> None:
        self._runs -= 1

    def _start_reading(self, _: dict[str, str]) -> None:
        self._readings += 1

    def _end_reading(self) -> None:
        self._readings -= 1

    def _start_formula(self, _: dict[str, str]) -> None:
        self._formula = True

    def _end_cell(self) -> None:
        value = self._shown("".join(self._text))
        if value:
            self._cells[self._column] = value
        elif self._formula and not self._text:
            self.without_value.append(self._cell.get("r", ""))

    def _end_row(self) -> None:
        if self._cells:
            self._done.append(Row(self._number, self._cells, self._hidden))

    def _shown(self, text: str) -> str:
        kind = self._cell.get("t", "n")
        if kind == "s":
            return self._strings[int(text)] if text.isdigit() and int(text) < len(self._strings) else ""
        if kind == "b":
            return {"1": "true", "0": "false"}.get(text, text)
        if kind != "n" or not text:
            return unescaped(text)
        form = self._formats.get(self._cell.get("s", "0"), _GENERAL)
        if form == _GENERAL and text.isdigit() and len(text) < 15 and text[0] != "0":
            return text
        try:
            return numbers.shown(float(text), form, from_1904=self._from_1904)
        except (ValueError, OverflowError):
            return clean(text)

    def _merge(self, attributes: dict[str, str]) -> None:
        ends = _REFERENCE.findall(attributes.get("ref", ""))
        if len(ends) == 2:
            (left, top), (right, bottom) = ends
            self.merged.append((int(top), column(left), int(bottom), column(right)))

    def _hide_columns(self, attributes: dict[str, str]) -> None:
        if attributes.get("hidden") in ("1", "true"):
            first, last = whole(attributes.get("min"), 1), whole(attributes.get("max"), 1)
            if last - first < 1000:  # hidden up to the end of the sheet: nothing is there
                self.hidden_columns.update(range(first, last + 1))


def unescaped(text: str) -> str:
    """Clean, and with the characters that XML does not allow, which stand as _x000D_."""
    return clean(_ESCAPED.sub(lambda code: chr(int(code[1], 16)), text) if "_x" in text else text)


def column(letters: str) -> int:
    """ "A" is 0."""
    found = 0
    for letter in letters:
        found = found * 26 + ord(letter) - 64
    return found - 1


def whole(text: str | None, otherwise: int) -> int:
    """The number of an attribute, `otherwise` for anything that is no count of up to eight digits."""
    return int(text) if text and text.isdigit() and len(text) < 9 else otherwise
