"""Lines that stand at the top or bottom of many pages: titles, page numbers, "confidential". Each is kept once."""

from __future__ import annotations

import re
from collections import defaultdict
from typing import NamedTuple

_EDGE = 2  # lines at either end of a page that are looked at
_LEAST = 3  # pages on which the same line must stand
_SHARE = 0.3  # of all pages: left and right pages have titles of their own
_LONGEST = 120  # code points of such a line
# What stands beside a page's number, in many languages: "Page 3 of 9", "Seite 3 von 9". With one other word beside it
# a number that counts with the pages may be anything's ("Question 3"): then the line stays on its page. Several words
# with the number at either end are a running title: "The port of Lindau 17".
_PAGE_WORDS = re.compile(
    r"(?<![^\W\d_])(?:pages?|pgs?|pp?|of|seiten?|blatt|folio|von|s|sur|feuille|p[áa]gs?|p[áa]ginas?|folha|de|di|da|pagin[ae]|van|"
    r"str|strona|strana|stran[ay]?|stranica|z|ze|od|side|sida|sidan|sivu|av|af|lehekülg|lk|lappuse|lpp|no|puslapis|psl|iš|oldal|"
    r"sayfa|halaman|hal|dari|trang|страниц[аы]|стр|с|из|сторінка|стор|з|із|страна|от|σελίδα|σελ|από|עמוד|מתוך|صفحة|ص|من|صفحه|از|"
    r"पृष्ठ|का|পৃষ্ঠা|பக்கம்|หน้า|ที่|จาก)(?![^\W\d_])|[第页頁共总]|ページ|쪽|페이지",
    re.I,
)
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
    if len(words) == 1 or (words and not (line[0].isdigit() or line[-1].isdigit())):
        return []
    return [
        f"{line[: match.start()]}\x00{int(match[0]) - number}\x00{line[match.end() :]}"
        for match in list(_NUMBER.finditer(line))[:4]
    ]
