"""BERT without padding: a batch is one long row of tokens, and only attention knows where a text ends.

Against the usual padded forward pass: no work for padding; query, key and value in one multiplication; in the last
layer only keys and values for every token and all the rest for the [CLS] token alone, when nothing else is read;
weights in the matrix unit's own order (kernels.py). The table of word vectors stays in the file, its rows are gathered.
Attention takes texts of equal length together on a CPU; on a GPU, where every call costs the same however small, all
texts of a batch at once, padded for this alone.

Devlin et al. 2018, post-norm; also RoBERTa's and XLM-R's stacks, which differ in where positions start.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
import torch.nn.functional as F

from labse_search.encoder.kernels import prepare
from labse_search.encoder.packing import Group, Packed
from labse_search.encoder.protocols import CheckCancelled
from labse_search.encoder.safetensors import TensorFile, Tensors
from labse_search.errors import ModelUnavailable

WORD_TABLE = "embeddings.word_embeddings.weight"
_PREFIXES = ("", "bert.", "roberta.", "model.")  # that a head puts before the names
MASK_ALIGNMENT = 8  # places: torch copies a mask whose rows are no multiple of that for its fused attention
MAPPED_MB = 64  # a table that may come to lie in memory whole; its rows are gathered ten times as fast
_DTYPES = {
    "F64": torch.float64,
    "F32": torch.float32,
    "F16": torch.float16,
    "BF16": torch.bfloat16,
    "F8_E4M3": torch.float8_e4m3fn,
    "F8_E5M2": torch.float8_e5m2,
}


class Bert:
    """The transformer and its pooling: packed token ids in, one (n, hidden) row a text out."""

    def __init__(self, folder: Path, config: dict[str, Any], *, pooling: str, precision: str, device: str) -> None:
        self.heads = int(config["num_attention_heads"])
        self.hidden = int(config["hidden_size"])
        self.pooling = pooling
        self.dtype = torch.bfloat16 if precision == "bf16" else torch.float32
        self.device = device
        self._eps = float(config.get("layer_norm_eps", 1e-12))
        self._first_position = _first_position(config)
        weights = _Weights(folder, self.dtype, device)
        self._words = _Table(weights, WORD_TABLE)
        self._positions = weights.copy("embeddings.position_embeddings.weight").to(device)
        self._positions += weights.copy("embeddings.token_type_embeddings.weight")[0].to(device)  # one type only
        self._norm = weights.norms("embeddings.LayerNorm", torch.float32)
        activation = str(config.get("hidden_act", "gelu"))
        layers = int(config["num_hidden_layers"])
        self._layers = [
            _Layer(weights, f"encoder.layer.{n}", activation, split=n == layers - 1 and pooling == "cls")
            for n in range(layers)
        ]
        weights.all.release_pages()

    @property
    def packed(self) -> bool:
        """Are the weights prepacked for the matrix unit?"""
        return bool(self._layers[0].output.packed)

    def __call__(self, batch: Packed, check_cancelled: CheckCancelled | None = None) -> torch.Tensor:
        """(texts, hidden) float32. `check_cancelled` is called before layers. Call it under torch.inference_mode."""
        states = self._through(self._layers, batch, check_cancelled)
        if self.pooling != "cls":
            return torch.cat([self._pool(states, group) for group in batch.groups])
        return states[: sum(group.n for group in batch.groups)].float()

    def token_states(self, batch: Packed) -> torch.Tensor:
        """(tokens, hidden) float32, what the last layer is given. Call it under torch.inference_mode."""
        return self._through(self._layers[:-1], batch)[: len(batch.ids)].float()

    def _through(
        self, layers: Sequence[_Layer], batch: Packed, check_cancelled: CheckCancelled | None = None
    ) -> torch.Tensor:
        states = self._look_up(batch)  # (tokens, hidden)
        attention: Attention
        attention = GroupedAttention(batch) if self.device == "cpu" else PaddedAttention(batch, self.device)
        for layer in layers:
            if check_cancelled is not None:
                check_cancelled()
            if layer.split:
                states = self._last(layer, states, batch, attention)
            else:
                projected = layer.query_key_value(states)  # (tokens, 3 hidden)
                context = attention(projected.view(len(projected), 3, self.heads, -1))
                states = self._after(layer, context, states)
        return states

    def _look_up(self, batch: Packed) -> torch.Tensor:
        """(tokens, hidden), and rows of nothing up to a round number of them."""
        rows = self._words(torch.from_numpy(batch.ids))
        rows += self._positions[torch.from_numpy(batch.positions() + self._first_position).to(self.device)]
        rows = F.layer_norm(rows, (self.hidden,), *self._norm, self._eps).to(self.dtype)
        return F.pad(rows, (0, 0, 0, rounded(len(rows)) - len(rows)))

    def _last(self, layer: _Layer, states: torch.Tensor, batch: Packed, attention: Attention) -> torch.Tensor:
        projected = layer.query_key_value(states)  # (tokens, 2 hidden): keys and values
        texts = torch.from_numpy(batch.firsts())
        beyond = rounded(len(texts)) - len(texts)
        first = states[F.pad(texts, (0, beyond)).to(self.device)]  # (texts, hidden), then the first again, to round up
        queries = layer.query(first)[: len(texts)].view(len(texts), self.heads, 1, -1)
        context = attention.of_firsts(queries, projected.view(len(projected), 2, self.heads, -1))
        return self._after(layer, F.pad(context, (0, 0, 0, beyond)), first)

    def _after(self, layer: _Layer, context: torch.Tensor, states: torch.Tensor) -> torch.Tensor:
        shape = (self.hidden,)
        states = F.layer_norm(layer.output.plus(context, states), shape, *layer.norm, self._eps)
        return F.layer_norm(layer.down.plus(layer.up(states), states), shape, *layer.last_norm, self._eps)

    def _pool(self, states: torch.Tensor, group: Group) -> torch.Tensor:
        part = states[group.start : group.end].view(group.n, group.length, self.hidden).float()
        return part.mean(dim=1) if self.pooling == "mean" else part.amax(dim=1)


class GroupedAttention:
    """softmax(Q Kᵀ / √d) V of each text's tokens among themselves, texts of equal length together."""

    def __init__(self, batch: Packed) -> None:
        self._groups = batch.groups

    def __call__(self, projected: torch.Tensor) -> torch.Tensor:
        """(rows, hidden) for (rows, 3, heads, head): query, key and value; zeros beyond the last text."""
        context = torch.empty_like(projected[:, 0])  # (rows, heads, head)
        context[self._groups[-1].end :] = 0
        for group in self._groups:
            query, key, value = _by_head(projected[group.start : group.end], group.n)
            attended = F.scaled_dot_product_attention(query, key, value).transpose(1, 2)
            context[group.start : group.end].view(attended.shape).copy_(attended)
        return context.flatten(1)

    def of_firsts(self, queries: torch.Tensor, projected: torch.Tensor) -> torch.Tensor:
        """(texts, hidden) for (texts, heads, 1, head) and (rows, 2, heads, head): key and value."""
        contexts = []
        text = 0
        for group in self._groups:
            key, value = _by_head(projected[group.start : group.end], group.n)
            attended = F.scaled_dot_product_attention(queries[text : text + group.n], key, value)
            contexts.append(attended.flatten(1))
            text += group.n
        return torch.cat(contexts)


class PaddedAttention:
    """The same in one call for all texts, each of which gets as many places as the longest has tokens."""

    def __init__(self, batch: Packed, device: str) -> None:
        starts, lengths = (torch.from_numpy(part).to(device) for part in (batch.firsts(), batch.lengths()))
        longest = -(-int(batch.lengths().max()) // MASK_ALIGNMENT) * MASK_ALIGNMENT
        places = torch.arange(longest, device=device)
        within = places < lengths[:, None]  # (texts, longest)
        self._texts = len(starts)
        self._mask = within[:, None, None, :]
        self._rows = (starts[:, None] + torch.minimum(places, lengths[:, None] - 1)).flatten()  # a token for each place
        self._places = within.flatten().nonzero()[:, 0]  # of each token

    def __call__(self, projected: torch.Tensor) -> torch.Tensor:
        """As `GroupedAttention`."""
        query, key, value = _by_head(projected[self._rows], self._texts)
        attended = F.scaled_dot_product_attention(query, key, value, attn_mask=self._mask).transpose(1, 2)
        context = attended.flatten(0, 1)[self._places].flatten(1)
        return F.pad(context, (0, 0, 0, len(projected) - len(context)))

    def of_firsts(self, queries: torch.Tensor, projected: torch.Tensor) -> torch.Tensor:
        """As `GroupedAttention.of_firsts`."""
        key, value = _by_head(projected[self._rows], self._texts)
        return F.scaled_dot_product_attention(queries, key, value, attn_mask=self._mask).flatten(1)


Attention = GroupedAttention | PaddedAttention


def _by_head(projected: torch.Tensor, texts: int) -> tuple[torch.Tensor, ...]:
    """Each (texts, heads, length, head), of (texts × length, parts, heads, head)."""
    by_text = projected.view(texts, -1, *projected.shape[1:])
    return tuple(by_text.permute(2, 0, 3, 1, 4))


def rounded(rows: int) -> int:
    """The number of rows that is computed for so many. oneDNN makes machine code for every number that it has not seen
    (5 ms for 256 × 1,024, as long as the multiplication itself) and keeps it; so few numbers should occur."""
    step = 16 if rows <= 256 else 32 if rows <= 1024 else 64
    return -(-rows // step) * step


class _Layer:
    """One layer's weights. `split`: query apart from keys and values, for a last layer of which only [CLS] counts."""

    def __init__(self, weights: _Weights, name: str, activation: str, *, split: bool) -> None:
        def linear(*parts: str, activation: str = "none") -> Any:
            names = [f"{name}.{part}" for part in parts]
            weight = torch.cat([weights(f"{part}.weight").to(weights.dtype) for part in names])
            bias = torch.cat([weights(f"{part}.bias").to(weights.dtype) for part in names])
            return prepare(weight, bias, weights.dtype, activation=activation, device=weights.device)

        own = "attention.self"
        self.split = split
        self.query: Any = linear(f"{own}.query") if split else None
        query = [] if split else [f"{own}.query"]
        self.query_key_value = linear(*query, f"{own}.key", f"{own}.value")
        self.output = linear("attention.output.dense")
        self.up = linear("intermediate.dense", activation=activation)
        self.down = linear("output.dense")
        self.norm = weights.norms(f"{name}.attention.output.LayerNorm", weights.dtype)
        self.last_norm = weights.norms(f"{name}.output.LayerNorm", weights.dtype)
        weights.all.release_pages()


class _Weights:
    """The tensors of a BERT's folder by their own names, with or without the prefix that a head puts before them."""

    def __init__(self, folder: Path, dtype: torch.dtype, device: str) -> None:
        self.dtype, self.device = dtype, device  # in which the layers compute, and where
        self.all = Tensors(folder)
        found = [prefix for prefix in _PREFIXES if prefix + WORD_TABLE in self.all]
        if not found:
            raise ModelUnavailable(
                f"{folder} has no tensor {WORD_TABLE}, as a BERT has. Copy or download the model again."
            )
        self._prefix = found[0]

    def find(self, name: str) -> tuple[TensorFile, str]:
        """The file that holds it, and its whole name there."""
        return self.all.file(self._prefix + name), self._prefix + name

    def __call__(self, name: str) -> torch.Tensor:
        """A view of the file: its pages are read when it is."""
        file, whole_name = self.find(name)
        tensor = file.tensor(whole_name)
        if tensor.dtype not in _DTYPES:
            raise ModelUnavailable(f"{name} in {file.path} is {tensor.dtype}, expected {', '.join(_DTYPES)}.")
        dtype = _DTYPES[tensor.dtype]
        count = (tensor.end - tensor.start) // dtype.itemsize
        flat = torch.frombuffer(file.buffer, dtype=dtype, count=count, offset=tensor.start)
        return flat.view(tensor.shape)

    def copy(self, name: str) -> torch.Tensor:
        return self(name).to(torch.float32, copy=True)

    def norms(self, name: str, dtype: torch.dtype) -> tuple[torch.Tensor, torch.Tensor]:
        """A LayerNorm's weight and bias. Old checkpoints call them gamma and beta."""
        old = f"{self._prefix}{name}.gamma" in self.all
        parts = ("gamma", "beta") if old else ("weight", "bias")
        weight, bias = (self(f"{name}.{part}").to(self.device, dtype, copy=True) for part in parts)
        return weight, bias


class _Table:
    """Word vectors: on a CPU left in the file, mapped if small and else read by the row; on a GPU copied there."""

    def __init__(self, weights: _Weights, name: str) -> None:
        self._device = device = weights.device
        self._file, self._name = weights.find(name)
        mapped = weights(name)
        self._stored, self._width = mapped.dtype, mapped.shape[1]
        small = mapped.nbytes <= MAPPED_MB << 20
        self._all = mapped.to(device, weights.dtype) if device != "cpu" else mapped if small else None

    def __call__(self, ids: torch.Tensor) -> torch.Tensor:
        """(tokens, hidden) float32, a copy."""
        if self._all is not None:
            return self._all[ids.to(self._device)].float()
        if not len(ids):
            return torch.zeros(0, self._width)
        used, row_of = torch.unique(ids, return_inverse=True)
        rows = torch.from_numpy(self._file.rows(self._name, used.numpy())).view(self._stored)
        return rows.float()[row_of]


def _first_position(config: dict[str, Any]) -> int:
    """Row of the position table that a text's first token gets."""
    return 0 if config["model_type"] == "bert" else int(config.get("pad_token_id", 1)) + 1
