"""The files of retrieval sets: paragraphs with questions (XQuAD-R), and BEIR's layout."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from labse_search.corpora.lines import packed, read_json_lines, read_lines, wrong_line
from labse_search.errors import UserError


@dataclass(frozen=True)
class Question:
    """One question of a paragraph."""

    id: str
    text: str


@dataclass(frozen=True)
class Paragraph:
    """A paragraph with the questions that it answers."""

    id: str  # the same in every language
    text: str
    language: str
    questions: tuple[Question, ...] = ()


@dataclass(frozen=True)
class RetrievalSet:
    """Documents, queries, and which of them answer which, with a gain."""

    name: str
    documents: dict[str, str]  # id → text
    queries: dict[str, str]  # id → text, those with judgements
    relevant: dict[str, dict[str, int]]  # query id → document id → gain above 0


def read_paragraphs(folder: Path, languages: tuple[str, ...] = ()) -> dict[str, list[Paragraph]]:
    """Per language the paragraphs of XQuAD-R: files xx.jsonl(.xz) with paragraph, context, questions on every line."""
    found = {}
    for file in sorted(folder.iterdir()) if folder.is_dir() else ():
        matched = re.fullmatch(r"([a-z]{2,3})\.jsonl(\.xz|\.gz|\.bz2)?", file.name)
        if matched and (not languages or matched[1] in languages):
            found[matched[1]] = [_paragraph(row, matched[1], file, number) for number, row in read_json_lines(file)]
    missing = set(languages) - set(found)
    if missing or not found:
        raise UserError(f"{folder} holds no paragraphs for {', '.join(sorted(missing)) or 'any language'}")
    return {language: found[language] for language in languages or sorted(found)}


def _paragraph(row: Any, language: str, file: Path, number: int) -> Paragraph:
    try:
        questions = tuple(Question(str(question["id"]), question["text"]) for question in row["questions"])
        return Paragraph(str(row["paragraph"]), row["context"], language, questions)
    except (KeyError, TypeError) as error:
        raise wrong_line(file, number, "expected paragraph, context and questions, each with id and text") from error


def read_retrieval(folder: Path, split: str) -> RetrievalSet:
    """A folder in BEIR's layout: corpus.jsonl (_id, title, text), queries.jsonl (_id, text), qrels/SPLIT.tsv."""
    documents = _texts_by_id(packed(folder / "corpus.jsonl"))
    texts = _texts_by_id(packed(folder / "queries.jsonl"))
    judgements = packed(folder / "qrels" / f"{split}.tsv")
    relevant: dict[str, dict[str, int]] = {}
    for number, line in enumerate(read_lines(judgements), start=1):
        columns = line.split("\t")
        if not line.strip() or (number == 1 and not columns[-1].lstrip("-").isdigit()):
            continue  # the header
        if len(columns) < 3 or columns[0] not in texts or columns[1] not in documents:
            raise wrong_line(judgements, number, f"expected query id, document id and gain, found {line[:60]!r}")
        if not columns[2].strip().lstrip("-").isdigit():
            raise wrong_line(judgements, number, f"the gain {columns[2]!r} is no whole number")
        if int(columns[2]) > 0:
            relevant.setdefault(columns[0], {})[columns[1]] = int(columns[2])
    if not relevant:
        raise UserError(f"{judgements} holds no relevant document")
    return RetrievalSet(folder.name, documents, {query: texts[query] for query in relevant}, relevant)


def _texts_by_id(path: Path) -> dict[str, str]:
    """_id → title and text, of each line."""
    found = {}
    for number, row in read_json_lines(path):
        try:
            found[str(row["_id"])] = "\n".join(part for part in (row.get("title"), row["text"]) if part)
        except (KeyError, TypeError, AttributeError) as error:
            raise wrong_line(path, number, "expected _id and text") from error
    return found
