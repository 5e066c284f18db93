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
    "\u3400-\u4dbf\u4e00-\u9fff\ua960-\ua97f\uaa60-\uaa7f\uac00-\ud7ff\uf900-\ufaff"
)
_UNSPACED_BEYOND = "\U00020000-\U0003fffd"
_LAST_OF_PLANE_0 = "\uffff"
_ASCII_WORD = re.compile("[a-z0-9]+(?:'[a-z0-9]+)*")  # what `_runs` finds in text that is folded, 5 × faster
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
    counts: list[int] = []
    words_in: list[int] = []
    terms_in: list[int] = []
    for text in texts:
        folded = _folded(text)
        found = _words(folded)
        words_in.append(len(found))
        if not folded.isascii():
            found += _IDEOGRAPH.findall(folded)
        counted = Counter(map(term, found))
        terms.extend(counted)
        counts.extend(counted.values())
        terms_in.append(len(counted))
    lengths = np.repeat(K1 * (1 - B + B * np.array(words_in, np.float64) / AVERAGE_WORDS), terms_in)
    counted_as = np.array(counts, np.float64)
    weights = counted_as * (K1 + 1) / (counted_as + lengths)
    offsets = np.concatenate([[0], np.cumsum(terms_in)])
    return SparseRows(np.array(terms, np.uint32), weights.astype(np.float32), offsets.astype(np.uint32))


def query_terms(text: str) -> list[int]:
    """The distinct terms of a question; each weighs 1."""
    return list(dict.fromkeys(term(word) for word in words(text)))


def words(text: str) -> list[str]:
    """All words of the text in order, repeated as they repeat: "Der Hut, der Hut" → der hut der hut."""
    return _words(_folded(text))


def _words(folded: str) -> list[str]:
    if folded.isascii():
        return _ASCII_WORD.findall(folded)
    found: list[str] = []
    beyond = max(folded) > _LAST_OF_PLANE_0
    for match in _runs(beyond).finditer(folded):
        run = match.group()
        if match.lastgroup == "unspaced":
            letters = _letters(beyond).findall(run)
            found += [a + b for a, b in zip(letters, letters[1:], strict=False)] or letters
        else:
            found.append(run)
    return found


def term(word: str) -> int:
    """A number that is the same in every process, version and machine. Two of a million words share one at ~1e-4."""
    return zlib.crc32(word.encode("utf-8", "surrogatepass"))


def _folded(text: str) -> str:
    return _OPTIONAL_MARKS.sub("", unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", text).casefold()))


# For text with a character beyond U+FFFF, or without: with such characters in it, `re` looks through a class one range
# after another instead of in a table, and takes twice as long.


@functools.cache
def _runs(beyond: bool) -> re.Pattern[str]:
    marks, unspaced = _marks(beyond), _UNSPACED + (_UNSPACED_BEYOND if beyond else "")
    word = rf"(?:(?![{unspaced}_])[\w{marks}])+(?:['’](?:(?![{unspaced}_])[\w{marks}])+)*"
    return re.compile(rf"(?P<unspaced>[{unspaced}]+)|(?P<word>{word})")


@functools.cache
def _letters(beyond: bool) -> re.Pattern[str]:
    """A character with the marks that sit on it, so that a Thai vowel sign is no letter of its own."""
    marks = _marks(beyond)
    return re.compile(rf"[^{marks}][{marks}]*|[{marks}]+")


@functools.cache
def _marks(beyond: bool) -> str:
    """Every combining mark as a character class: \\w leaves out the vowel signs of all Indic scripts."""
    ranges: list[list[int]] = []
    for code in range(0x300, 0x1EA00 if beyond else 0x10000):
        if unicodedata.category(chr(code)).startswith("M"):
            if ranges and ranges[-1][1] == code - 1:
                ranges[-1][1] = code
            else:
                ranges.append([code, code])
    return "".join(f"\\U{first:08x}-\\U{last:08x}" for first, last in ranges)
