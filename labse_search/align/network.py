"""The second phase's model: a transformers BERT whose forward pass does only what training a [CLS] vector needs.

Texts are sorted by length and go through in chunks with hardly any padding; all chunks of a step share one look-up of
word vectors, so that the gradient of the large table is made once; query, key and value are one multiplication; in the
last layer only keys and values are computed for every token. Attention is written out on a CPU, where the backward pass
of torch's fused kernel is three times slower (measured with torch 2.13, 64 wide heads, texts of 20 tokens).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from sentence_transformers import SentenceTransformer
from sentence_transformers.sentence_transformer.modules import Dense, Normalize, Pooling, Transformer
from torch import Tensor
from transformers import BertConfig, BertModel

from labse_search.align.cutting import Tokens, places
from labse_search.align.static import describe_and_halve
from labse_search.pretrain.static_start import init_from_static

TOKENS_AT_ONCE = 8192  # padded tokens of a chunk: fits the caches, and matrices are large enough
LONGER = 1.15  # a chunk's longest text has at most so many times the tokens of its shortest, and one more
NEVER = -1e4  # logit of padding: 0 after softmax, and a number in every precision


@dataclass(frozen=True)
class Chunk:
    """Texts of similar length with special tokens and padding."""

    ids: Tensor  # (n, width) int64
    lengths: Tensor  # (n,) special tokens included
    has_padding: bool


@dataclass(frozen=True)
class Layer:
    """One layer's weights as a step uses them: fused once, cast for every chunk, so gradients add up in float32."""

    query: tuple[Tensor, Tensor] | None  # of the last layer alone
    project: tuple[Tensor, Tensor]  # (3 hidden, hidden) query, key, value; of the last layer key and value
    module: Any


class Network(torch.nn.Module):  # type: ignore[misc]
    """`bert`: BertModel, `dense`: Linear. `max_tokens`: longer texts are cut, special tokens included."""

    def __init__(self, bert: Any, dense: Any, *, cls: int, sep: int, max_tokens: int, precision: str = "fp32") -> None:
        super().__init__()
        self.bert = bert
        self.dense = dense
        self.cls, self.sep = cls, sep
        self.max_tokens = max_tokens
        self.dtype = torch.bfloat16 if precision == "bf16" else torch.float32
        self.hidden = int(bert.config.hidden_size)
        self.heads = int(bert.config.num_attention_heads)
        self.eps = float(bert.config.layer_norm_eps)

    @property
    def words(self) -> Any:
        """(vocabulary, hidden) the table of word vectors."""
        return self.bert.embeddings.word_embeddings.weight

    def forward(self, texts: Tokens) -> Tensor:
        """(n, hidden) float32 of length 1."""
        order, chunks = self._chunks(texts)
        device = self.words.device
        flat = torch.cat([chunk.ids.reshape(-1) for chunk in chunks]).to(device)
        words = F.embedding(flat, self.words).split([chunk.ids.numel() for chunk in chunks])
        layers = self._layers()
        states = torch.cat([self._states(*one, layers) for one in zip(chunks, words, strict=True)])  # (n, hidden)
        vectors = torch.tanh(F.linear(states.float(), self.dense.weight, self.dense.bias))
        return F.normalize(vectors[torch.from_numpy(np.argsort(order)).to(device)], dim=1)

    def _chunks(self, texts: Tokens) -> tuple[NDArray[np.int64], list[Chunk]]:
        """The texts' order by length, and the chunks in that order."""
        lengths = np.minimum(texts.lengths, self.max_tokens - 2)
        order = np.argsort(lengths, kind="stable")
        ordered = lengths[order]
        chunks, first = [], 0
        while first < len(order):
            similar = int(np.searchsorted(ordered, ordered[first] * LONGER + 1, side="right"))
            fitting = max(1, TOKENS_AT_ONCE // (int(ordered[similar - 1]) + 2))
            end = min(similar, first + fitting)
            rows = order[first:end]
            chunks.append(self._chunk(texts.ids, texts.starts[rows], lengths[rows]))
            first = end
        return order, chunks

    def _chunk(self, ids: NDArray[np.int64], starts: NDArray[np.int64], lengths: NDArray[np.int64]) -> Chunk:
        width = int(lengths.max()) + 2
        laid = np.zeros((len(lengths), width), np.int64)  # padding is 0 or any token: nobody attends to it
        row, column = places(lengths)
        laid[row, column + 1] = ids[starts[row] + column]
        laid[:, 0] = self.cls
        laid[np.arange(len(lengths)), lengths + 1] = self.sep
        return Chunk(torch.from_numpy(laid), torch.from_numpy(lengths + 2), bool(lengths.min() + 2 < width))

    def _layers(self) -> list[Layer]:
        layers = []
        modules = self.bert.encoder.layer
        for at, module in enumerate(modules):
            own = module.attention.self
            is_last = at == len(modules) - 1
            fused = (own.key, own.value) if is_last else (own.query, own.key, own.value)
            project = torch.cat([part.weight for part in fused]), torch.cat([part.bias for part in fused])
            layers.append(Layer((own.query.weight, own.query.bias) if is_last else None, project, module))
        return layers

    def _states(self, chunk: Chunk, words: Tensor, layers: Sequence[Layer]) -> Tensor:
        """(n, hidden) the last layer's [CLS]. `words`: (n · width, hidden)."""
        n, width = chunk.ids.shape
        embeddings = self.bert.embeddings
        places = embeddings.position_embeddings.weight[:width] + embeddings.token_type_embeddings.weight[0]
        summed = words.view(n, width, self.hidden) + places
        norm = embeddings.LayerNorm
        states = F.layer_norm(summed, (self.hidden,), norm.weight, norm.bias, self.eps).to(self.dtype)
        mask = None
        if chunk.has_padding:
            lengths = chunk.lengths.to(words.device)
            mask = (torch.arange(width, device=words.device) < lengths[:, None])[:, None, None, :]  # (n, 1, 1, width)
        for layer in layers:
            states = self._layer(layer, states, mask)
        return states[:, 0]

    def _layer(self, layer: Layer, states: Tensor, mask: Tensor | None) -> Tensor:
        """(n, width, hidden), of the last layer (n, 1, hidden)."""
        projected = self._linear(states, *layer.project)
        if layer.query is None:
            asking = states
            query, key, value = projected.chunk(3, dim=-1)
        else:
            asking = states[:, :1]
            query = self._linear(asking, *layer.query)
            key, value = projected.chunk(2, dim=-1)
        query, key, value = (self._split(part) for part in (query, key, value))
        context = attend(query, key, value, mask)
        context = context.transpose(1, 2).reshape(asking.shape)
        attention, inner, outer = layer.module.attention.output, layer.module.intermediate.dense, layer.module.output
        states = self._norm(asking + self._linear(context, attention.dense.weight, attention.dense.bias), attention)
        raised = F.gelu(self._linear(states, inner.weight, inner.bias))
        return self._norm(states + self._linear(raised, outer.dense.weight, outer.dense.bias), outer)

    def _split(self, states: Tensor) -> Tensor:
        """(n, heads, width, head)"""
        n, width, hidden = states.shape
        return states.view(n, width, self.heads, hidden // self.heads).transpose(1, 2)

    def _linear(self, states: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
        return F.linear(states, weight.to(self.dtype), bias.to(self.dtype))

    def _norm(self, states: Tensor, module: Any) -> Tensor:
        norm = module.LayerNorm
        return F.layer_norm(states, (self.hidden,), norm.weight.to(self.dtype), norm.bias.to(self.dtype), self.eps)


def attend(query: Tensor, key: Tensor, value: Tensor, mask: Tensor | None) -> Tensor:
    """(n, heads, asking, head). `mask`: (n, 1, 1, width), true where there is a token."""
    if query.is_cuda:
        return F.scaled_dot_product_attention(query, key, value, attn_mask=mask)
    scores = (query * query.shape[-1] ** -0.5) @ key.transpose(2, 3)  # (n, heads, asking, width)
    if mask is not None:
        scores = scores.masked_fill(~mask, NEVER)
    return torch.softmax(scores.float(), dim=-1).to(value.dtype) @ value


def build_network(
    vectors: Tensor, tokenizer: Any, *, layers: int, heads: int, inner: int, window: int, max_tokens: int,
    precision: str, seed: int,
) -> Network:  # fmt: skip
    """A network whose vectors are nearly those of the static model, before any training. Seeds torch."""
    torch.manual_seed(seed)
    vocabulary, hidden = vectors.shape
    config = BertConfig(
        vocab_size=vocabulary,
        hidden_size=hidden,
        num_hidden_layers=layers,
        num_attention_heads=heads,
        intermediate_size=inner,
        max_position_embeddings=window,
        type_vocab_size=1,
        pad_token_id=int(tokenizer.pad_token_id),
        hidden_dropout_prob=0.0,  # every pair is seen a few times at most
        attention_probs_dropout_prob=0.0,
    )
    bert = BertModel(config, add_pooling_layer=False)
    dense = torch.nn.Linear(hidden, hidden)
    special = [tokenizer.pad_token_id, tokenizer.cls_token_id, tokenizer.sep_token_id, tokenizer.mask_token_id]
    init_from_static(bert, dense, vectors.float(), special)
    return Network(bert, dense, cls=special[1], sep=special[2], max_tokens=max_tokens, precision=precision)


def megabytes(vocabulary: int, *, hidden: int, layers: int, inner: int, window: int) -> float:
    """What the weights take on the disk, in half precision."""
    a_layer = 4 * hidden * (hidden + 1) + 2 * hidden * inner + inner + 5 * hidden
    return 2 * (hidden * (vocabulary + window + 3) + layers * a_layer + hidden * (hidden + 1)) / 1e6


def save_network(network: Network, tokenizer: Any, folder: Path, languages: Sequence[str]) -> None:
    """A sentence-transformers folder with LaBSE's stack: Transformer, [CLS], Dense with tanh, Normalize.

    The weights lie there in half precision; config.json says float32, in which they are then loaded. (Half precision
    throughout would leave sentence-transformers with a half [CLS] and a float32 Dense, which it cannot multiply.)
    """
    plain = folder.with_name(folder.name + ".bert")
    _with_pooler(network.bert).save_pretrained(plain)
    tokenizer.model_max_length = network.bert.config.max_position_embeddings
    tokenizer.save_pretrained(plain)
    dense = Dense(network.hidden, network.hidden, activation_function=torch.nn.Tanh())
    dense.linear.load_state_dict(network.dense.state_dict())
    transformer = Transformer(str(plain), max_seq_length=tokenizer.model_max_length)
    modules = [transformer, Pooling(network.hidden, pooling_mode="cls"), dense, Normalize()]
    SentenceTransformer(modules=modules, device="cpu").save(str(folder), create_model_card=False)
    describe_and_halve(folder, languages, weighed_words=True)
    for file in plain.iterdir():
        file.unlink()
    plain.rmdir()


def _with_pooler(bert: Any) -> Any:
    """The same BERT with BERT's own pooler, of zeros: nobody reads it, but a folder without it loads with a warning."""
    twin = BertModel(bert.config)
    twin.load_state_dict(bert.state_dict(), strict=False)
    for parameter in twin.pooler.parameters():
        torch.nn.init.zeros_(parameter)
    return twin.float()
