"""Settings that no data could make right, found before any is read."""

from __future__ import annotations

import importlib.util
import os
from pathlib import Path
from typing import Any

from labse_search.errors import UserError

TRACKERS = ("none", "all", "tensorboard", "wandb", "trackio", "mlflow", "comet_ml", "clearml", "swanlab")


def check_output(output: str, *, overwrite: bool = False) -> Path:
    """The folder to be made. UserError when it is not named, is there already, or could not be written."""
    if not output:
        raise UserError("--output: name the folder of the new model.")
    folder = Path(output)
    if folder.exists() and not folder.is_dir():
        raise UserError(f"--output {folder} is a file. Name a folder.")
    if folder.exists() and not overwrite:
        raise UserError(f"--output {folder} exists already. Name another folder, or add --overwrite.")
    parent = next(parent for parent in folder.absolute().parents if parent.exists())
    if not parent.is_dir() or not os.access(parent, os.W_OK | os.X_OK) or not is_disk(parent):
        raise UserError(f"--output {folder} cannot be written: {parent} is no folder that this account may write to.")
    return folder


def is_disk(folder: Path) -> bool:
    """Whether it can hold files; root may "write" to the others."""
    return not any(folder.is_relative_to(other) for other in ("/proc", "/sys"))


def check_tracker(name: str) -> None:
    """UserError when there is no such tracker or its package is not installed."""
    if name not in TRACKERS:
        raise UserError(f"--report-to {name}: no such tracker. There are: {', '.join(TRACKERS)}.")
    packages = {"tensorboard": ("tensorboard", "tensorboardX")}.get(name, (name,))
    if name not in ("none", "all") and not any(importlib.util.find_spec(package) for package in packages):
        raise UserError(f"--report-to {name} needs the package {packages[0]}: pip install {packages[0]}")


def check_shares(config: Any, *names: str) -> None:
    """UserError for a field that is no share from 0 to 1."""
    for name in names:
        if not 0 <= getattr(config, name) < 1:
            raise UserError(f"--{name.replace('_', '-')} {getattr(config, name):g}: expected a share, 0 to 1.")


def check_positive(config: Any, *names: str) -> None:
    """UserError for a field that is not above 0."""
    for name in names:
        if not getattr(config, name) > 0:
            raise UserError(f"--{name.replace('_', '-')} {getattr(config, name):g}: expected more than 0.")
