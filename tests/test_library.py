"""The ledger and the originals: what must not be lost."""

import multiprocessing
import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from labse_search.errors import UserError
from labse_search.library import DocumentRow, Library, Source, document_id, segments_digest
from labse_search.records import Extraction, Note, Segment, Unit


@pytest.fixture
def library(tmp_path: Path) -> Library:
    return Library(tmp_path / "home")


def row(document: str = "d" * 32, **changes: object) -> DocumentRow:
    value = DocumentRow(
        collection="notes",
        document=document,
        names=(),
        kind="txt",
        title="a.txt",
        bytes=10,
        characters=10,
        embedded=9,
        skipped={"whitespace": 1},
        segments=1,
        languages={"de": 1},
        encoding="utf-8",
        notes=(Note("pages_without_text", "3-7"),),
        digest="x",
        state="stored",
        added=1.0,
    )
    return replace(value, **changes)  # type: ignore[arg-type]


def test_a_document_row_comes_back_as_it_was_put(library: Library) -> None:
    library.ledger.put_document(row(), version=1)
    library.ledger.put_name("notes", "b/a.txt", "d" * 32, path="/x/a.txt", size=10, mtime_ns=5)
    library.ledger.put_name("notes", "a.txt", "d" * 32)
    assert library.documents("notes") == [row(names=("a.txt", "b/a.txt"))]
    assert library.ledger.name_at("notes", "/x/a.txt") == ("b/a.txt", "d" * 32, 10, 5)
    assert library.ledger.version("notes", "d" * 32) == 1


def test_names_under_a_folder_do_not_include_its_namesakes(library: Library) -> None:
    library.ledger.put_name("notes", "a", "d1", path="/x/a.txt")
    library.ledger.put_name("notes", "b", "d2", path="/xy/b.txt")
    assert library.ledger.names_under("notes", "/x") == [("a", "/x/a.txt")]


def test_a_transaction_is_all_or_nothing(library: Library) -> None:
    with pytest.raises(ZeroDivisionError), library.ledger.transaction():
        library.ledger.put_document(row(), version=1)
        raise ZeroDivisionError
    assert library.documents("notes") == []


def test_a_job_counts_its_files_and_keeps_their_outcomes(library: Library) -> None:
    job = library.add_index_job("notes", "model", [Source("/x/a", "a", 5), Source("/x/b", "b", 7)])
    library.ledger.set_outcome(job, 0, "added", document="d", segments=3)
    state = library.job(job)
    assert (state.state, state.files, state.files_done, state.bytes, state.bytes_done) == ("queued", 2, 1, 12, 5)
    assert state.outcomes == {"added": 1}
    assert [file.source.name for file in library.job_files(job, outcomes=("",))] == ["b"]


def test_a_waiting_job_heeds_a_wish_at_once_and_a_finished_one_never(library: Library) -> None:
    job = library.add_index_job("notes", "model", [Source("/x/a", "a")])
    library.ask(job, "pause")
    assert library.job(job).state == "paused"
    library.ask(job, "")
    assert library.job(job).state == "queued"
    library.ledger.set_job(job, state="running")
    library.ask(job, "cancel")
    assert (library.job(job).state, library.job(job).wish) == ("running", "cancel")
    library.ledger.set_job(job, state="done")
    library.ask(job, "")
    assert library.job(job).state == "done"


def test_originals_are_kept_by_content_and_texts_come_back_whole(library: Library, tmp_path: Path) -> None:
    file = tmp_path / "f.txt"
    file.write_bytes(b"abc")
    document = document_id(file)
    assert library.originals.keep(file, document)
    assert library.originals.path(document).read_bytes() == b"abc"
    extraction = Extraction((Unit("ä\n𝄞", {"page": 1}), Unit("b")), "text", "T", "latin-1", (Note("x", "1"),))
    library.originals.keep_text(document, extraction)
    assert library.originals.text(document) == extraction
    assert list(library.originals.documents()) == [document]


def test_a_file_that_changed_under_our_hands_is_not_kept(library: Library, tmp_path: Path) -> None:
    file = tmp_path / "f.txt"
    file.write_bytes(b"abc")
    document = document_id(file)
    file.write_bytes(b"abcd")
    assert not library.originals.keep(file, document)
    assert list(library.originals.documents()) == []


def test_what_a_killed_process_left_half_written_is_swept_and_nothing_else(library: Library, tmp_path: Path) -> None:
    gone = subprocess.Popen([sys.executable, "-c", ""])
    gone.wait()
    folder = library.home / "originals" / "ab"
    folder.mkdir(parents=True)
    dead, alive = folder / f".abc.{gone.pid}-12345678.part", folder / f".abc.{os.getpid()}-12345678.part"
    for path in (dead, alive, folder / "abc"):
        path.write_bytes(b"x")
    assert library.originals.sweep() == 1
    assert sorted(folder.iterdir()) == sorted([alive, folder / "abc"])


def test_the_digest_tells_any_change_of_offsets_or_text() -> None:
    segment = Segment(0, 0, 3, "abc", "en", {})
    assert segments_digest([segment]) == segments_digest([replace(segment, language="de")])
    assert segments_digest([segment]) != segments_digest([replace(segment, end=4)])
    assert segments_digest([segment]) != segments_digest([replace(segment, text="abd")])
    assert segments_digest([segment]) != segments_digest([])


def _hold(home: Path, ready: "multiprocessing.synchronize.Event") -> None:
    lock = Library(home).lock("worker")
    assert lock is not None
    ready.set()
    multiprocessing.Event().wait(60)


def test_a_lock_is_free_again_when_its_holder_is_killed(library: Library) -> None:
    context = multiprocessing.get_context("spawn")
    ready = context.Event()
    holder = context.Process(target=_hold, args=(library.home, ready))
    holder.start()
    assert ready.wait(30)
    assert library.lock("worker") is None
    holder.kill()
    holder.join()
    assert library.lock("worker") is not None


def test_a_damaged_ledger_says_what_to_do(tmp_path: Path) -> None:
    (tmp_path / "ledger.sqlite3").write_bytes(b"this is no database, not at all" * 100)
    with pytest.raises(UserError, match="check --repair"):
        Library(tmp_path)


def test_a_folder_that_cannot_be_made_says_what_to_do(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(UserError, match="LABSE_HOME"):
        Library(tmp_path / "file" / "home")
