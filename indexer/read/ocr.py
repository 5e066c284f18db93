"""Text in pictures, read by Tesseract where it is installed and switched on."""

from __future__ import annotations

import csv
import io
import re
import shutil
import subprocess
import time
from dataclasses import dataclass
from functools import lru_cache

import pypdfium2

from indexer.read.clean import clean

_DOTS_PER_INCH = 300  # what Tesseract was trained with
_MOST_PIXELS = 30_000_000  # of a page; larger ones are read at fewer dots
_PAGE_SECONDS = 40
_ALL_SECONDS = 100  # of one file: what is left of a long scan is named, so that its other pages are not lost
_UNSURE = 30  # words below this confidence (of 100) are noise on the paper
# The scripts of a document's other pages → what to read its scanned pages with.
_SCRIPTS = (
    (re.compile("[\u0400-\u04ff]"), ("rus", "ukr", "bul")),
    (re.compile("[\u0370-\u03ff]"), ("ell",)),
    (re.compile("[\u0590-\u05ff]"), ("heb",)),
    (re.compile("[\u0600-\u06ff]"), ("ara", "fas")),
    (re.compile("[\u0900-\u097f]"), ("hin",)),
    (re.compile("[\u0e00-\u0e7f]"), ("tha",)),
    (re.compile("[\u3040-\u30ff]"), ("jpn",)),
    (re.compile("[\uac00-\ud7af]"), ("kor",)),
    (re.compile("[\u4e00-\u9fff]"), ("chi_sim", "chi_tra")),
)


@dataclass(frozen=True)
class Recognized:
    """The text of a picture and how sure the recognition is of it."""

    text: str
    confidence: float  # mean of its words', 0 to 100


class Recognizer:
    """Reads pages of one file, for a limited time."""

    def __init__(self, program: str, languages: str) -> None:
        self._program = program
        self.languages = languages
        self._until = time.monotonic() + _ALL_SECONDS

    @classmethod
    def of(cls, wanted: str, neighbours: str) -> Recognizer | None:
        """`wanted`: "" is off, "auto" the languages of the document's other pages (`neighbours`) as far as they are
        installed, else Tesseract's own names ("deu+rus"). None if it is off or Tesseract is not there."""
        program = shutil.which("tesseract") if wanted else None
        if program is None:
            return None
        installed = _installed(program)
        chosen = [name for name in wanted.split("+") if name in installed] if wanted != "auto" else []
        if wanted == "auto":
            scripts = [names for pattern, names in _SCRIPTS if len(pattern.findall(neighbours)) > 20]
            chosen = [name for names in scripts for name in names if name in installed]
            latin = [name for name in installed if name not in {name for _, names in _SCRIPTS for name in names}]
            chosen += latin if not chosen or re.search("[a-z]{3} [a-z]{3}", neighbours) else []
        chosen = [name for name in chosen if name not in ("osd", "equ")][:4]
        return cls(program, "+".join(chosen)) if chosen else None

    def page(self, document: pypdfium2.PdfDocument, index: int) -> Recognized | None:
        """None if the time of the file is over, or Tesseract made nothing of the page."""
        left = self._until - time.monotonic()
        if left < 1:
            return None
        try:
            image = _painted(document, index)
            done = subprocess.run(
                [self._program, "stdin", "stdout", "-l", self.languages, "--psm", "3", "tsv"],
                input=image,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
                timeout=min(_PAGE_SECONDS, left),
                check=False,
            )
        except (subprocess.TimeoutExpired, OSError, pypdfium2.PdfiumError):
            return None
        return _words(done.stdout.decode("utf-8", "replace"))


@lru_cache(maxsize=4)
def _installed(program: str) -> tuple[str, ...]:
    done = subprocess.run([program, "--list-langs"], capture_output=True, timeout=20, check=False)
    return tuple(line.strip() for line in done.stdout.decode().splitlines()[1:] if line.strip())


def _painted(document: pypdfium2.PdfDocument, index: int) -> bytes:
    """The page as a grey picture (PGM)."""
    page = document[index]
    scale = _DOTS_PER_INCH / 72
    pixels = page.get_width() * page.get_height() * scale * scale
    scale *= min(1.0, (_MOST_PIXELS / max(1.0, pixels)) ** 0.5)
    bitmap = page.render(scale=scale, grayscale=True)
    try:
        rows = bytes(bitmap.buffer)
        width, height, stride = bitmap.width, bitmap.height, bitmap.stride
    finally:
        bitmap.close()
        page.close()
    if stride != width:
        rows = b"".join(rows[at : at + width] for at in range(0, stride * height, stride))
    return b"P5 %d %d 255\n" % (width, height) + rows[: width * height]


def _words(table: str) -> Recognized | None:
    """The lines and paragraphs of Tesseract's table of words."""
    paragraphs: dict[tuple[str, str], dict[str, list[str]]] = {}
    sure = []
    for row in csv.DictReader(io.StringIO(table), delimiter="\t", quoting=csv.QUOTE_NONE):
        text = (row.get("text") or "").strip()
        try:
            confidence = float(row.get("conf") or -1)
        except ValueError:
            continue
        if text and confidence >= _UNSURE:
            sure.append(confidence)
            lines = paragraphs.setdefault((row["block_num"], row["par_num"]), {})
            lines.setdefault(row["line_num"], []).append(text)
    if not sure:
        return None
    text = "\n\n".join("\n".join(" ".join(words) for words in lines.values()) for lines in paragraphs.values())
    return Recognized(clean(text), sum(sure) / len(sure))
