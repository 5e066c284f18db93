"""The folder of a run: OUTPUT.partial while it goes on, OUTPUT when it is done.

`run/config.json` has the settings and `run/data.json` the digest of the data, so that an interrupted run is only gone
on with as it began.
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
import re
import shutil
import zipfile
from collections.abc import Collection, Iterable
from pathlib import Path
from typing import Any

from labse_search.corpora.values import Say
from labse_search.errors import UserError
from labse_search.files import write_json

STATE = "trainer_state.json"  # the last file that the Trainer writes into a checkpoint


def partial_folder(output: Path) -> Path:
    """Where the run is written until it is done."""
    return output.with_name(output.name + ".partial")


def digest(texts: Iterable[str]) -> str:
    """SHA-256 of the texts in their order."""
    found = hashlib.sha256()
    for text in texts:
        found.update(text.encode() + b"\n")
    return found.hexdigest()


def check_same_run(work: Path, config: Any, data: dict[str, Any], may_change: Collection[str]) -> None:
    """UserError when an interrupted run had other settings or other data: its checkpoint would not fit them.

    `config`: a dataclass whose fields are flags; `data`: what `prepare` wrote, counts and digests of what was read, by
    the name of the flag where it is one flag's. A run that left no checkpoint is none.
    """
    if not has_progress(work):
        return
    changed = [
        (name, old)
        for name, old in _read(work / "run" / "config.json").items()
        if name not in may_change and hasattr(config, name) and old != _plain(getattr(config, name))
    ]
    if changed:
        name, old = changed[0]
        raise UserError(
            f"an interrupted run in {work} had another --{name.replace('_', '-')} ({old!r}). "
            "Give the same settings to go on, or --resume none to start anew."
        )
    now, before = _plain(data), _read(work / "run" / "data.json")
    other = [name for name, old in before.items() if old != now.get(name)]
    flags = [name for name in other if name.startswith("--")]
    if flags:
        raise UserError(
            f"an interrupted run in {work} had another {flags[0]}. "
            "Give the same one to go on, or --resume none to start anew."
        )
    if other:
        was, here = (", ".join(f"{value:,} {name}" for name, value in found.items() if isinstance(value, int))
                     for found in (before, now))  # fmt: skip
        raise UserError(
            f"an interrupted run in {work} was with other data ({was} then, {here} now). "
            "Give the same files to go on, or --resume none to start anew."
        )


def prepare(work: Path, config: Any, data: dict[str, Any], *, keep: bool) -> None:
    """A run folder with its settings; with `keep` what an interrupted run left there stays."""
    if work.exists() and not (keep and has_progress(work)):
        shutil.rmtree(work)
    (work / "run").mkdir(parents=True, exist_ok=True)
    write_json(work / "run" / "config.json", dataclasses.asdict(config))
    write_json(work / "run" / "data.json", data)


def has_progress(work: Path) -> bool:
    """Whether there is something to go on from: a checkpoint, or a stage that was finished."""
    return any(work.glob("checkpoints*/checkpoint-*")) or any(work.glob("stage-*.pt"))


def find_checkpoint(resume: str, checkpoints: Path, tell: Say) -> str | None:
    """What to go on from: the newest whole checkpoint (auto), the one that was named, or nothing."""
    if resume == "none":
        return None
    if resume != "auto":
        if not Path(resume).is_dir():
            raise UserError(f"--resume {resume}: no checkpoint there. Use --resume auto or none.")
        tell(f"going on from {resume}")
        return resume
    found, broken = last_checkpoint(checkpoints)
    for path in broken:
        tell(f"{path.name} was not written to its end and is left out")
    if found:
        tell(f"going on from {found}")
    elif broken:
        tell("no whole checkpoint: starting from the first step")
    return str(found) if found else None


def last_checkpoint(folder: Path) -> tuple[Path | None, list[Path]]:
    """The newest checkpoint that is whole, and newer ones that are not: written by a process that was killed."""
    numbered = [(int(found[1]), path) for path in folder.glob("checkpoint-*")
                if (found := re.fullmatch(r"checkpoint-(\d+)", path.name))]  # fmt: skip
    broken: list[Path] = []
    for _, path in sorted(numbered, reverse=True):
        if is_whole(path):
            return path, broken
        broken.append(path)
    return None, broken


def is_whole(checkpoint: Path) -> bool:
    """Whether the Trainer has written all of a checkpoint, and nothing has been taken away since."""
    try:
        json.loads((checkpoint / STATE).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return False
    states = [*checkpoint.glob("*.pt"), *checkpoint.glob("*.pth")]
    weights = [*checkpoint.rglob("*.safetensors"), *checkpoint.rglob("pytorch_model*.bin")]
    return bool(weights) and len(states) >= 2 and all(zipfile.is_zipfile(path) for path in states)


def _read(file: Path) -> dict[str, Any]:
    try:
        return dict(json.loads(file.read_text(encoding="utf-8")))
    except (OSError, ValueError):
        return {}


def _plain(value: Any) -> Any:
    """As JSON gives it back."""
    return json.loads(json.dumps(value))
