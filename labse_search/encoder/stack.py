"""What a BERT-family folder says of itself: its stack, its tensors' names, how its texts make batches. Without torch.

`fits` tells whether the folder is one that `bert.py` (torch, prepacked weights) and `small.py` (numpy) compute.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from labse_search.encoder.folder import ModelFolder, Module
from labse_search.encoder.mapped import MappedFile, Tensor
from labse_search.errors import ModelUnavailable
from labse_search.similarity import Vectors, normalize

if TYPE_CHECKING:
    from labse_search.encoder.lanes import Lanes

FAMILIES = ("bert", "roberta", "xlm-roberta")
INNER_ACTIVATIONS = ("gelu", "relu")
DENSE_ACTIVATIONS = ("Tanh", "Identity", "ReLU", "GELU", "Sigmoid")
POOLINGS = ("cls", "mean", "max")
LANE_TOKENS = 256  # fewer a lane are not worth a lane: a question goes to all cores at once
WORD_TABLE = "embeddings.word_embeddings.weight"
_LEGACY_POOLING = {
    "cls": "pooling_mode_cls_token",
    "mean": "pooling_mode_mean_tokens",
    "max": "pooling_mode_max_tokens",
}
_OTHER_POOLING = ("pooling_mode_mean_sqrt_len_tokens", "pooling_mode_weightedmean_tokens", "pooling_mode_lasttoken")
_PREFIXES = ("", "bert.", "roberta.", "model.")  # that a head puts before the names


def fits(folder: ModelFolder) -> bool:
    """Transformer of the BERT family, Pooling, any Dense, Normalize, all of kinds that are computed here."""
    config = folder.first.config
    return (
        folder.first.kind == "Transformer"
        and config.get("model_type") in FAMILIES
        and config.get("hidden_act", "gelu") in INNER_ACTIVATIONS
        and config.get("position_embedding_type", "absolute") == "absolute"
        and not config.get("is_decoder", False)
        and (folder.first.folder / "model.safetensors").is_file()
        and folder.kinds[1:2] == ("Pooling",)
        and pooling(folder.modules[1].config) in POOLINGS
        and all(
            module.kind == "Normalize" or (module.kind == "Dense" and _dense_fits(module))
            for module in folder.modules[2:]
        )
    )


def pooling(config: Mapping[str, Any]) -> str:
    """The one mode of a Pooling module; "other" for several at once and for those that nobody here computes."""
    mode = config.get("pooling_mode")
    if mode is None:  # before sentence-transformers 5.4: one flag a mode
        modes = [name for name, flag in _LEGACY_POOLING.items() if config.get(flag)]
        mode = "other" if any(config.get(flag) for flag in _OTHER_POOLING) else modes or "mean"
    if isinstance(mode, list):
        return str(mode[0]) if len(mode) == 1 else "other"
    return str(mode)


def activation(dense: Module) -> str:
    """The class name; anything outside torch is what sentence-transformers then takes: tanh."""
    name = str(dense.config.get("activation_function", "torch.nn.modules.activation.Tanh"))
    return name.rsplit(".", 1)[-1] if name.startswith("torch.") else "Tanh"


def _dense_fits(module: Module) -> bool:
    config = module.config
    own = "sentence_embedding"
    return (
        activation(module) in DENSE_ACTIVATIONS
        and not config.get("use_residual", False)
        and config.get("module_input_name", own) == own
        and (config.get("module_output_name") or own) == own
    )


def first_position(config: Mapping[str, Any]) -> int:
    """Row of the position table that a text's first token gets."""
    return 0 if config["model_type"] == "bert" else int(config.get("pad_token_id", 1)) + 1


class BertFile:
    """The tensors of a BERT's file by their own names, with or without the prefix that a head puts before them."""

    def __init__(self, path: Path) -> None:
        self.file = MappedFile(path)
        found = [prefix for prefix in _PREFIXES if prefix + WORD_TABLE in self.file.tensors]
        if not found:
            raise ModelUnavailable(
                f"{path} has no tensor {WORD_TABLE}, as a BERT has. Copy or download the model again."
            )
        self._prefix = found[0]

    def tensor(self, name: str) -> Tensor:
        return self.file.tensor(self._prefix + name)

    def array(self, name: str) -> NDArray[np.generic]:
        return self.file.array(self._prefix + name)

    def rows(self, name: str, numbers: NDArray[np.int64]) -> NDArray[np.uint8]:
        return self.file.rows(self._prefix + name, numbers)

    def norm(self, name: str) -> tuple[str, str]:
        """The names of a LayerNorm's weight and bias. Old checkpoints call them gamma and beta."""
        old = f"{self._prefix}{name}.gamma" in self.file.tensors
        return (f"{name}.gamma", f"{name}.beta") if old else (f"{name}.weight", f"{name}.bias")


# How texts make batches


@dataclass(frozen=True)
class Group:
    """Texts of equal length that lie next to each other in a packed batch: `n` texts of `length` tokens."""

    start: int  # token
    n: int
    length: int

    @property
    def end(self) -> int:
        return self.start + self.n * self.length


@dataclass(frozen=True)
class Packed:
    """A batch without padding: texts in order of length, one after the other."""

    ids: NDArray[np.int64]  # (tokens,)
    groups: Sequence[Group]

    def positions(self) -> NDArray[np.int64]:
        """(tokens,) each token's place in its text."""
        return np.concatenate([np.tile(np.arange(group.length), group.n) for group in self.groups])

    def firsts(self) -> NDArray[np.int64]:
        """(texts,) where each text begins."""
        return np.concatenate([np.arange(group.start, group.end, group.length) for group in self.groups])


def encode_packed(
    ids: NDArray[np.int64],
    lengths: NDArray[np.int64],
    compute: Callable[[Packed], NDArray[np.float32]],
    *,
    dimension: int,
    tokens: int,
    lanes: Lanes | None = None,
) -> Vectors:
    """(texts, dimension) float32, length 1: what `compute` makes of batches of at most `tokens` tokens; in lanes, of
    about half of that, so that a layer takes no longer on one core than it did on two."""
    vectors = np.empty((len(lengths), dimension), dtype=np.float32)
    starts = np.cumsum(lengths) - lengths

    def fill(rows: NDArray[np.int64]) -> None:
        vectors[rows] = compute(pack(ids, starts[rows], lengths[rows]))

    total = int(lengths.sum())
    if lanes is not None and lanes.count > 1 and total >= LANE_TOKENS * lanes.count and len(lengths) > 1:
        rounds = -(-total // (tokens // 2 * lanes.count))
        lanes.each(fill, shares(lengths, rounds * lanes.count))  # as many as fill all lanes to the end
    else:
        for rows in batches(lengths, tokens):
            fill(rows)
    return normalize(vectors)


def batches(lengths: NDArray[np.int64], tokens: int) -> Iterator[NDArray[np.int64]]:
    """Row numbers in order of length, as many at a time as stay within `tokens` (at least one)."""
    order = np.argsort(lengths, kind="stable")
    start = 0
    while start < len(order):
        ends = np.cumsum(lengths[order[start : start + tokens]])
        n = max(1, int(np.searchsorted(ends, tokens, side="right")))
        yield order[start : start + n]
        start += n


def shares(lengths: NDArray[np.int64], parts: int) -> list[NDArray[np.int64]]:
    """Row numbers in order of length, in at most so many parts of about equally many tokens."""
    order = np.argsort(lengths, kind="stable")
    ends = np.cumsum(lengths[order])
    cuts = np.searchsorted(ends, ends[-1] * np.arange(1, parts) / parts)
    return [part for part in np.split(order, cuts) if len(part)]


def pack(ids: NDArray[np.int64], starts: NDArray[np.int64], lengths: NDArray[np.int64]) -> Packed:
    """The texts that begin at `starts` in `ids`, which must come in order of length."""
    packed = np.concatenate([ids[start : start + length] for start, length in zip(starts, lengths, strict=True)])
    groups: list[Group] = []
    start = 0
    for length, n in zip(*np.unique(lengths, return_counts=True), strict=True):
        groups.append(Group(start, int(n), int(length)))
        start = groups[-1].end
    return Packed(packed, groups)
