"""Models whose word table says which of a text's tokens mean what.

Transformers that began as a weighted mean of token vectors and were trained to keep them meaningful
(pretrain.static_start, align.reach): exp of a row's first number is the token's weight, the rest its direction.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from labse_search.encoder import TokenVectors
from labse_search.encoder.tokens import ModelTokenizer, tokens_by_text
from labse_search.similarity import normalize


class WeighedWords:
    """Makes a TokenEncoder of an encoder that can look up rows of its word table."""

    tokenizer: ModelTokenizer

    @abstractmethod
    def word_rows(self, ids: NDArray[np.int64]) -> NDArray[np.float32]: ...

    def token_vectors(self, texts: Sequence[str]) -> list[TokenVectors]:
        """Every token but the special ones."""
        ids, lengths = self.tokenizer.flat_ids(texts)
        used, row_of = np.unique(ids, return_inverse=True)
        rows = self.word_rows(used)
        weights, directions = np.exp(rows[:, 0]), normalize(rows[:, 1:])
        return tokens_by_text(directions, weights, row_of, lengths, special=1)  # [CLS] before, [SEP] after
