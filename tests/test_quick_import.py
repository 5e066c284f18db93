"""Gradio is imported without writing stub files, and is whole all the same (the tests of the page use it so)."""

from __future__ import annotations

import sys
from pathlib import Path

from processes import run

ROOT = Path(__file__).resolve().parent.parent
CODE = """
import sys
from labse_search.ui.quick_import import skip_stub_files
skip_stub_files(); skip_stub_files()
import gradio, gradio.component_meta as meta
skip_stub_files()
finders = [finder for finder in sys.meta_path if type(finder).__module__ == "labse_search.ui.quick_import"]
print(meta.create_or_modify_pyi.__module__, len(finders), callable(gradio.Button.click), meta.__spec__.origin)
"""


def test_gradio_writes_no_stub_files_and_has_its_events() -> None:
    function, finders, has_events, origin = run(sys.executable, "-c", CODE).stdout.split()
    assert function == "labse_search.ui.quick_import"
    assert finders == "1"  # asking twice is asking once
    assert has_events == "True"
    assert Path(origin).name == "component_meta.py"
