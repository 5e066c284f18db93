"""What `python -m indexer --dry-run` says, and that it does nothing."""

from __future__ import annotations

import json
from pathlib import Path

from bench import MODEL
from library_case import Home

from labse_search.library import Library


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


def test_a_folder_that_is_gone_can_be_named_to_remove_what_came_from_it(tmp_path: Path) -> None:
    home, files = Home(tmp_path / "home"), tmp_path / "files"
    files.mkdir()
    (files / "a.txt").write_text("Words whose folder goes.")
    home.index(files)
    (files / "a.txt").unlink()
    files.rmdir()
    assert "does not exist" in home.command("indexer", str(files), "--model", MODEL, status=2).stderr
    home.command("indexer", str(files), "--model", MODEL, "--remove-missing")
    assert Library(home.folder).documents("documents") == []
    home.stop_store()
