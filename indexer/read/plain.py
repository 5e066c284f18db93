"""Plain text, source code, Markdown and reStructuredText: what stands in the file, with its line numbers."""

from __future__ import annotations

import re

from indexer.read.charset import Decoded, decode
from indexer.read.clean import one_line
from indexer.read.limits import Source
from indexer.read.sections import Sections
from labse_search.records import Extraction, Unit

_FENCE = re.compile(r" {0,3}(`{3,}|~{3,})")
_HASHES = re.compile(r" {0,3}(#{1,6})(?:[ \t]+(.*?))?(?:[ \t]+#+)?[ \t]*$")
_SETEXT = re.compile(r" {0,3}(=+|-+)[ \t]*$")
_NO_SETEXT = re.compile(r"\s*([-*+>|]|\d+[.)]|$|\t| {4})")  # lists, quotes, tables, code: an underline below is a rule
_RULE = re.compile(r"([!-/:-@\[-`{-~])\1{2,}\s*$")


def read_text(source: Source) -> Extraction:
    """Text in any encoding, as it is."""
    return text_extraction(decode(source.content), "text")


def text_extraction(decoded: Decoded, kind: str) -> Extraction:
    """The whole text as one unit from line 1."""
    return Extraction((Unit(decoded.text, {"line": 1}),), kind, encoding=decoded.encoding, notes=decoded.notes)


def read_markdown(source: Source) -> Extraction:
    """Sections by heading; `#` marks are left out of the text, everything else stays as written."""
    decoded = decode(source.content)
    lines = decoded.text.split("\n")
    sections = Sections("\n")
    title = None
    at = 0
    if lines and lines[0].rstrip() == "---" and "---" in (line.rstrip() for line in lines[1:200]):
        end = next(n for n, line in enumerate(lines[1:200], 1) if line.rstrip() == "---")
        title = next((one_line(line[6:]).strip("\"'") for line in lines[1:end] if line.startswith("title:")), None)
        for at in range(end + 1):
            sections.paragraph(lines[at], line=at + 1)
        at = end + 1
    fence = ""
    while at < len(lines):
        line, number = lines[at], at + 1
        at += 1
        begin = line[:4].lstrip()[:1]
        mark = _FENCE.match(line) if begin in ("`", "~") else None
        if fence:
            fence = "" if mark and mark[1].startswith(fence) and not line.strip().strip(fence[0]) else fence
            sections.paragraph(line, line=number)
        elif mark:
            fence = mark[1]
            sections.paragraph(line, line=number)
        elif begin == "#" and (hashes := _HASHES.match(line)):
            sections.heading(len(hashes[1]), hashes[2] or "", line=number)
        elif begin and (underline := _underline(lines, at)) and not _NO_SETEXT.match(line):
            sections.heading(1 if underline[1][0] == "=" else 2, line, shown=f"{line}\n", line=number)
            at += 1
        else:
            sections.paragraph(line, line=number)
    units = sections.units()
    return Extraction(units, "markdown", title or sections.first_heading, decoded.encoding, decoded.notes)


def _underline(lines: list[str], at: int) -> re.Match[str] | None:
    following = lines[at] if at < len(lines) else ""
    return _SETEXT.match(following) if following[:4].lstrip()[:1] in ("=", "-") else None


def read_rest(source: Source) -> Extraction:
    """Sections by underlined headings; a level is a style of underline, in order of appearance, as docutils does."""
    decoded = decode(source.content)
    lines = decoded.text.split("\n")
    sections = Sections("\n")
    styles: list[str] = []
    at = 0
    while at < len(lines):
        heading = _rest_heading(lines, at)
        if heading is None:
            sections.paragraph(lines[at], line=at + 1)
            at += 1
            continue
        style, text, taken = heading
        if style not in styles:
            styles.append(style)
        # Rules go, their lines stay empty: line numbers hold.
        shown = "\n".join(line if not _RULE.match(line) else "" for line in lines[at : at + taken])
        sections.heading(styles.index(style) + 1, text, shown=shown, line=at + 1)
        at += taken
    return Extraction(sections.units(), "rest", sections.first_heading, decoded.encoding, decoded.notes)


def _rest_heading(lines: list[str], at: int) -> tuple[str, str, int] | None:
    """(style, text, lines taken) of a heading that begins on this line."""
    three = [*lines[at : at + 3], "", ""][:3]
    if _RULE.match(three[0]) and three[1].strip() and three[2].rstrip() == three[0].rstrip():
        return f"over{three[0][0]}", three[1].strip(), 3
    text = three[0].rstrip()
    blank_above = at == 0 or not lines[at - 1].strip()
    if not blank_above or not text or text[0].isspace() or _RULE.match(text) or not _RULE.match(three[1]):
        return None
    return (three[1][0], text, 2) if len(three[1].rstrip()) >= min(len(text), 4) else None
