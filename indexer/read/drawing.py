"""What Word, PowerPoint and Excel share: paragraphs and tables of DrawingML and WordprocessingML, diagrams, charts."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field

from indexer.read.rows import is_sentence
from indexer.read.xml import events

# Text a person does not see: the second copy kept for older programs, what was deleted or moved away, field codes.
_UNSEEN = frozenset(("mc:Fallback", "w:moveFrom", "w:del", "w:instrText", "w:delText"))
_BREAKS = {"w:tab": "\t", "w:br": "\n", "w:cr": "\n", "w:noBreakHyphen": "-", "a:br": "\n", "a:tab": "\t"}
_RUNS = frozenset(("w:t", "a:t", "m:t"))
_OBJECTS = {
    "relIds": "r:dm",
    "c:chart": "r:id",
    "chart": "r:id",  # of Office 2016: waterfalls, funnels, maps
    "OLEObject": "r:id",
    "w:altChunk": "r:id",
}  # each lies in a part of its own
_REFERENCES = {"w:footnoteReference": "footnote", "w:endnoteReference": "endnote"}
_NUMBERS = re.compile(r"[\d\W]+")


@dataclass
class Paragraph:
    """A paragraph of a slide or a drawing."""

    runs: list[str] = field(default_factory=list)
    style: str = ""
    level: int | None = None  # of the outline, where the paragraph says so itself
    hidden: bool = False

    @property
    def text(self) -> str:
        """Its runs in a row."""
        return "".join(self.runs)


@dataclass
class TableRow:
    """A row of a table in a slide or a drawing."""

    cells: list[str]
    is_header: bool = False  # the table says so

    @property
    def text(self) -> str:
        """The cells with the empty ones between them, so that each keeps its column."""
        return " | ".join(self.cells).rstrip(" |").lstrip() if any(self.cells) else ""

    @property
    def names_columns(self) -> bool:
        """Whether it looks like a first row of names: short, different, no sentences, no numbers."""
        filled = [cell for cell in self.cells if cell]
        return self.is_header or (len(filled) > 1 and len(set(filled)) == len(filled) and all(map(_is_name, filled)))


def _is_name(cell: str) -> bool:
    return not is_sentence(cell) and not _NUMBERS.fullmatch(cell)


@dataclass(frozen=True)
class Mark:
    """Something that stands in the text: a note's or comment's begin ("note", its id, none of the line above notes),
    the id of the "footnote" or "endnote" that a number in the text means, the id of an "object"."""

    kind: str
    value: str


Found = Paragraph | TableRow | Mark


def paragraphs(content: bytes) -> Iterator[Found]:
    """In reading order. Paragraphs inside paragraphs (text boxes) come out on their own, those inside a table as rows;
    what is formatted as hidden comes out as hidden paragraphs."""
    return _Follower().follow(content)


def texts(content: bytes) -> list[str]:
    """The text of each paragraph and row that is not hidden."""
    return [one.text for one in paragraphs(content) if not isinstance(one, Mark)]


class _Follower:
    def __init__(self) -> None:
        self._open: list[Paragraph] = []
        self._tables: list[_Table] = []
        self._runs = self._unseen = 0
        self._vanishes = False
        self._hidden: list[str] = []
        self._readings: list[list[str]] = []  # of open <w:ruby>
        self._in_reading = 0

    def follow(self, content: bytes) -> Iterator[Found]:
        for kind, name, attributes in events(content):
            if name in _UNSEEN and kind != "text":
                self._unseen += 1 if kind == "start" else -1
            elif self._unseen:
                continue
            elif kind == "text":
                self._text(name)
            elif kind == "start":
                self._runs += name in _RUNS
                yield from self._start(name, attributes)
            else:
                self._runs -= name in _RUNS
                yield from self._end(name)

    def _text(self, text: str) -> None:
        if not self._runs or not self._open:
            return
        if self._in_reading and self._readings:
            self._readings[-1].append(text)
        elif self._vanishes:
            self._hidden.append(text)
        else:
            self._open[-1].runs.append(text)

    def _start(self, name: str, attributes: dict[str, str]) -> Iterator[Found]:
        if name in ("w:p", "a:p"):
            self._open.append(Paragraph())
        elif name in ("w:footnote", "w:endnote", "w:comment"):
            yield Mark("note", attributes.get("w:id", "") if attributes.get("w:type", "normal") == "normal" else "")
        elif name in _REFERENCES:
            yield Mark(_REFERENCES[name], attributes.get("w:id", ""))
        elif name in _OBJECTS:
            yield Mark("object", attributes.get(_OBJECTS[name], ""))
        elif name in ("docPr", "p:cNvPr") and attributes.get("descr", "").strip():
            yield Mark("picture", attributes["descr"])
        elif name == "textpath" and attributes.get("string", "").strip():  # letters drawn as a picture
            yield Mark("picture", attributes["string"])
        elif name in ("w:tbl", "a:tbl"):
            self._tables.append(_Table())
        elif name in ("w:rt", "w:ruby"):
            self._in_reading += name == "w:rt"
            self._readings += [[]] if name == "w:ruby" else []
        elif self._tables and self._tables[-1].start(name, attributes):
            pass
        elif self._open:
            self._inside_paragraph(name, attributes)

    def _inside_paragraph(self, name: str, attributes: dict[str, str]) -> None:
        if name in _BREAKS:
            self._open[-1].runs.append(_BREAKS[name])
        elif name == "w:r":
            self._vanishes = False
        elif name == "w:vanish":
            self._vanishes = attributes.get("w:val", "1") not in ("0", "false")
        elif name == "w:pStyle":
            self._open[-1].style = attributes.get("w:val", "")
        elif name == "w:outlineLvl" and attributes.get("w:val", "").isdigit():
            self._open[-1].level = int(attributes["w:val"]) + 1

    def _end(self, name: str) -> Iterator[Found]:
        if name in ("w:p", "a:p") and self._open:
            yield from self._end_paragraph(self._open.pop())
        elif name == "w:r":
            self._vanishes = False
        elif name == "w:rt":
            self._in_reading -= 1
        elif name == "w:ruby" and self._readings:
            reading = "".join(self._readings.pop())  # it comes before its word, and is read behind it
            if self._open and reading:
                self._open[-1].runs.append(f"({reading})")
        elif self._tables:
            yield from self._end_in_table(name)

    def _end_paragraph(self, paragraph: Paragraph) -> Iterator[Found]:
        if self._tables and self._tables[-1].in_cell:
            self._tables[-1].add(paragraph.text.strip())
        elif paragraph.text.strip():
            yield paragraph
        if self._hidden and not self._open:
            yield Paragraph([" ".join("".join(self._hidden).split())], hidden=True)
            self._hidden = []

    def _end_in_table(self, name: str) -> Iterator[Found]:
        if name in ("w:tr", "a:tr"):
            row = self._tables[-1].end_row()
            if row.text and len(self._tables) > 1 and self._tables[-2].in_cell:  # a table inside a cell
                self._tables[-2].add(row.text)
            elif row.text:
                yield row
        elif name in ("w:tbl", "a:tbl"):
            self._tables.pop()
        elif name in ("w:tc", "a:tc"):
            self._tables[-1].end_cell()


class _Table:
    """One table while it is open. A cell that is merged over several rows says its text in each of them."""

    def __init__(self) -> None:
        self._cells: list[str] = []
        self._above: dict[int, str] = {}  # column → what a merged cell says further down
        self._column = self._span = 0
        self._merge = ""
        self._header = False
        self.in_cell = False

    def start(self, name: str, attributes: dict[str, str]) -> bool:
        """Whether this belongs to the table's frame."""
        if name in ("w:tr", "a:tr"):
            self._cells, self._column, self._header = [], 0, False
        elif name in ("w:tc", "a:tc"):
            self._cells.append("")
            self.in_cell, self._merge = True, ""
            self._span = _count(attributes.get("gridSpan"))
            if attributes.get("hMerge") in ("1", "true"):
                self._merge = "beside"
            elif attributes.get("vMerge") in ("1", "true"):
                self._merge = "above"
            elif _count(attributes.get("rowSpan")) > 1:
                self._merge = "begin"
        elif name == "w:gridSpan":
            self._span = _count(attributes.get("w:val"))
        elif name == "w:vMerge":
            self._merge = "begin" if attributes.get("w:val") == "restart" else "above"
        elif name == "w:tblHeader":
            self._header = attributes.get("w:val", "1") not in ("0", "false")
        else:
            return False
        return True

    def add(self, text: str) -> None:
        if self._cells and text:
            self._cells[-1] += ("\n" if self._cells[-1] else "") + text

    def end_cell(self) -> None:
        if not self._cells:
            return
        if self._merge == "above":
            self._cells[-1] = self._cells[-1] or self._above.get(self._column, "")
        elif self._merge == "beside":
            self._cells.pop()
        else:
            self._above[self._column] = self._cells[-1]
        self._column += self._span
        self.in_cell = False

    def end_row(self) -> TableRow:
        return TableRow([*self._cells], self._header)


def _count(text: str | None) -> int:
    return int(text) if text and text.isdigit() and len(text) < 5 else 1
