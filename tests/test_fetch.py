"""A model fetched from a hub, by a stand-in for one on this computer: progress, a break, and the way on after it."""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from processes import run

ROOT = Path(__file__).resolve().parent.parent
REVISION = "0123456789abcdef0123456789abcdef01234567"
WEIGHTS, BYTE_SECONDS = "model.safetensors", 0.05


class Hub:
    """Serves one model's folder as the hub does, and remembers what was asked of it."""

    def __init__(self, folder: Path) -> None:
        self.files = {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*.*")
                      if path.is_file()}  # fmt: skip
        self.files["onnx/model.onnx"] = b"a copy that nobody wants"
        self.asked: list[tuple[str, str]] = []
        self.between = threading.Event()
        self.break_after: int | None = None  # bytes of a file, after which the connection ends
        self.slow = (
            False  # the second half of the weights comes byte by byte: a job hears what is asked before their end
        )
        hub = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                hub.answer(self)

            def log_message(self, *given: Any) -> None:
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        threading.Thread(target=self.server.serve_forever, daemon=True).start()
        self.address = f"http://127.0.0.1:{self.server.server_address[1]}"

    def answer(self, request: BaseHTTPRequestHandler) -> None:
        path = request.path.partition("?")[0]
        if path.startswith("/api/models/some/model"):
            siblings = [
                {"rfilename": name, "size": len(content)}
                | ({"lfs": {"sha256": hashlib.sha256(content).hexdigest(), "size": len(content), "pointerSize": 1}}
                   if name.endswith(".safetensors") else {})
                for name, content in self.files.items()
            ]  # fmt: skip
            self._send(request, 200, json.dumps({"id": "some/model", "sha": REVISION, "siblings": siblings}).encode())
            return
        name = path.partition(f"/some/model/resolve/{REVISION}/")[2]
        if name not in self.files:
            self._send(request, 404, b"")
            return
        wanted = request.headers.get("Range", "")
        self.asked.append((name, wanted))
        start = int(wanted.removeprefix("bytes=").rstrip("-")) if wanted else 0
        self._send(request, 206 if wanted else 200, self.files[name][start:])

    def _send(self, request: BaseHTTPRequestHandler, status: int, content: bytes) -> None:
        request.send_response(status)
        request.send_header("content-length", str(len(content)))
        request.end_headers()
        cut = self.break_after if self.break_after is not None and len(content) > self.break_after else len(content)
        at_once = cut // 2 if self.slow and request.path.endswith(WEIGHTS) else cut
        with contextlib.suppress(ConnectionError):  # the client stopped
            request.wfile.write(content[:at_once])
            for at in range(at_once, cut):
                request.wfile.write(content[at : at + 1])
                self.between.wait(BYTE_SECONDS)


@pytest.fixture
def hub(tiny_labse: Path) -> Iterator[Hub]:
    hub = Hub(tiny_labse)
    yield hub
    hub.server.shutdown()
    hub.server.server_close()


CODE = """
import sys
from pathlib import Path
from indexer.fetching import add_fetch_job
from indexer.worker import do_job
from labse_search.encoder.fetch import look_up
from labse_search.encoder.hub import find_model, is_here
from labse_search.errors import UserError
from labse_search.library import Library
from labse_search.settings import Settings

library = Library(Path(sys.argv[1]))
shares = []


def report(row):
    shares.append(row.share)
    if "pause" in sys.argv and row.current == "model.safetensors":
        library.ask(row.id, "pause")


try:
    job = next(iter(library.jobs(kinds=("fetch",))), None)
    if job is None:
        job = library.job(add_fetch_job(library, "documents", look_up("some/model")))
    else:
        library.ask(job.id, "")
    row = do_job(library, Settings(home=library.home), library.job(job.id), report=report)
    print(row.state, row.error, shares == sorted(shares), is_here("some/model"))
    if row.state == "done":
        print(find_model("some/model"))
except UserError as error:
    print("refused", error)
"""


def fetched(hub: Hub, home: Path, *how: str) -> str:
    kept = {key: value for key, value in os.environ.items() if not key.startswith(("HF_", "TRANSFORMERS_"))}
    environment = kept | {"HF_HOME": str(home / "hub"), "HF_ENDPOINT": hub.address, "PYTHONPATH": str(ROOT)}
    return run(sys.executable, "-c", CODE, home / "home", *how, env=environment).stdout


def test_a_fetch_that_broke_off_goes_on_where_it_was(hub: Hub, tmp_path: Path, tiny_labse: Path) -> None:
    size = len(hub.files[WEIGHTS])
    hub.break_after = size // 2
    said = fetched(hub, tmp_path)
    assert said.startswith("failed") and "does not answer" in said and said.rstrip().endswith("False")
    hub.break_after = None
    hub.asked.clear()
    state, folder = fetched(hub, tmp_path).splitlines()
    assert state == "done  True True"
    assert (WEIGHTS, f"bytes={size // 2}-") in hub.asked
    assert not any(name.startswith("onnx") for name, _ in hub.asked)
    assert (Path(folder) / WEIGHTS).read_bytes() == hub.files[WEIGHTS]
    assert not list(Path(folder).rglob(".*.part"))


def test_a_fetch_is_paused_and_goes_on_where_it_was(hub: Hub, tmp_path: Path) -> None:
    hub.slow = True
    assert fetched(hub, tmp_path, "pause") == "paused  True False\n"
    (part,) = (tmp_path / "hub").rglob(".*.part")
    size = part.stat().st_size
    assert part.name == f".{WEIGHTS}.part" and part.read_bytes() == hub.files[WEIGHTS][:size]
    assert 0 < size < len(hub.files[WEIGHTS])
    hub.slow = False
    hub.asked.clear()
    assert fetched(hub, tmp_path).startswith("done  True True")
    assert (WEIGHTS, f"bytes={size}-") in hub.asked


def test_weights_that_are_not_those_of_the_hub_are_refused(hub: Hub, tmp_path: Path) -> None:
    folder = tmp_path / "hub" / "hub" / "models--some--model" / "snapshots" / REVISION
    folder.mkdir(parents=True)
    (folder / ".model.safetensors.part").write_bytes(b"x" * 100)  # of another download
    said = fetched(hub, tmp_path)
    assert said.startswith("failed") and "did not arrive as it is on the hub" in said
    assert fetched(hub, tmp_path).startswith("done")


def test_without_a_hub_it_says_what_to_do(hub: Hub, tmp_path: Path) -> None:
    hub.server.shutdown()
    hub.server.server_close()
    said = fetched(hub, tmp_path)
    assert said.startswith("refused") and "hub does not answer" in said and "copy the model's folder" in said
