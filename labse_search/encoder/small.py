"""A small BERT in numpy, for few texts: nobody waits seconds for torch's import to ask a model of 2 million weights.

Importing torch takes 2 s and 200 MB, labse-mini's arithmetic for a question a millisecond. So questions, and the first
thousand texts of a bulk, are computed here; when more comes than torch's import would have taken, `packed.py` takes
over what comes in bulk. The vectors are the same to 1e-5 in float32 (and as near as bfloat16 is where that is chosen).
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from labse_search.encoder.fingerprint import fingerprint
from labse_search.encoder.folder import ModelFolder, Module
from labse_search.encoder.mapped import MappedFile
from labse_search.encoder.stack import (
    WORD_TABLE,
    BertFile,
    Group,
    Packed,
    activation,
    encode_packed,
    first_position,
    fits,
    pooling,
)
from labse_search.encoder.tokens import open_tokenizer
from labse_search.encoder.weighed import WeighedWords
from labse_search.similarity import Vectors

if TYPE_CHECKING:
    from labse_search.encoder.packed import PackedEncoder

Rows = NDArray[np.float32]

SMALL_WEIGHTS = 4_000_000  # of the layers, without tables: above, a question takes longer than 5 ms in numpy
FEW_TOKENS = 4096  # in one call: questions, and the sentences of the passages that a search shows
PATIENCE_TOKENS = 16_384  # in calls of more: half a second of numpy, after which torch's import pays
TOKENS_AT_ONCE = 1024
ROWS_IN_CACHE = 32  # of gelu's: twenty passes over 1,024 columns, 2.3 × faster than over 1,024 rows at once
# Halves of the polynomial's coefficients, highest power first.
_ERF = tuple(np.float32(one / 2) for one in (1.061405429, -1.453152027, 1.421413741, -0.284496736, 0.254829592))
_TYPES = ("F16", "F32", "F64")  # that numpy knows, too
_ACTIVATIONS: dict[str, Callable[[Rows], Rows]] = {
    "Tanh": np.tanh,
    "Identity": lambda rows: rows,
    "ReLU": lambda rows: np.maximum(rows, 0),
}


def fits_small(folder: ModelFolder) -> bool:
    """Is it a stack that this module computes, and small enough for it?"""
    if not fits(folder) or pooling(folder.modules[1].config) != "cls":
        return False
    config = folder.first.config
    hidden, inner = int(config["hidden_size"]), int(config["intermediate_size"])
    if int(config["num_hidden_layers"]) * (4 * hidden * hidden + 2 * hidden * inner) > SMALL_WEIGHTS:
        return False
    dense = [module for module in folder.modules if module.kind == "Dense"]
    if any(activation(one) not in _ACTIVATIONS or not _file(one).is_file() for one in dense):
        return False
    files = [MappedFile(_file(one)) for one in (folder.first, *dense)]
    types = {one.dtype for file in files for one in file.tensors.values() if not one.dtype.startswith("I")}
    return types <= set(_TYPES)  # numbers of positions are not read


class SmallEncoder:
    """A BERT-family model of few weights. `pause`, if set, is called before every layer."""

    def __init__(self, model: str, folder: ModelFolder, *, precision: str = "auto", threads: int | None = None) -> None:
        self.model = model
        self.tokenizer = open_tokenizer(folder)
        self.languages = folder.languages
        self.fingerprint = fingerprint(folder)
        self.pause: Callable[[], None] | None = None
        self._folder, self._precision, self._threads = folder, precision, threads
        self._bert = _Bert(folder.first.folder, dict(folder.first.config))
        self._dense = [_Dense(module) for module in folder.modules if module.kind == "Dense"]
        self.dimension = self._dense[-1].dimension if self._dense else self._bert.hidden
        self._spent = 0  # tokens that came in bulk, or will
        self._opening = threading.Lock()
        self._packed: PackedEncoder | None = None

    @property
    def abreast(self) -> int:
        return 1 if self._packed is None else self._packed.abreast

    def describe(self) -> str:
        """How this encoder computes, in one line."""
        bulk = "packed batches with torch" if self._packed is None else self._packed.describe()
        return f"few texts: numpy, fp32; many: {bulk}"

    def encode(self, texts: Sequence[str]) -> Vectors:
        """(n, dimension) float32, length 1. A text longer than the window is a ValueError."""
        ids, lengths = self.tokenizer.flat_ids(texts)
        if lengths.sum() > FEW_TOKENS and (packed := self.expect(int(lengths.sum()))) is not None:
            packed.pause = self.pause
            return packed.encode_ids(ids, lengths)
        return encode_packed(ids, lengths, self._encode, dimension=self.dimension, tokens=TOKENS_AT_ONCE)

    def word_rows(self, ids: NDArray[np.int64]) -> Rows:
        """(n, hidden) the word table's own rows."""
        return self._bert.words(ids)

    def expect(self, tokens: int) -> PackedEncoder | None:
        """The same model in torch, once so many tokens come or have come that its import pays."""
        with self._opening:
            self._spent += tokens
            if self._packed is None and self._spent > PATIENCE_TOKENS:
                from labse_search.encoder.packed import PackedEncoder

                self._packed = PackedEncoder(self.model, self._folder, precision=self._precision, threads=self._threads)
            return self._packed

    def _encode(self, batch: Packed) -> Rows:
        rows = self._bert(batch, self.pause)
        for dense in self._dense:
            rows = dense(rows)
        return rows


class WeighedSmallEncoder(SmallEncoder, WeighedWords):
    """The same, for a model whose word table says which of a text's tokens mean what."""


class _Bert:
    """As `bert.Bert` with pooling by [CLS], in float32."""

    def __init__(self, folder: Path, config: dict[str, Any]) -> None:
        self.hidden = int(config["hidden_size"])
        self._heads = int(config["num_attention_heads"])
        self._first_position = first_position(config)
        eps = float(config.get("layer_norm_eps", 1e-12))
        file = BertFile(folder / "model.safetensors")
        self._words = file.array(WORD_TABLE)  # mapped: a small model's table may lie in memory whole
        types = _floats(file, "embeddings.token_type_embeddings.weight")
        self._positions = _floats(file, "embeddings.position_embeddings.weight") + types[0]  # one type only
        self._norm = _Norm(file, "embeddings.LayerNorm", eps)
        act = str(config.get("hidden_act", "gelu"))
        layers = int(config["num_hidden_layers"])
        self._layers = [_Layer(file, f"encoder.layer.{n}", act, eps) for n in range(layers)]
        file.file.give_back()

    def __call__(self, batch: Packed, pause: Callable[[], None] | None = None) -> Rows:
        """(texts, hidden), each text's [CLS]."""
        used, row_of = np.unique(batch.ids, return_inverse=True)
        states = self.words(used)[row_of]  # (tokens, hidden)
        states += self._positions[batch.positions() + self._first_position]
        states = self._norm(states)
        firsts = batch.firsts()
        for layer in self._layers:
            if pause is not None:
                pause()
            last = layer is self._layers[-1]
            rest = states[firsts] if last else states  # of the last layer's output only [CLS] is read
            context = self._attend(layer, states, rest, batch.groups, last=last)
            states = layer.after(context, rest)
        return states

    def words(self, ids: NDArray[np.int64]) -> Rows:
        """(n, hidden) rows of the word table."""
        return self._words[ids].astype(np.float32)

    def _attend(self, layer: _Layer, states: Rows, asking: Rows, groups: Sequence[Group], *, last: bool) -> Rows:
        """(asking, hidden): what the rows that ask take from all tokens of their text."""
        heads, width = self._heads, self.hidden // self._heads
        queries, keys, values = layer.query(asking), layer.key(states), layer.value(states)
        queries *= np.float32(width**-0.5)
        context = np.empty_like(asking)
        row = 0
        for group in groups:
            of = slice(group.start, group.end)
            each = 1 if last else group.length  # rows of a text that ask
            query = queries[row : row + group.n * each].reshape(group.n, each, heads, width).transpose(0, 2, 1, 3)
            key = keys[of].reshape(group.n, group.length, heads, width).transpose(0, 2, 3, 1)
            value = values[of].reshape(group.n, group.length, heads, width).transpose(0, 2, 1, 3)
            scores = np.matmul(query, key)  # (n, heads, each, length)
            scores -= scores.max(axis=-1, keepdims=True)
            np.exp(scores, out=scores)
            scores /= scores.sum(axis=-1, keepdims=True)
            attended = np.matmul(scores, value).transpose(0, 2, 1, 3)  # (n, each, heads, width)
            context[row : row + group.n * each] = attended.reshape(group.n * each, self.hidden)
            row += group.n * each
        return context


class _Layer:
    def __init__(self, file: BertFile, name: str, act: str, eps: float) -> None:
        own = f"{name}.attention.self"
        self.query, self.key, self.value = (_Linear(file, f"{own}.{part}") for part in ("query", "key", "value"))
        self._output = _Linear(file, f"{name}.attention.output.dense")
        self._norm = _Norm(file, f"{name}.attention.output.LayerNorm", eps)
        self._up, self._down = _Linear(file, f"{name}.intermediate.dense"), _Linear(file, f"{name}.output.dense")
        self._last_norm = _Norm(file, f"{name}.output.LayerNorm", eps)
        self._activation = _gelu if act == "gelu" else _ACTIVATIONS["ReLU"]

    def after(self, context: Rows, states: Rows) -> Rows:
        """All that follows attention, row by row."""
        states = self._norm(self._output(context) + states)
        return self._last_norm(self._down(self._activation(self._up(states))) + states)


class _Linear:
    def __init__(self, file: BertFile, name: str) -> None:
        self._weight = np.ascontiguousarray(_floats(file, f"{name}.weight").T)  # (in, out)
        self._bias = _floats(file, f"{name}.bias")

    def __call__(self, rows: Rows) -> Rows:
        out: Rows = rows @ self._weight
        out += self._bias
        return out


class _Norm:
    def __init__(self, file: BertFile, name: str, eps: float) -> None:
        self._weight, self._bias = (_floats(file, part) for part in file.norm(name))
        self._eps = np.float32(eps)

    def __call__(self, rows: Rows) -> Rows:
        centred: Rows = rows - rows.mean(axis=1, keepdims=True)
        variance = np.einsum("ij,ij->i", centred, centred)[:, None] / np.float32(rows.shape[1])
        centred *= self._weight / np.sqrt(variance + self._eps)
        centred += self._bias
        return centred


class _Dense:
    def __init__(self, module: Module) -> None:
        file = MappedFile(_file(module))
        self._weight = file.array("linear.weight").astype(np.float32).T  # (in, out)
        self._bias = file.array("linear.bias").astype(np.float32) if "linear.bias" in file.tensors else np.float32(0)
        self._activation = _ACTIVATIONS[activation(module)]
        self.dimension = self._weight.shape[1]

    def __call__(self, rows: Rows) -> Rows:
        return self._activation(rows @ self._weight + self._bias)


def _gelu(rows: Rows) -> Rows:
    """x Φ(x) = max(x, 0) - |x| (1 - erf(|x| / √2)) / 2. The error function is not in numpy: Abramowitz and Stegun
    1964, 7.1.26, wrong by at most 1.5e-7."""
    out: Rows = np.maximum(rows, 0)
    for start in range(0, len(rows), ROWS_IN_CACHE):
        size = np.abs(rows[start : start + ROWS_IN_CACHE])
        t = size * np.float32(0.3275911 * 0.5**0.5)
        t += 1
        np.reciprocal(t, out=t)
        tail = t * _ERF[0]
        for coefficient in _ERF[1:]:
            tail += coefficient
            tail *= t
        tail *= size
        np.square(size, out=size)
        size *= np.float32(-0.5)
        tail *= np.exp(size, out=size)
        out[start : start + ROWS_IN_CACHE] -= tail
    return out


def _file(module: Module) -> Path:
    return module.folder / "model.safetensors"


def _floats(file: BertFile, name: str) -> Rows:
    return file.array(name).astype(np.float32)
