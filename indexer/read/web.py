"""HTML in, sections out. Also reads the chapters of EPUB and the HTML bodies of mail."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping

from selectolax.lexbor import LexborHTMLParser, LexborNode

from indexer.read.charset import decode
from indexer.read.clean import one_line
from indexer.read.limits import Source
from indexer.read.sections import Sections
from labse_search.records import Extraction, Note, Unit

_CHARSET = re.compile(rb"<(?:meta|\?xml)[^>]{0,200}?(?:charset|encoding)\s*=\s*[\"']?\s*([\w:.-]+)", re.I)
_UNSEEN = frozenset("script style template head noscript svg math-annotation rp object applet map datalist".split())
_BLOCKS = frozenset(
    "address article aside blockquote body button caption center dd details dialog dir div dl dt fieldset figcaption "
    "figure footer form header hgroup hr legend li main menu nav ol optgroup option p pre section select summary table "
    "tbody textarea tfoot thead tr ul".split()
)
_HEADINGS = {f"h{level}": level for level in range(1, 7)}
# In XML <script/> is whole, in HTML it opens and swallows the rest of the file.
_SELF_CLOSED = re.compile(
    r"""<(a|b|i|p|div|span|title|script|style|textarea|iframe|noscript|object|em|strong|td|th|li)\b"""
    r"""((?:[^<>"'/]|"[^"]*"|'[^']*'|/(?!>))*+)/>""",
    re.I,
)


def read_html(source: Source) -> Extraction:
    declared = _CHARSET.search(source.content[:4096])
    decoded = decode(source.content, declared[1].decode("ascii", "ignore") if declared else None)
    page = Page(decoded.text)
    return Extraction(page.units(), "html", page.title, decoded.encoding, (*decoded.notes, *page.notes()))


class Page:
    """One HTML document. Everything a person would see is read, in order; a navigation menu is left out and noted."""

    def __init__(self, markup: str, place: Mapping[str, str | int] | None = None) -> None:
        if markup.lstrip()[:5] == "<?xml" or 'xmlns="http://www.w3.org/1999/xhtml"' in markup[:2000]:
            markup = _SELF_CLOSED.sub(r"<\1\2></\1>", markup)
        tree = LexborHTMLParser(markup)
        title = tree.css_first("title")
        self.title: str | None = (one_line(title.text()) or None) if title is not None else None
        self._sections = Sections(place=place)
        self._parts: list[str] = []  # of the paragraph that is being collected
        self._heading: int | None = None
        self._open = {"pre": 0, "nav": 0}
        self._menu_characters = 0
        if tree.body is not None:
            self._walk(tree.body)
        self._end_paragraph()

    def units(self) -> tuple[Unit, ...]:
        return self._sections.units()

    def notes(self) -> tuple[Note, ...]:
        return (Note("navigation_skipped", str(self._menu_characters)),) if self._menu_characters else ()

    def _walk(self, body: LexborNode) -> None:
        for node, entered in _steps(body):
            name = node.tag or ""
            if name == "-text":
                if entered:
                    self._text(node.text_content or "")
            elif name in _HEADINGS:
                self._end_paragraph()
                self._heading = _HEADINGS[name] if entered else None
            elif name in _BLOCKS:
                self._end_paragraph()
                if name in ("pre", "nav"):
                    self._open[name] += 1 if entered else -1
            else:
                self._inline(node, name, entered)

    def _inline(self, node: LexborNode, name: str, entered: bool) -> None:
        if name == "br" and entered:
            self._parts.append("\n")
        elif name in ("td", "th") and not entered:
            self._parts.append(" | ")
        elif name == "rt":
            self._parts.append("(" if entered else ")")
        elif name == "img" and entered:
            self._parts.append(f" {node.attributes.get('alt') or ''} ")

    def _text(self, text: str) -> None:
        if self._open["nav"]:
            self._menu_characters += len(text.strip())
        else:
            self._parts.append(text if self._open["pre"] else re.sub(r"[ \t\r\n\f]+", " ", text))

    def _end_paragraph(self) -> None:
        text = "".join(self._parts).strip()
        self._parts = []
        if not self._open["pre"]:
            text = re.sub(r"[ \t]*\n[ \t]*", "\n", re.sub(r"[ \t\u00a0]{2,}", " ", text)).strip().removesuffix(" |")
        if not text:
            return
        if self._heading is not None:
            self._sections.heading(self._heading, text)
        else:
            self._sections.paragraph(text)


def _steps(root: LexborNode) -> Iterator[tuple[LexborNode, bool]]:
    """Every node twice, entering and leaving, without recursion: 50,000 nested <div> are no deeper than one."""
    node, entered = root, True
    while True:
        yield node, entered
        child = node.first_child if entered and (node.tag or "") not in _UNSEEN else None
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
