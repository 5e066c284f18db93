"""A library in a folder, driven as a person drives it: by its commands, each in a process of its own."""

from __future__ import annotations

import contextlib
import functools
import importlib
import io
import json
import os
import signal
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil
from processes import finish, start
from words_model import words_model

from indexer.check import Problem, check
from labse_search.encoder import Encoder, load_encoder
from labse_search.library import Library
from labse_search.records import Mode
from labse_search.search import Searcher
from labse_search.search.opening import question_identifier
from labse_search.search.values import hit_value
from labse_search.store import open_store
from labse_search.store.edge import wire
from labse_search.store.edge.client import EdgeStore

ROOT = Path(__file__).resolve().parent.parent
MODEL = words_model()  # most of what is driven here does not care for meaning
EXAMPLES = ROOT / "examples"
SETTINGS = {"OMP_NUM_THREADS": "1", "LABSE_PRECISION": "fp32"}  # so that vectors do not depend on who computes them
QUESTIONS = ("Where can I buy bread at night?", "Wie repariert man ein Fahrrad?", "дождь и река", "健康")

MODES: tuple[Mode, ...] = ("both", "meaning", "words")


@functools.cache
def encoder() -> Encoder:
    return load_encoder(str(MODEL), precision="fp32")


@dataclass
class Home:
    folder: Path

    @property
    def store_folder(self) -> Path:
        return self.folder / "store"

    def environ(self, **more: str) -> dict[str, str]:
        kept = {name: value for name, value in os.environ.items() if not name.startswith("LABSE_")}
        return {**kept, "LABSE_HOME": str(self.folder), "PYTHONPATH": str(ROOT), **SETTINGS, **more}

    def start(self, *arguments: str, cwd: Path = ROOT, **more: str) -> subprocess.Popen[str]:
        """python -m ARGUMENTS, going on while the test does."""
        return start(sys.executable, "-m", *arguments, env=self.environ(**more), cwd=cwd)

    def run(self, *arguments: str, status: int | None = 0, **more: str) -> subprocess.CompletedProcess[str]:
        """python -m ARGUMENTS to its end, which must have this exit status."""
        return finish(self.start(*arguments, **more), status=status)

    def command(
        self, module: str, *arguments: str, status: int | None = 0, **more: str
    ) -> subprocess.CompletedProcess[str]:
        """As `run`, in this process: a tenth of the time."""
        output, errors = io.StringIO(), io.StringIO()
        main = importlib.import_module(f"{module}.__main__").main
        argv, kept = sys.argv, os.environ.copy()
        sys.argv = [module, *arguments]
        os.environ.update(self.environ(**more))
        try:
            with contextlib.redirect_stdout(output), contextlib.redirect_stderr(errors):
                done = main()
        finally:
            sys.argv = argv
            os.environ.clear()
            os.environ.update(kept)
        assert status is None or done == status, f"{done}: {output.getvalue()}\n{errors.getvalue()}"
        return subprocess.CompletedProcess([module, *arguments], done, output.getvalue(), errors.getvalue())

    def index(self, *paths: Path, status: int | None = 0) -> dict[str, Any]:
        """The outcome of indexing, as JSON."""
        arguments = [str(path) for path in paths or (EXAMPLES,)]
        done = self.command("indexer", *arguments, "--model", str(MODEL), "--json", status=status)
        value: dict[str, Any] = json.loads(done.stdout)
        return value

    def answers(self, *questions: str) -> list[Any]:
        """What `python -m labse_search.search --json` prints for each question, its figures to two digits: the last
        ones depend on which texts are encoded together."""
        store = open_store("", home=self.folder)
        searcher = Searcher(store, encoder(), "documents", identify=question_identifier(encoder().languages))
        try:
            answers = [searcher.search(question, mode=mode) for question in questions or QUESTIONS for mode in MODES]
            printed = [json.dumps([hit_value(hit) for hit in answer.hits]) for answer in answers]
            return [json.loads(one, parse_float=lambda figure: round(float(figure), 2)) for one in printed]
        finally:
            store.close()

    def problems(self) -> list[Problem]:
        """All that is wrong, every text and every original compared."""
        library, store = Library(self.folder), open_store("", home=self.folder)
        try:
            return [
                problem
                for collection in library.ledger.collections.all()
                for problem in check(library, store, collection, full=True)
            ]
        finally:
            store.close()
            library.close()

    def store_pid(self) -> int | None:
        known = wire.read_address(self.store_folder)
        return None if known is None else int(known["pid"])

    def kill_store(self) -> bool:
        """kill -9 of the store's process. False if none was there."""
        process = self.store_pid()
        try:
            # A killed one leaves its number behind, which may be another process's by now.
            if process is None or str(self.store_folder) not in psutil.Process(process).cmdline():
                return False
            os.kill(process, signal.SIGKILL)
        except (psutil.NoSuchProcess, ProcessLookupError):
            return False
        while _is_alive(process):
            time.sleep(0.005)
        return True

    def stop_store(self) -> None:
        if self.store_folder.exists():
            EdgeStore(self.store_folder).stop()


def _is_alive(process: int) -> bool:
    try:
        os.kill(process, 0)
        state = Path(f"/proc/{process}/stat")
        return not (state.exists() and state.read_text().rpartition(")")[2].split()[0] == "Z")
    except (ProcessLookupError, FileNotFoundError):
        return False
