"""Sentences of one language, one a line; the BUCC 2018 format puts an id and a tab before each."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from labse_search.corpora.lines import read_lines, wrong_line
from labse_search.corpora.text_keys import text_key

Repeated = Literal["first", "drop"]


@dataclass(frozen=True)
class Corpus:
    """Sentences of one language, each once."""

    texts: tuple[str, ...]
    ids: tuple[str, ...]  # as in the file; without ids, the line number from 1
    lines: int  # non-empty lines read
    repeated: int  # lines left out because their text had been seen

    def __len__(self) -> int:
        return len(self.texts)

    def keep(self, rows: Iterable[int]) -> Corpus:
        """The sentences at these rows; `lines` and `repeated` still count what was read."""
        rows = list(rows)
        texts, ids = tuple(self.texts[row] for row in rows), tuple(self.ids[row] for row in rows)
        return Corpus(texts, ids, self.lines, self.repeated)


def read_corpus(path: Path, *, with_ids: bool = False, repeated: Repeated = "first") -> Corpus:
    """The sentences of a file, empty lines left out.

    A text that occurs more than once, or again with other punctuation, case or spacing, is kept once ("first"). "drop"
    keeps nothing of a text that occurs twice exactly: what LASER does for BUCC, where nobody can say which of the ids
    is meant.
    """
    texts, ids = [], []
    for number, line in enumerate(read_lines(path), start=1):
        name, text = str(number), line
        if with_ids:
            name, tab, text = line.partition("\t")
            if not tab and line.strip():
                raise wrong_line(path, number, f"expected an id, a tab and a sentence, found {line[:60]!r}")
        if text.strip():
            texts.append(text.strip())
            ids.append(name.strip())
    return unify(texts, ids, repeated=repeated)


def unify(texts: list[str], ids: list[str], *, repeated: Repeated = "first") -> Corpus:
    """The corpus of these sentences, each text once."""
    if repeated == "drop":
        seen = Counter(texts)
        rows = [row for row, text in enumerate(texts) if seen[text] == 1]
    else:
        first: dict[int, int] = {}
        for row, text in enumerate(texts):
            first.setdefault(text_key(text), row)
        rows = list(first.values())
    kept = Corpus(tuple(texts), tuple(ids), len(texts), len(texts) - len(rows))
    return kept.keep(rows)
