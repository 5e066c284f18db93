"""The first phase: one vector a token, a text is their sum made length 1. Minutes on two cores for a million pairs."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from safetensors.torch import load_file, save
from sentence_transformers import SentenceTransformer
from sentence_transformers.sentence_transformer.modules import Normalize, StaticEmbedding
from torch import Tensor

from labse_search.align.cutting import Tokens
from labse_search.encoder.folder import OWN_FILE
from labse_search.pretrain.vocabulary import SPECIAL

LENGTH_EXPONENT, RARITY_EXPONENT = -0.3, 0.5  # the best of a few that were tried on one model


class StaticTable(torch.nn.Module):  # type: ignore[misc]
    """`vectors`: (vocabulary, d) to begin with."""

    def __init__(self, vectors: Tensor) -> None:
        super().__init__()
        self.words = torch.nn.Parameter(vectors.detach().float().clone())

    def forward(self, texts: Tokens) -> Tensor:
        """(n, d) float32 of length 1."""
        device = self.words.device
        ids, starts = (torch.from_numpy(part).to(device) for part in (texts.ids, texts.starts))
        return F.normalize(F.embedding_bag(ids, self.words, starts, mode="sum"), dim=1)


@torch.no_grad()  # type: ignore[untyped-decorator]
def reweigh(vectors: Tensor, counts: NDArray[np.int64]) -> Tensor:
    """(vocabulary, d): the same directions, lengths nearer to each other, rare tokens longer.

    Training with word dropout or few pairs leaves the lengths of rare tokens where they began; a token's length is its
    weight in the mean, and there it should count about as much as its rarity says (inverse document frequency).
    """
    frequency = torch.from_numpy(counts / max(1, counts.sum())).float()
    rarity = -(frequency + 1e-7).log()[:, None]
    rarity = (rarity / rarity.mean()).clamp_min(1e-3)
    lengths = vectors.norm(dim=1, keepdim=True).clamp_min(1e-6)
    return vectors * lengths**LENGTH_EXPONENT * rarity**RARITY_EXPONENT


def new_vectors(vocabulary: int, dimension: int, seed: int) -> Tensor:
    """(vocabulary, dimension) of length about 1 in random directions."""
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(vocabulary, dimension, generator=generator) / dimension**0.5


def save_static(vectors: Tensor, tokenizer: Any, folder: Path, languages: Sequence[str]) -> None:
    """A sentence-transformers folder, StaticEmbedding and Normalize, in half precision."""
    kept = vectors.detach().cpu().clone()
    kept[[tokenizer.convert_tokens_to_ids(token) for token in SPECIAL if token != "[UNK]"]] = 0
    static = StaticEmbedding(tokenizer.backend_tokenizer, embedding_weights=kept)
    SentenceTransformer(modules=[static, Normalize()], device="cpu").save(str(folder), create_model_card=False)
    describe_and_halve(folder, languages)


def describe_and_halve(folder: Path, languages: Sequence[str], **more: object) -> None:
    """Put all weights of a model folder in half precision, and write which languages it knows, and what `more` says,
    into labse.json."""
    for file in folder.rglob("*.safetensors"):
        halves = save({name: weight.half() for name, weight in load_file(file).items()}, metadata={"format": "pt"})
        file.unlink()  # safetensors writes files that only their owner may read
        file.write_bytes(halves)
    (folder / OWN_FILE).write_text(json.dumps({"languages": list(languages), **more}) + "\n", encoding="utf-8")
