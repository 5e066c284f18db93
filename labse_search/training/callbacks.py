"""What happens beside the steps: a line about progress, a dev set measured, a loss that is no number, Ctrl-C."""

from __future__ import annotations

import json
import math
import signal
import time
from collections.abc import Callable
from pathlib import Path
from types import FrameType
from typing import Any

import torch
import torch.distributed as dist
from accelerate import PartialState
from transformers import TrainerCallback

from labse_search.corpora.values import Say
from labse_search.files import write_json

SECONDS_BETWEEN_LINES = 5.0
BAD_NORMS = 20  # in a row: GradScaler has then come from 65,536 to below 1, and still no step was taken
PROGRESS = "progress.json"  # beside the history, for whoever shows how far the run is


class ProgressCallback(TrainerCallback):  # type: ignore[misc]
    """A line now and then with the time left, and every logged number in history.jsonl."""

    def __init__(self, say: Say, history: Path) -> None:
        self.say = say
        self.history = history
        self.begun = self.spoken = time.monotonic()
        self.first_step = 0
        self.loss = math.nan

    def on_train_begin(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        """Starts the clock, at the step that a checkpoint may have."""
        self.begun = self.spoken = time.monotonic()
        self.first_step = state.global_step

    def on_log(self, args: Any, state: Any, control: Any, logs: dict[str, Any] | None = None, **_: Any) -> None:
        """Keeps the loss for the next line and records what was logged."""
        logs = logs or {}
        self.loss = logs.get("loss", self.loss)
        if state.is_world_process_zero and "loss" in logs:
            self.record(state.global_step, logs)

    def record(self, step: int, values: dict[str, Any]) -> None:
        """One line of history.jsonl. Call it on the main process only."""
        with open(self.history, "a", encoding="utf-8") as lines:
            lines.write(json.dumps({"step": step, **values}) + "\n")

    def on_step_end(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        """Says how far the run is if the last line is some seconds old, and writes progress.json."""
        now = time.monotonic()
        if now - self.spoken < SECONDS_BETWEEN_LINES and state.global_step < state.max_steps:
            return
        self.spoken = now
        pace = (now - self.begun) / max(1, state.global_step - self.first_step)
        left = pace * (state.max_steps - state.global_step)
        loss = "" if math.isnan(self.loss) else f" · loss {self.loss:.4f}"
        self.say(f"step {state.global_step:,} of {state.max_steps:,}{loss} · {duration(left)} left")
        if state.is_world_process_zero:
            value = {"step": state.global_step, "steps": state.max_steps, "seconds_left": left}
            write_json(self.history.with_name(PROGRESS), value)


class FiniteCallback(TrainerCallback):  # type: ignore[misc]
    """Stops at the first logged loss or gradient that is no number. Every process sees the same logged mean, so all
    stop. With fp16 a gradient may be so for some steps, which are then skipped: GradScaler looks for its scale."""

    def __init__(self) -> None:
        self.broken_at: int | None = None
        self.bad_norms = 0  # in a row

    def on_log(self, args: Any, state: Any, control: Any, logs: dict[str, Any] | None = None, **_: Any) -> None:
        """Stops the run where the loss or the gradient's norm is infinite or no number."""
        loss, norm = ((logs or {}).get(name) for name in ("loss", "grad_norm"))
        if norm is not None:
            self.bad_norms = 0 if math.isfinite(norm) else self.bad_norms + 1
        if self.bad_norms >= (BAD_NORMS if args.fp16 else 1) or (loss is not None and not math.isfinite(loss)):
            self.broken_at = state.global_step
            control.should_training_stop = True


class DevCallback(TrainerCallback):  # type: ignore[misc]
    """Measures the dev set every so many steps and records it. All processes take part."""

    def __init__(self, every: int, accuracy: Callable[[], float], progress: ProgressCallback) -> None:
        self.every = every
        self.accuracy = accuracy
        self.progress = progress

    def on_step_end(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        """Measures at every multiple of `every` but the last step."""
        if state.global_step % self.every or state.global_step >= state.max_steps:
            return
        self.measure(state.global_step)

    def measure(self, step: int) -> None:
        """Measure now, on all processes, and record it on the main one."""
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
        """Stops with a checkpoint once any process was asked to."""
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


def duration(seconds: float) -> str:
    """For a person: "40 s", "12 min", "1.5 h"."""
    if seconds < 90:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 5400 else f"{seconds / 3600:.1f} h"
