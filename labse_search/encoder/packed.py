"""The fast path for BERT-family folders: Transformer, Pooling, any Dense, Normalize; the same vectors, no padding.

Texts are sorted by their exact number of tokens over the whole call and packed into batches of 1,024 or
2,048 tokens, in which texts of equal length lie together.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import torch
from numpy.typing import NDArray

from labse_search.encoder.bert import Bert
from labse_search.encoder.fingerprint import fingerprint
from labse_search.encoder.folder import ModelFolder, Module
from labse_search.encoder.lanes import Lanes
from labse_search.encoder.linear import PlainLinear
from labse_search.encoder.precision import choose_device, choose_precision, set_threads
from labse_search.encoder.stack import Packed, activation, encode_packed, pooling
from labse_search.encoder.tokens import open_tokenizer
from labse_search.encoder.weighed import WeighedWords
from labse_search.encoder.weights import load_weights
from labse_search.similarity import Vectors

# Tokens in one batch. bfloat16 with AMX: 1,024 costs 20 %, 4,096 brings 3 % and makes others wait twice as long.
# float32: multiplications of 512 rows are as fast as of 2,048, and a layer of 1,024 takes as long as bfloat16's 2,048.
TOKENS_AT_ONCE = {"bf16": 2048, "fp32": 1024}
TOKENS_ON_GPU = 32768
_ACTIVATIONS: dict[str, Callable[[torch.Tensor], torch.Tensor]] = {
    "Tanh": torch.tanh,
    "Identity": lambda rows: rows,
    "ReLU": torch.relu,
    "GELU": torch.nn.functional.gelu,
    "Sigmoid": torch.sigmoid,
}


class PackedEncoder:
    """A BERT-family model at the speed of the machine.

    `pause`, if set, is called before every layer (10 to 100 ms apart), in several threads at once where several batches
    are encoded side by side: it may block to let something else go first.
    """

    def __init__(self, model: str, folder: ModelFolder, *, precision: str = "auto", threads: int | None = None) -> None:
        self.model = model
        self.tokenizer = open_tokenizer(folder)
        self.languages = folder.languages
        self.fingerprint = fingerprint(folder)
        self.threads = set_threads(threads)
        self.device = choose_device()
        self.precision = choose_precision(precision, self.device)
        self.pause: Callable[[], None] | None = None
        self.tokens_at_once = TOKENS_AT_ONCE[self.precision] if self.device == "cpu" else TOKENS_ON_GPU
        self._lanes = Lanes(self.threads) if self.device == "cpu" else None
        # The second fills the lanes when the first one's last batches leave some free, and the gap between two calls.
        self.abreast = 2 if self._lanes is None or self._lanes.count > 1 else 1
        self._bert = Bert(
            folder.first.folder,
            dict(folder.first.config),
            pooling=pooling(folder.modules[1].config),
            precision=self.precision,
            device=self.device,
        )
        self._dense = [_Dense(module, self.device) for module in folder.modules if module.kind == "Dense"]
        self.dimension = self._dense[-1].dimension if self._dense else self._bert.hidden

    def describe(self) -> str:
        """How this encoder computes, in one line."""
        weights = "prepacked weights" if self._bert.packed else "plain weights"
        return f"packed batches on {self.device}, {self.precision}, {weights}, {self.threads} threads"

    def encode(self, texts: Sequence[str]) -> Vectors:
        """(n, dimension) float32, length 1. A text longer than the window is a ValueError."""
        return self.encode_ids(*self.tokenizer.flat_ids(texts))

    def encode_ids(self, ids: NDArray[np.int64], lengths: NDArray[np.int64]) -> Vectors:
        """The same of texts that are tokens already, one text's after the other's."""
        set_threads(self.threads)  # of the thread that asks
        return encode_packed(
            ids, lengths, self._encode, dimension=self.dimension, tokens=self.tokens_at_once, lanes=self._lanes
        )

    def word_rows(self, ids: NDArray[np.int64]) -> NDArray[np.float32]:
        """(n, hidden) the word table's own rows."""
        return np.asarray(self._bert.word_rows(torch.from_numpy(ids)).cpu().numpy(), dtype=np.float32)

    def _encode(self, batch: Packed) -> NDArray[np.float32]:
        with torch.inference_mode():
            rows = self._bert(batch, self.pause)
            for dense in self._dense:
                rows = dense(rows)
            return np.asarray(rows.cpu().numpy(), dtype=np.float32)


class WeighedPackedEncoder(PackedEncoder, WeighedWords):
    """The same, for a model whose word table says which of a text's tokens mean what."""


class _Dense:
    """act(W x + b) in float32: after pooling there are few rows, and it costs nothing to be exact."""

    def __init__(self, module: Module, device: str) -> None:
        weights = load_weights(module.folder)
        weight = weights["linear.weight"].to(device, torch.float32)
        bias = weights["linear.bias"].to(device, torch.float32) if "linear.bias" in weights else None
        self._linear = PlainLinear(weight, torch.zeros(len(weight), device=device) if bias is None else bias, "none")
        self._activation = _ACTIVATIONS[activation(module)]
        self.dimension = len(weight)

    def __call__(self, rows: torch.Tensor) -> torch.Tensor:
        return self._activation(self._linear(rows))
