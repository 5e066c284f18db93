"""Where the sentences of a unit begin and end.

In: the text of one unit (a page, a row) and its languages. Out: sentences as code-point offsets without the white space
around them, each with the kind of border before it. Every character that is not white space lies in exactly one.
Besides sentencex's sentences, a border is: an empty line, a line that its author ended before it was full, a heading.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import regex
import sentencex

from labse_search.languages.identify import BLOCK
from labse_search.records import UNKNOWN_LANGUAGE

# Stands where half of a surrogate pair stood, which no encoder takes: white space that nothing reaches across.
HOLE = "\x1f"

# The border before a sentence, weakest first. MUST: no segment reaches across.
SENTENCE, LINE, PARAGRAPH, MUST = range(4)

AT_ONCE = 2048  # code points in one question to sentencex 1.0.32, which is quadratic in lines without a space
MAX_CODE_POINTS = 1600  # of a sentence: past any sentence that was written as one; bounds the tokeniser's memory
LONGEST_CHARACTER = 64  # code points that a person may see as one: emoji families take 11, stacked marks some more
NARROW = 30  # columns: nobody wraps text so narrow, so every line end is meant
WIDE = 120  # columns: nor so wide
FIRST_WORD = 12  # code points at most that must fit on a line; Thai has no spaces to tell
HEADING = 80  # code points at most in a heading
HEADINGS = 2  # in a row, at most, that nothing marks: more short paragraphs are a list, whose items say something

_VISIBLE = re.compile(r"\S")
_BLANK_LINES = re.compile(r"\n[^\S\n]*(?:\n[^\S\n]*)+")
_ITEM = re.compile(r"[^\S\n]*(?:[-*•‣–—]\s|#{1,6}\s|\(?(?:\d{1,3}|[a-zA-Z])[.)]\s)")
# A number that counts the word behind it, as in dates: "6. joulukuuta", "3. Oktober 1990". Georgian has no capitals.
_ORDINAL = regex.compile(r"[^\S\n]*\d{1,3}\.\s+(?:(?!\p{Georgian})\p{Ll}|\p{L}+\s+\d{4}\b)")
# What stands alone before the words of a section or an item: "6.", "4.2", "§ 4", "a)", "(iii)", "第3条", "٣."
_ENUMERATOR = regex.compile(
    r"\(?(?:\d{1,3}(?:\.\d{1,2})*|[ivxIVX]{1,5}|\p{L})[.)]"
    r"|\d{1,3}(?:\.\d{1,2})+|§+\s?\d{1,3}\p{L}?\.?|第\w{1,5}[条條章節节]"
)
# The number of a section whose title follows.
_NUMBERED = regex.compile(
    r"(?:\d{1,3}(?:\.\d{1,2})*\.|\d{1,3}(?:\.\d{1,2})+|§+\s?\d{1,3}\p{L}?\.?|第\w{1,5}[条條章節节])\s"
)
LONGEST_ENUMERATOR = 20  # code points, with white space around it
_MARKED_HEADING = re.compile(r"#{1,6}\s")
_ROW = re.compile(r"\S\s\|\s")  # as readers join the cells of a table, whose headings they mark
_FIELD = re.compile(r"\w[^\S\n]?[:：=]\s*\S")
_FULL_STOP = tuple(".!?…。！？।॥؟")
_CLOSING = "\"'”’»)）」』"
_TERMINAL = tuple(".!?:;,…。！？；：、，।॥။።؟،؛")
_HAN = "\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\U00020000-\U0003ffff"
_WRAPS_ANYWHERE = re.compile(rf"[{_HAN}\u3040-\u30ff]")
_CLUSTER = regex.compile(r"\X")
# Abbreviations that end no sentence and that sentencex 1.0.32 does not know, without their last dot: titles, streets,
# firms. Of all languages together, since addresses tell little of theirs; without those that often end sentences.
_BEFORE_WORDS = frozenset(
    "M Mme Mw Dr St Dipl Dña mevr dl dna Tn Bpk ThS TS Av Sn Doç г-н д-р د أ أ.د ص ص.ب डॉ श्री "
    "Mah Cad Sok Bul Apt San Tic bd bul str ul pl św tř просп пл ул οδ λεωφ Λεωφ Jl Jln Gg TP רח".split()
)
# The same of what has a number: these end no sentence only where a digit follows.
_BEFORE_NUMBERS = frozenset(
    "No no Nr nr N n Apt apt approx Approx aprox ca Kfz kl Kl godz pag Pag p Tel tel Tlf tlf tél Puh puh "
    "рис Тел тел бр br αρ τηλ Τηλ".split()
)
_EXTENDER = regex.compile(r"[\p{Grapheme_Extend}\p{Emoji_Modifier}\p{Mc}\u200d\u0e33\u0eb3]")
_CUTS = (
    regex.compile(r"\n+"),
    regex.compile(r"[.!?…:;,؛،।॥။](?:[\"'’”»)\]]*)\s+|[、，；：。！？]+[」』）”]*|\s[–—-]\s"),
    regex.compile(r"\s+"),
)


class Sentence(NamedTuple):
    """A sentence of a text, in code points."""

    start: int
    end: int
    border: int  # before it: SENTENCE, LINE, PARAGRAPH or MUST
    heading: bool  # belongs to what follows
    language: str


@dataclass(frozen=True, slots=True)
class Block:
    """A stretch of one unit short enough for one language: a paragraph, a line, or a part of a long one."""

    start: int
    end: int
    continues: bool  # the paragraph goes on: no sentence needs to end here


def blocks(text: str, borders: Sequence[tuple[int, int]]) -> Iterator[Block]:
    """The stretches of a unit to tell the language of; they cover it without a gap."""
    start = 0
    for end in (*(at for at, _ in borders), len(text)):
        at = start
        while end - at > 2 * BLOCK:  # never a rest too short to tell
            space = text.find(" ", at + BLOCK, at + BLOCK + 50)
            cut = space if space > 0 else at + BLOCK
            yield Block(at, cut, True)
            at = cut
        if end > at:
            yield Block(at, end, False)
        start = end


def line_borders(text: str) -> list[tuple[int, int]]:
    """(code point, LINE or PARAGRAPH) of the line ends that are borders; wrapped lines are not."""
    if "\n" not in text:
        return []
    borders = {match.end(): PARAGRAPH for match in _BLANK_LINES.finditer(text)}
    lines = text.split("\n")
    lengths = sorted(len(line.rstrip()) for line in lines if line.strip()) or [0]
    # The column where the text is wrapped; one over-long link does not move it.
    width = lengths[len(lengths) * 9 // 10]
    at = 0
    for line, following in zip(lines, lines[1:], strict=False):
        at += len(line) + 1
        if at in borders or not following.strip():
            continue
        if _MARKED_HEADING.match(line) or _MARKED_HEADING.match(following):
            borders[at] = PARAGRAPH
        elif not NARROW <= width <= WIDE or _is_item(following) or _had_room(line, following, width):
            borders[at] = LINE
    return sorted(borders.items())


def _is_item(text: str, at: int = 0) -> bool:
    """Whether an item of a list, or a numbered section, begins here."""
    return _ITEM.match(text, at) is not None and not _ORDINAL.match(text, at)


def with_headings(
    borders: list[tuple[int, int]], headings: Sequence[tuple[int, int]], text: str
) -> list[tuple[int, int]]:
    """The borders, with one before and one after each heading that the reader of the file knows."""
    if not headings:
        return borders
    found = dict(borders)
    for start, end in headings:
        following = _VISIBLE.search(text, end)
        for at in (start, following.start() if following else 0):
            if at > 0:
                found[at] = PARAGRAPH
    return sorted(found.items())


def marked(found: Sequence[Sentence], headings: Sequence[tuple[int, int]]) -> list[Sentence]:
    """The sentences; those inside a known heading are headings."""
    if not headings:
        return list(found)
    starts = [start for start, _ in headings]

    def is_heading(sentence: Sentence) -> bool:
        at = bisect_right(starts, sentence.start) - 1
        return at >= 0 and sentence.end <= headings[at][1]

    return [sentence._replace(heading=True) if is_heading(sentence) else sentence for sentence in found]


def _had_room(line: str, following: str, width: int) -> bool:
    """Whether the next line's first word would have fitted: then the author wanted the line to end."""
    following = following.lstrip()
    word = 2 if _WRAPS_ANYWHERE.match(following) else min(len(following.split(None, 1)[0]), FIRST_WORD)
    return len(line.rstrip()) + 1 + word <= width


def sentences(
    text: str,
    lines: Sequence[tuple[int, int]],
    unit_blocks: Sequence[Block],
    languages: Sequence[str],
) -> list[Sentence]:
    """The sentences of one unit. `lines`: line_borders(text); `languages`: one for each block."""
    if not text or text.isspace():
        return []
    borders = dict.fromkeys(_sentence_ends(text, unit_blocks, languages), SENTENCE)
    borders = {at: border for at, border in borders.items() if not _EXTENDER.match(text, at)}
    borders.update(lines)
    borders = {at: border for at, border in borders.items() if border == PARAGRAPH or not _goes_on(text, at, border)}
    if HOLE in text:
        borders.update((match.end(), MUST) for match in re.finditer(HOLE, text))
    found = _spans(text, borders, [block.start for block in unit_blocks], languages)
    return list(_with_headings(text, found))


def _goes_on(text: str, at: int, border: int) -> bool:
    """Whether the dot before a border ends no sentence: it is that of an enumerator, or of an abbreviation."""
    before = text[max(0, at - LONGEST_ENUMERATOR) : at].rstrip()
    line = before.rpartition("\n")[2].strip()
    if ("\n" in before or at <= LONGEST_ENUMERATOR) and _ENUMERATOR.fullmatch(line):
        return True
    if border == LINE or not before.endswith("."):
        return False
    word = line.split()[-1].lstrip("([\"'„“«").removesuffix(".")
    following = _VISIBLE.search(text, at)
    return word in _BEFORE_WORDS or word in _BEFORE_NUMBERS and following is not None and following[0].isdigit()


def _sentence_ends(text: str, unit_blocks: Sequence[Block], languages: Sequence[str]) -> Iterator[int]:
    """sentencex's borders; each stretch of one language is asked for in whole paragraphs."""
    start = 0
    for i, block in enumerate(unit_blocks):
        last = i + 1 == len(unit_blocks)
        if last or not block.continues and languages[i + 1] != languages[i]:
            yield from _ends_in(text, start, block.end, languages[i])
            start = block.end


def _ends_in(text: str, start: int, end: int, language: str) -> Iterator[int]:
    """sentencex's borders in text[start:end], asked for AT_ONCE code points at a time."""
    while start < end:
        upto = min(start + AT_ONCE, end)
        paragraph = text.rfind("\n\n", start, upto) + 2
        upto = paragraph if paragraph > start + 2 and upto < end else upto
        ends = [
            start + sentence["end_index"] for sentence in sentencex.get_sentence_boundaries(language, text[start:upto])
        ]
        if upto not in (paragraph, end):
            ends = ends[:-1]  # the last sentence goes on: asked for again, from its beginning
        yield from ends
        start = ends[-1] if ends else upto


def _spans(text: str, borders: dict[int, int], starts: list[int], languages: Sequence[str]) -> Iterator[Sentence]:
    """The stretches between borders, without white space at their ends, none longer than MAX_CODE_POINTS."""
    start, pending, before = 0, SENTENCE, UNKNOWN_LANGUAGE
    borders[len(text)] = MUST
    for end, border in sorted(borders.items()):
        piece = text[start:end]
        left = start + len(piece) - len(piece.lstrip())
        right = start + len(piece.rstrip())
        if left < right:
            language = languages[max(0, bisect_right(starts, (left + right) // 2) - 1)]
            if pending == MUST or UNKNOWN_LANGUAGE not in (before, language) and language != before:
                pending, before = MUST, UNKNOWN_LANGUAGE
            for a, b in _short(text, left, right):
                yield Sentence(a, b, pending, False, language)
                pending = SENTENCE
            pending, before = border, before if language == UNKNOWN_LANGUAGE else language
        else:
            pending = max(pending, border)
        start = end


def _short(text: str, start: int, end: int) -> Iterator[tuple[int, int]]:
    if end - start <= MAX_CODE_POINTS:
        yield start, end
        return
    parts = -(-(end - start) // (MAX_CODE_POINTS * 3 // 4))  # room for a good cut
    yield from cut(text, start, end, [start + (end - start) * part // parts for part in range(1, parts)])


def cut(text: str, start: int, end: int, ideal: Sequence[int]) -> list[tuple[int, int]]:
    """The stretch cut near the ideal places, at line ends, clauses, spaces, or at worst between two characters.

    A character is what a person sees as one: marks and joined emoji stay whole, unless one alone fills a part.
    """
    pieces = []
    at = start
    for here, following in zip(ideal, (*ideal[1:], end), strict=True):
        here = max(here, at + 1)
        slack = min(here - at, following - here) * 2 // 5
        place = _best_cut(text, at, here, slack, end)
        if at < place < end:
            pieces.append((at, place))
            at = place
    pieces.append((at, end))
    stripped = [(a + len(text[a:b]) - len(text[a:b].lstrip()), a + len(text[a:b].rstrip())) for a, b in pieces]
    return [(a, b) for a, b in stripped if a < b]


def _best_cut(text: str, at: int, ideal: int, slack: int, end: int) -> int:
    low, high = max(at + 1, ideal - slack), min(end - 1, ideal + slack)
    for pattern in _CUTS:
        places: list[int] = [match.end() for match in pattern.finditer(text, low, high)]
        places = [place for place in places if not _EXTENDER.match(text, place)]
        if places:
            return min(places, key=lambda place: abs(place - ideal))
    return _between_characters(text, at, ideal, min(end, high + LONGEST_CHARACTER))


def _between_characters(text: str, at: int, ideal: int, end: int) -> int:
    """The first border of a character from `ideal` on; `ideal` itself where one character fills all up to `end`."""
    if text[ideal - 1].isalnum() and _CLUSTER.match(text, ideal - 1).end() == ideal:
        return ideal  # the common case, decided by two letters; only marks and emoji need a run-up
    # A slice: where flags stand in a row, \X looks back over all of them for each.
    ends: Iterator[int] = (at + match.end() for match in _CLUSTER.finditer(text[at:end]))
    return next((place for place in ends if ideal <= place < end), ideal)


def _with_headings(text: str, found: Iterator[Sentence]) -> Iterator[Sentence]:
    """The sentences with their headings known: marked ones, one or two short paragraphs of one line without an end mark
    that stand before others, and such a line above the text of its own paragraph."""
    short: list[Sentence] = []  # in a row; what they are is known when something else follows
    every = list(found)
    for number, sentence in enumerate(every):
        before = number == 0 or sentence.border >= PARAGRAPH
        after = number + 1 == len(every) or every[number + 1].border == PARAGRAPH
        if _MARKED_HEADING.match(text, sentence.start):
            yield from _told_apart(text, short)
            yield sentence._replace(heading=True)
            short = []
        elif before and after and _is_short(text, sentence):
            short.append(sentence)
        elif before and _is_short(text, sentence) and _is_title(text, every, number):
            yield from _told_apart(text, short)
            yield sentence._replace(heading=True)
            short = []
        else:
            yield from _told_apart(text, short)
            yield sentence
            short = []
    if short:  # nothing follows the last one, so it heads nothing
        *earlier, last = _told_apart(text, short)
        yield from earlier
        yield last._replace(heading=False)


def _told_apart(text: str, short: Sequence[Sentence]) -> Iterator[Sentence]:
    """Short paragraphs in a row: headings, if they are few and no list of fields such as "Telephone: 123"."""
    fields = sum(_FIELD.search(text, sentence.start, sentence.end) is not None for sentence in short)
    heading = len(short) <= HEADINGS and fields < HEADINGS
    return (sentence._replace(heading=heading) for sentence in short)


def _is_title(text: str, every: Sequence[Sentence], number: int) -> bool:
    """Whether a short line that begins a paragraph names what the rest of it says. One with a number does, unless
    another one follows, as in a list; one without, where the text is longer than it and has sentences, which a poem, a
    list and an address have not."""
    title, following = every[number], every[number + 1]
    if following.border != LINE or _FIELD.search(text, title.start, title.end):
        return False
    says = text[following.start : following.end].rstrip(_CLOSING)
    if says[:1].islower():  # the line goes on
        return False
    level = _level(text, title)
    if level:
        return level not in (_level(text, one) for one in _of_paragraph(every, number + 1))
    longer = following.end - following.start >= 2 * (title.end - title.start)
    return longer and says.endswith(_FULL_STOP) and not _is_item(text, title.start)


def _of_paragraph(every: Sequence[Sentence], number: int) -> Iterator[Sentence]:
    """The sentences from `number` to the end of their paragraph."""
    while number < len(every) and every[number].border < PARAGRAPH:
        yield every[number]
        number += 1


def _level(text: str, sentence: Sentence) -> str:
    """Of the number of a section that it begins with, without its digits: 4.2 lies below 4; "" if it has none."""
    found = _NUMBERED.match(text, sentence.start, sentence.end)
    if found is None or _ORDINAL.match(text, sentence.start, sentence.end):
        return ""
    return re.sub(r"\w+", "1", found[0].strip().removesuffix("."))


def ends_a_sentence(text: str, sentence: Sentence) -> bool:
    """Whether it ends with a mark that ends sentences or announces the next."""
    return text.startswith(_TERMINAL, sentence.end - 1)


def _is_short(text: str, sentence: Sentence) -> bool:
    """Whether it is one line, no longer than a heading, that neither ends a sentence nor is a row of a table."""
    line = text[sentence.start : sentence.end]
    plain = "\n" not in line and not ends_a_sentence(text, sentence) and any(map(str.isalpha, line))
    return len(line) <= HEADING and plain and not _ROW.search(line)
