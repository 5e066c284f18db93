"""Lines that stand at the top or bottom of many pages: titles, page numbers, "confidential". Each is kept once."""

from __future__ import annotations

import re
from collections import defaultdict
from typing import NamedTuple

_EDGE = 2  # lines at either end of a page that are looked at
_LEAST = 3  # pages on which the same line must stand
_SHARE = 0.3  # of all pages: left and right pages have titles of their own
_LONGEST = 120  # code points of such a line
# What stands beside a page's number, in many languages: "Page 3 of 9", "Seite 3 von 9". Without any, and one other
# word beside it, a number that counts with the pages may be anything's ("Question 3"): then the line stays on its page.
# Several words with the number at either end are a running title: "The port of Lindau 17".
_PAGE = (
    r"(?:(?<![^\W\d_])(?:pages?|pgs?|pp?|seiten?|blatt|folio|s|feuille|p[áa]gs?|p[áa]ginas?|folha|pagin[ae]|"
    r"str|strona|strana|stran[ay]?|stranica|side|sida|sidan|sivu|lehekülg|lk|lappuse|lpp|puslapis|psl|oldal|"
    r"sayfa|halaman|hal|trang|страниц[аы]|стр|с|сторінка|стор|страна|σελίδα|σελ|עמוד|صفحة|ص|صفحه|"
    r"पृष्ठ|পৃষ্ঠা|பக்கம்|หน้า)(?![^\W\d_])|[第页頁]|ページ|쪽|페이지)"
)
_BETWEEN = (
    r"(?<![^\W\d_])(?:of|von|sur|de|di|da|van|z|ze|od|av|af|no|iš|dari|из|з|із|от|από|מתוך|من|از|का|ที่|จาก)(?![^\W\d_])"
    r"|[共总]"
)
_PAGE_WORDS = re.compile(f"{_PAGE}|{_BETWEEN}", re.I)
_PAGE_NUMBER = re.compile(rf"{_PAGE}[.:]?\s*\d|\d\.?\s*{_PAGE}", re.I)
_NUMBER = re.compile(r"\d{1,6}")


class RunningLine(NamedTuple):
    """A header or footer that repeats over pages and is therefore said once."""

    page: int  # the first one it stands on
    part: str  # "header" or "footer"
    text: str


def without_running_lines(pages: dict[int, str]) -> tuple[dict[int, str], list[RunningLine]]:
    """The pages' texts without those lines, and the lines, once each, in the order of the page. They may be its number:
    "Page 3 of 9"."""
    if len(pages) < _LEAST:
        return pages, []
    lines = {number: text.split("\n") for number, text in pages.items()}
    where: defaultdict[tuple[str, str], list[int]] = defaultdict(list)
    edges = {number: _edges(number, page) for number, page in lines.items()}
    for number, found in edges.items():
        for edge in found:
            for key in edge.keys:
                where[edge.part, key].append(number)
    repeated = {key for key, numbers in where.items() if len(set(numbers)) >= max(_LEAST, _SHARE * len(pages))}
    if not repeated:
        return pages, []
    running: dict[tuple[str, str], RunningLine] = {}
    bodies = {}
    for number, page in lines.items():
        gone = set()
        for edge in sorted(edges[number], key=lambda edge: edge.at):
            same = next(((edge.part, key) for key in edge.keys if (edge.part, key) in repeated), None)
            if same is not None:
                running.setdefault(same, RunningLine(number, edge.part, page[edge.at].strip()))
                gone.add(edge.at)
        bodies[number] = "\n".join(line for at, line in enumerate(page) if at not in gone).strip()
    return bodies, [line for line in running.values() if any(map(str.isalpha, line.text))]


class _Edge(NamedTuple):
    part: str
    at: int  # index of the line
    keys: tuple[str, ...]  # lines of other pages that share one of these are the same


def _edges(number: int, lines: list[str]) -> list[_Edge]:
    """The first and last lines of a page that has more than those; one of each where it is short."""
    filled = [at for at, line in enumerate(lines) if line.strip()]
    deep = _EDGE if len(filled) > 2 * _EDGE else 1 if len(filled) > 2 else 0
    found = []
    for part, edge in (("header", filled[:deep]), ("footer", filled[::-1][:deep])):
        for depth, at in enumerate(edge):
            line = lines[at].strip()
            if len(line) <= _LONGEST:
                found.append(_Edge(part, at, (line, *(_counting(number, line) if depth == 0 else ()))))
    return found


def _counting(number: int, line: str) -> list[str]:
    """The outermost line without its page number, for each number in it that may be one: what is left must be the same
    on all pages, and so must be how far the number is from the page's."""
    words = re.findall(r"[^\W\d_]+", _PAGE_WORDS.sub("", line))
    anything = len(words) == 1 or (words and not (line[0].isdigit() or line[-1].isdigit()))
    if anything and not _PAGE_NUMBER.search(line):
        return []
    return [
        f"{line[: match.start()]}\x00{int(match[0]) - number}\x00{line[match.end() :]}"
        for match in list(_NUMBER.finditer(line))[:4]
    ]
