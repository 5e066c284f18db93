"""The ledger's generations: which models a collection has vectors of, which of them answers, and what each holds.

The `documents` table says what every document has in the serving generation; `generation_documents` says it of the
others. A collection that was never embedded again has its first generation, serving, and no row here.
"""

from __future__ import annotations

import json
import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Literal

from labse_search.errors import UserError
from labse_search.home import at_home
from labse_search.library.database import Database
from labse_search.library.records import DocumentRow
from labse_search.records import CollectionSpec

GenerationState = Literal["building", "ready", "switching", "serving", "dropping"]

_CUT = "embedded, skipped, segments, languages, digest, version"  # what depends on the model's window


@dataclass(frozen=True)
class Generation:
    """One embedding of a collection by one model."""

    collection: str
    number: int
    model: str
    fingerprint: str
    state: GenerationState
    job: str  # that builds it
    created: float
    served: float | None  # since when it answers, or answered last; None: it never did
    documents: int
    segments: int


class Generations:
    """The table of generations, and of which documents each holds."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def all(self, collection: str) -> list[Generation]:
        """In the order of their numbers; none if there is no such collection."""
        home = self._database.path.parent
        rows = self._database.read(
            "SELECT g.*, (SELECT COUNT(*) FROM generation_documents d WHERE d.collection = g.collection AND "
            "d.number = g.number) AS documents, (SELECT COALESCE(SUM(segments), 0) FROM generation_documents d "
            "WHERE d.collection = g.collection AND d.number = g.number) AS segments FROM generations g "
            "WHERE collection = ? ORDER BY number",
            (collection,),
        )
        stored = self._database.read(
            "SELECT COUNT(*) AS documents, COALESCE(SUM(segments), 0) AS segments FROM documents "
            "WHERE collection = ? AND state = 'stored'",
            (collection,),
        )[0]
        known = self._database.read("SELECT * FROM collections WHERE collection = ?", (collection,))
        if not rows:
            return [
                Generation(
                    collection, 1, at_home(home, one["model"]), one["fingerprint"], "serving", "", one["created"],
                    one["created"], stored["documents"], stored["segments"],
                )
                for one in known
            ]  # fmt: skip
        return [
            Generation(
                **{key: row[key] for key in ("collection", "number", "fingerprint", "state", "job")},
                model=at_home(home, row["model"]),
                created=row["created"],
                served=row["served"],
                documents=(stored if row["state"] == "serving" else row)["documents"],
                segments=(stored if row["state"] == "serving" else row)["segments"],
            )
            for row in rows
        ]

    def get(self, collection: str, number: int) -> Generation:
        """UserError if there is no such generation."""
        known = self.all(collection)
        for one in known:
            if one.number == number:
                return one
        there = "; ".join(f"{one.number} by {one.model}, {one.state}" for one in known)
        raise UserError(
            f"{collection!r} has no generation {number}. It has: {there or 'none'}. To build another one: "
            "python -m labse_search.library reembed --model MODEL"
        )

    def serving(self, collection: str) -> int:
        """The number of the one that answers; 1 if nothing is known."""
        return next((one.number for one in self.all(collection) if one.state == "serving"), 1)

    def others(self, collection: str) -> list[int]:
        """The numbers of those that do not answer."""
        rows = self._database.read(
            "SELECT number FROM generations WHERE collection = ? AND state != 'serving'", (collection,)
        )
        return [row["number"] for row in rows]

    def add(self, collection: str, *, model: str, fingerprint: str) -> int:
        """A generation to be built. Returns its number."""
        with self._database.write() as database:
            for one in self.all(collection):  # the first one has no row before there is a second
                database.execute(
                    "INSERT OR IGNORE INTO generations (collection, number, model, fingerprint, state, created, served)"
                    " VALUES (?, ?, ?, ?, ?, ?, ?)",
                    (collection, one.number, one.model, one.fingerprint, one.state, one.created, one.served),
                )
            row = database.execute("SELECT MAX(number) FROM generations WHERE collection = ?", (collection,)).fetchone()
            database.execute(
                "INSERT INTO generations (collection, number, model, fingerprint, state, created) "
                "VALUES (?, ?, ?, ?, 'building', ?)",
                (collection, row[0] + 1, model, fingerprint, time.time()),
            )
        return int(row[0]) + 1

    def enter(self, collection: str, specs: Mapping[int, CollectionSpec], *, serving: int) -> None:
        """These are the collection's generations, whatever was known before. All but the one that answers are to be
        built: which documents they hold is not known."""
        now = time.time()
        with self._database.write() as database:
            for table in ("generation_documents", "generations"):
                database.execute(f"DELETE FROM {table} WHERE collection = ?", (collection,))
            for number, spec in specs.items() if [*specs] != [1] else ():
                state, served = ("serving", now) if number == serving else ("building", None)
                database.execute(
                    "INSERT INTO generations (collection, number, model, fingerprint, state, created, served) "
                    "VALUES (?, ?, ?, ?, ?, ?, ?)",
                    (collection, number, spec.model, spec.fingerprint, state, now, served),
                )

    def set_state(self, collection: str, number: int, state: GenerationState, *, job: str | None = None) -> None:
        """`job`: who builds it from now on; None leaves it."""
        with self._database.write() as database:
            database.execute(
                "UPDATE generations SET state = ?, job = COALESCE(?, job) WHERE collection = ? AND number = ?",
                (state, job, collection, number),
            )

    def of_job(self, collection: str, job: str) -> Generation:
        """The generation that a job builds; UserError if it is gone."""
        for one in self.all(collection):
            if one.job == job:
                return one
        raise UserError(f"The generation that the job {job} was building is gone.")

    def put_document(self, row: DocumentRow, number: int, *, version: int) -> None:
        """Say what the generation has of a document: the row's fields that depend on how it was cut."""
        with self._database.write() as database:
            database.execute(
                f"INSERT OR REPLACE INTO generation_documents (collection, number, document, {_CUT}) "
                "VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
                (
                    row.collection, number, row.document, row.embedded, json.dumps(dict(row.skipped)), row.segments,
                    json.dumps(dict(row.languages)), row.digest, version,
                ),
            )  # fmt: skip

    def forget_documents(self, collection: str, documents: Iterable[str], number: int | None = None) -> None:
        """No generation (or not this one) has these any more."""
        with self._database.write() as database:
            database.executemany(
                "DELETE FROM generation_documents WHERE collection = ? AND document = ? "
                "AND number = COALESCE(?, number)",
                [(collection, document, number) for document in documents],
            )

    def segments(self, collection: str, number: int) -> dict[str, int]:
        """Document → how many segments the generation has of it; of one that does not serve."""
        rows = self._database.read(
            "SELECT document, segments FROM generation_documents WHERE collection = ? AND number = ?",
            (collection, number),
        )
        return {row["document"]: row["segments"] for row in rows}

    def missing(self, collection: str, number: int) -> list[str]:
        """Stored documents that the generation does not have yet."""
        rows = self._database.read(
            "SELECT document FROM documents d WHERE collection = ? AND state = 'stored' AND NOT EXISTS (SELECT 1 FROM "
            "generation_documents g WHERE g.collection = d.collection AND g.number = ? AND g.document = d.document) "
            "ORDER BY added, document",
            (collection, number),
        )
        return [row["document"] for row in rows]

    def swap(self, collection: str, number: int) -> None:
        """From now on `documents` describes this generation, and what it described is kept of the one before. Documents
        that this one lacks count as not read: version 0."""
        has = (
            "EXISTS (SELECT 1 FROM generation_documents g WHERE g.collection = documents.collection AND g.number = ? "
            "AND g.document = documents.document)"
        )
        with self._database.write() as database:
            database.execute(
                f"INSERT OR REPLACE INTO generation_documents (collection, number, document, {_CUT}) "
                f"SELECT collection, ?, document, {_CUT} FROM documents "
                "WHERE collection = ? AND state = 'stored' AND version > 0",
                (self.serving(collection), collection),
            )
            database.execute(
                f"UPDATE documents SET version = 0 WHERE collection = ? AND state = 'stored' AND NOT {has}",
                (collection, number),
            )
            database.execute(
                f"UPDATE documents SET ({_CUT}) = (SELECT {_CUT} FROM generation_documents g WHERE g.collection = "
                f"documents.collection AND g.number = ? AND g.document = documents.document) WHERE collection = ? AND "
                f"state = 'stored' AND {has}",
                (number, collection, number),
            )
            database.execute(
                "DELETE FROM generation_documents WHERE collection = ? AND number = ?", (collection, number)
            )
            database.execute(
                "UPDATE generations SET state = 'ready' WHERE collection = ? AND state = 'serving'", (collection,)
            )
            database.execute(
                "UPDATE generations SET state = 'serving', served = ? WHERE collection = ? AND number = ?",
                (time.time(), collection, number),
            )
            database.execute(
                "UPDATE collections SET (model, fingerprint) = (SELECT model, fingerprint FROM generations g WHERE "
                "g.collection = collections.collection AND g.number = ?) WHERE collection = ?",
                (number, collection),
            )

    def drop(self, collection: str, number: int) -> None:
        """Forget the generation and what it holds; the store is another matter."""
        with self._database.write() as database:
            for table in ("generation_documents", "generations"):
                database.execute(f"DELETE FROM {table} WHERE collection = ? AND number = ?", (collection, number))
