"""Passages that are kept, and rows as files for other programs."""

from __future__ import annotations

import csv
import io
import json
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urlencode

import pytest
from fastapi import FastAPI
from lexicon import sentence
from page_case import HOSTILE, page_client
from processes import finish, next_line, start
from starlette.testclient import TestClient

from indexer.sources import walk
from indexer.worker import do_job
from labse_search.errors import UserError
from labse_search.library.findings import Finding, Findings
from labse_search.library.searches import SavedSearches
from labse_search.ui.events import Event
from labse_search.ui.export import exported
from labse_search.ui.handlers import Handlers
from labse_search.ui.marks_routes import add_marks_routes
from labse_search.ui.query import Query
from labse_search.ui.values import documents_value

DOCUMENT = "ab" * 16


def finding(index: int = 0, **values: Any) -> Finding:
    return Finding(DOCUMENT, index, "a.txt", "p. 1", "de", "Das Meer steigt.", "Das Meer steigt.", "the sea?", **values)


def test_what_is_kept_stays_with_its_note_and_tags(tmp_path: Path) -> None:
    findings = Findings(tmp_path)
    findings.keep("книги", finding(0))
    findings.keep("книги", finding(1))
    findings.annotate("книги", DOCUMENT, 0, note=" see §3 ", tags=("sea", " sea ", "", "flood"))
    findings.keep("книги", finding(0))  # again: changes nothing
    again = Findings(tmp_path).all("книги")
    assert {one.index: (one.note, one.tags) for one in again} == {0: ("see §3", ("sea", "flood")), 1: ("", ())}
    assert again[0].kept >= again[1].kept > 0 and Findings(tmp_path).all("another") == []
    findings.drop("книги", DOCUMENT, 0)
    assert [one.index for one in findings.all("книги")] == [1]


def test_what_two_processes_keep_at_once_is_all_kept(tmp_path: Path) -> None:
    code = (
        "import sys\n"
        "from pathlib import Path\n"
        "from labse_search.library.findings import Finding, Findings\n"
        "from labse_search.library.searches import SavedSearches\n"
        "home, who = Path(sys.argv[1]), sys.argv[2]\n"
        "print(flush=True)\n"
        "sys.stdin.readline()\n"  # both begin at once
        "for number in range(20):\n"
        "    Findings(home).keep('c', Finding(who * 32, number, 't', 'p', 'en', 'x', 's', 'q'))\n"
        "    SavedSearches(home).keep('c', f'q={who}{number}', 'q', [])\n"
    )
    processes = [start(sys.executable, "-c", code, tmp_path, who, stdin=subprocess.PIPE) for who in "ab"]
    for process in processes:
        next_line(process)
    for process in processes:
        assert process.stdin is not None
        process.stdin.write("\n")
        process.stdin.flush()
    for process in processes:
        finish(process)
    assert len(Findings(tmp_path).all("c")) == len(SavedSearches(tmp_path).all("c")) == 40


@pytest.mark.parametrize("content", ["", "{}", "[]", '{"findings": [{"document": "x"}]}', '{"findings": [3]}'])
def test_a_damaged_file_of_findings_is_a_sentence_and_is_not_written_over(tmp_path: Path, content: str) -> None:
    findings = Findings(tmp_path)
    findings.keep("documents", finding())
    (file,) = (tmp_path / "findings").iterdir()
    file.write_text(content)
    with pytest.raises(UserError, match="damaged"):
        findings.keep("documents", finding(1))
    assert file.read_text() == content


ROWS = [
    {
        "text": "=HYPERLINK(1)",
        "title": "a*b.txt",
        "place": "p. 1",
        "note": "<b>",
        "tags": ["x", "y"],
        "link": "http://l/",
    },
    {"text": 'zwei\nZeilen, "so"', "title": "b.txt", "place": "", "note": "", "tags": [], "link": "http://l/"},
]


def test_a_table_opens_in_a_spreadsheet_and_runs_nothing() -> None:
    made = exported(ROWS, "csv", "")
    assert made.startswith(b"\xef\xbb\xbf")
    rows = list(csv.DictReader(io.StringIO(made.decode("utf-8-sig"))))
    assert (rows[0]["text"], rows[0]["tags"]) == ("'=HYPERLINK(1)", "x, y")
    assert rows[1]["text"] == ROWS[1]["text"]


def test_notes_quote_the_passage_and_name_the_source() -> None:
    made = exported(ROWS, "md", "what?").decode()
    assert made.startswith(
        "# what?\n\n> =HYPERLINK(1)\n>\n> — a\\*b.txt, p. 1 ([link](<http://l/>))\n\n\\<b\\>\n\n`x` `y`"
    )
    assert "> zwei\n> Zeilen" in made


def test_data_is_what_it_was() -> None:
    assert json.loads(exported(ROWS, "json", "")) == ROWS
    assert exported([], "csv", "") == b"\xef\xbb\xbf"


# ---- over the page


@pytest.fixture(scope="module")
def client(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    with page_client(tmp_path_factory.mktemp("findings")) as client:
        yield client


def test_a_passage_is_kept_annotated_exported_and_dropped(client: Any) -> None:
    handlers = Handlers(client.context).findings
    row = next(row for row in client.context.library.documents("documents") if row.names == ("in/two.txt",))
    passage = {"document": row.document, "index": 0}
    value = handlers.keep("documents", Event({**passage, "mark": [0, 10**30], "question": HOSTILE}))
    assert value["message"] == "" and value["findings"][0]["question"] == HOSTILE
    handlers.annotate("documents", Event({**passage, "note": "n", "tags": ["t", 7]}))
    exported_rows = client.get("/export/findings.json?collection=documents").json()
    assert [(one["note"], one["tags"], one["title"]) for one in exported_rows] == [("n", ["t"], "two.txt")]
    for change in ({"note": "of one page"}, {"tags": ["of", "another"]}):  # neither says what the other field holds
        kept = handlers.annotate("documents", Event({**passage, **change}))["findings"]
    assert [(one["note"], one["tags"]) for one in kept] == [("of one page", ["of", "another"])]
    assert exported_rows[0]["link"].endswith(f"view={row.document}.0")
    answer = Handlers(client.context).search.results(Query(question=sentence("fr", [11, 12])), "documents")
    assert answer["kept"] == [f"{row.document}.0"] and len(answer["cards"]) == 2
    assert handlers.drop("documents", Event(passage))["findings"] == []
    answer = Handlers(client.context).search.results(Query(question=sentence("fr", [11, 12])), "documents")
    assert answer["kept"] == []
    assert handlers.keep("documents", Event({"document": DOCUMENT, "index": 0}))["message"] != ""


def test_words_that_met_are_told_for_one_passage(client: Any) -> None:
    rows = client.context.library.documents("documents")
    one, two = (next(row.document for row in rows if row.names == (f"in/{name}.txt",)) for name in ("one", "two"))
    question = sentence("en", [2, 4, 300])
    found = client.get("/explain", params={"collection": "documents", "passage": f"{one}.0", "q": question}).json()
    pairs = {(pair["question"], pair["passage"]) for pair in found["links"]}
    assert {tuple(sentence(code, [n]) for code in ("en", "de")) for n in (2, 4)} <= pairs
    assert "".join(part["text"] for part in found["parts"]) == sentence("de", [1, 2, 3, 4, 5]) + "."
    assert {part["word"] for part in found["parts"] if part["link"]} == {pair["question"] for pair in found["links"]}
    hostile = client.get("/explain", params={"passage": f"{two}.0.0-5", "q": HOSTILE}).json()
    assert HOSTILE in "".join(part["text"] for part in hostile["parts"])
    wrong = [{"passage": f"{one}.9", "q": "x"}, {"passage": "../x", "q": "x"}, {"passage": f"{one}.0", "q": "x" * 1001},
             {"passage": f"{one}.0", "q": ""}, {"collection": "nowhere", "passage": f"{one}.0", "q": "x"}]  # fmt: skip
    assert {client.get("/explain", params=one).status_code for one in wrong} == {404}


def test_the_closest_sentences_are_told_for_those_cards_that_are_looked_at(client: Any) -> None:
    handlers, app = Handlers(client.context), FastAPI()
    add_marks_routes(app, handlers)
    value = handlers.search.results(Query(question=sentence("en", [2, 4, 300])), "documents")
    first, second = value["cards"]
    assert first["mark"] and second["mark"]  # these two were read for their order
    with TestClient(app) as page:
        told = page.get(f"/marks/{value['marks']}?ranks=2,x,-1,9999,30").json()
        assert [one["rank"] for one in told] == [2] and told[0]["mark"] == second["mark"]
        shown = "".join(part["text"] for part in told[0]["parts"] if part["mark"])
        assert shown.strip() == told[0]["sentence"] != ""
        assert page.get("/marks/unknown?ranks=1").status_code == 404
    assert client.get("/marks/unknown?ranks=1").status_code == 404


def test_results_are_exported_as_the_address_asks(client: Any) -> None:
    question = sentence("en", [1, 2, 3, 4, 5])
    answer = client.get("/export/results.csv", params={"q": question, "collection": "documents"})
    rows = list(csv.DictReader(io.StringIO(answer.content.decode("utf-8-sig"))))
    assert rows[0]["title"] == "one.txt" and rows[0]["question"] == question
    assert answer.headers["content-disposition"] == 'attachment; filename="results.csv"'
    assert client.get("/export/results.csv").status_code == 400  # no question
    assert client.get("/export/results.exe?q=x").status_code == client.get("/export/users.json").status_code == 404


def test_a_saved_search_tells_what_is_new_since_it_was_opened(client: Any, tmp_path: Path) -> None:
    context, handlers = client.context, Handlers(client.context)
    query = Query(question=sentence("en", [1, 2, 3, 4, 5]), mode="meaning")
    (saved,) = handlers.saved.toggle("documents", query)["searches"]
    assert (saved["question"], saved["new"], saved["problem"]) == (query.question, 0, "")
    assert handlers.search.results(query, "documents")["saved"]
    assert not handlers.search.results(replace(query, mode="both"), "documents")["saved"]
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "three.txt").write_text(sentence("ru", [1, 2, 3, 4, 5]) + ".")
    job = context.library.add_index_job(
        "documents", context.model, walk([tmp_path / "in"], context.library, "documents")
    )
    do_job(context.library, context.settings, context.library.job(job))
    assert [one["new"] for one in handlers.saved.shown("documents")["searches"]] == [1]
    opened = handlers.saved.open("documents", Event({"id": saved["id"]}))
    assert Query.from_address(dict(parse_qsl(opened["go"]))) == query and opened["searches"][0]["new"] == 0
    value = handlers.search.results(query, "documents")
    new = {f"{card['document']}.{card['index']}": card["title"] for card in value["cards"]}
    assert [new[passage] for passage in value["new"]] == ["three.txt"]
    SavedSearches(context.settings.home).move("documents", "moved")
    assert [one["question"] for one in handlers.saved.shown("moved")["searches"]] == [query.question]
    assert handlers.saved.toggle("moved", query)["searches"] == handlers.saved.shown("documents")["searches"] == []
    file = next((context.settings.home / "searches").iterdir())
    file.write_text('{"searches": [{"id": "x"}]}')
    assert "damaged" in handlers.saved.shown("moved")["message"] and file.read_text().endswith('"x"}]}')


def test_a_saved_search_for_a_file_type_is_known_however_the_type_was_written(client: Any, tmp_path: Path) -> None:
    context, handlers = client.context, Handlers(client.context)
    words = sentence("en", [1, 2, 3, 4, 5])
    for name in ("a.htm", "b.html"):
        (tmp_path / name).write_text(f"<p>{words} {name}.</p>")
    files = walk([tmp_path / "a.htm", tmp_path / "b.html"], context.library, "documents")
    job = context.library.add_index_job("documents", context.model, files)
    do_job(context.library, context.settings, context.library.job(job))
    SavedSearches(context.settings.home).keep("documents", urlencode({"q": words, "kind": '["htm"]'}), words, [])
    query = Query.from_address({"q": words, "kind": '["htm"]'})
    value = handlers.search.results(query, "documents")
    assert value["saved"] and {card["title"] for card in value["cards"]} == {"a.htm", "b.html"}
    assert ("HTML (2)", "html") in handlers.search.choices("documents")[1]
    assert ("html", 2) in documents_value(context, "documents")["kinds"]
    assert [one["chips"][0]["label"] for one in handlers.saved.shown("documents")["searches"]] == ["HTML"]
    assert handlers.saved.toggle("documents", query)["searches"] == []
