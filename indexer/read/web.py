"""HTML in, sections out. Also reads the chapters of EPUB and the HTML bodies of mail."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import replace

from selectolax.lexbor import LexborHTMLParser, LexborNode

from indexer.read.charset import decode
from indexer.read.clean import clean, one_line
from indexer.read.limits import Source
from indexer.read.markup import shallow, with_closed_tags
from indexer.read.sections import Sections
from indexer.read.structured import record_text
from labse_search.records import Extraction, Note, Unit

_CHARSET = re.compile(rb"<(?:meta|\?xml)[^>]{0,200}?(?:charset|encoding)\s*=\s*[\"']?\s*([\w:.-]+)", re.I)
_UNSEEN = frozenset("script style template head svg math-annotation rp object applet map datalist".split())
_INSTEAD = frozenset(("noscript", "noframes"))  # shown where scripts or frames are not
_BLOCKS = frozenset(
    "address article aside blockquote body button caption center dd details dialog dir div dl dt fieldset figcaption "
    "figure footer form header hgroup hr legend li main menu nav ol optgroup option p pre section select summary table "
    "tbody textarea tfoot thead tr ul".split()
)
_FRAMES_OF_TABLES = frozenset("table caption thead tbody tfoot tr".split())
_ARTICLE = 4  # paragraphs in a cell, which then is no cell of a table
_NO_TITLES = frozenset(("untitled", "untitled document", "document", "home", "index", "new page 1"))  # of programs
_BORDER = "\x00"  # between paragraphs inside a cell; HTML has no such character
_SPACES = re.compile(r"[\t\r\n\f][ \t\r\n\f]*| [ \t\r\n\f]+")
_WIDE_SPACES, _LINE_ENDS = re.compile(r"[ \t\u00a0]{2,}"), re.compile(r"[ \t]*\n[ \t]*")
_UNEVEN = re.compile(r"\n|[ \t\u00a0]{2}")
_HEADINGS = {f"h{level}": level for level in range(1, 7)}
_QUOTED = re.compile(
    r"gmail_quote|moz-cite-prefix|yahoo_quoted|divRplyFwdMsg|OutlookMessageHeader|protonmail_quote|gmail_attr", re.I
)
_SIGNATURE = re.compile(r"gmail_signature|moz-signature|protonmail_signature|(?<![a-z])signature(?![a-z])", re.I)


def read_html(source: Source) -> Extraction:
    """The text that a browser shows, menus left out; the encoding is the one that the page declares, if it fits."""
    declared = _CHARSET.search(source.content[:4096])
    decoded = decode(source.content, declared[1].decode("ascii", "ignore") if declared else None)
    page = Page(decoded.text)
    notes = (*decoded.notes, *page.notes())
    units = page.units() or tuple(_data(decoded.text))
    return Extraction(_titled(units, page.title or ""), "html", page.title, decoded.encoding, notes, holds=page.holds())


def _titled(units: tuple[Unit, ...], title: str) -> tuple[Unit, ...]:
    """With the title that the browser shows above the page as its first heading, unless the page itself says it."""
    wanted = title.casefold()
    if not title or not units or wanted in _NO_TITLES:
        return units
    if any(wanted in " ".join(unit.text.split()).casefold() for unit in units):
        return units
    # "Vaccines – Dr. Lohmann": most pages add who they are of, and have the rest as a heading.
    headings = [" ".join(unit.text[a:b].split()).casefold() for unit in units for a, b in unit.headings]
    if any(heading in wanted and len(heading) * 2 >= len(wanted) for heading in headings):
        return units
    first, ahead = units[0], len(title) + 2
    spans = ((0, len(title)), *((start + ahead, end + ahead) for start, end in first.headings))
    return (replace(first, text=f"{title}\n\n{first.text}", headings=spans), *units[1:])


def _data(markup: str) -> Iterator[Unit]:
    """What a page that scripts would draw says of itself, and the data that it brings along for them."""
    tree = LexborHTMLParser(shallow(markup))
    for remark in tree.css('meta[name="description"], meta[property="og:description"]')[:1]:
        if text := clean(remark.attributes.get("content") or "").strip():
            yield Unit(text, {"part": "description"})
    for script in tree.css('script[type="application/json"], script[type="application/ld+json"]'):
        try:
            text = record_text(json.loads(script.text()))
        except (ValueError, RecursionError):
            continue
        if text:
            yield Unit(text, {"part": "data"})


class Page:
    """One HTML document. Everything a person would see is read, in order; a navigation menu is left out and noted.

    What stands in <noscript> and <noframes> is read where it is longer than the rest. `of_mail`: quoted mails and
    signatures become units of their own.
    """

    def __init__(
        self, markup: str, place: Mapping[str, str | int] | None = None, *, of_mail: bool = False, depth: int = 0
    ) -> None:
        tree = LexborHTMLParser(shallow(with_closed_tags(markup)))
        title = tree.css_first("head title") or tree.css_first("body > title")  # pictures inside have titles as well
        self.title: str | None = (one_line(title.text()) or None) if title is not None else None
        self._frames = len(tree.css("frame, iframe[src]"))
        self._given_place = place
        self._of_mail = of_mail
        self._depth = depth
        self._instead: list[str] = []
        self._units: tuple[Unit, ...] = ()
        self._gather(tree.root)
        if depth < 2 and sum(map(len, self._instead)) > len("".join(unit.text for unit in self._sections.units())):
            inner = Page("<p>".join(self._instead), place, depth=depth + 1)
            self._units = (*self._units, *inner.units())

    def units(self) -> tuple[Unit, ...]:
        """The text under its headings, in order."""
        return self._units

    def notes(self) -> tuple[Note, ...]:
        """What was left out, for the person."""
        found = [Note("navigation_skipped", str(self._menu_characters))] if self._menu_characters else []
        return (*found, *([Note("frames_skipped", str(self._frames))] if self._frames else []))

    def holds(self) -> dict[str, int]:
        """How much there is that cannot be read, by what it is."""
        found = {"images without text": self._mute_images, "frames": self._frames}
        return {what: count for what, count in found.items() if count}

    def _gather(self, root: LexborNode | None) -> None:
        self._sections = Sections(place=self._given_place)
        self._parts: list[str] = []  # of the paragraph that is being collected
        self._readings: list[str] = []  # of the words in <ruby>, which follow them
        self._heading: int | None = None
        self._open = {"pre": 0, "nav": 0, "rt": 0, "ruby": 0, "cell": 0}
        self._cells: list[bool] = []  # of the row: whether each is a header
        self._cell_at = 0  # where the open cell begins among the parts
        self._marked: list[tuple[int, str]] = []  # ids and parts of open elements that are quoted, innermost last
        self._menu_characters = self._mute_images = 0
        if root is not None:
            self._walk(root)
        self._end_paragraph()
        self._units = self._sections.units()

    def _walk(self, root: LexborNode) -> None:
        for node, entered in _steps(root):
            name = node.tag or ""
            if name == "-text":
                if entered:
                    self._text(node.text_content or "")
            elif name in _HEADINGS:
                self._end_paragraph()
                self._heading = _HEADINGS[name] if entered else None
            elif name in _BLOCKS:
                in_cell = self._open["cell"] and name not in _FRAMES_OF_TABLES
                if in_cell and name != "pre" and not self._open["pre"]:
                    self._divide_cell()
                else:
                    self._end_paragraph(is_row=name == "tr" and not entered)
                if name in ("pre", "nav"):
                    self._open[name] += 1 if entered else -1
                if self._of_mail and name in ("div", "blockquote"):
                    self._mark(node, name, entered)
            else:
                self._inline(node, name, entered)

    def _mark(self, node: LexborNode, name: str, entered: bool) -> None:
        if entered:
            attributes = node.attributes
            label = f"{attributes.get('class') or ''} {attributes.get('id') or ''}"
            part = "signature" if _SIGNATURE.search(label) else ""
            if name == "blockquote" or _QUOTED.search(label):
                part = "quoted"
            if not part:
                return
            self._marked.append((node.mem_id, part))
        elif self._marked and self._marked[-1][0] == node.mem_id:
            self._marked.pop()
        else:
            return
        self._end_paragraph()
        quoted = any(part == "quoted" for _, part in self._marked)
        self._sections.part("quoted" if quoted else self._marked[-1][1] if self._marked else "body")

    def _inline(self, node: LexborNode, name: str, entered: bool) -> None:
        if name == "br" and entered:
            self._parts.append("\n")
        elif name in ("td", "th"):
            self._cell(entered, is_header=name == "th")
        elif name in ("rt", "rtc", "ruby"):
            self._open["ruby" if name == "ruby" else "rt"] += 1 if entered else -1
        elif name == "img" and entered:
            words = node.attributes.get("alt") or ""
            self._parts.append(f" {words} ")
            self._mute_images += not words
        elif name == "svg" and entered:
            self._parts += [f" {label.text()} " for label in node.css("text")]
        elif name in _INSTEAD and entered:
            self._instead.append(node.inner_html or "")
        elif name == "iframe" and entered and self._depth < 2 and (inside := node.attributes.get("srcdoc")):
            self._end_paragraph()
            for unit in Page(inside, depth=self._depth + 1).units():
                self._sections.paragraph(unit.text)

    def _cell(self, entered: bool, *, is_header: bool) -> None:
        self._open["cell"] += 1 if entered else -1
        if entered:
            self._cells.append(is_header)
        else:
            if self._readings:
                self._give_readings()
            text = "".join(self._parts[self._cell_at :]).strip(f" \n\t\u00a0{_BORDER}")
            if text or self._cells:  # else a table or heading in the cell has ended the row
                self._parts[self._cell_at :] = [text, " | "]
        self._cell_at = len(self._parts)

    def _divide_cell(self) -> None:
        if self._readings:
            self._give_readings()
        while len(self._parts) > self._cell_at and (self._parts[-1].isspace() or self._parts[-1] == _BORDER):
            self._parts.pop()
        if len(self._parts) > self._cell_at:
            self._parts.append(_BORDER)

    def _text(self, text: str) -> None:
        if self._open["rt"]:
            self._readings.append(text.strip())
        elif self._open["nav"]:
            self._menu_characters += len(text.strip())
        else:
            if self._readings and not self._open["ruby"] and text.strip():
                self._give_readings()
            self._parts.append(text if self._open["pre"] else _SPACES.sub(" ", text))

    def _give_readings(self) -> None:
        """Behind the words that they belong to, which stay whole: 漢字(かんじ)."""
        self._parts.append(f"({''.join(self._readings)})")
        self._readings = []

    def _end_paragraph(self, *, is_row: bool = False) -> None:
        if self._readings:
            self._give_readings()
        text = "".join(self._parts).strip()
        self._parts, self._cell_at = [], 0
        cells, self._cells = self._cells, []
        filled = [cell for cell in text.split(" | ") if cell.strip(" |")]
        # A table for the layout only: one cell, or one with an article in it.
        if _BORDER in text and (len(filled) < 2 or any(cell.count(_BORDER) >= _ARTICLE - 1 for cell in filled)):
            paragraphs = [self._trimmed(paragraph) for paragraph in text.strip("| ").split(_BORDER)]
            for paragraph in filter(None, paragraphs[:-1]):
                self._place(paragraph, cells, is_row=False)
            text = paragraphs[-1]
        if text := self._trimmed(text.replace(_BORDER, "\n")):
            self._place(text, cells, is_row=is_row)

    def _trimmed(self, text: str) -> str:
        if text and not self._open["pre"]:
            text = _LINE_ENDS.sub("\n", _WIDE_SPACES.sub(" ", text)) if _UNEVEN.search(text) else text
            text = text.strip().removesuffix(" |")
        return text if text.strip("| \n") else ""

    def _place(self, text: str, cells: list[bool], *, is_row: bool) -> None:
        if self._heading is not None:
            self._sections.heading(self._heading, text)
        elif is_row and len(cells) > 1 and all(cells):
            self._sections.columns(text)
        else:
            self._sections.paragraph(text)


def _steps(root: LexborNode) -> Iterator[tuple[LexborNode, bool]]:
    """Every node twice, entering and leaving, without recursion: 50,000 nested <div> are no deeper than one."""
    node, entered = root, True
    while True:
        yield node, entered
        name = node.tag or ""
        child = node.first_child if entered and name not in _UNSEEN and name not in _INSTEAD else None
        if child is not None:
            node, entered = child, True
            continue
        if entered:
            entered = False
            continue
        if node.mem_id == root.mem_id:
            return
        following = node.next
        if following is not None:
            node, entered = following, True
        else:
            parent = node.parent
            if parent is None:
                return
            node, entered = parent, False
