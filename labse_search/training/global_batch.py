"""The batch of all processes: gathered with its gradient, its logits, and which equal texts are no negatives.

Which convention of gathering: every process scores its own rows against the columns of all processes, and the gather
keeps the gradient in both directions; nothing is multiplied by the number of processes. The other conventions in use
either do the work W times over, scale the gradient, or never push away negatives that lie on other processes.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
import torch.distributed as dist
import torch.distributed._functional_collectives as collectives
from torch import Tensor


@dataclass(frozen=True)
class GlobalBatch:
    """The unit vectors of all processes; this process's rows are first … first + rows."""

    sources: Tensor  # (W·B, d)
    candidates: Tensor  # (W·B·(1 + negatives), d): all targets, then all first hard negatives, then all second ones …
    keys: Tensor | None  # (W·B, 2 + negatives) int64
    first: int
    rows: int

    def detached(self) -> GlobalBatch:
        """The same vectors as leaves of their own graph, whose gradients can be summed before they go on."""
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
    gathered = [gather_rows(column) for column in columns]
    return GlobalBatch(
        gathered[0],
        torch.cat(gathered[1:]),
        None if keys is None else gather_rows(keys),
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


def gather_rows(tensor: Tensor) -> Tensor:
    """(W·B, ...) of each process's (B, ...), in the order of the processes, with gradient."""
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
