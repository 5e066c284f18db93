"""Files of translations, tokenized once into flat arrays that training reads from the disk.

In: lines `lang1 TAB lang2 TAB text1 TAB text2`, one file a source. Out: `TokenPairs`, and a folder of .npy files that
the next run opens in a second when files and tokenizer are the same.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import shutil
from collections import Counter
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain, islice
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from tokenizers import Tokenizer

from labse_search.errors import UserError
from labse_search.finetune.keys import text_key
from labse_search.mine.corpus import read_lines

Row = tuple[str, str, str, str]  # lang1, lang2, text1, text2
Say = Callable[[str], None]

SUFFIX = re.compile(r"\.tsv(\.xz|\.gz)?$")
ROWS_AT_ONCE = 20_000  # one call into the tokenizer: 0.2 s
USUAL_PAIRS, BALANCE_WITHIN = 40_000, (0.5, 3.0)  # a language pair of this size is drawn as often as it is there
FORMAT = 1  # of the cache; another number makes older caches anew


@dataclass(frozen=True)
class Side:
    """The first or the second texts of all pairs, without special tokens, cut to the window."""

    ids: NDArray[Any]  # (tokens,) uint16 or uint32
    lengths: NDArray[np.int64]  # (n,)
    starts: NDArray[np.int64]  # (n,)


@dataclass(frozen=True)
class TokenPairs:
    """n pairs; the arrays may lie on the disk."""

    sides: tuple[Side, Side]
    keys: NDArray[np.int64]  # (n, 2): equal for texts that count as the same one, see finetune.keys
    languages: NDArray[np.int32]  # (n, 2) numbers in language_names
    sources: NDArray[np.int32]  # (n,) numbers in source_names
    language_names: tuple[str, ...]
    source_names: tuple[str, ...]

    def __len__(self) -> int:
        return len(self.sources)

    def weights(
        self, of_source: Mapping[str, float], *, balance: float = 0.0, unbalanced: Collection[str] = ()
    ) -> NDArray[np.float32]:
        """(n,) how often each pair is drawn; 0 where a side has no token.

        `balance` draws small pairs of languages more often and large ones less; the sources named in `unbalanced` (word
        lists, whose sizes say nothing of a language's share) are left as they are.
        """
        weights = np.array([of_source[name] for name in self.source_names], dtype=np.float32)[self.sources]
        pair = self.languages[:, 0].astype(np.int64) * len(self.language_names) + self.languages[:, 1]
        factors = np.clip((USUAL_PAIRS / np.maximum(1, np.bincount(pair))) ** balance, *BALANCE_WITHIN)
        left_alone = np.array([name in unbalanced for name in self.source_names])[self.sources]
        weights *= np.where(left_alone, 1.0, factors[pair]).astype(np.float32)
        weights[(self.sides[0].lengths == 0) | (self.sides[1].lengths == 0)] = 0
        return weights

    def trained_languages(self, weights: NDArray[np.float32]) -> list[str]:
        """Codes without region of all pairs that are drawn, sorted."""
        used = np.unique(self.languages[weights > 0])
        return sorted({re.split("[-_]", self.language_names[number])[0].lower() for number in used})

    def token_counts(self, vocabulary: int) -> NDArray[np.int64]:
        """(vocabulary,) how often each token occurs."""
        return sum((np.bincount(side.ids, minlength=vocabulary) for side in self.sides), np.zeros(vocabulary, np.int64))


def find_files(folder: str, dictionaries: Sequence[str]) -> list[Path]:
    """The .tsv files of a folder, in order of name, then the dictionaries. UserError if any is missing."""
    files = []
    if folder:
        files = [file for file in sorted(Path(folder).glob("*")) if SUFFIX.search(file.name)]
        if not files:
            raise UserError(f"--data {folder}: no .tsv, .tsv.xz or .tsv.gz files there.")
    for name in dictionaries:
        if not Path(name).is_file():
            raise UserError(f"--dictionaries {name}: there is no such file. benchmarks/dictionaries.py makes one.")
        files.append(Path(name))
    doubled = [name for name, count in Counter(map(source_name, files)).items() if count > 1]
    if doubled:
        raise UserError(f"two files are called {doubled[0]}: a source is known by its name. Rename one of them.")
    return files


def source_name(file: Path) -> str:
    """tico19 of tico19.tsv.xz."""
    return SUFFIX.sub("", file.name)


def read_rows(file: Path) -> Iterator[Row]:
    for number, line in enumerate(read_lines(file), start=1):
        cells = line.split("\t")
        if len(cells) == 4:
            yield cells[0], cells[1], cells[2], cells[3]
        elif line.strip():
            raise UserError(f"{file}, line {number}: {len(cells)} columns, expected lang1, lang2, text1 and text2.")


def load_pairs(files: Sequence[Path], tokenizer: Tokenizer, cache: Path, *, max_tokens: int, tell: Say) -> TokenPairs:
    """The pairs of the files from the cache, which is made first where it is not there or is of other files."""
    wanted = _description(files, tokenizer, max_tokens)
    if _read_description(cache) != wanted:
        if cache.exists() and not (cache / "description.json").is_file() and any(cache.iterdir()):
            raise UserError(f"--cache {cache} holds something else. Name a new folder.")
        fresh = cache.with_name(cache.name + ".part")
        shutil.rmtree(fresh, ignore_errors=True)
        fresh.mkdir(parents=True)
        _tokenize(files, tokenizer, fresh, max_tokens, tell)
        (fresh / "description.json").write_text(json.dumps(wanted, indent=1), encoding="utf-8")
        shutil.rmtree(cache, ignore_errors=True)
        os.replace(fresh, cache)
    pairs = _open(cache)
    tell(f"tokens: {len(pairs):,} pairs of {len(files)} sources in {len(pairs.language_names)} languages")
    return pairs


def _tokenize(files: Sequence[Path], tokenizer: Tokenizer, folder: Path, max_tokens: int, tell: Say) -> None:
    kind = np.uint16 if tokenizer.get_vocab_size() <= 2**16 else np.uint32
    languages: dict[str, int] = {}
    ids: tuple[list[NDArray[Any]], list[NDArray[Any]]] = ([], [])
    lengths: tuple[list[NDArray[Any]], list[NDArray[Any]]] = ([], [])
    keys, spoken, sources = [], [], []
    for number, file in enumerate(files):
        rows = read_rows(file)
        count = 0
        while part := list(islice(rows, ROWS_AT_ONCE)):
            for side in (0, 1):
                flat, sizes = _ids(tokenizer, [row[2 + side] for row in part], max_tokens)
                ids[side].append(flat.astype(kind))
                lengths[side].append(sizes)
            keys.append(np.array([[text_key(row[2]), text_key(row[3])] for row in part], np.int64))
            spoken.append(
                np.array([[languages.setdefault(code, len(languages)) for code in row[:2]] for row in part], np.int32)
            )
            count += len(part)
        sources.append(np.full(count, number, np.int32))
        tell(f"tokenized {source_name(file)}: {count:,} pairs")
    if not keys:
        raise UserError(f"{', '.join(map(str, files))}: no pairs in there.")
    for side in (0, 1):
        np.save(folder / f"ids-{side}.npy", np.concatenate(ids[side]))
        np.save(folder / f"lengths-{side}.npy", np.concatenate(lengths[side]))
    np.save(folder / "keys.npy", np.concatenate(keys))
    np.save(folder / "languages.npy", np.concatenate(spoken))
    np.save(folder / "sources.npy", np.concatenate(sources))
    names = {"languages": list(languages), "sources": [source_name(file) for file in files]}
    (folder / "names.json").write_text(json.dumps(names), encoding="utf-8")


def _ids(tokenizer: Tokenizer, texts: list[str], max_tokens: int) -> tuple[NDArray[np.int64], NDArray[np.int32]]:
    found = [one.ids[:max_tokens] for one in tokenizer.encode_batch_fast(texts, add_special_tokens=False)]
    lengths = np.array([len(one) for one in found], np.int32)
    return np.fromiter(chain.from_iterable(found), np.int64, int(lengths.sum())), lengths


def _open(folder: Path) -> TokenPairs:
    names = json.loads((folder / "names.json").read_text(encoding="utf-8"))
    sides = []
    for side in (0, 1):
        lengths = np.load(folder / f"lengths-{side}.npy").astype(np.int64)
        ids = np.load(folder / f"ids-{side}.npy", mmap_mode="r")
        sides.append(Side(ids, lengths, np.cumsum(lengths) - lengths))
    return TokenPairs(
        (sides[0], sides[1]),
        np.load(folder / "keys.npy"),
        np.load(folder / "languages.npy"),
        np.load(folder / "sources.npy"),
        tuple(names["languages"]),
        tuple(names["sources"]),
    )


def _description(files: Sequence[Path], tokenizer: Tokenizer, max_tokens: int) -> dict[str, Any]:
    """What decides the arrays: equal descriptions, equal arrays. Reading the packed bytes takes a second a gigabyte."""
    return {
        "format": FORMAT,
        "max_tokens": max_tokens,
        "tokenizer": hashlib.blake2b(tokenizer.to_str().encode(), digest_size=16).hexdigest(),
        "sources": [[file.name, file.stat().st_size, _digest(file)] for file in files],
    }


def _read_description(cache: Path) -> Any:
    file = cache / "description.json"
    return json.loads(file.read_text(encoding="utf-8")) if file.is_file() else None


def _digest(file: Path) -> str:
    with file.open("rb") as stream:
        return hashlib.file_digest(stream, "blake2b").hexdigest()[:32]
