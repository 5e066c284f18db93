"""The page's scripts: their types, which TypeScript checks where it is installed (CONTRIBUTING.md)."""

from __future__ import annotations

import shutil

import pytest
from processes import ROOT, run

from labse_search.ui.theme import STATIC, script

TSC = shutil.which("tsc", path=str(ROOT / "node_modules" / ".bin"))


@pytest.mark.skipif(TSC is None, reason="no TypeScript: npm install --no-save typescript@5.9.3")
def test_the_scripts_keep_to_their_types() -> None:
    assert TSC is not None
    run(TSC, "-p", "jsconfig.json")


def test_a_script_is_served_without_its_comments_and_types() -> None:
    for file in STATIC.glob("*.js"):
        assert file.read_text(encoding="utf-8").startswith("// @ts-check\n"), file.name
        served = script(file.stem).splitlines()
        assert not [line for line in served if line.startswith(("//", "/**")) and line.endswith("*/")], file.name
        assert not [line for line in served if line.startswith("//")], file.name
