"""Backups made and brought in as jobs: they tell how far they are, are cancelled, and begin again after a kill."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from bench import MODEL, Bench

from indexer.archive import restore
from indexer.keeping import add_backup_job, add_restore_job
from indexer.merge import rename
from indexer.sandbox import ReaderPool
from indexer.worker import KEEPING_WORKER, collection_lock, do_job, waiting, worker_of
from labse_search.library import JobRow, Library
from labse_search.settings import Settings
from labse_search.store import open_store


@pytest.fixture
def home(tmp_path: Path, readers: ReaderPool) -> Iterator[Bench]:
    library = Library(tmp_path / "home")
    store = open_store("", home=library.home)
    bench = Bench(library, store, readers, tmp_path / "files")
    for number in range(5):
        bench.write(f"{number}.txt", f"Some words of the file {number}.")
    bench.index()
    yield bench
    store.close()


def done(bench: Bench, job: str) -> JobRow:
    row = do_job(bench.library, Settings(home=bench.library.home, model=MODEL), bench.library.job(job))
    assert row is not None
    return row


def test_a_backup_is_made_by_a_job_and_brought_in_by_another(home: Bench, tmp_path: Path) -> None:
    target = tmp_path / "backups" / "all.tar"
    job = add_backup_job(home.library, "notes", target)
    assert add_backup_job(home.library, "notes", tmp_path / "other.tar") == job  # one at a time
    assert worker_of(home.library.job(job)) == KEEPING_WORKER
    row = done(home, job)
    assert (row.state, row.error, row.share) == ("done", "", 1.0) and target.is_file()
    before = home.stored()
    rename(home.library, home.store, "notes", "elsewhere")
    row = done(home, add_restore_job(home.library, "notes", target))
    assert (row.state, row.error) == ("done", "")
    assert home.stored() == before and home.is_sound()


def test_a_restored_library_does_not_go_on_backing_up(home: Bench, tmp_path: Path) -> None:
    done(home, add_backup_job(home.library, "notes", tmp_path / "all.tar"))
    restore(tmp_path / "all.tar", tmp_path / "restored")
    library = Library(tmp_path / "restored")
    assert waiting(library) == [] and library.jobs(kinds=("backup",)) == []
    assert len(library.jobs(kinds=("index",))) == 1
    library.close()
    open_store("", home=tmp_path / "restored").close()


def test_a_cancelled_backup_leaves_nothing(home: Bench, tmp_path: Path) -> None:
    from indexer import keeping
    from indexer.archive import backup
    from indexer.job import Requested

    target = tmp_path / "backups" / "all.tar"
    job = add_backup_job(home.library, "notes", target)
    home.library.ledger.jobs.start(job)
    home.library.ask(job, "cancel")
    shares: list[float] = []

    def tell(share: float, current: str) -> None:
        shares.append(share)
        keeping.check_requested(home.library, job)

    with pytest.raises(Requested):
        backup(home.library, home.store, target, tell=tell)
    assert len(shares) == 1 and list(target.parent.iterdir()) == []


def test_how_much_is_done_only_grows_and_ends_near_the_whole(home: Bench, tmp_path: Path) -> None:
    from indexer.archive import backup
    from indexer.merge import bring_backup

    for act in (
        lambda tell: backup(home.library, home.store, tmp_path / "all.tar", tell=tell),
        lambda tell: bring_backup(tmp_path / "all.tar", home.library, home.store, tell),
    ):
        shares: list[float] = []

        def tell(share: float, current: str, shares: list[float] = shares) -> None:
            shares.append(share)

        act(tell)
        assert shares == sorted(shares) and 0 <= shares[0] and 0.9 < shares[-1] <= 1.0, shares


def test_what_a_kill_left_is_swept_and_the_job_begins_again(home: Bench, tmp_path: Path) -> None:
    target = tmp_path / "all.tar"
    job = add_backup_job(home.library, "notes", target)
    home.library.ledger.jobs.start(job)  # running, and nobody has its lock: so a kill leaves it
    (tmp_path / ".all.tar.1-ab.part").write_text("cut")
    (tmp_path / ".all.tar.scratch").mkdir()
    assert [one.id for one in waiting(home.library)] == [job]
    assert done(home, job).state == "done"
    left = home.library.home / "restoring-x" / "home"
    left.mkdir(parents=True)
    assert done(home, add_restore_job(home.library, "notes", target)).state == "done"
    assert sorted(os.listdir(tmp_path)).count("all.tar") == 1
    assert not [name for name in os.listdir(tmp_path) if name.startswith(".all.tar")]
    assert not list(home.library.home.glob("restoring-*"))


def test_a_backup_while_documents_come_in_fails_with_a_sentence_and_can_be_tried_again(
    home: Bench, tmp_path: Path
) -> None:
    job = add_backup_job(home.library, "notes", tmp_path / "all.tar")
    lock = home.library.lock(collection_lock("notes"))
    assert lock is not None
    row = done(home, job)
    assert row.state == "failed" and "pause the job first" in row.error
    lock.release()
    home.library.ask(job, "")
    assert done(home, job).state == "done"
