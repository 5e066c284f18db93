"""Texts in, vectors out. The only package that runs a model for searching; torch is imported only when it is needed.

`load_encoder` opens a model by folder or hub name; `load_tokenizer` opens just its tokenizer, cheaply, for cutting
text to the model's window in processes that never encode.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from labse_search.errors import UserError
from labse_search.similarity import Vectors

PRECISIONS = ("auto", "fp32", "bf16")


class Tokenizer(Protocol):
    """Counts tokens as the model will see them."""

    max_tokens: int  # the model's window, special tokens included
    identity: str  # equal means that every text has the same tokens

    def ids(self, texts: Sequence[str]) -> list[list[int]]:
        """Token ids of each text, special tokens included, never truncated."""

    def count(self, texts: Sequence[str]) -> list[int]:
        """Tokens of each text, special tokens included, never truncated."""

    def offsets(self, text: str) -> list[tuple[int, int]]:
        """Code-point (start, end) of every token of one text, special tokens left out, never truncated."""


class Encoder(Protocol):
    """A model that turns texts into vectors of length 1."""

    model: str  # the name or path it was opened with
    dimension: int
    fingerprint: str  # 64 hex digits over weights, modules, tokenizer and window: equal means interchangeable vectors
    languages: tuple[str, ...]  # ISO 639-1 codes the model was trained on; empty if it does not say
    # Called every 100 ms of encoding or oftener: may block to let queries go first, may raise to end the call.
    pause: Callable[[], None] | None

    @property
    def tokenizer(self) -> Tokenizer: ...

    @property
    def abreast(self) -> int:
        """How many calls of many texts to have under way at once: more than one where that is faster."""

    def describe(self) -> str:
        """How it computes, in one line: kernels, precision, threads."""

    def encode(self, texts: Sequence[str]) -> Vectors:
        """One vector a text, (n, dimension) float32, length 1, in the order of the texts. Longer texts than the
        window raise ValueError: whoever cuts must cut, nothing is truncated silently."""


@dataclass(frozen=True)
class TokenVectors:
    """The tokens of one text, each as the model knows it; `Tokenizer.offsets` says where they stand.

    Texts of one call share one table of the distinct tokens: a hundred passages have ten times as many tokens.
    """

    rows: NDArray[np.int64]  # (tokens,) of the two below
    table: Vectors  # (distinct tokens, d) directions, float32, length 1; d need not be the encoder's dimension
    table_weights: NDArray[np.float32]  # (distinct tokens,) how much each counts in a text's vector

    @property
    def directions(self) -> Vectors:
        """(tokens, d)"""
        return self.table[self.rows]

    @property
    def weights(self) -> NDArray[np.float32]:
        """(tokens,)"""
        return self.table_weights[self.rows]


@runtime_checkable
class TokenEncoder(Protocol):
    """An encoder that can also say which of a text's tokens mean what, at the cost of looking them up."""

    def token_vectors(self, texts: Sequence[str]) -> list[TokenVectors]: ...


def load_encoder(model: str, *, precision: str = "auto", threads: int | None = None) -> Encoder:
    """The model in a folder, or of a hub name that is on disk or can be had within seconds; else ModelUnavailable.

    `precision`: auto, fp32 or bf16. `threads`: None takes the cores this process may use.
    """
    from labse_search.encoder import small, static
    from labse_search.encoder.folder import read_folder
    from labse_search.encoder.hub import find_model
    from labse_search.encoder.stack import fits

    if precision not in PRECISIONS:
        raise UserError(f"The precision is {precision!r}, expected one of {', '.join(PRECISIONS)}.")
    folder = read_folder(find_model(model))
    if static.fits(folder):
        return static.StaticEncoder(model, folder)
    kind: Callable[..., Encoder]
    if small.fits_small(folder) and precision != "bf16":
        kind = small.WeighedSmallEncoder if folder.weighed_words else small.SmallEncoder
    elif fits(folder):
        from labse_search.encoder import packed

        kind = packed.WeighedPackedEncoder if folder.weighed_words else packed.PackedEncoder
    else:
        from labse_search.encoder.reference import ReferenceEncoder as kind
    return kind(model, folder, precision=precision, threads=threads)


def load_tokenizer(model: str) -> Tokenizer:
    """The model's tokenizer and window, without torch."""
    from labse_search.encoder.folder import read_folder
    from labse_search.encoder.hub import find_model
    from labse_search.encoder.tokens import open_tokenizer

    return open_tokenizer(read_folder(find_model(model)))


def default_model() -> str:
    """LaBSE if it is already on disk, else the labse-mini that lies beside this package: names that mean the same
    wherever the repository lies, since collections remember them."""
    from labse_search.encoder.hub import LABSE, LABSE_MINI, labse_on_disk

    return LABSE if labse_on_disk() else LABSE_MINI.name
