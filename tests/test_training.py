"""What every training has alike: the Trainer's arguments."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from transformers import TrainingArguments
from transformers.training_args import ParallelMode

from labse_search.finetune import FinetuneConfig
from labse_search.finetune.train import PairArguments
from labse_search.pretrain.stage import MaskedArguments
from labse_search.training.arguments import Steps, training_arguments


class EightGpus:
    """Mixed into a Trainer's arguments: what transformers finds on a machine with eight, in a process that is alone."""

    _n_gpu = 8
    distributed_state = None
    _setup_devices = torch.device("cpu")


class TheirArguments(EightGpus, TrainingArguments):  # type: ignore[misc]
    pass


class Pairs(EightGpus, PairArguments):
    pass


class Masked(EightGpus, MaskedArguments):
    pass


@pytest.mark.parametrize("kind", [Pairs, Masked])
def test_one_process_takes_one_gpu_however_many_there_are(tmp_path: Path, kind: type) -> None:
    """Eight in one process would be DataParallel: batches of eight times the size, and negatives that do not meet."""
    theirs = TheirArguments(str(tmp_path), per_device_train_batch_size=32)
    assert (theirs.n_gpu, theirs.train_batch_size) == (8, 256)
    arguments = training_arguments(kind, FinetuneConfig(precision="fp32"), Steps(32, 10, 1e-4, 1), tmp_path)
    assert (arguments.n_gpu, arguments.train_batch_size) == (1, 32)
    assert arguments.parallel_mode == ParallelMode.NOT_PARALLEL
