"""Child processes that read: answers, limits, crashes, and that none of them is left behind."""

from __future__ import annotations

import functools
import io
import os
import pickle
import signal
import sys
import time
from collections.abc import Callable, Iterator
from concurrent.futures import CancelledError
from pathlib import Path

import psutil
import pytest
from processes import SECONDS, next_line, run, start

from indexer.read import Limits
from indexer.sandbox import PLAIN, ReaderPool, WorkPool
from indexer.sandbox_child import Work, read_only
from indexer.sandbox_process import PlainUnpickler
from indexer.segment import Split
from labse_search.errors import Unreadable, UserError
from labse_search.records import Extraction, Note, Segment, Unit

ROOT = Path(__file__).resolve().parent.parent


def obedient(greeting: str) -> Work[str]:
    """Does what the file says: the tests' stand-in for readers that misbehave."""

    def work(path: Path, name: str) -> str:
        order = path.read_text()
        if order == "die":
            os.kill(os.getpid(), signal.SIGSEGV)
        if order == "sleep":
            time.sleep(3600)
        if order == "spin":
            while True:
                pass
        if order == "fill":
            return str(len(bytearray(4 << 30)))
        if order == "bug":
            raise KeyError("text of the document")
        if order == "print":
            print("this is no answer")
        if order == "pid":
            return str(os.getpid())
        if order == "code":
            return Exploit()  # type: ignore[return-value]
        return f"{greeting} {order}"

    return work


class Exploit:
    def __reduce__(self) -> tuple[object, tuple[str]]:
        return os.system, ("echo this must not run",)


def broken() -> Work[str]:
    raise UserError("no such model")


@pytest.fixture(scope="module")
def pool() -> Iterator[WorkPool[str]]:
    with WorkPool(1, obedient, ("hello",), memory_mb=500) as opened:
        yield opened


@pytest.fixture(scope="module")
def impatient_pool() -> Iterator[WorkPool[str]]:
    with WorkPool(1, obedient, ("hello",), seconds=0.5) as opened:
        yield opened


def ordered(pool: WorkPool[str], folder: Path, text: str) -> str:
    path = folder / "order.txt"
    path.write_text(text)
    return pool.submit(path, "order.txt").result(timeout=300)


@pytest.fixture
def order(tmp_path: Path, pool: WorkPool[str]) -> Callable[[str], str]:
    return functools.partial(ordered, pool, tmp_path)


def test_a_child_serves_many_files(order) -> None:
    assert order("world") == "hello world"
    assert order("pid") == order("pid") != str(os.getpid())


def test_what_a_library_prints_is_not_an_answer(order) -> None:
    assert order("print") == "hello print"


@pytest.mark.parametrize(
    ("text", "code"),
    [("die", "crashed"), ("fill", "out_of_memory"), ("bug", "crashed")],
)
def test_a_misbehaving_file_gets_a_reason_and_the_next_one_is_read(order, text: str, code: str) -> None:
    with pytest.raises(Unreadable) as caught:
        order(text)
    assert caught.value.code == code
    assert "text of the document" not in caught.value.detail
    assert order("next") == "hello next"


@pytest.mark.parametrize("text", ["sleep", "spin"])
def test_a_file_that_takes_too_long_is_given_up(tmp_path: Path, impatient_pool: WorkPool[str], text: str) -> None:
    with pytest.raises(Unreadable) as caught:
        ordered(impatient_pool, tmp_path, text)
    assert caught.value.code == "too_slow"


def test_an_answer_can_not_run_code_in_the_parent(order, capfd: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(Unreadable) as caught:
        order("code")
    assert caught.value.code == "crashed"
    assert "must not run" not in capfd.readouterr().out


def test_a_child_that_was_killed_while_idle_is_replaced(order) -> None:
    os.kill(int(order("pid")), signal.SIGKILL)
    assert order("again") == "hello again"


def killed_at_first(starts: str, times: int) -> Work[str]:
    """The first so many children do not live until they have a file."""
    with open(starts, "a") as file:
        file.write("!")
    if Path(starts).stat().st_size <= times:
        os.kill(os.getpid(), signal.SIGKILL)
    return obedient("hello")


@pytest.mark.parametrize(("times", "answered"), [(3, True), (4, False)])
def test_a_file_is_not_to_blame_for_children_that_are_killed_before_they_take_it(
    tmp_path: Path, times: int, answered: bool
) -> None:
    path = tmp_path / "order.txt"
    path.write_text("world")
    with WorkPool(1, killed_at_first, (str(tmp_path / "starts"), times)) as pool:
        answer = pool.submit(path, "order.txt")
        if answered:
            assert answer.result(timeout=300) == "hello world"
        else:
            with pytest.raises(Unreadable) as caught:
                answer.result(timeout=300)
            assert caught.value.detail == "no reader stays alive"
    assert (tmp_path / "starts").stat().st_size == 4


def test_a_pool_that_can_not_be_prepared_says_why(tmp_path: Path) -> None:
    path = tmp_path / "a"
    path.write_text("a")
    with WorkPool(1, broken) as pool:
        for _ in range(2):
            with pytest.raises(UserError, match="no such model"):
                pool.submit(path, "a").result(timeout=300)


def test_closing_ends_what_runs_and_cancels_what_waits(tmp_path: Path) -> None:
    path = tmp_path / "a"
    path.write_text("sleep")
    pool = WorkPool(1, obedient, ("",), seconds=1000)
    running, waiting = pool.submit(path, "a"), pool.submit(path, "b")
    while not running.running():
        time.sleep(0.01)
    pool.close()
    with pytest.raises(CancelledError):
        running.result(timeout=300)
    assert waiting.cancelled()
    with pytest.raises(RuntimeError):
        pool.submit(path, "c")


@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGINT])
@pytest.mark.parametrize("state", ["busy", "idle"])
def test_no_child_outlives_its_parent(tmp_path: Path, how: signal.Signals, state: str) -> None:
    (tmp_path / "pid").write_text("pid")
    (tmp_path / "sleep").write_text("sleep")
    script = f"""
import sys, time
sys.path.insert(0, {str(ROOT / "tests")!r})
from pathlib import Path
from indexer.sandbox import WorkPool
from test_sandbox import obedient
pool = WorkPool(1, obedient, ("",), seconds=1000)
print(pool.submit(Path({str(tmp_path / "pid")!r}), "").result(), flush=True)
if {state == "busy"}:
    pool.submit(Path({str(tmp_path / "sleep")!r}), "")
while True:  # a signal just before a long sleep would only be seen after it
    time.sleep(0.1)
"""
    parent = start(sys.executable, "-c", script)
    child = psutil.Process(int(next_line(parent)))
    parent.send_signal(how)
    parent.wait(SECONDS)  # and not for its pipes, which the child may hold
    assert not psutil.wait_procs([child], timeout=300)[1]


def test_files_that_can_not_be_opened_have_reasons(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "large.txt").write_text("x" * 2000)
    (tmp_path / "fine.txt").write_text("fine")
    expected = {"pipe": "unsupported", "large.txt": "too_large", "gone.txt": "vanished", ".": "unsupported"}
    with WorkPool[Extraction](2, read_only, (Limits(file_bytes=1000),)) as pool:
        reading = {name: pool.submit(tmp_path / name, name) for name in [*expected, "fine.txt"]}
        assert reading["fine.txt"].result(timeout=300).text == "fine"
        for name, code in expected.items():
            error = reading[name].exception(timeout=300)
            assert isinstance(error, Unreadable) and error.code == code


def test_a_reader_pool_reads_and_segments(tmp_path: Path, tiny_labse: Path) -> None:
    (tmp_path / "a.md").write_text("# Care\n\nGive the plant water. It grows well.\n")
    with ReaderPool(1, model=str(tiny_labse)) as pool:
        extraction, split = pool.submit(tmp_path / "a.md", "a.md").result(timeout=300)
    assert extraction.kind == "markdown"
    assert [extraction.text[segment.start : segment.end] for segment in split.segments] == [
        segment.text for segment in split.segments
    ]
    assert split.segments[0].place["section"] == "Care"


def test_how_many_read_is_asked_when_the_first_file_comes(tmp_path: Path) -> None:
    asked: list[int] = []
    pool = WorkPool(lambda: asked.append(1) or 2, obedient, ("hello",))
    assert not asked
    path = tmp_path / "order.txt"
    path.write_text("world")
    answers = [pool.submit(path, "order.txt") for _ in range(3)]
    assert [answer.result(timeout=300) for answer in answers] == ["hello world"] * 3
    assert asked == [1]
    pool.close()
    with pytest.raises(RuntimeError):
        pool.submit(path, "order.txt")


def test_children_import_nothing_heavy(tmp_path: Path, tiny_labse: Path) -> None:
    script = f"""
import sys
from pathlib import Path
from indexer.read import Limits
from indexer.sandbox_child import read_and_split
work = read_and_split({str(tiny_labse)!r}, (), Limits())
print(sorted({{"torch", "gradio", "transformers", "qdrant_client", "qdrant_edge"}} & set(sys.modules)))
"""
    assert run(sys.executable, "-c", script).stdout.strip() == "[]"


@pytest.mark.slow
@pytest.mark.timeout(1200)
def test_a_text_of_50_megabytes_is_read_and_segmented(tmp_path: Path, tiny_labse: Path) -> None:
    line = "Die Pflanze braucht Wasser und Licht, sonst wächst sie nicht. Она растёт у окна.\n"
    (tmp_path / "large.txt").write_text(line * ((50 << 20) // len(line.encode())))
    with ReaderPool(1, model=str(tiny_labse)) as pool:
        extraction, split = pool.submit(tmp_path / "large.txt", "large.txt").result(timeout=1200)
    assert len(extraction.text) == sum(len(s.text) for s in split.segments) + sum(split.skipped.values())


@pytest.mark.parametrize("name", ["Segmenter", "Counter", "re.compile", "Split.__init__"])
def test_a_name_that_a_reader_s_module_only_imports_is_no_answer(name: str) -> None:
    with pytest.raises(pickle.UnpicklingError, match="may not come from a reader"):
        PlainUnpickler(io.BytesIO(f"cindexer.segment\n{name}\n.".encode()), PLAIN).load()


def test_answers_round_trip_through_pickle() -> None:
    unit, note = Unit("A title. Text.", {"page": 1}, ((0, 8),)), Note("lines_damaged", "3-7")
    extraction = Extraction((unit,), "text", notes=(note,), holds={"pages": 1})
    segment = Segment(0, 0, 14, "A title. Text.", "en", {"page": 1}, ((0, 8), (9, 14)), (0,))
    answer = ("done", (extraction, Split((segment,), {"whitespace": 1}, "en", (b"1",), "t")), "", False)
    assert PlainUnpickler(io.BytesIO(pickle.dumps(answer, protocol=5)), PLAIN).load() == answer
