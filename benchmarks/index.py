"""python -m benchmarks.index : files to a searchable collection, end to end, and queries while that runs.

Takes real sentences in 20 languages from ../shared/data, writes them as text files, and measures: the bare encoder on
the same segments, the first `python -m indexer` run, an unchanged second run, peak memory of the processes, and the
latency of single queries idle and while a large job runs.

`--in-turn 4`: only the first run and the bare encoder, each in a process of its own, both at once but by turns of four
seconds, in which the other is stopped: on a machine whose speed wanders by a fifth from one minute to the next, one
after the other says little. What is compared is the seconds that each was let run: the whole indexer, its imports and
loading included, and the encoder once it is loaded and warm.
"""

from __future__ import annotations

import argparse
import json
import lzma
import os
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing, suppress
from pathlib import Path

import numpy as np
import psutil

ROOT = Path(__file__).resolve().parent.parent
SHARED = ROOT.parent / "shared" / "data" / "train"
LANGUAGES = "en de fr es it pt nl pl ru uk tr ar he fa hi zh ja ko th el".split()
QUESTIONS = ["Where did the meeting take place?", "¿Cuánto cuesta el billete?", "Wann fährt der letzte Zug?"]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--sentences", type=int, default=50_000)
    parser.add_argument("--model", default="")
    parser.add_argument("--in-turn", type=float, default=0.0, metavar="SECONDS")
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--bare", type=Path, help=argparse.SUPPRESS)  # what --in-turn starts
    arguments = parser.parse_args()
    if arguments.bare:
        bare_encoder(arguments.bare, arguments.model, say_and_wait)
        return
    with tempfile.TemporaryDirectory() as folder:
        corpus = write_corpus(Path(folder) / "corpus", arguments.sentences)
        figures: dict[str, object] = {}
        if arguments.in_turn:
            steps = in_turn(corpus, Path(folder), arguments.model, arguments.in_turn)
        else:
            steps = measure(corpus, Path(folder), arguments.model)
        for found in steps:
            figures |= found
            if not arguments.json:  # as they come: with a large model the whole takes minutes
                for name, value in found.items():
                    print(f"{name:42} {value}", flush=True)
    if arguments.json:
        print(json.dumps(figures, indent=2))


def write_corpus(folder: Path, sentences: int) -> Path:
    """`sentences` real sentences in 20 languages, two files a language."""
    if not SHARED.is_dir():
        sys.exit("../shared/data is not here: this benchmark needs its sentences")
    wanted = -(-sentences // len(LANGUAGES))
    found: dict[str, dict[str, None]] = {language: {} for language in LANGUAGES}
    for path in sorted(SHARED.glob("*.tsv.xz"), key=lambda path: path.name != "wmt_news.tsv.xz"):
        with lzma.open(path, "rt", encoding="utf-8") as lines:
            for line in lines:
                first, second, *texts = line.rstrip("\n").split("\t")
                for language, text in zip((first, second), texts, strict=False):
                    if language in found and len(found[language]) < wanted:
                        found[language][text] = None
        if all(len(texts) >= wanted for texts in found.values()):
            break
    folder.mkdir(parents=True)
    for language, texts in found.items():
        lines = list(texts)
        for number, part in enumerate((lines[: wanted // 2], lines[wanted // 2 :])):
            (folder / f"{language}-{number}.txt").write_text("\n\n".join(part), encoding="utf-8")
    return folder


def in_turn(corpus: Path, folder: Path, model: str, seconds: float) -> Iterator[dict[str, object]]:
    """The indexer into an empty home against the bare encoder on the same segments, by turns of so many seconds."""
    known = folder / "known"
    first = timed(indexing(corpus, known, model))  # for its segments
    segments = first["segments"]
    yield {f"a first run alone: {name}": value for name, value in first.items()}
    with (
        closing(Turns([sys.executable, "-m", "benchmarks.index", "--bare", str(known), "--model", model])) as bare,
        closing(Turns([sys.executable, "-m", "indexer", *indexing(corpus, folder / "home", model)])) as job,
    ):
        bare.until_ready()
        while not (job.ended and bare.ended):
            job.go_on(seconds)
            bare.go_on(seconds)
    rates = [segments / one.seconds for one in (job, bare)]
    yield {"in turn: job / bare encoder, segments/s": f"{rates[0]:.1f} / {rates[1]:.1f}"}
    yield {"in turn: processor seconds of both": f"{job.processor:.1f} / {bare.processor - bare.before:.1f}"}
    yield {"in turn: job / bare encoder": round(rates[0] / rates[1], 3)}


class Turns:
    """A process, with its children, that runs only while it is let run, and how long that was."""

    def __init__(self, command: list[str]) -> None:
        self.seconds = self.processor = self.before = 0.0
        self.ended = False
        self._process = subprocess.Popen(command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        self._signal(signal.SIGSTOP)

    def until_ready(self) -> None:
        """Let it prepare itself, which does not count: it says a line, its processor seconds, and waits for one."""
        assert self._process.stdin and self._process.stdout
        self._signal(signal.SIGCONT)
        self.before = float(self._process.stdout.readline())
        self._signal(signal.SIGSTOP)
        self._process.stdin.write(b"go\n")
        self._process.stdin.close()

    def go_on(self, seconds: float) -> None:
        if self.ended:
            return
        self._signal(signal.SIGCONT)
        started = time.perf_counter()
        while not self.ended and time.perf_counter() - started < seconds:
            time.sleep(0.01)
            pid, status, usage = os.wait4(self._process.pid, os.WNOHANG)
            if pid:
                self.ended = True
                self.processor = usage.ru_utime + usage.ru_stime  # and of the readers; the store lives on
                if status:
                    sys.exit(f"{self._process.args} ended with status {os.waitstatus_to_exitcode(status)}")
        self.seconds += time.perf_counter() - started
        if not self.ended:
            self._signal(signal.SIGSTOP)

    def close(self) -> None:
        """Nothing stays behind, stopped for ever."""
        if not self.ended:
            self._signal(signal.SIGSTOP)
            for one in psutil.Process(self._process.pid).children(recursive=True):
                one.kill()
            self._process.kill()
            self._process.wait()

    def _signal(self, number: int) -> None:
        """To it and all below it: the readers and the store have groups of their own. It first: a stopped process
        starts no other."""
        with suppress(psutil.NoSuchProcess):
            process = psutil.Process(self._process.pid)
            process.send_signal(number)
            for one in process.children(recursive=True):
                with suppress(psutil.NoSuchProcess):
                    one.send_signal(number)


def indexing(corpus: Path, home: Path, model: str) -> list[str]:
    """The indexer's arguments."""
    return [str(corpus), "--store", str(home), "--json", *(["--model", model] if model else [])]


def measure(corpus: Path, folder: Path, model: str) -> Iterator[dict[str, object]]:
    """The figures, each as soon as it is known."""
    home = folder / "home"
    arguments = indexing(corpus, home, model)
    first = timed(arguments)
    yield {f"first run: {name}": value for name, value in first.items()}
    again = timed(arguments)
    yield {f"unchanged run: {name}": value for name, value in again.items()}
    rate = bare_encoder(home, model)
    yield {"bare encoder, same segments, segments/s": round(rate, 1)}
    yield {"first run / bare encoder": round(float(first["segments/s in the job"]) / rate, 2)}
    yield latency(corpus, home, model, folder)


def timed(arguments: list[str]) -> dict[str, float]:
    """One run of the indexer: seconds of the whole process and of the job, of processors, and peak memory of it and its
    children; the store's process, which goes on, is not among them."""
    before = os.times()
    started = time.perf_counter()
    process = subprocess.Popen([sys.executable, "-m", "indexer", *arguments], cwd=ROOT, stdout=subprocess.PIPE)
    peak = 0
    done = threading.Event()

    def watch() -> None:
        nonlocal peak
        while not done.wait(0.5):
            peak = max(peak, tree_memory(process.pid))

    watcher = threading.Thread(target=watch)
    watcher.start()
    output, _ = process.communicate()
    seconds = time.perf_counter() - started
    done.set()
    watcher.join()
    summary = json.loads(output)
    job = float(summary["seconds"])
    after = os.times()
    processor = after.children_user - before.children_user + after.children_system - before.children_system
    return {
        "processor seconds (indexer and readers)": round(processor, 1),
        "seconds, whole process": round(seconds, 2),
        "seconds in the job": round(job, 2),
        "segments": summary["segments"],
        "segments/s in the job": round(summary["segments"] / max(job, 1e-9), 1),
        "peak memory MB (indexer and readers)": round(peak / 1e6),
    }


def tree_memory(pid: int) -> int:
    try:
        parent = psutil.Process(pid)
        processes = [parent, *parent.children(recursive=True)]
    except psutil.NoSuchProcess:
        return 0
    total = 0
    for process in processes:
        try:
            if "store.edge.process" not in " ".join(process.cmdline()):  # the store is counted in benchmarks.store
                total += process.memory_info().rss
        except psutil.NoSuchProcess:
            continue
    return total


def bare_encoder(home: Path, model: str, wait: Callable[[], None] = lambda: None) -> float:
    """Segments a second, of those that are in `home`. `wait` is called when all is loaded and warm."""
    from labse_search.encoder import default_model, load_encoder
    from labse_search.store import open_store

    store = open_store("", home=home)
    texts = [stored.segment.text for stored in store.segments("documents")]
    store.close()
    encoder = load_encoder(model or default_model())
    encoder.encode(texts[:256])
    wait()
    started = time.perf_counter()
    for at in range(0, len(texts), 2048):
        encoder.encode(texts[at : at + 2048])
    return len(texts) / (time.perf_counter() - started)


def say_and_wait() -> None:
    print(time.process_time(), flush=True)
    sys.stdin.readline()


def latency(corpus: Path, home: Path, model: str, folder: Path) -> dict[str, object]:
    """p50 and p95 of one query at a time, idle and while the same files are indexed into another collection."""
    from dataclasses import replace

    from labse_search.search.__main__ import open_searcher
    from labse_search.settings import Settings

    searcher = open_searcher(replace(Settings.from_env(os.environ), home=home, store=""))
    idle = query_times(searcher, seconds=5)
    command = [sys.executable, "-c", "import os; os.nice(10); from indexer.__main__ import main; main()"]
    command += [*indexing(corpus, home, model), "--collection", "other"]
    job = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.DEVNULL)
    time.sleep(2.0)
    loaded = query_times(searcher, seconds=15, while_running=job)
    job.wait()
    searcher.store.close()
    return {
        "query idle p50/p95 ms": f"{np.percentile(idle, 50):.1f}/{np.percentile(idle, 95):.1f}",
        "query while indexing p50/p95 ms": f"{np.percentile(loaded, 50):.1f}/{np.percentile(loaded, 95):.1f}",
        "p95 while indexing / idle": round(float(np.percentile(loaded, 95) / np.percentile(idle, 95)), 2),
        "queries measured while indexing": len(loaded),
    }


def query_times(
    searcher: object, *, seconds: float, while_running: subprocess.Popen[bytes] | None = None
) -> list[float]:
    times: list[float] = []
    end = time.perf_counter() + seconds
    while time.perf_counter() < end and (while_running is None or while_running.poll() is None):
        started = time.perf_counter()
        searcher.search(QUESTIONS[len(times) % len(QUESTIONS)])  # type: ignore[attr-defined]
        times.append((time.perf_counter() - started) * 1000)
        time.sleep(0.02)
    return times


if __name__ == "__main__":
    main()
