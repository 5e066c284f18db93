"""Questions of several people at once, and sentences that are asked for again."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest

from labse_search.encoder import load_encoder
from labse_search.encoder.concurrency import DynamicBatcher
from labse_search.encoder.packing import Ids
from labse_search.similarity import Vectors


class Counting:
    """Makes a vector of a text's first id and its length, and remembers what it was given at once. `gate`: the first
    batch waits for it."""

    def __init__(self) -> None:
        self.batches: list[int] = []
        self.begun, self.gate = threading.Event(), threading.Event()

    def __call__(self, ids: Ids, lengths: Ids) -> Vectors:
        self.batches.append(len(lengths))
        self.begun.set()
        self.gate.wait(60)
        starts = np.cumsum(lengths) - lengths
        if (ids < 0).any():
            raise ValueError("no such token")
        return np.stack([ids[starts], lengths], axis=1).astype(np.float32)


def ask(batcher: DynamicBatcher, number: int, texts: int = 1) -> Vectors:
    return batcher(np.full(3 * texts, number), np.full(texts, 3))


def wait_until_waiting(batcher: DynamicBatcher, count: int) -> None:
    while len(batcher._waiting) < count:
        threading.Event().wait(0.001)


def test_calls_that_come_while_one_is_computed_are_computed_as_one() -> None:
    counting = Counting()
    batcher = DynamicBatcher(counting, most_tokens=1000)
    with ThreadPoolExecutor(9) as threads:
        first = threads.submit(ask, batcher, 0)
        counting.begun.wait(60)
        others = [threads.submit(ask, batcher, number, texts=number) for number in range(1, 9)]
        wait_until_waiting(batcher, 8)
        counting.gate.set()
        assert first.result().tolist() == [[0, 3]]
        for number, other in enumerate(others, 1):
            assert other.result().tolist() == [[number, 3]] * number
    assert counting.batches == [1, 36]


def test_no_batch_is_larger_than_it_may_be_and_an_error_is_everybodys_own() -> None:
    counting = Counting()
    batcher = DynamicBatcher(counting, most_tokens=6)
    with ThreadPoolExecutor(4) as threads:
        first = threads.submit(ask, batcher, 0)
        counting.begun.wait(60)
        others = [threads.submit(ask, batcher, number, texts=2) for number in (1, -1, 3)]
        wait_until_waiting(batcher, 3)
        counting.gate.set()
        assert first.result().tolist() == [[0, 3]]
        assert others[0].result().tolist() == [[1, 3]] * 2
        with pytest.raises(ValueError, match="no such token"):
            others[1].result()
        assert others[2].result().tolist() == [[3, 3]] * 2
    assert counting.batches == [1, 2, 2, 2]


@pytest.mark.parametrize(("patience_seconds", "sizes"), [(3600.0, [1, 1, 1, 4]), (0.0, [1, 4, 1, 1])])
def test_short_calls_go_before_longer_ones_that_have_not_waited_for_long(
    patience_seconds: float, sizes: list[int]
) -> None:
    counting = Counting()
    batcher = DynamicBatcher(counting, most_tokens=3, patience_seconds=patience_seconds)
    with ThreadPoolExecutor(4) as threads:
        calls = [threads.submit(ask, batcher, 0)]
        counting.begun.wait(60)
        for number, texts in enumerate((4, 1, 1), 1):
            calls.append(threads.submit(ask, batcher, number, texts))
            wait_until_waiting(batcher, number)
        counting.gate.set()
        assert [len(call.result()) for call in calls] == [1, 4, 1, 1]
    assert counting.batches == sizes


def test_many_threads_get_the_vectors_of_their_own_texts(tiny_labse: Path) -> None:
    encoder = load_encoder(str(tiny_labse), precision="fp32")
    texts = [f"cat {word} house" for word in ("dog", "sea", "bread", "night", "wind")]
    expected = encoder.encode(texts)
    with ThreadPoolExecutor(8) as threads:
        found = list(threads.map(lambda n: encoder.encode([texts[n % 5]])[0], range(80)))
    for n, vector in enumerate(found):
        np.testing.assert_allclose(vector, expected[n % 5], atol=1e-5)
