"""The ledger's documents: what each must have in the store, and how far it is on its way in or out."""

from __future__ import annotations

import json
import time
from collections.abc import Iterable, Iterator, Sequence

from labse_search.library.database import Database
from labse_search.library.records import DocumentRow
from labse_search.records import Note

_SELECT = """SELECT d.*, (SELECT json_group_array(n.name) FROM names n
  WHERE n.collection = d.collection AND n.document = d.document) AS names FROM documents d"""


class Documents:
    """The table of what each collection holds, by the id of the content."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def put(self, row: DocumentRow, *, version: int, job: str = "") -> None:
        """Write the row; its names stay as they are. `job` is who is storing it. A removed document that comes in again
        counts as removed until it is stored."""
        values = {
            "collection": row.collection,
            "document": row.document,
            "kind": row.kind,
            "title": row.title,
            "bytes": row.bytes,
            "characters": row.characters,
            "embedded": row.embedded,
            "skipped": json.dumps(dict(row.skipped)),
            "segments": row.segments,
            "languages": json.dumps(dict(row.languages)),
            "encoding": row.encoding,
            "notes": json.dumps([[note.code, note.detail] for note in row.notes], ensure_ascii=False),
            "digest": row.digest,
            "state": row.state,
            "version": version,
            "job": job,
            "added": row.added,
            "removed": row.removed,
        }
        columns, marks = ", ".join(values), ", ".join(f":{column}" for column in values)
        marks = marks.replace(
            ":removed",
            "COALESCE(:removed, (SELECT removed FROM documents WHERE collection = :collection "
            "AND document = :document AND :state = 'storing'))",
        )
        with self._database.write() as database:
            database.execute(f"INSERT OR REPLACE INTO documents ({columns}) VALUES ({marks})", values)

    def set_state(self, collection: str, document: str, state: str, *, job: str = "") -> None:
        """ "removing" and "removed" also note the time."""
        removed = time.time() if state in ("removing", "removed") else None
        with self._database.write() as database:
            database.execute(
                "UPDATE documents SET state = ?, job = ?, removed = ? WHERE collection = ? AND document = ?",
                (state, job, removed, collection, document),
            )

    def read_again(self, collection: str, documents: Iterable[str]) -> None:
        """Let these documents count as stored another way: whoever adds their files again replaces what is there."""
        with self._database.write() as database:
            database.executemany(
                "UPDATE documents SET version = 0 WHERE collection = ? AND document = ?",
                [(collection, document) for document in documents],
            )

    def get(self, collection: str, document: str) -> DocumentRow | None:
        """None if the collection never had it."""
        rows = list(self._rows("collection = ? AND document = ?", (collection, document)))
        return rows[0] if rows else None

    def all(self, collection: str, states: Sequence[str] = ("stored",)) -> list[DocumentRow]:
        """Those in one of these states, oldest first."""
        marks = ",".join("?" * len(states))
        return list(self._rows(f"collection = ? AND state IN ({marks})", (collection, *states)))

    def version(self, collection: str, document: str) -> int:
        """The segmentation version the document was stored with; -1 if it is not stored."""
        rows = self._database.read(
            "SELECT version FROM documents WHERE collection = ? AND document = ? AND state = 'stored'",
            (collection, document),
        )
        return int(rows[0]["version"]) if rows else -1

    def storing(self, collection: str) -> list[tuple[str, str]]:
        """(document, job) of every document that is half way in."""
        rows = self._database.read(
            "SELECT document, job FROM documents WHERE collection = ? AND state = 'storing'", (collection,)
        )
        return [(row["document"], row["job"]) for row in rows]

    def is_storing(self, collection: str, document: str, job: str | None = None) -> bool:
        """Whether the document is half way in, by any job or by this one."""
        rows = self._database.read(
            "SELECT 1 FROM documents WHERE collection = ? AND document = ? AND state = 'storing' "
            "AND job = COALESCE(?, job)",
            (collection, document, job),
        )
        return bool(rows)

    def bytes_and_segments(self) -> dict[str, tuple[int, int]]:
        """Kind of file → (bytes, segments) of all documents of that kind that are stored anywhere."""
        rows = self._database.read(
            "SELECT kind, SUM(bytes) AS size, SUM(segments) AS segments FROM documents WHERE state = 'stored' "
            "GROUP BY kind"
        )
        return {row["kind"]: (row["size"], row["segments"]) for row in rows}

    def kept_anywhere(self, document: str, *, but: str = "") -> bool:
        """Whether any collection (`but` one) has the document in any state."""
        query = "SELECT 1 FROM documents WHERE document = ? AND collection != ? LIMIT 1"
        return bool(self._database.read(query, (document, but)))

    def everywhere(self) -> set[str]:
        """All documents that any collection has, in any state."""
        return {row["document"] for row in self._database.read("SELECT DISTINCT document FROM documents", ())}

    def forget(self, collection: str, document: str) -> None:
        """Erase the document's row, its names, and what is left to be told about them."""
        with self._database.write() as database:
            for table in ("documents", "names", "unsettled", "generation_documents"):
                database.execute(f"DELETE FROM {table} WHERE collection = ? AND document = ?", (collection, document))

    def _rows(self, where: str, values: Sequence[object]) -> Iterator[DocumentRow]:
        for row in self._database.read(f"{_SELECT} WHERE {where} ORDER BY added, document", values):
            yield DocumentRow(
                collection=row["collection"],
                document=row["document"],
                names=tuple(sorted(json.loads(row["names"]))),
                kind=row["kind"],
                title=row["title"],
                bytes=row["bytes"],
                characters=row["characters"],
                embedded=row["embedded"],
                skipped=json.loads(row["skipped"]),
                segments=row["segments"],
                languages=json.loads(row["languages"]),
                encoding=row["encoding"],
                notes=tuple(Note(code, detail) for code, detail in json.loads(row["notes"])),
                digest=row["digest"],
                state=row["state"],
                added=row["added"],
                removed=row["removed"],
            )
