"""Several encoding processes behind one encoder: their order, their words about what is wrong, their deaths."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress

import numpy as np
import psutil
import pytest
from library_case import MODEL, encoder

from labse_search.encoder.pool import MOST_DEATHS, TEXTS_AT_ONCE, EncoderPool, visible_device
from labse_search.errors import ModelUnavailable

TEXTS = [f"sentence number {number} about the sea" for number in range(2 * TEXTS_AT_ONCE + 3)]


def open_pool(processes: int = 1) -> EncoderPool:
    return EncoderPool(str(MODEL), processes=processes, precision="fp32")


def members() -> list[psutil.Process]:
    """The encoding processes of this process that are alive."""
    found = []
    for child in psutil.Process().children():
        with suppress(psutil.NoSuchProcess):
            if "spawn_main" in " ".join(child.cmdline()):
                found.append(child)
    return found


def test_two_processes_give_the_vectors_of_one_in_order_and_outlive_a_kill() -> None:
    one = encoder()
    with open_pool(2) as pool:
        assert (pool.dimension, pool.fingerprint, pool.languages) == (one.dimension, one.fingerprint, one.languages)
        np.testing.assert_allclose(pool.encode(TEXTS), one.encode(TEXTS), atol=1e-5)  # other batches, other sums
        assert pool.encode([]).shape == (0, one.dimension)
        with pytest.raises(ValueError, match="tokens"):
            pool.encode(["word " * 1000])
        members()[0].kill()
        np.testing.assert_allclose(pool.encode(TEXTS), one.encode(TEXTS), atol=1e-5)
        assert len(members()) == 2


@contextmanager
def killing(most: int) -> Iterator[Callable[[], int]]:
    """Kills encoding processes as they come, up to `most`. Yields what tells how many were killed."""
    while members():  # those of a pool that was closed end by themselves
        time.sleep(0.01)
    killed: set[int] = set()
    over = threading.Event()

    def kill_each() -> None:
        while len(killed) < most and not over.wait(0.01):
            for process in members():
                if process.pid not in killed:
                    killed.add(process.pid)
                    process.kill()
                    break

    thread = threading.Thread(target=kill_each)
    thread.start()
    yield lambda: len(killed)
    over.set()
    thread.join()


def test_a_process_killed_while_it_opens_the_model_is_started_again() -> None:
    with killing(MOST_DEATHS - 1) as killed, open_pool() as pool:
        np.testing.assert_allclose(pool.encode(TEXTS[:3]), encoder().encode(TEXTS[:3]), atol=1e-5)
        assert killed() == MOST_DEATHS - 1


def test_processes_that_die_each_time_are_a_sentence() -> None:
    with killing(100) as killed, pytest.raises(ModelUnavailable, match="Is there memory for so many"):
        open_pool()
    assert killed() == MOST_DEATHS


def test_a_model_that_is_not_there_is_said_so() -> None:
    with pytest.raises(ModelUnavailable):
        EncoderPool("/nowhere/at/all", processes=1)


def test_processes_share_the_gpus_that_there_are() -> None:
    assert [visible_device(number, None, 2) for number in range(3)] == ["0", "1", "0"]
    assert [visible_device(number, None, 1) for number in range(2)] == ["0", "0"]
    assert [visible_device(number, "3, 5", 2) for number in range(3)] == ["3", "5", "3"]
    assert visible_device(0, None, 0) is None  # and so the CPU
