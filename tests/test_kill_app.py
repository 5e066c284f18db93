"""The app itself is killed while its job runs: the job goes on, with the worker that lives or after the next start."""

import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import processes
import pytest
from ports import free_port
from processes import next_line

from indexer.check import check
from indexer.sources import walk
from labse_search.library import Library
from labse_search.store import open_store

ROOT = Path(__file__).resolve().parent.parent
KILLS = 6


def start(home: Path) -> subprocess.Popen[str]:
    command = [sys.executable, "app.py", "--no-browser", "--port", str(free_port()), "--store", str(home)]
    app = processes.start(*command, stderr=None)  # nobody would empty the pipe
    assert next_line(app).startswith("Ready")
    return app


@pytest.mark.slow
@pytest.mark.timeout(1800)
def test_a_killed_app_loses_nothing_and_its_job_goes_on(tmp_path: Path) -> None:
    dice = random.Random(7)
    home, files = tmp_path / "home", tmp_path / "files"
    files.mkdir()
    library = Library(home)
    for kill in range(KILLS):
        for number in range(40):
            text = "\n\n".join(f"Kill {kill}, file {number}, line {line}: bread and water." for line in range(30))
            (files / f"{kill}-{number}.txt").write_text(text, encoding="utf-8")
        job = library.add_index_job("documents", "labse-mini", walk([files], library, "documents"))
        app = start(home)
        time.sleep(dice.uniform(0.0, 1.5))
        app.send_signal(signal.SIGKILL)
        app.wait(200)
    app = start(home)
    try:
        deadline = time.monotonic() + 500
        while library.ledger.jobs.unfinished() and time.monotonic() < deadline:
            time.sleep(0.2)
        assert library.job(job).state == "done"
        store = open_store("", home=home)
        assert check(library, store, "documents", full=True) == []
        assert len(library.documents("documents")) == KILLS * 40
        store.close()
    finally:
        app.send_signal(signal.SIGTERM)
        app.wait(200)
