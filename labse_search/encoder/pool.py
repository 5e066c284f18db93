"""Several encoders behind one: a process for each, on a GPU of its own where there are GPUs.

    with EncoderPool("labse-mini", processes=2) as encoder: ...

Texts go out in small batches to whoever is free and come back as bytes of float32. On a CPU it gains little, since one
encoder uses all cores already (1.1 × measured with two); it is for machines with several GPUs.
"""

from __future__ import annotations

import logging
import os
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
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

log = logging.getLogger(__name__)

TEXTS_AT_ONCE = (
    512  # texts sent at a time: long enough to fill batches, short enough that nobody waits for the last one
)
MOST_DEATHS = 3  # of processes over the same texts: then these are at fault, or there is no memory for a model
_CONTEXT = get_context("spawn")


class EncoderPool(DescribedEncoder):
    """An Encoder. A process that dies, of too little memory perhaps, is started again. ModelUnavailable if a process
    cannot open the model, or if MOST_DEATHS die over the same texts."""

    max_concurrent_calls = 2  # so that nobody waits for the last batches of a call

    def __init__(self, model: str, *, processes: int, precision: str = "auto") -> None:
        threads = max(1, usable_cores() // processes)
        self._members = [_Member(number, (model, precision, threads, number)) for number in range(processes)]
        self._free: SimpleQueue[_Member] = SimpleQueue()
        for member in self._members:
            self._free.put(member)
            try:
                about = member.greet()
            except ModelUnavailable:
                self.close()
                raise
        super().__init__(OpenedModel(model, about.dimension, about.fingerprint, about.languages, load_tokenizer(model)))
        self._description = f"{processes} processes, each: {about.description}"
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
        member = self._free.get()
        try:
            answer = member.ask(texts, task)
        finally:
            self._free.put(member)
        if answer[:1] == b"!":
            raise ValueError(answer[1:].decode())
        return np.frombuffer(answer[1:], dtype=np.float32).reshape(len(texts), self.dimension)

    def close(self) -> None:
        """End the processes; they end by themselves when this one dies."""
        for member in self._members:
            member.close()

    def __enter__(self) -> EncoderPool:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.close()


@dataclass(frozen=True)
class _About:
    """What a process says of the model that it opened."""

    dimension: int
    fingerprint: str
    languages: tuple[str, ...]
    description: str


class _Member:
    """One process and its successors. `greet` before anything is asked; one thread at a time."""

    def __init__(self, number: int, settings: tuple[str, str, int, int]) -> None:
        self._settings = settings
        self._number = number
        self._closed = False
        self._connection = self._start()

    def greet(self) -> _About:
        """Once the process has opened the model. ModelUnavailable if it cannot, or if MOST_DEATHS die on the way."""
        for death in range(1, MOST_DEATHS + 1):
            try:
                about = self._connection.recv()
            except (EOFError, OSError):
                if death < MOST_DEATHS:
                    self._replace()
            else:
                if isinstance(about, str):
                    raise ModelUnavailable(about)
                return _About(*about)
        raise self._gave_up("opened")

    def ask(self, texts: Sequence[str], task: Task) -> bytes:
        """The answer of the process, or of the one that takes its place."""
        for _ in range(MOST_DEATHS):
            try:
                self._connection.send((texts, task))
                return self._connection.recv_bytes()
            except (EOFError, OSError):
                self._replace()
                self.greet()
        raise self._gave_up("encoded with")

    def close(self) -> None:
        """The process ends when nobody is at the other end."""
        self._closed = True
        self._connection.close()

    def _start(self) -> Connection:
        ours, theirs = _CONTEXT.Pipe()
        _CONTEXT.Process(target=_serve, args=(theirs, *self._settings), daemon=True).start()
        theirs.close()
        return ours

    def _replace(self) -> None:
        if self._closed:
            raise ModelUnavailable("The encoding processes were ended.")
        log.warning("encoding process %d died and is started again", self._number)
        self._connection.close()
        self._connection = self._start()

    def _gave_up(self, doing: str) -> ModelUnavailable:
        return ModelUnavailable(
            f"{MOST_DEATHS} processes died while they {doing} {self._settings[0]}. Is there memory for so many?"
        )


def visible_device(number: int, allowed: str | None, count: int) -> str | None:
    """CUDA_VISIBLE_DEVICES of one process: the GPUs in turn, so that more processes than GPUs share them; None where
    there are none. `allowed`: what the variable said, `count`: how many GPUs torch sees by it."""
    if not count:
        return None
    names = [name.strip() for name in allowed.split(",")] if allowed else [str(at) for at in range(count)]
    return names[number % count]


def _serve(connection: Connection, model: str, precision: str, threads: int, number: int) -> None:
    """The child: open the model, say what it is, encode until the parent is gone."""
    import torch  # in this process alone

    # Before anything is computed: one device each, of those that we may use.
    visible = visible_device(number, os.environ.get("CUDA_VISIBLE_DEVICES"), torch.cuda.device_count())
    if visible is not None:
        os.environ["CUDA_VISIBLE_DEVICES"] = visible
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
