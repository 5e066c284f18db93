"""What an attacker on this computer or on the network sends to the whole page, and what becomes of it."""

from __future__ import annotations

import asyncio
import json
import os
import threading
from collections.abc import AsyncIterator, Iterator
from concurrent.futures import FIRST_COMPLETED, ThreadPoolExecutor, wait
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from page_case import ROOT, page_client
from processes import SECONDS
from starlette.testclient import TestClient

from labse_search.ui import create_app
from labse_search.ui.concurrency_limit import Busy, ConcurrencyLimit
from labse_search.ui.events import Event
from labse_search.ui.routes import OWN_PATHS
from labse_search.ui.sessions import SESSION_SECONDS, SESSIONS, forget_old
from labse_search.ui.strings import text
from labse_search.ui.uploads import RoomLeft, store
from labse_search.ui.users import add_user, hash_password, remove_user, users_file
from labse_search.ui.viewer import Viewer

SECRET = "the secret of another account"


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("attacked")


@pytest.fixture(scope="module")
def client(home: Path) -> Iterator[Any]:
    with page_client(home) as client:
        yield client


@pytest.fixture
def secret(tmp_path: Path) -> Path:
    file = tmp_path / "secret.txt"
    file.write_text(SECRET)
    return file


def named(path: object) -> dict[str, Any]:
    return {"path": str(path), "meta": {"_type": "gradio.FileData"}}


def copies(home: Path) -> list[Path]:
    """Files of the home that hold the secret."""
    return [path for path in home.rglob("*") if path.is_file() and SECRET.encode() in path.read_bytes()]


# ---- files of the account


def bodies(config: dict[str, Any], file: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    """(path, body) of a request to every endpoint with the file in each of its inputs, plain and nested."""
    for dependency in config["dependencies"]:
        inputs = len(dependency["inputs"])
        for at in range(inputs):
            for value in (file, [file], {"a": [{"b": file}]}):
                data: list[Any] = [None] * inputs
                data[at] = value
                body = {"data": data, "fn_index": dependency["id"], "session_hash": "attack"}
                yield "/gradio_api/queue/join", body
                yield "/gradio_api/run/predict", body
        event = {"data": [None] * inputs, "event_data": {"x": file}, "fn_index": dependency["id"]}
        yield "/gradio_api/queue/join", event | {"session_hash": "attack"}
        yield "/gradio_api/run/predict", event | {"session_hash": "attack"}
    for at in range(3):
        arguments: list[Any] = ["bread", 3, "documents"]
        arguments[at] = file
        for route in ("call", "run", "api"):
            yield f"/gradio_api/{route}/search", {"data": arguments}
    for name in ("query", "limit", "collection"):
        yield "/gradio_api/call/v2/search", {"query": "bread", name: file}
    yield "/gradio_api/component_server", {"data": file, "session_hash": "attack", "component_id": 1, "fn_name": "x"}
    yield "/gradio_api/cancel", {"session_hash": "attack", "fn_index": 0, "event_id": file}


def test_no_endpoint_takes_a_file_in_any_input(client: Any, home: Path, secret: Path) -> None:
    requests = list(bodies(client.get("/config").json(), named(secret)))
    # From many addresses: one may not send so many in so short a time.
    guests = [TestClient(client.app, base_url="http://127.0.0.1:7860", client=(f"10.0.0.{n}", 1)) for n in range(8)]
    assert 200 < len(requests) < 600 * len(guests)
    for at, (path, body) in enumerate(requests):
        answer = guests[at % len(guests)].post(path, json=body)
        assert answer.status_code in (400, 404), (path, body)
    assert copies(home) == []


def test_a_fifo_and_a_foreign_address_are_not_even_looked_at(client: Any, tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "fifo")
    for path in (tmp_path / "fifo", "http://example.invalid/x", "https://example.invalid/x"):
        body = {"data": [named(path), 3, "documents"]}
        assert client.post("/gradio_api/call/search", json=body).status_code == 400


def test_gradio_itself_refuses_files_too(client: Any, home: Path, secret: Path) -> None:
    """The second lock: mounted, it checks no path unless it is told that it was launched."""
    inner = next(route.app for route in client.app.routes if hasattr(getattr(route, "app", None), "tokens"))
    assert inner.get_blocks().has_launched
    with TestClient(inner) as unguarded:
        event = unguarded.post("/gradio_api/call/search", json={"data": [named(secret), 3, "documents"]}).json()
        assert "event: error" in unguarded.get(f"/gradio_api/call/search/{event['event_id']}").text
    assert copies(home) == []


def test_only_an_upload_can_be_staged(client: Any, home: Path, secret: Path) -> None:
    from labse_search.ui.handlers import Handlers

    handlers = Handlers(client.context)
    (client.context.uploads / "planted.txt").write_text("not sent by a page")
    names = [str(secret), "planted.txt", str(client.context.uploads / "planted.txt"), "../ledger.sqlite3"]
    plan = handlers.adding.stage("documents", Event({"files": [{"upload": name, "name": "a.txt"} for name in names]}))[
        "plan"
    ]
    assert (plan["new"], plan["refused"]["n"]) == (0, 4)
    assert copies(home) == []
    (client.context.uploads / "planted.txt").unlink()


@pytest.mark.parametrize(("sizes", "body"), [("4", b"abc"), ("2", b"abc"), ("-1,4", b"abc"), ("", b"abc"), ("x", b"a")])
def test_an_upload_that_is_not_what_it_says_leaves_nothing(client: Any, sizes: str, body: bytes) -> None:
    before = set(client.context.uploads.iterdir())
    assert client.post(f"/upload?sizes={sizes}", content=body).status_code == 400
    assert set(client.context.uploads.iterdir()) == before


def test_uploads_arrive_byte_for_byte(client: Any) -> None:
    contents = [os.urandom(200_000), b"", b"x", os.urandom(70_000)]
    sizes = ",".join(str(len(one)) for one in contents)
    names = client.post(f"/upload?sizes={sizes}", content=b"".join(contents)).json()
    assert [(client.context.uploads / name).read_bytes() for name in names] == contents
    for name in names:
        (client.context.uploads / name).unlink()


def test_room_for_uploads_is_given_out_once(tmp_path: Path) -> None:
    room = RoomLeft(tmp_path, most=10 << 20)
    assert room(6 << 20) and not room(6 << 20) and room(4 << 20)


def test_an_announced_upload_takes_its_room_before_it_has_arrived(tmp_path: Path) -> None:
    seen: list[bool] = []

    async def slowly() -> AsyncIterator[bytes]:
        seen.extend((RoomLeft(tmp_path, most=10 << 20)(2 << 20), RoomLeft(tmp_path, most=10 << 20)(5 << 20)))
        yield b"x" * (6 << 20)

    [name] = asyncio.run(store(slowly(), [6 << 20], tmp_path)) or [""]
    assert seen == [True, False] and (tmp_path / name).read_bytes() == b"x" * (6 << 20)


def test_empty_uploads_take_room_too(tmp_path: Path) -> None:
    for number in range(16):
        (tmp_path / str(number)).touch()
    assert not RoomLeft(tmp_path, most=1 << 20)(1) and RoomLeft(tmp_path, most=2 << 20)(1)


# ---- what engines say


@pytest.mark.parametrize("number", [10**30, -1, 2**31, True, 1.5, "0", None])
def test_no_number_reaches_an_engine_that_cannot_take_it(client: Any, number: object) -> None:
    from labse_search.ui.handlers import Handlers

    document = client.context.library.documents("documents")[0].document
    value = Handlers(client.context).search.view("documents", Event({"document": document, "index": number}))
    assert "parts" not in value and value["message"] == "This document is no longer in the collection."
    mark = Handlers(client.context).search.view(
        "documents", Event({"document": document, "index": 0, "mark": [number, number]})
    )
    assert "parts" in mark


def test_the_published_search_bears_any_limit(client: Any) -> None:
    for limit in (10**30, -(10**30), 0):
        call = client.post("/gradio_api/call/search", json={"data": ["en1 en2", limit, "documents"]})
        assert "event: complete" in client.get(f"/gradio_api/call/search/{call.json()['event_id']}").text


def test_no_endpoint_falls_over_a_number_that_no_answer_can_hold(client: Any) -> None:
    guest = TestClient(
        client.app, base_url="http://127.0.0.1:7860", client=("10.2.0.1", 1), raise_server_exceptions=False
    )
    failed = []
    for dependency in client.get("/config").json()["dependencies"]:
        body = {"data": [10**30] * len(dependency["inputs"]), "fn_index": dependency["id"], "session_hash": "odd"}
        answer = guest.post("/gradio_api/run/predict", json=body)
        if answer.status_code == 500 and answer.text == "Internal Server Error":  # Gradio's refusals are JSON
            failed.append(dependency["api_name"])
    assert not failed


def test_a_removed_document_is_not_given_out(client: Any) -> None:
    from indexer.documents import remove_documents, restore_documents
    from indexer.worker import do_job

    context = client.context
    document = context.library.documents("documents")[0].document
    address = f"/source/documents/{document}/original"
    assert client.get(address).status_code == 200
    remove_documents(context.library, context.store, "documents", [document])
    assert client.get(address).status_code == 404
    restore_documents(context.library, "documents", context.model, [document])
    do_job(context.library, context.settings, context.library.jobs("documents")[0])
    assert client.get(address).status_code == 200


def test_pages_are_drawn_two_at_a_time_and_a_crowd_is_sent_away() -> None:
    limit = ConcurrencyLimit(at_once=2, waiting=1, seconds=SECONDS)
    inside, leave = threading.Semaphore(0), threading.Event()

    def draw() -> str:
        try:
            with limit.take():
                inside.release()
                leave.wait(SECONDS)
                return "drawn"
        except Busy:
            return "busy"

    with ThreadPoolExecutor(8) as pool:
        first = [pool.submit(draw) for _ in range(2)]
        assert inside.acquire(timeout=SECONDS) and inside.acquire(timeout=SECONDS)
        rest = [pool.submit(draw) for _ in range(6)]
        while sum(one.done() for one in rest) < 5:
            wait([one for one in rest if not one.done()], timeout=SECONDS, return_when=FIRST_COMPLETED)
        assert not any(one.done() for one in first)
        leave.set()
    assert sorted(one.result() for one in rest) == ["busy"] * 5 + ["drawn"]


def test_a_page_that_was_drawn_is_kept(client: Any) -> None:
    viewer = Viewer(client.context.library, client.context.store)
    pdf = ROOT / "examples" / "health" / "Il quaderno dell'ostetrica.pdf"
    path = client.context.library.originals.path("ab" * 16)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(pdf.read_bytes())
    first = viewer.png("ab" * 16, 1)
    path.unlink()
    assert first is not None and viewer.png("ab" * 16, 1) == first


def test_originals_are_given_out_at_a_rate(client: Any) -> None:
    guest = TestClient(client.app, base_url="http://127.0.0.1:7860", client=("10.1.0.1", 1))
    document = client.context.library.documents("documents")[0].document
    answers = [guest.get(f"/source/documents/{document}/page/7000000").status_code for _ in range(300)]
    assert answers[0] == 404 and 429 in answers


# ---- other accounts of the computer


def test_without_the_token_of_the_printed_address_nothing_is_given_out(client: Any) -> None:
    app = create_app(replace(client.context, token="t" * 40))
    with TestClient(app, base_url="http://127.0.0.1:7860", follow_redirects=False) as guest:
        assert guest.get("/healthz").status_code == 200
        for path in ("/", "/config", "/gradio_api/info", "/assets/x.js", "/source/documents/x/original"):
            assert guest.get(path).status_code == 401, path
        assert guest.post("/gradio_api/call/search", json={"data": ["x", 1, ""]}).status_code == 401
        assert guest.post("/upload?sizes=1", content=b"x").status_code == 401
        assert guest.get("/?token=wrong").status_code == 401
        assert guest.get("/", headers={"authorization": "Bearer " + "t" * 40}).status_code == 200

        welcome = guest.get(f"/?q=b%C3%A9&token={'t' * 40}")
        assert (welcome.status_code, welcome.headers["location"]) == (303, "/?q=b%C3%A9")
        cookie = welcome.headers["set-cookie"].lower()
        assert "httponly" in cookie and "samesite=lax" in cookie and "labse-token-7860=" in cookie
        assert guest.get("/").status_code == 200


# ---- other people on the network


@pytest.fixture
def shared(client: Any) -> Iterator[Any]:
    """The same page for the network, where Ada and Bo may sign in."""
    context = replace(client.context, settings=replace(client.context.settings, host="0.0.0.0"))
    file = users_file(context.settings.home)
    file.write_text(json.dumps({name: hash_password(f"{name}'s password", cost=2**4) for name in ("Ada", "Bo")}))
    yield create_app(context)
    file.unlink(missing_ok=True)


def visitor(app: Any, name: str = "") -> TestClient:
    guest = TestClient(app, base_url="http://192.168.1.2:7860", follow_redirects=False)
    if name:
        assert guest.post("/login", data={"username": name, "password": f"{name}'s password"}).status_code == 200
    return guest


CLOSED = ["/config", "/openapi.json", "/gradio_api/openapi.json", "/gradio_api/info", "/gradio_api/heartbeat/x",
          "/gradio_api/startup-events", "/gradio_api/app_id"]  # fmt: skip


def test_nothing_is_told_to_whoever_has_not_signed_in(shared: Any) -> None:
    guest = visitor(shared)
    for path in CLOSED:
        assert guest.get(path).status_code in (401, 404), path
    assert guest.post("/gradio_api/cancel", json={}).status_code == 401
    page = guest.get("/").text
    assert "labseCollection" not in page and "documents" not in page.lower().split("<script", 1)[0]


FOR_ALL = {"/healthz", "/locale.json", "/manifest.webmanifest", "/worker.js", "/shell"}


def test_no_path_of_ours_answers_whoever_has_not_signed_in(shared: Any) -> None:
    guest = visitor(shared)
    for path in OWN_PATHS:
        for method in ("GET", "POST"):
            below = f"{path}x" if path.endswith("/") else path
            open_to_all = path in FOR_ALL or path.startswith("/icon-")
            answer = guest.request(method, below)
            assert (answer.status_code == 401) != open_to_all, (method, below)


def test_a_removed_person_is_out_at_once(client: Any, shared: Any) -> None:
    ada, bo = visitor(shared, "Ada"), visitor(shared, "Bo")
    assert ada.get("/config").status_code == bo.get("/config").status_code == 200
    remove_user(client.context.settings.home, "Ada")
    assert (ada.get("/config").status_code, bo.get("/config").status_code) == (401, 200)
    assert visitor(shared).post("/login", data={"username": "Ada", "password": "Ada's password"}).status_code == 400


def test_a_new_password_ends_sessions_of_the_old_one(client: Any, shared: Any) -> None:
    ada = visitor(shared, "Ada")
    assert ada.get("/config").status_code == 200
    add_user(client.context.settings.home, "Ada", "another password")
    assert ada.get("/config").status_code == 401


@pytest.mark.parametrize("content", ["[]", "{", '{"Ada": 3}', '{"Ada": "scrypt$9$x"}', '{"Ada": "plain"}'])
def test_a_damaged_file_of_users_is_a_sentence(client: Any, shared: Any, content: str) -> None:
    ada = visitor(shared, "Ada")
    users_file(client.context.settings.home).write_text(content)
    answer = ada.get("/config")
    assert (answer.status_code, "damaged" in answer.text) == (503, True)
    signing_in = visitor(shared).post("/login", data={"username": "Ada", "password": "Ada's password"})
    assert signing_in.status_code in (400, 503)


def test_signing_out_takes_a_post(shared: Any) -> None:
    ada = visitor(shared, "Ada")
    assert ada.get("/logout").status_code == 404 and ada.get("/sign-out").status_code in (404, 405)
    assert ada.get("/config").status_code == 200
    kept = dict(ada.cookies)
    assert ada.post("/sign-out").status_code == 303
    assert (
        visitor(shared).get("/config", headers={"cookie": "; ".join(f"{k}={v}" for k, v in kept.items())}).status_code
        == 401
    )


def test_what_a_client_says_about_proxies_changes_nothing(client: Any) -> None:
    html = client.get("/", headers={"x-forwarded-host": "evil.com", "x-forwarded-proto": "https"}).text
    assert "evil.com" not in html


def test_nobody_on_the_network_names_a_folder_of_this_computer(client: Any, home: Path) -> None:
    from indexer.watching import Watching
    from labse_search.ui.handlers import Handlers

    here = replace(client.context, watching=Watching(client.context.library, client.context.store, lambda *job: None))
    handlers = Handlers(replace(here, settings=replace(here.settings, host="0.0.0.0")))
    assert handlers.watches.add("documents", Event({"place": str(home / "in")}))["message"]
    assert here.library.ledger.watches.all() == []
    assert handlers.manage.bring("documents", Event({"place": str(home / "in" / "one.txt")}))["message"]
    assert handlers.settings.save(Event({"max_file_mb": "1"}))["message"]
    here_or_not = (str(here.model), str(home / "none"), "~", "../x", ".", "C:\\x", "labse_search/models")
    for model in here_or_not:  # and nothing is told of what is there
        looked = handlers.models.look_at("documents", Event({"model": model}))
        assert "candidate" not in looked and looked["message"] == text("model_unlisted"), model
        assert handlers.models.embed_again("documents", Event({"model": model}))["message"] == text("model_unlisted")
    assert handlers.models.look_at("documents", Event({"model": "labse-mini"}))["candidate"]["here"]
    assert "plan" not in handlers.adding.check_path("documents", Event({"place": str(home / "in")}))
    assert "plan" in Handlers(client.context).adding.check_path("documents", Event({"place": str(home / "in")}))


def test_gradio_forgets_pages_that_nobody_looks_at(client: Any) -> None:
    inner = next(route.app for route in client.app.routes if hasattr(getattr(route, "app", None), "tokens"))
    holder = inner.state_holder
    assert holder.capacity == SESSIONS
    _ = holder["old"], holder["new"]
    holder.time_last_used["old"] -= timedelta(seconds=SESSION_SECONDS + 1)
    forget_old(holder)
    assert "old" not in holder and "new" in holder
