"""Settings that cannot work are refused before any file is read."""

from __future__ import annotations

import importlib.util
from pathlib import Path

from labse_search.errors import UserError
from labse_search.finetune.config import FinetuneConfig
from labse_search.training.checks import check_output, check_positive, check_shares, check_tracker
from labse_search.training.models import model_folder
from labse_search.training.processes import resolve_precision


def check_settings(config: FinetuneConfig) -> Path:
    """The output folder. UserError, naming the flag, for what no data could make right."""
    if not config.train:
        raise UserError("--train: give at least one file of pairs.")
    _check_numbers(config)
    resolve_precision(config.precision)
    check_tracker(config.report_to)
    if config.lora_rank and importlib.util.find_spec("peft") is None:
        raise UserError("--lora-rank needs the package peft: pip install peft")
    if config.resume not in ("auto", "none") and not Path(config.resume).is_dir():
        raise UserError(f"--resume {config.resume}: no checkpoint there. Use --resume auto or none.")
    base = model_folder(config.model)
    if config.output and Path(config.output).resolve() == base.resolve():
        raise UserError(f"--output {config.output} is the model it starts from, which is never overwritten.")
    return check_output(config.output, overwrite=config.overwrite)


def _check_numbers(config: FinetuneConfig) -> None:
    for alpha in config.alphas:
        if not 0 < alpha <= 1:
            raise UserError(f"--alphas {alpha:g}: a weight of the tuned model lies above 0 and is at most 1.")
    check_shares(config, "warmup", "dev_fraction")
    check_positive(config, "scale", "epochs", "accumulation", "max_ratio", "save_limit", "max_characters")
    if config.mini_batch_size < 0:
        raise UserError(f"--mini-batch-size {config.mini_batch_size}: expected 0, for all at once, or more.")
    if config.grad_cache == "always" and not config.mini_batch_size:
        raise UserError("--grad-cache always needs a --mini-batch-size, of what is in memory at once.")
    if config.columns and len(config.columns) != 2:
        raise UserError(f"--columns {' '.join(config.columns)}: name two, the source's and the target's.")
