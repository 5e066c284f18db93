"""Which passages answer a question: a person's own test set, and pairs of question and passage to train on.

A question belongs to training or to the verdict by a hash of its words, for good: what a model was trained on never
says whether it got better, with a question mark or without.
"""

from __future__ import annotations

import hashlib
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from labse_search.corpora.lines import one_line
from labse_search.corpora.text_keys import text_key
from labse_search.errors import UserError
from labse_search.files import written_aside
from labse_search.library.database import Database
from labse_search.records import Pair

Split = Literal["training", "verdict"]


@dataclass(frozen=True)
class Question:
    """A question that somebody judged answers to."""

    id: str
    text: str
    split: Split  # the half it belongs to, for good


@dataclass(frozen=True)
class Judgement:
    """Whether one passage answers one question, as a person said."""

    question: str  # its id
    passage: str  # passage_name() of where it stands
    text: str  # of the passage, as it was judged
    answers: bool


class Judgements:
    """The tables of questions and of what was said about their answers."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def put(self, collection: str, question: str, passage: str, text: str, *, answers: bool) -> None:
        """What a person says of one answer; the last word counts. UserError for an empty question."""
        if not question.strip():
            raise UserError("There is no question to judge an answer to.")
        identity = question_id(question)
        with self._database.write() as database:
            database.execute(
                "INSERT INTO questions (id, collection, text, asked) VALUES (?, ?, ?, ?) "
                "ON CONFLICT (collection, id) DO NOTHING",
                (identity, collection, question.strip(), time.time()),
            )
            database.execute(
                "INSERT INTO halves (words, split) VALUES (?, ?) ON CONFLICT DO NOTHING",
                (text_key(question), split_of(question)),
            )
            database.execute(
                "INSERT INTO judgements (collection, question, passage, text, answers, given) "
                "VALUES (?, ?, ?, ?, ?, ?) ON CONFLICT (collection, question, passage) "
                "DO UPDATE SET text = excluded.text, answers = excluded.answers, given = excluded.given",
                (collection, identity, passage, text, answers, time.time()),
            )

    def take_back(self, collection: str, question: str, passage: str) -> None:
        """Forget what was said of one answer, and the question when it was the last, but not its half: a model may have
        been trained on it."""
        with self._database.write() as database:
            key = (collection, question_id(question))
            database.execute(
                "DELETE FROM judgements WHERE collection = ? AND question = ? AND passage = ?", (*key, passage)
            )
            database.execute(
                "DELETE FROM questions WHERE collection = ? AND id = ? AND NOT EXISTS "
                "(SELECT 1 FROM judgements WHERE judgements.collection = questions.collection AND question = id)",
                key,
            )

    def questions(self, collection: str, split: Split | None = None) -> list[Question]:
        """In the order they were asked."""
        rows = self._database.read(
            "SELECT id, text, split FROM questions LEFT JOIN halves ON words = text_key(text) WHERE collection = ? "
            "ORDER BY asked, id",
            (collection,),
        )
        found = [Question(row["id"], row["text"], row["split"] or split_of(row["text"])) for row in rows]
        return [one for one in found if split is None or one.split == split]

    def judged(self, collection: str, question: str | None = None) -> list[Judgement]:
        """Of one question, by its text, or of all."""
        query = "SELECT question, passage, text, answers FROM judgements WHERE collection = ?"
        values = [collection]
        if question is not None:
            query, values = query + " AND question = ?", [collection, question_id(question)]
        rows = self._database.read(query + " ORDER BY question, passage", values)
        return [Judgement(row["question"], row["passage"], row["text"], bool(row["answers"])) for row in rows]

    def training_pairs(self, collection: str) -> list[Pair]:
        """Question → passage that answers it, of the training split only."""
        texts = {one.id: one.text for one in self.questions(collection, "training")}
        return [
            Pair(texts[one.question], one.text)
            for one in self.judged(collection)
            if one.answers and one.question in texts
        ]

    def export(self, collection: str, folder: Path, split: Split | None = None) -> tuple[int, int]:
        """queries.tsv (id TAB question), qrels.txt (TREC: id 0 passage 0|1) and passages.tsv (passage TAB text). How
        many questions and judgements. UserError where there are none."""
        questions = self.questions(collection, split)
        wanted = {one.id for one in questions}
        judged = [one for one in self.judged(collection) if one.question in wanted]
        if not judged:
            raise UserError(
                f"Collection {collection!r} has no judged answers{f' for the {split}' if split else ''} yet."
            )
        passages = {one.passage: one_line(one.text) for one in judged}
        with written_aside(folder / "queries.tsv") as lines:
            lines.writelines(f"{one.id}\t{one_line(one.text)}\n" for one in questions)
        with written_aside(folder / "qrels.txt") as lines:
            lines.writelines(f"{one.question} 0 {one.passage} {int(one.answers)}\n" for one in judged)
        with written_aside(folder / "passages.tsv") as lines:
            lines.writelines(f"{passage}\t{text}\n" for passage, text in passages.items())
        return len(questions), len(judged)


def question_id(text: str) -> str:
    """16 hex digits, the same for a question however it is spaced or capitalised."""
    return hashlib.sha256(" ".join(text.casefold().split()).encode()).hexdigest()[:16]


def passage_name(document: str, start: int, end: int) -> str:
    """What a passage is called wherever it is judged: its place in the document's text, in code points. It outlives
    another model, for which the document may be cut elsewhere."""
    return f"{document}:{start}-{end}"


def split_of(question: str) -> Split:
    """Half of all questions each, decided by the words alone; what was judged before that was so is in `halves`."""
    return "training" if text_key(question) % 2 else "verdict"


def was_trained_on(question: str) -> bool:
    """Whether the question belonged to training up to version 3 of the schema, where its signs decided, too."""
    return int(question_id(question), 16) % 2 == 1
