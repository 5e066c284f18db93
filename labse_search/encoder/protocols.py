"""What the rest of the project knows of a model: it counts tokens and makes vectors. No model is opened here."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal, Protocol

import numpy as np
from numpy.typing import NDArray

from labse_search.similarity import Vectors

# What a text is for. Models such as E5 want a few words put before questions and others before documents ("query: ",
# "passage: "); "text" is neither, as in mining, and gets the model's default prompt if it has one.
Task = Literal["text", "query", "document"]
CheckCancelled = Callable[[], None]


class Tokenizer(Protocol):
    """Counts tokens as the model will see them."""

    max_tokens: int  # the model's window, special tokens included, less the room that its prompts take
    identity: str  # equal means that every text has the same tokens

    def ids(self, texts: Sequence[str]) -> list[list[int]]:
        """Token ids of each text, special tokens included, never truncated."""

    def count(self, texts: Sequence[str]) -> list[int]:
        """Tokens of each text, special tokens included, never truncated."""

    def offsets(self, text: str) -> list[tuple[int, int]]:
        """Code-point (start, end) of every token of one text, special tokens left out, never truncated."""

    def unreadable(self, texts: Sequence[str], ids: Sequence[Sequence[int]] | None = None) -> list[bool]:
        """Of each text, whether most of it lies in unknown tokens: its vector then says nothing about it. `ids`: its
        tokens, if they are known already."""


@dataclass(frozen=True)
class TokenStates:
    """What the transformer knows of each token of a text in its context: special tokens and prompts left out."""

    states: NDArray[np.floating]  # (tokens, width), of any length
    spans: NDArray[np.integer]  # (tokens, 2) code points of the text: start and end


def of_text(states: NDArray[np.float32], spans: NDArray[np.int64]) -> TokenStates:
    """Those of all tokens without those that are not of the text, whose spans are empty."""
    own = spans[:, 0] < spans[:, 1]
    return TokenStates(states[own], spans[own])


class Encoder(Protocol):
    """A model that turns texts into vectors of length 1."""

    @property
    def model(self) -> str:
        """The name or path it was opened with."""

    @property
    def dimension(self) -> int:
        """Numbers in a vector."""

    @property
    def fingerprint(self) -> str:
        """64 hex digits over weights, modules, tokenizer, window and prompts: equal means interchangeable vectors."""

    @property
    def languages(self) -> tuple[str, ...]:
        """ISO 639-1 codes the model was trained on; empty if it does not say."""

    @property
    def tokenizer(self) -> Tokenizer:
        """The model's own, ready without reading weights."""

    @property
    def max_concurrent_calls(self) -> int:
        """How many calls of many texts to have under way at once: more than one where that is faster."""

    def describe(self) -> str:
        """How it computes, in one line: kernels, precision, threads."""

    def encode(
        self, texts: Sequence[str], task: Task = "text", *, check_cancelled: CheckCancelled | None = None
    ) -> Vectors:
        """One vector a text, (n, dimension) float32, length 1, in the order of the texts. Texts longer than the window
        raise ValueError: whoever cuts must cut, nothing is truncated silently.

        `check_cancelled` is called every 100 ms or oftener, from several threads at once: it may block to let queries
        go first, may raise to end the call."""

    def token_states(self, texts: Sequence[str], tasks: Sequence[Task]) -> list[TokenStates] | None:
        """Of each text, for the task of the same place; None if the model tells none. A text longer than the window is
        a ValueError."""


@dataclass(frozen=True)
class OpenedModel:
    """What is known of a model before any weight is read."""

    model: str
    dimension: int
    fingerprint: str
    languages: tuple[str, ...]
    tokenizer: Tokenizer


class DescribedEncoder:
    """The part of an Encoder that repeats what its OpenedModel says."""

    def __init__(self, about: OpenedModel) -> None:
        self._about = about

    @property
    def model(self) -> str:
        """The name or path it was opened with."""
        return self._about.model

    @property
    def dimension(self) -> int:
        """Numbers in a vector."""
        return self._about.dimension

    @property
    def fingerprint(self) -> str:
        """As `Encoder.fingerprint`: equal means interchangeable vectors."""
        return self._about.fingerprint

    @property
    def languages(self) -> tuple[str, ...]:
        """ISO 639-1 codes the model was trained on; empty if it does not say."""
        return self._about.languages

    @property
    def tokenizer(self) -> Tokenizer:
        """The model's own."""
        return self._about.tokenizer

    def token_states(self, texts: Sequence[str], tasks: Sequence[Task]) -> list[TokenStates] | None:
        """None: it tells none."""
        return None
