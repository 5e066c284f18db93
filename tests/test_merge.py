"""Collections renamed, put together and brought in from a backup: every passage as it was, every original kept."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from bench import MODEL, Bench
from library_case import encoder

from indexer.archive import backup
from indexer.check import check
from indexer.documents import remove_documents
from indexer.indexing import Indexer
from indexer.merge import bring_backup, merge, rename
from indexer.sandbox import ReaderPool
from indexer.sources import walk
from labse_search.errors import StoreUnavailable, UserError
from labse_search.library import Library
from labse_search.library.findings import Finding, Findings
from labse_search.library.searches import SavedSearches
from labse_search.records import Pair
from labse_search.store import Store, open_store
from labse_search.teach import Teaching
from labse_search.teach.runs import Recipe, plan_run, runs


@pytest.fixture
def bench(tmp_path: Path, readers: ReaderPool) -> Iterator[Bench]:
    library = Library(tmp_path / "home")
    store = open_store("", home=library.home)
    yield Bench(library, store, readers, tmp_path / "files")
    store.close()


def index(bench: Bench, collection: str, *paths: Path) -> None:
    job = bench.library.add_index_job(collection, MODEL, walk(list(paths), bench.library, collection))
    assert Indexer(bench.library, bench.store, encoder(), bench.readers, collection).run(job).state == "done"


def held(bench: Bench, collection: str) -> dict[tuple[str, int], tuple[tuple[str, ...], bytes]]:
    """(document, index) → names and vector of every passage."""
    segments = list(bench.store.segments(collection))
    vectors = bench.store.vectors(collection, [one.point for one in segments])
    return {
        (one.document, one.segment.index): (one.names, np.asarray(vectors[one.point]).tobytes()) for one in segments
    }


def is_sound(bench: Bench, collection: str) -> bool:
    return check(bench.library, bench.store, collection, full=True) == []


def test_a_renamed_collection_is_what_it_was(bench: Bench) -> None:
    index(bench, "notes", bench.write("a.txt", "The first words."), bench.write("b.txt", "Other words."))
    gone = bench.library.documents("notes")[0].document
    remove_documents(bench.library, bench.store, "notes", [gone])
    bench.library.ledger.watches.add("notes", bench.files)
    teaching = Teaching(bench.library.home)
    teaching.pairs.add("notes", [Pair("The first words.", "Die ersten Worte.", 1.0, "en", "de")])
    teaching.judgements.put("notes", "Which words?", "p", "The first words.", answers=True)
    run = plan_run(teaching, "notes", base=MODEL, recipe=Recipe())
    Findings(bench.library.home).keep("notes", Finding(gone, 0, "a", "", "en", "The first words.", "", ""))
    SavedSearches(bench.library.home).keep("notes", "q=words", "words", [])
    before = held(bench, "notes")
    assert rename(bench.library, bench.store, "notes", "  Заметки ") == "Заметки"
    assert held(bench, "Заметки") == before and is_sound(bench, "Заметки")
    assert [row.document for row in bench.library.removed_documents("Заметки")] == [gone]
    assert bench.store.collections() == ["Заметки"] and bench.library.ledger.watches.all() == [("Заметки", bench.files)]
    assert [row.pair.target for row in teaching.pairs.all("Заметки")] == ["Die ersten Worte."]
    assert [one.text for one in teaching.judgements.questions("Заметки")] == ["Which words?"]
    assert [one.name for one in runs(bench.library.home, "Заметки")] == [run.name]
    assert [one.text for one in Findings(bench.library.home).all("Заметки")] == ["The first words."]
    assert [one.question for one in SavedSearches(bench.library.home).all("Заметки")] == ["words"]
    assert not teaching.pairs.all("notes") and not teaching.judgements.judged("notes")
    with pytest.raises(UserError, match="already"):
        rename(bench.library, bench.store, "Заметки", "Заметки")


def test_merged_collections_keep_every_document_and_both_names(bench: Bench) -> None:
    same, first, second = "Words that both have.", "The first words.", "The second words."
    index(bench, "one", bench.write("x/a.txt", first), bench.write("x/same.txt", same))
    bench.write("x/a.txt", second)
    bench.write("x/too.txt", same)
    index(bench, "two", bench.files / "x" / "a.txt", bench.files / "x" / "too.txt")
    assert merge(bench.library, bench.store, "two", "one") == 2
    names = sorted(name for row in bench.library.documents("one") for name in row.names)
    assert names == ["a (2).txt", "a.txt", "same.txt", "too.txt"]
    assert len(bench.library.documents("one")) == 3 and bench.store.collections() == ["one"]
    assert is_sound(bench, "one") and bench.library.documents("two") == []


@pytest.mark.parametrize(("source", "into"), [("old", "new"), ("new", "old")])
def test_of_two_versions_of_a_file_the_newer_one_stands_for_it_after_a_merge(
    bench: Bench, source: str, into: str
) -> None:
    path, same = bench.write("docs/a.txt", "The old words."), bench.write("docs/same.txt", "Words that both have.")
    index(bench, "old", path.parent)
    path.write_text("The newer words.", encoding="utf-8")
    index(bench, "new", path, same)  # under other names
    assert merge(bench.library, bench.store, source, into) == 2
    names = bench.library.ledger.names
    assert [known for known, _ in names.under(into, str(bench.files))].count("same.txt") == (into == "new")
    assert len(names.under(into, str(bench.files))) == 2 and is_sound(bench, into)
    path.write_text("The newest words.", encoding="utf-8")
    same.write_text("Other words.", encoding="utf-8")
    index(bench, into, path.parent)
    texts = sorted(one.segment.text for one in bench.store.segments(into))
    assert texts == ["Other words.", "The newest words.", "The old words."]  # that of another collection is kept
    assert is_sound(bench, into)


class Removing:
    """A store during whose first or last call of a merge a person removes a document from the source."""

    def __init__(self, bench: Bench, document: str, during: str) -> None:
        self._bench, self._document, self._during = bench, document, during

    def __getattr__(self, name: str) -> Any:
        if name == self._during:
            remove_documents(self._bench.library, self._bench.store, "notes", [self._document])
        return getattr(self._bench.store, name)


@pytest.mark.parametrize("during", ["upsert", "optimize"])
def test_what_a_person_removes_during_a_merge_stays_out_and_can_be_put_back(
    bench: Bench, during: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("indexer.merge.DOCUMENTS", 1)  # a group each
    index(bench, "notes", *(bench.write(f"{number}.txt", f"Words of number {number}.") for number in range(3)))
    index(bench, "other", bench.write("other.txt", "Words of the other one."))
    document = bench.library.documents("notes")[0].document
    merge(bench.library, Removing(bench, document, during), "notes", "other")  # type: ignore[arg-type]
    assert document not in [row.document for row in bench.library.documents("other")]
    assert [row.document for row in bench.library.removed_documents("other")] == [document]
    assert len(bench.library.documents("other")) == 3 and is_sound(bench, "other")


def test_what_would_be_lost_is_refused(bench: Bench) -> None:
    index(bench, "one", bench.write("a.txt", "Words."))
    bench.library.add_index_job("one", MODEL, [])
    with pytest.raises(UserError, match="jobs that wait"):
        rename(bench.library, bench.store, "one", "two")
    assert is_sound(bench, "one") or bench.library.documents("one")
    with pytest.raises(UserError, match="itself"):
        merge(bench.library, bench.store, "one", "one")


def test_a_backup_comes_back_beside_what_is_there(bench: Bench, tmp_path: Path) -> None:
    index(bench, "notes", bench.write("a.txt", "The first words."))
    backup(bench.library, bench.store, tmp_path / "all.tar")
    before = held(bench, "notes")
    rename(bench.library, bench.store, "notes", "new")
    (row,) = bench.library.documents("new")
    bench.library.originals.text_path(row.document).unlink()
    assert bring_backup(tmp_path / "all.tar", bench.library, bench.store) == {"notes": 1}
    assert held(bench, "notes") == before and is_sound(bench, "notes") and is_sound(bench, "new")
    assert bring_backup(tmp_path / "all.tar", bench.library, bench.store) == {"notes": 1}  # once more changes nothing
    assert held(bench, "notes") == before
    assert not list(bench.library.home.glob("restoring-*"))


class Failing:
    """A store that answers so many writes and no more."""

    def __init__(self, store: Store, writes: int) -> None:
        self._store, self._left = store, writes

    def __getattr__(self, name: str) -> Any:
        return getattr(self._store, name)

    def upsert(self, *given: Any, **more: Any) -> None:
        if self._left == 0:
            raise StoreUnavailable("The store does not answer.")
        self._left -= 1
        self._store.upsert(*given, **more)


def test_what_broke_off_in_the_middle_is_whole_after_the_next_try(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("indexer.merge.DOCUMENTS", 1)  # a group each
    index(bench, "notes", *(bench.write(f"{number}.txt", f"Words of number {number}.") for number in range(3)))
    before = held(bench, "notes")
    with pytest.raises(StoreUnavailable):
        rename(bench.library, Failing(bench.store, 0), "notes", "new")  # type: ignore[arg-type]
    assert held(bench, "notes") == before and is_sound(bench, "notes")
    with pytest.raises(UserError, match="already"):
        rename(bench.library, bench.store, "notes", "new")
    assert merge(bench.library, bench.store, "notes", "new") == 3
    assert held(bench, "new") == before and is_sound(bench, "new")
