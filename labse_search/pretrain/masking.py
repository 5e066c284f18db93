"""Batches of masked tokens: whole batches of lines (MLM) or of pairs (TLM), never both in one.

A pair is [CLS] one [SEP] other [SEP], which side comes first is chance, the second side's positions start from 0
again (XLM), and nothing says which language a side is in (LaBSE).
"""

from __future__ import annotations

import inspect
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import BatchSampler, Dataset
from transformers import DataCollatorForLanguageModeling, PreTrainedTokenizerFast

from labse_search.pretrain.config import PretrainConfig


@dataclass(frozen=True)
class Positions:
    """How an encoder counts positions: BERT from 0; RoBERTa's kin from beyond the padding token's number, whose own
    position padding has. `given`: whether it takes positions at all; if not, both sides of a pair are counted through.
    """

    first: int = 0
    padding: int = 0
    given: bool = True


def positions_of(encoder: Any) -> Positions:
    """Of an encoder with a table of positions, or of one without."""
    if "position_ids" not in inspect.signature(encoder.base_model.forward).parameters:
        return Positions(given=False)
    table = getattr(getattr(encoder.base_model, "embeddings", None), "position_embeddings", None)
    padding = getattr(table, "padding_idx", None)
    return Positions() if padding is None else Positions(int(padding) + 1, int(padding))


def make_collator(
    config: PretrainConfig, tokenizer: PreTrainedTokenizerFast, encoder: Any, *, seed: int
) -> MaskingCollator:
    """The collator of a run, for this encoder's positions."""
    positions = positions_of(encoder)
    return MaskingCollator(tokenizer, window=config.window, masked=config.masked, seed=seed, positions=positions)


class MaskedDataset(Dataset[tuple[list[int], list[int]]]):  # type: ignore[misc]
    """Token ids without special tokens: lines are (ids, []), pairs (ids, ids); lines first."""

    def __init__(
        self, tokenizer: PreTrainedTokenizerFast, lines: Sequence[str], pairs: Sequence[tuple[str, str]]
    ) -> None:
        self.lines = _ids(tokenizer, lines)
        sources = _ids(tokenizer, [source for source, _ in pairs])
        targets = _ids(tokenizer, [target for _, target in pairs])
        self.pairs = list(zip(sources, targets, strict=True))

    def __len__(self) -> int:
        return len(self.lines) + len(self.pairs)

    def __getitem__(self, row: int) -> tuple[list[int], list[int]]:
        return (self.lines[row], []) if row < len(self.lines) else self.pairs[row - len(self.lines)]


class KindBatchSampler(BatchSampler):  # type: ignore[misc]
    """`batches` batches of row numbers, each of lines or of pairs only, an endless shuffle of either."""

    def __init__(self, dataset: MaskedDataset, batch_size: int, batches: int, *, pair_share: float, seed: int) -> None:
        self.batch_size = batch_size
        self.drop_last = True
        self.batches = batches
        self.seed = seed
        self.kinds = [np.arange(len(dataset.lines)), np.arange(len(dataset.lines), len(dataset))]
        self.pair_share = float(len(dataset.lines) == 0) if not (len(dataset.lines) and dataset.pairs) else pair_share

    def __len__(self) -> int:
        return self.batches

    def __iter__(self) -> Iterator[list[int]]:
        random = np.random.default_rng(self.seed)
        waiting: list[list[int]] = [[], []]
        for _ in range(self.batches):
            kind = int(random.random() < self.pair_share)
            while len(waiting[kind]) < self.batch_size:
                waiting[kind] += random.permutation(self.kinds[kind]).tolist()
            yield waiting[kind][: self.batch_size]
            waiting[kind] = waiting[kind][self.batch_size :]


class MaskingCollator:
    """Rows of a MaskedDataset, all of one kind, become a padded batch with masks and labels.

    Of the tokens to be guessed 80 % become [MASK], 10 % another token, 10 % stay (BERT); special tokens are never
    masked.
    """

    def __init__(
        self, tokenizer: PreTrainedTokenizerFast, *, window: int, masked: float, seed: int, positions: Positions
    ) -> None:
        self.tokenizer = tokenizer
        self.window = window
        self.positions = positions
        self.random = np.random.default_rng(seed)
        self.mask = DataCollatorForLanguageModeling(tokenizer, mlm_probability=masked)

    def __call__(self, rows: Sequence[tuple[list[int], list[int]]]) -> dict[str, Tensor]:
        laid = [self._lay(*row) for row in rows]
        width = max(len(ids) for ids, _ in laid)
        pad = int(self.tokenizer.pad_token_id)
        input_ids = torch.tensor([ids + [pad] * (width - len(ids)) for ids, _ in laid])
        special = torch.isin(input_ids, torch.tensor(sorted(self.tokenizer.all_special_ids)))
        attention = torch.tensor([[1] * len(ids) + [0] * (width - len(ids)) for ids, _ in laid])
        masked, labels = self.mask.torch_mask_tokens(input_ids, special)
        batch = {"input_ids": masked, "attention_mask": attention, "labels": labels}
        if self.positions.given:
            first, padding = self.positions.first, self.positions.padding
            numbers = [[first + at for at in places] + [padding] * (width - len(places)) for _, places in laid]
            batch["position_ids"] = torch.tensor(numbers)
        return batch

    def _lay(self, one: list[int], other: list[int]) -> tuple[list[int], list[int]]:
        """Ids with special tokens, and positions; each side gets its share of the window."""
        start, stop = int(self.tokenizer.cls_token_id), int(self.tokenizer.sep_token_id)
        if not other:
            ids = [start, *one[: self.window - 2], stop]
            return ids, list(range(len(ids)))
        if self.random.random() < 0.5:
            one, other = other, one
        half = (self.window - 3) // 2
        first, second = [start, *one[:half], stop], [*other[:half], stop]
        return first + second, [*range(len(first)), *range(len(second))]


def _ids(tokenizer: PreTrainedTokenizerFast, texts: Sequence[str]) -> list[list[int]]:
    if not texts:
        return []
    encoded: Any = tokenizer(list(texts), add_special_tokens=False, return_attention_mask=False)
    return [list(ids) for ids in encoded["input_ids"]]
