"""Lines of text with their languages, and pairs: what the vocabulary and the masked batches are made of."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from labse_search.corpora.columns import LANGUAGE
from labse_search.corpora.lines import one_line, read_lines
from labse_search.corpora.pairs import read_pairs
from labse_search.corpora.values import Pair, Say
from labse_search.errors import UserError
from labse_search.training.run_folder import digest

Item = TypeVar("Item")
MIN_CHARACTERS, MAX_CHARACTERS = 10, 5000  # LaBSE drops lines outside of these


@dataclass(frozen=True)
class Data:
    """`lines` are (language, text), both sides of the pairs among them; `held` are kept out of training."""

    lines: list[tuple[str, str]]
    pairs: list[Pair]
    held_lines: list[tuple[str, str]]
    held_pairs: list[Pair]

    def summary(self) -> dict[str, int | str]:
        """What tells this data from other data: an interrupted run goes on with the same only."""
        texts = [text for _, text in (*self.lines, *self.held_lines)]
        texts += [text for pair in (*self.pairs, *self.held_pairs) for text in (pair.source, pair.target)]
        return {"lines": len(self.lines), "pairs": len(self.pairs), "sha256": digest(texts)}

    def describe(self) -> list[str]:
        """What was read, for a person."""
        languages = Counter(language or "not named" for language, _ in self.lines).most_common()
        shown = ", ".join(f"{language} {count:,}" for language, count in languages[:12])
        more = f" and {len(languages) - 12} more" if len(languages) > 12 else ""
        return [
            f"{len(self.lines):,} lines ({shown}{more}) and {len(self.pairs):,} pairs",
            f"held out: {len(self.held_lines):,} lines and {len(self.held_pairs):,} pairs",
        ]


def read_data(text: Sequence[str], pairs: Sequence[str], *, held_out: int, seed: int, say: Say | None = None) -> Data:
    """Distinct lines and pairs in random order. UserError when there are none."""
    lines: dict[str, str] = {}
    for specification in text:
        for language, line in _read_lines(specification):
            lines.setdefault(line, language)
    parallel = [pair for specification in pairs for pair in read_pairs(specification, say=say)]
    parallel = [pair for pair in parallel if pair.source.strip() and pair.target.strip()]
    for pair in parallel:
        for language, line in ((pair.source_language, pair.source), (pair.target_language, pair.target)):
            if MIN_CHARACTERS <= len(line) <= MAX_CHARACTERS:
                lines.setdefault(line, language)
    if not lines:
        raise UserError("no lines of text: give --text FILE or --pairs FILE with lines of at least 10 characters.")
    order = random.Random(seed)
    held_pairs, rest = _hold(parallel, held_out, order)
    # A held pair's sides are no training lines either: they would be seen outside of the pair.
    seen = {text for pair in held_pairs for text in (pair.source, pair.target)}
    listed = [(language, line) for line, language in lines.items() if line not in seen]
    held_lines, kept = _hold(listed, held_out, order)
    return Data(kept, rest, held_lines, held_pairs)


def smoothed(lines: Sequence[tuple[str, str]], exponent: float, seed: int) -> Iterator[str]:
    """As many texts as there are lines, languages in proportion to lines ** exponent; few lines come repeatedly."""
    by_language: dict[str, list[str]] = {}
    for language, line in lines:
        by_language.setdefault(language, []).append(line)
    weights = {language: len(texts) ** exponent for language, texts in by_language.items()}
    order = random.Random(seed)
    for language in sorted(by_language):
        texts = by_language[language]
        draws = max(1, round(len(lines) * weights[language] / sum(weights.values())))
        passes, rest = divmod(draws, len(texts))
        yield from (text for _ in range(passes) for text in texts)
        yield from order.sample(texts, rest)


def _read_lines(specification: str) -> Iterator[tuple[str, str]]:
    language, equals, path = specification.partition("=")
    if not equals or not LANGUAGE.fullmatch(language):
        language, path = "", specification
    file = Path(path)
    if not file.is_file():
        raise UserError(f"--text {specification}: there is no such file. Write LANGUAGE=PATH or PATH.")
    for line in read_lines(file):
        tidy = one_line(line)
        if MIN_CHARACTERS <= len(tidy) <= MAX_CHARACTERS:
            yield language, tidy


def _hold(items: Sequence[Item], count: int, order: random.Random) -> tuple[list[Item], list[Item]]:
    """A tenth of the items or `count`, whichever is less, and the rest; both in random order."""
    shuffled = list(items)
    order.shuffle(shuffled)
    cut = min(count, len(shuffled) // 10)
    return shuffled[:cut], shuffled[cut:]
