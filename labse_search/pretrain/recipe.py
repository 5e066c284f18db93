"""A pre-training run in order: read, vocabulary or start, then for each stage grow, train, measure; write the folder.

Every process runs this; what is printed and written is the first process's. The folder is a sentence-transformers
model with LaBSE's stack (Transformer, pooling, Dense with tanh, Normalize): fine-tuning and the app load it as it is.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from pathlib import Path

from accelerate.utils import set_seed
from transformers import PreTrainedTokenizerFast

from labse_search.corpora.values import Say
from labse_search.errors import UserError
from labse_search.pretrain.config import PretrainConfig, PretrainResult
from labse_search.pretrain.data import Data, read_data
from labse_search.pretrain.folder import write_folder
from labse_search.pretrain.held_out import HeldOutLoss
from labse_search.pretrain.masking import MaskedDataset
from labse_search.pretrain.stacking import grow
from labse_search.pretrain.stage import Stage, train_stage
from labse_search.pretrain.start import begin
from labse_search.training.checks import check_output, check_positive, check_shares
from labse_search.training.processes import join_processes, resolve_precision
from labse_search.training.run_folder import check_same_run, partial_folder, prepare

log = logging.getLogger(__name__)
# Settings that a resumed run may have otherwise than the interrupted one.
MAY_CHANGE = frozenset(("resume", "dry_run", "save_steps"))


def run(config: PretrainConfig, say: Say | None = None) -> PretrainResult:
    """See `pretrain.pretrain`."""
    state = join_processes()
    tell = (say or log.info) if state.is_main_process else _silence
    folder = check_settings(config, state.num_processes)
    data = read_data(config.text, config.pairs, held_out=config.held_out, seed=config.seed, say=tell)
    for line in [*data.describe(), *plan_lines(config, state.num_processes)]:
        tell(line)
    if config.dry_run:
        return PretrainResult(folder, ())
    work = partial_folder(folder)
    if config.resume != "none":
        check_same_run(work, config, data.summary(), MAY_CHANGE)
    state.wait_for_everyone()
    if state.is_main_process:
        prepare(work, config, data.summary(), keep=config.resume != "none")
    state.wait_for_everyone()

    set_seed(config.seed)
    tokenizer, encoder = begin(config, data, work, tell)
    dataset = tokenize(tokenizer, data)
    held_out = HeldOutLoss(tokenizer, data, config)
    losses = [held_out.measure(encoder)]
    tell(f"before: {_shown(losses[0])}")
    for number, (layers, steps) in enumerate(zip(config.stages, config.steps, strict=True), start=1):
        encoder = grow(encoder, layers)
        if train_stage(Stage(number, steps, work), config, encoder, (tokenizer, dataset), tell):
            tell(f"stopped with a checkpoint in {work}; go on with the same command and --resume auto")
            return PretrainResult(work, tuple(losses), interrupted=True)
        losses.append(held_out.measure(encoder))
        tell(f"stage {number}, {layers} layers, {steps:,} steps: {_shown(losses[-1])}")
    if state.is_main_process:
        write_folder(config, data, (tokenizer, encoder), losses, work)
    state.wait_for_everyone()
    tell(f"written to {folder}; go on with labse_search.finetune --model {folder}")
    return PretrainResult(folder, tuple(losses))


def check_settings(config: PretrainConfig, processes: int) -> Path:
    """The output folder. UserError, naming the flag, for what no data could make right."""
    if len(config.stages) != len(config.steps):
        raise UserError(f"--stages has {len(config.stages)} numbers and --steps {len(config.steps)}: give as many.")
    if list(config.stages) != sorted(config.stages):
        raise UserError(f"--stages {config.stages}: each stage has at least the layers of the one before.")
    if config.global_batch_size % processes:
        raise UserError(f"--global-batch-size {config.global_batch_size} does not divide among {processes} processes.")
    if not config.init and config.hidden % config.heads:
        fitting = config.hidden // config.heads * config.heads
        raise UserError(f"--hidden {config.hidden} does not divide among --heads {config.heads}. Use {fitting}.")
    check_shares(config, "warmup", "masked")
    check_positive(config, "global_batch_size", "learning_rate", "window", "vocabulary")
    resolve_precision(config.precision)
    return check_output(config.output)


def plan_lines(config: PretrainConfig, processes: int) -> list[str]:
    """The plan for a person."""
    stages = ", ".join(
        f"{layers} layers × {steps:,} steps" for layers, steps in zip(config.stages, config.steps, strict=True)
    )
    rows = config.global_batch_size // processes
    return [
        f"batch: {processes} processes × {rows} = {config.global_batch_size} lines or pairs; "
        f"{100 * config.masked:g} % of the tokens masked",
        f"stages: {stages}; learning rate {config.learning_rate:g}",
    ]


def tokenize(tokenizer: PreTrainedTokenizerFast, data: Data) -> MaskedDataset:
    """Lines and pairs of the training data as token ids."""
    return MaskedDataset(
        tokenizer, [line for _, line in data.lines], [(pair.source, pair.target) for pair in data.pairs]
    )


def _shown(losses: Mapping[str, float]) -> str:
    return "held-out loss " + ", ".join(f"{kind} {value:.3f}" for kind, value in losses.items())


def _silence(_: str) -> None:
    return None
