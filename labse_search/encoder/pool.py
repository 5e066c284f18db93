"""Several encoders behind one: a process for each, on a GPU of its own where there are GPUs.

    with EncoderPool("labse-mini", processes=2) as encoder: ...

Texts go out in small batches to whoever is free and come back as bytes of float32. On a CPU it gains little, since one
encoder uses all cores already (1.1 × measured with two); it is for machines with several GPUs.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from multiprocessing import get_context
from multiprocessing.connection import Connection
from queue import SimpleQueue
from types import TracebackType

import numpy as np

from labse_search.encoder.loading import load_encoder, load_tokenizer
from labse_search.encoder.protocols import CheckCancelled, DescribedEncoder, OpenedModel, Task
from labse_search.errors import ModelUnavailable
from labse_search.machine import usable_cores
from labse_search.similarity import Vectors

TEXTS_AT_ONCE = (
    512  # texts sent at a time: long enough to fill batches, short enough that nobody waits for the last one
)


class EncoderPool(DescribedEncoder):
    """An Encoder. ModelUnavailable if a process cannot open the model, RuntimeError if one dies at work."""

    max_concurrent_calls = 2  # so that nobody waits for the last batches of a call

    def __init__(self, model: str, *, processes: int, precision: str = "auto") -> None:
        context = get_context("spawn")
        self._free: SimpleQueue[Connection] = SimpleQueue()
        self._connections: list[Connection] = []
        threads = max(1, usable_cores() // processes)
        for number in range(processes):
            ours, theirs = context.Pipe()
            context.Process(target=_serve, args=(theirs, model, precision, threads, number), daemon=True).start()
            theirs.close()
            self._connections.append(ours)
        for connection in self._connections:
            self._free.put(connection)
            try:
                about = connection.recv()
            except EOFError:
                about = f"A process died while it opened {model}. Is there memory for {processes} of them?"
            if isinstance(about, str):
                self.close()
                raise ModelUnavailable(about)
            dimension, fingerprint, languages, description = about
        super().__init__(OpenedModel(model, dimension, fingerprint, languages, load_tokenizer(model)))
        self._description = f"{processes} processes, each: {description}"
        self._threads = ThreadPoolExecutor(processes)

    def describe(self) -> str:
        """How many processes, and how each computes, in one line."""
        return self._description

    def encode(
        self, texts: Sequence[str], task: Task = "text", *, check_cancelled: CheckCancelled | None = None
    ) -> Vectors:
        """(n, dimension) float32, length 1, in the order of the texts. `check_cancelled` is called before a batch."""

        def encode_batch(start: int) -> Vectors:
            if check_cancelled is not None:
                check_cancelled()
            return self._encode_batch(texts[start : start + TEXTS_AT_ONCE], task)

        parts = list(self._threads.map(encode_batch, range(0, len(texts), TEXTS_AT_ONCE)))
        return np.concatenate(parts) if parts else np.zeros((0, self.dimension), np.float32)

    def _encode_batch(self, texts: Sequence[str], task: Task) -> Vectors:
        connection = self._free.get()
        try:
            connection.send((texts, task))
            answer = connection.recv_bytes()
        except (EOFError, OSError) as error:
            raise RuntimeError("an encoding process died; was there enough memory for all of them?") from error
        finally:
            self._free.put(connection)
        if answer[:1] == b"!":
            raise ValueError(answer[1:].decode())
        return np.frombuffer(answer[1:], dtype=np.float32).reshape(len(texts), self.dimension)

    def close(self) -> None:
        """End the processes; they end by themselves when this one dies."""
        for connection in self._connections:
            connection.close()

    def __enter__(self) -> EncoderPool:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.close()


def _serve(connection: Connection, model: str, precision: str, threads: int, number: int) -> None:
    """The child: open the model, say what it is, encode until the parent is gone."""
    devices = [name for name in os.environ.get("CUDA_VISIBLE_DEVICES", "").split(",") if name]
    # Before torch is imported: one device each, of those that we may use.
    os.environ["CUDA_VISIBLE_DEVICES"] = devices[number % len(devices)] if devices else str(number)
    try:
        encoder = load_encoder(model, precision=precision, threads=threads)
    except ModelUnavailable as error:
        connection.send(str(error))
        return
    connection.send((encoder.dimension, encoder.fingerprint, encoder.languages, encoder.describe()))
    while True:
        try:
            texts, task = connection.recv()
        except EOFError:
            return
        try:
            connection.send_bytes(b"=" + encoder.encode(texts, task).tobytes())
        except ValueError as error:
            connection.send_bytes(b"!" + str(error).encode())
