"""The fast path for BERT-family folders: Transformer, Pooling, any Dense, Normalize; the same vectors, no padding.

Texts are sorted by their exact number of tokens over the whole call and packed into batches of 1,024 or
2,048 tokens, in which texts of equal length lie together.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from labse_search.encoder.bert import Bert
from labse_search.encoder.concurrency import DynamicBatcher, Workers
from labse_search.encoder.folder import ModelFolder, Module
from labse_search.encoder.kernels import PlainLinear, choose_device, choose_precision, set_threads
from labse_search.encoder.packing import Ids, Packed, Packing
from labse_search.encoder.protocols import CheckCancelled, DescribedEncoder, OpenedModel, Task, TokenStates, of_text
from labse_search.encoder.tokens import open_tokenizer
from labse_search.similarity import Vectors

# Tokens in one batch. bfloat16 with AMX: 1,024 costs 20 %, 4,096 brings 3 % and makes others wait twice as long.
# float32: multiplications of 512 rows are as fast as of 2,048, and a layer of 1,024 takes as long as bfloat16's 2,048.
TOKENS_AT_ONCE = {"bf16": 2048, "fp32": 1024}
TOKENS_ON_GPU = 32768
PADDING_ON_GPU = 2  # times that: one long text among thousands of short ones would fill the memory
FEW_TOKENS = 1024  # in one call: questions, or some of the passages that one finds
_ACTIVATIONS: dict[str, Callable[[torch.Tensor], torch.Tensor]] = {
    "Tanh": torch.tanh,
    "Identity": lambda rows: rows,
    "ReLU": torch.relu,
    "GELU": torch.nn.functional.gelu,
    "Sigmoid": torch.sigmoid,
}


class PackedEncoder(DescribedEncoder):
    """A BERT-family model at the speed of the machine.

    `check_cancelled` is called before every layer (10 to 100 ms apart), in several threads at once where several
    batches are encoded side by side.
    """

    def __init__(
        self, about: OpenedModel, folder: ModelFolder, *, precision: str = "auto", threads: int | None = None
    ) -> None:
        super().__init__(about)
        self.threads = set_threads(threads)
        self.device = choose_device()
        self.precision = choose_precision(precision, self.device)
        self.tokens_at_once = TOKENS_AT_ONCE[self.precision] if self.device == "cpu" else TOKENS_ON_GPU
        self._places = math.inf if self.device == "cpu" else PADDING_ON_GPU * TOKENS_ON_GPU
        self._tokenizer = open_tokenizer(folder)
        self._workers = Workers(self.threads) if self.device == "cpu" else None
        # The second fills the workers when the first one's last batches leave some free, and the gap between two calls.
        self.max_concurrent_calls = 2 if self._workers is None or self._workers.count > 1 else 1
        self._bert = Bert(
            folder.first.folder,
            dict(folder.first.config),
            pooling=folder.modules[1].pooling,
            precision=self.precision,
            device=self.device,
        )
        self._few = DynamicBatcher(self._encode_ids, most_tokens=self.tokens_at_once)
        self._few_states = DynamicBatcher(self._states_of_ids, most_tokens=self.tokens_at_once)
        self._dense = [_Dense(module, self.device) for module in folder.modules if module.kind == "Dense"]

    def describe(self) -> str:
        """How this encoder computes, in one line."""
        weights = "prepacked weights" if self._bert.packed else "plain weights"
        return f"packed batches on {self.device}, {self.precision}, {weights}, {self.threads} threads"

    def encode(
        self, texts: Sequence[str], task: Task = "text", *, check_cancelled: CheckCancelled | None = None
    ) -> Vectors:
        """(n, dimension) float32, length 1. A text longer than the window is a ValueError."""
        ids, lengths = self._tokenizer.flat_ids(texts, task)
        if 0 < len(ids) <= FEW_TOKENS:
            if check_cancelled is not None:
                check_cancelled()
            return self._few(ids, lengths)
        return self._encode_ids(ids, lengths, check_cancelled)

    def _encode_ids(self, ids: Ids, lengths: Ids, check_cancelled: CheckCancelled | None = None) -> Vectors:
        set_threads(self.threads)  # of the thread that asks

        def compute(batch: Packed) -> NDArray[np.float32]:
            with torch.inference_mode():
                rows = self._bert(batch, check_cancelled)
                for dense in self._dense:
                    rows = dense(rows)
                return np.asarray(rows[:, : self.dimension].cpu().numpy(), dtype=np.float32)

        packing = Packing(compute, self.dimension, self.tokens_at_once, self._workers, self._places)
        return packing.encode(ids, lengths)

    def token_states(self, texts: Sequence[str], tasks: Sequence[Task]) -> list[TokenStates] | None:
        """What the last layer is given. A text longer than the window is a ValueError."""
        ids, lengths, spans = self._tokenizer.ids_and_spans(texts, tasks)
        compute = self._few_states if 0 < len(ids) <= FEW_TOKENS else self._states_of_ids
        return [of_text(states, span) for states, span in zip(compute(ids, lengths), spans, strict=True)]

    def _states_of_ids(self, ids: Ids, lengths: Ids) -> list[NDArray[np.float32]]:
        set_threads(self.threads)  # of the thread that asks

        def compute(batch: Packed) -> NDArray[np.float32]:
            with torch.inference_mode():
                return np.asarray(self._bert.token_states(batch).cpu().numpy())

        packing = Packing(compute, self._bert.hidden, self.tokens_at_once, self._workers, self._places)
        return packing.states(ids, lengths)


class _Dense:
    """act(W x + b) in float32: after pooling there are few rows, and it costs nothing to be exact."""

    def __init__(self, module: Module, device: str) -> None:
        weights = _load_weights(module.folder)
        weight = weights["linear.weight"].to(device, torch.float32)
        bias = weights["linear.bias"].to(device, torch.float32) if "linear.bias" in weights else None
        self._linear = PlainLinear(weight, torch.zeros(len(weight), device=device) if bias is None else bias, "none")
        self._activation = _ACTIVATIONS[module.activation]
        self.dimension = len(weight)

    def __call__(self, rows: torch.Tensor) -> torch.Tensor:
        return self._activation(self._linear(rows))


def _load_weights(folder: Path) -> dict[str, torch.Tensor]:
    """name → tensor, copied into memory."""
    if (path := folder / "model.safetensors").is_file():
        from safetensors.torch import load_file

        return dict(load_file(path))
    return dict(torch.load(folder / "pytorch_model.bin", map_location="cpu", weights_only=True))
