"""What a run will do, settled before the first step: batch, steps, learning rate, memory."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from accelerate.utils import gather_object

from labse_search.errors import UserError
from labse_search.finetune.config import FinetuneConfig
from labse_search.finetune.data import Data
from labse_search.finetune.model import layer_weights, set_trainable
from labse_search.finetune.sampling import draws_of_groups
from labse_search.training.memory import BatchShape, free_memory, training_memory
from labse_search.training.models import is_static

# Of layers. The labse-mini of two layers had 1.7 million, the present one has 23, LaBSE 86.
FEW_WEIGHTS = 10_000_000
MAX_TRAINING_TOKENS = 128  # pairs are sentences; a window of 256 costs memory for padding (LaBSE's own: 64 to 128)


@dataclass(frozen=True)
class Plan:
    """What the run will do; the same on every process."""

    processes: int
    global_batch: int
    negatives: int  # of each row and direction
    steps: int
    learning_rate: float
    cached: bool
    memory: int  # bytes of one process, estimated


def make_plan(config: FinetuneConfig, data: Data, model: Any, processes: int) -> Plan:
    """UserError when the data does not fill one batch, or a batch does not divide among the processes."""
    static = is_static(model)
    draws = _draws(config, data)
    batch = config.global_batch_size or default_batch(min(len(data.training), draws), processes, static)
    _check_batch(batch, len(data.training), draws, processes, static)
    rows = batch // processes
    steps = config.max_steps if config.max_steps > 0 else _steps(config, draws // batch)
    set_trainable(model, config.freeze)

    shape = BatchShape(rows, batch, columns=2 + config.hard_negatives, tokens=window(config, model))
    at_once = training_memory(model, shape, mini_batch=0)
    cached = not static and 0 < config.mini_batch_size < rows and caches(config.grad_cache, at_once, free_memory())
    cached = any(gather_object([cached]))  # the processes see different memory, and must do the same
    return Plan(
        processes,
        batch,
        (batch if config.gather else rows) * (1 + config.hard_negatives) - 1,
        steps,
        config.learning_rate or default_learning_rate(config, model),
        cached,
        training_memory(model, shape, mini_batch=config.mini_batch_size) if cached else at_once,
    )


def plan_lines(config: FinetuneConfig, plan: Plan, data: Data) -> list[str]:
    """The plan for a person."""
    rows = plan.global_batch // plan.processes
    cache = f" (GradCache, {config.mini_batch_size} texts at once)" if plan.cached else ""
    gathered = "from all processes" if config.gather else "from its own process only"
    epochs = plan.steps * plan.global_batch * config.accumulation / len(data.training)
    return [
        f"batch: {plan.processes} processes × {rows} = {plan.global_batch} pairs{cache}; "
        f"negatives per row: {plan.negatives} each way, {gathered}",
        f"loss: scale {config.scale:g}, margin {config.used_margin:g}, {config.reduction} of both directions",
        f"steps: {plan.steps:,} ({epochs:.1f} epochs), learning rate {plan.learning_rate:g}",
        f"memory: about {plan.memory / 2**30:.1f} GiB in each process, an estimate",
    ]


def window(config: FinetuneConfig, model: Any) -> int:
    """Tokens of a text while training; static models have no window."""
    longest = config.max_length or MAX_TRAINING_TOKENS
    return longest if is_static(model) else min(model.max_seq_length or longest, longest)


def caches(setting: str, needed: int, free: int) -> bool:
    """Whether to use GradCache when the activations of a whole batch need so many bytes and so many are free."""
    return setting == "always" or (setting == "auto" and needed > free / 2)


def default_batch(pairs: int, processes: int, static: bool) -> int:
    """The largest power of two that is a tenth of the pairs or less, 32 … 256 (static models: 1,024), a multiple of
    the processes: more negatives help, but a handful of steps an epoch do not train."""
    wanted = max(32, min(1024 if static else 256, pairs // 10))
    power: int = 2 ** (wanted.bit_length() - 1)
    return max(processes, power // processes * processes)


def default_learning_rate(config: FinetuneConfig, model: Any) -> float:
    """What was found to do well for models of this size."""
    if is_static(model):
        return 2e-3  # two values tried on TICO-19, under other scale and margin too
    if config.lora_rank:
        return 1e-4
    # The first: tried with a model of two layers (benchmarks/results/training.md); the second: what BERTs take.
    return 1e-4 if layer_weights(model) < FEW_WEIGHTS else 2e-5


def _check_batch(batch: int, pairs: int, draws: int, processes: int, static: bool) -> None:
    if batch % processes:
        raise UserError(
            f"--global-batch-size {batch} does not divide among {processes} processes. "
            f"Use {batch // processes * processes or processes}."
        )
    fewer = min(pairs, draws)
    if fewer >= batch:
        return
    possible = default_batch(fewer, processes, static)
    hint = f"Use --global-batch-size {possible}"
    if pairs < batch:
        hint = hint if possible <= fewer else "Give more pairs"
        raise UserError(f"{pairs} training pairs do not fill one global batch of {batch}. {hint}.")
    hint = hint if possible <= fewer else "Give larger weights in --train"
    raise UserError(
        f"the weights draw {draws} of the {pairs} training pairs in an epoch, which do not fill one global batch of "
        f"{batch}. {hint}."
    )


def _draws(config: FinetuneConfig, data: Data) -> int:
    """How many pairs an epoch takes."""
    if not data.training:  # none has so many hard negatives
        return 0
    languages, weights = [pair.language for pair in data.training], [pair.weight for pair in data.training]
    return int(draws_of_groups(languages, weights, temperature=config.temperature)[1].sum())


def _steps(config: FinetuneConfig, batches: int) -> int:
    return max(1, round(config.epochs * -(-batches // config.accumulation)))
