"""One log with references, and no document text, question or key in it, whatever happens."""

from __future__ import annotations

import logging
import re
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from library_case import MODEL, Home
from processes import run

from indexer.sources import walk
from indexer.worker import do_job
from labse_search.errors import arose_at
from labse_search.library import Library
from labse_search.library.log import MOST_BYTES, LogHandler, log_file
from labse_search.settings import Settings

SECRET = "Zwetschgenkuchenrezept"  # stands in documents and questions; must stand in no log
KEY = "sk-4711-very-secret"


@pytest.fixture
def home(tmp_path: Path) -> Iterator[Home]:
    home = Home(tmp_path / "home")
    yield home
    home.stop_store()


def logs(home: Home) -> str:
    """All that was ever logged, by the app's processes and by the store's."""
    files = [*(home.folder / "logs").glob("*"), *home.store_folder.glob("*.log")]
    return "\n".join(file.read_text("utf-8", "replace") for file in files)


def work(home: Home, **more: str) -> str:
    """The worker until it is done, as the app starts it; its own output, which goes to the log as well."""
    done = home.run("indexer.worker", str(home.folder), "0.1", LABSE_API_KEY=KEY, **more)
    return done.stdout + done.stderr


def add(home: Home, folder: Path, model: str = str(MODEL)) -> str:
    library = Library(home.folder)
    return library.add_index_job("documents", model, walk([folder], library, "documents"))


def test_no_text_and_no_key_gets_into_a_log_when_all_goes_well_or_files_are_broken(home: Home, tmp_path: Path) -> None:
    files = tmp_path / "files"
    files.mkdir()
    (files / "good.txt").write_text(f"A {SECRET} is written here. " * 20)
    (files / "broken.json").write_text('{"a": "' + SECRET)
    (files / "broken.html").write_bytes(b"<html>" + SECRET.encode() + b"\xff\xfe" * 50)
    (files / "broken.docx").write_bytes(b"PK\x03\x04" + SECRET.encode())
    (files / "broken.pdf").write_bytes(b"%PDF-1.7\n" + SECRET.encode())
    (files / "broken.xml").write_text(f"<a>{SECRET}")
    (files / "rows.csv").write_text(f'a,b\n"{SECRET}')
    job = add(home, files)
    output = work(home)
    assert Library(home.folder).job(job).state == "done"
    output += home.command("labse_search.search", SECRET, LABSE_API_KEY=KEY).stderr
    written = logs(home) + output
    assert job in written  # something was logged at all
    assert SECRET not in written and SECRET.lower() not in written.lower() and KEY not in written


def test_a_server_that_does_not_answer_is_logged_without_its_key(home: Home, tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text(SECRET)
    job = add(home, tmp_path / "a.txt")
    output = work(home, LABSE_STORE="http://127.0.0.1:9")
    row = Library(home.folder).job(job)
    assert row.state == "failed" and "127.0.0.1:9" in row.error
    written = logs(home) + output + row.error
    assert SECRET not in written and KEY not in written


class Bursting:
    """Settings whose use fails as a bug would, quoting what it was given."""

    def __getattr__(self, name: str) -> object:
        raise ValueError(f"{SECRET} {KEY}")


def test_an_unexpected_error_ends_the_job_with_a_reference_that_the_log_explains(
    home: Home, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "a.txt").write_text("Words.")
    library = Library(home.folder)
    job = add(home, tmp_path / "a.txt")
    with caplog.at_level(logging.INFO):
        row = do_job(library, Bursting(), library.job(job))  # type: ignore[arg-type]
    assert row is not None and row.state == "failed"
    reference = re.search(r"reference ([0-9a-f]{8})", row.error)
    assert reference is not None and f"reference {reference[1]}" in caplog.text
    assert "ValueError at" in caplog.text and "__getattr__" in caplog.text
    assert SECRET not in caplog.text + row.error and KEY not in caplog.text + row.error
    library.ask(job, "")
    again = do_job(library, Settings(home=home.folder), library.job(job))
    assert again is not None and again.state == "done"


def test_a_worker_that_falls_over_says_where_and_not_what(home: Home, tmp_path: Path) -> None:
    code = f"""
import pathlib, threading
from indexer.worker import log_everything

def burst():
    raise ValueError("{SECRET} in a thread")

log_everything(pathlib.Path({str(home.folder)!r}))
thread = threading.Thread(target=burst)
thread.start()
thread.join()
raise ValueError("{SECRET}") from KeyError("{SECRET}")
"""
    done = run(sys.executable, "-c", code, env=home.environ(), status=1)
    written = logs(home) + done.stdout + done.stderr
    assert len(re.findall(r"reference [0-9a-f]{8}: ValueError at", written)) == 2
    assert SECRET not in written


def test_where_an_error_arose_names_its_causes_and_quotes_nothing() -> None:
    try:
        try:
            raise KeyError(SECRET)
        except KeyError as error:
            raise ValueError(SECRET) from error
    except ValueError as error:
        told = arose_at(error)
    assert told.startswith("ValueError at test_log.py:") and ", after KeyError at test_log.py:" in told
    assert SECRET not in told


def test_a_log_that_is_full_is_put_aside(tmp_path: Path) -> None:
    log_file(tmp_path).write_bytes(b"x" * (MOST_BYTES + 1))
    assert not log_file(tmp_path).exists()
    assert (tmp_path / "logs" / "labse-search.log.1").stat().st_size == MOST_BYTES + 1


@pytest.mark.skipif(sys.platform == "win32", reason="a file that is open cannot be moved there")
def test_a_log_that_fills_up_is_put_aside_while_processes_write_to_it(tmp_path: Path) -> None:
    handlers = [LogHandler(tmp_path), LogHandler(tmp_path)]
    log_file(tmp_path).write_bytes(b"x" * (MOST_BYTES + 1))
    for number, handler in enumerate(handlers):
        handler.emit(logging.LogRecord("test", logging.WARNING, "", 0, f"line {number}", None, None))
        handler.close()
    assert log_file(tmp_path).read_text() == "line 0\nline 1\n"
    assert (tmp_path / "logs" / "labse-search.log.1").stat().st_size == MOST_BYTES + 1
