"""The two small files of a collection's folder: what it was made for, and which shard counts."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from pathlib import Path

from labse_search.errors import CollectionDamaged
from labse_search.files import write_private
from labse_search.records import CollectionSpec


@dataclass
class State:
    """What state.json says."""

    shard: str  # the name of the folder that counts
    segments: int | None  # how many it held when it was last at rest; None while it is written to
    indexed: int  # segments when it was last optimised
    written: int  # points since then
    words: int  # the version of `folding` that all words were folded with


def read_spec(folder: Path) -> CollectionSpec:
    """What the collection was made for, or CollectionDamaged."""
    try:
        record = json.loads((folder / "spec.json").read_text("utf-8"))
        return CollectionSpec(int(record["dimension"]), str(record["fingerprint"]), str(record["model"]))
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise damaged(folder.name, f"spec.json is unreadable: {short(error)}") from error


def write_spec(folder: Path, spec: CollectionSpec) -> None:
    """Written once, when the collection is made."""
    record = {"format": 1, "dimension": spec.dimension, "fingerprint": spec.fingerprint, "model": spec.model}
    write_private(folder / "spec.json", json.dumps(record, ensure_ascii=False).encode())


def damaged(collection: str, why: str) -> CollectionDamaged:
    """The error that says so, and how the collection is built again."""
    return CollectionDamaged(
        f'The collection "{collection}" is damaged: {why}. Your documents are safe: '
        "`python -m labse_search.library check --repair` builds it again from them."
    )


def read_state(folder: Path) -> State:
    """The collection's state when it was last written, or CollectionDamaged. Fields that came later have defaults."""
    try:
        state = json.loads((folder / "state.json").read_text("utf-8"))
        segments = state["segments"]
        return State(
            shard=str(state["shard"]),
            segments=None if segments is None else int(segments),
            indexed=int(state["indexed"]),
            written=int(state.get("written", 0)),
            words=int(state.get("words", 1)),
        )
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise damaged(folder.name, f"state.json is unreadable: {short(error)}") from error


def write_state(folder: Path, state: State) -> None:
    """The file replaced in one step."""
    write_private(folder / "state.json", json.dumps(asdict(state)).encode())


def short(error: BaseException) -> str:
    """The error's class and text, of at most 300 characters."""
    return f"{type(error).__name__}: {error}"[:300]
