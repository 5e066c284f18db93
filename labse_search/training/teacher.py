"""Distillation: what a student learns from a teacher's vectors beside the translation pairs.

Reimers & Gurevych 2020 (arXiv 2004.09813): both sides of a pair move towards the teacher's vector of one side, the one
that the teacher reads best, so that the student keeps what the teacher knows (which passage answers which question) and
has it in every language. Beside the vectors themselves, the similarities within the batch are taught: the student's
softmax over the batch follows the teacher's.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from labse_search.errors import UserError

# Text keys, (rows, columns) int64, to the teacher's unit vectors of one side of each row, (rows, dimension) float32,
# without gradient.
Teacher = Callable[[Tensor], Tensor]


@dataclass(frozen=True)
class Distillation:
    """A teacher and how much it counts beside the loss of the pairs."""

    teacher: Teacher
    vector_weight: float = 5.0  # of (1 − cosine to the teacher's vector), summed over the two sides of a pair
    similarity_weight: float = 1.0  # of the Kullback–Leibler divergence, summed over the two directions
    scale: float = 15.0  # of the cosines in that divergence


class TextTeacher:
    """A sentence-transformers model that encodes one side of a pair, with its own tokenizer and window.

    `texts`: what it reads, with its prompt, by the keys of source and target: the same text may be a question in one
    pair and a sentence in another.
    """

    def __init__(self, model: Any, texts: Mapping[tuple[int, int], str], *, batch_size: int) -> None:
        self.model = model.eval().requires_grad_(False)
        self.model.truncate_dim = None  # the student's forward pass gives whole vectors, whatever is kept of them later
        self.texts = texts
        self.batch_size = batch_size

    def __call__(self, keys: Tensor) -> Tensor:
        vectors: Tensor = self.model.encode(
            [self.texts[source, target] for source, target in keys[:, :2].tolist()],
            prompt="",  # stands in the texts
            batch_size=self.batch_size,
            convert_to_tensor=True,
            normalize_embeddings=True,
            show_progress_bar=False,
        )
        return vectors.float().to(keys.device)


def check_dimensions(student: Any, teacher: Any, vector_weight: float) -> None:
    """UserError when the student shall take over vectors of another dimension than its own."""
    own, theirs = _whole_dimension(student), _whole_dimension(teacher)
    if vector_weight and own != theirs:
        raise UserError(
            f"--teacher: its vectors have {theirs} dimensions, the model's {own}. "
            "Use --teacher-vectors 0, which teaches the similarities alone, or a teacher of the same dimension."
        )


def _whole_dimension(model: Any) -> int:
    """Of its vectors before they are cut (Matryoshka)."""
    with model.truncate_embeddings(None):
        return int(model.get_embedding_dimension())


def distillation_loss(
    distillation: Distillation, columns: Sequence[Tensor], candidates: Sequence[Tensor], taught: Tensor, own: Tensor
) -> Tensor:
    """The teacher's part of the loss for the rows `own` of the global batch, summed over them.

    `columns`: sources and targets of these rows, (rows, d); `candidates`: the sources and the targets of all
    processes, (W·B, d); `taught`: the teacher's vectors of all processes, (W·B, t). All of length 1.
    """
    wanted = taught[own]
    loss = torch.zeros((), dtype=columns[0].dtype, device=columns[0].device)
    if distillation.vector_weight:
        for column in columns:
            loss = loss + distillation.vector_weight * (1 - (column * wanted).sum(1)).sum()
    if distillation.similarity_weight:
        goal = F.log_softmax(distillation.scale * wanted @ taught.T, dim=1)
        for column, others in ((columns[0], candidates[1]), (columns[1], candidates[0])):
            now = F.log_softmax(distillation.scale * column @ others.T, dim=1)
            divergence = F.kl_div(now, goal, reduction="sum", log_target=True)
            loss = loss + distillation.similarity_weight * divergence
    return loss
