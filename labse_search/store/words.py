"""Text → words → weights of a sparse BM25 vector, for every script.

Words are runs of letters, marks and digits after NFKC and case folding. Scripts that do not put spaces between words
(Chinese, Japanese, Korean particles, Thai, Lao, Khmer, Burmese) give pairs of neighbouring characters instead; a
document also gives its single ideographs, so that a question of one character finds it. A term is a 32-bit number.
"""

from __future__ import annotations

import functools
import re
import unicodedata
import zlib
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

K1, B = 1.2, 0.75  # Robertson and Zaragoza 2009, section 3.5: the usual values
AVERAGE_WORDS = 60.0  # of a segment that fills a window of 128 tokens; a constant keeps a weight valid for ever

# Han, kana, bopomofo, Hangul, Thai, Lao, Burmese, Khmer: no spaces between words, or endings glued to the noun.
_UNSPACED = (
    "\u0e00-\u0eff\u1000-\u109f\u1100-\u11ff\u1780-\u17ff\u3005-\u3007\u3040-\u30ff\u3100-\u312f\u31f0-\u31ff"
    "\u3400-\u4dbf\u4e00-\u9fff\ua960-\ua97f\uaa60-\uaa7f\uac00-\ud7ff\uf900-\ufaff\U00020000-\U0003fffd"
)
_IDEOGRAPH = re.compile("[\u3005-\u3007\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\U00020000-\U0003fffd]")
# Vowel points of Hebrew and Arabic and the Arabic stretching line: written or not, it is the same word.
_OPTIONAL_MARKS = re.compile(
    "[\u0591-\u05bd\u05bf\u05c1\u05c2\u05c4\u05c5\u05c7\u0610-\u061a\u0640\u064b-\u065f\u0670]"
)


@dataclass(frozen=True)
class SparseRows:
    """One sparse vector per text: row i owns terms[offsets[i]:offsets[i + 1]] and the weights beside them."""

    terms: NDArray[np.uint32]
    weights: NDArray[np.float32]
    offsets: NDArray[np.uint32]  # (rows + 1,)

    def row(self, i: int) -> tuple[list[int], list[float]]:
        start, end = int(self.offsets[i]), int(self.offsets[i + 1])
        return self.terms[start:end].tolist(), self.weights[start:end].tolist()


def document_rows(texts: Sequence[str]) -> SparseRows:
    """The BM25 weights of each text's terms, without the IDF that the store multiplies in when it searches."""
    terms: list[int] = []
    weights: list[float] = []
    offsets = [0]
    for text in texts:
        found = words(text)
        length = K1 * (1 - B + B * len(found) / AVERAGE_WORDS)
        counts = Counter(term(word) for word in found)
        counts.update(term(character) for character in _ideographs(text))
        for number, count in counts.items():
            terms.append(number)
            weights.append(count * (K1 + 1) / (count + length))
        offsets.append(len(terms))
    return SparseRows(np.array(terms, np.uint32), np.array(weights, np.float32), np.array(offsets, np.uint32))


def query_terms(text: str) -> list[int]:
    """The distinct terms of a question; each weighs 1."""
    return list(dict.fromkeys(term(word) for word in words(text)))


def words(text: str) -> list[str]:
    """All words of the text in order, repeated as they repeat: "Der Hut, der Hut" → der hut der hut."""
    found: list[str] = []
    for match in _runs().finditer(_folded(text)):
        run = match.group()
        if match.lastgroup == "unspaced":
            letters = _letters().findall(run)
            found += [a + b for a, b in zip(letters, letters[1:], strict=False)] or letters
        else:
            found.append(run)
    return found


def term(word: str) -> int:
    """A number that is the same in every process, version and machine. Two of a million words share one at ~1e-4."""
    return zlib.crc32(word.encode("utf-8", "surrogatepass"))


def _folded(text: str) -> str:
    return _OPTIONAL_MARKS.sub("", unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", text).casefold()))


def _ideographs(text: str) -> list[str]:
    return _IDEOGRAPH.findall(_folded(text))


@functools.cache
def _runs() -> re.Pattern[str]:
    marks = _marks()
    word = rf"(?:(?![{_UNSPACED}_])[\w{marks}])+(?:['’](?:(?![{_UNSPACED}_])[\w{marks}])+)*"
    return re.compile(rf"(?P<unspaced>[{_UNSPACED}]+)|(?P<word>{word})")


@functools.cache
def _letters() -> re.Pattern[str]:
    """A character with the marks that sit on it, so that a Thai vowel sign is no letter of its own."""
    return re.compile(rf"[^{_marks()}][{_marks()}]*|[{_marks()}]+")


@functools.cache
def _marks() -> str:
    """Every combining mark as a character class: \\w leaves out the vowel signs of all Indic scripts."""
    ranges: list[list[int]] = []
    for code in range(0x300, 0x1EA00):
        if unicodedata.category(chr(code)).startswith("M"):
            if ranges and ranges[-1][1] == code - 1:
                ranges[-1][1] = code
            else:
                ranges.append([code, code])
    return "".join(f"\\U{first:08x}-\\U{last:08x}" for first, last in ranges)
