"""Files and folders that are whole or not there."""

from __future__ import annotations

import os
import stat
from pathlib import Path

import pytest

from labse_search.files import move_into_place, written_aside


def test_a_file_appears_only_when_it_is_whole(tmp_path: Path) -> None:
    path = tmp_path / "pairs.tsv"
    path.write_text("old")
    with pytest.raises(RuntimeError), written_aside(path) as lines:
        lines.write("half")
        raise RuntimeError
    assert path.read_text() == "old"
    with written_aside(path) as lines:
        lines.write("new\n")
    assert path.read_bytes() == b"new\n"
    assert [entry.name for entry in tmp_path.iterdir()] == ["pairs.tsv"]


@pytest.mark.skipif(os.name != "posix", reason="folders are opened on POSIX only")
def test_the_content_is_flushed_before_the_name_and_the_name_before_anybody_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What a power cut could lose, which no test can make: the order of what is handed to the disk."""
    order: list[str] = []
    real_sync, real_replace = os.fsync, os.replace

    def sync(descriptor: int) -> None:
        order.append("folder" if stat.S_ISDIR(os.fstat(descriptor).st_mode) else "content")
        real_sync(descriptor)

    def replace(*paths: Path) -> None:
        order.append("name")
        real_replace(*paths)

    monkeypatch.setattr(os, "fsync", sync)
    monkeypatch.setattr(os, "replace", replace)
    with written_aside(tmp_path / "pairs.tsv") as lines:
        lines.write("new\n")
    assert order == ["content", "name", "folder"]


def test_a_folder_takes_the_place_of_another(tmp_path: Path) -> None:
    for name in ("made", "place"):
        (tmp_path / name).mkdir()
        (tmp_path / name / f"{name}.txt").write_text(name)
    move_into_place(tmp_path / "made", tmp_path / "place")
    assert [str(file.relative_to(tmp_path)) for file in sorted(tmp_path.rglob("*"))] == ["place", "place/made.txt"]


def test_a_file_never_takes_the_place_of_a_folder(tmp_path: Path) -> None:
    (tmp_path / "place").mkdir()
    (tmp_path / "place" / "a.txt").write_text("a")
    with pytest.raises(OSError), written_aside(tmp_path / "place") as lines:
        lines.write("a backup that was told to go into a folder")
    assert [str(file.relative_to(tmp_path)) for file in sorted(tmp_path.rglob("*"))] == ["place", "place/a.txt"]
