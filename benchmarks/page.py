"""How long a question takes on the drawn page, from the Enter key until its hits and their marks are there.

  python -m benchmarks.page                                      # labse-mini, 50,000 passages, 60 questions
  python -m benchmarks.page --passages 5000 --questions 20 --json

The app runs in a process of its own over passages as benchmarks.questioners makes them (sentences of random words,
random vectors). Every question has four passages that use its words, with the model's own vectors, so that there is
something near to be shown and marked. A Chromium without a window (apt install chromium) asks the questions one after
another; the first three are not counted. Times are of the page's own clock: "hits" ends with the first frame that shows
the cards, "marks" with the first in which every card in view has its closest sentence marked.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import shutil
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.questioners import COLLECTION, filled_store, sentence
from labse_search.encoder import Encoder, load_encoder
from labse_search.encoder.hub import LABSE_MINI
from labse_search.records import Segment, StoredSegment
from labse_search.store import Store

ROOT = Path(__file__).resolve().parent.parent
NOT_COUNTED, NEAR = 3, 4
FIRST_ANSWER = 1_000_000  # ids of documents above those that `fill` gives
SECONDS = 120

# Resolves with {hits, marks}, milliseconds after the next Enter key.
MEASURE = """() => { window.measured = new Promise(done => {
  let start = 0, hits = 0;
  const cards = () => [...document.querySelectorAll('article.card')].filter(card => {
    const box = card.getBoundingClientRect();
    return card.checkVisibility() && box.bottom > 0 && box.top < innerHeight;
  });
  const onDrawn = () => requestAnimationFrame(() => {
    if (!start || hits || !cards().length) return;
    hits = performance.now() - start;
    window.removeEventListener('labse-drawn', onDrawn);
    const look = () => {
      const shown = cards();
      const ready = shown.length && shown.every(card => card.querySelector('mark'));
      if (ready) done({ hits, marks: performance.now() - start }); else requestAnimationFrame(look);
    };
    look();
  });
  window.addEventListener('labse-drawn', onDrawn);
  document.addEventListener('keydown', event => { if (event.key === 'Enter') start = performance.now(); },
    { capture: true, once: true });
}); }"""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", default=str(LABSE_MINI), help="folder or name (default: labse-mini)")
    parser.add_argument("--passages", type=int, default=50_000, metavar="N")
    parser.add_argument("--questions", type=int, default=60, metavar="N")
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    questions = [sentence(random.Random(number), 8) for number in range(options.questions + NOT_COUNTED)]
    encoder = load_encoder(options.model)
    with filled_store(encoder, options.passages) as store:
        add_answers(store, encoder, questions)
        with running_app(store.folder.parent, options.model) as address:
            times = asked(address, questions)[NOT_COUNTED:]
    found: dict[str, float] = {"passages": options.passages, "questions": len(times)}
    for name in ("hits", "marks"):
        p50, p95 = np.percentile([one[name] for one in times], (50, 95))
        found |= {f"{name} p50, ms": round(p50), f"{name} p95, ms": round(p95)}
    if options.json:
        print(json.dumps(found, indent=1))
        return
    for name, value in found.items():
        print(f"{name:14} {value:,}")


def add_answers(store: Store, encoder: Encoder, questions: list[str]) -> None:
    """Write `NEAR` passages for every question, with the vectors of the model."""
    draw = random.Random(len(questions))
    texts = [
        " ".join(draw.sample(question.rstrip(".").lower().split(), 6)).capitalize() + "."
        for question in questions
        for _ in range(NEAR)
    ]
    segments = [answer(number, text) for number, text in enumerate(texts)]
    rows = encoder.encode([one.segment.text for one in segments])
    store.upsert(COLLECTION, segments, rows, fingerprint=encoder.fingerprint)
    store.optimize(COLLECTION)


def answer(number: int, text: str) -> StoredSegment:
    """A passage of two sentences in a document of its own; the first is `text`."""
    whole = f"{text} {sentence(random.Random(number), 5)}"
    segment = Segment(0, 0, len(whole), whole, "en", {}, ((0, len(text)), (len(text) + 1, len(whole))))
    return StoredSegment(f"{FIRST_ANSWER + number:032x}", (f"answer {number}.txt",), (), "txt", 0.0, segment)


@contextmanager
def running_app(home: Path, model: str) -> Iterator[str]:
    """The app over this home, in a process of its own; its address once it answers."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    environ = {key: value for key, value in os.environ.items() if not key.startswith("LABSE_")}
    environ |= {"LABSE_HOME": str(home), "LABSE_MODEL": model, "LABSE_COLLECTION": COLLECTION, "HF_HUB_OFFLINE": "1"}
    command = [sys.executable, "app.py", "--no-browser", "--no-token", "--port", str(port)]
    app = subprocess.Popen(command, cwd=ROOT, env=environ, stdout=subprocess.DEVNULL)
    try:
        until_up(f"http://127.0.0.1:{port}/healthz", app)
        yield f"http://127.0.0.1:{port}/"
    finally:
        app.terminate()
        app.wait()


def until_up(address: str, app: subprocess.Popen[bytes]) -> None:
    until = time.monotonic() + SECONDS
    while time.monotonic() < until:
        try:
            urllib.request.urlopen(address, timeout=1).close()
            return
        except OSError:
            if app.poll() is not None:
                sys.exit(f"the app ended with status {app.returncode}")
            time.sleep(0.1)
    sys.exit("the app does not answer")


def asked(address: str, questions: list[str]) -> list[dict[str, float]]:
    """Milliseconds to "hits" and to "marks" of each question, asked in one open page."""
    from playwright.sync_api import sync_playwright

    chromium = shutil.which("chromium") or sys.exit("no Chromium: apt install chromium")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox", "--disable-gpu"])
        page = browser.new_page(viewport={"width": 1100, "height": 900}, locale="en")
        page.set_default_timeout(SECONDS * 1000)
        page.goto(address)
        page.wait_for_selector(".results[data-state]:not([data-state=''])")
        times = [ask(page, question) for question in questions]
        browser.close()
    return times


def ask(page: Any, question: str) -> dict[str, float]:
    box = page.locator("#question textarea")
    box.fill(question)
    page.evaluate(MEASURE)
    box.press("Enter")
    times: dict[str, float] = page.evaluate("() => window.measured")
    return times


if __name__ == "__main__":
    main()
