"""Batches side by side: the same vectors, one thread each, and nobody else's number of threads changed."""

from __future__ import annotations

import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import torch
from tiny import make_tiny_labse

from labse_search.encoder.folder import read_folder
from labse_search.encoder.lanes import Lanes
from labse_search.encoder.packed import PackedEncoder
from labse_search.encoder.stack import LANE_TOKENS, encode_packed

ROOT = Path(__file__).resolve().parent.parent

pytestmark = pytest.mark.skipif(Lanes(2).count == 1, reason="this torch counts threads for the whole process")


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


def test_a_lane_uses_one_thread_and_others_what_they_had(threads: int) -> None:
    seen: dict[str, set[int]] = {}
    together = threading.Barrier(2)

    def work(item: int) -> None:
        together.wait(10)  # both lanes are at work at the same time
        seen.setdefault(threading.current_thread().name, set()).add(torch.get_num_threads())

    Lanes(2).each(work, range(6))
    assert seen == {"lane_0": {1}, "lane_1": {1}}
    assert torch.get_num_threads() == threads and in_a_new_thread() == threads


def test_after_an_error_what_has_not_begun_is_left_out(threads: int) -> None:
    done: list[int] = []
    second, wrong = threading.Event(), threading.Event()

    def work(item: int) -> None:
        if item == 0:
            second.wait(10)
            threading.Timer(0.2, wrong.set).start()
            raise ValueError("one is wrong")
        second.set()
        wrong.wait(10)  # at work when the error comes
        done.append(item)

    lanes = Lanes(2)
    with pytest.raises(ValueError, match="one is wrong"):
        lanes.each(work, range(50))
    assert 1 in done and len(done) < 40  # what had begun was waited for
    lanes.each(done.append, [99])  # and the lanes go on
    assert done[-1] == 99


def test_ctrl_c_while_work_is_handed_out_leaves_out_the_rest(threads: int) -> None:
    def interrupted() -> Iterator[int]:
        yield from range(100)
        raise KeyboardInterrupt

    done: list[int] = []

    def work(item: int) -> None:
        time.sleep(0.01)
        done.append(item)

    lanes = Lanes(2)
    with pytest.raises(KeyboardInterrupt):
        lanes.each(work, interrupted())
    lanes.each(work, [100])  # comes behind all that is still waiting
    assert done[-1] == 100 and len(done) < 50


@pytest.mark.skipif(sys.platform == "win32", reason="signals of POSIX")
def test_ctrl_c_ends_encoding_soon() -> None:
    code = """
import os, signal, threading, time
from labse_search.encoder.lanes import Lanes
lanes = Lanes(2)
threading.Timer(0.2, os.kill, (os.getpid(), signal.SIGINT)).start()
try:
    lanes.each(lambda item: time.sleep(0.1), range(3000))
except KeyboardInterrupt:
    print("stopped")
"""
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, timeout=60)
    assert done.stdout == "stopped\n" and done.returncode == 0


def test_lanes_get_equal_shares_and_all_texts_once(threads: int) -> None:
    random = np.random.default_rng(0)
    lengths = random.integers(3, 60, 700)
    ids = np.arange(lengths.sum())
    sizes: list[int] = []

    def compute(batch) -> np.ndarray:  # a text is known by its first token
        sizes.append(len(batch.ids))
        return np.stack([batch.ids[batch.firsts()], np.ones(len(batch.firsts()))], axis=1).astype(np.float32)

    vectors = encode_packed(ids, lengths, compute, dimension=2, tokens=1024, lanes=Lanes(2))
    np.testing.assert_allclose(vectors[:, 0] / vectors[:, 1], np.cumsum(lengths) - lengths, rtol=1e-5)
    assert len(sizes) % 2 == 0 and max(sizes) < 512 + 60 and sum(sizes) == lengths.sum()
    sizes.clear()
    few = lengths[: LANE_TOKENS // 60]
    encode_packed(ids[: few.sum()], few, compute, dimension=2, tokens=1024, lanes=Lanes(2))
    assert sizes == [few.sum()]


@pytest.mark.parametrize(("pooling", "lanes"), [("cls", 2), ("cls", 3), ("cls", 8), ("mean", 2), ("max", 2)])
def test_an_encoder_gives_the_same_vectors_with_and_without_lanes(
    tmp_path: Path, threads: int, pooling: str, lanes: int
) -> None:
    folder = read_folder(make_tiny_labse(tmp_path / "model", hidden=48, layers=3, pooling=pooling))
    texts = [" ".join(["cat", "dog", "house", "night"][: 1 + n % 4] * (1 + n % 11)) for n in range(200)]
    one, many = (PackedEncoder("tiny", folder, precision="fp32", threads=n) for n in (1, lanes))
    assert many._lanes is not None and many._lanes.count == lanes
    paused: list[str] = []
    many.pause = lambda: paused.append(threading.current_thread().name)
    np.testing.assert_allclose(many.encode(texts), one.encode(texts), atol=1e-6)
    assert {f"lane_{n}" for n in range(lanes)} >= set(paused) and paused
    paused.clear()
    np.testing.assert_allclose(many.encode(texts[:1]), one.encode(texts[:1]), atol=1e-6)
    assert set(paused) == {threading.main_thread().name}
