"""The Trainer's arguments: what every run has alike, and what this machine says."""

from __future__ import annotations

import math
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import torch

from labse_search.training.processes import on_cpu, resolve_precision


class Settings(Protocol):
    """What every recipe's configuration says of its steps."""

    @property
    def warmup(self) -> float:
        """Share of the steps in which the learning rate rises, 0..1."""

    @property
    def weight_decay(self) -> float:
        """AdamW's."""

    @property
    def precision(self) -> str:
        """auto, fp32, bf16 or fp16, of the forward pass."""

    @property
    def save_steps(self) -> int:
        """Steps between two checkpoints; 0: five in a run."""


@dataclass(frozen=True)
class Steps:
    """How a run goes. `batch`: rows of one step over all processes."""

    batch: int
    steps: int
    learning_rate: float  # the peak
    seed: int


class OneGpu:
    """Mixed into a Trainer's arguments: a process has one GPU. transformers gives a process that trains alone all that
    it sees (DataParallel): the batch is multiplied by their number, and the negatives on them do not meet."""

    @property
    def n_gpu(self) -> int:
        """1, or 0 on the CPU."""
        seen: int = super().n_gpu  # type: ignore[misc]
        return min(1, seen)


def training_arguments(kind: type, settings: Settings, plan: Steps, folder: Path, **own: Any) -> Any:
    """`kind`: the class of arguments that the recipe's Trainer takes, with `OneGpu`; `own`: what only this recipe sets.

    The batch goes in as that of one process: accelerate splits it (`split_batches`). A checkpoint is written five
    times a run unless the settings say otherwise.
    """
    precision = resolve_precision(settings.precision)
    common: dict[str, Any] = {
        "output_dir": str(folder),
        "per_device_train_batch_size": plan.batch,
        "accelerator_config": {"split_batches": True},
        "learning_rate": plan.learning_rate,
        "warmup_steps": round(settings.warmup * plan.steps),
        "lr_scheduler_type": "linear",
        "weight_decay": settings.weight_decay,
        "bf16": precision == "bf16",
        "fp16": precision == "fp16",
        "use_cpu": on_cpu(),
        "ddp_backend": "gloo" if on_cpu() and "RANK" in os.environ else None,
        "ddp_find_unused_parameters": False,
        "ddp_timeout": 6 * 3600,  # one process may be slow to write; nobody gives up on it
        "dataloader_pin_memory": torch.cuda.is_available(),
        "logging_steps": max(1, plan.steps // 200),
        "logging_first_step": True,
        "logging_nan_inf_filter": False,  # a NaN must be seen, not averaged away
        "save_strategy": "steps",
        "save_steps": settings.save_steps or max(1, math.ceil(plan.steps / 5)),
        "save_total_limit": 2,
        "report_to": "none",
        "disable_tqdm": True,
        "seed": plan.seed,
    }
    return kind(**{**common, **own})
