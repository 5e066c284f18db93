"""What sits at the very top of mined pairs and is no translation: copies, other numbers, scraps, the wrong language.

Users of margin mining meet it in every corpus: the highest scores are the worst pairs (LASER issues 129 and 198).
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from labse_search.languages import canonical
from labse_search.languages.repack import load_identifier

WORD = re.compile(r"[^\W\d_]+")
NUMBER = re.compile(r"\d+(?:[.,\u066b\u066c '’\u00a0\u202f]?\d+)*")
SAME_WORDS = 0.9  # share of words in common from which two texts are copies; untested guess
LENGTH_OFFSET = 10  # characters added to both lengths, so that "Yes." against "Natürlich." is no outlier
SURE_LANGUAGE = 0.9  # probability; below that the detector guesses
SHORTEST_FOR_LANGUAGE = 20  # letters: on shorter text py3langid is wrong too often to drop a sentence for it
CANDIDATES_FOR_MEDIAN = 20  # pairs needed to know how much longer one language writes than the other


@dataclass(frozen=True)
class FilterRules:
    """Which pairs are dropped."""

    max_length_ratio: float = 3.0  # how far a pair's length ratio may be from the usual one; 0: any
    drop_copies: bool = True
    drop_other_numbers: bool = True
    max_score: float = float("inf")


def drop_reasons(
    sources: Sequence[str], targets: Sequence[str], scores: Iterable[float], rules: FilterRules | None = None
) -> list[str]:
    """For each pair "" or why it is dropped: "copy", "numbers", "length", "score"."""
    rules = rules or FilterRules()
    ratios = _length_ratios(sources, targets)
    reasons = []
    for source, target, score, ratio in zip(sources, targets, scores, ratios, strict=True):
        reason = ""
        if score > rules.max_score:
            reason = "score"
        elif rules.drop_copies and is_copy(source, target):
            reason = "copy"
        elif rules.drop_other_numbers and has_other_numbers(source, target):
            reason = "numbers"
        elif rules.max_length_ratio and not 1 / rules.max_length_ratio <= ratio <= rules.max_length_ratio:
            reason = "length"
        reasons.append(reason)
    return reasons


def is_copy(source: str, target: str) -> bool:
    """Whether both say the same in the same words, letter case, punctuation and numbers aside."""
    source_words, target_words = _words(source), _words(target)
    if source_words == target_words:
        return True
    return len(source_words & target_words) >= SAME_WORDS * len(source_words | target_words)


def has_other_numbers(source: str, target: str) -> bool:
    """Whether each side has a number that the other lacks. A number on one side only may be a word on the other."""
    source_numbers, target_numbers = _numbers(source), _numbers(target)
    return bool(source_numbers - target_numbers) and bool(target_numbers - source_numbers)


def in_language(texts: Sequence[str], language: str) -> list[bool]:
    """Whether each text may be in `language` (ISO 639-1): False only if it is surely in another."""
    identifier = load_identifier()
    may = []
    for text in texts:
        letters = sum(character.isalpha() for character in text)
        if letters < SHORTEST_FOR_LANGUAGE:
            may.append(True)
            continue
        found, probability = identifier.classify(text)
        may.append(found == canonical(language) or probability < SURE_LANGUAGE)
    return may


def known_languages() -> set[str]:
    """The codes of the languages that `in_language` tells apart."""
    return set(load_identifier().labels)


def _words(text: str) -> set[str]:
    return set(WORD.findall(unicodedata.normalize("NFKC", text).casefold()))


def _numbers(text: str) -> set[str]:
    """The numbers in ASCII digits without separators: "٣٬٥٠٠" and "3.500" are both "3500"."""
    return {"".join(str(unicodedata.digit(c)) for c in number if c.isdigit()) for number in NUMBER.findall(text)}


def _length_ratios(sources: Sequence[str], targets: Sequence[str]) -> list[float]:
    """Target length over source length, relative to the median: Chinese is usually a third as long as English."""
    if not sources:
        return []
    source_lengths = np.array([len(text) for text in sources]) + LENGTH_OFFSET
    target_lengths = np.array([len(text) for text in targets]) + LENGTH_OFFSET
    ratios = target_lengths / source_lengths
    usual = float(np.median(ratios)) if len(ratios) >= CANDIDATES_FOR_MEDIAN else 1.0
    relative: list[float] = (ratios / usual).tolist()
    return relative
