"""How long a question takes, alone and among twenty people who ask at once, and where its time goes.

  python -m benchmarks.questioners                               # labse-mini, 50,000 passages
  python -m benchmarks.questioners --model FOLDER --passages 5000 --seconds 10

Passages are synthetic: sentences of random words, random vectors. Every question is a new sentence, so nothing is known
of it beforehand. Threads ask one after another without a break. "as on the page" is what a browser waits for: the first
six passages are read for their order and their sentences; "nothing read" is the search alone; "all marked" reads ten,
as `search --json` does. "waited in" is wall time of a lone question's calls; what is in neither is Python: fusing,
folding, sorting. "processor ms" is what one answer costs this process and the store's together, which other programs on
the machine change least.
"""

from __future__ import annotations

import argparse
import functools
import itertools
import random
import tempfile
import threading
import time
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import psutil

from labse_search.encoder import Encoder, load_encoder
from labse_search.encoder.hub import LABSE_MINI
from labse_search.records import CollectionSpec, Segment, StoredSegment
from labse_search.search import Searcher
from labse_search.similarity import normalize
from labse_search.store import Store
from labse_search.store.edge import wire
from labse_search.store.edge.client import EdgeStore

COLLECTION = "synthetic"
BATCH = 1000
WAYS = {
    "as on the page": {"mark": False},
    "nothing read": {"mark": False, "refine": False},
    "all marked": {"mark": True},
}  # settings of `Searcher.search`
WORDS = ["".join(random.Random(n).choices("abcdefghiklmnoprstuvz", k=3 + n % 7)) for n in range(5000)]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", default=str(LABSE_MINI), help="folder or name (default: labse-mini)")
    parser.add_argument("--precision", default="auto", help="of the encoder: auto, fp32 or bf16")
    parser.add_argument("--passages", type=int, default=50_000, metavar="N")
    parser.add_argument("--questioners", type=int, default=20, metavar="N")
    parser.add_argument("--seconds", type=float, default=20, metavar="S", help="of each measurement (default: 20)")
    options = parser.parse_args()
    encoder = load_encoder(options.model, precision=options.precision)
    with filled_store(encoder, options.passages) as store:
        print(f"{encoder.model}: {encoder.describe()}; {options.passages:,} passages")
        measure(store, encoder, options.questioners, options.seconds, processes(store))


@contextmanager
def filled_store(encoder: Encoder, passages: int) -> Iterator[EdgeStore]:
    """The store of a home of its own, which goes afterwards, with so many passages in it."""
    with tempfile.TemporaryDirectory() as home:
        store = EdgeStore.open(Path(home) / "store")
        try:
            fill(store, encoder, passages)
            yield store
        finally:
            store.stop()


def processes(store: EdgeStore) -> list[psutil.Process]:
    """This one, and the store's."""
    address = wire.read_address(store.folder)
    assert address is not None  # it has answered
    return [psutil.Process(), psutil.Process(address["pid"])]


def fill(store: Store, encoder: Encoder, passages: int) -> None:
    """Write and index so many passages of three sentences."""
    draw, vectors = random.Random(0), np.random.default_rng(0)
    store.create(COLLECTION, CollectionSpec(encoder.dimension, encoder.fingerprint, encoder.model))
    for start in range(0, passages, BATCH):
        count = min(BATCH, passages - start)
        rows = normalize(vectors.standard_normal((count, encoder.dimension), "f4"))
        segments = [passage(draw, start + number) for number in range(count)]
        store.upsert(COLLECTION, segments, rows, fingerprint=encoder.fingerprint)
    store.optimize(COLLECTION)


def passage(draw: random.Random, number: int) -> StoredSegment:
    parts = [sentence(draw, 14) for _ in range(3)]
    ends = list(itertools.accumulate(len(part) + 1 for part in parts))
    spans = tuple((end - 1 - len(part), end - 1) for part, end in zip(parts, ends, strict=True))
    text = " ".join(parts)
    segment = Segment(number % 50, 0, len(text), text, "en", {}, spans)
    return StoredSegment(f"{number // 50:032x}", (f"{number // 50}.txt",), (), "txt", 0.0, segment)


def sentence(draw: random.Random, words: int) -> str:
    return " ".join(draw.choices(WORDS, k=words)).capitalize() + "."


def measure(
    store: Store, encoder: Encoder, questioners: int, seconds: float, watched: Sequence[psutil.Process]
) -> None:
    """Print a row for each way to ask, and where a lone question's time goes."""
    spent: dict[str, float] = defaultdict(float)
    searcher: Any = Searcher(Timed(store, spent, "store"), Timed(encoder, spent, "encoder"), COLLECTION)  # type: ignore[arg-type]
    numbers = itertools.count()
    print("| asked | answers/s | p50 ms | p95 | processor ms | errors |")
    print("|---|---|---|---|---|---|")
    for people, way in itertools.product((1, questioners), WAYS):
        ask = functools.partial(asked, searcher, way, numbers)
        ask()  # what the first question loads is not counted
        spent.clear()
        before = processor_seconds(watched)
        waits, errors = asked_by(people, ask, seconds)
        cost = 1000 * (processor_seconds(watched) - before) / len(waits)
        times = [f"{1000 * part:.1f}" for part in np.percentile(waits, (50, 95))]
        name = ("alone, " if people == 1 else f"{people} at once, ") + way
        print(f"| {name} | {len(waits) / seconds:.1f} | {' | '.join(times)} | {cost:.0f} | {errors} |", flush=True)
        if people == 1:
            most = sorted(spent.items(), key=lambda one: -one[1])
            parts = ", ".join(f"{where} {1000 * total / len(waits):.1f}" for where, total in most)
            print(f"| waited in: {parts} ms | | | | | |")


def processor_seconds(watched: Sequence[psutil.Process]) -> float:
    return sum(sum(process.cpu_times()[:2]) for process in watched)


def asked(searcher: Searcher, way: str, numbers: Iterator[int]) -> float:
    """Seconds from a question to its answer."""
    question = sentence(random.Random(next(numbers)), 8)
    started = time.perf_counter()
    searcher.search(question, **WAYS[way])
    return time.perf_counter() - started


def asked_by(people: int, ask: Callable[[], float], seconds: float) -> tuple[list[float], int]:
    """What `ask` told of every question that so many threads got answered, and how many failed."""
    until = time.perf_counter() + seconds
    waits: list[float] = []
    errors: list[Exception] = []

    def go_on() -> None:
        while time.perf_counter() < until:
            try:
                waits.append(ask())
            except Exception as error:  # counted: the others go on asking
                errors.append(error)

    threads = [threading.Thread(target=go_on) for _ in range(people)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return waits, len(errors)


class Timed:
    """Another object, whose calls are timed by name: `spent` gets the seconds."""

    def __init__(self, real: Any, spent: dict[str, float], name: str) -> None:
        self._real, self._spent, self._name = real, spent, name

    def __getattr__(self, name: str) -> Any:
        found = getattr(self._real, name)
        if not callable(found):
            return found

        def timed(*arguments: Any, **named: Any) -> Any:
            started = time.perf_counter()
            try:
                result = found(*arguments, **named)
                return iter(list(result)) if isinstance(result, Iterator) else result
            finally:
                self._spent[f"{self._name}.{name}"] += time.perf_counter() - started

        return timed


if __name__ == "__main__":
    main()
