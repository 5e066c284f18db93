"""Which pairs are fit for training, how many were not and why."""

from __future__ import annotations

import unicodedata
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

from labse_search.corpora.text_keys import text_key
from labse_search.corpora.values import Pair
from labse_search.languages import canonical, in_wrong_script
from labse_search.languages.repack import load_identifier

# True when a text is certainly not in the language it is said to be in.
LanguageCheck = Callable[[str, str], bool]

DENSE = ("CJK", "HIRAGANA", "KATAKANA", "HANGUL")  # one character says about as much as three letters
MIN_LANGID_CHARACTERS = 40  # shorter texts are guessed too often


@dataclass
class CleaningReport:
    """How many pairs were read and kept, and why each of the others was dropped."""

    read: int = 0
    kept: int = 0
    dropped: Counter[str] = field(default_factory=Counter)

    def __str__(self) -> str:
        reasons = ", ".join(f"{count:,} {reason}" for reason, count in self.dropped.most_common())
        return f"{self.read:,} pairs read, {self.kept:,} kept" + (f"; dropped: {reasons}" if reasons else "")


def clean_pairs(
    pairs: Iterable[Pair],
    *,
    max_ratio: float = 3.0,
    max_characters: int = 1000,
    wrong_language: LanguageCheck | None = None,
) -> tuple[list[Pair], CleaningReport]:
    """The pairs that are fit for training, white space tidied, and the report. Duplicates are equal in both texts by
    `text_key`; the first stays."""
    report, kept, seen = CleaningReport(), [], set()
    for pair in pairs:
        report.read += 1
        source, target = " ".join(pair.source.split()), " ".join(pair.target.split())
        keys = (text_key(source), text_key(target))
        reason = _drop_reason(source, target, keys, max_ratio, max_characters)
        if not reason and keys in seen:
            reason = "duplicates"
        if not reason and wrong_language and _in_wrong_language(pair, source, target, wrong_language):
            reason = "in the wrong language"
        if reason:
            report.dropped[reason] += 1
            continue
        seen.add(keys)
        kept.append(
            Pair(
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


def wrong_by_langid(text: str, language: str) -> bool:
    """py3langid names another language, and the text is long enough to believe it."""
    if len(text) < MIN_LANGID_CHARACTERS or in_wrong_script(text, language):
        return in_wrong_script(text, language)
    expected, identifier = canonical(language), load_identifier()
    return expected in identifier.labels and identifier.classify(text)[0] != expected


def _drop_reason(source: str, target: str, keys: tuple[int, int], max_ratio: float, max_characters: int) -> str:
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


def _in_wrong_language(pair: Pair, source: str, target: str, wrong: LanguageCheck) -> bool:
    return bool(
        (pair.source_language and wrong(source, pair.source_language))
        or (pair.target_language and wrong(target, pair.target_language))
    )
