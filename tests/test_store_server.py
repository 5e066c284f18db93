"""What a person reads when a Qdrant server does not do what it should."""

from __future__ import annotations

import json
import socket
import subprocess
import sys
import threading
import time
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import numpy as np
import pytest
from qdrant_client import QdrantClient, models

from labse_search.errors import CollectionForeign, StoreUnavailable
from labse_search.records import CollectionSpec, Filter, Segment, StoredSegment
from labse_search.settings import Settings
from labse_search.store import StoreQuestion, open_store
from labse_search.store.payload import INTEGER_FIELDS, KEYWORD_FIELDS, NUMBER_FIELDS
from labse_search.store.qdrant_server import ServerStore

KEY = "a-very-secret-key"
SPEC = CollectionSpec(4, "fingerprint", "model")
STUB = Path(__file__).resolve().parents[2] / "shared" / "tools" / "qdrant_stub.py"


class JsonHandler(BaseHTTPRequestHandler):
    """A server's answers in Qdrant's envelope, and nothing in the terminal."""

    def answer(self, result: object, status: int = 200) -> None:
        body = json.dumps({"result": result, "status": "ok", "time": 0.0}).encode()
        self.send_response(status)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:
        pass


@contextmanager
def serving(handler: type[BaseHTTPRequestHandler]) -> Iterator[str]:
    """The URL of a server on this computer."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()
    thread.join()


@pytest.fixture
def answering() -> Iterator[tuple[str, list[int], list[str]]]:
    """A server that answers every request with the status in the list; its URL, the list, the keys it was sent."""
    statuses, keys = [200], []

    class Handler(JsonHandler):
        def do_GET(self) -> None:
            keys.append(self.headers.get("api-key", ""))
            self.answer({"collections": []}, statuses[0])

    with serving(Handler) as url:
        yield url, statuses, keys


def test_a_url_opens_a_server_and_sends_the_key(answering: tuple[str, list[int], list[str]], tmp_path) -> None:  # type: ignore[no-untyped-def]
    url, _, keys = answering
    store = open_store(url, home=tmp_path, api_key=KEY)
    assert store.location == url
    assert store.collections() == []
    assert set(keys) == {KEY}
    store.close()


def test_a_url_in_capitals_is_a_url(answering: tuple[str, list[int], list[str]], tmp_path: Path) -> None:
    """It was taken for a folder, which was made."""
    url = answering[0].replace("http", "HTTP")
    settings = Settings.from_env({"LABSE_HOME": str(tmp_path), "LABSE_STORE": url})
    assert settings.store == Settings().with_arguments(store=url, collection=None, model=None).store == url
    store = open_store(url, home=tmp_path)
    assert store.collections() == []
    store.close()


def test_nobody_there_is_a_clear_error_without_the_key() -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{free.getsockname()[1]}"
    with pytest.raises(StoreUnavailable, match=r"127\.0\.0\.1.*does not answer.*LABSE_STORE") as error:
        ServerStore.connect(url, KEY)
    assert KEY not in str(error.value)


@pytest.mark.parametrize(
    ("status", "expected"), [(401, "LABSE_API_KEY"), (403, "LABSE_API_KEY"), (500, "answered 500"), (404, "404")]
)
def test_a_refusal_says_what_to_do(answering: tuple[str, list[int], list[str]], status: int, expected: str) -> None:
    url, statuses, _ = answering
    statuses[0] = status
    with pytest.raises(StoreUnavailable, match=expected) as error:
        ServerStore.connect(url, KEY)
    assert url in str(error.value)
    assert KEY not in str(error.value)


@pytest.mark.parametrize("body", [b"<html>Sign in</html>", b"", b"{}", b'{"result": null}', b'{"result": {}}', b"[]"])
def test_what_is_no_qdrant_server_is_told_and_nothing_is_believed_of_it(body: bytes) -> None:
    class Handler(JsonHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.send_header("content-length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

    with serving(Handler) as url, pytest.raises(StoreUnavailable, match="LABSE_STORE"):
        ServerStore.connect(url, KEY)


@pytest.fixture
def killed_early() -> Iterator[tuple[str, list[str]]]:
    """A server where a collection was made and its maker was killed: its URL, and the fields that it is then asked to
    index. What it answers is what qdrant-client's local mode answers, which knows no indexes."""
    local, indexed = QdrantClient(":memory:"), list[str]()
    ServerStore(local, "memory").create("notes", SPEC)

    class Handler(JsonHandler):
        def do_GET(self) -> None:
            if self.path.endswith("/exists"):
                return self.answer({"exists": True})
            if self.path.startswith("/collections/notes"):
                return self.answer(local.get_collection("notes").model_dump(mode="json") | {"payload_schema": {}})
            return self.answer({"aliases": []} if "aliases" in self.path else {"collections": [{"name": "notes"}]})

        def do_PUT(self) -> None:
            asked = json.loads(self.rfile.read(int(self.headers["content-length"])))
            assert self.path.startswith("/collections/notes/index")
            indexed.append(asked["field_name"])
            self.answer({"operation_id": 1, "status": "completed"})

    with serving(Handler) as url:
        yield url, indexed
    local.close()


def test_a_collection_without_indexes_gets_them_when_it_is_opened(killed_early: tuple[str, list[str]]) -> None:
    url, indexed = killed_early
    store = ServerStore.connect(url, "")
    store.create("notes", SPEC)
    store.close()
    assert set(indexed) == {*KEYWORD_FIELDS, *NUMBER_FIELDS, *INTEGER_FIELDS}


def test_a_collection_of_somebody_else_is_left_alone() -> None:
    client = QdrantClient(":memory:")
    client.create_collection("theirs", vectors_config=models.VectorParams(size=4, distance=models.Distance.COSINE))
    store = ServerStore(client, ":memory:")
    with pytest.raises(CollectionForeign, match="theirs.*not made by this program"):
        store.info("theirs")
    store.close()


def test_what_is_written_goes_into_the_generation_that_another_process_has_just_switched_to() -> None:
    """For two seconds it went into the one before: what was removed meanwhile went on being found."""
    client = QdrantClient(":memory:")
    page, command = ServerStore(client, ":memory:"), ServerStore(client, ":memory:")
    segments = [StoredSegment(one * 32, (one,), (), "txt", 1.0, Segment(0, 0, 3, "cat", "en", {})) for one in "abc"]
    rows = np.eye(4, dtype=np.float32)
    for name in ("notes", "notes@2"):
        page.create(name, SPEC)
        page.upsert(name, segments[:2], rows[:2], fingerprint=SPEC.fingerprint)
    assert page.count("notes") == 2  # where the alias points is known from now on
    command.serve("notes", 2)
    page.delete("notes", Filter(documents=("a" * 32,)))
    page.upsert("notes", segments[2:], rows[2:3], fingerprint=SPEC.fingerprint)
    page.rename("notes", "b" * 32, ["renamed"], [])
    assert {one.document[0]: one.names for one in command.segments("notes")} == {"b": ("renamed",), "c": ("c",)}
    assert {one.document[0]: one.names for one in command.segments("notes@1")} == {"a": ("a",), "b": ("b",)}


@pytest.mark.parametrize("home", ["", "b" * 32])
def test_only_who_asks_for_no_protection_may_change_every_collection(home: str) -> None:
    client = QdrantClient(":memory:")
    ServerStore(client, ":memory:", "a" * 32).create("notes", SPEC)
    with pytest.raises(CollectionForeign, match="another home"):
        ServerStore(client, ":memory:", home).drop("notes")
    ServerStore(client, ":memory:").drop("notes")


Fault = Callable[..., None]


@pytest.fixture(scope="module")
def stub() -> Iterator[tuple[str, Fault]]:
    """A stand-in for a whole Qdrant server, in a process: its URL, and a function that makes it fail in some way."""
    if not STUB.is_file():
        pytest.skip(f"there is no {STUB}: the stand-in for a server is not part of the repository")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    url = f"http://127.0.0.1:{port}"
    process = subprocess.Popen([sys.executable, str(STUB), str(port)])

    def fault(**kind: float) -> None:
        body = json.dumps(kind).encode()
        request = urllib.request.Request(f"{url}/_fault", body, {"Content-Type": "application/json"})
        urllib.request.urlopen(request, timeout=60).close()

    try:
        for _ in range(1000):
            try:
                fault()
                break
            except OSError:
                assert process.poll() is None, "the stand-in ended"
                time.sleep(0.1)
        yield url, fault
    finally:
        process.kill()
        process.wait()


def test_a_whole_server_that_errs_or_hangs_loses_nothing_and_answers_again(stub: tuple[str, Fault]) -> None:
    url, fault = stub
    store = ServerStore(QdrantClient(url=url, timeout=2, check_compatibility=False), url)
    spec = CollectionSpec(4, "a" * 64, "labse-mini")
    rows = np.eye(4, dtype=np.float32)
    segments = [
        StoredSegment(name * 32, (f"{name}.txt",), (), "txt", 1.0, Segment(0, 0, 7, f"the cat {name}", "en", {}))
        for name in "abcd"
    ]
    store.create("notes", spec)
    store.upsert("notes", segments, rows, fingerprint=spec.fingerprint)
    question = StoreQuestion(spec.fingerprint, rows[2], "cat", 3)
    before = store.ask("notes", question)
    assert before.meaning[0].stored == segments[2] and len(before.words) == 3
    for kind in ({"status": 500}, {"status": 503}, {"hang": 30.0}):
        fault(**kind)
        for call in (lambda: store.ask("notes", question), lambda: store.count("notes")):
            with pytest.raises(StoreUnavailable):
                call()
        fault()
        after = store.ask("notes", question)
        assert (after.meaning, after.words, after.info) == (before.meaning, before.words, before.info)
    assert store.count("notes") == 4
    store.close()
