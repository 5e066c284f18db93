"""Embedding a collection again while questions are asked, files are added, and the worker is killed at random.

  python -m benchmarks.reembedding                                   # labse-mini, 20,000 passages, 20 kills
  python -m benchmarks.reembedding --passages 2000 --kills 3

The next model is labse-mini with its last layer disturbed: as fast, the same tokens, other vectors. It must show no
failed question, no vector of the wrong model in any generation, and every document in both. Times are those of a
question, alone and meanwhile.
"""

from __future__ import annotations

import argparse
import os
import random
import shutil
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
from safetensors.numpy import load_file, save_file

from benchmarks.questioners import WORDS
from indexer.check import check
from indexer.documents import wrong_documents
from indexer.generations import switch
from indexer.reembed import add_reembed_job
from indexer.sources import walk
from indexer.worker import REEMBEDDING_WORKER, WORKER, do_job
from labse_search.app import Searchers
from labse_search.encoder import Encoder, load_encoder
from labse_search.encoder.hub import LABSE_MINI
from labse_search.encoder.texts import encode_texts
from labse_search.library import Library
from labse_search.naming import generation_name
from labse_search.settings import Settings
from labse_search.store import Store, open_store

ROOT = Path(__file__).resolve().parent.parent
COLLECTION = "documents"
PASSAGES_A_FILE = 50
IDLE_SECONDS = 15.0
QUESTIONS_A_SWITCH = 50
DISTURBED = 0.5  # of the weights' own deviation
SAME = 0.999  # cosine of one text's vectors, encoded among other texts


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--passages", type=int, default=20_000, metavar="N")
    parser.add_argument("--kills", type=int, default=20, metavar="N")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        run(Path(folder), options.passages, options.kills)


def run(folder: Path, passages: int, kills: int) -> None:
    """Index, measure idle, embed again through the kills, switch forth and back, count what is wrong."""
    before, after = str(LABSE_MINI), str(disturbed(folder / "next"))
    settings = Settings(home=folder / "home", model=before)
    library = Library(settings.home)
    index(library, settings, write_files(folder / "first", passages // PASSAGES_A_FILE, seed=1))
    store = open_store("", home=settings.home)
    asking = Asking(store, settings.home)
    try:
        with asking:
            time.sleep(IDLE_SECONDS)
            idle = asking.take()
            print(f"{store.count(COLLECTION):,} passages; alone: {idle}")
            fingerprint = load_encoder(after).fingerprint
            job = add_reembed_job(library, COLLECTION, model=after, fingerprint=fingerprint)
            assert job is not None
            more = write_files(folder / "more", max(2, passages // PASSAGES_A_FILE // 10), seed=2)
            library.add_index_job(COLLECTION, before, walk([more], library, COLLECTION))
            killed = embed_again(library, settings.home, job, kills)
            meanwhile = asking.take()
            for number in (2, 1, 2):
                switch(library, store, COLLECTION, number)
                asking.wait(QUESTIONS_A_SWITCH)
            switching = asking.take()
        print(f"meanwhile, killed {killed} times: {meanwhile} ({meanwhile.p95 / idle.p95:.1f} × alone)")
        print(f"while it was switched forth, back and forth: {switching}")
        report(library, store, {1: before, 2: after})
    finally:
        store.close()


def disturbed(folder: Path) -> Path:
    shutil.copytree(LABSE_MINI, folder)
    path = folder / "2_Dense" / "model.safetensors"
    draw = np.random.default_rng(0)
    weights = {
        name: (one + DISTURBED * one.std() * draw.standard_normal(one.shape)).astype(one.dtype)
        for name, one in load_file(path).items()
    }
    save_file(weights, path, {"format": "pt"})
    return folder


def write_files(folder: Path, count: int, *, seed: int) -> Path:
    """Tables of one sentence a row."""
    draw = random.Random(seed)
    folder.mkdir()
    for number in range(count):
        rows = (" ".join(draw.choices(WORDS, k=14)) for _ in range(PASSAGES_A_FILE))
        (folder / f"{seed}-{number:05}.csv").write_text("text\n" + "\n".join(rows) + "\n", encoding="utf-8")
    return folder


def index(library: Library, settings: Settings, folder: Path) -> None:
    job = library.add_index_job(COLLECTION, settings.model, walk([folder], library, COLLECTION))
    row = do_job(library, settings, library.job(job))
    assert row is not None and row.state == "done", row


class Times:
    def __init__(self, seconds: list[float], failed: list[str]) -> None:
        self.seconds, self.failed = seconds, failed

    @property
    def p95(self) -> float:
        return float(np.quantile(self.seconds, 0.95))

    def __str__(self) -> str:
        return (
            f"{len(self.seconds):,} questions, {len(self.failed)} failed {self.failed[:1] or ''}, median "
            f"{1000 * float(np.median(self.seconds)):.0f} ms, p95 {1000 * self.p95:.0f} ms"
        )


class Asking:
    """A thread that asks one question after another, as the app does, from the beginning of the block to its end."""

    def __init__(self, store: Store, home: Path) -> None:
        self._searchers = Searchers(store, home, load_encoder)
        self._times = Times([], [])
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._ask)

    def __enter__(self) -> Asking:
        self._searchers.searcher(COLLECTION).search("warm up")
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join()

    def take(self) -> Times:
        """What was asked since the last time."""
        taken, self._times = self._times, Times([], [])
        return taken

    def wait(self, questions: int) -> None:
        """Until so many more were answered."""
        wanted = len(self._times.seconds) + questions
        while len(self._times.seconds) < wanted:
            time.sleep(0.05)

    def _ask(self) -> None:
        draw = random.Random(3)
        while not self._stop.is_set():
            started = time.perf_counter()
            try:
                self._searchers.searcher(COLLECTION).search(" ".join(draw.choices(WORDS, k=6)))
            except Exception as error:  # whatever it is, it is what is counted here
                self._times.failed.append(repr(error))
            self._times.seconds.append(time.perf_counter() - started)


def embed_again(library: Library, home: Path, job: str, kills: int) -> int:
    """The workers until the generation is whole; the one that embeds is killed so often at random. How often it was."""
    draw, killed = random.Random(4), 0
    with worker(home, WORKER) as adding:
        while library.job(job).state in ("queued", "running"):
            with worker(home, REEMBEDDING_WORKER) as process:
                deadline = time.monotonic() + draw.uniform(2, 20)
                while process.poll() is None and library.job(job).state in ("queued", "running"):
                    if killed < kills and time.monotonic() > deadline:
                        process.kill()
                        killed += 1
                    time.sleep(0.2)
        adding.wait()
    row = library.job(job)
    assert row.state == "done", row
    return killed


@contextmanager
def worker(home: Path, kind: str) -> Iterator[subprocess.Popen[bytes]]:
    process = subprocess.Popen(
        [sys.executable, "-m", "indexer.worker", str(home), "1", kind], cwd=ROOT, env=dict(os.environ)
    )
    try:
        yield process
    finally:
        process.kill()
        process.wait()


def report(library: Library, store: Store, models: dict[int, str]) -> None:
    """Whether each generation holds every document, and vectors of its own model alone."""
    serving = library.ledger.generations.serving(COLLECTION)
    for number, model in models.items():
        one = library.ledger.generations.get(COLLECTION, number)
        missing = [] if number == serving else library.ledger.generations.missing(COLLECTION, number)
        checked = check(library, store, COLLECTION, full=True) if number == serving else []
        wrong = checked or (wrong_documents(library, store, one) if number != serving else [])
        mixed, total = foreign_vectors(store, generation_name(COLLECTION, number), load_encoder(model))
        print(f"generation {number}: {total:,} passages, {len(missing)} documents missing, {len(wrong)} wrong, {mixed} "
              "vectors of another model")  # fmt: skip


def foreign_vectors(store: Store, collection: str, encoder: Encoder) -> tuple[int, int]:
    """(vectors that this model did not make, all)."""
    stored = list(store.segments(collection))
    mixed = 0
    for start in range(0, len(stored), 1000):
        some = stored[start : start + 1000]
        kept = store.vectors(collection, [one.point for one in some])
        again = encode_texts(encoder, [one.segment.text for one in some], "document")
        mixed += sum(float(kept[one.point] @ row) < SAME for one, row in zip(some, again, strict=True))
    return mixed, len(stored)


if __name__ == "__main__":
    main()
