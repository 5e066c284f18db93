"""kill -9 at random moments, then a restart: the job goes on by itself and nothing is lost, doubled or half there.

A round has one kind of work. Its worker is started, something is killed after a random while, and so on, until as many
have been killed as the round asks for; then the work is let finish. Moments and victims come from a seeded generator,
so the plan of a run can be repeated; where exactly a kill strikes depends on the machine, which is as well.
"""

from __future__ import annotations

import random
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest
from library_case import MODEL, Home

from indexer.documents import remove_documents
from indexer.sources import walk
from indexer.worker import waiting
from labse_search.errors import UserError
from labse_search.library import Library, document_id
from labse_search.store import open_store
from labse_search.store.edge.client import EdgeStore

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="SIGKILL is of POSIX")

COLLECTION = "documents"
FINISH_SECONDS = 500.0  # of patience: the machine may be busy
WORDS = "river bread harbour ferry winter market lantern orchard copper meadow thunder saddle".split()


class Bench:
    """Files with known content, a home, and what was acknowledged so far."""

    def __init__(self, folder: Path, seed: int) -> None:
        self.home = Home(folder / "home")
        self.files = folder / "files"
        self.files.mkdir()
        self.random = random.Random(seed)
        self.kills: Counter[str] = Counter()
        self.finished_by_itself = 0
        self.log = folder / "worker.txt"

    def text(self, sentences: int) -> str:
        lines = (" ".join(self.random.choices(WORDS, k=12)).capitalize() for _ in range(sentences))
        return "".join(f"{line} {self.random.random()}.\n" for line in lines)

    def write(self, count: int, sentences: int, start: int = 0) -> None:
        for number in range(start, start + count):
            path = self.files / f"folder-{number % 5}" / f"{number:04}.txt"
            path.parent.mkdir(exist_ok=True)
            path.write_text(self.text(sentences), encoding="utf-8")

    def add_job(self, *paths: Path) -> str:
        library = Library(self.home.folder)
        sources = walk(list(paths) or [self.files], library, COLLECTION)
        job = library.add_index_job(COLLECTION, str(MODEL), sources)
        library.close()
        return job

    def start_worker(self) -> subprocess.Popen[bytes]:
        """The app's worker, as the app starts it."""
        with self.log.open("ab") as output:
            return subprocess.Popen(
                [sys.executable, "-m", "indexer.worker", str(self.home.folder)],
                env=self.home.environ(),
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
            )

    def kill_round(self, job: str, kills: int, *, longest: float, more: bool = True) -> None:
        """Start the worker and kill, `kills` times; then let it finish. The job is never touched by this test. If it is
        done before, it was on a fast machine: files change and another one begins, where there may be `more`."""
        worker = self.start_worker()
        done = 0
        while done < kills and (more or self.state(job) in ("queued", "running")):
            state = self.state(job)
            assert state in ("queued", "running", "done"), f"{self.row(job)}\n{self.log.read_text()[-3000:]}"
            if state == "done":
                change_some(self)
                job = self.add_job()
            time.sleep(self.random.uniform(0.0, longest))
            victim = self.random.choice(["worker", "store", "both"])
            struck = victim in ("store", "both") and self.home.kill_store()
            if victim in ("worker", "both") and worker.poll() is None:
                worker.kill()
                worker.wait()
                struck = True
            if struck:
                done += 1
                self.kills[victim] += 1
            if worker.poll() is not None:
                worker = self.start_worker()
        self.finish(job, worker)

    def finish(self, job: str, worker: subprocess.Popen[bytes]) -> None:
        deadline = time.monotonic() + FINISH_SECONDS
        while self.state(job) != "done":
            assert time.monotonic() < deadline, f"{self.row(job)}\n{self.log.read_text()[-3000:]}"
            row = self.row(job)
            assert row.state in ("queued", "running", "done"), f"{row}\n{self.log.read_text()[-3000:]}"
            if worker.poll() is not None:
                worker = self.start_worker()
            time.sleep(0.1)
        worker.kill()  # it waits for more
        worker.wait()

    def state(self, job: str) -> str:
        return self.row(job).state

    def row(self, job: str):  # type: ignore[no-untyped-def]
        library = Library(self.home.folder)
        try:
            return library.job(job)
        finally:
            library.close()

    def assert_whole(self) -> None:
        """Every file is one document, stored once, whole, under its name; nothing else is there; all of it is found."""
        assert self.home.problems() == []
        library, store = Library(self.home.folder), open_store("", home=self.home.folder)
        expected = {f"files/{path.relative_to(self.files).as_posix()}": path for path in self.files.rglob("*.txt")}
        rows = library.documents(COLLECTION)
        assert {name for row in rows for name in row.names} == set(expected)
        for row in rows:
            for name in row.names:
                assert row.document == document_id(expected[name])
            text = library.originals.text(row.document).text
            assert row.characters == len(text) == row.embedded + sum(row.skipped.values())
        stored = list(store.segments(COLLECTION))
        assert len(stored) == len({one.point for one in stored}) == store.count(COLLECTION)
        assert len(stored) == sum(row.segments for row in rows)
        assert Counter(one.document for one in stored) == Counter({row.document: row.segments for row in rows})
        assert library.ledger.documents.storing(COLLECTION) == [] and library.ledger.names.unsettled(COLLECTION) == []
        kept = {row.document for row in [*rows, *library.removed_documents(COLLECTION)]}
        assert {path.name for path in library.home.glob("originals/??/*")} == kept
        for row in self.random.sample(rows, min(3, len(rows))):
            segment = next(iter(one for one in stored if one.document == row.document))
            store_hits = store.search_words(COLLECTION, segment.segment.text, 5)
            assert row.document in {hit.stored.document for hit in store_hits}
        store.close()
        library.close()


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[Bench]:
    bench = Bench(tmp_path, seed=6)
    yield bench
    bench.home.stop_store()
    print(f"kills: {dict(bench.kills)}, {sum(bench.kills.values())} in all")


def change_some(bench: Bench) -> None:
    """A third rewritten, a tenth renamed, two swapped, one doubled, some gone."""
    # Not large.txt: read by itself, after it was renamed and written anew, it would be called so, without its folder.
    paths = sorted(path for path in bench.files.rglob("*.txt") if path.name != "large.txt")
    bench.random.shuffle(paths)
    third, tenth = len(paths) // 3, max(2, len(paths) // 10)
    for path in paths[:third]:
        path.write_text(bench.text(12), encoding="utf-8")
    for path in paths[third : third + tenth]:
        path.rename(path.with_name(f"renamed-{path.name}"))
    first, second = paths[third + tenth], paths[third + tenth + 1]
    one, other = first.read_bytes(), second.read_bytes()
    first.write_bytes(other)
    second.write_bytes(one)
    shutil.copy(first, first.with_name(f"copy-{first.name}"))


def test_three_kills_while_indexing_and_replacing(bench: Bench) -> None:
    bench.write(24, sentences=40)
    bench.kill_round(bench.add_job(), 2, longest=1.2)
    bench.assert_whole()
    for path in sorted(bench.files.rglob("*.txt"))[::3]:
        path.write_text(bench.text(30), encoding="utf-8")
    bench.kill_round(bench.add_job(), 1, longest=1.2)
    bench.assert_whole()
    assert sum(bench.kills.values()) == 3


def test_what_is_removed_while_a_job_waits_stays_removed_through_kills(bench: Bench) -> None:
    bench.write(12, sentences=20)
    bench.home.index(bench.files)
    library, store = Library(bench.home.folder), open_store("", home=bench.home.folder)
    rows = library.documents(COLLECTION)
    library.ledger.documents.read_again(COLLECTION, [row.document for row in rows])
    job = bench.add_job()
    removed = {row.document for row in bench.random.sample(rows, 5)}
    remove_documents(library, store, COLLECTION, sorted(removed))
    bench.kill_round(job, 2, longest=1.2, more=False)
    assert {row.document for row in library.documents(COLLECTION)} == {row.document for row in rows} - removed
    assert {row.document for row in library.removed_documents(COLLECTION)} == removed
    assert {*store.facet(COLLECTION, "document")} == {row.document for row in rows} - removed
    assert bench.home.problems() == []
    store.close()
    library.close()


@pytest.mark.slow
@pytest.mark.timeout(1800)
def test_more_than_fifty_kills_while_indexing_replacing_removing_and_optimising(bench: Bench) -> None:
    # New documents: small ones, and one of 2,500 sentences that many kills strike in the middle.
    bench.write(120, sentences=40)
    (bench.files / "large.txt").write_text(bench.text(2500), encoding="utf-8")
    bench.kill_round(bench.add_job(), 16, longest=2.0)
    bench.assert_whole()

    # Replaced, renamed, swapped and doubled ones; then those whose files are gone are removed.
    for _ in range(2):
        change_some(bench)
        (bench.files / "large.txt").write_text(bench.text(2000), encoding="utf-8")
        bench.kill_round(bench.add_job(), 10, longest=1.6)
        remove_missing_with_kills(bench, kills=3)
        bench.assert_whole()

    remove_and_restore_with_kills(bench, kills=10)
    bench.assert_whole()

    optimise_with_kills(bench, kills=8)
    bench.assert_whole()
    assert sum(bench.kills.values()) >= 50


def remove_missing_with_kills(bench: Bench, kills: int) -> None:
    """python -m indexer FOLDER --remove-missing, killed; at last it is let finish."""
    for path in bench.random.sample(sorted(bench.files.rglob("*.txt")), 5):
        if path.name != "large.txt":
            path.unlink()
    arguments = ("indexer", str(bench.files), "--model", str(MODEL), "--remove-missing", "--json")
    for _ in range(kills):
        process = bench.home.start(*arguments)
        time.sleep(bench.random.uniform(0.3, 2.5))
        both = bench.random.random() < 0.5
        bench.kills["command and store" if both else "command"] += 1
        if both:
            bench.home.kill_store()
        process.send_signal(signal.SIGKILL)
        process.communicate()
    bench.home.run(*arguments)


def remove_and_restore_with_kills(bench: Bench, kills: int) -> None:
    """Documents are taken out and put back by a process that is killed at it, the store's process too."""
    library = Library(bench.home.folder)
    names = [row.names[0] for row in bench.random.sample(library.documents(COLLECTION), 12)]
    for number in range(kills):
        command = "remove" if number % 2 == 0 else "undo"
        process = bench.home.start("labse_search.library", command, *names)
        time.sleep(bench.random.uniform(0.2, 1.5))
        if number % 3 == 2:
            bench.kills["store"] += bench.home.kill_store()
        bench.kills["command"] += 1
        process.kill()
        process.communicate()
    worker = bench.start_worker()  # what was begun is ended by whoever comes next
    deadline = time.monotonic() + FINISH_SECONDS
    while waiting(library):
        assert time.monotonic() < deadline
        time.sleep(0.1)
    worker.kill()
    worker.wait()
    removed = [row.document for row in library.ledger.documents.all(COLLECTION, ("removed", "removing"))]
    kept = [name for name in names if (known := library.ledger.names.get(COLLECTION, name)) and known[0] in removed]
    if kept:
        bench.home.run("labse_search.library", "undo", *kept)


def optimise_with_kills(bench: Bench, kills: int) -> None:
    """The store's process is killed while it optimises, and the optimiser itself."""
    for _ in range(kills):
        # Its process is the one that the indexer then finds; by itself it would not optimise so few vectors.
        store = EdgeStore.open(bench.home.folder / "store", scan_mb=0)
        (bench.files / "large.txt").write_text(bench.text(1000), encoding="utf-8")
        bench.home.run("indexer", str(bench.files / "large.txt"), "--model", str(MODEL))
        thread = threading.Thread(target=lambda store=store: quietly_optimise(store))
        thread.start()
        time.sleep(bench.random.uniform(0.0, 0.8))
        bench.kills["store"] += bench.home.kill_store()
        thread.join()
        store.close()
    (bench.files / "large.txt").write_text(bench.text(30), encoding="utf-8")
    bench.home.run("indexer", str(bench.files), "--model", str(MODEL))


def quietly_optimise(store) -> None:  # type: ignore[no-untyped-def]
    try:
        store.optimize(COLLECTION)
    except UserError:  # killed twice during one call: it says so
        pass


def test_what_is_removed_by_a_killed_process_is_removed_by_the_next(bench: Bench) -> None:
    """The ledger says "removing", the store still has the segments: as a kill between the two leaves it."""
    bench.write(3, sentences=5)
    bench.home.index(bench.files)
    library = Library(bench.home.folder)
    row = library.documents(COLLECTION)[0]
    library.ledger.documents.set_state(COLLECTION, row.document, "removing")
    (bench.files / "new.txt").write_text("New.", encoding="utf-8")
    bench.home.index(bench.files / "new.txt")
    assert library.ledger.documents.get(COLLECTION, row.document).state == "removed"  # type: ignore[union-attr]
    assert bench.home.problems() == []
