"""Which pairs are fit for training, how many were not and why, and a dev set that shares no text with training."""

from __future__ import annotations

import random
import unicodedata
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from functools import cache

import py3langid

from labse_search.finetune.keys import text_key
from labse_search.finetune.pairs import TrainingPair

# True when a text is certainly not in the language it is said to be in.
LanguageCheck = Callable[[str, str], bool]

# Where one script means the language cannot be another: a pair with fewer than half of its letters in it is wrong.
SCRIPTS = {
    **dict.fromkeys(("ar", "fa", "ur", "ps", "sd", "ug", "ckb"), ("ARABIC",)),
    **dict.fromkeys(("ru", "uk", "be", "bg", "mk", "kk", "ky", "mn", "tg", "tt"), ("CYRILLIC",)),
    **dict.fromkeys(("hi", "mr", "ne", "sa"), ("DEVANAGARI",)),
    "ja": ("HIRAGANA", "KATAKANA", "CJK"),
    "zh": ("CJK", "BOPOMOFO"),
    "ko": ("HANGUL", "CJK"),
    "th": ("THAI",),
    "el": ("GREEK",),
    "he": ("HEBREW",),
    "yi": ("HEBREW",),
    "hy": ("ARMENIAN",),
    "ka": ("GEORGIAN",),
    "bn": ("BENGALI",),
    "as": ("BENGALI",),
    "ta": ("TAMIL",),
    "te": ("TELUGU",),
    "ml": ("MALAYALAM",),
    "kn": ("KANNADA",),
    "gu": ("GUJARATI",),
    "pa": ("GURMUKHI",),
    "or": ("ORIYA",),
    "si": ("SINHALA",),
    "km": ("KHMER",),
    "lo": ("LAO",),
    "my": ("MYANMAR",),
    "am": ("ETHIOPIC",),
    "bo": ("TIBETAN",),
    **dict.fromkeys(
        "af ca cs cy da de en eo es et eu fi fr ga gl hr hu id is it lt lv ms mt nb nl nn no pl pt ro sk sl sq sv sw tl"
        " tr vi xh zu".split(),
        ("LATIN",),
    ),
}
DENSE = ("CJK", "HIRAGANA", "KATAKANA", "HANGUL")  # one character says about as much as three letters
MIN_LANGID_CHARACTERS = 40  # shorter texts are guessed too often


@dataclass
class CleaningReport:
    """How many pairs were read and kept, and why each of the others was dropped."""

    read: int = 0
    kept: int = 0
    dropped: Counter[str] = field(default_factory=Counter)

    def lines(self) -> list[str]:
        reasons = ", ".join(f"{count:,} {reason}" for reason, count in self.dropped.most_common())
        return [f"{self.read:,} pairs read, {self.kept:,} kept" + (f"; dropped: {reasons}" if reasons else "")]


def clean_pairs(
    pairs: Iterable[TrainingPair],
    *,
    max_ratio: float = 3.0,
    max_characters: int = 1000,
    wrong_language: LanguageCheck | None = None,
) -> tuple[list[TrainingPair], CleaningReport]:
    """The pairs that are fit for training, white space tidied, and the report. Duplicates are equal in both texts by
    `text_key`; the first stays."""
    report, kept, seen = CleaningReport(), [], set()
    for pair in pairs:
        report.read += 1
        source, target = " ".join(pair.source.split()), " ".join(pair.target.split())
        keys = (text_key(source), text_key(target))
        reason = _why_not(source, target, keys, max_ratio, max_characters)
        if not reason and keys in seen:
            reason = "duplicates"
        if not reason and wrong_language and _in_wrong_language(pair, source, target, wrong_language):
            reason = "in the wrong language"
        if reason:
            report.dropped[reason] += 1
            continue
        seen.add(keys)
        kept.append(
            TrainingPair(
                source,
                target,
                tuple(" ".join(text.split()) for text in pair.negatives),
                pair.source_language,
                pair.target_language,
                pair.weight,
            )
        )
    report.kept = len(kept)
    return kept, report


def split_dev(
    pairs: Sequence[TrainingPair], *, fraction: float, at_most: int, seed: int
) -> tuple[list[TrainingPair], list[TrainingPair], int]:
    """Training pairs, dev pairs, and how many pairs were dropped because they share a text with dev.

    Whole groups of equal sources go to dev together: all translations of one sentence. No text of a dev pair stands
    in any training pair, on either side.
    """
    wanted = min(at_most, round(len(pairs) * fraction))
    groups: dict[int, list[TrainingPair]] = {}
    for pair in pairs:
        groups.setdefault(text_key(pair.source), []).append(pair)
    order = sorted(groups)
    random.Random(seed).shuffle(order)
    dev: list[TrainingPair] = []
    for key in order:
        if len(dev) >= wanted:
            break
        # One greeting with a thousand translations would be the whole dev set.
        if len(groups[key]) <= max(8, wanted // 4):
            dev += groups[key]
    training, dropped = without_texts_of(pairs, dev)
    return training, dev, dropped


def without_texts_of(pairs: Sequence[TrainingPair], dev: Sequence[TrainingPair]) -> tuple[list[TrainingPair], int]:
    """The pairs that share no text with `dev`, and how many do, dev pairs themselves not counted."""
    held = {text_key(text) for pair in dev for text in (pair.source, pair.target)}
    training = [pair for pair in pairs if text_key(pair.source) not in held and text_key(pair.target) not in held]
    same = {(pair.source, pair.target) for pair in dev}
    copies = sum((pair.source, pair.target) in same for pair in pairs)
    return training, len(pairs) - len(training) - copies


def wrong_script(text: str, language: str) -> bool:
    """Fewer than half of the letters are in the language's script."""
    scripts = SCRIPTS.get(language.split("-")[0].split("_")[0].lower())
    letters = [unicodedata.name(c, "") for c in text if c.isalpha()]
    if not scripts or len(letters) < 4:
        return False
    return 2 * sum(name.startswith(scripts) for name in letters) < len(letters)


def wrong_by_langid(text: str, language: str) -> bool:
    """py3langid names another language, and the text is long enough to believe it."""
    if len(text) < MIN_LANGID_CHARACTERS or wrong_script(text, language):
        return wrong_script(text, language)
    expected = language.split("-")[0].split("_")[0].lower()
    return expected in _guessable() and py3langid.classify(text)[0] != expected


@cache
def _guessable() -> frozenset[str]:
    return frozenset(language for language, _ in py3langid.rank("a"))


def _why_not(source: str, target: str, keys: tuple[int, int], max_ratio: float, max_characters: int) -> str:
    if not source or not target:
        return "empty"
    if max(len(source), len(target)) > max_characters:
        return "too long"
    if keys[0] == keys[1]:
        return "with the same text twice"
    longer, shorter = sorted((_weight(source), _weight(target)), reverse=True)
    # Short texts vary: "Yes." and its Finnish may differ fourfold.
    if longer > 20 and longer > max_ratio * shorter:
        return "of unlike length"
    return ""


def _weight(text: str) -> int:
    return sum(3 if c > "ᄀ" and unicodedata.name(c, "").startswith(DENSE) else 1 for c in text)


def _in_wrong_language(pair: TrainingPair, source: str, target: str, wrong: LanguageCheck) -> bool:
    return bool(
        (pair.source_language and wrong(source, pair.source_language))
        or (pair.target_language and wrong(target, pair.target_language))
    )
