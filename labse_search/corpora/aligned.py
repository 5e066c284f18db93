"""Aligned texts to measure on: files of pairs by language pair, folders of such files, Tatoeba."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from labse_search.corpora.lines import read_lines
from labse_search.corpora.pairs import is_pair_file, read_pairs
from labse_search.corpora.values import Say
from labse_search.errors import UserError
from labse_search.languages import canonical

TATOEBA = re.compile(r"tatoeba\.(?P<code>[a-z]{3})-eng\.(?P<side>[a-z]{3}|tsv)(\.xz|\.gz|\.bz2)?")


@dataclass(frozen=True)
class AlignedTexts:
    """sources[i] and targets[i] mean the same."""

    name: str
    sources: tuple[str, ...]
    targets: tuple[str, ...]
    source_language: str = ""
    target_language: str = ""
    folder: Path = Path()  # of the file that they were read from

    def __len__(self) -> int:
        return len(self.sources)

    def first(self, limit: int | None) -> AlignedTexts:
        """The first so many pairs; None: all of them."""
        return replace(self, sources=self.sources[:limit], targets=self.targets[:limit])


def read_aligned_sets(specification: str, *, columns: Sequence[str] = (), say: Say | None = None) -> list[AlignedTexts]:
    """The pairs of a file, or of the files in a folder, a set for each language pair; pairs with an empty side are
    left out. Of a folder those named after a language pair (x.en-de.tsv) if there are any, because lists of sources
    lie beside them. UserError when there are none."""
    folder = Path(specification)
    if not folder.is_dir():
        return _by_language(specification, columns, say)
    files = [file for file in sorted(folder.iterdir()) if is_pair_file(file)]
    if not files:
        raise UserError(f"{folder} holds no files of pairs (.tsv, .csv, .jsonl, .tmx, packed or not).")
    named = [file for file in files if re.search(r"(^|[._])[a-z]{2,3}-[a-z]{2,3}\.", file.name)]
    return [one for file in named or files for one in _by_language(str(file), columns, say)]


def names_of_their_own(sets: Sequence[AlignedTexts]) -> list[str]:
    """The names of the sets; sets of one name are told apart by their folders, else by numbers."""
    taken: Counter[str] = Counter()
    names = []
    for one in sets:
        folders = {other.folder.parts[::-1] for other in sets if other.name == one.name}
        depth = 0
        while len({parts[:depth] for parts in folders}) < len(folders):
            depth += 1
        name = "/".join((*one.folder.parts[::-1][:depth][::-1], one.name))
        taken[name] += 1
        names.append(name if taken[name] == 1 else f"{name} ({taken[name]})")
    return names


def read_tatoeba(folder: Path, languages: Collection[str] = ()) -> dict[str, AlignedTexts]:
    """Per ISO 639-3 code the sentences and their English: LASER's tatoeba.xxx-eng.xxx beside tatoeba.xxx-eng.eng, or
    tatoeba.xxx-eng.tsv with four columns, whose codes of one language (zh, zh-Hant) are one set; packed or not.
    `languages`: only these, by any of their codes; UserError when one is not there."""
    files: dict[str, dict[str, Path]] = {}
    for file in sorted(folder.iterdir()) if folder.is_dir() else ():
        matched = TATOEBA.fullmatch(file.name)
        if matched:
            files.setdefault(matched["code"], {})[matched["side"]] = file
    wanted = {canonical(code) for code in languages}
    if wanted:
        files = {code: sides for code, sides in files.items() if canonical(code) in wanted}
    missing = wanted - {canonical(code) for code in files}
    if missing or not files:
        raise UserError(
            f"{folder} holds no tatoeba.xxx-eng.* files for {', '.join(sorted(missing)) or 'any language'}."
        )
    found = {}
    for code, sides in files.items():
        if "tsv" in sides:
            found[code] = _joined([_to_english(one) for one in _by_language(str(sides["tsv"]))], code)
        elif code in sides and "eng" in sides:
            found[code] = read_lines_aligned(sides[code], sides["eng"], code)
        else:
            raise UserError(f"{folder}: tatoeba.{code}-eng has only one of its two sides.")
    return found


def read_lines_aligned(source: Path, target: Path, name: str) -> AlignedTexts:
    """Two files whose lines correspond, empty lines included."""
    sources, targets = tuple(read_lines(source)), tuple(read_lines(target))
    if len(sources) != len(targets):
        raise UserError(f"{source} has {len(sources):,} lines and {target} {len(targets):,}: they are not aligned.")
    return AlignedTexts(name, sources, targets)


def _by_language(specification: str, columns: Sequence[str] = (), say: Say | None = None) -> list[AlignedTexts]:
    found: dict[tuple[str, str], tuple[list[str], list[str]]] = {}
    for pair in read_pairs(specification, columns=columns, say=say):
        if pair.source.strip() and pair.target.strip():
            sides = found.setdefault((pair.source_language, pair.target_language), ([], []))
            sides[0].append(pair.source.strip())
            sides[1].append(pair.target.strip())
    if not found:
        raise UserError(f"{specification} holds no pairs.")
    first = specification.split(",")[0] if not Path(specification).exists() else specification
    name = re.sub(r"(\.(tsv|csv|txt|jsonl?|ndjson|tmx))?(\.(xz|gz|bz2))?$", "", Path(first).name)
    folder = Path(first).absolute().parent
    return [
        AlignedTexts(name if len(found) == 1 else f"{name} {a}-{b}", tuple(sources), tuple(targets), a, b, folder)
        for (a, b), (sources, targets) in found.items()
    ]


def _to_english(aligned: AlignedTexts) -> AlignedTexts:
    """The same pairs with English as the target."""
    if aligned.source_language.split("-")[0] not in ("en", "eng"):
        return aligned
    a, b = aligned.source_language, aligned.target_language
    return AlignedTexts(aligned.name, aligned.targets, aligned.sources, b, a)


def _joined(sets: Sequence[AlignedTexts], name: str) -> AlignedTexts:
    sources = tuple(text for one in sets for text in one.sources)
    targets = tuple(text for one in sets for text in one.targets)
    return AlignedTexts(name, sources, targets, sets[0].source_language, sets[0].target_language)
