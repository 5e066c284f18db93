"""Many questions at once: tables of questions, the job that answers them, its kill and its way on."""

from __future__ import annotations

import csv
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from lexicon import sentence
from library_case import Home
from page_case import HOSTILE, page_client

from indexer.worker import ANSWERING_WORKER, do_job, worker_of
from labse_search.errors import UserError
from labse_search.library.records import FileOutcome
from labse_search.search.batch import MOST_QUESTIONS, read_questions
from labse_search.search.batch_job import add_batch_job, answers_file, read_answers


@pytest.mark.parametrize(
    ("name", "content", "questions"),
    [
        ("a.csv", 'id,Question\n1,Wo?\n\n2,\n3,"Was, ""wann""\nund wie?"\n', ["Wo?", 'Was, "wann"\nund wie?']),
        ("a.csv", "\ufeffquery;note\nwhere?;x\n", ["where?"]),
        ("a.tsv", "7\t質問\n8\t何?\n", ["何?"]),
        ("a.csv", "one, two\nthree\n", ["one", "three"]),  # no header: the first column
        ("a.txt", "one, two?\n three \n", ["one, two?", "three"]),
    ],
)
def test_questions_are_read_from_any_table(tmp_path: Path, name: str, content: str, questions: list[str]) -> None:
    (tmp_path / name).write_text(content, encoding="utf-8")
    assert read_questions(tmp_path / name) == questions


@pytest.mark.parametrize(
    "content", [b"", b"question\n", b"\xff\xfe", b"q\n" + b"x" * 5001, b"q\n" + b"x\n" * (MOST_QUESTIONS + 1)]
)
def test_what_is_no_table_of_questions_is_a_sentence(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "a.csv").write_bytes(content)
    with pytest.raises(UserError):
        read_questions(tmp_path / "a.csv")


@pytest.fixture(scope="module")
def client(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    with page_client(tmp_path_factory.mktemp("batch")) as client:
        yield client


QUESTIONS = [sentence("en", [1, 2, 3]), "…", HOSTILE, sentence("en", [12, 13])]


def test_a_job_that_was_killed_goes_on_where_it_was(client: Any) -> None:
    library, store, settings = client.context.library, client.context.store, client.context.settings
    job = add_batch_job(library, store, "documents", QUESTIONS)
    assert worker_of(library.job(job)) == ANSWERING_WORKER
    # As a kill leaves it: the first answer is whole and written down, the second line is cut.
    file = answers_file(library, job)
    file.parent.mkdir()
    whole = json.dumps({"position": 0, "rows": [{"number": 1, "question": "kept"}]})
    file.write_text(whole + '\n{"position": 1, "ro')
    library.ledger.jobs.set_outcome(job, 0, FileOutcome("added"))
    seen: list[int] = []
    row = do_job(library, settings, library.job(job), report=lambda now: seen.append(now.files_done))
    assert row is not None and (row.state, row.files_done, row.error) == ("done", 4, "")
    assert seen == [2, 3, 4]
    answers = read_answers(library, job)
    assert answers[0]["question"] == "kept" and {one["number"] for one in answers} == {1, 2, 3, 4}
    last = [one for one in answers if one["number"] == 4]
    assert last[0]["document"] == "in/two.txt" and last[0]["rank"] == 1
    (refused,) = [one for one in answers if one["number"] == 2]
    assert refused["rank"] == "" and "no letter" in refused["note"]


def test_a_paused_job_waits_and_a_cancelled_one_ends(client: Any) -> None:
    library, store, settings = client.context.library, client.context.store, client.context.settings
    job = add_batch_job(library, store, "documents", QUESTIONS)

    def pause(now: Any) -> None:
        library.ask(job, "pause")

    row = do_job(library, settings, library.job(job), report=pause)
    assert row is not None and (row.state, row.files_done) == ("paused", 1)
    library.ask(job, "cancel")
    assert library.job(job).state == "cancelled" and len(read_answers(library, job)) >= 1
    with pytest.raises(UserError):
        read_answers(library, library.jobs(kinds=("index",))[0].id)


def test_the_command_writes_a_table(client: Any, tmp_path: Path) -> None:
    home, table, written = Home(client.context.settings.home), tmp_path / "q.csv", tmp_path / "a.csv"
    table.write_text("question\n" + QUESTIONS[0] + "\n" + QUESTIONS[3] + "\n")

    def run(*more: str, status: int) -> None:
        home.command("labse_search.search", "--batch", str(table), "--limit", "1", *more, status=status)

    run("--output", str(written), status=0)
    rows = list(csv.DictReader(written.read_text(encoding="utf-8-sig").splitlines()))
    assert [(row["number"], row["document"]) for row in rows] == [("1", "in/one.txt"), ("2", "in/two.txt")]
    for wrong in (["--output", str(tmp_path / "a.xlsx")], [], ["--output", str(written), "a question too"]):
        run(*wrong, status=2)
