"""Nothing under the home is opened by walking, hashing, preflight or a job: under no name, by no link."""

from __future__ import annotations

import os
import sqlite3
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from bench import MODEL, Bench
from processes import run

from indexer.preflight import preflight
from indexer.private import PrivateFiles
from indexer.sandbox import ReaderPool
from indexer.sources import walk
from labse_search.errors import UserError
from labse_search.library import Library, Source
from labse_search.store import open_store


@pytest.fixture
def bench(tmp_path: Path, readers: ReaderPool) -> Iterator[Bench]:
    """A home inside the folder that is indexed."""
    library = Library(tmp_path / "files" / "home")
    store = open_store("", home=library.home)
    yield Bench(library, store, readers, tmp_path / "files")
    store.close()


def inside(bench: Bench) -> None:
    """The home lies in the folder, and that is all."""


def linked_folder(bench: Bench) -> None:
    (bench.files / "link").symlink_to(bench.library.home, target_is_directory=True)
    (bench.files / "store-link").symlink_to(bench.library.home / "store", target_is_directory=True)


def linked_files(bench: Bench) -> None:
    (bench.files / "ledger.txt").symlink_to(bench.library.home / "ledger.sqlite3")
    (bench.files / "key.txt").symlink_to(next((bench.library.home / "store").rglob("*key*")))


def hard_links(bench: Bench) -> None:
    os.link(bench.library.home / "ledger.sqlite3", bench.files / "ledger.txt")
    os.link(next((bench.library.home / "store").rglob("*key*")), bench.files / "key.txt")
    os.link(bench.library.originals.path(next(bench.library.originals.documents())), bench.files / "original.txt")


WAYS = [inside, linked_folder, linked_files, hard_links]


def others_can_write(library: Library) -> bool:
    """Whether another process can begin to write to the ledger now."""
    code = (
        "import sqlite3, sys\n"
        "try: sqlite3.connect(sys.argv[1], timeout=0, isolation_level=None).execute('BEGIN IMMEDIATE')\n"
        "except sqlite3.OperationalError: sys.exit(3)"
    )
    done = run(sys.executable, "-c", code, library.ledger.path, status=None)
    assert done.returncode in (0, 3), done
    return done.returncode == 0


@pytest.mark.parametrize("prepare", WAYS)
def test_looking_at_a_folder_with_the_home_in_it_keeps_the_ledger_s_locks(
    bench: Bench, prepare: Callable[[Bench], None]
) -> None:
    bench.index(bench.write("first.txt", "The first file brings an original into the home."))
    prepare(bench)
    bench.write("own.txt", "A file of the person.")
    with bench.library.ledger.transaction():
        sources = walk([bench.files], bench.library, "notes")
        preflight(bench.library, "notes", sources, max_file_bytes=1 << 30)
        assert not others_can_write(bench.library)
    assert {source.name for source in sources if not source.reason} == {"first.txt", "files/own.txt"}


@pytest.mark.parametrize("prepare", WAYS)
def test_indexing_a_folder_with_the_home_in_it_indexes_nothing_of_the_home(
    bench: Bench, prepare: Callable[[Bench], None]
) -> None:
    bench.index(bench.write("first.txt", "The first file brings an original into the home."))
    prepare(bench)
    row = bench.index()
    assert (row.state, bench.names()) == ("done", ["first.txt"])
    assert bench.is_sound()


def test_a_path_inside_the_home_is_refused_under_every_name(bench: Bench) -> None:
    (bench.files / "link").symlink_to(bench.library.home)
    for path in (bench.library.home, bench.library.home / "store", bench.library.ledger.path, bench.files / "link"):
        with pytest.raises(UserError, match="never indexed"):
            walk([path], bench.library, "notes")


def test_a_job_that_names_the_home_s_files_reads_none_of_them(bench: Bench) -> None:
    """As a job from before this was refused, or a file that became a link after it was listed."""
    bench.index(bench.write("first.txt", "The first file brings an original into the home."))
    hard_links(bench)
    (bench.files / "later.txt").symlink_to(bench.library.ledger.path)
    named = [bench.library.ledger.path, *(bench.files / name for name in ("ledger.txt", "key.txt", "later.txt"))]
    kept = bench.library.home / "uploads" / "waiting" / "0"
    kept.parent.mkdir(parents=True)
    os.link(bench.library.ledger.path, kept)
    sources = [Source(str(path), f"file {number}") for number, path in enumerate(named)]
    job = bench.library.add_index_job("notes", MODEL, [*sources, Source(str(kept), "upload", kept=True)])
    bench.run(job)
    assert [(file.outcome, file.reason) for file in bench.library.job_files(job)] == [("skipped", "private")] * 5
    assert sqlite3.connect(bench.library.ledger.path).execute("SELECT COUNT(*) FROM documents").fetchone() == (1,)
    assert bench.is_sound()


def test_what_a_job_calls_an_upload_and_lies_elsewhere_is_neither_read_nor_removed(bench: Bench) -> None:
    """As a ledger says it that came from another home: the other one's uploads, a person's file, an original."""
    bench.index(bench.write("first.txt", "The first file brings an original into the home."))
    original = bench.library.originals.path(next(bench.library.originals.documents()))
    (bench.library.home / "uploads").mkdir()
    climbing = bench.library.home / "uploads" / ".." / ".." / "own.txt"
    named = [bench.write("own.txt", "A file of the person."), original, climbing]
    named.append(bench.write(f"other/uploads/staged-{'ab' * 16}", "An upload of another home."))
    job = bench.library.add_index_job("notes", MODEL, [Source(str(path), "upload", kept=True) for path in named])
    bench.run(job)
    assert [(file.outcome, file.reason) for file in bench.library.job_files(job)] == [("skipped", "vanished")] * 4
    assert all(path.exists() for path in named)
    assert bench.names() == ["first.txt"] and bench.is_sound()
    plan = preflight(bench.library, "notes", [Source(str(named[0]), "u", kept=True)], max_file_bytes=1 << 30)
    assert (plan.new, plan.refused) == ((), ("u",))


def test_a_plan_opens_no_private_file(bench: Bench) -> None:
    sources = [Source(str(bench.library.ledger.path), "a.txt"), Source(str(bench.files / "gone.txt"), "b.txt")]
    plan = preflight(bench.library, "notes", sources, max_file_bytes=1 << 30)
    assert (plan.new, plan.refused) == ((), ("a.txt", "b.txt"))


def test_a_folder_mounted_elsewhere_is_known_by_its_inode(bench: Bench) -> None:
    """A bind mount shows the home's folders under other paths with the same device and inode."""
    private = PrivateFiles(bench.library.home)
    status = os.stat(bench.library.home / "store")
    assert private.holds(Path("/mnt/elsewhere"), status)
    assert not private.holds(bench.files, os.stat(bench.files))
