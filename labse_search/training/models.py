"""Open a model to train it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from sentence_transformers import SentenceTransformer
from sentence_transformers.sentence_transformer.modules import StaticEmbedding

from labse_search.encoder.folder import Prompts, read_prompts
from labse_search.encoder.hub import LABSE_MINI, find_model
from labse_search.errors import ModelUnavailable


def model_folder(name: str) -> Path:
    """The folder of a model by path, hub name or "labse-mini"; "" is the shipped one. ModelUnavailable if there is
    none."""
    return find_model(name or LABSE_MINI.name)


def open_model(folder: Path, device: str | None = None) -> Any:
    """The model as it was stored. ModelUnavailable when the folder holds none."""
    try:
        return SentenceTransformer(str(folder), device=device)
    except (OSError, ValueError) as error:
        raise ModelUnavailable(
            f"{folder}: no model there ({type(error).__name__}). Give a sentence-transformers folder or a hub name."
        ) from error


def prompts_of(model: Any) -> Prompts:
    """What is put before its texts."""
    return read_prompts({"prompts": model.prompts, "default_prompt_name": model.default_prompt_name})


def is_static(model: Any) -> bool:
    """Whether it is a table of vectors without layers."""
    return isinstance(model[0], StaticEmbedding)
