"""The README's tree is the tree."""

from __future__ import annotations

import re
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
ROOMS = ("indexer", "labse_search")


def tree() -> set[str]:
    """The paths that the README's tree names; what is indented lies in the room above it."""
    text = (ROOT / "README.md").read_text(encoding="utf-8").partition("## How it is built")[2].split("```")[1]
    named: set[str] = set()
    room = ""
    for line in filter(None, text.splitlines()):
        names = [name.rstrip("/") for name in re.split(r"\s{2,}", line.strip())[0].split()]
        if not line.startswith(" "):
            room = names[0] if names[0] in ROOMS else ""
        named |= {f"{room}/{name}" if line.startswith(" ") else name for name in names}
    return named


def test_the_readme_names_every_file_and_folder_of_the_first_two_levels_and_no_other() -> None:
    there = {
        f"{room}/{path.name}"
        for room in ROOMS
        for path in (ROOT / room).iterdir()
        if (path.suffix == ".py" or any(path.glob("*.py"))) and not path.name.startswith("__")
    }
    assert not there - tree() - {"labse_search/models"}
    assert not [name for name in tree() if not (ROOT / name).exists()]
