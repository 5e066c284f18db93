"""The files of the evaluation sets: aligned pairs, Tatoeba, paragraphs with questions, BEIR-like retrieval."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from labse_search.errors import UserError
from labse_search.mine.corpus import read_lines

PACKINGS = ("", ".xz", ".gz")
CODE = re.compile(r"[a-z]{2,3}([_-][A-Za-z0-9]{2,8})*")
TATOEBA = re.compile(r"tatoeba\.(?P<code>[a-z]{3})-eng\.(?P<side>[a-z]{3}|tsv)(\.xz|\.gz)?")


@dataclass(frozen=True)
class AlignedTexts:
    """sources[i] and targets[i] mean the same."""

    name: str
    sources: tuple[str, ...]
    targets: tuple[str, ...]
    source_language: str = ""
    target_language: str = ""

    def __len__(self) -> int:
        return len(self.sources)

    def first(self, limit: int | None) -> AlignedTexts:
        sources, targets = self.sources[:limit], self.targets[:limit]
        return AlignedTexts(self.name, sources, targets, self.source_language, self.target_language)


@dataclass(frozen=True)
class Question:
    id: str
    text: str


@dataclass(frozen=True)
class Paragraph:
    id: str  # the same in every language
    text: str
    language: str
    questions: tuple[Question, ...] = ()


@dataclass(frozen=True)
class RetrievalSet:
    name: str
    documents: dict[str, str]  # id → text
    queries: dict[str, str]  # id → text, those with judgements
    relevant: dict[str, dict[str, int]]  # query id → document id → gain above 0


def read_pairs(path: Path) -> list[AlignedTexts]:
    """Aligned texts of a TSV: source, target and whatever follows; or language, language, source, target, where the
    file may hold several language pairs, each a set of its own."""
    found: dict[tuple[str, str], tuple[list[str], list[str]]] = {}
    coded: bool | None = None
    for number, line in enumerate(read_lines(path), start=1):
        columns = line.split("\t")
        if coded is None:
            coded = len(columns) >= 4 and all(CODE.fullmatch(column) for column in columns[:2])
        if not line.strip():
            continue
        if len(columns) < (4 if coded else 2):
            raise UserError(f"{path}, line {number}: expected {'4' if coded else '2'} columns, found {line[:60]!r}")
        languages = (columns[0], columns[1]) if coded else ("", "")
        source, target = columns[2:4] if coded else columns[:2]
        if source.strip() and target.strip():
            sides = found.setdefault(languages, ([], []))
            sides[0].append(source.strip())
            sides[1].append(target.strip())
    if not found:
        raise UserError(f"{path} holds no pairs")
    name = strip_suffixes(path.name)
    return [
        AlignedTexts(name if len(found) == 1 else f"{name} {a}-{b}", tuple(sources), tuple(targets), a, b)
        for (a, b), (sources, targets) in found.items()
    ]


def read_pairs_under(path: Path) -> list[AlignedTexts]:
    """All pairs of a file, or of the .tsv files in a folder: those named after a language pair (x.en-de.tsv) if there
    are any, because lists of sources lie beside them."""
    if not path.is_dir():
        return read_pairs(path)
    files = [file for file in sorted(path.iterdir()) if re.search(r"\.tsv(\.xz|\.gz)?$", file.name)]
    if not files:
        raise UserError(f"{path} holds no .tsv, .tsv.xz or .tsv.gz files")
    named = [file for file in files if re.search(r"(^|[._])[a-z]{2,3}-[a-z]{2,3}\.tsv", file.name)]
    return [pairs for file in named or files for pairs in read_pairs(file)]


def read_tatoeba(folder: Path) -> dict[str, AlignedTexts]:
    """Per ISO 639-3 code the sentences and their English: LASER's tatoeba.xxx-eng.xxx beside tatoeba.xxx-eng.eng, or
    tatoeba.xxx-eng.tsv with four columns; plain, .gz or .xz."""
    files: dict[str, dict[str, Path]] = {}
    for file in sorted(folder.iterdir()) if folder.is_dir() else ():
        matched = TATOEBA.fullmatch(file.name)
        if matched:
            files.setdefault(matched["code"], {})[matched["side"]] = file
    if not files:
        raise UserError(f"{folder} holds no tatoeba.xxx-eng.* files, in LASER's layout or as TSV")
    found = {}
    for code, sides in files.items():
        if "tsv" in sides:
            (aligned,) = read_pairs(sides["tsv"])
            found[code] = turned_to_english(aligned, code)
        elif code in sides and "eng" in sides:
            found[code] = read_aligned(sides[code], sides["eng"], code)
        else:
            raise UserError(f"{folder}: tatoeba.{code}-eng has only one of its two sides")
    return found


def turned_to_english(aligned: AlignedTexts, name: str) -> AlignedTexts:
    """The same pairs with English as the target."""
    if aligned.source_language in ("en", "eng"):
        return AlignedTexts(name, aligned.targets, aligned.sources, aligned.target_language, aligned.source_language)
    return AlignedTexts(name, aligned.sources, aligned.targets, aligned.source_language, aligned.target_language)


def read_aligned(source: Path, target: Path, name: str) -> AlignedTexts:
    """Two files whose lines correspond."""
    sources, targets = tuple(read_lines(source)), tuple(read_lines(target))
    if len(sources) != len(targets):
        raise UserError(f"{source} has {len(sources):,} lines and {target} {len(targets):,}: they are not aligned")
    return AlignedTexts(name, sources, targets)


def read_paragraphs(folder: Path, languages: tuple[str, ...] = ()) -> dict[str, list[Paragraph]]:
    """Per language the paragraphs of XQuAD-R: files xx.jsonl(.xz) with paragraph, context, questions on every line."""
    found = {}
    for file in sorted(folder.iterdir()) if folder.is_dir() else ():
        matched = re.fullmatch(r"([a-z]{2,3})\.jsonl(\.xz|\.gz)?", file.name)
        if matched and (not languages or matched[1] in languages):
            found[matched[1]] = [_paragraph(row, matched[1], file) for row in read_json_lines(file)]
    missing = set(languages) - set(found)
    if missing or not found:
        raise UserError(f"{folder} holds no paragraphs for {', '.join(sorted(missing)) or 'any language'}")
    return {language: found[language] for language in languages or sorted(found)}


def _paragraph(row: dict[str, Any], language: str, file: Path) -> Paragraph:
    try:
        questions = tuple(Question(str(question["id"]), question["text"]) for question in row["questions"])
        return Paragraph(str(row["paragraph"]), row["context"], language, questions)
    except KeyError as error:
        raise UserError(f"{file}: a line has no {error}; expected paragraph, context, questions (id, text)") from error


def read_retrieval(folder: Path, split: str) -> RetrievalSet:
    """A folder in BEIR's layout: corpus.jsonl (_id, title, text), queries.jsonl (_id, text), qrels/SPLIT.tsv."""
    documents = {
        str(row["_id"]): "\n".join(part for part in (row.get("title"), row["text"]) if part)
        for row in read_json_lines(packed(folder / "corpus.jsonl"))
    }
    texts = {str(row["_id"]): str(row["text"]) for row in read_json_lines(packed(folder / "queries.jsonl"))}
    judgements = packed(folder / "qrels" / f"{split}.tsv")
    relevant: dict[str, dict[str, int]] = {}
    for number, line in enumerate(read_lines(judgements), start=1):
        columns = line.split("\t")
        if not line.strip() or (number == 1 and not columns[-1].lstrip("-").isdigit()):
            continue  # the header
        if len(columns) < 3 or columns[0] not in texts or columns[1] not in documents:
            raise UserError(f"{judgements}, line {number}: expected query id, document id and gain, found {line!r}")
        if int(columns[2]) > 0:
            relevant.setdefault(columns[0], {})[columns[1]] = int(columns[2])
    if not relevant:
        raise UserError(f"{judgements} holds no relevant document")
    return RetrievalSet(folder.name, documents, {query: texts[query] for query in relevant}, relevant)


def read_json_lines(path: Path) -> Iterator[dict[str, Any]]:
    for number, line in enumerate(read_lines(path), start=1):
        if line.strip():
            try:
                yield json.loads(line)
            except json.JSONDecodeError as error:
                raise UserError(f"{path}, line {number} is no JSON: {error}") from error


def packed(path: Path) -> Path:
    """The file of that name, packed or not."""
    for ending in PACKINGS:
        candidate = path.with_name(path.name + ending)
        if candidate.is_file():
            return candidate
    raise UserError(f"{path} is missing (looked for {', '.join(path.name + ending for ending in PACKINGS)})")


def strip_suffixes(name: str) -> str:
    return re.sub(r"\.(tsv|txt|jsonl)?(\.xz|\.gz)?$", "", re.sub(r"(\.xz|\.gz)$", "", name))
