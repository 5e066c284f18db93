"""A fine-tuning run in order: read, clean, split, plan, measure the base, train, measure mixes, decide, write.

Every process runs this; what is printed and written is the first process's. All processes hold the same data and the
same verdict, so none waits for another's decision.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from accelerate.utils import gather_object
from datasets import Dataset
from sentence_transformers.util import disable_datasets_caching
from transformers import PrinterCallback
from transformers.trainer_utils import get_last_checkpoint

from labse_search.errors import UserError
from labse_search.finetune import output
from labse_search.finetune.clean import clean_pairs, split_dev, without_texts_of, wrong_by_langid, wrong_script
from labse_search.finetune.config import FinetuneConfig, FinetuneResult
from labse_search.finetune.gate import Measured, Verdict, check_room, decide, measure, read_regression
from labse_search.finetune.keys import text_key
from labse_search.finetune.loss import AdditiveMarginRankingLoss, CachedAdditiveMarginRankingLoss
from labse_search.finetune.model import (
    FEW_WEIGHTS,
    MAX_TRAINING_TOKENS,
    add_adapters,
    frozen_twin,
    interpolate,
    is_static,
    layer_weights,
    merge_adapters,
    open_model,
    set_pooling,
    set_trainable,
    state_of,
    stored_type,
    training_memory,
)
from labse_search.finetune.pairs import TrainingPair, read_pairs
from labse_search.finetune.sampling import plan_sampling
from labse_search.finetune.trainer import (
    DevCallback,
    EpochCallback,
    FiniteCallback,
    PairTrainer,
    ProgressCallback,
    Say,
    StopCallback,
    free_memory,
    join_processes,
    training_arguments,
)

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Data:
    training: list[TrainingPair]
    dev: list[TrainingPair]
    regression: dict[str, list[TrainingPair]]
    report: list[str]  # lines for a person: what was read and dropped


@dataclass(frozen=True)
class Plan:
    """What the run will do, settled before the first step."""

    processes: int
    global_batch: int
    negatives: int  # of each row and direction
    steps: int
    learning_rate: float
    cached: bool
    memory: int  # bytes of one process, estimated


def run(config: FinetuneConfig, say: Say | None = None) -> FinetuneResult:
    state = join_processes()
    tell = (say or log.info) if state.is_main_process else _silence
    folder = check_output(config)
    data = read_data(config)
    for line in data.report:
        tell(line)
    model = open_model(config.model)
    stored = stored_type(model)
    model.float()
    plan = make_plan(config, data, model, state.num_processes)
    for line in plan_lines(config, plan, data):
        tell(line)
    if config.dry_run:
        return FinetuneResult(None, None, False, 0.0, folder, "dry run: nothing was trained")
    work = folder.with_name(folder.name + ".partial")
    if config.resume != "none":
        output.check_same_run(work, config)
    base = measure(model, data.dev, data.regression)
    tell(f"base: dev {output.percent(base.domain)}" + _regression_text(base))
    check_room(base, config)  # before there is a folder, with whose settings other ones would be refused
    state.wait_for_everyone()
    if state.is_main_process:
        output.prepare(work, config, keep=config.resume != "none")
    state.wait_for_everyone()

    base_state = state_of(model)
    began = time.monotonic()
    trained = train(config, plan, data, model, work, tell)
    if trained.stopped:
        tell(f"stopped with a checkpoint in {work}; go on with the same command and --resume auto")
        return FinetuneResult(base.domain, None, False, 0.0, work, "interrupted", interrupted=True)
    seconds = time.monotonic() - began
    mixes, verdict = sweep(config, data, model, base, base_state, trained.problem, tell)
    if state.is_main_process:
        path = output.finish(output.Run(config, data, plan, base, mixes, verdict, seconds, stored), model, work, folder)
    state.wait_for_everyone()
    path = folder if verdict.accepted else output.refused_folder(folder)
    after = mixes[verdict.alpha].domain if verdict.accepted else (mixes[max(mixes)].domain if mixes else None)
    for line in output.verdict_lines(base, mixes, verdict, path):
        tell(line)
    return FinetuneResult(base.domain, after, verdict.accepted, verdict.alpha, path, verdict.reason)


def check_output(config: FinetuneConfig) -> Path:
    if not config.train:
        raise UserError("--train: give at least one file of pairs.")
    if not config.output:
        raise UserError("--output: name the folder of the new model.")
    folder = Path(config.output)
    if config.model and Path(config.model).exists() and folder.resolve() == Path(config.model).resolve():
        raise UserError(f"--output {folder} is the model it starts from, which is never overwritten. Name another.")
    if folder.exists() and not config.overwrite:
        raise UserError(f"--output {folder} exists already. Name another folder, or add --overwrite.")
    return folder


def read_data(config: FinetuneConfig) -> Data:
    """Cleaned training pairs, a dev set that shares no text with them, and the regression pools."""
    check = {"script": wrong_script, "langid": wrong_by_langid, "none": None}[config.language_check]
    pairs: list[TrainingPair] = []
    for specification in config.train:
        pairs += read_pairs(specification)
    pairs, report = clean_pairs(
        pairs, max_ratio=config.max_ratio, max_characters=config.max_characters, wrong_language=check
    )
    lines = ["training: " + line for line in report.lines()]
    if config.dev:
        dev, dev_report = clean_pairs([pair for specification in config.dev for pair in read_pairs(specification)])
        lines += ["dev: " + line for line in dev_report.lines()]
        training, shared = without_texts_of(pairs, dev)
    else:
        training, dev, shared = split_dev(pairs, fraction=config.dev_fraction, at_most=config.dev_max, seed=config.seed)
    if len(dev) < 20:
        raise UserError(
            f"only {len(dev)} pairs to measure on: too few to tell a better model from a worse one. "
            "Give more pairs, or --dev FILE with at least 20 (better 500)."
        )
    lines.append(
        f"{len(training):,} pairs to train on, {len(dev):,} to measure on, {shared:,} dropped for sharing a text"
    )
    if len(training) < 500:
        lines.append("fewer than 500 pairs: expect little; --lora-rank 8 and --epochs 1 forget least")
    if config.hard_negatives:
        training = [pair for pair in training if len(pair.negatives) >= config.hard_negatives]
        lines.append(f"{len(training):,} of them have {config.hard_negatives} hard negatives")
    regression = read_regression(config.regression, config.regression_max)
    if not regression:
        lines.append("no --regression set: what the model forgets beside the domain will not be seen")
    return Data(training, dev, regression, lines)


def make_plan(config: FinetuneConfig, data: Data, model: Any, processes: int) -> Plan:
    """UserError when the data does not fill one batch, a batch does not divide, or sizes contradict each other."""
    static = is_static(model)
    if config.mini_batch_size < 0:
        raise UserError(f"--mini-batch-size {config.mini_batch_size}: expected 0, for all at once, or more.")
    if config.grad_cache == "always" and not config.mini_batch_size:
        raise UserError("--grad-cache always needs a --mini-batch-size, of what is in memory at once.")
    batch = config.global_batch_size or default_batch(len(data.training), processes, static)
    if batch % processes:
        raise UserError(
            f"--global-batch-size {batch} does not divide among {processes} processes. "
            f"Use {batch // processes * processes or processes}."
        )
    if len(data.training) < batch:
        possible = default_batch(len(data.training), processes, static)
        hint = f"Use --global-batch-size {possible}" if possible <= len(data.training) else "Give more pairs"
        raise UserError(f"{len(data.training)} training pairs do not fill one global batch of {batch}. {hint}.")
    rows = batch // processes
    columns = 2 + config.hard_negatives
    steps = config.max_steps if config.max_steps > 0 else _steps(config, data, batch)
    set_trainable(model, config.freeze)
    pool = batch if config.gather else rows

    def memory(mini_batch: int) -> int:
        return training_memory(
            model, batch=rows, mini_batch=mini_batch, columns=columns, world_batch=batch, tokens=window(config, model)
        )

    cached = not static and 0 < config.mini_batch_size < rows and caches(config.grad_cache, memory(0), free_memory())
    cached = any(gather_object([cached]))  # the processes see different memory, and must do the same
    return Plan(
        processes,
        batch,
        pool * (1 + config.hard_negatives) - 1,
        steps,
        config.learning_rate or default_learning_rate(config, model),
        cached,
        memory(config.mini_batch_size if cached else 0),
    )


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
    if is_static(model):
        return 2e-3  # two values tried on TICO-19, under other scale and margin too
    if config.lora_rank:
        return 1e-4
    # The first: three values tried with labse-mini (benchmarks/results/training.md); the second: what BERTs take.
    return 1e-4 if layer_weights(model) < FEW_WEIGHTS else 2e-5


def plan_lines(config: FinetuneConfig, plan: Plan, data: Data) -> list[str]:
    rows = plan.global_batch // plan.processes
    margin = 0.0 if config.loss == "infonce" else config.margin
    cache = f" (GradCache, {config.mini_batch_size} texts at once)" if plan.cached else ""
    gathered = "from all processes" if config.gather else "from its own process only"
    epochs = plan.steps * plan.global_batch * config.accumulation / len(data.training)
    return [
        f"batch: {plan.processes} processes × {rows} = {plan.global_batch} pairs{cache}; "
        f"negatives per row: {plan.negatives} each way, {gathered}",
        f"loss: scale {config.scale:g}, margin {margin:g}, {config.reduction} of both directions",
        f"steps: {plan.steps:,} ({epochs:.1f} epochs), learning rate {plan.learning_rate:g}",
        f"memory: about {plan.memory / 2**30:.1f} GiB in each process, an estimate",
    ]


@dataclass(frozen=True)
class Trained:
    stopped: bool
    problem: str  # why the weights cannot be used; empty if they can


def train(config: FinetuneConfig, plan: Plan, data: Data, model: Any, work: Path, tell: Say) -> Trained:
    """Train `model` in place; adapters are merged when it returns."""
    static = is_static(model)
    own_window = None if static else model.max_seq_length
    anchor = frozen_twin(model) if config.anchor_weight else None
    set_pooling(model, config.pooling)
    set_trainable(model, config.freeze)
    if config.lora_rank:
        add_adapters(model, config.lora_rank)
    if own_window:
        model.max_seq_length = window(config, model)
    checkpoints = work / "checkpoints"
    sampling = plan_sampling(
        [pair.language for pair in data.training],
        [pair.weight for pair in data.training],
        [len(pair.source) + len(pair.target) for pair in data.training],
        [(text_key(pair.source), text_key(pair.target)) for pair in data.training],
        temperature=config.temperature,
    )
    arguments = training_arguments(
        config,
        global_batch=plan.global_batch,
        steps=plan.steps,
        learning_rate=plan.learning_rate,
        find_unused=not static and model[0].auto_model.config.model_type not in ("bert", "xlm-roberta", "roberta"),
        folder=checkpoints,
    )
    every = config.eval_steps or max(1, -(-plan.steps // 10))
    some = data.dev[:1000]  # the curve need not be as sure as the verdict
    finite = FiniteCallback()
    progress = ProgressCallback(tell, work / "run" / "history.jsonl")
    dev = DevCallback(every, lambda: measure(model, some, None).domain.accuracy, progress)
    with StopCallback() as stop, disable_datasets_caching():
        trainer = PairTrainer(
            model=model,
            args=arguments,
            train_dataset=Dataset.from_dict(training_columns(data.training, config.hard_negatives)),
            loss=make_loss(config, plan, model, anchor),
            plan=sampling,
            length_window=config.length_window,
            callbacks=[progress, finite, dev, stop],
        )
        trainer.remove_callback(PrinterCallback)
        trainer.add_callback(EpochCallback(trainer))
        checkpoint = find_checkpoint(config, checkpoints, tell)
        if not checkpoint:
            dev.measure(0)
        trainer.train(resume_from_checkpoint=checkpoint)
    if config.lora_rank and not stop.stopped:
        merge_adapters(model)
    if own_window:
        model.max_seq_length = own_window
    if finite.broken_at is not None:
        return Trained(stop.stopped, f"the loss was no number at step {finite.broken_at}; lower --learning-rate")
    if any(not bool(torch.isfinite(parameter).all()) for parameter in model.parameters()):
        return Trained(stop.stopped, "weights are no numbers any more; lower --learning-rate")
    return Trained(stop.stopped, "")


def make_loss(config: FinetuneConfig, plan: Plan, model: Any, anchor: Any) -> Any:
    options: dict[str, Any] = {
        "scale": config.scale,
        "margin": 0.0 if config.loss == "infonce" else config.margin,
        "reduction": config.reduction,
        "gather": config.gather,
        "anchor": anchor,
        "anchor_weight": config.anchor_weight,
    }
    loss = CachedAdditiveMarginRankingLoss if plan.cached else AdditiveMarginRankingLoss
    return loss(model, mini_batch_size=0 if is_static(model) else config.mini_batch_size, **options)


def training_columns(pairs: Sequence[TrainingPair], hard_negatives: int) -> dict[str, list[str]]:
    columns = {"source": [pair.source for pair in pairs], "target": [pair.target for pair in pairs]}
    for at in range(hard_negatives):
        columns[f"negative{at + 1}"] = [pair.negatives[at] for pair in pairs]
    return columns


def find_checkpoint(config: FinetuneConfig, checkpoints: Path, tell: Say) -> str | None:
    if config.resume == "none":
        return None
    found = config.resume
    if config.resume == "auto":
        found = (get_last_checkpoint(str(checkpoints)) if checkpoints.is_dir() else None) or ""
    elif not Path(found).is_dir():
        raise UserError(f"--resume {found}: no checkpoint there. Use --resume auto or none.")
    if found:
        tell(f"going on from {found}")
    return found or None


def sweep(
    config: FinetuneConfig,
    data: Data,
    model: Any,
    base: Measured,
    base_state: dict[str, torch.Tensor],
    problem: str,
    tell: Say,
) -> tuple[dict[float, Measured], Verdict]:
    """Measure every mix of base and tuned weights; the model is left as the mix that won."""
    if problem:
        return {}, Verdict(0.0, problem, None)
    tuned_state, mixes = state_of(model), {}
    for alpha in sorted(set(config.alphas)):
        if not 0 < alpha <= 1:
            raise UserError(f"--alphas {alpha:g}: a weight of the tuned model lies above 0 and is at most 1.")
        model.load_state_dict(interpolate(base_state, tuned_state, alpha))
        mixes[alpha] = measure(model, data.dev, data.regression)
        tell(f"alpha {alpha:g}: dev {output.percent(mixes[alpha].domain)}" + _regression_text(mixes[alpha]))
    verdict = decide(base, mixes, config)
    model.load_state_dict(interpolate(base_state, tuned_state, verdict.alpha))
    return mixes, verdict


def _steps(config: FinetuneConfig, data: Data, batch: int) -> int:
    draws = sum(pair.weight for pair in data.training)
    batches = max(1, int(draws) // batch)
    return max(1, round(config.epochs * -(-batches // config.accumulation)))


def _regression_text(measured: Measured) -> str:
    return f", regression {output.percent(measured.regression)}" if measured.regression else ""


def _silence(_: str) -> None:
    return None
