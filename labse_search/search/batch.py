"""Many questions at once: a table of questions → the best passages for each, as rows for a table or JSON."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from labse_search.corpora.lines import suffixes
from labse_search.corpora.tables import table_rows
from labse_search.errors import UserError
from labse_search.places import describe_place
from labse_search.records import Hit
from labse_search.search.question import read_question
from labse_search.search.rows import Row
from labse_search.search.searcher import Answer, Searcher

MOST_QUESTIONS = 20_000
LONGEST = 5_000  # characters of a question
BEST = 5  # passages of each question
# What the column of questions is called in a header; without a header the first column holds them.
NAMES = {"question", "questions", "query", "queries", "q", "frage", "fragen", "pregunta", "pergunta", "вопрос", "سؤال",
         "प्रश्न", "質問", "问题", "問題"}  # fmt: skip


def read_questions(path: Path) -> list[str]:
    """The questions of a CSV, TSV or text file (one a line), in its order, empty ones left out. UserError where there
    are none, too many, one that is too long, or no UTF-8."""
    kinds = suffixes(path)
    is_csv = "csv" in kinds
    rows = [cells for _, cells in table_rows(path, is_csv=is_csv or "tsv" not in kinds and "txt" not in kinds)]
    head = [cell.strip().casefold() for cell in rows[0]] if rows else []
    column = next((at for at, name in enumerate(head) if name in NAMES), None)
    body = rows if column is None else rows[1:]
    questions = [row[column or 0].strip() for row in body if len(row) > (column or 0) and row[column or 0].strip()]
    if not questions:
        raise UserError(f"{path.name} holds no question. It wants one a row, under the heading “question”.")
    if len(questions) > MOST_QUESTIONS:
        raise UserError(f"{path.name} holds {len(questions):,} questions; at most {MOST_QUESTIONS:,} are answered.")
    long = next((at for at, question in enumerate(questions, 1) if len(question) > LONGEST), None)
    if long is not None:
        raise UserError(f"Question {long} of {path.name} is longer than {LONGEST:,} characters.")
    return questions


def answer_rows(searcher: Searcher, number: int, question: str, limit: int = BEST, **search: Any) -> list[Row]:
    """A row for each of the best passages, or a single one that says why there is none. `search`: further arguments of
    Searcher.search."""
    try:
        read_question(question)
    except UserError as error:
        return [_row(number, question, note=str(error))]
    answer: Answer = searcher.search(question, limit=limit, **search)
    notes = " ".join(answer.notes)
    return [_row(number, question, hit, notes) for hit in answer.hits] or [_row(number, question, note=notes)]


def answer_all(
    searcher: Searcher,
    questions: Sequence[str],
    limit: int = BEST,
    *,
    told: Callable[[int], None] = lambda done: None,
    **search: Any,
) -> list[Row]:
    """The rows of all questions in their order; `told` hears how many are done."""
    rows: list[Row] = []
    for number, question in enumerate(questions, 1):
        rows += answer_rows(searcher, number, question, limit, **search)
        told(number)
    return rows


def _row(number: int, question: str, hit: Hit | None = None, note: str = "") -> Row:
    stored = hit.stored if hit else None
    segment = stored.segment if stored else None
    sentence = " ".join(segment.text[slice(*hit.sentence)].split()) if hit and segment else ""
    return {
        "number": number,
        "question": question,
        "rank": hit.rank if hit else "",
        "strength": hit.strength if hit else "",
        "probability": round(hit.probability, 3) if hit else "",
        "sentence": sentence,
        "text": segment.text if segment else "",
        "document": stored.names[0] if stored else "",
        "place": describe_place(segment.place) if segment else "",
        "language": segment.language if segment else "",
        "score": round(hit.score, 4) if hit else "",
        "document_id": stored.document if stored else "",
        "index": segment.index if segment else "",
        "note": note,
    }
