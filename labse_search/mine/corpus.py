"""Monolingual corpora and gold pairs, as files; and files written aside, then renamed.

One sentence a line, UTF-8, plain or .gz or .xz. The BUCC 2018 format puts an id and a tab before the sentence.
"""

from __future__ import annotations

import gzip
import io
import lzma
import os
from collections import Counter
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Literal

from labse_search.errors import UserError

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
        rows = list(rows)
        texts, ids = tuple(self.texts[row] for row in rows), tuple(self.ids[row] for row in rows)
        return Corpus(texts, ids, self.lines, self.repeated)


def read_corpus(path: Path, *, with_ids: bool = False, repeated: Repeated = "first") -> Corpus:
    """The sentences of a file, empty lines left out.

    A text that occurs more than once is kept once ("first"), or not at all ("drop": what LASER does for BUCC, where
    nobody can say which of the ids is meant).
    """
    texts, ids = [], []
    for number, line in enumerate(read_lines(path), start=1):
        name, text = str(number), line
        if with_ids:
            name, tab, text = line.partition("\t")
            if not tab:
                raise UserError(f"{path}, line {number}: expected an id, a tab and a sentence, found {line[:60]!r}")
        if text.strip():
            texts.append(text.strip())
            ids.append(name.strip())
    return unify(texts, ids, repeated=repeated)


def unify(texts: list[str], ids: list[str], *, repeated: Repeated = "first") -> Corpus:
    """The corpus of these sentences, each text once."""
    seen = Counter(texts)
    if repeated == "drop":
        rows = [row for row, text in enumerate(texts) if seen[text] == 1]
    else:
        first: dict[str, int] = {}
        for row, text in enumerate(texts):
            first.setdefault(text, row)
        rows = list(first.values())
    kept = Corpus(tuple(texts), tuple(ids), len(texts), len(texts) - len(rows))
    return kept.keep(rows)


def read_gold(path: Path) -> list[tuple[str, str]]:
    """Pairs of the first two columns: of ids in the BUCC format, of texts otherwise."""
    pairs = []
    for number, line in enumerate(read_lines(path), start=1):
        if not line.strip():
            continue
        columns = line.split("\t")
        if len(columns) < 2:
            raise UserError(f"{path}, line {number}: expected two columns with a tab between, found {line[:60]!r}")
        pairs.append((columns[0].strip(), columns[1].strip()))
    if not pairs:
        raise UserError(f"{path} holds no gold pairs")
    return pairs


def read_lines(path: Path) -> Iterator[str]:
    """The lines of a text file, unpacked if its name ends in .gz or .xz, without their line ends."""
    if not path.is_file():
        raise UserError(f"{path} is not a file")
    with _open_bytes(path) as packed, io.TextIOWrapper(packed, encoding="utf-8-sig", newline="\n") as lines:
        try:
            for line in lines:
                yield line.rstrip("\r\n")
        except UnicodeDecodeError as error:
            raise UserError(f"{path} is not UTF-8 ({error.reason}). Save it as UTF-8.") from error
        except (EOFError, lzma.LZMAError, gzip.BadGzipFile) as error:
            raise UserError(f"{path} is damaged ({error}). Copy or pack it again.") from error


@contextmanager
def written_aside(path: Path) -> Iterator[IO[str]]:
    """A text file that appears under its name only when all of it is written."""
    path.parent.mkdir(parents=True, exist_ok=True)
    aside = path.with_name(path.name + ".part")
    try:
        with aside.open("w", encoding="utf-8", newline="\n") as lines:
            yield lines
        os.replace(aside, path)
    finally:
        aside.unlink(missing_ok=True)


def one_line(text: str) -> str:
    """The text as one column of a TSV."""
    return " ".join(text.split())


def _open_bytes(path: Path) -> IO[bytes]:
    if path.suffix == ".gz":
        return gzip.open(path)  # type: ignore[return-value]
    if path.suffix == ".xz":
        return lzma.open(path)
    return path.open("rb")
