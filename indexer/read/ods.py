"""Spreadsheets of OpenDocument: each cell as it is shown, which the format writes beside the value."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from indexer.read.clean import clean, one_line
from indexer.read.opendocument import Story
from indexer.read.rows import Row, row_units
from indexer.read.xml import Event, events
from labse_search.records import Extraction, Note, Place, Unit

_REPEATED = 1000  # rows or columns of equal cells that are written out; a sheet's empty rest claims a million


def read_sheets(content: bytes, kind: str, title: str | None, objects: Mapping[str, Story]) -> Extraction:
    """The sheets of a content.xml: a unit for each row, comment, box and chart. `objects`: what lies in members of its
    own, by the path that the sheets name."""
    units: list[Unit] = []
    notes: list[Note] = []
    sheets = drawn = 0
    left = dict(objects)
    for sheet in _Sheets().follow(content):
        sheets += 1
        place: dict[str, str | int] = {"sheet": sheet.name, **({"part": "hidden"} if sheet.hidden else {})}
        units += row_units(sheet.rows, place)
        units += [Unit(text, {**place, "row": row, "part": "comment"}) for row, text in sheet.comments]
        shapes = [(story, place) for shape in sheet.shapes for story in (shape, *_taken(left, shape.objects))]
        units += _drawn(shapes)
        drawn += sum(len(shape.objects) for shape in sheet.shapes)
        if sheet.without_value:
            notes.append(Note("formulas_without_value", f"{sheet.name}: {sheet.without_value}"))
    units += _drawn([(story, {}) for story in left.values()])
    holds = {"sheets": sheets, **({"objects": count} if (count := max(drawn, len(objects))) else {})}
    return Extraction(tuple(units), kind, title, notes=tuple(notes), holds=holds)


def _taken(objects: dict[str, Story], names: Sequence[str]) -> list[Story]:
    return [objects.pop(name) for name in names if name in objects]


def _drawn(shapes: Sequence[tuple[Story, Place]]) -> list[Unit]:
    """A unit for each shape with words."""
    units = []
    for story, place in shapes:
        text = clean("\n".join(unit.text for unit in (*story.sections.units(), *story.aside_units))).strip()
        if text:
            units.append(Unit(text, {**place, "part": "chart" if story.is_chart else "text box"}))
    return units


class _Sheet:
    def __init__(self, name: str, hidden: bool) -> None:
        self.name, self.hidden = name, hidden
        self.rows: list[Row] = []
        self.comments: list[tuple[int, str]] = []  # row and text
        self.shapes: list[Story] = []  # what is drawn over the cells
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
        self._shape: Story | None = None
        self._depth = 0  # of elements in the shape
        self._covered: dict[int, tuple[str, int]] = {}  # column → text of a merged cell, last row that it covers

    def follow(self, content: bytes) -> Iterator[_Sheet]:
        style = ""
        for event in events(content):
            kind, name, attributes = event
            if self._sheet is not None and (self._shape or (kind == "start" and name.startswith("draw:"))):
                self._draw(self._sheet, event)
            elif kind == "text":
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

    def _draw(self, sheet: _Sheet, event: Event) -> None:
        if self._shape is None:
            self._shape = Story()
            sheet.shapes.append(self._shape)
        self._shape.follow(event)
        self._depth += {"start": 1, "end": -1}.get(event.kind, 0)
        if not self._depth:
            self._shape = None

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
