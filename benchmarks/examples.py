"""The whole search on documents: which document of examples/ comes first for questions about them, and what it costs.

  python -m benchmarks.examples                       # the shipped model
  python -m benchmarks.examples --model FOLDER --mode meaning

Indexes examples/ into a home that is deleted afterwards and asks the 135 questions of tests/data that name a document
there, most in another language than the answer; they were written before any measurement and nothing is fitted on
them. Every question is asked twice: the second time the sentences of what it finds are known.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from statistics import median

from labse_search.encoder import load_encoder
from labse_search.search import Searcher
from labse_search.search.opening import make_searcher
from labse_search.store import open_store

ROOT = Path(__file__).resolve().parent.parent
FILES = ("question_passages.jsonl", "questions.jsonl")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", default="labse-mini", help="folder or name (default: labse-mini)")
    parser.add_argument("--mode", choices=("both", "meaning", "words"), default="both")
    options = parser.parse_args()
    lines = [line for name in FILES for line in (ROOT / "tests" / "data" / name).read_text("utf-8").splitlines()]
    asked = [(one["question"], one["document"]) for one in map(json.loads, lines) if "document" in one]
    with tempfile.TemporaryDirectory() as home:
        command = [sys.executable, "-m", "indexer", "examples", "--model", options.model]
        subprocess.run(command, cwd=ROOT, env={**os.environ, "LABSE_HOME": home}, check=True, capture_output=True)
        store = open_store("", home=Path(home))
        try:
            searcher = make_searcher(store, load_encoder(options.model), "documents", Path(home))
            searcher.search("Anything, so that all is loaded.")
            for what in ("first", "second"):
                measure(searcher, asked, options.mode, what)
        finally:
            store.close()


def measure(searcher: Searcher, asked: list[tuple[str, str]], mode: str, what: str) -> None:
    ranks, wall, work = [], [], []
    for question, document in asked:
        started, busy = time.perf_counter(), time.process_time()
        hits = searcher.search(question, mode=mode).hits  # type: ignore[arg-type]
        wall.append(1000 * (time.perf_counter() - started))
        work.append(1000 * (time.process_time() - busy))
        places = (rank for rank, hit in enumerate(hits, 1) if hit.stored.names[0] == f"examples/{document}")
        ranks.append(next(places, len(asked)))
    shares = [100 * sum(rank <= most for rank in ranks) / len(ranks) for most in (1, 3)]
    print(
        f"{len(asked)} questions, {what} time: right document first {shares[0]:.1f} %, in three {shares[1]:.1f} %; "
        f"p50 {median(wall):.0f} ms, of the app's processor {median(work):.1f} ms"
    )


if __name__ == "__main__":
    main()
