"""A fine-tuning run in order: check, read, plan, measure the base, train, interpolate and measure, decide, write.

Every process runs this; what is printed and written is the first process's. All processes hold the same data and the
same verdict, so none waits for another's decision.
"""

from __future__ import annotations

import dataclasses
import logging
import time
from pathlib import Path
from typing import Any

import torch

from labse_search.corpora.values import Say
from labse_search.files import write_json
from labse_search.finetune.acceptance import Measured, Verdict, check_gain_possible, decide, measure
from labse_search.finetune.checks import check_settings
from labse_search.finetune.config import FinetuneConfig, FinetuneResult
from labse_search.finetune.data import read_data
from labse_search.finetune.estimate import estimate
from labse_search.finetune.folder import MAY_CHANGE, finish, refused_folder, what_is_read
from labse_search.finetune.model import interpolate, state_of, stored_type
from labse_search.finetune.plan import make_plan, plan_lines
from labse_search.finetune.report import Outcome, percent, verdict_lines
from labse_search.finetune.train import Task, make_distillation, train
from labse_search.training.models import model_folder, open_model
from labse_search.training.processes import join_processes
from labse_search.training.run_folder import check_same_run, partial_folder, prepare

log = logging.getLogger(__name__)


def run(config: FinetuneConfig, say: Say | None = None) -> FinetuneResult:
    """See `finetune.finetune`."""
    state = join_processes()
    tell = (say or log.info) if state.is_main_process else _silence
    folder = check_settings(config)
    data = read_data(config, tell)
    base_folder = model_folder(config.model)
    model = open_model(base_folder)
    stored = stored_type(model)
    model.float()
    distillation = make_distillation(config, data, model)
    plan = make_plan(config, data, model, state.num_processes)
    for line in plan_lines(config, plan, data):
        tell(line)
    if config.dry_run:
        needs = estimate(config, plan, data, model)
        for line in needs.lines():
            tell(line)
        if config.plan and state.is_main_process:
            write_json(Path(config.plan), dataclasses.asdict(needs) | {"plan": dataclasses.asdict(plan)})
        return FinetuneResult(None, None, False, 0.0, folder, "dry run: nothing was trained")
    work, read = partial_folder(folder), what_is_read(config, data, base_folder)
    if config.resume != "none":
        check_same_run(work, config, read, MAY_CHANGE)
    base = measure(model, data.dev, data.regression)
    tell(f"base: {_accuracies(base)}")
    check_gain_possible(base, config)  # before there is a folder, with whose settings other ones would be refused
    state.wait_for_everyone()
    if state.is_main_process:
        prepare(work, config, read, keep=config.resume != "none")
    state.wait_for_everyone()

    base_weights = state_of(model)
    began = time.monotonic()
    task = Task(config, plan, data, model, distillation)
    trained = train(task, work, tell)
    if trained.stopped:
        tell(f"stopped with a checkpoint in {work}; go on with the same command and --resume auto")
        return FinetuneResult(base.domain, None, False, 0.0, work, "interrupted", interrupted=True)
    seconds = time.monotonic() - began
    tuned, verdict = choose(task, base, base_weights, trained.problem, tell)
    if state.is_main_process:
        finish(Outcome(config, data, plan, base_folder, base, tuned, verdict, seconds, stored), model, work, folder)
    state.wait_for_everyone()
    path = folder if verdict.accepted else refused_folder(folder)
    after = tuned[verdict.alpha].domain if verdict.accepted else (tuned[max(tuned)].domain if tuned else None)
    for line in verdict_lines(base, tuned, verdict, path):
        tell(line)
    return FinetuneResult(base.domain, after, verdict.accepted, verdict.alpha, path, verdict.reason)


def choose(
    task: Task, base: Measured, base_weights: dict[str, torch.Tensor], problem: str, tell: Say
) -> tuple[dict[float, Measured], Verdict]:
    """Measure the interpolations of base and tuned weights; the model is left as the one that won, or as it was
    tuned if none did."""
    if problem:
        return {}, Verdict(0.0, problem, None)
    model: Any = task.model
    tuned_weights, tuned = state_of(model), {}
    for alpha in sorted(set(task.config.alphas)):
        model.load_state_dict(interpolate(base_weights, tuned_weights, alpha))
        tuned[alpha] = measure(model, task.data.dev, task.data.regression)
        tell(f"alpha {alpha:g}: {_accuracies(tuned[alpha])}")
    verdict = decide(base, tuned, task.config)
    model.load_state_dict(interpolate(base_weights, tuned_weights, verdict.alpha if verdict.accepted else 1.0))
    return tuned, verdict


def _accuracies(measured: Measured) -> str:
    regression = f", regression {percent(measured.regression)}" if measured.regression else ""
    return f"dev {percent(measured.domain)}{regression}"


def _silence(_: str) -> None:
    return None
