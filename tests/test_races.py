"""What people, other processes and the disk do to a library while it works."""

from __future__ import annotations

import json
import os
import sqlite3
import sys
import threading
import time
import unicodedata
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from bench import MODEL, Bench
from library_case import Home, encoder
from processes import finish, run, start

import labse_search.library.jobs as jobs_module
from indexer.check import check
from indexer.claims import Claims
from indexer.commit import Committer
from indexer.documents import recover, remove_documents, restore_documents
from indexer.encoding import FIRST_BATCH
from indexer.indexing import Indexer
from indexer.inspect import Inspector
from indexer.job import Job
from indexer.sandbox import ReaderPool
from indexer.segment import Split
from indexer.sources import clean, missing, walk
from indexer.worker import collection_lock, do_job, waiting, work
from labse_search.encoder import CheckCancelled, Task
from labse_search.encoder.tokens import Tokenized
from labse_search.errors import StoreUnavailable, UserError
from labse_search.library import Library, document_id
from labse_search.library.records import FileOutcome
from labse_search.records import Extraction, StoredSegment
from labse_search.settings import Settings
from labse_search.similarity import Vectors
from labse_search.store import Store
from labse_search.store.edge.client import EdgeStore
from labse_search.ui.users import add_user


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Iterator[EdgeStore]:
    """One process for all tests, whose homes are their own: each leaves it empty."""
    store = EdgeStore.open(tmp_path_factory.mktemp("store"))
    yield store
    store.stop()


@pytest.fixture
def bench(tmp_path: Path, store: EdgeStore, readers: ReaderPool) -> Iterator[Bench]:
    library = Library(tmp_path / "home")
    (tmp_path / "files").mkdir()
    yield Bench(library, store, readers, tmp_path / "files")
    store.drop("notes")
    if (library.home / "store").exists():  # what a whole job, with a store of its own, left running
        EdgeStore(library.home / "store").stop()


@dataclass
class Meddling:
    """A store that lets something happen before or after one of its calls."""

    store: Store
    before: dict[str, object] = field(default_factory=dict)
    after: dict[str, object] = field(default_factory=dict)

    def __getattr__(self, name: str) -> object:
        real = getattr(self.store, name)
        if name not in self.before and name not in self.after:
            return real

        def call(*args: object, **kwargs: object) -> object:
            self.before.pop(name, lambda: None)()  # type: ignore[operator]
            value = real(*args, **kwargs)
            self.after.pop(name, lambda: None)()  # type: ignore[operator]
            return value

        return call


# ---- files that change places


def test_two_files_that_swap_their_contents_keep_both(bench: Bench) -> None:
    for number in range(20):
        bench.write(f"{number:02}.txt", f"Text number {number}.")
    bench.index()
    paths = sorted(bench.files.iterdir())
    texts = [path.read_text() for path in paths]
    for path, text in zip(paths, [*texts[1:], texts[0]], strict=True):
        path.write_text(text)
    row = bench.index()
    assert row.state == "done"
    assert bench.stored() == {f"files/{n:02}.txt": f"Text number {(n + 1) % 20}." for n in range(20)}
    assert bench.is_sound()


def test_a_content_that_moves_on_while_its_old_file_is_replaced_is_not_lost(bench: Bench) -> None:
    """ "z" is found to hold what "a" held; before that is written down, "a" gives it up."""
    first = bench.write("a.txt", "The wandering words.")
    bench.index()
    bench.write("z.txt", "The wandering words.")
    first.write_text("Other words.")
    job = bench.add()
    working = Job(job, "notes", bench.library, bench.store)
    claims = Claims(working)
    file = Inspector(working, claims, bench.readers, max_file_bytes=1 << 20).inspect(bench.library.job_files(job)[1])
    assert file.outcome == "renamed"
    claims.names_changed([file.document])  # claimed: nothing may happen
    bench.library.ledger.names.drop("notes", "files/a.txt")
    claims.names_changed([file.document])
    assert bench.library.originals.path(file.document).exists()
    remove_documents(bench.library, bench.store, "notes", [file.document])  # and then another process takes it
    committer = Committer(working, claims, encoder(), stored=0)
    committer.conclude(file)
    assert [file.source.name for file in committer.again] == ["files/z.txt"]
    assert bench.pipeline().run(job).state == "done"
    assert bench.stored() == {"files/a.txt": "Other words.", "files/z.txt": "The wandering words."}


def test_a_file_changed_within_the_clock_tick_of_its_reading_is_seen(bench: Bench) -> None:
    path = bench.write("a.txt", "One word.")
    bench.index()
    status = path.stat()
    path.write_text("New word.")  # as long, and at the same time for a coarse clock
    os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns))
    assert bench.index().outcomes == {"replaced": 1}
    assert bench.stored() == {"files/a.txt": "New word."}


def test_a_file_replaced_while_it_is_read_gives_one_of_its_contents_whole(bench: Bench) -> None:
    path = bench.write("a.txt", "old " * 20_000)
    beside = path.with_name(".a.part")
    stop = threading.Event()

    def meddle() -> None:
        number = 0
        while not stop.is_set():
            number += 1
            beside.write_text(f"new{number} " * 20_000)
            beside.replace(path)  # what is written in place is half written for a moment, whoever reads it

    thread = threading.Thread(target=meddle)
    thread.start()
    row = bench.index()
    stop.set()
    thread.join()
    (file,) = bench.library.job_files(row.id)
    assert file.outcome == "added" or file.reason in ("changing", "empty", "no_text")
    assert bench.is_sound()
    for one in bench.library.documents("notes"):
        assert len(set(bench.library.originals.text(one.document).text.split())) == 1


# ---- people who change their minds


def test_a_pause_while_the_model_is_being_loaded_is_heard(bench: Bench) -> None:
    bench.write("a.txt", "Words.")
    job = bench.add()
    bench.library.ask(job, "pause")
    assert do_job(bench.library, Settings(home=bench.library.home), bench.library.job(job)) is None
    assert bench.library.job(job).state == "paused"
    bench.library.ask(job, "")
    assert bench.library.ledger.jobs.start(job)  # taken; the model loads now
    bench.library.ask(job, "cancel")
    assert bench.pipeline().run(job).state == "cancelled"
    assert bench.library.documents("notes") == []


def test_a_document_that_a_person_removes_while_it_comes_in_stays_out(bench: Bench) -> None:
    path = bench.write("a.txt", "Unwanted words. " * 3000)
    document = document_id(path)
    meddling = Meddling(bench.store)
    meddling.after["upsert"] = lambda: remove_documents(bench.library, bench.store, "notes", [document])
    job = bench.add()
    row = bench.pipeline(meddling).run(job)  # type: ignore[arg-type]
    assert (row.state, row.outcomes) == ("done", {"removed": 1})
    assert bench.store.count("notes") == 0
    assert bench.is_sound()
    assert [one.names for one in bench.library.removed_documents("notes")] == [("files/a.txt",)]


class Slow:
    """A reader that never answers. `asked`: called when it is given a file."""

    def __init__(self, asked: Callable[[], None]) -> None:
        self._asked = asked

    def submit(self, path: Path, name: str) -> Future[tuple[Extraction, Split]]:
        self._asked()
        return Future()


@pytest.mark.parametrize("action", ["pause", "cancel"])
def test_a_request_is_heard_while_a_large_file_is_read(bench: Bench, action: str) -> None:
    bench.write("a.txt", "Words.")
    job = bench.add()
    reader = Slow(lambda: bench.library.ask(job, action))
    assert bench.pipeline(readers=reader).run(job).state == {"pause": "paused", "cancel": "cancelled"}[action]
    assert action == "pause" or list(bench.library.originals.documents()) == []


def sentences(count: int) -> str:
    return "".join(f"Sentence number {n} stands here for its length alone.\n" for n in range(count))


class Twin:
    """Of another encoder, of which only `encode` is not the same."""

    def __init__(self) -> None:
        self._real = encoder()

    def __getattr__(self, name: str) -> object:
        return getattr(self._real, name)


class Endless(Twin):
    """After so many batches it takes for ever, but asks between its layers whether to go on. `asked`: called when it
    begins to."""

    def __init__(self, batches: int, asked: Callable[[], None]) -> None:
        super().__init__()
        self._left, self._asked = batches, asked

    def encode(self, texts: list[str], task: Task, *, check_cancelled: CheckCancelled) -> Vectors:
        self._left -= 1
        if self._left >= 0:
            return self._real.encode(texts)
        self._asked()
        while True:
            check_cancelled()
            time.sleep(0.01)


@pytest.mark.parametrize("action", ["pause", "cancel"])
@pytest.mark.parametrize("batches", [0, 1])
def test_a_request_is_heard_while_a_batch_is_encoded(bench: Bench, action: str, batches: int) -> None:
    bench.write("a.txt", sentences(2000))
    bench.write("b.txt", "Words.")
    job = bench.add()
    model = Endless(batches, lambda: bench.library.ask(job, action))
    row = Indexer(bench.library, bench.store, model, bench.readers, "notes").run(job)  # type: ignore[arg-type]
    kept = batches * FIRST_BATCH if action == "pause" else 0
    assert row.state == {"pause": "paused", "cancel": "cancelled"}[action]
    assert bench.store.count("notes") == kept
    if action == "pause":
        bench.library.ask(job, "")
        assert bench.run(job).outcomes == {"added": 2}
    else:
        assert bench.index().outcomes == {"added": 2}
    assert bench.is_sound()


class Concurrent(Twin):
    """It is fastest with two batches at a time, and slow to begin."""

    max_concurrent_calls = 2

    def __init__(self) -> None:
        super().__init__()
        self.most = 0
        self.tokenizers: set[str] = set()
        self._begun = 0
        self._counting = threading.Lock()
        self._second = threading.Event()

    def encode(self, texts: list[str], task: Task, *, check_cancelled: CheckCancelled) -> Vectors:
        assert isinstance(texts, Tokenized)
        self.tokenizers.add(texts.tokenizer)
        with self._counting:
            self._begun += 1
            number = self._begun
        if number == 1:  # the second one is done first
            self.most = 2 if self._second.wait(60) else 1
        vectors = self._real.encode(texts)
        if number == 2:
            self._second.set()
        return vectors


def test_two_batches_at_a_time_are_stored_as_one_after_the_other(bench: Bench) -> None:
    bench.write("a.txt", sentences(3000))
    model = Concurrent()
    pipeline = Indexer(bench.library, bench.store, model, bench.readers, "notes")  # type: ignore[arg-type]
    assert pipeline.run(bench.add()).outcomes == {"added": 1}
    assert model.most == 2
    assert model.tokenizers == {encoder().tokenizer.identity}  # the readers' tokens serve the encoder
    bench.check_vectors()
    assert bench.is_sound()


class Interrupting(Twin):
    """Ctrl-C strikes it after a few batches."""

    def __init__(self, batches: int) -> None:
        super().__init__()
        self._left = batches

    def encode(self, texts: list[str], task: Task, *, check_cancelled: CheckCancelled) -> Vectors:
        self._left -= 1
        if self._left < 0:
            raise KeyboardInterrupt
        return self._real.encode(texts)


def test_ctrl_c_in_the_middle_of_a_document_leaves_no_half_of_it(bench: Bench) -> None:
    bench.write("a.txt", sentences(5000))
    job = bench.add()
    pipeline = Indexer(bench.library, bench.store, Interrupting(2), bench.readers, "notes")  # type: ignore[arg-type]
    with pytest.raises(KeyboardInterrupt):
        pipeline.run(job)
    assert bench.library.job(job).state == "cancelled"
    assert bench.store.count("notes") == 0
    assert bench.index().outcomes == {"added": 1}
    assert bench.is_sound()


# ---- two at once


@pytest.mark.slow
def test_two_indexers_of_overlapping_files_take_turns(tmp_path: Path) -> None:
    home = Home(tmp_path / "home")
    for number in range(30):
        path = tmp_path / "files" / ("ab"[number % 2]) / f"{number:02}.txt"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(f"Text number {number // 3}. " * 30)  # threes of equal content, across the folders
    commands = [[tmp_path / "files"], [tmp_path / "files"], [tmp_path / "files" / "a", tmp_path / "files" / "b"]]
    running = [home.start("indexer", *map(str, paths), "--model", MODEL, "--json") for paths in commands]
    outcomes = [json.loads(finish(process).stdout) for process in running]
    assert [one["state"] for one in outcomes] == ["done"] * 3
    assert home.problems() == []
    library = Library(home.folder)
    assert len(library.documents("documents")) == 10
    assert sum(len(row.names) for row in library.documents("documents")) == 30
    home.stop_store()


def test_many_processes_may_open_a_new_home_at_once(tmp_path: Path) -> None:
    code = "import sys; from pathlib import Path; from labse_search.library import Library; Library(Path(sys.argv[1]))"
    processes = [start(sys.executable, "-c", code, tmp_path / "home") for _ in range(8)]
    assert [finish(process).stderr for process in processes] == [""] * 8


@pytest.mark.slow
def test_a_job_waits_while_another_one_of_its_collection_is_done(bench: Bench) -> None:
    bench.write("a.txt", "Words.")
    job = bench.add()
    lock = bench.library.lock(collection_lock("notes"))
    assert lock is not None
    assert do_job(bench.library, Settings(home=bench.library.home), bench.library.job(job)) is None
    assert bench.library.job(job).state == "queued"
    lock.release()
    assert work(bench.library, Settings(home=bench.library.home), idle_seconds=0.1) == 1
    assert bench.library.job(job).state == "done"


# ---- names


NAMES = {
    "decomposed.txt": unicodedata.normalize("NFD", "Übergröße é.txt"),
    "newline.txt": "a\nb\x1b[31m.txt",
    "long.txt": "x" * 251 + ".txt",
    "direction.txt": "invoice\u202etxt.exe.txt",
    "formula.txt": "=HYPERLINK(1)${alert(1)}<b>.txt",
    "quotes.txt": 'it\'s "%s" {0} ; DROP TABLE documents.txt',
}


def test_files_of_any_name_are_indexed_under_a_name_that_can_be_shown(bench: Bench) -> None:
    for text, name in NAMES.items():
        (bench.files / name).write_text(f"This is {text}", encoding="utf-8")
    raw = os.fsencode(bench.files) + b"/caf\xe9.txt"  # Latin-1, from an old disk
    with open(raw, "w") as file:
        file.write("This is latin.txt")
    row = bench.index()
    assert (row.state, row.outcomes) == ("done", {"added": 7})
    names = bench.stored()
    assert set(names) == {f"files/{clean(name)}" for name in [*NAMES.values(), os.fsdecode(b"caf\xe9.txt")]}
    for name in names:
        assert name.isprintable() and unicodedata.is_normalized("NFC", name)
    assert names["files/Übergröße é.txt"] == "This is decomposed.txt"
    assert bench.index().outcomes == {"unchanged": 7}
    os.unlink(raw)
    assert missing([bench.files], bench.library, "notes") == ["files/caf\ufffd.txt"]
    assert bench.is_sound()


def test_names_that_differ_only_in_composition_are_two(bench: Bench) -> None:
    (bench.files / "é.txt").write_text("Composed.")
    (bench.files / unicodedata.normalize("NFD", "é.txt")).write_text("Decomposed.")
    bench.index()
    assert sorted(bench.stored()) == ["files/é (2).txt", "files/é.txt"]


# ---- what a kill leaves


def test_names_that_the_store_has_not_learnt_are_told_by_the_next_job(bench: Bench) -> None:
    """Killed after the ledger's transaction, before the store heard of it."""
    bench.write("a.txt", "Same words.")
    bench.index()
    (row,) = bench.library.documents("notes")
    with bench.library.ledger.transaction():
        bench.library.ledger.names.put("notes", "files/b.txt", row.document)
        bench.library.ledger.names.set_unsettled("notes", [row.document])
    assert [one.code for one in check(bench.library, bench.store, "notes", full=True)] == ["change_unfinished"]
    recover(bench.library, bench.store, "notes")
    assert bench.is_sound()
    assert set(bench.stored()) == {"files/a.txt", "files/b.txt"}


def test_what_a_killed_run_cut_another_way_is_not_mixed_in(bench: Bench) -> None:
    path = bench.write("a.txt", "Short.")
    document = document_id(path)
    bench.index()
    (one,) = bench.store.segments("notes")
    leftover = StoredSegment(
        one.document, one.names, one.folders, one.kind, one.added, one.segment.__class__(7, 0, 5, "Short", "en", {})
    )
    bench.store.upsert("notes", [leftover], encoder().encode(["Short"]), fingerprint=encoder().fingerprint)
    job = bench.add()
    bench.library.ledger.documents.set_state("notes", document, "storing", job=job)
    assert bench.pipeline().run(job).state == "done"
    assert bench.store.count("notes") == 1
    assert bench.is_sound()


def test_a_half_document_of_a_failed_job_is_reported(bench: Bench) -> None:
    path = bench.write("a.txt", "Words.")
    bench.index()
    job = bench.add()
    bench.library.ledger.documents.set_state("notes", document_id(path), "storing", job=job)
    assert bench.is_sound()  # its job goes on
    bench.library.ledger.jobs.set(job, state="failed")
    assert [one.code for one in check(bench.library, bench.store, "notes")] == ["document_unfinished"]


def test_a_job_that_kills_its_process_each_time_is_given_up_and_can_be_retried(bench: Bench) -> None:
    bench.write("a.txt", "Words.")
    job = bench.add()
    starts = 0
    while bench.library.ledger.jobs.start(job):
        starts += 1
    assert starts == jobs_module.MOST_STARTS
    assert bench.library.job(job).state == "failed"
    assert waiting(bench.library) == []
    bench.library.ask(job, "")
    assert bench.pipeline().run(job).state == "done"


def test_a_job_that_gets_on_between_kills_is_never_given_up(bench: Bench) -> None:
    for number in range(3):
        bench.write(f"{number}.txt", f"Words {number}.")
    job = bench.add()
    for number in range(3 * jobs_module.MOST_STARTS - 3):
        assert bench.library.ledger.jobs.start(job)
        bench.library.ledger.jobs.set_outcome(job, number // jobs_module.MOST_STARTS, FileOutcome("added"))


# ---- the disk, the clock and other programs


def test_a_removed_original_is_kept_again_when_its_file_is_added_again(bench: Bench) -> None:
    path = bench.write("a.txt", "Words.")
    os.utime(path, (1, 1))
    bench.index()
    original = bench.library.originals.path(document_id(path))
    original.unlink()
    assert bench.index().outcomes == {"unchanged": 1}
    assert original.exists()


def test_a_rotten_original_does_not_replace_the_document(bench: Bench) -> None:
    path = bench.write("a.txt", "Words.")
    bench.index()
    (row,) = bench.library.documents("notes")
    original = bench.library.originals.path(row.document)
    original.write_text("Rot")
    job = restore_documents(bench.library, "notes", MODEL, [row.document])
    bench.run(job)
    assert bench.library.job_files(job)[0].reason == "damaged"
    assert bench.stored()["files/a.txt"] == "Words."
    assert path.exists()


def test_a_clock_that_jumps_back_ten_years_changes_nothing(bench: Bench) -> None:
    path = bench.write("a.txt", "Words.")
    bench.index()
    later = time.time() + 10 * 365 * 86400  # all that was written down so far lies in the future now
    with sqlite3.connect(bench.library.home / "ledger.sqlite3") as database:
        database.execute("UPDATE documents SET added = ?", (later,))
        database.execute("UPDATE jobs SET created = ?, started = ?, finished = ?", (later, later, later))
        database.execute("UPDATE names SET mtime_ns = ?", (int(later * 1e9),))
    os.utime(path, (later, later))
    assert bench.index().outcomes == {"unchanged": 1}
    path.write_text("More words.")
    os.utime(path, (1, 1))
    assert bench.index().outcomes == {"replaced": 1}
    bench.write("b.txt", "New words.")
    job = bench.add()
    assert [row.id for row in waiting(bench.library)] == [job]
    assert bench.pipeline().run(job).state == "done"
    assert bench.is_sound()


def test_a_ledger_that_another_program_locks_ends_in_one_sentence(bench: Bench) -> None:
    bench.write("a.txt", "Words.")
    job = bench.add()
    bench.library.close()
    bench.library = Library(bench.library.home, busy_seconds=0.2)
    other = sqlite3.connect(bench.library.home / "ledger.sqlite3", isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    with pytest.raises(UserError, match="in use by another program"):
        do_job(bench.library, Settings(home=bench.library.home), bench.library.job(job))
    assert work(bench.library, Settings(home=bench.library.home), idle_seconds=0.3) == 0
    other.execute("ROLLBACK")
    other.close()
    row = do_job(bench.library, Settings(home=bench.library.home), bench.library.job(job))
    assert row is not None and row.state == "done"


def test_a_model_that_vanished_fails_its_job_with_a_sentence(bench: Bench, tmp_path: Path) -> None:
    bench.write("a.txt", "Words.")
    sources = walk([bench.files], bench.library, "notes")
    job = bench.library.add_index_job("notes", str(tmp_path / "gone"), sources)
    row = do_job(bench.library, Settings(home=bench.library.home), bench.library.job(job))
    assert row is not None and row.state == "failed"
    assert "gone" in row.error and "Traceback" not in row.error


def test_a_store_that_dies_for_good_fails_the_job_and_the_rest_is_not_written(bench: Bench) -> None:
    bench.write("a.txt", "Words. " * 200)
    bench.index()
    bench.write("b.txt", "Other words. " * 5000)
    dead = Dying(bench.store)
    job = bench.add()
    pipeline = bench.pipeline(dead)  # type: ignore[arg-type]
    pipeline.store_tries = 1
    row = pipeline.run(job)
    assert row.state == "failed" and "no store" in row.error
    bench.library.ask(job, "")
    assert bench.pipeline().run(job).outcomes == {"unchanged": 1, "added": 1}
    assert bench.is_sound()


@dataclass
class Dying:
    store: Store

    def __getattr__(self, name: str) -> object:
        return getattr(self.store, name)

    def upsert(self, *args: object, **kwargs: object) -> None:
        raise StoreUnavailable("no store")


def _mount(kind: str, folder: Path, options: str) -> int:
    folder.mkdir(parents=True, exist_ok=True)
    return run("mount", "-t", kind, "-o", options, kind, folder, status=None).returncode


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A disk of 6 MB."""
    folder = tmp_path / "disk"
    if os.name != "posix" or os.geteuid() != 0 or _mount("tmpfs", folder, "size=6m"):
        pytest.skip("mounting a small disk needs root and the right to mount")
    yield folder
    if (folder / "home" / "store").exists():
        EdgeStore(folder / "home" / "store").stop()
    run("umount", "-l", folder)


@pytest.mark.slow
def test_a_full_disk_fails_the_job_with_a_sentence_and_breaks_nothing(
    small_disk: Path, tmp_path: Path, store: EdgeStore, readers: ReaderPool
) -> None:
    """The home is on a disk that fills up; the store is elsewhere, as with a server."""
    library = Library(small_disk / "home")
    bench = Bench(library, store, readers, tmp_path / "files")
    bench.write("first.txt", "Stored before the disk was full.")
    bench.index()
    for number in range(20):
        bench.write(f"{number:02}.html", f"<p>Text number {number}.</p><!-- {'padding ' * 80_000} -->")
    row = bench.index()
    assert row.state == "failed" and "disk is full" in row.error, row
    assert bench.is_sound()
    assert bench.stored()["files/first.txt"] == "Stored before the disk was full."
    kept = set(library.originals.documents())
    assert kept == {one.document for one in library.ledger.documents.all("notes", ("stored", "storing"))}
    run("mount", "-o", "remount,size=60m", small_disk)  # space is made
    library.ask(row.id, "")
    outcomes = bench.pipeline().run(row.id).outcomes
    assert outcomes["added"] == 20
    assert bench.is_sound()
    store.drop("notes")
    library.close()


@pytest.mark.slow
def test_a_disk_without_a_reserve_is_not_filled_by_the_store(small_disk: Path, tmp_path: Path) -> None:
    home = Home(small_disk / "home")
    (tmp_path / "a.txt").write_text("Words.")
    outcome = home.index(tmp_path / "a.txt", status=1)
    assert outcome["state"] == "failed" and "full" in outcome["error"]
    run("mount", "-o", "remount,size=900m", small_disk)
    assert home.index(tmp_path / "a.txt")["outcomes"] in ({"added": 1}, {"unchanged": 1})
    assert home.problems() == []
    home.stop_store()


def test_a_read_only_home_is_named_in_one_line(small_disk: Path, tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text("Words.")
    run("mount", "-o", "remount,ro", small_disk)
    done = Home(small_disk / "home").command("indexer", str(tmp_path / "a.txt"), "--model", MODEL, status=2)
    assert done.stderr.startswith("error: ") and done.stderr.count("\n") == 1
    assert "cannot be written" in done.stderr and "LABSE_HOME" in done.stderr


COMMANDS = [("labse_search.ui", "remove-user", "Ada"), ("labse_search.teach", "runs"), ("labse_search.library", "list")]


@pytest.mark.parametrize("command", COMMANDS, ids=lambda command: command[0])
def test_a_home_on_a_read_only_disk_is_named_in_one_line_by_every_command(
    small_disk: Path, command: tuple[str, ...]
) -> None:
    folder = small_disk / "home"
    folder.mkdir()
    add_user(folder, "Ada", "a long password")
    run("mount", "-o", "remount,ro", small_disk)
    done = Home(folder).command(*command, status=2)
    assert done.stderr.startswith("error: ") and done.stderr.count("\n") == 1
    assert "written" in done.stderr and str(folder) in done.stderr


def test_a_home_that_becomes_read_only_fails_the_job_and_not_its_files(
    small_disk: Path, tmp_path: Path, store: EdgeStore, readers: ReaderPool
) -> None:
    library = Library(small_disk / "home")
    bench = Bench(library, store, readers, tmp_path / "files")
    bench.write("a.txt", "Words.")
    job = bench.add()
    library.close()
    run("mount", "-o", "remount,ro", small_disk)
    with pytest.raises(UserError, match="cannot be written"):
        bench.pipeline().run(job)
    run("mount", "-o", "remount,rw", small_disk)
    library.close()
    assert bench.pipeline().run(job).outcomes == {"added": 1}
    store.drop("notes")
    library.close()
