"""The file of all that a person teaches: one SQLite database beside the ledger, which holds no texts."""

from __future__ import annotations

import contextlib
import json
import logging
import sqlite3
from pathlib import Path

from labse_search.corpora.lines import read_lines
from labse_search.corpora.text_keys import text_key
from labse_search.errors import LedgerDamaged, UserError
from labse_search.library.database import Database
from labse_search.teach.judgements import Judgements, was_trained_on
from labse_search.teach.pairs import WRONG_IS_NOT_MEASURED, Pairs, pair_key

log = logging.getLogger(__name__)

_SAID = {  # what tables have beside the collection, and beside numbers that only mean something in one file
    "pairs": "source target source_language target_language score verdict added purpose texts".split(),
    "questions": "id text asked".split(),
    "judgements": "question passage text answers given".split(),
}

_BESIDE = {  # of a row that is here too: a pair that nobody judged here takes the word of the other home
    "pairs": "UPDATE SET verdict = IIF(pairs.verdict = '', excluded.verdict, pairs.verdict), "
    "purpose = IIF(excluded.purpose = 'measure', 'measure', pairs.purpose)",
}


class Teaching(Database):
    """`pairs` and `judgements` of every collection of a home."""

    def __init__(self, home: Path) -> None:
        super().__init__(home / "teach.sqlite3", schema=__package__)
        self.pairs = Pairs(self)
        self.judgements = Judgements(self)

    def move(self, collection: str, into: str) -> None:
        """Give what was said in one collection to another; where both say something, what the other says stays."""
        with self.write() as database:
            both = (collection, into)
            database.execute(
                "UPDATE pairs SET purpose = 'measure' WHERE collection IN (?, ?) AND texts IN "
                "(SELECT texts FROM pairs WHERE collection IN (?, ?) AND purpose = 'measure')",
                both + both,
            )
            database.execute(
                "DELETE FROM pairs WHERE collection = ? AND verdict = '' AND texts IN "
                "(SELECT texts FROM pairs WHERE collection = ? AND verdict != '')",
                (into, collection),
            )
            for table in ("pairs", "questions", "judgements"):
                database.execute(
                    f"UPDATE OR IGNORE {table} SET collection = ? WHERE collection = ?", (into, collection)
                )
                database.execute(f"DELETE FROM {table} WHERE collection = ?", (collection,))
            database.execute(WRONG_IS_NOT_MEASURED)
            database.execute("DELETE FROM verdicts WHERE pair NOT IN (SELECT id FROM pairs)")  # SQLite gives ids again

    def bring(self, other: Teaching, collection: str, into: str) -> None:
        """Put what was said in a collection of another home beside what is said here; where both say something, what is
        said here stays. A question that a model of the other home may have been trained on measures none here."""
        with self.write() as database:
            for table, columns in _SAID.items():
                rows = other.read(f"SELECT {', '.join(columns)} FROM {table} WHERE collection = ?", (collection,))
                database.executemany(
                    f"INSERT INTO {table} (collection, {', '.join(columns)}) VALUES (?{', ?' * len(columns)}) "
                    f"ON CONFLICT DO {_BESIDE.get(table, 'NOTHING')}",
                    [(into, *row) for row in rows],
                )
            database.execute(WRONG_IS_NOT_MEASURED)
            database.executemany(
                "INSERT INTO halves (words, split) VALUES (?, ?) ON CONFLICT DO UPDATE SET "
                "split = IIF(excluded.split = 'training', 'training', halves.split)",
                [tuple(row) for row in other.read("SELECT words, split FROM halves")],
            )

    def _connect(self, busy_seconds: float) -> sqlite3.Connection:
        connection = super()._connect(busy_seconds)
        connection.create_function("text_key", 1, text_key, deterministic=True)
        # What the versions of the schema ask for.
        connection.create_function("pair_key", 2, pair_key, deterministic=True)
        connection.create_function("was_trained_on", 1, was_trained_on, deterministic=True)
        connection.create_function("trained_words", 0, self._trained_words)
        return connection

    def _trained_words(self) -> str:
        """Of every question that a tuning of this home was given, its text_key(), as JSON."""
        lines: list[str] = []
        for file in self.path.parent.glob("tuned/*/questions.tsv"):
            with contextlib.suppress(UserError):  # a damaged one says nothing, and must not keep the home closed
                lines += read_lines(file)
        return json.dumps(sorted({text_key(line.split("\t")[2]) for line in lines if line.count("\t") == 3}))

    def _replaced(self, connection: sqlite3.Connection) -> None:
        log.warning("%s was replaced while it was open; it was opened again", self.path)

    def _explain(self, error: sqlite3.DatabaseError) -> UserError | None:
        explained = super()._explain(error)
        if isinstance(explained, LedgerDamaged):  # its advice would mend the ledger, not this file
            return UserError(f"{self.path} is damaged ({error}). Put a copy of it back, or move it away to start anew.")
        return explained
