"""The ledger and the originals: what must not be lost."""

import hashlib
import multiprocessing
import os
import sqlite3
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import pytest
from processes import run

import labse_search.library.jobs as jobs_module
from labse_search.errors import LedgerDamaged, UserError
from labse_search.home import home_id, open_home
from labse_search.library import DocumentRow, Library, Source, document_id, segments_digest
from labse_search.library.records import FileOutcome, FileStamp
from labse_search.records import Extraction, Note, Segment, Unit
from labse_search.store import open_store


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
    library.ledger.documents.put(row(), version=1)
    library.ledger.names.put("notes", "b/a.txt", "d" * 32, FileStamp("/x/a.txt", 10, 5))
    library.ledger.names.put("notes", "a.txt", "d" * 32)
    assert library.documents("notes") == [row(names=("a.txt", "b/a.txt"))]
    assert library.ledger.names.at_path("notes", "/x/a.txt") == ("b/a.txt", "d" * 32, 10, 5)
    assert library.ledger.documents.version("notes", "d" * 32) == 1


def test_names_under_a_folder_do_not_include_its_namesakes(library: Library) -> None:
    library.ledger.names.put("notes", "a", "d1", FileStamp("/x/a.txt"))
    library.ledger.names.put("notes", "b", "d2", FileStamp("/xy/b.txt"))
    assert library.ledger.names.under("notes", "/x") == [("a", "/x/a.txt")]


def test_a_transaction_is_all_or_nothing(library: Library) -> None:
    with pytest.raises(ZeroDivisionError), library.ledger.transaction():
        library.ledger.documents.put(row(), version=1)
        raise ZeroDivisionError
    assert library.documents("notes") == []


def test_a_job_counts_its_files_and_keeps_their_outcomes(library: Library) -> None:
    job = library.add_index_job("notes", "model", [Source("/x/a", "a", 5), Source("/x/b", "b", 7)])
    library.ledger.jobs.set_outcome(job, 0, FileOutcome("added", document="d", segments=3))
    state = library.job(job)
    assert (state.state, state.files, state.files_done, state.bytes, state.bytes_done) == ("queued", 2, 1, 12, 5)
    assert state.outcomes == {"added": 1}
    assert [file.source.name for file in library.job_files(job, outcomes=("",))] == ["b"]


def test_a_waiting_job_does_what_is_asked_at_once_and_a_finished_one_never(library: Library) -> None:
    job = library.add_index_job("notes", "model", [Source("/x/a", "a")])
    library.ask(job, "pause")
    assert library.job(job).state == "paused"
    library.ask(job, "")
    assert library.job(job).state == "queued"
    library.ledger.jobs.set(job, state="running")
    library.ask(job, "cancel")
    assert (library.job(job).state, library.job(job).requested) == ("running", "cancel")
    library.ledger.jobs.set(job, state="done")
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
    multiprocessing.Event().wait(500)


def test_a_lock_is_free_again_when_its_holder_is_killed(library: Library) -> None:
    context = multiprocessing.get_context("spawn")
    ready = context.Event()
    holder = context.Process(target=_hold, args=(library.home, ready))
    holder.start()
    assert ready.wait(200)
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


# ---- the ledger's file, its schema and its versions

SCHEMA_1 = Path(__file__).parent / "data" / "ledger-1.sql"  # of ledgers from before versions were counted, with rows


@pytest.fixture
def old_home(tmp_path: Path) -> Path:
    home = tmp_path / "old"
    home.mkdir()
    database = sqlite3.connect(home / "ledger.sqlite3")
    database.executescript(SCHEMA_1.read_text(encoding="utf-8"))
    database.close()
    return home


def test_a_ledger_of_before_versions_is_brought_up_with_all_it_holds(old_home: Path) -> None:
    library = Library(old_home)
    (row,) = library.documents("notes")
    assert (row.document, row.names, row.segments, row.skipped) == ("d" * 32, ("a.txt", "b.txt"), 3, {"blank": 7})
    job = library.job("20260101-000000-abcdef")
    assert (job.state, job.requested, job.files, job.files_done) == ("paused", "pause", 3, 2)
    assert (job.bytes, job.bytes_done, job.outcomes) == (60, 30, {"added": 1, "skipped": 1})
    assert library.ledger.collections.all() == {"notes": ("labse-mini", "f" * 64)}
    library.ledger.jobs.set_outcome(job.id, 2, FileOutcome("added"))
    assert library.job(job.id).outcomes == {"added": 2, "skipped": 1}
    library.close()
    assert Library(old_home).documents("notes") == [row]  # once is enough


def test_a_fresh_ledger_has_the_schema_of_one_that_was_brought_up(old_home: Path, tmp_path: Path) -> None:
    def schema(home: Path) -> set[str]:
        Library(home).close()
        database = sqlite3.connect(home / "ledger.sqlite3")
        rows = database.execute("SELECT sql FROM sqlite_master WHERE sql IS NOT NULL").fetchall()
        database.close()
        return {" ".join(sql.replace('"', "").split()) for (sql,) in rows}

    assert schema(old_home) == schema(tmp_path / "fresh")


def test_a_ledger_of_a_newer_version_is_left_alone(tmp_path: Path) -> None:
    Library(tmp_path).close()
    database = sqlite3.connect(tmp_path / "ledger.sqlite3")
    database.execute("PRAGMA user_version = 1000")
    database.close()
    with pytest.raises(UserError, match="newer version.*1000.*Update"):
        Library(tmp_path)


def test_many_writers_in_one_home_at_once(library: Library) -> None:
    def write(number: int) -> None:
        for part in range(20):
            library.ledger.names.put("notes", f"{number}-{part}", "d")

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(write, range(8)))
    assert len(library.ledger.names.of("notes", "d")) == 160


def test_a_new_ledger_that_another_process_writes_is_waited_for(tmp_path: Path) -> None:
    """SQLite does not wait by itself where it switches to the write-ahead log: of three indexers that opened a new home
    at once, one ended with an error."""
    database = sqlite3.connect(tmp_path / "ledger.sqlite3", isolation_level=None, check_same_thread=False)
    database.execute("BEGIN IMMEDIATE")
    with pytest.raises(UserError, match="in use by another program"):
        Library(tmp_path, busy_seconds=0.2)
    with ThreadPoolExecutor(1) as pool:
        opened = pool.submit(Library, tmp_path)
        with pytest.raises(TimeoutError):
            opened.result(0.3)
        database.execute("COMMIT")
        assert opened.result().documents("notes") == []
    database.close()


@pytest.mark.parametrize("suffixes", [("-wal",), ("-wal", "-shm")])
def test_a_log_deleted_while_the_ledger_is_open_loses_nothing(library: Library, suffixes: tuple[str, ...]) -> None:
    """As a person tidies up, or a backup program restores: five of six additions were lost."""
    library.ledger.names.put("notes", "before", "d")
    for suffix in suffixes:
        library.ledger.path.with_name(f"ledger.sqlite3{suffix}").unlink()
    library.ledger.names.put("notes", "after", "d")
    with ThreadPoolExecutor(1) as pool:
        pool.submit(library.ledger.names.put, "notes", "elsewhere", "d").result()
    library.close()
    code = (
        "import sys; from pathlib import Path; from labse_search.library import Library; "
        "ledger = Library(Path(sys.argv[1])).ledger; print(ledger.names.of('notes', 'd'), ledger.replacements())"
    )
    assert run(sys.executable, "-c", code, library.home).stdout.startswith("['after', 'before', 'elsewhere'] ['20")


def test_a_ledger_replaced_while_it_is_open_is_opened_again_and_noted(library: Library, tmp_path: Path) -> None:
    library.ledger.names.put("notes", "kept", "d")
    library.ledger.snapshot(tmp_path / "copy")
    library.ledger.names.put("notes", "lost with the file", "d")
    os.replace(tmp_path / "copy", library.ledger.path)
    library.ledger.names.put("notes", "new", "d")
    assert library.ledger.names.of("notes", "d") == ["kept", "new"]
    assert len(library.ledger.replacements()) == 1
    (saved,) = library.home.glob("ledger.replaced-*")
    database = sqlite3.connect(saved)
    assert database.execute("SELECT COUNT(*) FROM names").fetchone() == (2,)
    database.close()
    library.ledger.forget_replacements()
    assert library.ledger.replacements() == []


def test_a_ledger_deleted_while_it_is_open_says_what_to_do(library: Library) -> None:
    library.ledger.names.put("notes", "a", "d")
    library.ledger.path.unlink()
    for _ in range(2):
        with pytest.raises(LedgerDamaged, match="deleted.*check --repair"):
            library.ledger.names.of("notes", "d")


# ---- jobs


def test_the_counts_of_a_large_job_cost_as_little_as_those_of_a_small_one(library: Library) -> None:
    large = library.add_index_job("notes", "model", (Source(f"/x/{n}", f"{n}", 1) for n in range(20_000)))
    steps = 0

    def count() -> int:
        nonlocal steps
        steps += 1
        return 0

    with library.ledger.write() as database:
        database.set_progress_handler(count, 100)
        row = library.job(large)
        library.ledger.jobs.set_outcome(large, 7, FileOutcome("added"))
        database.set_progress_handler(None, 100)
    assert (row.files, row.bytes) == (20_000, 20_000)
    assert steps < 5  # of a hundred of SQLite's instructions each
    assert library.job(large).outcomes == {"added": 1}


def test_jobs_that_are_over_are_forgotten_but_for_the_last_ones(library: Library) -> None:
    waiting = library.add_index_job("notes", "model", [Source("/x/waits", "waits", 1)])
    jobs = []
    for number in range(jobs_module.KEPT_JOBS + 5):
        jobs.append(library.add_index_job("notes", "model", [Source(f"/x/{number}", f"{number}", 1)]))
        library.ledger.jobs.set(jobs[-1], state="done")
    library.add_index_job("notes", "model", [])
    assert {row.id for row in library.jobs(limit=1000)} >= {waiting, *jobs[5:]}
    assert not {row.id for row in library.jobs(limit=1000)} & {*jobs[:5]}
    assert library.job_files(jobs[0]) == [] and len(library.job_files(jobs[-1])) == 1


# ---- originals


def test_an_original_of_other_content_is_replaced_by_the_right_one(library: Library, tmp_path: Path) -> None:
    file = tmp_path / "f.txt"
    file.write_bytes(b"abc")
    document = document_id(file)
    place = library.originals.path(document)
    place.parent.mkdir(parents=True)
    place.write_bytes(b"rotten")
    assert library.originals.keep(file, document)
    assert place.read_bytes() == b"abc"


def test_a_file_gets_a_documents_name_only_after_its_digest_was_compared(library: Library, tmp_path: Path) -> None:
    """A kill between the two left other content under the right name."""
    pipe, names = tmp_path / "pipe", []
    os.mkfifo(pipe)
    document = hashlib.sha256(b"expected").hexdigest()[:32]

    def write() -> None:
        with pipe.open("wb") as file:
            file.write(b"something else")
            file.flush()
            names.append([path.name for path in library.home.rglob(document)])

    writer = threading.Thread(target=write)
    writer.start()
    assert not library.originals.keep(pipe, document)
    writer.join()
    assert names == [[]] and not list(library.home.rglob(f"*{document}*"))


# ---- the home


@pytest.mark.skipif(sys.platform == "win32", reason="modes are of POSIX")
def test_a_home_is_closed_to_other_accounts_even_if_it_was_open(tmp_path: Path) -> None:
    home = tmp_path / "home"
    home.mkdir()
    home.chmod(0o755)
    Library(home)
    assert home.stat().st_mode & 0o777 == 0o700


@pytest.mark.skipif(sys.platform == "win32", reason="modes are of POSIX")
def test_a_folder_of_other_things_is_not_closed_to_other_accounts(tmp_path: Path) -> None:
    """Whoever names /srv, or as root /tmp, would lock everybody out of it."""
    (tmp_path / "shared").mkdir()
    (tmp_path / "shared").chmod(0o755)  # whatever umask a command in this process has set
    (tmp_path / "shared" / "somebody's.txt").write_text("not ours")
    open_home(tmp_path / "shared")
    assert (tmp_path / "shared").stat().st_mode & 0o777 == 0o755


def test_a_home_has_one_identity_whoever_asks_first(tmp_path: Path) -> None:
    with ThreadPoolExecutor(8) as pool:
        found = set(pool.map(lambda _: home_id(tmp_path / "home"), range(16)))
    assert len(found) == 1 and len(found.pop()) == 32
    assert home_id(tmp_path / "other") != home_id(tmp_path / "home")


@pytest.mark.parametrize("content", [b"", b"\n", b"a" * 31, b"g" * 32, b"\xff" * 32, b"a" * 64])
def test_a_damaged_identity_is_told_and_never_taken_for_none(tmp_path: Path, content: bytes) -> None:
    """An empty one let a home change every other home's collections on a server."""
    (tmp_path / "home-id").write_bytes(content)
    with pytest.raises(UserError, match=r"home-id is damaged.*delete it.*take-over"):
        home_id(tmp_path)
    with pytest.raises(UserError, match="home-id is damaged"):
        open_store("http://127.0.0.1:9", home=tmp_path)
    (tmp_path / "home-id").unlink()
    assert len(home_id(tmp_path)) == 32
