"""The training itself: the model goes in as it was stored and comes out tuned, unless Ctrl-C stopped it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from datasets import Dataset
from sentence_transformers import SentenceTransformerTrainingArguments
from sentence_transformers.util import disable_datasets_caching
from transformers import PrinterCallback

from labse_search.corpora.text_keys import text_key
from labse_search.corpora.values import Pair, Say
from labse_search.finetune.acceptance import measure
from labse_search.finetune.config import FinetuneConfig
from labse_search.finetune.data import Data
from labse_search.finetune.model import add_adapters, merge_adapters, reference_model, set_pooling, set_trainable
from labse_search.finetune.plan import Plan, window
from labse_search.finetune.sampling import plan_sampling
from labse_search.finetune.trainer import EpochCallback, PairTrainer, task_of
from labse_search.training.arguments import OneGpu, Steps, training_arguments
from labse_search.training.callbacks import DevCallback, FiniteCallback, ProgressCallback, StopCallback
from labse_search.training.losses import AdditiveMarginRankingLoss, CachedAdditiveMarginRankingLoss
from labse_search.training.models import is_static, model_folder, open_model, prompts_of
from labse_search.training.run_folder import find_checkpoint
from labse_search.training.teacher import Distillation, TextTeacher, check_dimensions

# Pairs of one measurement for the curve, which need not be as sure as the verdict: at most so many, and no more in all
# measurements together than are trained on, unless that were too few to tell anything.
MOST_ON_THE_WAY, FEWEST_ON_THE_WAY = 1000, 100
# Families whose forward pass uses every parameter, so that DDP need not look for unused ones.
NONE_UNUSED = ("bert", "xlm-roberta", "roberta")


class PairArguments(OneGpu, SentenceTransformerTrainingArguments):  # type: ignore[misc]
    """sentence-transformers' own."""


@dataclass(frozen=True)
class Trained:
    """How training ended."""

    stopped: bool
    problem: str  # why the weights cannot be used; empty if they can


@dataclass(frozen=True)
class Task:
    """A model and what it is to be taught."""

    config: FinetuneConfig
    plan: Plan
    data: Data
    model: Any
    distillation: Distillation | None


def train(task: Task, work: Path, tell: Say) -> Trained:
    """Train the model in place; adapters are merged when it returns. Checkpoints and history go to `work`."""
    config, model = task.config, task.model
    own_window = None if is_static(model) else model.max_seq_length
    loss = _prepare(task)
    finite = FiniteCallback()
    progress = ProgressCallback(tell, work / "run" / "history.jsonl")
    some = dev_on_the_way(config, task.plan, task.data)
    every = steps_between_measurements(config, task.plan.steps)
    dev = DevCallback(every, lambda: measure(model, some, None).domain.accuracy, progress)
    with StopCallback() as stop, disable_datasets_caching():
        trainer = PairTrainer(
            model=model,
            args=_arguments(task, work / "checkpoints"),
            train_dataset=Dataset.from_dict(training_columns(task.data.training, config.hard_negatives)),
            loss=loss,
            plan=_sampling(task),
            length_window=config.length_window,
            callbacks=[progress, finite, dev, stop],
        )
        trainer.remove_callback(PrinterCallback)
        trainer.add_callback(EpochCallback(trainer))
        checkpoint = find_checkpoint(config.resume, work / "checkpoints", tell)
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


def steps_between_measurements(config: FinetuneConfig, steps: int) -> int:
    """How often the dev set is measured on the way."""
    return config.eval_steps or max(1, -(-steps // 10))


def measurements(config: FinetuneConfig, steps: int) -> int:
    """How often that is in all, the one before the first step included."""
    return 1 + (steps - 1) // steps_between_measurements(config, steps)


def dev_on_the_way(config: FinetuneConfig, plan: Plan, data: Data) -> list[Pair]:
    """The dev pairs of the curve: taken from the whole set evenly, since it may lie in order of languages."""
    drawn = plan.steps * plan.global_batch * config.accumulation
    most = min(MOST_ON_THE_WAY, max(FEWEST_ON_THE_WAY, drawn // measurements(config, plan.steps)))
    return data.dev[:: -(-len(data.dev) // most)]


def make_distillation(config: FinetuneConfig, data: Data, model: Any) -> Distillation | None:
    """UserError when there is no such teacher, or its vectors do not fit."""
    if not config.teacher:
        return None
    teacher = open_model(model_folder(config.teacher))
    check_dimensions(model, teacher, config.teacher_vectors)
    side, prompts = config.teacher_side, prompts_of(teacher)
    texts = {}
    for pair in data.training:
        prompt = prompts.of(task_of(side, asked=pair.asked))
        texts[text_key(pair.source), text_key(pair.target)] = prompt + getattr(pair, side)
    return Distillation(
        TextTeacher(teacher, texts, batch_size=config.mini_batch_size or 32),
        config.teacher_vectors,
        config.teacher_similarities,
        config.teacher_scale,
    )


def make_loss(task: Task, anchor: Any = None) -> Any:
    """The loss of the run; `anchor`: the base's vectors, where they pull (--anchor-weight)."""
    config = task.config
    options: dict[str, Any] = {
        "scale": config.scale,
        "margin": config.used_margin,
        "reduction": config.reduction,
        "gather": config.gather,
        "anchor": anchor,
        "anchor_weight": config.anchor_weight,
        "distillation": task.distillation,
        "pair_weight": config.pair_weight,
    }
    loss = CachedAdditiveMarginRankingLoss if task.plan.cached else AdditiveMarginRankingLoss
    return loss(task.model, mini_batch_size=0 if is_static(task.model) else config.mini_batch_size, **options)


def training_columns(pairs: Sequence[Pair], hard_negatives: int) -> dict[str, list[Any]]:
    """Texts by column, as the Trainer takes them, and which of them are questions."""
    columns: dict[str, list[Any]] = {
        "source": [pair.source for pair in pairs],
        "target": [pair.target for pair in pairs],
        "asked": [pair.asked for pair in pairs],
    }
    for at in range(hard_negatives):
        columns[f"negative{at + 1}"] = [pair.negatives[at] for pair in pairs]
    return columns


def _prepare(task: Task) -> Any:
    """The model made ready for its steps; returns the loss."""
    config, model = task.config, task.model
    anchor = reference_model(model) if config.anchor_weight else None
    set_pooling(model, config.pooling)
    set_trainable(model, config.freeze)
    if config.lora_rank:
        add_adapters(model, config.lora_rank)
    if not is_static(model):
        model.max_seq_length = window(config, model)
    return make_loss(task, anchor)


def _arguments(task: Task, checkpoints: Path) -> Any:
    config, model = task.config, task.model
    return training_arguments(
        PairArguments,
        config,
        Steps(task.plan.global_batch, task.plan.steps, task.plan.learning_rate, config.seed),
        checkpoints,
        gradient_accumulation_steps=config.accumulation,
        num_train_epochs=config.epochs,
        max_steps=config.max_steps,
        max_grad_norm=config.clip,
        dataloader_drop_last=True,
        ddp_find_unused_parameters=not is_static(model) and model[0].auto_model.config.model_type not in NONE_UNUSED,
        save_total_limit=config.save_limit,
        report_to=config.report_to,
    )


def _sampling(task: Task) -> Any:
    pairs = task.data.training
    return plan_sampling(
        [pair.language for pair in pairs],
        [pair.weight for pair in pairs],
        [len(pair.source) + len(pair.target) for pair in pairs],
        [(text_key(pair.source), text_key(pair.target)) for pair in pairs],
        temperature=task.config.temperature,
    )
