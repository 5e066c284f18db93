"""What a run will take, said before it: seconds, measured on some of its own pairs on this machine, and memory."""

from __future__ import annotations

import random
import time
from dataclasses import dataclass
from typing import Any

import torch

from labse_search.finetune.acceptance import check_gain_possible, measure
from labse_search.finetune.config import FinetuneConfig
from labse_search.finetune.data import Data
from labse_search.finetune.plan import Plan, window
from labse_search.finetune.train import dev_on_the_way, measurements
from labse_search.machine import usable_cores
from labse_search.training.callbacks import duration
from labse_search.training.memory import free_memory
from labse_search.training.models import is_static
from labse_search.training.processes import on_cpu, resolve_precision

SAMPLE = 64  # texts that are timed, after as many that only warm up; each pair has two
CACHED = 4 / 3  # GradCache makes each forward pass twice; a backward pass takes as long as two of them


@dataclass(frozen=True)
class Estimate:
    """Of the whole run. Memory in bytes of one process; `free`: what this process could take now."""

    seconds: float
    seconds_a_text: float  # to encode one, as a collection is embedded again
    memory: int
    free: int
    device: str  # "cpu" or "gpu"
    cores: int
    training_pairs: int
    dev_pairs: int

    def lines(self) -> list[str]:
        """For a person."""
        found = [f"time: about {duration(self.seconds)} on this machine, measured on {SAMPLE} of these texts"]
        if self.memory > self.free:
            found.append(
                f"too small: {self.memory / 2**30:.1f} GiB in each process are needed, {self.free / 2**30:.1f} GiB are "
                "free. Close other programs, or give --grad-cache always, --global-batch-size 32 or --max-length 64."
            )
        return found


def estimate(config: FinetuneConfig, plan: Plan, data: Data, model: Any) -> Estimate:
    """Times a step's work on a sample and the measurement of the base, and scales them up. UserError where the base
    leaves no room for a gain."""
    rng = random.Random(config.seed)
    some = [rng.choice(data.training) for _ in range(SAMPLE)]
    texts = [text for pair in some for text in (pair.source, pair.target)]
    own = None if is_static(model) else model.max_seq_length
    if own:
        model.max_seq_length = window(config, model)
    step = _seconds_to_learn(model, texts, resolve_precision(config.precision)) * (CACHED if plan.cached else 1)
    if own:
        model.max_seq_length = own
    started = time.perf_counter()
    check_gain_possible(measure(model, data.dev, None), config)
    measured = (time.perf_counter() - started) / len(data.dev)  # of a pair
    if config.teacher:
        step += measured / 4  # it reads one side of each pair
    drawn = plan.steps * plan.global_batch * config.accumulation * (2 + config.hard_negatives)
    held = sum(len(pairs) for pairs in (data.dev, *data.regression.values()))
    curve = measurements(config, plan.steps) * len(dev_on_the_way(config, plan, data))
    compared = held * (1 + len(set(config.alphas))) + curve
    return Estimate(
        seconds=drawn * step + compared * measured,
        seconds_a_text=measured / 2,
        memory=plan.memory,
        free=free_memory(),
        device="cpu" if on_cpu() else "gpu",
        cores=usable_cores(),
        training_pairs=len(data.training),
        dev_pairs=len(data.dev),
    )


def _seconds_to_learn(model: Any, texts: list[str], precision: str) -> float:
    """Of one text, forward and backward."""
    model.train()
    half = len(texts) // 2
    dtype = torch.float16 if precision == "fp16" else torch.bfloat16
    for part in (texts[:half], texts[half:]):
        started = time.perf_counter()
        features = {name: value.to(model.device) if hasattr(value, "to") else value
                    for name, value in model.preprocess(part).items()}  # fmt: skip
        with torch.autocast(model.device.type, dtype, enabled=precision != "fp32"):
            vectors = model(features)["sentence_embedding"]
        vectors.sum().backward()
        if model.device.type == "cuda":
            torch.cuda.synchronize()  # a GPU's work goes on after the call
        seconds = (time.perf_counter() - started) / max(len(part), 1)
    model.zero_grad(set_to_none=True)
    return seconds
