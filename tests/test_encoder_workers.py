"""Batches side by side: the same vectors, one thread each, and nobody else's number of threads changed."""

from __future__ import annotations

import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import torch
from processes import run
from tiny import make_tiny_labse

from labse_search.encoder import load_encoder
from labse_search.encoder.concurrency import Workers
from labse_search.encoder.kernels import fastest
from labse_search.encoder.packing import WORKER_TOKENS, Packing

ROOT = Path(__file__).resolve().parent.parent

pytestmark = pytest.mark.skipif(Workers(2).count == 1, reason="this torch counts threads for the whole process")


@pytest.fixture
def threads() -> Iterator[int]:
    before = torch.get_num_threads()
    torch.set_num_threads(2)
    yield 2
    torch.set_num_threads(before)


def in_a_new_thread() -> int:
    found: list[int] = []
    thread = threading.Thread(target=lambda: found.append(torch.get_num_threads()))
    thread.start()
    thread.join()
    return found[0]


def test_a_worker_uses_one_thread_and_others_what_they_had(threads: int) -> None:
    seen: dict[str, set[int]] = {}
    together = threading.Barrier(2)

    def work(item: int) -> None:
        together.wait(60)  # both are at work at the same time
        seen.setdefault(threading.current_thread().name, set()).add(torch.get_num_threads())

    Workers(2).each(work, range(6))
    assert seen == {"worker_0": {1}, "worker_1": {1}}
    assert torch.get_num_threads() == threads and in_a_new_thread() == threads


def test_after_an_error_what_has_not_begun_is_left_out(threads: int) -> None:
    done: list[int] = []
    second = threading.Event()

    def work(item: int) -> None:
        if item == 0:
            second.wait(60)
            raise ValueError("one is wrong")
        second.set()
        time.sleep(0.2)  # at work when the error comes
        done.append(item)

    workers = Workers(2)
    with pytest.raises(ValueError, match="one is wrong"):
        workers.each(work, range(500))
    assert 1 in done and len(done) < 400  # what had begun was waited for
    workers.each(done.append, [99])  # and they go on
    assert done[-1] == 99


def test_little_work_has_one_thread_of_its_own_while_all_workers_are_busy(threads: int) -> None:
    workers, asked = Workers(2), threading.Event()
    seen: list[int] = []

    def ask() -> None:
        workers.alone(lambda: seen.append(torch.get_num_threads()))
        asked.set()

    asking = threading.Thread(target=ask)
    asking.start()
    workers.each(lambda _: asked.wait(60), range(4))  # none of them ends before the question is answered
    asking.join()
    assert seen == [1]
    assert torch.get_num_threads() == threads


def test_ctrl_c_while_work_is_handed_out_leaves_out_the_rest(threads: int) -> None:
    def interrupted() -> Iterator[int]:
        yield from range(1000)
        pressed.set()
        raise KeyboardInterrupt

    done: list[int] = []
    pressed = threading.Event()

    def work(item: int) -> None:
        pressed.wait(60)
        time.sleep(0.01)
        done.append(item)

    workers = Workers(2)
    with pytest.raises(KeyboardInterrupt):
        workers.each(work, interrupted())
    workers.each(work, [1000])  # comes behind all that is still waiting
    assert done[-1] == 1000 and len(done) < 900


@pytest.mark.skipif(sys.platform == "win32", reason="signals of POSIX")
def test_ctrl_c_ends_encoding_soon() -> None:
    code = """
import os, signal, threading, time
from labse_search.encoder.concurrency import Workers
workers = Workers(2)
def items():
    yield from range(3000)
    threading.Timer(0.2, os.kill, (os.getpid(), signal.SIGINT)).start()  # once all are waiting
try:
    workers.each(lambda item: time.sleep(0.1), items())
except KeyboardInterrupt:
    print("stopped")
"""
    assert run(sys.executable, "-c", code).stdout == "stopped\n"


def test_workers_get_equal_shares_and_all_texts_once(threads: int) -> None:
    random = np.random.default_rng(0)
    lengths = random.integers(3, 60, 700)
    ids = np.arange(lengths.sum())
    sizes: list[int] = []

    def compute(batch) -> np.ndarray:  # a text is known by its first token
        sizes.append(len(batch.ids))
        return np.stack([batch.ids[batch.firsts()], np.ones(len(batch.firsts()))], axis=1).astype(np.float32)

    vectors = Packing(compute, 2, 1024, Workers(2)).encode(ids, lengths)
    np.testing.assert_allclose(vectors[:, 0] / vectors[:, 1], np.cumsum(lengths) - lengths, rtol=1e-5)
    assert len(sizes) % 2 == 0 and max(sizes) < 512 + 60 and sum(sizes) == lengths.sum()
    sizes.clear()
    few = lengths[: WORKER_TOKENS // 60]
    Packing(compute, 2, 1024, Workers(2)).encode(ids[: few.sum()], few)
    assert sizes == [few.sum()]


@pytest.mark.parametrize(("pooling", "count"), [("cls", 2), ("cls", 3), ("cls", 8), ("mean", 2), ("max", 2)])
def test_an_encoder_gives_the_same_vectors_with_and_without_workers(
    tmp_path: Path, threads: int, pooling: str, count: int
) -> None:
    folder = make_tiny_labse(tmp_path / "model", hidden=48, layers=3, pooling=pooling)
    texts = [" ".join(["cat", "dog", "house", "night"][: 1 + n % 4] * (1 + n % 11)) for n in range(200)]
    one, many = (load_encoder(str(folder), precision="fp32", threads=n) for n in (1, count))
    asked: list[str] = []

    def ask() -> None:
        asked.append(threading.current_thread().name)

    np.testing.assert_allclose(many.encode(texts, check_cancelled=ask), one.encode(texts), atol=1e-6)
    assert {f"worker_{n}" for n in range(count)} >= set(asked) and asked
    asked.clear()
    np.testing.assert_allclose(many.encode(texts[:1], check_cancelled=ask), one.encode(texts[:1]), atol=1e-6)
    assert set(asked) == {threading.main_thread().name}


def test_what_is_measured_to_choose_a_precision_runs_in_one_thread(threads: int) -> None:
    """Two would wait for each other on a busy machine, and the slower of the measured could come out as the faster."""
    before, seen = torch.get_num_threads(), []
    seconds = fastest([lambda: seen.append(torch.get_num_threads())] * 2, times=3)
    assert seen == [1] * 6 and torch.get_num_threads() == before
    assert len(seconds) == 2 and max(seconds) < float("inf")
