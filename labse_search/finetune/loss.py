"""The LaBSE objective: bidirectional additive-margin softmax over the negatives of every process.

Columns in: sources, targets, and any number of hard-negative columns; out: one scalar whose gradient, after DDP has
averaged it, is that of one process with the joined batch. Both losses are subclasses of sentence-transformers' own, so
its Trainer, its embedding of columns and its GradCache machinery apply; what is added is the margin (paper, equation
3), the sum of both directions, and the mask over equal texts.

Which convention of gathering: every process scores its own rows against the columns of all processes, and the gather
keeps the gradient in both directions; nothing is multiplied by the number of processes. The other conventions in use
either do the work W times over, scale the gradient, or never push away negatives that lie on other processes.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import torch
import torch.distributed as dist
import torch.distributed._functional_collectives as collectives
import torch.nn.functional as F
from sentence_transformers.base.losses.gradcache import _create_minibatch
from sentence_transformers.base.losses.merged_forward import embed_columns
from sentence_transformers.sentence_transformer.losses import (
    CachedMultipleNegativesRankingLoss,
    MultipleNegativesRankingLoss,
)
from torch import Tensor

Reduction = Literal["sum", "mean"]
Features = list[dict[str, Any]]
# The base model's unit vectors for the same columns, without gradient: what the anchor term pulls towards.
Anchor = Callable[[Features], list[Tensor]]

# The cached twin computes its logits in blocks of rows, so that they never fill the memory it saves: 32 MiB of float32.
LOGITS_PER_BLOCK = 8 * 1024 * 1024


class AdditiveMarginRankingLoss(MultipleNegativesRankingLoss):  # type: ignore[misc]
    """scale · (X·Yᵀ − margin·I) in both directions, negatives from all processes; at margin 0 and reduction "mean" it
    is sentence-transformers' symmetric loss.

    `labels` carry the text keys, (rows, columns) int64 (see `keys.text_key`); rows that share a source or a target
    text are then never negatives of each other. Without labels nothing is masked. `reduction`: "sum" of both
    directions is the paper's, "mean" its half. `mini_batch_size`: so many texts of like length share a forward pass,
    which leaves little padding; 0: all do.
    """

    def __init__(
        self,
        model: Any,
        *,
        scale: float = 100.0,
        margin: float | Tensor = 0.3,
        reduction: Reduction = "sum",
        gather: bool = True,
        anchor: Anchor | None = None,
        anchor_weight: float = 0.0,
        mini_batch_size: int = 0,
    ) -> None:
        super().__init__(
            model,
            scale=scale,
            gather_across_devices=gather,
            directions=("query_to_doc", "doc_to_query"),
            partition_mode="per_direction",
        )
        self.margin = margin
        self.reduction = reduction
        self.anchor = anchor
        self.anchor_weight = anchor_weight
        self.mini_batch_size = mini_batch_size

    def forward(self, sentence_features: Iterable[dict[str, Tensor]], labels: Tensor | None = None) -> Tensor:
        features = list(sentence_features)
        anchors = None
        if self.mini_batch_size:
            cut = [in_parts(column, self.mini_batch_size) for column in features]
            if self.anchor:
                anchors = [anchored(self.anchor, parts)[order] for parts, order in cut]
            embeddings = [
                torch.cat([self.model(part)["sentence_embedding"] for part in parts])[order] for parts, order in cut
            ]
        else:
            anchors = self.anchor([dict(column) for column in features]) if self.anchor else None
            # Parallel texts have one width, so all columns share one forward pass.
            embeddings = embed_columns(self.model, features, separate_first=False)
        loss = self.compute_loss_from_embeddings(embeddings, labels)
        return loss + self.anchor_weight * drift(embeddings, anchors) if anchors else loss

    def compute_loss_from_embeddings(self, embeddings: list[Tensor], labels: Tensor | None) -> Tensor:
        columns = unit_columns(embeddings)
        with torch.autocast(columns[0].device.type, enabled=False):
            batch = gather_batch(columns, labels, gather=self.gather_across_devices)
            loss = block_loss(batch, 0, batch.rows, self.scale, self.margin) / batch.rows
        return loss if self.reduction == "sum" else loss / 2

    def get_config_dict(self) -> dict[str, Any]:
        return {**super().get_config_dict(), "margin": float(self.margin), "reduction": self.reduction}


class CachedAdditiveMarginRankingLoss(CachedMultipleNegativesRankingLoss):  # type: ignore[misc]
    """The GradCache twin: the same loss and gradient with the activations of one mini-batch in memory.

    Beyond sentence-transformers' cached loss: rows are embedded in order of length, so a mini-batch has little padding
    (the loss does not depend on the order); vectors are normalised and gathered once and not for every block of
    logits, and the gradient crosses the processes once.
    """

    def __init__(
        self,
        model: Any,
        *,
        mini_batch_size: int = 32,
        scale: float = 100.0,
        margin: float = 0.3,
        reduction: Reduction = "sum",
        gather: bool = True,
        anchor: Anchor | None = None,
        anchor_weight: float = 0.0,
    ) -> None:
        super().__init__(
            model,
            scale=scale,
            mini_batch_size=mini_batch_size,
            gather_across_devices=gather,
            directions=("query_to_doc", "doc_to_query"),
            partition_mode="per_direction",
        )
        self.margin = margin
        self.reduction = reduction
        self.anchor = anchor
        self.anchor_weight = anchor_weight

    def forward(self, sentence_features: Iterable[dict[str, Tensor]], labels: Tensor | None = None) -> Tensor:
        features, self._orders = zip(*(by_length(column) for column in sentence_features), strict=True)
        self._anchors = None
        if self.anchor:
            # In the order of length, as the embeddings are.
            self._anchors = [anchored(self.anchor, in_parts(column, self.mini_batch_size)[0]) for column in features]
        return self.forward_cached(features, labels)

    def calculate_loss(
        self, reps: list[list[Tensor]], labels: Tensor | None = None, *, with_backward: bool = False
    ) -> Tensor:
        embedded = [torch.cat(blocks) for blocks in reps]
        embeddings = [column[order] for column, order in zip(embedded, self._orders, strict=True)]
        half = 1 if self.reduction == "sum" else 2
        with torch.autocast(embeddings[0].device.type, enabled=False):
            columns = unit_columns(embeddings)
            batch = gather_batch(columns, labels, gather=self.gather_across_devices)
            # The blocks send their gradients to leaves; the leaves' sum then crosses the gather once.
            leaves = batch.detached() if with_backward else batch
            step = max(1, LOGITS_PER_BLOCK // len(batch.candidates))
            total = torch.zeros((), dtype=batch.sources.dtype, device=batch.sources.device)
            for begin in range(0, batch.rows, step):
                end = min(begin + step, batch.rows)
                block = block_loss(leaves, begin, end, self.scale, self.margin) / (batch.rows * half)
                if with_backward:
                    block.backward()
                total = total + block.detach()
            if with_backward:
                torch.autograd.backward(
                    [batch.sources, batch.candidates], [leaves.sources.grad, leaves.candidates.grad]
                )
            if self._anchors:
                pull = self.anchor_weight * drift(embedded, self._anchors)
                if with_backward:
                    pull.backward()
                total = total + pull.detach()
        return total

    def get_config_dict(self) -> dict[str, Any]:
        return {**super().get_config_dict(), "margin": self.margin, "reduction": self.reduction}


@dataclass(frozen=True)
class GlobalBatch:
    """The unit vectors of all processes; this process's rows are first … first + rows."""

    sources: Tensor  # (W·B, d)
    candidates: Tensor  # (W·B·(1 + negatives), d): all targets, then all first hard negatives, then all second ones …
    keys: Tensor | None  # (W·B, 2 + negatives) int64
    first: int
    rows: int

    def detached(self) -> GlobalBatch:
        return GlobalBatch(
            self.sources.detach().requires_grad_(),
            self.candidates.detach().requires_grad_(),
            self.keys,
            self.first,
            self.rows,
        )


def gather_batch(columns: Sequence[Tensor], keys: Tensor | None, *, gather: bool) -> GlobalBatch:
    """The columns of every process, with gradient, in the order of the processes. Raises ValueError on every process
    when their numbers of rows or columns differ, where a collective would hang."""
    rows = len(columns[0])
    if len(columns) < 2:
        raise ValueError(f"the loss needs a source and a target column, got {len(columns)} column")
    if any(len(column) != rows for column in columns):
        raise ValueError(f"the columns have {[len(column) for column in columns]} rows, expected as many in each")
    if not gather or not dist.is_initialized() or dist.get_world_size() == 1:
        return GlobalBatch(columns[0], torch.cat(list(columns[1:])), keys, 0, rows)
    _check_equal_shards(columns, keys)
    gathered = [_gather(column) for column in columns]
    return GlobalBatch(
        gathered[0],
        torch.cat(gathered[1:]),
        None if keys is None else _gather(keys),
        dist.get_rank() * rows,
        rows,
    )


def block_loss(batch: GlobalBatch, begin: int, end: int, scale: float, margin: float | Tensor) -> Tensor:
    """The loss of own rows begin … end, both directions, summed over rows.

    logits = scale · X·Yᵀ + bias, where bias holds −scale·margin at a row's own column and −inf at equal texts.
    """
    own = torch.arange(batch.first + begin, batch.first + end, device=batch.sources.device)
    sources, targets = batch.sources[own], batch.candidates[own]
    forward_bias, backward_bias = _biases(batch, own, scale * margin)
    forward = torch.addmm(forward_bias, sources * scale, batch.candidates.T)  # (rows, W·B·(1 + negatives))
    backward = torch.addmm(backward_bias, targets * scale, batch.sources.T)  # (rows, W·B)
    positive = scale * ((sources * targets).sum(1) - margin)
    return (torch.logsumexp(forward, 1) + torch.logsumexp(backward, 1) - 2 * positive).sum()


def drift(embeddings: Sequence[Tensor], anchors: Sequence[Tensor]) -> Tensor:
    """Mean of 1 − cosine to the base model's vectors, over all texts of the batch."""
    pairs = zip(unit_columns(list(embeddings)), unit_columns(list(anchors)), strict=True)
    return torch.stack([(1 - (now * base).sum(1)).mean() for now, base in pairs]).mean()


def unit_columns(embeddings: list[Tensor]) -> list[Tensor]:
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


def anchored(anchor: Anchor, parts: Sequence[dict[str, Any]]) -> Tensor:
    """The base model's vectors of a column's parts, one part after the other."""
    return torch.cat([anchor([dict(part)])[0] for part in parts])


def _biases(batch: GlobalBatch, own: Tensor, lowered: float | Tensor) -> tuple[Tensor, Tensor]:
    rows, world = len(own), len(batch.sources)
    at = torch.arange(rows, device=own.device)
    lowered = torch.as_tensor(lowered, dtype=batch.sources.dtype, device=own.device)
    biases = []
    masks = _equal_texts(batch, own) if batch.keys is not None else (None, None, None)
    for width, mask in ((len(batch.candidates), masks[1]), (world, masks[2])):
        bias = torch.zeros(rows, width, dtype=batch.sources.dtype, device=own.device)
        if mask is not None:
            bias[masks[0]] = torch.where(mask, -torch.inf, 0.0).to(bias.dtype)
        biases.append(bias.index_put((at, own), -lowered))
    return biases[0], biases[1]


def _equal_texts(batch: GlobalBatch, own: Tensor) -> tuple[Tensor | None, Tensor | None, Tensor | None]:
    """Which rows of the block hold a text that occurs elsewhere, and for these the candidates (targets and negatives)
    and the sources that are not negatives for them. Without any such row: None, and no mask is paid for."""
    assert batch.keys is not None
    keys, world = batch.keys, len(batch.sources)
    _, inverse, counts = torch.unique(keys, return_inverse=True, return_counts=True)
    rows = torch.nonzero((counts[inverse] > 1)[own].any(1)).squeeze(1)
    if not len(rows):
        return None, None, None
    source, target = keys[own[rows], 0:1], keys[own[rows], 1:2]  # (rows, 1)
    same_pair = (keys[:, 0] == source) | (keys[:, 1] == target)  # (rows, world): another translation of the same text
    candidates = keys[:, 1:].T.reshape(1, -1)  # (1, world · (1 + negatives)), in the order of batch.candidates
    forward = (candidates == target) | (candidates == source)
    forward[:, :world] |= same_pair
    backward = same_pair | (keys[:, 0] == target)
    # An own hard negative that happens to equal nothing stays; the own column is set by the caller, after this.
    return rows, forward, backward


def _gather(tensor: Tensor) -> Tensor:
    # torch.distributed.nn.all_gather is deprecated; the functional collective has the same gradient (a reduce-scatter).
    gathered = collectives.all_gather_single_autograd(tensor.contiguous(), 0, dist.group.WORLD)
    return collectives.wait_tensor(gathered) if isinstance(gathered, Tensor) else gathered


def _check_equal_shards(columns: Sequence[Tensor], keys: Tensor | None) -> None:
    shape = torch.tensor(
        [len(columns[0]), len(columns), 0 if keys is None else keys.shape[1]], device=columns[0].device
    )
    shapes = [torch.empty_like(shape) for _ in range(dist.get_world_size())]
    dist.all_gather(shapes, shape)
    if any(not torch.equal(shape, other) for other in shapes):
        rows = [int(other[0]) for other in shapes]
        counts = [int(other[1]) for other in shapes]
        raise ValueError(
            f"the processes bring {rows} rows in {counts} columns; each must bring as many. "
            "Drop the last batch, or split whole batches over the processes."
        )
