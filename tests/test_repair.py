"""Repair deletes nothing that it has not rebuilt: two homes on one server, servers that err, kills in the middle."""

from __future__ import annotations

import json
import os
import random
import shutil
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from bench import MODEL, Bench
from library_case import Home
from qdrant_client import QdrantClient
from qdrant_client.http.exceptions import ResponseHandlingException, UnexpectedResponse

from indexer.check import Problem, advice, check, check_home
from indexer.documents import recover, remove_documents, remove_name
from indexer.generations import delete_collection
from indexer.merge import merge, rename
from indexer.repair import discard_unknown, rebuild_ledger, repair, unknown_passages
from indexer.sandbox import ReaderPool
from indexer.worker import collection_lock
from labse_search.errors import CollectionForeign, StoreUnavailable, UserError
from labse_search.home import home_id
from labse_search.library import Library, Source, document_id
from labse_search.records import Filter
from labse_search.store import Store
from labse_search.store.qdrant_server import ServerStore

WORDS = "river bread harbour ferry winter market lantern orchard copper meadow thunder saddle".split()


class Faulty:
    """A client whose server answers with this status, or (0) does not answer; None: as it should."""

    def __init__(self, client: QdrantClient) -> None:
        self._client_behind = client
        self._client = client._client  # how the store knows that it is the in-memory one
        self.status: int | None = None

    def __getattr__(self, name: str) -> Any:
        real = getattr(self._client_behind, name)

        def call(*args: Any, **kwargs: Any) -> Any:
            if self.status == 0:
                raise ResponseHandlingException(httpx.ReadTimeout("timed out"))
            if self.status:
                raise UnexpectedResponse(
                    self.status, "Service Error", b"1 of 1 read operations failed", httpx.Headers()
                )
            return real(*args, **kwargs)

        return call


@pytest.fixture
def server() -> Faulty:
    return Faulty(QdrantClient(":memory:"))


def a_bench(folder: Path, server: Faulty, readers: ReaderPool) -> Bench:
    """A home of its own on the server."""
    library = Library(folder / "home")
    (folder / "files").mkdir()
    store = ServerStore(server, ":memory:", home_id(library.home))  # type: ignore[arg-type]
    return Bench(library, store, readers, folder / "files")


@pytest.fixture
def bench(tmp_path: Path, server: Faulty, readers: ReaderPool) -> Bench:
    (tmp_path / "first").mkdir()
    bench = a_bench(tmp_path / "first", server, readers)
    for number in range(3):
        bench.write(f"{number}.txt", f"The ferry number {number} leaves at noon.")
    assert bench.index().state == "done"
    return bench


@pytest.fixture
def other(tmp_path: Path, server: Faulty, readers: ReaderPool) -> Bench:
    (tmp_path / "second").mkdir()
    return a_bench(tmp_path / "second", server, readers)


def codes(bench: Bench, *, full: bool = False) -> list[str]:
    return [problem.code for problem in check(bench.library, bench.store, "notes", full=full)]


def mend(bench: Bench) -> list[str]:
    """One repair with the jobs that it takes, as the command does it. What was logged."""
    said: list[str] = []
    found = check(bench.library, bench.store, "notes", full=True)
    for job in repair(bench.library, bench.store, "notes", found, log=said.append):
        bench.run(job)
    return said


# ---- two homes on one server


def test_a_second_home_reads_what_the_first_one_stored_and_changes_nothing(bench: Bench, other: Bench) -> None:
    before = bench.texts()
    assert other.texts() == before
    assert other.store.info("notes").owner == home_id(bench.library.home)
    assert check_home(other.library, other.store) == []  # the fresh ledger is not "lost"
    assert rebuild_ledger(other.library, other.store) == []
    assert other.library.ledger.collections.all() == {}
    document = bench.library.documents("notes")[0].document
    for change in (
        lambda: other.store.delete("notes", Filter(documents=(document,))),
        lambda: other.store.rename("notes", document, ["x"], []),
        lambda: other.store.drop("notes"),
        lambda: other.store.mark_words("notes", 1),
        lambda: other.store.create("notes", other.store.info("notes").spec),
    ):
        with pytest.raises(CollectionForeign, match="take-over"):
            change()
    assert bench.texts() == before and bench.is_sound()


def test_a_second_home_that_adds_to_the_collection_is_told_whose_it_is(bench: Bench, other: Bench) -> None:
    other.write("mine.txt", "Another person's words.")
    row = other.index()
    assert row.state == "failed" and "belongs to another home" in row.error
    assert bench.is_sound() and len(bench.texts()) == 3


def test_after_a_take_over_what_only_the_first_home_knows_is_reported_and_stays(bench: Bench, other: Bench) -> None:
    other.store.take_over("notes")
    other.write("mine.txt", "Another person's words.")
    assert other.index().state == "done"
    assert codes(other) == ["segments_unknown"] * 3
    mend(other)
    assert len(other.texts()) == 4
    assert codes(other) == ["segments_unknown"] * 3
    assert codes(bench) == ["collection_foreign"]
    assert mend(bench) and len(bench.texts()) == 4


def test_unknown_passages_go_only_when_they_are_discarded_by_their_count(bench: Bench, other: Bench) -> None:
    other.store.take_over("notes")
    other.write("mine.txt", "Another person's words.")
    other.index()
    found = check(other.library, other.store, "notes")
    assert unknown_passages(other.store, "notes", found) == (3, 3)
    assert discard_unknown(other.store, "notes", found) == 3
    assert other.texts() == ["Another person's words."]
    assert other.is_sound()


def test_a_collection_with_passages_that_this_home_does_not_know_is_neither_renamed_nor_merged(
    bench: Bench, other: Bench
) -> None:
    other.store.take_over("notes")
    other.write("mine.txt", "Another person's words.")
    other.index()
    for change in (rename, merge):
        with pytest.raises(UserError, match="3 passages of 3 documents that this home does not know"):
            change(other.library, other.store, "notes", "new")
    assert len(other.texts()) == 4 and other.store.collections() == ["notes"]
    assert [*other.library.ledger.collections.all()] == ["notes"]


def test_what_another_home_has_taken_over_is_refused_before_the_ledger_changes(bench: Bench, other: Bench) -> None:
    rows = bench.library.documents("notes")
    other.store.take_over("notes")
    for change in (
        lambda: remove_documents(bench.library, bench.store, "notes", [rows[0].document]),
        lambda: remove_name(bench.library, bench.store, "notes", rows[0].names[0]),
        lambda: rename(bench.library, bench.store, "notes", "new"),
        lambda: delete_collection(bench.library, bench.store, "notes"),
    ):
        with pytest.raises(CollectionForeign, match="take-over"):
            change()
        assert bench.library.documents("notes") == rows
    assert [*bench.library.ledger.collections.all()] == ["notes"] and len(other.texts()) == 3


def test_a_store_that_does_not_answer_is_told_before_the_ledger_changes(bench: Bench, server: Faulty) -> None:
    rows = bench.library.documents("notes")
    server.status = 0
    for change in (
        lambda: remove_documents(bench.library, bench.store, "notes", [rows[0].document]),
        lambda: remove_name(bench.library, bench.store, "notes", rows[0].names[0]),
        lambda: delete_collection(bench.library, bench.store, "notes"),
    ):
        with pytest.raises(StoreUnavailable):
            change()
        assert bench.library.documents("notes") == rows


def test_a_collection_that_nobody_signed_becomes_the_first_writers(
    bench: Bench, server: Faulty, tmp_path: Path
) -> None:
    """Made by a version that did not sign: it is read by all, deleted from by none, and its next job signs it."""
    record = server.get_collection("notes").config.metadata["labse_search"]
    server.update_collection("notes", metadata={"labse_search": {**record, "owner": "", "computer": ""}})
    with pytest.raises(CollectionForeign, match="no home yet"):
        bench.store.drop("notes")
    bench.write("3.txt", "One more.")
    assert bench.index().state == "done"
    assert bench.store.info("notes").owner == home_id(bench.library.home)
    assert bench.is_sound()


# ---- a server that errs


@pytest.mark.parametrize("status", [500, 503, 0])
def test_a_server_that_errs_is_silent_and_never_damaged(bench: Bench, server: Faulty, status: int) -> None:
    server.status = status
    assert codes(bench) == ["store_silent"]
    said = mend(bench)
    assert "nothing was changed" in said[0]
    server.status = None
    assert len(bench.texts()) == 3 and bench.is_sound()
    assert bench.library.ledger.jobs.unfinished() == []


def test_a_server_that_errs_in_the_middle_of_a_repair_loses_nothing(bench: Bench, server: Faulty) -> None:
    row = bench.library.documents("notes")[0]
    bench.store.delete("notes", Filter(documents=(row.document,)))
    found = check(bench.library, bench.store, "notes")
    (job,) = repair(bench.library, bench.store, "notes", found)
    server.status = 500
    assert bench.pipeline(store_tries=1).run(job).state == "failed"
    assert codes(bench) == ["store_silent"]
    server.status = None
    assert len(bench.texts()) == 2
    assert codes(bench) == ["segments_missing"]  # found again
    mend(bench)  # and gone on with
    assert len(bench.texts()) == 3 and bench.is_sound()


class Sure(Faulty):
    """Errs from the first upsert on, until told otherwise."""

    def __init__(self, client: QdrantClient) -> None:
        super().__init__(client)
        self.breaks = True

    def __getattr__(self, name: str) -> Any:
        if name == "upsert" and self.breaks:
            self.status = 500
        return super().__getattr__(name)


def test_a_rebuild_that_failed_half_way_is_found_and_gone_on_with(bench: Bench, readers: ReaderPool) -> None:
    """As it was with one of three nodes down: the documents stood in state "storing" and nobody picked them up."""
    server = bench.store._client  # type: ignore[attr-defined]
    server.delete_collection("notes")
    assert codes(bench) == ["collection_missing"]
    breaking = ServerStore(Sure(server._client_behind), ":memory:", home_id(bench.library.home))  # type: ignore[arg-type]
    (job,) = repair(bench.library, bench.store, "notes", check(bench.library, bench.store, "notes"))
    assert bench.pipeline(breaking, store_tries=1).run(job).state == "failed"  # type: ignore[arg-type]
    assert set(codes(bench)) & {"segments_missing", "document_unfinished"}
    recover(bench.library, bench.store, "notes")  # what the next job of any kind begins with
    assert len(bench.library.documents("notes")) == 3
    mend(bench)
    mend(bench)
    assert len(bench.texts()) == 3 and bench.is_sound()


def test_the_advice_at_the_start_of_the_app_never_leads_to_a_deletion(bench: Bench, other: Bench) -> None:
    other.store.take_over("notes")
    other.write("mine.txt", "Another person's words.")
    other.index()
    assert "Repair" not in advice(check(other.library, other.store, "notes"))
    assert "Repair" not in advice(check(bench.library, bench.store, "notes"))
    assert "Repair" in advice([Problem("segments_missing", "notes")])


# ---- removal


def test_a_removed_document_does_not_come_back_by_a_job_that_waits(bench: Bench) -> None:
    row = bench.library.documents("notes")[0]
    by_path = bench.add()  # reads the folder again
    again = bench.library.add_index_job("notes", MODEL, [])
    bench.library.ledger.documents.read_again("notes", [row.document])
    original = bench.library.originals.path(row.document)
    by_original = bench.library.add_index_job("notes", MODEL, [Source(str(original), row.names[0], 1)])
    assert remove_documents(bench.library, bench.store, "notes", [row.document]) == 1
    for job in (by_path, again, by_original):
        assert bench.run(job).state == "done"
    assert len(bench.texts()) == 2 and bench.is_sound()
    assert [one.document for one in bench.library.removed_documents("notes")] == [row.document]
    assert bench.library.job(by_original).outcomes == {"removed": 1}
    assert bench.index().outcomes.get("added") == 1  # added again on purpose, it comes back
    assert len(bench.texts()) == 3 and bench.is_sound()


def test_a_removed_document_whose_adding_again_breaks_off_stays_removed(bench: Bench) -> None:
    row = bench.library.documents("notes")[0]
    remove_documents(bench.library, bench.store, "notes", [row.document])
    job = bench.add()
    breaking = ServerStore(Sure(bench.store._client._client_behind), ":memory:", home_id(bench.library.home))  # type: ignore[arg-type, attr-defined]
    assert bench.pipeline(breaking, store_tries=1).run(job).state == "failed"  # type: ignore[arg-type]
    recover(bench.library, bench.store, "notes")
    assert [one.document for one in bench.library.removed_documents("notes")] == [row.document]
    assert len(bench.texts()) == 2


class Killed(Exception):
    """Whoever removes ends here."""


class Dying:
    """A store whose caller is killed when anything of a document is deleted or renamed."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def __getattr__(self, name: str) -> Any:
        return getattr(self._store, name)

    def delete(self, collection: str, where: Filter) -> None:
        if self._store.count(collection, where):
            raise Killed

    def rename(self, *given: Any) -> None:
        raise Killed


def removed_whole(bench: Bench, document: str, name: str) -> None:
    with pytest.raises(Killed):
        remove_documents(bench.library, Dying(bench.store), "notes", [document])  # type: ignore[arg-type]


def its_last_name_taken(bench: Bench, document: str, name: str) -> None:
    with pytest.raises(Killed):
        remove_name(bench.library, Dying(bench.store), "notes", name)  # type: ignore[arg-type]


def before_the_store_was_asked(bench: Bench, document: str, name: str) -> None:
    with bench.library.ledger.transaction():
        bench.library.ledger.names.drop("notes", name)
        bench.library.ledger.names.set_unsettled("notes", [document])


@pytest.mark.parametrize("break_off", [removed_whole, its_last_name_taken, before_the_store_was_asked])
def test_a_removal_that_broke_off_is_reported_and_finished_by_a_repair(
    bench: Bench, break_off: Callable[[Bench, str, str], None]
) -> None:
    row = bench.library.documents("notes")[0]
    break_off(bench, row.document, row.names[0])
    assert codes(bench) == ["change_unfinished"] and len(bench.texts()) == 3
    mend(bench)
    assert bench.is_sound() and len(bench.texts()) == len(bench.names()) == 2
    assert len(bench.library.removed_documents("notes")) == (break_off is removed_whole)


def test_a_new_name_that_the_store_was_not_told_is_reported_and_told_by_a_repair(bench: Bench) -> None:
    row = bench.library.documents("notes")[0]
    with bench.library.ledger.transaction():
        bench.library.ledger.names.put("notes", "further.txt", row.document)
        bench.library.ledger.names.set_unsettled("notes", [row.document])
    assert codes(bench) == ["change_unfinished"]
    lock = bench.library.lock(collection_lock("notes"))
    assert lock is not None and codes(bench) == []  # a job is at work, which tells it
    lock.release()
    mend(bench)
    assert bench.is_sound() and "further.txt" in bench.stored()


# ---- the embedded store


@pytest.fixture(scope="module")
def indexed(tmp_path_factory: pytest.TempPathFactory) -> Home:
    """Eight documents, indexed once; nobody may change it."""
    folder = tmp_path_factory.mktemp("indexed")
    files = folder / "files"
    files.mkdir()
    generator = random.Random(8)
    for number in range(8):
        lines = (" ".join(generator.choices(WORDS, k=9)) for _ in range(30))
        (files / f"{number}.txt").write_text(". ".join(lines), encoding="utf-8")
    home = Home(folder / "home")
    home.index(files)
    home.stop_store()
    return home


@pytest.fixture
def home(indexed: Home, tmp_path: Path) -> Iterator[Home]:
    shutil.copytree(indexed.folder, tmp_path / "home")
    home = Home(tmp_path / "home")
    yield home
    home.stop_store()


def test_a_damaged_collection_is_put_aside_and_not_removed(home: Home) -> None:
    home.stop_store()
    collection = home.store_folder / "collections" / "documents"
    (collection / "spec.json").write_text("garbage")
    done = home.command("labse_search.library", "check", "--repair", status=0)
    (aside,) = (home.store_folder / "aside").iterdir()
    assert str(aside) in done.stderr and (aside / "spec.json").read_text() == "garbage"
    assert list(aside.glob("shard-*"))
    assert home.problems() == []


def test_a_repair_killed_at_random_is_ended_by_the_next_one(home: Home) -> None:
    before = home.answers("ferry")
    home.stop_store()
    (home.store_folder / "collections" / "documents" / "spec.json").write_text("garbage")
    generator = random.Random(4)
    for _ in range(3):
        process = home.start("labse_search.library", "check", "--repair")
        try:
            process.communicate(timeout=generator.uniform(0.3, 2.5))
        except subprocess.TimeoutExpired:
            process.kill()
            process.communicate()
        home.kill_store()
    home.command("labse_search.library", "check", "--repair", status=0)
    assert home.problems() == []
    assert home.answers("ferry") == before
    assert len(Library(home.folder).documents("documents")) == 8
    assert list((home.store_folder / "aside").iterdir())


def test_passages_of_an_unknown_document_outlive_a_repair_and_go_when_a_person_says_so(home: Home) -> None:
    library = Library(home.folder)
    row = library.documents("documents")[0]
    shutil.copy(library.originals.path(row.document), home.folder.parent / "kept.txt")
    library.ledger.documents.forget("documents", row.document)
    library.originals.forget(row.document)
    library.close()
    assert home.command("labse_search.library", "check", "--repair", status=1).stdout.count("does not know") == 1
    refused = home.command("labse_search.library", "check", "--discard-unknown", status=2)
    assert "passages of 1 documents" in refused.stderr and "--yes" in refused.stderr
    home.command("labse_search.library", "check", "--discard-unknown", "--yes", status=0)
    assert home.problems() == []


def test_whoever_erases_a_collection_is_asked_with_the_count_of_the_store(home: Home) -> None:
    library = Library(home.folder)
    library.ledger.documents.forget("documents", library.documents("documents")[0].document)
    library.close()
    refused = home.command("labse_search.library", "delete", status=2).stderr
    assert "with 8 documents (1 of them not known to this home) and their originals" in refused


def test_an_original_that_the_ledger_lost_is_found_and_added_again(home: Home) -> None:
    library = Library(home.folder)
    row = library.documents("documents")[0]
    library.ledger.documents.forget("documents", row.document)
    library.close()
    found = home.command("labse_search.library", "check", status=1).stdout
    assert "does not know" in found
    home.command("labse_search.library", "check", "--repair", status=0)
    assert row.document in {one.document for one in Library(home.folder).documents("documents")}
    assert home.problems() == []


def test_where_ledger_and_store_are_lost_the_originals_are_added_again(home: Home) -> None:
    home.stop_store()
    shutil.rmtree(home.store_folder)
    for path in home.folder.glob("ledger.sqlite3*"):
        path.unlink()
    (home.folder / "settings.json").write_text(json.dumps({"model": MODEL}))
    done = home.command("labse_search.library", "check", "--repair", status=0)
    assert "8 originals were in no collection" in done.stderr
    rows = Library(home.folder).documents("documents")
    assert len(rows) == 8 and all(name.startswith("recovered/") for row in rows for name in row.names)
    assert home.problems() == []


def test_an_upload_that_no_job_knows_is_reported(home: Home) -> None:
    upload = home.folder / "uploads" / "x" / "lost.txt"
    upload.parent.mkdir(parents=True)
    upload.write_text("Words.")
    home.command("labse_search.library", "check", status=0)  # somebody may be about to press Start
    os.utime(upload, (1, 1))
    assert "lost.txt" in home.command("labse_search.library", "check", status=1).stdout


def test_a_job_that_nobody_does_is_reported_and_done_by_the_repair(home: Home) -> None:
    path = home.folder.parent / "new.txt"
    path.write_text("A new ferry.", encoding="utf-8")
    library = Library(home.folder)
    library.add_index_job("documents", MODEL, [Source(str(path), "files/new.txt", 12)])
    library.close()
    assert "nobody does it" in home.command("labse_search.library", "check", status=1).stdout
    home.command("labse_search.library", "check", "--repair", status=0)
    assert document_id(path) in {row.document for row in Library(home.folder).documents("documents")}


def test_the_store_that_does_not_answer_is_one_line_and_nothing_else(home: Home) -> None:
    done = home.command("labse_search.library", "check", "--repair", "--store", "http://127.0.0.1:9", status=2)
    assert "does not answer" in done.stderr and done.stderr.count("\n") == 1
