"""A library, its store, its readers and a folder of files: what the tests of whole jobs begin with."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from library_case import MODEL as MODEL_FOLDER
from library_case import encoder

from indexer.check import check
from indexer.indexing import Indexer
from indexer.sandbox import ReaderPool
from indexer.sources import walk
from labse_search.library import JobRow, Library
from labse_search.store import Store

MODEL = str(MODEL_FOLDER)


@dataclass
class Bench:
    library: Library
    store: Store
    readers: ReaderPool
    files: Path

    def write(self, name: str, text: str) -> Path:
        path = self.files / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
        return path

    def add(self, *paths: Path) -> str:
        """A job for these paths, or for all files."""
        return self.library.add_index_job("notes", MODEL, walk(list(paths) or [self.files], self.library, "notes"))

    def pipeline(self, store: Store | None = None, readers: object = None, *, store_tries: int = 4) -> Indexer:
        store, readers = store or self.store, readers or self.readers
        return Indexer(self.library, store, encoder(), readers, "notes", store_tries=store_tries)  # type: ignore[arg-type]

    def run(self, job: str) -> JobRow:
        return self.pipeline().run(job)

    def index(self, *paths: Path) -> JobRow:
        return self.run(self.add(*paths))

    def texts(self) -> list[str]:
        """Of the store's segments, sorted."""
        return sorted(stored.segment.text for stored in self.store.segments("notes"))

    def check_vectors(self) -> None:
        """The stored vectors are those of the stored texts."""
        found = list(self.store.segments("notes"))
        vectors = self.store.vectors("notes", [one.point for one in found])
        stored = np.stack([vectors[one.point] for one in found])
        np.testing.assert_allclose(stored, encoder().encode([one.segment.text for one in found]), atol=1e-5)

    def names(self) -> list[str]:
        """As the ledger has them, sorted."""
        return sorted(name for row in self.library.documents("notes") for name in row.names)

    def stored(self) -> dict[str, str]:
        """Name → text, as the store has it."""
        found: dict[str, str] = {}
        for one in self.store.segments("notes"):
            for name in one.names:
                found[name] = found.get(name, "") + one.segment.text
        return found

    def is_sound(self) -> bool:
        return check(self.library, self.store, "notes", full=True) == []
