"""What `import labse_search` offers, and that the documentation of it runs."""

from __future__ import annotations

import os
import re
import sys
from pathlib import Path

from processes import run

import labse_search

ROOT = Path(__file__).resolve().parent.parent


def test_every_exported_name_is_there_and_documented() -> None:
    text = (ROOT / "docs" / "api.md").read_text(encoding="utf-8")
    for name in labse_search.__all__:
        assert getattr(labse_search, name).__doc__, name
        assert f"`{name}`" in text, name


def test_importing_it_loads_nothing_heavy() -> None:
    code = "import sys, labse_search; print(sorted({'torch', 'numpy', 'gradio', 'qdrant_edge'} & set(sys.modules)))"
    assert run(sys.executable, "-c", code).stdout.strip() == "[]"


def test_the_example_of_the_documentation_runs(tmp_path: Path) -> None:
    code = re.findall(r"```python\n(.*?)```", (ROOT / "docs" / "api.md").read_text(encoding="utf-8"), re.S)[0]
    (tmp_path / "papers").mkdir()
    (tmp_path / "papers" / "flood.txt").write_text("In 1987 the water stood six metres high.", encoding="utf-8")
    done = run(sys.executable, "-c", code, cwd=tmp_path, env=environment())
    assert "flood.txt" in done.stdout and "six metres" in done.stdout


def environment() -> dict[str, str]:
    return {**os.environ, "PYTHONPATH": str(ROOT), "HF_HUB_OFFLINE": "1"}
