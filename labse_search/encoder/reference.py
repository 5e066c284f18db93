"""Any other sentence-transformers folder: its own encode, over batches of equal work.

Texts are sorted by their exact number of tokens (sentence-transformers sorts by characters, which over mixed scripts
pads 1.4 × more) and cut into batches by tokens, so that no call runs long.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from labse_search.encoder.folder import ModelFolder
from labse_search.encoder.kernels import choose_device, set_threads
from labse_search.encoder.packing import batches
from labse_search.encoder.protocols import CheckCancelled, DescribedEncoder, OpenedModel, Task, TokenStates, of_text
from labse_search.encoder.tokens import open_tokenizer
from labse_search.errors import ModelUnavailable
from labse_search.similarity import Vectors, normalize

TOKENS_AT_ONCE = 2048  # padded tokens in one batch


class ReferenceEncoder(DescribedEncoder):
    """sentence-transformers in float32, or bfloat16 where asked for and on a GPU."""

    max_concurrent_calls = 1

    def __init__(
        self, about: OpenedModel, folder: ModelFolder, *, precision: str = "auto", threads: int | None = None
    ) -> None:
        from sentence_transformers import SentenceTransformer
        from transformers.utils import logging

        logging.disable_progress_bar()
        self.threads = set_threads(threads)
        device = choose_device()
        self.precision = "bf16" if precision == "bf16" or (precision == "auto" and device == "cuda") else "fp32"
        self._prompts = folder.prompts
        self._is_transformer = folder.first.kind == "Transformer"
        self._tokenizer = open_tokenizer(folder)
        try:
            self._transformer: Any = SentenceTransformer(str(folder.path), device=device, local_files_only=True)
        except (OSError, ValueError, ImportError, KeyError, AttributeError) as error:
            raise ModelUnavailable(
                f"{folder.path} cannot be opened with sentence-transformers: {error}. Copy or download the model again."
            ) from error
        self._transformer = self._transformer.bfloat16() if self.precision == "bf16" else self._transformer.float()
        super().__init__(replace(about, dimension=self._encode(["."], "text").shape[1]))

    def describe(self) -> str:
        """How this encoder computes, in one line."""
        return f"sentence-transformers on {self._transformer.device}, {self.precision}, {self.threads} threads"

    def encode(
        self, texts: Sequence[str], task: Task = "text", *, check_cancelled: CheckCancelled | None = None
    ) -> Vectors:
        """(n, dimension) float32, length 1. A text longer than the window is a ValueError."""
        vectors = np.empty((len(texts), self.dimension), dtype=np.float32)
        _, lengths = self._tokenizer.flat_ids(texts, task)
        for rows in batches(lengths, TOKENS_AT_ONCE):
            if check_cancelled is not None:
                check_cancelled()
            vectors[rows] = self._encode([texts[row] for row in rows], task)
        return normalize(vectors)

    def token_states(self, texts: Sequence[str], tasks: Sequence[Task]) -> list[TokenStates] | None:
        """The states of the last layer; None for models that are no transformer, or cut their texts in other tokens."""
        if not self._is_transformer:
            return None
        _, lengths, spans = self._tokenizer.ids_and_spans(texts, tasks)
        found: dict[int, TokenStates] = {}
        for task in dict.fromkeys(tasks):
            of_task = np.flatnonzero([one == task for one in tasks])
            for rows in batches(lengths[of_task], TOKENS_AT_ONCE):
                part = of_task[rows].tolist()
                for row, states in zip(part, self._tokens([texts[row] for row in part], task), strict=True):
                    if len(states) != len(spans[row]):
                        return None
                    found[row] = of_text(states, spans[row])
        return [found[row] for row in range(len(texts))]

    def _tokens(self, texts: list[str], task: Task) -> list[NDArray[np.float32]]:
        found = self._transformer.encode(
            texts,
            prompt=self._prompts.of(task),
            task=None if task == "text" else task,
            batch_size=len(texts),
            output_value="token_embeddings",
            show_progress_bar=False,
        )
        return [np.asarray(states.float().cpu().numpy(), dtype=np.float32) for states in found]

    def _encode(self, texts: list[str], task: Task) -> Vectors:
        found = self._transformer.encode(
            texts,
            prompt=self._prompts.of(task),
            task=None if task == "text" else task,  # for modules that treat questions and documents apart
            batch_size=len(texts),
            convert_to_tensor=True,
            show_progress_bar=False,
        )
        return np.asarray(found.float().cpu().numpy(), dtype=np.float32)
