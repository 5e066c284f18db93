"""What a person reads when a Qdrant server does not do what it should."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
from qdrant_client import QdrantClient, models

from labse_search.errors import StoreUnavailable
from labse_search.store import open_store
from labse_search.store.server import ServerStore

KEY = "a-very-secret-key"


@pytest.fixture
def answering() -> Iterator[tuple[str, list[int], list[str]]]:
    """A server that answers every request with the status in the list; its URL, the list, the keys it was sent."""
    statuses, keys = [200], []

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            keys.append(self.headers.get("api-key", ""))
            body = b'{"result": {"collections": []}, "status": "ok", "time": 0.0}'
            self.send_response(statuses[0])
            self.send_header("content-type", "application/json")
            self.send_header("content-length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}", statuses, keys
    server.shutdown()
    server.server_close()
    thread.join()


def test_a_url_opens_a_server_and_sends_the_key(answering: tuple[str, list[int], list[str]], tmp_path) -> None:  # type: ignore[no-untyped-def]
    url, _, keys = answering
    store = open_store(url, home=tmp_path, api_key=KEY)
    assert store.location == url
    assert store.collections() == []
    assert set(keys) == {KEY}
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


def test_a_collection_of_somebody_else_is_left_alone() -> None:
    client = QdrantClient(":memory:")
    client.create_collection("theirs", vectors_config=models.VectorParams(size=4, distance=models.Distance.COSINE))
    store = ServerStore(client, ":memory:")
    with pytest.raises(StoreUnavailable, match="theirs.*not made by this program"):
        store.info("theirs")
    store.close()
