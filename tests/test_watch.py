"""Folders that are watched: what changes on the disk changes in the collection, and nothing goes unannounced."""

from __future__ import annotations

import errno
import math
import os
import queue
import shutil
import signal
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from bench import MODEL, Bench
from library_case import Home
from processes import SECONDS, next_line

from indexer.documents import remove_documents, remove_gone, restore_documents
from indexer.sandbox import ReaderPool
from indexer.watch import FolderWatch, Times
from indexer.watching import Watching
from labse_search.errors import UserError
from labse_search.library import Library, Source
from labse_search.store import open_store


@pytest.fixture
def bench(tmp_path: Path, readers: ReaderPool) -> Iterator[Bench]:
    """A home inside the folder that is watched: its own changes must not count."""
    library = Library(tmp_path / "files" / "home")
    store = open_store("", home=library.home)
    yield Bench(library, store, readers, tmp_path / "files")
    store.close()


@dataclass
class Recorded:
    """Indexes and removes as the command line does, and says what it was asked for."""

    bench: Bench
    said: queue.Queue[tuple[str, list[str]]] = field(default_factory=queue.Queue)

    def index(self, sources: Sequence[Source]) -> bool:
        done = self.bench.run(self.bench.library.add_index_job("notes", MODEL, sources)).state == "done"
        self.said.put(("index", sorted(source.name for source in sources)))
        return done

    def announce(self, names: Sequence[str], seconds: float) -> None:
        self.said.put(("announce", list(names)))

    def back(self, names: Sequence[str]) -> None:
        self.said.put(("back", list(names)))

    def remove(self, names: Sequence[str]) -> None:
        remove_gone(self.bench.library, self.bench.store, "notes", names)
        self.said.put(("remove", list(names)))

    def lost(self, folder: Path) -> None:
        self.said.put(("lost", [folder.name]))

    def next(self) -> tuple[str, list[str]]:
        return self.said.get(timeout=SECONDS)


def put(bench: Bench, name: str, text: str) -> Path:
    """A file that appears whole: between its first and its last byte nothing can be seen of it."""
    path = bench.files / name
    path.parent.mkdir(exist_ok=True)
    beside = bench.files.parent / "beside"
    beside.write_text(text, encoding="utf-8")
    return beside.rename(path)


Started = Callable[..., tuple[FolderWatch, Recorded]]


@pytest.fixture
def start(bench: Bench) -> Iterator[Started]:
    running: list[tuple[FolderWatch, threading.Thread]] = []

    def begin(grace: float = 0.2) -> tuple[FolderWatch, Recorded]:
        recorded = Recorded(bench)
        watch = FolderWatch(bench.library, "notes", [bench.files], recorded, Times(quiet=0.05, grace=grace))
        thread = threading.Thread(target=watch.run)
        thread.start()
        running.append((watch, thread))
        return watch, recorded

    yield begin
    for watch, thread in running:
        watch.stop()
        thread.join()


def test_what_happened_before_the_start_and_what_happens_then_is_noticed(bench: Bench, start: Started) -> None:
    put(bench, "a.txt", "The first words.")
    _, recorded = start()
    assert recorded.next() == ("index", ["files/a.txt"])
    put(bench, "sub/b.txt", "Words in a new folder.")
    assert recorded.next() == ("index", ["files/sub/b.txt"])
    put(bench, "a.txt", "Other words, more of them.")
    assert recorded.next() == ("index", ["files/a.txt"])
    assert bench.texts() == ["Other words, more of them.", "Words in a new folder."]


def test_a_renamed_folder_keeps_its_documents_under_their_new_names(bench: Bench, start: Started) -> None:
    bench.index(put(bench, "old/a.txt", "Words that move."))
    _, recorded = start()
    (bench.files / "old").rename(bench.files / "new")
    assert recorded.next() == ("index", ["files/new/a.txt"])
    assert bench.names() == ["files/new/a.txt"]
    assert recorded.said.empty()


def test_a_deleted_file_is_announced_and_then_removed_and_can_be_put_back(bench: Bench, start: Started) -> None:
    path = put(bench, "a.txt", "Words that go.")
    _, recorded = start()
    assert recorded.next() == ("index", ["files/a.txt"])
    path.unlink()
    assert recorded.next() == ("announce", ["files/a.txt"])
    assert recorded.next() == ("remove", ["files/a.txt"])
    assert bench.names() == [] and bench.store.count("notes") == 0
    (removed,) = bench.library.removed_documents("notes")
    bench.run(restore_documents(bench.library, "notes", MODEL, [removed.document]))
    assert bench.texts() == ["Words that go."]


def test_a_file_that_comes_back_is_not_removed(bench: Bench, start: Started) -> None:
    path = put(bench, "a.txt", "Words that come back.")
    _, recorded = start(grace=3600)
    assert recorded.next() == ("index", ["files/a.txt"])
    kept = path.rename(bench.files.parent / "elsewhere.txt")
    assert recorded.next() == ("announce", ["files/a.txt"])
    kept.rename(path)
    assert recorded.next() == ("back", ["files/a.txt"])
    assert bench.names() == ["files/a.txt"]


def test_what_somebody_wants_to_keep_stays(bench: Bench, start: Started) -> None:
    path = put(bench, "a.txt", "Words to keep.")
    watch, recorded = start(grace=3600)
    assert recorded.next() == ("index", ["files/a.txt"])
    path.unlink()
    assert recorded.next() == ("announce", ["files/a.txt"])
    assert list(watch.pending()) == ["files/a.txt"]
    watch.keep(["files/a.txt"])
    put(bench, "b.txt", "Another look.")
    assert recorded.next() == ("index", ["files/b.txt"])
    assert watch.pending() == {} and recorded.said.empty()
    assert bench.names() == ["files/a.txt", "files/b.txt"]


def test_a_file_that_was_removed_and_came_back_is_read_anew(bench: Bench, start: Started) -> None:
    path = put(bench, "a.txt", "Words that come back late.")
    _, recorded = start()
    assert recorded.next() == ("index", ["files/a.txt"])
    kept = path.rename(bench.files.parent / "elsewhere.txt")
    assert [recorded.next()[0], recorded.next()[0]] == ["announce", "remove"]
    kept.rename(path)
    assert recorded.next() == ("index", ["files/a.txt"])
    assert bench.texts() == ["Words that come back late."]


def test_a_document_that_a_person_removed_does_not_come_back(bench: Bench, start: Started) -> None:
    bench.index(put(bench, "a.txt", "Removed on purpose."))
    _, recorded = start()
    remove_documents(bench.library, bench.store, "notes", [bench.library.documents("notes")[0].document])
    put(bench, "b.txt", "Another look.")
    assert recorded.next() == ("index", ["files/b.txt"])
    assert bench.names() == ["files/b.txt"]


def test_the_command_stays_and_says_what_it_does(tmp_path: Path) -> None:
    (tmp_path / "files").mkdir()
    (tmp_path / "files" / "a.txt").write_text("The first words.")
    home = Home(tmp_path / "home")
    process = home.start("indexer", str(tmp_path / "files"), "--watch", "--model", MODEL)
    try:
        assert next_line(process).startswith("done: 1 added")
        assert next_line(process).startswith("Watching")
        (tmp_path / "b.txt").write_text("More words.")
        (tmp_path / "b.txt").rename(tmp_path / "files" / "b.txt")
        assert next_line(process).split()[1:] == ["added", "files/b.txt"]
        (tmp_path / "files" / "a.txt").unlink()
        assert next_line(process).split()[1:4] == ["gone", "files/a.txt:", "will"]
        process.send_signal(signal.SIGINT)
        assert process.wait(SECONDS) == 130
    finally:
        process.kill()
        process.communicate()
        home.stop_store()
    library = Library(home.folder)
    assert sorted(name for row in library.documents("documents") for name in row.names) == [
        "files/a.txt",
        "files/b.txt",
    ]


def test_nothing_is_removed_when_the_watched_folder_itself_is_gone(tmp_path: Path, bench: Bench) -> None:
    drive = tmp_path / "drive"
    drive.mkdir()
    (drive / "a.txt").write_text("Words on a drive.")
    recorded = Recorded(bench)
    watch = FolderWatch(bench.library, "notes", [drive], recorded, Times(quiet=0.05, grace=0.0))
    thread = threading.Thread(target=watch.run)
    thread.start()
    try:
        assert recorded.next() == ("index", ["drive/a.txt"])
        shutil.move(drive, tmp_path / "unplugged")
        assert recorded.next() == ("lost", ["drive"])
        assert bench.names() == ["drive/a.txt"] and watch.pending() == {}
    finally:
        watch.stop()
        thread.join()


class Drive(type(Path())):  # type: ignore[misc]
    """A folder on a drive that answers with an error for a while."""

    answers = True

    def resolve(self, strict: bool = False) -> Drive:
        return self

    def stat(self, *, follow_symlinks: bool = True) -> os.stat_result:
        if not Drive.answers:
            raise OSError(errno.EIO, os.strerror(errno.EIO), str(self))
        return super().stat(follow_symlinks=follow_symlinks)


def test_a_drive_that_answers_with_an_error_ends_no_watch(
    tmp_path: Path, bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "drive").mkdir()
    (tmp_path / "drive" / "a.txt").write_text("Words on a drive.")
    recorded = Recorded(bench)
    watch = FolderWatch(bench.library, "notes", [Drive(tmp_path / "drive")], recorded, Times(quiet=0.05, grace=0.0))
    thread = threading.Thread(target=watch.run)
    thread.start()
    try:
        assert recorded.next() == ("index", ["drive/a.txt"])
        monkeypatch.setattr(Drive, "answers", False)
        assert recorded.next() == ("lost", ["drive"])
        assert bench.names() == ["drive/a.txt"] and watch.pending() == {}
        monkeypatch.setattr(Drive, "answers", True)
        (tmp_path / "b.txt").write_text("More words.")
        (tmp_path / "b.txt").rename(tmp_path / "drive" / "b.txt")
        assert recorded.next() == ("index", ["drive/b.txt"])
    finally:
        watch.stop()
        thread.join()


def test_what_went_while_a_job_was_at_work_is_noticed_when_it_is_done(bench: Bench) -> None:
    path = put(bench, "a.txt", "Words that go soon.")
    jobs: queue.Queue[str] = queue.Queue()

    class Later(Recorded):
        def index(self, sources: Sequence[Source]) -> bool:
            jobs.put(self.bench.library.add_index_job("notes", MODEL, sources))
            return True

    recorded = Later(bench)
    watch = FolderWatch(bench.library, "notes", [bench.files], recorded, Times(quiet=0.05, grace=3600))
    thread = threading.Thread(target=watch.run)
    thread.start()
    try:
        bench.run(jobs.get(timeout=SECONDS))
        put(bench, "b.txt", "More words.")
        job = jobs.get(timeout=SECONDS)
        path.unlink()
        bench.run(job)
        assert recorded.next() == ("announce", ["files/a.txt"])
    finally:
        watch.stop()
        thread.join()


def test_when_most_of_a_folder_is_gone_at_once_somebody_is_asked(bench: Bench, start: Started) -> None:
    for number in range(12):
        put(bench, f"sub/{number}.txt" if number < 10 else f"{number}.txt", f"Words of number {number}.")
    watch, recorded = start(grace=0.0)
    assert recorded.next()[0] == "index"
    (bench.files / "sub").rename(bench.files.parent / "elsewhere")
    what, names = recorded.next()
    assert (what, len(names), set(watch.pending().values())) == ("announce", 10, {math.inf})
    watch.remove_now(names[:1])
    assert recorded.next() == ("remove", names[:1])
    assert len(bench.names()) == 11


# ---- those that a running app watches


def wait_for(condition: Callable[[], object]) -> None:
    until = time.monotonic() + SECONDS
    while not condition():
        assert time.monotonic() < until
        time.sleep(0.02)


@contextmanager
def running(watching: Watching) -> Iterator[Watching]:
    watching.start()
    try:
        yield watching
    finally:
        watching.stop()


def test_an_app_remembers_what_it_watches_and_says_what_it_does(bench: Bench) -> None:
    def index(collection: str, sources: Sequence[Source]) -> None:
        bench.run(bench.library.add_index_job(collection, MODEL, sources))

    first, second = (put(bench, name, f"The words of {name}.") for name in ("a.txt", "b.txt"))
    folder = bench.files.resolve()
    times = Times(quiet=0.05, grace=3600)
    with running(Watching(bench.library, bench.store, index, times)) as watching:
        watching.add("notes", folder)
        with pytest.raises(UserError, match="watched already"):
            watching.add("notes", folder.parent)
        wait_for(lambda: bench.names() == ["files/a.txt", "files/b.txt"])
    first.unlink()
    second.unlink()
    with running(Watching(bench.library, bench.store, index, times)) as watching:
        wait_for(lambda: len(watching.watched("notes")[0].pending) == 2)
        watching.keep("notes", folder, ["files/a.txt", "no such name"])
        watching.remove_now("notes", folder, ["files/b.txt"])
        wait_for(lambda: watching.watched("notes")[0].news[0].what == "removed")
        (shown,) = watching.watched("notes")
        assert shown.state == "on" and {one.what for one in shown.news} == {"gone", "kept", "removed"}
        assert bench.names() == ["files/a.txt"]
        watching.drop("notes", folder)
        assert watching.watched("notes") == []
    assert bench.library.ledger.watches.all() == []
