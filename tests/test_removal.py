"""Which documents a name, a folder or a pattern means."""

from __future__ import annotations

from pathlib import Path

import pytest
from library_case import Home

from indexer.removal import matching
from labse_search.errors import UserError
from labse_search.library import DocumentRow, Library


def row(document: str, *names: str) -> DocumentRow:
    return DocumentRow(
        collection="notes", document=document, names=names, kind="txt", title="", bytes=0, characters=0, embedded=0,
        skipped={}, segments=0, languages={}, encoding="", notes=(), digest="", state="stored", added=0.0,
    )  # fmt: skip


ROWS = [row("1", "a/x.txt"), row("2", "a/b/y.md", "c/y.md"), row("3", "ab/z.txt"), row("4", "[1].txt")]


@pytest.mark.parametrize(
    ("entry", "found"),
    [
        ("a/x.txt", {"1": ["a/x.txt"]}),
        ("a", {"1": ["a/x.txt"], "2": ["a/b/y.md"]}),
        ("a/", {"1": ["a/x.txt"], "2": ["a/b/y.md"]}),
        ("a/b", {"2": ["a/b/y.md"]}),
        ("*.md", {"2": ["a/b/y.md", "c/y.md"]}),
        ("a*/?.txt", {"1": ["a/x.txt"], "3": ["ab/z.txt"]}),
        ("[1].txt", {"4": ["[1].txt"]}),
    ],
)
def test_names_folders_and_patterns(entry: str, found: dict[str, list[str]]) -> None:
    assert matching(ROWS, [entry]) == found


def test_an_entry_that_nothing_fits_is_named_and_nothing_is_found() -> None:
    with pytest.raises(UserError, match="'d/'"):
        matching(ROWS, ["a", "d/"])


def test_the_command_removes_folders_and_patterns_and_puts_them_back(tmp_path: Path) -> None:
    home, files = Home(tmp_path / "home"), tmp_path / "files"
    for name, text in {
        "old/a.txt": "The first words.",
        "old/b.md": "The second words.",
        "old/c.txt": "Words that have a copy.",
        "new/c.txt": "Words that have a copy.",
        "d.txt": "The last words.",
    }.items():
        (files / name).parent.mkdir(parents=True, exist_ok=True)
        (files / name).write_text(text)
    home.index(files)

    def names() -> list[str]:
        return sorted(name for one in Library(home.folder).documents("documents") for name in one.names)

    said = home.command("labse_search.library", "remove", "files/old").stdout
    assert said.startswith("2 documents and 1 further name removed.")
    assert names() == ["files/d.txt", "files/new/c.txt"]
    home.command("labse_search.library", "undo", "files/old/*.md")
    assert names() == ["files/d.txt", "files/new/c.txt", "files/old/b.md"]
    home.command("labse_search.library", "remove", "files/d*", "files/new/c.txt")
    assert names() == ["files/old/b.md"]
    assert home.command("labse_search.library", "remove", "nowhere", status=2).stderr.count("nowhere") == 1
    home.stop_store()
