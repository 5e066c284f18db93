"""Which pairs are alike: k-means over the mean word vectors of their first texts.

Batches with many pairs of one cluster teach to tell like from equal. Exact neighbours would cost a search for each
pair; a cluster of a few hundred, drawn at random, is as hard on average.
"""

from __future__ import annotations

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor

from labse_search.align.corpus import Side

MEMBERS = 400  # pairs of a cluster on average
MAX_CLUSTERS = 8192  # more take longer than they help: 3 million pairs have 380 each
SAMPLE = 200_000  # rows that the centres are found with
ROUNDS = 4  # of k-means: the clusters need not be good, only alike
ROWS_AT_ONCE = 8192


@torch.no_grad()  # type: ignore[untyped-decorator]
def find_groups(side: Side, vectors: Tensor, *, seed: int) -> NDArray[np.int32]:
    """(n,) number of each text's cluster. `vectors`: (vocabulary, d), the static model's."""
    count = len(side.lengths)
    clusters = max(1, min(MAX_CLUSTERS, count // MEMBERS))
    order = np.random.default_rng(seed).permutation(count)[:SAMPLE]
    sample = mean_vectors(side, np.sort(order), vectors)
    sample = sample[torch.randperm(len(sample), generator=torch.Generator().manual_seed(seed))]
    centres = sample[:clusters].clone()
    for _ in range(ROUNDS):
        nearest = _nearest(sample, centres)
        sums = torch.zeros_like(centres).index_add_(0, nearest, sample)
        is_used = sums.norm(dim=1, keepdim=True) > 0
        centres = torch.where(is_used, F.normalize(sums, dim=1), centres)
    parts = [
        _nearest(mean_vectors(side, np.arange(at, min(at + SAMPLE, count)), vectors), centres)
        for at in range(0, count, SAMPLE)
    ]
    return np.asarray(torch.cat(parts).numpy(), dtype=np.int32)


def mean_vectors(side: Side, rows: NDArray[np.int64], vectors: Tensor) -> Tensor:
    """(len(rows), d) float32 of length 1; 0 for texts without tokens."""
    lengths = side.lengths[rows]
    starts = np.cumsum(lengths) - lengths
    places = np.arange(int(lengths.sum())) + np.repeat(side.starts[rows] - starts, lengths)
    ids = torch.from_numpy(side.ids[places].astype(np.int64))
    return F.normalize(F.embedding_bag(ids, vectors, torch.from_numpy(starts), mode="sum"), dim=1)


def _nearest(rows: Tensor, centres: Tensor) -> Tensor:
    return torch.cat([(part @ centres.T).argmax(1) for part in rows.split(ROWS_AT_ONCE)])
