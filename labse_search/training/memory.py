"""What a training needs in memory, and what there is."""

from __future__ import annotations

import math
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil
import torch

from labse_search.training.models import is_static
from labse_search.training.processes import on_cpu


@dataclass(frozen=True)
class BatchShape:
    """One step: `rows` of this process of `world_rows` over all, `columns` texts a row of `tokens` tokens at most."""

    rows: int
    world_rows: int
    columns: int
    tokens: int


def training_memory(model: Any, shape: BatchShape, *, mini_batch: int) -> int:
    """Bytes one process needs, an estimate: weights, gradients, two Adam moments, activations, logits. `mini_batch`:
    texts whose activations are held at a time; 0: all of the step's.

    Activations: 17 numbers for each token, layer and hidden unit and 2.5 for each pair of tokens and head
    (arXiv 2205.05198, section 4, whose bytes are halves of numbers).
    """
    weights = sum(parameter.numel() for parameter in model.parameters())
    trained = sum(parameter.numel() for parameter in model.parameters() if parameter.requires_grad)
    total = 4 * (weights + 3 * trained)
    if not is_static(model):
        config = model[0].auto_model.config
        texts = mini_batch if mini_batch else shape.rows * shape.columns
        heads = getattr(config, "num_attention_heads", 1)
        per_token = 17 * config.hidden_size + 2.5 * heads * shape.tokens
        total += int(4 * texts * shape.tokens * config.num_hidden_layers * per_token)
    return int(total + 2 * 4 * shape.rows * shape.world_rows * shape.columns)


def free_memory() -> int:
    """Bytes that one process of the run may take: a GPU is its own, the machine's memory it shares with the others."""
    if not on_cpu():
        return int(torch.cuda.mem_get_info()[0])
    free = min(psutil.virtual_memory().available, cgroup_headroom())
    return int(free) // int(os.environ.get("LOCAL_WORLD_SIZE", "1"))


def cgroup_headroom(group: Path = Path("/proc/self/cgroup"), root: Path = Path("/sys/fs/cgroup")) -> float:
    """Bytes that this process's control groups may still take, infinity without a limit. A container's limit stands
    only there (man 7 cgroups); what it holds of files can be taken back."""
    try:
        lines = group.read_text(encoding="utf-8").splitlines()
    except OSError:  # no Linux
        return math.inf
    headrooms = [math.inf]
    for line in lines:
        _, kinds, path = line.split(":", 2)
        if not kinds:  # version 2
            base, limit, used, files = root, "memory.max", "memory.current", "inactive_file"
        elif "memory" in kinds.split(","):
            base, limit, used, files = (
                root / "memory", "memory.limit_in_bytes", "memory.usage_in_bytes", "total_inactive_file",
            )  # fmt: skip
        else:
            continue
        own = base / path.lstrip("/")  # seen from inside a container there is only `base`
        for folder in (own, *own.parents):
            if (folder / limit).is_file() and (most := (folder / limit).read_text(encoding="utf-8").strip()) != "max":
                parts = dict(part.split() for part in (folder / "memory.stat").read_text(encoding="utf-8").splitlines())
                held = int((folder / used).read_text(encoding="utf-8")) - int(parts.get(files, 0))
                headrooms.append(int(most) - held)
            if folder == base:
                break
    return max(0, min(headrooms))
