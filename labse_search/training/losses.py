"""The LaBSE objective: bidirectional additive-margin softmax over the negatives of every process.

Columns in: sources, targets, and any number of hard-negative columns; out: one scalar whose gradient, after DDP has
averaged it, is that of one process with the joined batch. Both losses are subclasses of sentence-transformers' own, so
its Trainer, its embedding of columns and its GradCache machinery apply; what is added is the margin (paper, equation
3), the sum of both directions, and the mask over equal texts. `global_batch` gathers the processes' rows.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import torch
import torch.distributed as dist
import torch.nn.functional as F
from sentence_transformers.base.losses.gradcache import _create_minibatch
from sentence_transformers.base.losses.merged_forward import embed_columns
from sentence_transformers.sentence_transformer.losses import (
    CachedMultipleNegativesRankingLoss,
    MultipleNegativesRankingLoss,
)
from torch import Tensor

from labse_search.training.global_batch import GlobalBatch, block_loss, gather_batch, gather_rows
from labse_search.training.teacher import Distillation, distillation_loss

Reduction = Literal["sum", "mean"]
Features = list[dict[str, Any]]
# The base model's unit vectors for the same columns, without gradient: what the anchor term pulls towards.
Anchor = Callable[[Features], list[Tensor]]

# The cached loss computes its logits in blocks of rows, so that they never fill the memory it saves: 32 MiB of float32.
LOGITS_PER_BLOCK = 8 * 1024 * 1024


@dataclass(frozen=True)
class LossOptions:
    """What both losses take beside the model: scale · (X·Yᵀ − margin·I) in both directions, negatives from all
    processes. At margin 0 and reduction "mean" it is sentence-transformers' symmetric loss."""

    scale: float = 100.0
    margin: float | Tensor = 0.3
    reduction: Reduction = "sum"  # of both directions: the paper's; "mean" is its half
    gather: bool = True  # negatives from all processes
    pair_weight: float = 1.0  # of this loss, beside a teacher's
    anchor: Anchor | None = None
    anchor_weight: float = 0.0
    distillation: Distillation | None = None  # a teacher's part; it needs the labels


class _AdditiveMargin(torch.nn.Module):  # type: ignore[misc]
    """The part of both losses that is not sentence-transformers' own.

    `labels` carry the text keys, (rows, columns) int64 (see `text_keys`); rows that share a source or a target
    text are then never negatives of each other. Without labels nothing is masked.
    """

    def __init__(self, model: Any, options: LossOptions, **own: Any) -> None:
        super().__init__(
            model,
            scale=options.scale,
            gather_across_devices=options.gather,
            directions=("query_to_doc", "doc_to_query"),
            partition_mode="per_direction",
            **own,
        )
        self.margin = options.margin
        self.reduction = options.reduction
        self.pair_weight = options.pair_weight
        self.anchor = options.anchor
        self.anchor_weight = options.anchor_weight
        self.distillation = options.distillation

    @property
    def weight(self) -> float:
        """Of the sum of both directions."""
        return self.pair_weight * (1 if self.reduction == "sum" else 0.5)

    def get_config_dict(self) -> dict[str, Any]:
        """What sentence-transformers writes of the loss into a model card."""
        own = super().get_config_dict()
        return {**own, "margin": float(self.margin), "reduction": self.reduction}


class AdditiveMarginRankingLoss(_AdditiveMargin, MultipleNegativesRankingLoss):  # type: ignore[misc]
    """The loss in one backward pass. `mini_batch_size`: so many texts of like length share a forward pass, which leaves
    little padding; 0: all do. The other options are the fields of `LossOptions`."""

    def __init__(self, model: Any, *, mini_batch_size: int = 0, **options: Any) -> None:
        super().__init__(model, LossOptions(**options))
        self.mini_batch_size = mini_batch_size

    def forward(self, sentence_features: Iterable[dict[str, Tensor]], labels: Tensor | None = None) -> Tensor:
        """Columns of features to the loss, a scalar; `labels` as `_AdditiveMargin` has them."""
        features = list(sentence_features)
        anchors = None
        if self.mini_batch_size:
            parts_of = [in_parts(column, self.mini_batch_size) for column in features]
            if self.anchor:
                anchors = [_anchor_vectors(self.anchor, parts)[order] for parts, order in parts_of]
            embeddings = [
                torch.cat([self.model(part)["sentence_embedding"] for part in parts])[order]
                for parts, order in parts_of
            ]
        else:
            anchors = self.anchor([dict(column) for column in features]) if self.anchor else None
            # Parallel texts have one width, so all columns share one forward pass.
            embeddings = embed_columns(self.model, features, separate_first=False)
        loss = self.compute_loss_from_embeddings(embeddings, labels)
        return loss + self.anchor_weight * _distance_from_anchor(embeddings, anchors) if anchors else loss

    def compute_loss_from_embeddings(self, embeddings: list[Tensor], labels: Tensor | None) -> Tensor:
        """The mean loss of own rows; `embeddings` are columns of (rows, d), of any length."""
        columns = _unit_columns(embeddings)
        with torch.autocast(columns[0].device.type, enabled=False):
            batch = gather_batch(columns, labels, gather=self.gather_across_devices)
            teacher_vectors = _teacher_vectors(self.distillation, labels, gather=self.gather_across_devices)
            loss = self.weight * block_loss(batch, 0, batch.rows, self.scale, self.margin)
            if self.distillation and teacher_vectors is not None:
                loss = loss + _distillation_block(self.distillation, batch, teacher_vectors, 0, batch.rows)
        return loss / batch.rows


class CachedAdditiveMarginRankingLoss(_AdditiveMargin, CachedMultipleNegativesRankingLoss):  # type: ignore[misc]
    """With GradCache: the same loss and gradient with the activations of one mini-batch in memory. `mini_batch_size`:
    texts in one. The other options are the fields of `LossOptions`.

    Beyond sentence-transformers' cached loss: rows are embedded in order of length, so a mini-batch has little padding
    (the loss does not depend on the order); vectors are normalised and gathered once and not for every block of
    logits, and the gradient crosses the processes once.
    """

    def __init__(self, model: Any, *, mini_batch_size: int = 32, **options: Any) -> None:
        super().__init__(model, LossOptions(**options), mini_batch_size=mini_batch_size)

    def forward(self, sentence_features: Iterable[dict[str, Tensor]], labels: Tensor | None = None) -> Tensor:
        """Columns of features to the loss, a scalar; with gradients on, the backward pass is done on the way."""
        features, self._orders = zip(*(by_length(column) for column in sentence_features), strict=True)
        self._anchors = None
        if self.anchor:
            # In the order of length, as the embeddings are.
            self._anchors = [
                _anchor_vectors(self.anchor, in_parts(column, self.mini_batch_size)[0]) for column in features
            ]
        return self.forward_cached(features, labels)

    def calculate_loss(
        self, reps: list[list[Tensor]], labels: Tensor | None = None, *, with_backward: bool = False
    ) -> Tensor:
        """The mean loss of own rows, of columns in mini-batches of (rows, d); `with_backward` leaves the gradients at
        `reps`."""
        embedded = [torch.cat(blocks) for blocks in reps]
        embeddings = [column[order] for column, order in zip(embedded, self._orders, strict=True)]
        with torch.autocast(embeddings[0].device.type, enabled=False):
            columns = _unit_columns(embeddings)
            batch = gather_batch(columns, labels, gather=self.gather_across_devices)
            # The blocks send their gradients to leaves; the leaves' sum then crosses the gather once.
            leaves = batch.detached() if with_backward else batch
            teacher_vectors = _teacher_vectors(self.distillation, labels, gather=self.gather_across_devices)
            step = max(1, LOGITS_PER_BLOCK // len(batch.candidates))
            total = torch.zeros((), dtype=batch.sources.dtype, device=batch.sources.device)
            for begin in range(0, batch.rows, step):
                end = min(begin + step, batch.rows)
                block = self.weight * block_loss(leaves, begin, end, self.scale, self.margin) / batch.rows
                if self.distillation and teacher_vectors is not None:
                    block = (
                        block + _distillation_block(self.distillation, leaves, teacher_vectors, begin, end) / batch.rows
                    )
                if with_backward:
                    block.backward()
                total = total + block.detach()
            if with_backward:
                torch.autograd.backward(
                    [batch.sources, batch.candidates], [leaves.sources.grad, leaves.candidates.grad]
                )
            if self._anchors:
                pull = self.anchor_weight * _distance_from_anchor(embedded, self._anchors)
                if with_backward:
                    pull.backward()
                total = total + pull.detach()
        return total


def _teacher_vectors(distillation: Distillation | None, keys: Tensor | None, *, gather: bool) -> Tensor | None:
    """The teacher's vectors of the batch of all processes, (W·B, d), or None. ValueError without keys."""
    if not distillation:
        return None
    if keys is None:
        raise ValueError("a teacher finds its texts by the text keys, which the labels carry; there are no labels")
    own = distillation.teacher(keys)
    if not gather or not dist.is_initialized() or dist.get_world_size() == 1:
        return own
    return gather_rows(own)


def _distillation_block(
    distillation: Distillation, batch: GlobalBatch, teacher_vectors: Tensor, begin: int, end: int
) -> Tensor:
    """The teacher's part of the loss of own rows begin … end, summed over rows."""
    own = torch.arange(batch.first + begin, batch.first + end, device=batch.sources.device)
    targets = batch.candidates[: len(batch.sources)]
    columns = (batch.sources[own], targets[own])
    return distillation_loss(
        distillation, columns, (batch.sources, targets), teacher_vectors.to(batch.sources.dtype), own
    )


def _distance_from_anchor(embeddings: Sequence[Tensor], anchors: Sequence[Tensor]) -> Tensor:
    """Mean of 1 − cosine to the base model's vectors, over all texts of the batch."""
    pairs = zip(_unit_columns(list(embeddings)), _unit_columns(list(anchors)), strict=True)
    return torch.stack([(1 - (now * base).sum(1)).mean() for now, base in pairs]).mean()


def _unit_columns(embeddings: list[Tensor]) -> list[Tensor]:
    """Rows of length 1 in float32 or better: bfloat16 near 1 has steps of 0.004, times scale 100 is 0.4 of a logit."""
    return [F.normalize(e if e.dtype == torch.float64 else e.float(), dim=-1) for e in embeddings]


def by_length(column: dict[str, Any]) -> tuple[dict[str, Any], Tensor]:
    """The column with its rows from short to long, and the index that puts them back."""
    mask = column["attention_mask"]
    order = torch.argsort(mask.sum(1), stable=True)
    rows = len(order)
    sorted_column = {
        key: value[order] if torch.is_tensor(value) and value.ndim and len(value) == rows else value
        for key, value in column.items()
    }
    return sorted_column, torch.argsort(order)


def in_parts(column: dict[str, Any], size: int) -> tuple[list[dict[str, Any]], Tensor]:
    """The column in parts of `size` rows, from short to long, each as wide as its longest; and the index that puts the
    rows back."""
    column, order = by_length(column)
    return [_create_minibatch(column, begin, begin + size) for begin in range(0, len(order), size)], order


def _anchor_vectors(anchor: Anchor, parts: Sequence[dict[str, Any]]) -> Tensor:
    """The base model's vectors of a column's parts, one part after the other."""
    return torch.cat([anchor([dict(part)])[0] for part in parts])
