"""The text of a PDF page put together from the places of its glyphs, where the order in the file is not the one to read
in: right-to-left pages and phrases, columns that were painted row by row, tables painted column by column, vertical
lines."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import pairwise

from indexer.read.clean import join_surrogates

RTL = re.compile("[\u0590-\u08ff\ufb1d-\ufdff\ufe70-\ufefc]")
_WORD_GAP = 0.24  # em: spaces are 0.25 and more, the air between unjoined letters was up to 0.18
_NARROW = 0.19  # em: the least that was seen for a space, in Urdu
_HAIR = 0.08  # em: less than this is no gap
_NEAR = 0.8  # em: how far from its gap a space without a width was found
_GUTTER = 1.2  # em: the least between two columns
_PROSE = 15  # characters of a line at least, on average: less is a table's column, not running text
_SHORT = 24  # characters of a table's cell at most, on average
_FULL = 0.55  # of its column's width that a line of prose fills, on average


@dataclass(frozen=True, slots=True)
class Glyph:
    """One character and its place on the page, in points; y grows upwards."""

    text: str
    left: float
    right: float
    origin: float  # x at which it is drawn
    baseline: float  # y
    size: float  # of the font: one em
    index: int  # order in the file


Line = list[Glyph]


def reading_order(glyphs: Sequence[Glyph], *, rtl: bool = True) -> str:
    """The text of a page, column by column where it has columns; `rtl`: its main direction is right to left."""
    blocks = columns(glyphs, rtl=rtl)
    lines = [_line_text(line) for block in blocks for line in block]
    return join_surrogates("\n".join(line for line in lines if line))


def columns(glyphs: Sequence[Glyph], *, rtl: bool, depth: int = 0) -> list[list[Line]]:
    """Lines of running text, column after column, the first one first. A line that reaches over the gap between two
    columns (a title, a caption) ends them: what is below it begins anew."""
    lines = _lines(glyphs)
    gutter = _gutter(lines) if depth < 4 else None
    if gutter is None:
        return [lines]
    blocks: list[list[Line]] = []
    left: list[Glyph] = []
    right: list[Glyph] = []

    def close() -> None:
        for side in (right, left) if rtl else (left, right):
            if side:
                blocks.extend(columns(side, rtl=rtl, depth=depth + 1))
        left.clear()
        right.clear()

    for line in lines:
        if any(glyph.left < gutter < glyph.right or _bridges(line, gutter) for glyph in line[:1]):
            close()
            blocks.append([line])
            continue
        left += [glyph for glyph in line if glyph.right <= gutter]
        right += [glyph for glyph in line if glyph.right > gutter]
    close()
    return blocks


def _bridges(line: Line, gutter: float) -> bool:
    """Whether a line's words reach over this x without a gap."""
    solid = sorted((glyph for glyph in line if not glyph.text.isspace()), key=lambda glyph: glyph.left)
    for before, after in pairwise(solid):
        if before.right <= gutter <= after.left:
            return after.left - before.right < _GUTTER * max(before.size, after.size) * 0.8
    return any(glyph.left < gutter < glyph.right for glyph in solid)


def pieces(line: Line) -> list[Line]:
    """A line cut at gaps as wide as those between columns, from left to right."""
    solid = sorted((glyph for glyph in line if not glyph.text.isspace()), key=lambda glyph: glyph.left)
    found: list[Line] = []
    for glyph in solid:
        if found and glyph.left - max(one.right for one in found[-1][-3:]) <= _GUTTER * glyph.size:
            found[-1].append(glyph)
        else:
            found.append([glyph])
    return found


def _gutter(lines: Sequence[Line]) -> float | None:
    """The x of a gap between two columns of running text; None if there is none."""
    cut = [found for line in lines if len(found := pieces(line)) > 1]
    gaps = sorted(((a[-1].right, b[0].left) for found in cut for a, b in pairwise(found)), key=lambda gap: gap[0])
    best, most = None, 3
    for left, _ in gaps:
        x = left + 0.1
        over = [gap for gap in gaps if gap[0] <= x <= gap[1]]
        if len(over) > most:
            best, most = (max(gap[0] for gap in over) + min(gap[1] for gap in over)) / 2, len(over)
    if best is None:
        return None
    for side in (0, 1):
        rows = [
            [glyph for glyph in line if (glyph.left >= best) == bool(side)]
            for line in lines
            if not _bridges(line, best)
        ]
        rows = [row for row in rows if row]
        if len(rows) < 4 or not _is_prose(rows):
            return None
    return best


def _is_prose(rows: Sequence[Line]) -> bool:
    """Long lines that fill their column, but for the last of a paragraph."""
    letters = [sum(1 for glyph in row if not glyph.text.isspace()) for row in rows]
    if sum(letters) / len(rows) < _PROSE:
        return False
    begin = min(glyph.left for row in rows for glyph in row)
    end = max(glyph.right for row in rows for glyph in row)
    reach = [max(glyph.right for glyph in row) - min(glyph.left for glyph in row) for row in rows]
    return sum(reach) / len(rows) >= _FULL * max(1.0, end - begin)


def _lines(glyphs: Sequence[Glyph]) -> list[Line]:
    """Glyphs of about the same baseline, from the top of the page down."""
    lines: list[Line] = []
    for glyph in sorted(glyphs, key=lambda glyph: -glyph.baseline):
        if lines and lines[-1][0].baseline - glyph.baseline <= 3:  # points: raised vowel marks, small shifts
            lines[-1].append(glyph)
        else:
            lines.append([glyph])
    return lines


def is_painted_row_by_row(glyphs: Sequence[Glyph]) -> bool:
    """Whether the lines of two columns follow each other across the gap in the file: then they must be sorted."""
    lines = _lines(glyphs)
    gutter = _gutter(lines)
    if gutter is None:
        return False
    across = beside = 0
    for line in lines:
        left = [glyph.index for glyph in line if glyph.right <= gutter]
        right = [glyph.index for glyph in line if glyph.left >= gutter]
        if left and right:
            beside += 1
            across += abs(min(right) - max(left)) <= 3 or abs(min(left) - max(right)) <= 3
    return beside > 3 and across * 2 > beside


def is_table(glyphs: Sequence[Glyph]) -> bool:
    """Whether most lines are short cells side by side, in three columns or with figures."""
    lines = _lines(glyphs)
    rows = [found for line in lines if len(found := pieces(line)) > 1]
    if len(rows) < 3 or len(rows) * 2 < len(lines) or _gutter(lines) is not None:
        return False
    cells = [cell for row in rows for cell in row]
    letters = sum(len(cell) for cell in cells) / len(cells)
    figures = sum(any(glyph.text.isdigit() for glyph in cell) for cell in cells) / len(cells)
    many = sum(len(row) > 2 for row in rows) * 2 > len(rows)
    return letters < _SHORT and (many or figures > 0.25)


def rows_text(glyphs: Sequence[Glyph]) -> str:
    """The page line by line, cells of a table with a bar between them."""
    lines = [" | ".join(text for piece in pieces(line) if (text := _line_text(piece))) for line in _lines(glyphs)]
    return join_surrogates("\n".join(line for line in lines if line))


# Vertical writing: from the top down, the next line to the left.

_CJK = re.compile("[\u3000-\u30ff\u3400-\u9fff\uf900-\ufaff\uff00-\uffef]")


def is_vertical(glyphs: Sequence[Glyph]) -> bool:
    """Whether most letters stand below the one before."""
    steps = [(b.origin - a.origin, a.baseline - b.baseline, a.size) for a, b in pairwise(glyphs) if _CJK.match(b.text)]
    down = sum(1 for x, y, size in steps if abs(x) < 0.3 * size and 0.4 * size < y < 2.5 * size)
    return down >= 4 and down * 2 > len(steps)


def vertical_order(glyphs: Sequence[Glyph]) -> str:
    """The text of a page of vertical lines, the right one first; where they stand in tiers, the upper tier first."""
    turned = [
        Glyph(
            glyph.text,
            -glyph.baseline - glyph.size * 0.88,
            -glyph.baseline + glyph.size * 0.12,
            -glyph.baseline,
            (glyph.left + glyph.right) / 2,
            glyph.size,
            glyph.index,
        )
        for glyph in glyphs
    ]
    text = reading_order(turned, rtl=False)
    return re.sub(f"(?<={_CJK.pattern}) (?={_CJK.pattern})", "", text)


# Digits and Latin words run left to right inside a right-to-left line.
_DIGITS = "0-9\u0660-\u0669\u06f0-\u06f9"
_LATIN = "A-Za-z\u00c0-\u024f\u0370-\u052f"
_LTR_RUN = re.compile(f"[{_DIGITS}{_LATIN}](?:[{_DIGITS}{_LATIN}.,:/%@&+'\u066b\u066c_ -]*[{_DIGITS}{_LATIN}])?")
_RTL_LETTERS = RTL.pattern[1:-1]
_RTL_RUN = re.compile(f"[{_RTL_LETTERS}](?:[^{_LATIN}\n]*[{_RTL_LETTERS}])?")


def phrases_in_order(text: str, glyphs: Sequence[Glyph]) -> str:
    """A left-to-right page's text with its right-to-left phrases as they are read, where their words came in the order
    in which they are painted."""
    right: dict[str, str] = {}
    for line in _lines(glyphs):
        if any(RTL.match(glyph.text) for glyph in line):
            line.sort(key=lambda glyph: (glyph.origin, glyph.index))
            painted = _spaced(line, lambda before, after: (before.right, after.left))
            for run in _RTL_RUN.findall(painted):
                phrase = _right_brackets(_LTR_RUN.sub(lambda part: part[0][::-1], run[::-1]))
                right["".join(sorted("".join(phrase.split())))] = phrase

    def ordered(run: re.Match[str]) -> str:
        phrase = right.get("".join(sorted("".join(run[0].split()))))
        return phrase if phrase is not None and " " in run[0] else run[0]

    return _RTL_RUN.sub(ordered, text)


def _line_text(line: Line) -> str:
    if any(RTL.match(glyph.text) for glyph in line):
        # Letters of one ligature have one origin: the first of them ends further right.
        line.sort(key=lambda glyph: (-round(glyph.origin, 1), -glyph.right, glyph.index))
        text = _spaced(line, lambda before, after: (after.right, before.left))
        return _right_brackets(_LTR_RUN.sub(lambda run: run[0][::-1], text))
    line.sort(key=lambda glyph: (glyph.origin, glyph.index))
    return _spaced(line, lambda before, after: (before.right, after.left))


def _spaced(line: Line, between: Callable[[Glyph, Glyph], tuple[float, float]]) -> str:
    """The line's characters, with spaces where words end: at space characters, and in gaps as wide as a space.

    Programs that join letters write spaces without a width, somewhere beside their gap: each goes into the gap that
    is nearest.
    """
    em = max(glyph.size for glyph in line) or 1.0
    solid = [glyph for glyph in line if not _is_thin_space(glyph, em)]
    gaps = [between(before, after) for before, after in pairwise(solid)]
    spaces = {n for n, (left, right) in enumerate(gaps) if right - left > _WORD_GAP * em}
    for glyph in line:
        if _is_thin_space(glyph, em):
            spaces |= _nearest_gap(glyph.origin, gaps, em)
    text = "".join(glyph.text + (" " if n in spaces else "") for n, glyph in enumerate(solid))
    return re.sub(r"[ \u00a0]+", " ", text).strip()


def _nearest_gap(x: float, gaps: list[tuple[float, float]], em: float) -> set[int]:
    """The gap that a space without a width belongs to: one as wide as a space if there is one near, else any."""
    near = [
        (right - left < _NARROW * em, distance, n)
        for n, (left, right) in enumerate(gaps)
        if right - left > _HAIR * em and (distance := max(left - x, x - right, 0)) < _NEAR * em
    ]
    return {min(near)[2]} if near else set()


def _is_thin_space(glyph: Glyph, em: float) -> bool:
    return glyph.text.isspace() and glyph.right - glyph.left <= 0.05 * em


_OPENING, _CLOSING = "([{«", ")]}»"
_MIRRORED = str.maketrans(_OPENING + _CLOSING, _CLOSING + _OPENING)
_LOOSE_SPACE = re.compile(r"(?<=[(\[{«]) | (?=[)\]}»])")


def _right_brackets(text: str) -> str:
    """Some fonts give the bracket that is painted, not the one that is meant: ")so("."""
    brackets = [character for character in text if character in _OPENING + _CLOSING]
    if brackets and brackets[0] in _CLOSING and brackets[-1] in _OPENING:
        text = text.translate(_MIRRORED)
    return _LOOSE_SPACE.sub("", text)
