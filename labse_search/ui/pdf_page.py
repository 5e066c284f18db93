"""One page of a PDF as a picture, with boxes around a passage.

PDFium parses strangers' files in C++ and is not thread-safe, so it runs in a child process with limits on memory and
time: `draw` starts `python -m labse_search.ui.pdf_page`, which reads its task from standard input and answers with one
line of JSON and the bytes of a PNG.
"""

from __future__ import annotations

import io
import json
import subprocess
import sys
import unicodedata
from dataclasses import dataclass
from pathlib import Path
from typing import Any

WIDTH = 1240  # pixels: 150 dots an inch on A4, sharp at the 820 CSS pixels of the viewer
MAX_HEIGHT = 4000
SECONDS = 20
MEMORY_BYTES = 1536 << 20

Box = tuple[float, float, float, float]  # left, top, width, height as shares of the page


@dataclass(frozen=True)
class PageImage:
    """A page of a PDF as a picture."""

    png: bytes
    width: int
    height: int
    pages: int
    boxes: tuple[Box, ...]  # around the passage, empty if it is not found on the page


def draw(path: Path, page: int, passage: str) -> PageImage | None:
    """The page (from 1) with boxes around `passage`; None if it cannot be drawn within the limits."""
    task = json.dumps({"path": str(path), "page": page, "passage": passage})
    command = [sys.executable, "-m", "labse_search.ui.pdf_page"]
    root = Path(__file__).resolve().parents[2]
    try:
        done = subprocess.run(command, input=task.encode(), capture_output=True, timeout=SECONDS, cwd=root)
    except subprocess.TimeoutExpired:
        return None
    if done.returncode:
        return None
    head, _, png = done.stdout.partition(b"\n")
    value = json.loads(head)
    boxes = tuple((box[0], box[1], box[2], box[3]) for box in value["boxes"])
    return PageImage(png, value["width"], value["height"], value["pages"], boxes)


def main() -> None:
    """The child process: one task as JSON on standard input, the picture as JSON on standard output."""
    _limit()
    task = json.load(sys.stdin)
    import pypdfium2

    document = pypdfium2.PdfDocument(task["path"])
    page = document[min(max(task["page"], 1), len(document)) - 1]
    width, height = page.get_size()
    scale = min(WIDTH / width, MAX_HEIGHT / height)
    picture = page.render(scale=scale).to_pil()
    png = io.BytesIO()
    picture.save(png, "PNG")
    boxes = [_share(box, page) for box in _boxes(page.get_textpage(), task["passage"])]
    head = {"width": picture.width, "height": picture.height, "pages": len(document), "boxes": boxes}
    sys.stdout.buffer.write(json.dumps(head).encode() + b"\n" + png.getvalue())


def _limit() -> None:
    """Windows has no such limits; there the parent's timeout remains."""
    try:
        import resource
    except ImportError:
        return
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY_BYTES, MEMORY_BYTES))
    resource.setrlimit(resource.RLIMIT_CPU, (SECONDS, SECONDS))


def _boxes(textpage: Any, passage: str) -> list[Box]:
    """Rectangles (left, bottom, right, top in points) around the passage, one a line.

    Text is compared without spaces and hyphens, because extraction mends both. Right-to-left text that the reader put
    into reading order may stand in another order on the page: then word by word, where most words are found.
    """
    letters, at = _letters([textpage.get_text_range(index, 1) for index in range(textpage.count_chars())])
    wanted = _plain(passage)
    start = letters.find(wanted) if wanted else -1
    if start >= 0:
        return _bands(_rectangles(textpage, at[start], at[start + len(wanted) - 1]))  # PDFium's are one a glyph
    words = [word for word in map(_plain, passage.split()) if len(word) > 2]
    spans = [(letters.find(word), len(word)) for word in words if letters.count(word) == 1]
    spans += [(letters.find(word[::-1]), len(word)) for word in words if word not in letters and word[::-1] in letters]
    if not words or len(spans) < 0.5 * len(words):
        return []
    boxes = [box for first, length in spans for box in _rectangles(textpage, at[first], at[first + length - 1])]
    return _bands(boxes)


def _bands(boxes: list[Box]) -> list[Box]:
    """One rectangle a line, from the first piece found on it to the last."""
    bands: list[Box] = []
    for left, bottom, right, top in sorted(boxes, key=lambda box: -box[3]):
        if bands and (bottom + top) / 2 > bands[-1][1]:  # its middle lies inside the line above
            x0, y0, x1, y1 = bands.pop()
            bands.append((min(left, x0), min(bottom, y0), max(right, x1), max(top, y1)))
        else:
            bands.append((left, bottom, right, top))
    return bands


def _letters(characters: list[str]) -> tuple[str, list[int]]:
    """The page's letters in plain form, and for each the index of its character."""
    letters, at = [], []
    for index, character in enumerate(characters):
        for letter in _plain(character):
            letters.append(letter)
            at.append(index)
    return "".join(letters), at


def _plain(text: str) -> str:
    normal = unicodedata.normalize("NFKC", text)
    return "".join(letter for letter in normal if not letter.isspace() and letter not in "-\u00ad\u2010\ufffe\0")


def _rectangles(textpage: Any, first: int, last: int) -> list[Box]:
    count = textpage.count_rects(first, last - first + 1)
    return [textpage.get_rect(index) for index in range(count)]


def _share(box: Box, page: Any) -> Box:
    """Points from the bottom left → shares of the drawn page from the top left. Rotated pages are drawn upright."""
    left, bottom, right, top = box
    x0, y0, x1, y1 = page.get_bbox()
    width, height = x1 - x0, y1 - y0
    corners = {
        0: ((left - x0) / width, (y1 - top) / height, (right - x0) / width, (y1 - bottom) / height),
        90: ((bottom - y0) / height, (left - x0) / width, (top - y0) / height, (right - x0) / width),
        180: ((x1 - right) / width, (bottom - y0) / height, (x1 - left) / width, (top - y0) / height),
        270: ((y1 - top) / height, (x1 - right) / width, (y1 - bottom) / height, (x1 - left) / width),
    }[page.get_rotation()]
    a, b, c, d = corners
    return (round(a, 5), round(b, 5), round(c - a, 5), round(d - b, 5))


if __name__ == "__main__":
    main()
