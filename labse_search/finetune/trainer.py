"""sentence-transformers' Trainer with our batches, text keys for the loss, and guards: progress, NaN, Ctrl-C."""

from __future__ import annotations

import json
import math
import os
import signal
import time
from collections.abc import Callable
from pathlib import Path
from types import FrameType
from typing import Any

import psutil
import torch
import torch.distributed as dist
from accelerate import PartialState
from sentence_transformers import SentenceTransformerTrainer, SentenceTransformerTrainingArguments
from sentence_transformers.sentence_transformer.data_collator import SentenceTransformerDataCollator
from transformers import TrainerCallback

from labse_search.errors import UserError
from labse_search.finetune.config import FinetuneConfig
from labse_search.finetune.keys import text_key
from labse_search.finetune.sampling import PairBatchSampler, SamplingPlan

Say = Callable[[str], None]
SECONDS_BETWEEN_LINES = 5.0


class KeyedCollator(SentenceTransformerDataCollator):  # type: ignore[misc]
    """Columns of texts become features, and their text keys the labels: (rows, columns) int64."""

    def __call__(self, features: list[dict[str, Any]]) -> dict[str, Any]:
        batch: dict[str, Any] = super().__call__(features)
        batch["label"] = torch.tensor([[text_key(text) for text in row.values()] for row in features])
        return batch


class PairTrainer(SentenceTransformerTrainer):  # type: ignore[misc]
    """Draws batches by a SamplingPlan instead of a uniform shuffle."""

    data_collator_class = KeyedCollator

    def __init__(self, *, plan: SamplingPlan, length_window: int, **arguments: Any) -> None:
        self.plan = plan
        self.length_window = length_window
        self.pair_sampler: PairBatchSampler | None = None
        super().__init__(**arguments)

    def get_batch_sampler(self, dataset: Any, batch_size: int, drop_last: bool, **_: Any) -> PairBatchSampler:
        self.pair_sampler = PairBatchSampler(
            dataset, batch_size, plan=self.plan, length_window=self.length_window, seed=self.args.seed
        )
        return self.pair_sampler

    def add_model_card_callback(self, default_args_dict: dict[str, Any]) -> None:
        """None: `output` writes the card, and this one tokenizes examples for a widget before every run."""


class EpochCallback(TrainerCallback):  # type: ignore[misc]
    """Tells the sampler its epoch. The Trainer does so too, but not through the wrappers of a resumed shard."""

    def __init__(self, trainer: PairTrainer) -> None:
        self.trainer = trainer

    def on_epoch_begin(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        sampler = self.trainer.pair_sampler
        assert sampler is not None
        steps_of_epoch = max(1, math.ceil(len(sampler) / args.gradient_accumulation_steps))
        sampler.set_epoch(state.global_step // steps_of_epoch)


class ProgressCallback(TrainerCallback):  # type: ignore[misc]
    """A line now and then with the time left, and every logged number in history.jsonl."""

    def __init__(self, say: Say, history: Path) -> None:
        self.say = say
        self.history = history
        self.begun = self.spoken = time.monotonic()
        self.first_step = 0
        self.loss = math.nan

    def on_train_begin(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        self.begun = self.spoken = time.monotonic()
        self.first_step = state.global_step

    def on_log(self, args: Any, state: Any, control: Any, logs: dict[str, Any] | None = None, **_: Any) -> None:
        logs = logs or {}
        self.loss = logs.get("loss", self.loss)
        if state.is_world_process_zero and "loss" in logs:
            self.record(state.global_step, logs)

    def record(self, step: int, values: dict[str, Any]) -> None:
        with open(self.history, "a", encoding="utf-8") as lines:
            lines.write(json.dumps({"step": step, **values}) + "\n")

    def on_step_end(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        now = time.monotonic()
        if now - self.spoken < SECONDS_BETWEEN_LINES and state.global_step < state.max_steps:
            return
        self.spoken = now
        pace = (now - self.begun) / max(1, state.global_step - self.first_step)
        left = pace * (state.max_steps - state.global_step)
        loss = "" if math.isnan(self.loss) else f" · loss {self.loss:.4f}"
        self.say(f"step {state.global_step:,} of {state.max_steps:,}{loss} · {duration(left)} left")


class FiniteCallback(TrainerCallback):  # type: ignore[misc]
    """Stops at the first logged loss that is no number. Every process sees the same logged mean, so all stop."""

    def __init__(self) -> None:
        self.broken_at: int | None = None

    def on_log(self, args: Any, state: Any, control: Any, logs: dict[str, Any] | None = None, **_: Any) -> None:
        values = [(logs or {}).get(name) for name in ("loss", "grad_norm")]
        if any(value is not None and not math.isfinite(value) for value in values):
            self.broken_at = state.global_step
            control.should_training_stop = True


class DevCallback(TrainerCallback):  # type: ignore[misc]
    """Measures the dev set every so many steps and records it. All processes take part."""

    def __init__(self, every: int, accuracy: Callable[[], float], progress: ProgressCallback) -> None:
        self.every = every
        self.accuracy = accuracy
        self.progress = progress

    def on_step_end(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        if state.global_step % self.every or state.global_step >= state.max_steps:
            return
        self.measure(state.global_step)

    def measure(self, step: int) -> None:
        accuracy = self.accuracy()
        if PartialState().is_main_process:  # not through the Trainer's log, which would swallow this step's loss
            self.progress.record(step, {"dev_accuracy": accuracy})
        self.progress.say(f"step {step:,}: dev accuracy {100 * accuracy:.2f} %")


class StopCallback(TrainerCallback):  # type: ignore[misc]
    """Ctrl-C, or the launcher's SIGTERM, on any process: all finish their step, leave a checkpoint and stop."""

    def __init__(self) -> None:
        self.asked = False
        self.stopped = False
        self._previous: dict[int, Any] = {}

    def __enter__(self) -> StopCallback:
        for number in (signal.SIGINT, signal.SIGTERM):
            try:
                self._previous[number] = signal.signal(number, self._ask)
            except ValueError:  # not the main thread: a library call, whose caller minds its signals itself
                break
        return self

    def __exit__(self, *_: object) -> None:
        for number, handler in self._previous.items():
            signal.signal(number, handler)

    def _ask(self, number: int, frame: FrameType | None) -> None:
        if self.asked:
            raise KeyboardInterrupt  # asked twice: now
        self.asked = True

    def on_step_end(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        if self._anyone_asked(args.device):
            self.stopped = True
            control.should_save = True
            control.should_training_stop = True

    def _anyone_asked(self, device: Any) -> bool:
        if not dist.is_initialized():
            return self.asked
        flag = torch.tensor(int(self.asked), device=device)
        dist.all_reduce(flag, op=dist.ReduceOp.MAX)
        return bool(flag.item())


def training_arguments(
    config: FinetuneConfig, *, global_batch: int, steps: int, learning_rate: float, find_unused: bool, folder: Path
) -> Any:
    """`global_batch` goes in as the batch of one process: accelerate splits it (`split_batches`)."""
    precision = resolve_precision(config.precision)
    return SentenceTransformerTrainingArguments(
        output_dir=str(folder),
        per_device_train_batch_size=global_batch,
        accelerator_config={"split_batches": True},
        gradient_accumulation_steps=config.accumulation,
        num_train_epochs=config.epochs,
        max_steps=config.max_steps,
        learning_rate=learning_rate,
        warmup_steps=round(config.warmup * steps),
        lr_scheduler_type="linear",
        weight_decay=config.weight_decay,
        max_grad_norm=config.clip,
        bf16=precision == "bf16",
        fp16=precision == "fp16",
        use_cpu=on_cpu(),
        ddp_backend="gloo" if on_cpu() and "RANK" in os.environ else None,
        dataloader_drop_last=True,
        dataloader_pin_memory=torch.cuda.is_available(),
        ddp_find_unused_parameters=find_unused,
        ddp_timeout=6 * 3600,  # one process may be slow to write; nobody gives up on it
        logging_steps=max(1, steps // 200),
        logging_first_step=True,
        logging_nan_inf_filter=False,  # a NaN must be seen, not averaged away
        save_strategy="steps",
        save_steps=config.save_steps or max(1, math.ceil(steps / 5)),
        save_total_limit=config.save_limit,
        report_to=config.report_to,
        disable_tqdm=True,
        seed=config.seed,
    )


def resolve_precision(precision: str) -> str:
    """auto: bfloat16 where a GPU has it, else float32; a CPU is only faster with it if it has matrix units for it."""
    if precision != "auto":
        if precision == "fp16" and not torch.cuda.is_available():
            raise UserError("--precision fp16 needs a GPU. Use --precision bf16 or fp32.")
        return precision
    if torch.cuda.is_available():
        return "bf16" if torch.cuda.is_bf16_supported() else "fp32"
    return "fp32"


def on_cpu() -> bool:
    """Whether to train on the CPU: there is no GPU, or accelerate was told not to use it."""
    return not torch.cuda.is_available() or os.environ.get("ACCELERATE_USE_CPU", "").lower() == "true"


def free_memory() -> int:
    """Bytes that one process of the run may take: a GPU is its own, the machine's memory it shares with the others."""
    if not on_cpu():
        return int(torch.cuda.mem_get_info()[0])
    free = min(psutil.virtual_memory().available, room_in_group())
    return int(free) // int(os.environ.get("LOCAL_WORLD_SIZE", "1"))


def room_in_group(group: Path = Path("/proc/self/cgroup"), root: Path = Path("/sys/fs/cgroup")) -> float:
    """Bytes that this process's control groups may still take, infinity without a limit. A container's limit stands
    only there (man 7 cgroups); what it holds of files can be taken back."""
    try:
        lines = group.read_text(encoding="utf-8").splitlines()
    except OSError:  # no Linux
        return math.inf
    rooms = [math.inf]
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
                rooms.append(int(most) - held)
            if folder == base:
                break
    return max(0, min(rooms))


def join_processes() -> PartialState:
    """This process in its group. Called before anything else asks: a PartialState made without it would stay alone."""
    if on_cpu():
        return PartialState(cpu=True, backend="gloo") if "RANK" in os.environ else PartialState(cpu=True)
    return PartialState()


def duration(seconds: float) -> str:
    if seconds < 90:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 5400 else f"{seconds / 3600:.1f} h"
