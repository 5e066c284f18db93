"""A pair of texts as it stands in a file."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

Say = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Pair:
    """Two texts that mean the same, and texts that look alike but do not."""

    source: str
    target: str
    negatives: tuple[str, ...] = ()
    source_language: str = ""
    target_language: str = ""
    weight: float = 1.0  # how often the pair is drawn in training, beside one of weight 1
    asked: bool = False  # the source is a question and the target a passage that answers it
    score: float | None = None  # that the file gives the pair

    @property
    def language(self) -> str:
        """The language pair, "" when the file does not name it."""
        languages = [language for language in (self.source_language, self.target_language) if language]
        return "-".join(languages)


def score_of(text: str) -> float | None:
    """The number that a cell gives as a score; None where it gives none, and for what is no score: nan, inf."""
    try:
        value = float(text)
    except ValueError:
        return None
    return value if math.isfinite(value) else None


def language_code(name: str) -> str:
    """A language code with its first part in small letters: EN-US and en-US are the same."""
    first, dash, rest = name.strip().replace("_", "-").partition("-")
    return first.lower() + dash + rest
