"""What the page says of a model: its name, size and window, and what it is good at where that was measured."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from labse_search.encoder.folder import read_folder
from labse_search.encoder.hub import LABSE_MINI, find_model, is_here
from labse_search.errors import ModelUnavailable

LABSE = "sentence-transformers/LaBSE"
SUGGESTED = (LABSE_MINI.name, LABSE)


def model_value(model: str) -> dict[str, Any]:
    """For models.js and the first-run card; of a model that is not on this computer only its name."""
    value: dict[str, Any] = {"model": model, "name": model_name(model), "here": is_here(model), "known": _known(model)}
    if not value["here"]:
        return value
    try:
        folder = read_folder(find_model(model))
    except ModelUnavailable as error:
        return value | {"here": False, "problem": str(error)}
    size = sum(path.stat().st_size for path in folder.path.rglob("*") if path.is_file())
    return value | {"bytes": size, "tokens": folder.window, "languages": len(folder.languages)}


def model_name(model: str) -> str:
    """Of a folder its last part; a tuned model lies in a folder of its own name, or in one of that name."""
    path = Path(model)
    if not path.is_absolute():
        return model
    return path.parent.name if path.name == "model" else path.name


def _known(model: str) -> str:
    """Which sentence says what it can: "mini" and "labse" were measured here, "tuned" was by the person's own gate."""
    if model == LABSE_MINI.name or Path(model).parts[-3:] == LABSE_MINI.parts[-3:]:
        return "mini"
    if model in (LABSE, "LaBSE"):
        return "labse"
    return "tuned" if "tuned" in Path(model).parts else "other"
