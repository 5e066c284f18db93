"""The folder a run leaves: the model with its card, and `run/`: settings, metrics, history, plots.

Everything is written into OUTPUT.partial and renamed at the end. A refused run leaves OUTPUT.refused with `run/` and,
in `tuned/`, the weights that were refused: hours of training are not thrown away where a larger --dev set could have
shown the gain. What lay at OUTPUT stays as it was.
"""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

from labse_search.encoder.fingerprint import fingerprint
from labse_search.encoder.folder import OWN_FILE, read_folder, read_json
from labse_search.errors import ModelUnavailable
from labse_search.files import move_into_place, write_json
from labse_search.finetune.card import card
from labse_search.finetune.config import FinetuneConfig
from labse_search.finetune.data import Data
from labse_search.finetune.plots import plot_all
from labse_search.finetune.report import Outcome, metrics
from labse_search.training.models import is_static, model_folder

# Settings that a resumed run may have otherwise than the interrupted one: the first lines change nothing that is
# trained; the last are paths, and a folder may have been moved since, so their content is compared (`what_is_read`).
MAY_CHANGE = frozenset(
    """resume overwrite dry_run plan report_to eval_steps save_steps save_limit alphas accept grad_cache
    output regression
    train questions dev model teacher""".split()
)

TUNED = "tuned"  # in the folder of a refused run


def what_is_read(config: FinetuneConfig, data: Data, base: Path) -> dict[str, Any]:
    """Counts and digests of data and models: an interrupted run goes on with the same only, wherever they lie now."""
    teacher = _identity(model_folder(config.teacher)) if config.teacher else ""
    return {**data.summary(), "--model": _identity(base), "--teacher": teacher}


def _identity(folder: Path) -> str:
    try:
        return fingerprint(read_folder(folder))
    except ModelUnavailable:  # an encoder without modules.json, which sentence-transformers opens all the same
        return str(folder.resolve())


def refused_folder(folder: Path) -> Path:
    """Where a refused run leaves its numbers and its weights."""
    return folder.with_name(folder.name + ".refused")


def finish(run: Outcome, model: Any, work: Path, folder: Path) -> Path:
    """Write what is missing and rename; returns where it lies. The checkpoints go last: until the folder has its name
    there is something to go on from."""
    write_json(work / "run" / "metrics.json", metrics(run))
    plot_all(run, work / "run")
    if run.verdict.accepted:
        save_model(model, run, work)
    elif run.tuned:  # not if the weights are no numbers
        model.save(str(work / TUNED), create_model_card=False)
    target = folder if run.verdict.accepted else refused_folder(folder)
    move_into_place(work, target)
    shutil.rmtree(target / "checkpoints", ignore_errors=True)
    return target


def save_model(model: Any, run: Outcome, folder: Path) -> None:
    """The model, its card, and the base's own description with the languages that were added to it."""
    if is_static(model):
        model.to(run.stored)  # halves, if it came so: they cost a hundredth of a point at most, and half the size
    model.save(str(folder), create_model_card=False)
    languages = model_languages(run)
    (folder / "README.md").write_text(card(run, languages), encoding="utf-8")
    own = read_json(run.base_folder / OWN_FILE)
    if own or languages:
        write_json(folder / OWN_FILE, {**own, **({"languages": languages} if languages else {})})


def model_languages(run: Outcome) -> list[str]:
    """What the base says that it reads and the languages of the training pairs; nothing where the base says nothing:
    those of the pairs alone would be too few."""
    try:
        known = read_folder(run.base_folder).languages
    except ModelUnavailable:  # an encoder without modules.json, which sentence-transformers opens all the same
        known = ()
    trained = {
        language.split("-")[0].lower()
        for pair in run.data.training
        for language in (pair.source_language, pair.target_language)
        if language
    }
    return sorted(trained | set(known)) if known else []
