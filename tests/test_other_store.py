"""A home that is pointed at another store than the one that holds its documents: told, and nothing changes anywhere."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from bench import Bench
from library_case import MODEL, Home
from qdrant_client import QdrantClient

from indexer.archive import backup, restore
from indexer.check import advice, check
from indexer.documents import remove_documents
from indexer.generations import delete_collection, switch
from indexer.home_repair import look
from indexer.merge import merge
from indexer.repair import repair
from indexer.sandbox import ReaderPool
from labse_search.errors import CollectionElsewhere
from labse_search.home import home_id
from labse_search.library import Library
from labse_search.settings import Settings
from labse_search.store import Store, open_store
from labse_search.store.qdrant_server import ServerStore

URL = "http://qdrant.example:6333"
CHANGES: dict[str, Callable[[Bench], object]] = {
    "delete": lambda bench: delete_collection(bench.library, bench.store, "notes"),
    "remove": lambda bench: remove_documents(
        bench.library, bench.store, "notes", [bench.library.documents("notes")[0].document]
    ),
    "switch": lambda bench: switch(bench.library, bench.store, "notes", 1),
    "merge": lambda bench: merge(bench.library, bench.store, "notes", "more"),
    "backup": lambda bench: backup(bench.library, bench.store, bench.files / "all.tar"),
}


@pytest.fixture
def bench(tmp_path: Path, readers: ReaderPool) -> Iterator[Bench]:
    """Two documents in the embedded store."""
    library = Library(tmp_path / "home")
    (tmp_path / "files").mkdir()
    store = open_store("", home=library.home)
    bench = Bench(library, store, readers, tmp_path / "files")
    for number in range(2):
        bench.write(f"{number}.txt", f"The ferry number {number} leaves at noon.")
    assert bench.index().state == "done"
    yield bench
    store.stop()  # type: ignore[attr-defined]


@pytest.fixture
def elsewhere(bench: Bench) -> Bench:
    """The same home on a server, where another home has put a collection of the same name."""
    home = bench.library.home
    client = QdrantClient(":memory:")
    ServerStore(client, URL, home_id(home)).create("notes", bench.store.info("notes").spec)
    return Bench(bench.library, ServerStore(client, URL, home_id(home), home), bench.readers, bench.files)


def test_files_are_not_called_unchanged_that_another_store_holds(bench: Bench, elsewhere: Bench) -> None:
    row = elsewhere.index()
    assert row.state == "failed" and row.outcomes == {}
    assert "kept in the embedded store, not in http://qdrant.example:6333" in row.error and "LABSE_HOME" in row.error
    assert elsewhere.texts() == [] and bench.is_sound()


@pytest.mark.parametrize("change", CHANGES)
def test_nothing_is_changed_in_a_store_that_does_not_hold_the_collection(
    bench: Bench, elsewhere: Bench, change: str
) -> None:
    with pytest.raises(CollectionElsewhere, match="kept in the embedded store"):
        CHANGES[change](elsewhere)
    assert bench.is_sound() and len(bench.texts()) == 2
    assert elsewhere.store.collections() == ["notes"] and [*bench.library.ledger.collections.all()] == ["notes"]


def test_a_check_says_so_and_a_repair_leaves_it_alone(bench: Bench, elsewhere: Bench) -> None:
    found = check(elsewhere.library, elsewhere.store, "notes")
    assert [one.code for one in found] == ["collection_elsewhere"]
    assert "Another store" in advice(found) and "--repair" not in advice(found)
    said: list[str] = []
    assert repair(elsewhere.library, elsewhere.store, "notes", found, log=said.append) == []
    assert "nothing was changed" in said[0] and bench.is_sound()


def test_a_collection_is_found_wherever_its_home_and_its_server_lie_now(tmp_path: Path) -> None:
    collections = Library(tmp_path / "home").ledger.collections
    collections.put("notes", model="m", fingerprint="f", store="/where/it/lay/before/store")
    collections.check_store("notes", str(tmp_path / "home" / "store"))
    collections.put("shared", model="m", fingerprint="f", store="https://Server:6333/")
    collections.check_store("shared", "HTTPS://server:6333")
    with pytest.raises(CollectionElsewhere, match="kept in https://server:6333, not in http://other"):
        collections.check_store("shared", "http://other")
    collections.check_store("unknown", "http://other")


def test_a_backup_of_what_a_server_holds_is_restored_into_the_embedded_store(
    tmp_path: Path, readers: ReaderPool
) -> None:
    (tmp_path / "files").mkdir()
    library = Library(tmp_path / "home")
    store: Store = ServerStore(QdrantClient(":memory:"), URL, home_id(library.home), library.home)
    bench = Bench(library, store, readers, tmp_path / "files")
    bench.write("ferry.txt", "The ferry leaves at noon.")
    assert bench.index().state == "done"
    backup(library, store, tmp_path / "all.tar")
    restore(tmp_path / "all.tar", tmp_path / "restored")
    restored = Home(tmp_path / "restored")
    assert look(Settings(home=restored.folder, model=str(MODEL)), full=True) == []
    restored.stop_store()


def test_a_command_tells_it_in_one_line_and_a_take_over_settles_it(bench: Bench) -> None:
    home = Home(bench.library.home)
    bench.library.ledger.collections.put(
        "notes", model=str(MODEL), fingerprint=bench.store.info("notes").spec.fingerprint, store=URL
    )
    said = home.command("labse_search.library", "delete", "--collection", "notes", "--yes", status=2).stderr
    assert f"kept in {URL}, not in the embedded store" in said and said.count("\n") == 1
    home.command("labse_search.library", "take-over", "--collection", "notes")
    assert bench.is_sound()
