"""Backup, restore, export, check and repair, as commands on a real library."""

from __future__ import annotations

import errno
import io
import json
import os
import shutil
import sqlite3
import subprocess
import sys
import tarfile
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
from library_case import EXAMPLES, Home
from ports import free_port
from processes import next_line, start

from indexer.archive import backup, restore
from indexer.worker import collection_lock
from labse_search.encoder import load_encoder
from labse_search.errors import UserError, told
from labse_search.library import Library
from labse_search.records import Filter
from labse_search.store import open_store


@pytest.fixture(scope="module")
def indexed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Home]:
    """The examples, indexed once; nobody may change it."""
    home = Home(tmp_path_factory.mktemp("indexed") / "home")
    assert home.index(EXAMPLES)["state"] == "done"
    yield home
    home.stop_store()


@pytest.fixture(scope="module")
def archive(indexed: Home, tmp_path_factory: pytest.TempPathFactory) -> Path:
    file = tmp_path_factory.mktemp("backup") / "notes.tar"
    indexed.command("labse_search.library", "backup", str(file))
    return file


@pytest.fixture
def home(indexed: Home, tmp_path: Path) -> Iterator[Home]:
    """A copy of the indexed examples that a test may damage; its store's process does not run."""
    indexed.stop_store()
    shutil.copytree(indexed.folder, tmp_path / "home")
    home = Home(tmp_path / "home")
    yield home
    home.stop_store()


def check(home: Home, *more: str, status: int) -> list[dict[str, str]]:
    return json.loads(home.command("labse_search.library", "check", "--json", *more, status=status).stdout)  # type: ignore[no-any-return]


# ---- backup and restore


def test_a_restored_library_gives_byte_identical_answers(indexed: Home, archive: Path, tmp_path: Path) -> None:
    other = Home(tmp_path / "elsewhere" / "home")
    other.command("labse_search.library", "restore", str(archive), "--store", str(other.folder))
    assert other.answers() == indexed.answers()
    assert other.problems() == []
    assert not list(other.folder.parent.glob(".*")) and not (other.folder / "collections").exists()
    before, after = Library(indexed.folder), Library(other.folder)
    assert after.documents("documents") == before.documents("documents")
    (model, fingerprint), (old_model, old_fingerprint) = (
        one.ledger.collections.all()["documents"] for one in (after, before)
    )
    assert fingerprint == old_fingerprint and Path(model).is_relative_to(other.folder) and model != old_model
    other.stop_store()


def test_the_shipped_model_is_found_where_the_library_came_from_another_machine() -> None:
    there = load_encoder("/home/somebody/labse-search/labse_search/models/labse-mini")
    assert there.fingerprint == load_encoder("labse-mini").fingerprint


def test_a_backup_is_one_file_with_everything_in_it(indexed: Home, archive: Path) -> None:
    assert os.name != "posix" or archive.stat().st_mode & 0o077 == 0
    with tarfile.open(archive) as tar:
        names = tar.getnames()
        manifest = json.loads(tar.extractfile("manifest.json").read())  # type: ignore[union-attr]
        spec = json.loads(tar.extractfile("collections/documents/spec.json").read())  # type: ignore[union-attr]
    assert names[-1] == "manifest.json" and set(manifest["files"]) == set(names[:-1])
    rows = Library(indexed.folder).documents("documents")
    for row in rows:
        assert f"originals/{row.document[:2]}/{row.document}" in names
    assert manifest["collections"] == {"documents": sum(row.segments for row in rows)}
    assert len(spec["fingerprint"]) == 64
    assert [path.name for path in archive.parent.iterdir()] == [archive.name]


def cut(data: bytes) -> bytes:
    return data[: len(data) // 2]


def cut_by_its_manifest(data: bytes) -> bytes:
    return data[: data.rindex(b"manifest.json") - 10]


def flip_in_an_original(data: bytes) -> bytes:
    at = data.index(b"originals/") + 512 + 3
    return data[:at] + bytes([data[at] ^ 1]) + data[at + 1 :]


def garbage(data: bytes) -> bytes:
    return b"no archive at all" * 100


def with_member(name: str, content: bytes = b"x", kind: bytes = tarfile.REGTYPE) -> Callable[[bytes], bytes]:
    def change(data: bytes) -> bytes:
        buffer = io.BytesIO()
        with tarfile.open(fileobj=io.BytesIO(data)) as old, tarfile.open(fileobj=buffer, mode="w") as new:
            for member in old:
                new.addfile(member, old.extractfile(member))
            info = tarfile.TarInfo(name)
            info.type, info.size, info.linkname = kind, len(content) if kind == tarfile.REGTYPE else 0, "/etc/passwd"
            new.addfile(info, io.BytesIO(content))
        return buffer.getvalue()

    return change


DAMAGES: list[Callable[[bytes], bytes]] = [
    cut,
    cut_by_its_manifest,
    flip_in_an_original,
    garbage,
    lambda data: b"",
    with_member("../escaped.txt"),
    with_member("/tmp/absolute-labse-test.txt"),
    with_member("users.json"),
    with_member("originals/aa/" + "a" * 32),
    with_member("originals/aa/" + "b" * 32, kind=tarfile.SYMTYPE),
    with_member("manifest.json", b"{"),
    with_member("manifest.json", b'{"format": 99, "files": {}}'),
]


@pytest.mark.parametrize("damage", DAMAGES)
def test_a_damaged_archive_is_refused_and_leaves_nothing_behind(
    archive: Path, tmp_path: Path, damage: Callable[[bytes], bytes]
) -> None:
    bad = tmp_path / "bad.tar"
    bad.write_bytes(damage(archive.read_bytes()))
    with pytest.raises(UserError, match=r"bad\.tar"):
        restore(bad, tmp_path / "new")
    assert [path.name for path in tmp_path.iterdir()] == ["bad.tar"]
    assert not Path("/tmp/absolute-labse-test.txt").exists()


def test_a_restore_into_a_home_with_something_in_it_is_refused(archive: Path, tmp_path: Path) -> None:
    (tmp_path / "home").mkdir()
    (tmp_path / "home" / "notes.txt").write_text("mine")
    home = Home(tmp_path / "home")
    done = home.command("labse_search.library", "restore", str(archive), "--store", str(home.folder), status=2)
    assert "not empty" in done.stderr and "Traceback" not in done.stderr
    assert [path.name for path in (tmp_path / "home").iterdir()] == ["notes.txt"]


def test_a_missing_archive_is_one_line(tmp_path: Path) -> None:
    home = Home(tmp_path / "home")
    done = home.command("labse_search.library", "restore", "/nowhere.tar", "--store", str(home.folder), status=2)
    assert done.stderr.startswith("error: /nowhere.tar") and done.stderr.count("\n") == 1


def test_a_backup_waits_for_no_job_but_says_that_one_is_at_work(home: Home, tmp_path: Path) -> None:
    library, store = Library(home.folder), open_store("", home=home.folder)
    job = library.lock(collection_lock("documents"))
    assert job is not None
    with pytest.raises(UserError, match="being added"):
        backup(library, store, tmp_path / "a.tar")
    assert not (tmp_path / "a.tar").exists()
    job.release()
    backup(library, store, tmp_path / "a.tar")
    assert (tmp_path / "a.tar").exists()
    store.close()


def test_a_repair_does_not_interfere_with_a_job_at_work(home: Home) -> None:
    library, store = Library(home.folder), open_store("", home=home.folder)
    store.delete("documents", Filter(documents=(library.documents("documents")[0].document,)))
    job = library.lock(collection_lock("documents"))
    assert job is not None
    done = home.command("labse_search.library", "check", "--repair", status=2)
    assert "being added" in done.stderr and len(store.collections()) == 1
    job.release()
    store.close()


@pytest.mark.parametrize(
    ("number", "sentence"),
    [(errno.ENOSPC, "disk is full"), (errno.EROFS, "may not be written"), (errno.EACCES, "may not be written")],
)
def test_a_full_disk_and_a_read_only_place_are_named_as_such(number: int, sentence: str) -> None:
    said = told(OSError(number, os.strerror(number), "/backups/notes.tar"))
    assert sentence in said and "/backups/notes.tar" in said


# ---- export


@pytest.mark.parametrize("vectors", [False, True])
def test_an_export_has_every_passage_on_a_line(indexed: Home, tmp_path: Path, vectors: bool) -> None:
    file = tmp_path / "out.jsonl"
    indexed.command("labse_search.library", "export", str(file), *(["--vectors"] if vectors else []))
    values = [json.loads(line) for line in file.read_text(encoding="utf-8").splitlines()]
    rows = {row.document: row for row in Library(indexed.folder).documents("documents")}
    assert len(values) == sum(row.segments for row in rows.values())
    for value in values:
        assert tuple(value["names"]) == rows[value["document"]].names
        text = Library(indexed.folder).originals.text(value["document"]).text
        segment = value["segment"]
        assert text[segment["start"] : segment["end"]] == segment["text"]
        assert ("vector" in value) == vectors
        if vectors:
            assert abs(np.linalg.norm(value["vector"]) - 1) < 1e-4


def test_an_export_goes_to_the_terminal_too(indexed: Home) -> None:
    lines = indexed.command("labse_search.library", "export").stdout.splitlines()
    assert all(json.loads(line)["segment"]["text"] for line in lines) and len(lines) > 50


# ---- check and repair


def test_a_sound_library_passes_the_check(indexed: Home) -> None:
    assert check(indexed, "--full", status=0) == []


def test_a_collection_that_the_store_lost_is_rebuilt(home: Home) -> None:
    before = home.answers()
    store = open_store("", home=home.folder)
    store.drop("documents")
    store.close()
    assert [one["code"] for one in check(home, status=1)] == ["collection_missing"]
    assert [(one["code"], one["left"]) for one in check(home, "--repair", status=0)] == [("collection_missing", False)]
    assert home.problems() == []
    assert home.answers() == before


@pytest.mark.slow
def test_passages_that_vanished_behind_our_back_are_rebuilt(home: Home) -> None:
    library, store = Library(home.folder), open_store("", home=home.folder)
    first, second, *_ = (row for row in library.documents("documents") if row.segments > 1)
    store.delete("documents", Filter(documents=(first.document,), indexes=(0,)))
    store.delete("documents", Filter(documents=(second.document,)))
    store.close()
    found = check(home, status=1)
    assert {(one["code"], one["document"]) for one in found} == {
        ("segments_missing", first.document),
        ("segments_missing", second.document),
    }
    check(home, "--repair", status=0)
    assert home.problems() == []


def damaged(path: Path, how: str) -> None:
    data = path.read_bytes()
    if how == "garbage":
        path.write_bytes(np.random.default_rng(1).bytes(len(data)))
    elif how == "middle":
        middle = len(data) // 2 & ~4095
        path.write_bytes(data[:middle] + b"\xa5" * 8192 + data[middle + 8192 :])
    else:
        path.write_bytes(data[: {"half": len(data) // 2, "empty": 0}[how]])


SLOWLY = [pytest.param(how, marks=pytest.mark.slow) for how in ("middle", "half", "empty", "gone")]


@pytest.mark.parametrize("how", ["garbage", *SLOWLY])
def test_a_damaged_ledger_is_reported_and_rebuilt(home: Home, how: str) -> None:
    before = home.answers()
    library = Library(home.folder)
    names = [row.names for row in library.documents("documents")]
    library.close()
    connection = sqlite3.connect(home.folder / "ledger.sqlite3")
    connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    connection.close()
    ledger = home.folder / "ledger.sqlite3"
    if how == "gone":
        ledger.unlink()
    else:
        damaged(ledger, how)
    codes = {problem["code"] for problem in check(home, status=1)}
    # A ledger that is empty knows none of the originals that lie there.
    assert codes == {"ledger_damaged"} or codes == {"ledger_empty", "original_unknown"}, codes
    check(home, "--repair", status=0)
    assert home.problems() == []
    assert sorted(row.names for row in Library(home.folder).documents("documents")) == sorted(names)
    assert home.answers() == before
    assert list(home.folder.glob("ledger.damaged-*"))


def test_an_original_that_is_gone_comes_back_from_where_it_was_read(home: Home) -> None:
    library = Library(home.folder)
    gone, rotten = library.documents("documents")[:2]
    library.originals.path(gone.document).unlink()
    path = library.originals.path(rotten.document)
    path.write_bytes(path.read_bytes()[:-1] + b"?")
    assert {one["code"] for one in check(home, "--full", status=1)} == {"original_missing", "original_damaged"}
    check(home, "--full", "--repair", status=0)
    assert home.problems() == []


def test_words_of_an_older_version_are_told_and_folded_anew(home: Home) -> None:
    store = open_store("", home=home.folder)
    store.mark_words("documents", 1)
    store.close()
    assert [problem["code"] for problem in check(home, status=1)] == ["words_outdated"]
    done = home.command("labse_search.library", "check", "--repair")
    assert "folded the words" in done.stderr
    check(home, status=0)


@pytest.mark.slow
def test_what_cannot_be_rebuilt_stays_searchable_and_the_check_goes_on_failing(tmp_path: Path) -> None:
    home, file = Home(tmp_path / "home"), tmp_path / "note.txt"
    file.write_text("The ferry leaves at noon.\n\n" * 300, encoding="utf-8")
    home.index(file)
    library, store = Library(home.folder), open_store("", home=home.folder)
    (row,) = library.documents("documents")
    store.delete("documents", Filter(documents=(row.document,), indexes=(0,)))
    library.originals.path(row.document).unlink()
    content = file.read_bytes()
    file.unlink()
    left = check(home, "--repair", status=1)
    assert {one["code"] for one in left if one["left"]} == {"segments_missing", "original_missing"}
    assert store.count("documents") == row.segments - 1
    file.write_bytes(content)  # the person does what the sentence says
    home.index(file)
    assert check(home, "--full", status=0) == []
    store.stop()  # type: ignore[attr-defined]


def biggest_files(home: Home) -> list[str]:
    """Files of the engine, by what they are: vectors, payloads, the log, the segment's state."""
    shard = next((home.store_folder / "collections" / "documents").glob("shard-*"))
    files = [path for path in shard.rglob("*") if path.is_file() and path.stat().st_size]
    kinds: dict[str, Path] = {}
    for path in sorted(files, key=lambda path: -path.stat().st_size):
        kinds.setdefault(
            f"{path.parent.name.partition('-')[0]}-{path.name}" if len(path.parent.name) < 20 else path.name, path
        )
    return [str(path.relative_to(home.folder)) for path in kinds.values()]


def filters_offered(home: Home) -> list[dict[str, int]]:
    """How many passages each folder, language and type of file has: the engine keeps an index of each."""
    store = open_store("", home=home.folder)
    try:
        return [store.facet("documents", key) for key in ("folder", "language", "kind")]
    finally:
        store.close()


def damage_store_file(home: Home, name: str, how: str) -> tuple[int, list[str]]:
    """What the check says of a library with this one file of the store damaged, and after its repair."""
    damaged(home.folder / name, how)
    found = home.command("labse_search.library", "check", "--json", "--full", status=None)
    assert found.returncode in (0, 1), found.stderr
    repaired = home.command("labse_search.library", "check", "--json", "--full", "--repair", status=0)
    assert "Traceback" not in found.stderr + repaired.stderr
    assert home.problems() == []
    return found.returncode, [one["code"] for one in json.loads(found.stdout)]


@pytest.mark.slow
@pytest.mark.parametrize("name", ["spec.json", "state.json"])
def test_a_collection_whose_description_is_garbage_is_rebuilt(home: Home, name: str) -> None:
    before = home.answers("Where can I buy bread at night?")
    home.stop_store()
    status, codes = damage_store_file(home, f"store/collections/documents/{name}", "garbage")
    assert (status, codes) == (1, ["collection_damaged"])
    assert home.answers("Where can I buy bread at night?") == before


@pytest.mark.slow
def test_whatever_file_of_the_store_is_damaged_the_check_finds_it_or_it_did_not_matter(
    indexed: Home, tmp_path: Path
) -> None:
    indexed.stop_store()
    before, offered = indexed.answers("Where can I buy bread at night?"), filters_offered(indexed)
    indexed.stop_store()
    found = {}
    for number, name in enumerate(biggest_files(indexed)):
        for how in ("half", "garbage", "empty")[number % 3 :][:1]:
            home = Home(tmp_path / f"{number}-{how}")
            shutil.copytree(indexed.folder, home.folder)
            found[f"{name} {how}"] = damage_store_file(home, name, how)
            assert home.answers("Where can I buy bread at night?") == before, name
            assert filters_offered(home) == offered, name
            home.stop_store()
            shutil.rmtree(home.folder)
    for name, (status, codes) in found.items():
        print(f"{status} {','.join(codes):30} {name}")
    assert sum(status for status, _ in found.values()) > len(found) // 4, (
        "damage goes unseen: does the test damage anything?"
    )


@pytest.mark.slow
def test_the_app_says_at_its_start_what_is_missing(home: Home) -> None:
    library, store = Library(home.folder), open_store("", home=home.folder)
    store.delete("documents", Filter(documents=(library.documents("documents")[0].document,)))
    store.close()
    command = [sys.executable, "app.py", "--no-browser", "--port", str(free_port())]
    process = start(*command, env=home.environ(), stderr=subprocess.STDOUT)
    said = ""
    while "problems" not in said:
        said = next_line(process)
    process.kill()
    process.wait()
    assert said.startswith("1 problems in") and "check --repair" in said
