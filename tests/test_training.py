"""What every training has alike: the Trainer's arguments, the precision, and when it has gone wrong."""

from __future__ import annotations

import math
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch
from transformers import TrainerControl, TrainerState, TrainingArguments
from transformers.training_args import ParallelMode

from labse_search.encoder.kernels import choose_precision
from labse_search.errors import UserError
from labse_search.finetune import FinetuneConfig
from labse_search.finetune.train import PairArguments
from labse_search.pretrain.stage import MaskedArguments
from labse_search.training.arguments import Steps, training_arguments
from labse_search.training.callbacks import BAD_NORMS, FiniteCallback
from labse_search.training.processes import resolve_precision


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


def broken_at(folder: Path, *logs: tuple[float, float], fp16: bool) -> int | None:
    """At which step a run is stopped whose steps have these losses and norms of the gradient."""
    finite, control = FiniteCallback(), TrainerControl()
    arguments = PairArguments(str(folder), fp16=fp16, use_cpu=True)
    for step, (loss, norm) in enumerate(logs, start=1):
        finite.on_log(arguments, TrainerState(global_step=step), control, {"loss": loss, "grad_norm": norm})
        finite.on_log(arguments, TrainerState(global_step=step), control, {"train_runtime": 1.0})
        if control.should_training_stop:
            break
    assert control.should_training_stop is (finite.broken_at is not None)
    return finite.broken_at


@pytest.mark.parametrize("bad", [math.inf, math.nan])
def test_a_loss_or_a_gradient_that_is_no_number_ends_the_run(tmp_path: Path, bad: float) -> None:
    good = (2.0, 1.0)
    for fp16 in (False, True):
        assert broken_at(tmp_path, good, good, fp16=fp16) is None
        assert broken_at(tmp_path, good, (bad, 1.0), good, fp16=fp16) == 2
    assert broken_at(tmp_path, good, (2.0, bad), good, fp16=False) == 2


@pytest.mark.parametrize("bad", [math.inf, math.nan])
def test_in_half_precision_gradients_overflow_until_their_scale_is_found(tmp_path: Path, bad: float) -> None:
    """GradScaler begins with a scale that is too large, skips such steps and halves it."""
    good, overflow = (2.0, 1.0), (2.0, bad)
    for some in ([overflow], [overflow] * (BAD_NORMS - 1), ([overflow] * 5 + [good]) * BAD_NORMS):
        assert broken_at(tmp_path, *some, good, fp16=True) is None
    assert broken_at(tmp_path, good, *[overflow] * (BAD_NORMS + 5), fp16=True) == 1 + BAD_NORMS


@pytest.fixture
def gpu(monkeypatch: pytest.MonkeyPatch) -> SimpleNamespace:
    """A GPU as torch describes it: a T4, which knows bfloat16 only by emulation."""
    one = SimpleNamespace(major=7, minor=5)
    monkeypatch.setattr(torch.version, "hip", None)
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "current_device", lambda: 0)
    monkeypatch.setattr(torch.cuda, "get_device_properties", lambda device: one)
    monkeypatch.setattr(torch.cuda, "_check_bf16_tensor_supported", lambda device: True)
    monkeypatch.delenv("ACCELERATE_USE_CPU", raising=False)
    return one


def test_bfloat16_is_chosen_where_a_gpu_has_it_in_hardware(gpu: SimpleNamespace) -> None:
    assert (resolve_precision("auto"), choose_precision("auto", "cuda")) == ("fp32", "fp32")
    assert resolve_precision("fp16") == "fp16"
    gpu.major = 8
    assert (resolve_precision("auto"), choose_precision("auto", "cuda")) == ("bf16", "bf16")


def test_the_precision_is_that_of_the_processor_where_it_trains(
    gpu: SimpleNamespace, monkeypatch: pytest.MonkeyPatch
) -> None:
    gpu.major = 9
    monkeypatch.setenv("ACCELERATE_USE_CPU", "true")
    assert resolve_precision("auto") == "fp32"
    with pytest.raises(UserError, match="needs a GPU"):
        resolve_precision("fp16")
