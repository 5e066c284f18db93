"""The part of the loss that keeps single words meaningful: late interaction on the word table.

The search adds to a passage's cosine how much of the question's words it holds (`search.links.Passages`), each word
known by its row of the word table alone. Those rows are trained through the transformer, which needs them to add up and
not to match one by one; this loss asks the latter of them as well: among the pairs of one batch's neighbours, a text's
own translation must hold the most of its words, and the other way round.

Khattab and Zaharia 2020, equation 3, weighed as in `search.links`; softmax over the batch, no margin.
"""

from __future__ import annotations

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor

from labse_search.align.cutting import Tokens

LONGEST = 32  # tokens of a text that are compared: the matrix of all tokens grows with the square
LIGHTEST, HEAVIEST = -8.0, 4.0  # log weights beyond are cut: exp of them would be nothing, or everything


def reach_loss(words: Tensor, sources: Tokens, targets: Tokens, keys: NDArray[np.int64], scale: float) -> Tensor:
    """Mean over the pairs, both directions added, as the loss of the vectors has it.

    `words`: (vocabulary, 1 + d), the log of a token's weight first. `keys`: (n, 2) of the texts; equal texts are no
    negatives of each other.
    """
    left, left_there = _laid_out(sources)  # (n, a) ids, (n, a) whether there is a token
    right, right_there = _laid_out(targets)  # (n, b)
    device = words.device
    left_there, right_there = left_there.to(device), right_there.to(device)
    rows = F.embedding(torch.cat([left.reshape(-1), right.reshape(-1)]).to(device), words)  # one gradient of the table
    directions = F.normalize(rows[:, 1:], dim=1)
    if device.type == "cpu":
        directions = directions.to(torch.bfloat16)
    weights = rows[:, 0].clamp(LIGHTEST, HEAVIEST).exp()
    split = left.numel()
    cosines = (directions[:split] @ directions[split:].T).view(*left.shape, *right.shape)  # (n, a, n, b)
    cosines = cosines.masked_fill(~right_there, -1.0).masked_fill(~left_there[:, :, None, None], -1.0)
    left_weights = weights[:split].view(left.shape) * left_there
    right_weights = weights[split:].view(right.shape) * right_there
    forth = (cosines.amax(3).float() * left_weights[:, :, None]).sum(1) / left_weights.sum(1)[:, None]  # (n, n)
    back = (cosines.amax(1).float() * right_weights).sum(2) / right_weights.sum(1)  # (n, n)
    return _both(forth, back, torch.from_numpy(keys).to(device), scale)


def _both(forth: Tensor, back: Tensor, keys: Tensor, scale: float) -> Tensor:
    n = len(forth)
    own = torch.arange(n, device=forth.device)
    equal = (keys[:, None] == keys[None]).any(-1) & (own[:, None] != own)
    rows, columns = ((scale * part).masked_fill(equal, -torch.inf) for part in (forth, back.T))
    return F.cross_entropy(rows, own) + F.cross_entropy(columns, own)


def _laid_out(texts: Tokens) -> tuple[Tensor, Tensor]:
    """(n, longest) ids with zeros after each text's end, and which of them are tokens."""
    lengths = np.minimum(texts.lengths, LONGEST)
    ids = np.zeros((len(lengths), int(lengths.max())), np.int64)
    there = np.arange(ids.shape[1]) < lengths[:, None]
    starts = np.repeat(texts.starts, lengths)
    within = np.broadcast_to(np.arange(ids.shape[1]), ids.shape)[there]
    ids[there] = texts.ids[starts + within]
    return torch.from_numpy(ids), torch.from_numpy(there)
