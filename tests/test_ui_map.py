"""The map's part of the page without a browser: what it is told, in every state, and what its addresses answer."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from lexicon import sentence
from page_case import HOSTILE, page_client

from indexer.sources import walk
from indexer.worker import do_job
from labse_search.map.file import map_file
from labse_search.ui.events import Event
from labse_search.ui.handlers import Handlers
from labse_search.ui.theme import script, style


@pytest.fixture(scope="module")
def client(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    with page_client(tmp_path_factory.mktemp("map")) as client:
        yield client


@pytest.fixture(scope="module")
def stamp(client: Any, tmp_path_factory: pytest.TempPathFactory) -> str:
    """Of the collection's map, after it was found too small and grew."""
    context = client.context
    handlers = Handlers(context)
    assert handlers.map.shown("documents")["few"] is True
    assert "at least 20" in handlers.map.make("documents", Event({}))["message"]
    rows = [sentence("en", [number % 40, number % 37, number % 11]) for number in range(40)]
    file = tmp_path_factory.mktemp("more") / "more.csv"
    file.write_text("text\n" + "".join(f'"{row}"\n' for row in rows))
    run(context, context.library.add_index_job("documents", context.model, walk([file], context.library, "documents")))
    value = handlers.map.shown("documents")
    assert value["few"] is False and value["job"] is None and "map" not in value
    value = handlers.map.make("documents", Event({"anew": "yes"}))
    assert value["job"]["state"] == "queued"
    assert handlers.map.make("documents", Event({}))["job"]["id"] == value["job"]["id"]
    assert run(context, value["job"]["id"]) == "done"
    value = handlers.map.shown("documents")
    assert value["job"] is None and value["map"]["shown"] > 40 and not value["map"]["added"]
    return str(value["map"]["stamp"])


def run(context: Any, job: str) -> str:
    do_job(context.library, context.settings, context.library.job(job))
    return str(context.library.job(job).state)


def asked(client: Any, what: str, **parameters: str) -> Any:
    return client.get(f"/map/{what}", params={"collection": "documents", **parameters})


def test_points_and_passages_are_told_by_their_place(client: Any, stamp: str) -> None:
    points = asked(client, "points", stamp=stamp).json()
    n = len(points["x"])
    assert n == len(points["y"]) == len(points["topic"]) == len(points["language"]["of"])
    assert all(0 <= value <= 10_000 for value in points["x"] + points["y"])
    assert sum(topic["size"] for topic in points["topics"]) == n
    passages = asked(client, "passages", stamp=stamp, rows=",".join(map(str, range(n)))).json()
    assert [one["row"] for one in passages] == list(range(40))
    first = passages[0]
    rows = asked(client, "rows", stamp=stamp, passages=f"{first['document']}.{first['index']},nonsense,a.b").json()
    assert rows == [0]
    every = [
        one
        for at in range(0, n, 40)
        for one in asked(client, "passages", stamp=stamp, rows=",".join(map(str, range(at, n)))[:900]).json()
    ]
    assert any(HOSTILE in one["text"] for one in every)


@pytest.mark.parametrize("rows", ["", "-1", "99999999", "x", "1,,2,x", "9" * 900])
def test_numbers_of_no_passage_are_left_out(client: Any, stamp: str, rows: str) -> None:
    answer = asked(client, "passages", stamp=stamp, rows=rows)
    assert answer.status_code == 200
    assert {one["row"] for one in answer.json()} <= {1, 2}


def test_another_map_is_told_in_a_sentence(client: Any, stamp: str) -> None:
    for what in ("points", "passages", "rows"):
        answer = asked(client, what, stamp="1-0")
        assert answer.status_code == 404 and "computed anew" in answer.text
        assert client.get(f"/map/{what}", params={"collection": "none", "stamp": stamp}).status_code == 404


def test_what_draws_comes_from_addresses_of_its_own(client: Any) -> None:
    answer = client.get("/map/draw.js")
    assert answer.headers["content-type"].startswith("text/javascript") and answer.text == script("draw-map")
    assert client.get("/map/draw.css").text == style("draw-map")
    assert "labse.drawMap =" not in client.get("/").text


def test_a_damaged_map_is_told_and_can_be_computed_anew(client: Any, stamp: str) -> None:
    context = client.context
    file = map_file(context.settings.home, "documents")
    whole = file.read_bytes()
    file.write_bytes(b"nonsense")
    handlers = Handlers(context)
    value = handlers.map.shown("documents")
    assert "damaged" in value["message"] and value["few"] is False
    assert handlers.map.make("documents", Event({"anew": "yes"}))["job"]["state"] == "queued"
    assert run(context, handlers.map.shown("documents")["job"]["id"]) == "done"
    assert handlers.map.shown("documents")["map"]["stamp"] != stamp
    file.write_bytes(whole)


def test_a_job_is_cancelled_and_goes_from_the_page(client: Any, stamp: str) -> None:
    handlers = Handlers(client.context)
    job = handlers.map.make("documents", Event({"anew": "yes"}))["job"]["id"]
    assert handlers.map.request("documents", Event({"job": job, "action": "cancel"}))["job"] is None
    assert client.context.library.job(job).state == "cancelled"
