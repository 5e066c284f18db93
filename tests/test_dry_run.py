"""What `python -m indexer --dry-run` says, and that it does nothing."""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path

import pytest
from bench import MODEL
from library_case import Home
from processes import AS_ANYBODY, run

from indexer.__main__ import _remove_missing
from indexer.worker import collection_lock
from labse_search.errors import UserError
from labse_search.library import Library
from labse_search.settings import Settings


def test_a_dry_run_says_what_would_be_done_and_does_nothing(tmp_path: Path) -> None:
    home, files = Home(tmp_path / "home"), tmp_path / "files"
    files.mkdir()
    (files / "a.txt").write_text("Words that are there already.")
    (files / "gone.txt").write_text("Words whose file goes.")
    home.index(files)
    (files / "gone.txt").unlink()
    (files / "b.txt").write_text("New words.")
    (files / "c.weird").write_bytes(b"\0\1\2")
    (files / "link").symlink_to(tmp_path)
    arguments = (str(files), "--model", MODEL, "--dry-run", "--remove-missing")
    plan = json.loads(home.command("indexer", *arguments, "--json").stdout)
    assert (plan["new"], plan["already"], plan["removed"]) == (["files/b.txt"], ["files/a.txt"], ["files/gone.txt"])
    assert {file["name"]: file["reason"] for file in plan["skipped"]} == {
        "files/c.weird": "unsupported",
        "files/link": "link",
    }
    printed = home.command("indexer", *arguments).stdout
    assert "new: 1 files (1 txt)" in printed and "remove   files/gone.txt" in printed and "nothing was done" in printed
    library = Library(home.folder)
    assert sorted(name for row in library.documents("documents") for name in row.names) == [
        "files/a.txt",
        "files/gone.txt",
    ]
    assert len(library.jobs()) == 1
    home.stop_store()


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="takes the rights of root away as Linux does")
def test_what_may_not_be_read_is_told_file_by_file(tmp_path: Path) -> None:
    home, files = Home(tmp_path / "home"), tmp_path / "files"
    (files / "listed" / "below").mkdir(parents=True)
    for name in ("a.txt", "closed.txt", "closed.weird", "listed/b.txt", "listed/below/c.txt"):
        (files / name).write_text("Words.")
    for name, rights in {"closed.txt": 0, "closed.weird": 0, "listed": 0o400}.items():
        (files / name).chmod(rights)
    code = f"{AS_ANYBODY}\nimport sys; from indexer.__main__ import main; sys.exit(main())"
    arguments = ("-c", code, files, "--model", MODEL, "--dry-run", "--json")
    try:
        plan = json.loads(run(sys.executable, *arguments, env=home.environ()).stdout)
    finally:
        (files / "listed").chmod(0o700)
    assert plan["new"] == ["files/a.txt"]
    assert {(file["name"], file["reason"]) for file in plan["skipped"]} == {
        ("files/closed.txt", "not_permitted"),
        ("files/closed.weird", "not_permitted"),
        ("files/listed/b.txt", "not_permitted"),
        ("files/listed/below", "not_permitted"),
    }


def test_what_came_from_files_that_are_gone_is_removed_and_can_be_put_back(tmp_path: Path) -> None:
    home, files = Home(tmp_path / "home"), tmp_path / "files"
    files.mkdir()
    for name, text in {
        "a.txt": "Words that stay.",
        "b.txt": "Words whose file goes.",
        "c.txt": "More that stay.",
    }.items():
        (files / name).write_text(text)
    (files / "copy.txt").write_text("Words whose file goes.")
    home.index(files)
    (files / "b.txt").unlink()
    (files / "copy.txt").unlink()
    said = home.command("indexer", str(files), "--model", MODEL, "--remove-missing").stdout
    assert "2 removed" in said and "To put removed documents back: python -m labse_search.library undo NAME" in said
    library = Library(home.folder)
    assert len(library.documents("documents")) == 2
    home.command("labse_search.library", "undo", "files/b.txt")
    names = sorted(name for row in library.documents("documents") for name in row.names)
    assert names == ["files/a.txt", "files/b.txt", "files/c.txt", "files/copy.txt"]
    home.stop_store()


@pytest.mark.parametrize("emptied", [False, True])
def test_a_drive_that_is_not_there_is_asked_about_before_anything_of_it_is_removed(
    tmp_path: Path, emptied: bool
) -> None:
    home, files = Home(tmp_path / "home"), tmp_path / "drive"
    files.mkdir()
    (files / "a.txt").write_text("Words whose drive goes.")
    home.index(files)
    files.rename(tmp_path / "unplugged")
    if emptied:  # as an empty mount point
        files.mkdir()
    else:
        assert "does not exist" in home.command("indexer", str(files), "--model", MODEL, status=2).stderr
    arguments = ("indexer", str(files), "--model", MODEL, "--remove-missing")
    said = home.command(*arguments, status=2).stderr
    assert "perhaps its drive is not there" in said and "add --yes" in said
    library = Library(home.folder)
    assert len(library.documents("documents")) == 1
    home.command(*arguments, "--yes")
    assert library.documents("documents") == [] and len(library.removed_documents("documents")) == 1
    (tmp_path / "unplugged" / "a.txt").unlink()  # the drive is lost, the original is kept
    home.command("labse_search.library", "undo", "drive/a.txt")
    assert [row.names for row in library.documents("documents")] == [("drive/a.txt",)]
    home.stop_store()


def test_nothing_is_removed_while_documents_are_added(tmp_path: Path) -> None:
    home, files = Home(tmp_path / "home"), tmp_path / "files"
    files.mkdir()
    (files / "a.txt").write_text("Words.")
    home.index(files)
    (files / "a.txt").unlink()
    library = Library(home.folder)
    arguments = argparse.Namespace(paths=[files], yes=True)
    lock = library.lock(collection_lock("documents"))
    assert lock is not None
    with lock, pytest.raises(UserError, match="nothing was removed"):
        _remove_missing(library, Settings(home=home.folder), arguments)
    assert len(library.documents("documents")) == 1
    home.stop_store()
