"""The heading of a model card (README.md): what the hub and sentence-transformers read about a model."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml

HUB_NAME = re.compile(r"[\w.-]+/[\w.-]+")
KEPT = ("license", "license_name", "license_link")  # of the base: what is made from it stays under its licence


def read_heading(folder: Path) -> dict[str, Any]:
    """The YAML between the first two lines of dashes of a folder's README.md; empty if there is none."""
    card = folder / "README.md"
    if not card.is_file():
        return {}
    found = re.match(r"---\s*\n(.*?)\n---\s*(\n|$)", card.read_text(encoding="utf-8", errors="replace"), re.DOTALL)
    try:
        heading = yaml.safe_load(found[1]) if found else {}
    except yaml.YAMLError:
        return {}
    return heading if isinstance(heading, dict) else {}


def heading(*, tags: Sequence[str], base: Path | None, name: str, languages: Sequence[str]) -> str:
    """The heading of a model made from `base`, lines of dashes included.

    The base is named where `name` is one on the hub: a folder on this computer would send the hub's readers nowhere.
    Its licence stays. `languages`: what the model reads, as far as known; those of the training data are not that.
    """
    before: Mapping[str, Any] = read_heading(base) if base else {}
    content: dict[str, Any] = {"library_name": "sentence-transformers", "tags": list(tags)}
    if is_hub_name(name):
        content["base_model"] = name
    content.update({key: before[key] for key in KEPT if key in before})
    if languages:
        content["language"] = list(languages)
    body = yaml.safe_dump(content, sort_keys=False, allow_unicode=True, default_flow_style=None, width=10_000)
    return f"---\n{body}---\n"


def is_hub_name(name: str) -> bool:
    """Whether a model's name is one on the hub, and no folder here."""
    return bool(HUB_NAME.fullmatch(name)) and not Path(name).exists()
