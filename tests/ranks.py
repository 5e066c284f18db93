"""What one training process does in the tests of gathered negatives, and the same arithmetic in one process.

`tests/test_loss.py` starts three real gloo processes once; they form a group of three, then two of them a group of two.
"""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

import torch
import torch.distributed as dist
from torch import Tensor
from torch.nn.parallel import DistributedDataParallel

ROWS = 4  # of each process
WORDS = "cat dog house water sea river city bridge market bread salt wind rain sun night day".split()
MORE = "Katze Hund Haus Wasser Meer Fluss Stadt Brücke Markt Brot Salz Wind Regen Sonne Nacht Tag".lower().split()


@dataclass(frozen=True)
class Case:
    """One way to compute the loss, and what must not depend on the number of processes."""

    dtype: torch.dtype
    cached: bool
    negatives: int
    dropout: bool = False
    step: bool = False  # an optimizer step too
    taught: bool = False  # a teacher's part too

    @property
    def name(self) -> str:
        parts = [str(self.dtype).removeprefix("torch."), "cached" if self.cached else "plain", f"{self.negatives}neg"]
        return "-".join(parts + ["dropout"] * self.dropout + ["step"] * self.step + ["taught"] * self.taught)


CASES = [
    Case(dtype, cached, negatives)
    for dtype in (torch.float64, torch.float32)
    for cached in (False, True)
    for negatives in (0, 2)
] + [Case(torch.float64, True, 1, dropout=True), Case(torch.float64, False, 0, step=True)]
CASES += [Case(torch.float64, cached, negatives, taught=True) for cached, negatives in ((False, 0), (True, 1))]


def texts(rank: int, negatives: int) -> list[list[str]]:
    """Columns of ROWS texts. Every process has other texts, but for one source that stands on each of them."""
    at = rank * ROWS
    sources = [
        f"the {WORDS[at + i]} and the {WORDS[(at + 3 * i + 1) % 16]}" + " in the sea" * (i % 3) for i in range(ROWS)
    ]
    sources[1] = "the salt and the wind"
    targets = [f"die {MORE[at + i]} und das {MORE[(at + 3 * i + 1) % 16]}" for i in range(ROWS)]
    columns = [sources, targets]
    for k in range(negatives):
        columns.append([f"das {MORE[(at + 5 * i + 7 * k + 2) % 16]} ist {k} nacht {rank}" for i in range(ROWS)])
    return columns


def build(folder: Path, case: Case) -> Any:
    from sentence_transformers import SentenceTransformer

    model = SentenceTransformer(str(folder), device="cpu").to(case.dtype)
    for module in model.modules():
        if isinstance(module, torch.nn.Dropout):
            module.p = 0.3 if case.dropout else 0.0
    for name, parameter in model.named_parameters():
        parameter.requires_grad_("pooler" not in name)  # BERT's own pooler has no part in the vector
    return model.train()


def options(case: Case) -> dict[str, Any]:
    from labse_search.training.teacher import Distillation

    # The gradient is proportional to the scale, and so is the rounding of its float32 sums; 1 keeps it below 1e-6.
    common: dict[str, Any] = {"scale": 1.0, "margin": 0.3}
    if case.taught:
        common |= {"pair_weight": 0.5, "distillation": Distillation(taught, 2.0, 3.0, scale=4.0)}
    return common


def make_loss(model: Any, case: Case) -> Any:
    from labse_search.training.losses import AdditiveMarginRankingLoss, CachedAdditiveMarginRankingLoss

    if case.cached:
        return CachedAdditiveMarginRankingLoss(model, mini_batch_size=3, **options(case))
    together = 3 if case.negatives else 0  # texts of like length, in several forward passes before the one backward
    return AdditiveMarginRankingLoss(model, mini_batch_size=together, **options(case))


def features(model: Any, columns: list[list[str]]) -> list[dict[str, Any]]:
    return [model.preprocess(column) for column in columns]


def keys(columns: list[list[str]]) -> Tensor:
    from labse_search.corpora.text_keys import text_key

    return torch.tensor([[text_key(text) for text in row] for row in zip(*columns, strict=True)])


def taught(keys: Tensor) -> Tensor:
    """A teacher without a model: to each row's first key one vector of length 1, 32 numbers in float64."""
    vectors = [torch.randn(32, generator=torch.Generator().manual_seed(int(key) % 2**31)) for key in keys[:, 0]]
    return torch.nn.functional.normalize(torch.stack(vectors).double())


def gradients(model: Any) -> dict[str, Tensor]:
    return {
        name.removeprefix("module."): parameter.grad.clone()
        for name, parameter in model.named_parameters()
        if parameter.grad is not None
    }


def work(rank: int, folder: str, out: str) -> None:
    """The body of one process: all cases in a group of three, then in a group of two."""
    torch.set_num_threads(1)
    warnings.simplefilter("error", FutureWarning)  # a deprecated collective is a failure
    for world in (3, 2):
        if rank >= world:
            return
        dist.init_process_group(
            "gloo",
            init_method=f"file://{out}/meet-{world}",
            rank=rank,
            world_size=world,
            timeout=timedelta(seconds=500),
        )
        for case in CASES:
            torch.save(run_case(Path(folder), case, rank), f"{out}/{world}-{rank}-{case.name}.pt")
        torch.save(run_uneven(Path(folder), rank), f"{out}/{world}-{rank}-uneven.pt")
        dist.barrier()
        dist.destroy_process_group()


def run_case(folder: Path, case: Case, rank: int) -> dict[str, Any]:
    model = build(folder, case)
    ddp = DistributedDataParallel(model, find_unused_parameters=False, forward_sync_buffers=False)
    loss_function = make_loss(model, case)
    loss_function.model = ddp  # as the Trainer does
    columns = texts(rank, case.negatives)
    torch.manual_seed(100 + rank)
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-3)
    loss = loss_function(features(model, columns), keys(columns))
    loss.backward()
    grads = gradients(ddp)
    if case.step:
        optimizer.step()
    return {"loss": loss.detach(), "gradients": grads, "weights": model.state_dict() if case.step else {}}


def run_uneven(folder: Path, rank: int) -> str:
    """The text of the error when process 0 brings one row less."""
    case = Case(torch.float32, False, 0)
    model = build(folder, case)
    columns = [column[: ROWS - 1] if rank == 0 else column for column in texts(rank, 0)]
    try:
        make_loss(model, case)(features(model, columns), keys(columns))
    except ValueError as error:
        return str(error)
    return "no error"


def one_process(folder: Path, case: Case, world: int) -> dict[str, Any]:
    """The same on the joined batch. With dropout, every process's rows are embedded under that process's seed."""
    from labse_search.training.losses import AdditiveMarginRankingLoss

    model = build(folder, case)
    parts = [texts(rank, case.negatives) for rank in range(world)]
    joined = [[text for part in parts for text in part[column]] for column in range(2 + case.negatives)]
    plain = AdditiveMarginRankingLoss(model, **options(case))
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-3)
    if not case.dropout:
        loss = plain(features(model, joined), keys(joined))
    else:
        embedded = [embed_as_rank(model, part, rank) for rank, part in enumerate(parts)]
        columns = [torch.cat(column) for column in zip(*embedded, strict=True)]
        loss = plain.compute_loss_from_embeddings(columns, keys(joined))
    loss.backward()
    grads = gradients(model)
    if case.step:
        optimizer.step()
    return {"loss": loss.detach(), "gradients": grads, "weights": model.state_dict() if case.step else {}}


def embed_as_rank(model: Any, columns: list[list[str]], rank: int) -> list[Tensor]:
    """What GradCache embeds on one process, mini-batches of three in order of length, but with the graph kept."""
    from sentence_transformers.base.losses.gradcache import _create_minibatch

    from labse_search.training.losses import by_length

    torch.manual_seed(100 + rank)
    embedded = []
    for column in features(model, columns):
        ordered, back = by_length(column)
        blocks = [model(_create_minibatch(ordered, at, at + 3))["sentence_embedding"] for at in range(0, ROWS, 3)]
        embedded.append(torch.cat(blocks)[back])
    return embedded
