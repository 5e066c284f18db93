"""Train one of the two models on batches of pairs: schedule, progress, checkpoints, Ctrl-C.

A checkpoint holds the weights, the optimizer, the position in the pairs and the seconds so far; going on from it is
the same as not having stopped (to the last bit on the same machine with as many threads).
"""

from __future__ import annotations

import json
import math
import os
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from labse_search.align.cutting import joined
from labse_search.align.reach import reach_loss
from labse_search.align.sampling import Batch, BatchSampler
from labse_search.errors import UserError
from labse_search.finetune.loss import GlobalBatch, block_loss
from labse_search.finetune.trainer import SECONDS_BETWEEN_LINES, StopCallback, duration

Say = Callable[[str], None]
SMOOTHING = 0.95  # of the loss that is shown
BETAS = (0.9, 0.98)  # Adam's, of the layers: the usual ones for large batches


@dataclass(frozen=True)
class Rates:
    """Peak learning rates, of Adagrad for the word vectors and of Adam for the layers."""

    words: float
    layers: float = 0.0


@dataclass(frozen=True)
class Plan:
    """How long a phase trains and how it learns."""

    name: str
    batch: int
    pairs: int
    scale: float
    margin: float
    warmup: int  # steps
    minutes: float = 0.0  # above 0: this and not `pairs` decides when it ends
    clip: float = 0.0
    tail: float = 1.0  # the last share of the phase, in which the rates fall to 0
    reach: float = 0.0  # weight of reach_loss
    reach_pairs: int = 0  # the first of each batch, which its neighbours are

    @property
    def steps(self) -> int:
        return max(1, self.pairs // self.batch)

    def done(self, step: int, seconds: float) -> float:
        """The share of the phase that is behind, 0 … 1."""
        return min(1.0, seconds / (60 * self.minutes) if self.minutes else step / self.steps)

    def factor(self, step: int, seconds: float) -> float:
        """Of the peak learning rates: up over the warmup, down to 0 in the tail."""
        return min(1.0, (step + 1) / max(1, self.warmup)) * min(1.0, (1 - self.done(step, seconds)) / self.tail)


class Loop:
    """One phase. `words`: the table of word vectors; `layers`: all other parameters, whose gradient is clipped.

    Words and layers learn by different rules. A rare word gets a handful of gradients in a whole run, and Adam, whose
    average of squares forgets within a hundred steps, makes every one of them a jump of ten learning rates: training on
    made rare languages worse (measured: see EXPERIMENTS.md). Adagrad's sum of squares never forgets.
    """

    def __init__(
        self,
        plan: Plan,
        model: Any,
        rates: Rates,
        sampler: BatchSampler,
        *,
        checkpoint: Path,
        history: Path,
        save_minutes: float,
        tell: Say,
    ) -> None:
        self.plan = plan
        self.model = model
        self.sampler = sampler
        self.checkpoint = checkpoint
        self.history = history
        self.save_seconds = 60 * save_minutes
        self.tell = tell
        self.layers = [parameter for parameter in model.parameters() if parameter is not model.words]
        self.optimizers: dict[str, tuple[torch.optim.Optimizer, float]] = {
            "words": (torch.optim.Adagrad([model.words], lr=rates.words, fused=True), rates.words)
        }
        if self.layers:
            layers = torch.optim.Adam(self.layers, lr=rates.layers, betas=BETAS, fused=True)
            self.optimizers["layers"] = (layers, rates.layers)
        self.step = 0
        self.seconds = 0.0
        self.position = (0, 0)
        self.loss = math.nan

    def run(self) -> bool:
        """Train to the end from the checkpoint, if there is one; True when it was stopped on the way."""
        self._load()
        first_step, first_seconds = self.step, self.seconds
        spoken = saved = self.seconds
        batches = self.sampler.batches(self.position)
        with StopCallback() as stop:
            while self.plan.done(self.step, self.seconds) < 1 and not stop.asked:
                began = time.monotonic()
                batch, self.position = next(batches)
                self._learn(batch)
                self.seconds += time.monotonic() - began
                is_first = self.step == first_step + 1
                if is_first or self.seconds - spoken >= SECONDS_BETWEEN_LINES:
                    spoken = self.seconds
                    self._report(self.step - first_step, self.seconds - first_seconds)
                if self.seconds - saved >= self.save_seconds:
                    saved = self.seconds
                    self.save()
        if self.step > first_step:
            self.save()
        is_done = self.plan.done(self.step, self.seconds) == 1
        if is_done and self.step > first_step:
            pairs, time_taken = self.step * self.plan.batch, duration(self.seconds)
            self.tell(f"{self.plan.name}: {self.step:,} steps, {pairs:,} pairs, in {time_taken} · loss {self.loss:.3f}")
        return not is_done

    def save(self) -> None:
        state = {
            "model": self.model.state_dict(),
            "optimizers": {name: optimizer.state_dict() for name, (optimizer, _) in self.optimizers.items()},
            "step": self.step,
            "seconds": self.seconds,
            "position": list(self.position),
            "loss": self.loss,
        }
        aside = self.checkpoint.with_name(self.checkpoint.name + ".part")
        torch.save(state, aside)
        os.replace(aside, self.checkpoint)

    def _load(self) -> None:
        if not self.checkpoint.exists():
            return
        state = torch.load(self.checkpoint, map_location="cpu")
        self.model.load_state_dict(state["model"])
        for name, (optimizer, _) in self.optimizers.items():
            optimizer.load_state_dict(state["optimizers"][name])
        self.step, self.seconds, self.loss = state["step"], state["seconds"], state["loss"]
        self.position = (int(state["position"][0]), int(state["position"][1]))
        self._forget_later_steps()
        if self.plan.done(self.step, self.seconds) < 1:
            self.tell(f"{self.plan.name}: going on from step {self.step:,}")

    def _forget_later_steps(self) -> None:
        """What a killed run wrote down after its last checkpoint will be trained, and written down, again."""
        lines = self.history.read_text(encoding="utf-8").splitlines(keepends=True) if self.history.exists() else []
        entries = [json.loads(line) for line in lines if line.endswith("\n")]
        kept = [one for one in entries if one["phase"] != self.plan.name or one["step"] <= self.step]
        self.history.write_text("".join(json.dumps(one) + "\n" for one in kept), encoding="utf-8")

    def _learn(self, batch: Batch) -> None:
        for optimizer, peak in self.optimizers.values():
            for group in optimizer.param_groups:
                group["lr"] = peak * self.plan.factor(self.step, self.seconds)
        loss = objective(self.model, batch, self.plan)
        value = float(loss.detach())
        if not math.isfinite(value):
            raise UserError(f"{self.plan.name}: the loss was no number at step {self.step + 1}; lower its rate.")
        self.model.zero_grad(set_to_none=True)
        loss.backward()
        if self.plan.clip and self.layers:
            torch.nn.utils.clip_grad_norm_(self.layers, self.plan.clip)
        for optimizer, _ in self.optimizers.values():
            optimizer.step()
        self.step += 1
        self.loss = value if math.isnan(self.loss) else SMOOTHING * self.loss + (1 - SMOOTHING) * value
        with open(self.history, "a", encoding="utf-8") as lines:
            lines.write(json.dumps({"phase": self.plan.name, "step": self.step, "loss": value}) + "\n")

    def _report(self, steps: int, seconds: float) -> None:
        left = self.seconds * (1 / max(1e-9, self.plan.done(self.step, self.seconds)) - 1)
        of = "" if self.plan.minutes else f" of {self.plan.steps:,}"
        self.tell(
            f"{self.plan.name}: step {self.step:,}{of} · loss {self.loss:.3f} · "
            f"{steps * self.plan.batch / max(seconds, 1e-9):,.0f} pairs/s · {duration(left)} left"
        )


def objective(model: Any, batch: Batch, plan: Plan) -> Tensor:
    """Additive-margin softmax in both directions (LaBSE, equation 3), mean over the pairs; equal texts are no
    negatives of each other. With `plan.reach`, so much of the words' own loss besides."""
    # Both sides at once: one lookup, so one gradient of the whole table, and fewer small chunks.
    sources, targets = model(joined(batch.sources, batch.targets)).tensor_split([len(batch.rows)])
    keys = torch.from_numpy(batch.keys).to(sources.device)
    whole = GlobalBatch(sources, targets, keys, 0, len(sources))
    loss = block_loss(whole, 0, len(sources), plan.scale, plan.margin) / len(sources)
    if plan.reach:
        n = min(plan.reach_pairs, len(batch.rows))
        few = batch.sources.first(n), batch.targets.first(n)
        loss = loss + plan.reach * reach_loss(model.words, *few, batch.keys[:n], plan.scale)
    return loss
