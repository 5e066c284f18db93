"""The fast path for BERT-family folders: Transformer, Pooling, any Dense, Normalize; the same vectors, no padding.

Texts are sorted by their exact number of tokens over the whole call and packed into batches of 1,024 or
2,048 tokens, in which texts of equal length lie together.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from labse_search.encoder import TokenVectors, bert
from labse_search.encoder.fingerprint import fingerprint
from labse_search.encoder.folder import ModelFolder, Module
from labse_search.encoder.linear import PlainLinear
from labse_search.encoder.precision import choose_device, choose_precision, set_threads
from labse_search.encoder.reference import batches
from labse_search.encoder.tokens import ModelTokenizer, tokens_by_text
from labse_search.encoder.weights import load_weights
from labse_search.similarity import Vectors, normalize

# Tokens in one batch. bfloat16 with AMX: 1,024 costs 20 %, 4,096 brings 3 % and makes others wait twice as long.
# float32: multiplications of 512 rows are as fast as of 2,048, and a layer of 1,024 takes as long as bfloat16's 2,048.
TOKENS_AT_ONCE = {"bf16": 2048, "fp32": 1024}
TOKENS_ON_GPU = 32768
_LEGACY_POOLING = {
    "cls": "pooling_mode_cls_token",
    "mean": "pooling_mode_mean_tokens",
    "max": "pooling_mode_max_tokens",
}
_OTHER_POOLING = ("pooling_mode_mean_sqrt_len_tokens", "pooling_mode_weightedmean_tokens", "pooling_mode_lasttoken")
_ACTIVATIONS: dict[str, Callable[[torch.Tensor], torch.Tensor]] = {
    "Tanh": torch.tanh,
    "Identity": lambda rows: rows,
    "ReLU": torch.relu,
    "GELU": torch.nn.functional.gelu,
    "Sigmoid": torch.sigmoid,
}


def fits(folder: ModelFolder) -> bool:
    """Is every module of the folder one that this path computes?"""
    rest = folder.modules[2:]
    return (
        bert.fits(folder)
        and folder.kinds[1:2] == ("Pooling",)
        and pooling(folder.modules[1].config) in bert.POOLINGS
        and all(module.kind == "Normalize" or (module.kind == "Dense" and _dense_fits(module)) for module in rest)
    )


class PackedEncoder:
    """A BERT-family model at the speed of the machine.

    `pause`, if set, is called before every layer (10 to 80 ms apart): it may block to let something else go first.
    """

    def __init__(self, model: str, folder: ModelFolder, *, precision: str = "auto", threads: int | None = None) -> None:
        self.model = model
        self.tokenizer = ModelTokenizer(folder)
        self.languages = folder.languages
        self.fingerprint = fingerprint(folder)
        self.threads = set_threads(threads)
        self.device = choose_device()
        self.precision = choose_precision(precision, self.device)
        self.pause: Callable[[], None] | None = None
        self.tokens_at_once = TOKENS_AT_ONCE[self.precision] if self.device == "cpu" else TOKENS_ON_GPU
        self._bert = bert.Bert(
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
        vectors = np.empty((len(texts), self.dimension), dtype=np.float32)
        ids, lengths = self.tokenizer.flat_ids(texts)
        starts = np.cumsum(lengths) - lengths
        for rows in batches(lengths, self.tokens_at_once):
            with torch.inference_mode():
                vectors[rows] = self._encode(ids, starts[rows], lengths[rows])
        return normalize(vectors)

    def _encode(
        self, ids: NDArray[np.int64], starts: NDArray[np.int64], lengths: NDArray[np.int64]
    ) -> NDArray[np.float32]:
        """One batch, in order of length: (n, dimension)."""
        packed = np.concatenate([ids[start : start + length] for start, length in zip(starts, lengths, strict=True)])
        groups = []
        start = 0
        for length, n in zip(*np.unique(lengths, return_counts=True), strict=True):
            groups.append(bert.Group(start, int(n), int(length)))
            start = groups[-1].end
        rows = self._bert(torch.from_numpy(packed), groups, self.pause)
        for dense in self._dense:
            rows = dense(rows)
        return np.asarray(rows.cpu().numpy(), dtype=np.float32)


class WeighedWordsEncoder(PackedEncoder):
    """A transformer that began as a weighted mean of token vectors and was trained to keep them meaningful
    (pretrain.static_start, align.reach): its word table says which of a text's tokens mean what."""

    def token_vectors(self, texts: Sequence[str]) -> list[TokenVectors]:
        """Every token but the special ones: exp of its row's first number is its weight, the rest its direction."""
        ids, lengths = self.tokenizer.flat_ids(texts)
        used, row_of = np.unique(ids, return_inverse=True)
        rows = self._bert.word_rows(torch.from_numpy(used)).cpu().numpy()
        weights, directions = np.exp(rows[:, 0]), normalize(rows[:, 1:])
        return tokens_by_text(directions, weights, row_of, lengths, special=1)  # [CLS] before, [SEP] after


class _Dense:
    """act(W x + b) in float32: after pooling there are few rows, and it costs nothing to be exact."""

    def __init__(self, module: Module, device: str) -> None:
        weights = load_weights(module.folder)
        weight = weights["linear.weight"].to(device, torch.float32)
        bias = weights["linear.bias"].to(device, torch.float32) if "linear.bias" in weights else None
        self._linear = PlainLinear(weight, torch.zeros(len(weight), device=device) if bias is None else bias, "none")
        self._activation = _ACTIVATIONS[_activation(module)]
        self.dimension = len(weight)

    def __call__(self, rows: torch.Tensor) -> torch.Tensor:
        return self._activation(self._linear(rows))


def pooling(config: Mapping[str, Any]) -> str:
    """The one mode of a Pooling module; "other" for several at once and for those that nobody here computes."""
    mode = config.get("pooling_mode")
    if mode is None:  # before sentence-transformers 5.4: one flag a mode
        modes = [name for name, flag in _LEGACY_POOLING.items() if config.get(flag)]
        mode = "other" if any(config.get(flag) for flag in _OTHER_POOLING) else modes or "mean"
    if isinstance(mode, list):
        return str(mode[0]) if len(mode) == 1 else "other"
    return str(mode)


def _dense_fits(module: Module) -> bool:
    config = module.config
    own = "sentence_embedding"
    return (
        _activation(module) in _ACTIVATIONS
        and not config.get("use_residual", False)
        and config.get("module_input_name", own) == own
        and (config.get("module_output_name") or own) == own
    )


def _activation(module: Module) -> str:
    """The class name; anything outside torch is what sentence-transformers then takes: tanh."""
    name = str(module.config.get("activation_function", "torch.nn.modules.activation.Tanh"))
    return name.rsplit(".", 1)[-1] if name.startswith("torch.") else "Tanh"
