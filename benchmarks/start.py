"""From the command to a usable page: `python app.py` until its first page, and until its first question is answered.

    python -m benchmarks.start [--runs 3] [--model NAME] [--json]

The examples are indexed first; then the app is started anew for every run, the store's process too, as after a reboot
(the system's file cache stays warm). Beside it the plain way: importing Gradio as it is, and torch, in a process each.
Also: one question on the command line, `python -m labse_search.search`.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Callable
from pathlib import Path

import psutil

from labse_search.store.edge.client import EdgeStore

ROOT = Path(__file__).resolve().parent.parent
QUESTION = "Where can I buy bread at night?"
PORT = 7990
SECONDS = 60.0


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--model", default="")
    parser.add_argument("--json", action="store_true")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        environ = {**os.environ, "LABSE_HOME": folder, "HF_HUB_OFFLINE": "1"}
        environ |= {"LABSE_MODEL": arguments.model} if arguments.model else {}
        run([sys.executable, "-m", "indexer", "examples"], environ)
        rows = [start(environ, Path(folder)) for _ in range(arguments.runs)]
        found = {name: statistics.median(row[name] for row in rows) for name in rows[0]}
        command = [sys.executable, "-m", "labse_search.search", QUESTION]
        found["one question on the command line, seconds"] = median(lambda: run(command, environ), arguments.runs)
        EdgeStore(Path(folder) / "store").stop()
    for package in ("gradio", "torch"):
        command = [sys.executable, "-c", f"import {package}"]
        found[f"import {package} as it is, seconds"] = median(
            lambda command=command: run(command, environ), arguments.runs
        )
    if arguments.json:
        print(json.dumps(found, indent=1))
        return
    for name, value in found.items():
        print(f"{name:45} {value:.2f}")


def start(environ: dict[str, str], home: Path) -> dict[str, float]:
    """One start of the app, and its end."""
    EdgeStore(home / "store").stop()
    began = time.perf_counter()
    command = [sys.executable, "app.py", "--no-browser", "--no-token", "--port", str(PORT)]
    app = subprocess.Popen(command, cwd=ROOT, env=environ, stdout=subprocess.DEVNULL)
    try:
        until_page(app)
        page = time.perf_counter() - began
        ask()
        answer = time.perf_counter() - began
        memory = psutil.Process(app.pid).memory_info().rss
    finally:
        app.terminate()
        app.wait()
    return {"first page, seconds": page, "first question, seconds": answer, "memory of the app then, MB": memory / 1e6}


def until_page(app: subprocess.Popen[bytes]) -> None:
    while True:
        try:
            with urllib.request.urlopen(f"http://localhost:{PORT}/", timeout=SECONDS) as page:
                page.read()
            return
        except OSError:
            if app.poll() is not None:
                sys.exit(f"the app ended with status {app.returncode}")
            time.sleep(0.02)


def ask() -> None:
    """A question by the page's published API: an event is begun, then its answer read."""
    call = f"http://localhost:{PORT}/gradio_api/call/search"
    body = json.dumps({"data": [QUESTION, 5, ""]}).encode()
    request = urllib.request.Request(call, body, {"Content-Type": "application/json"})
    with urllib.request.urlopen(request, timeout=SECONDS) as begun:
        event = json.load(begun)["event_id"]
    with urllib.request.urlopen(f"{call}/{event}", timeout=SECONDS) as answer:
        text = answer.read().decode()
    if "event: complete" not in text:
        sys.exit(f"the question was not answered: {text[:200]}")


def run(command: list[str], environ: dict[str, str]) -> None:
    subprocess.run(command, cwd=ROOT, env=environ, stdout=subprocess.DEVNULL, check=True)


def median(work: Callable[[], None], runs: int) -> float:
    taken = []
    for _ in range(runs):
        began = time.perf_counter()
        work()
        taken.append(time.perf_counter() - began)
    return statistics.median(taken)


if __name__ == "__main__":
    main()
