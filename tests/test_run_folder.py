"""The folder of a run: which checkpoint is whole, what an interrupted run is gone on with, and the card's heading."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

import pytest
import torch

from labse_search.encoder.hub import LABSE_MINI
from labse_search.errors import UserError
from labse_search.training.card import heading, read_heading
from labse_search.training.checks import check_output, check_tracker, is_disk
from labse_search.training.models import model_folder
from labse_search.training.run_folder import check_same_run, find_checkpoint, prepare


def checkpoint(folder: Path, step: int) -> Path:
    """The files that the Trainer leaves."""
    made = folder / f"checkpoint-{step}"
    made.mkdir(parents=True)
    for name in ("optimizer.pt", "scheduler.pt", "rng_state.pth"):
        torch.save({"step": step}, made / name)
    (made / "model.safetensors").write_bytes(b"weights")
    (made / "trainer_state.json").write_text(json.dumps({"global_step": step}), "utf-8")
    return made


def cut(file: Path) -> None:
    file.write_bytes(file.read_bytes()[: file.stat().st_size // 2])


@pytest.mark.parametrize("broken", ["missing state", "half a state", "half an optimizer", "no weights", "empty"])
def test_the_newest_whole_checkpoint_is_taken(tmp_path: Path, broken: str) -> None:
    checkpoint(tmp_path, 90)
    good, bad = checkpoint(tmp_path, 100), checkpoint(tmp_path, 110)
    state = bad / "trainer_state.json"
    if broken == "missing state":
        state.unlink()
    elif broken == "half a state":
        cut(state)
    elif broken == "half an optimizer":
        cut(bad / "optimizer.pt")
    elif broken == "no weights":
        (bad / "model.safetensors").unlink()
    else:
        for file in bad.iterdir():
            file.unlink()
    said: list[str] = []
    assert find_checkpoint("auto", tmp_path, said.append) == str(good)
    assert said == ["checkpoint-110 was not written to its end and is left out", f"going on from {good}"]
    assert find_checkpoint("none", tmp_path, said.append) is None
    (good / "trainer_state.json").unlink()
    (tmp_path / "checkpoint-90" / "trainer_state.json").unlink()
    assert find_checkpoint("auto", tmp_path, said.append) is None
    assert said[-1] == "no whole checkpoint: starting from the first step"


@dataclass(frozen=True)
class Settings:
    scale: float = 20.0
    files: tuple[str, ...] = ("a.tsv",)
    resume: str = "auto"


def test_an_interrupted_run_goes_on_as_it_began(tmp_path: Path) -> None:
    work, data = tmp_path / "out.partial", {"pairs": 600, "sha256": "x"}
    prepare(work, Settings(), data, keep=True)
    check_same_run(work, Settings(scale=30), {"pairs": 1}, ("resume",))  # it took no step
    checkpoint(work / "checkpoints", 5)
    check_same_run(work, Settings(resume="none"), data, ("resume",))
    with pytest.raises(UserError, match=r"had another --scale \(20.0\).*--resume none"):
        check_same_run(work, Settings(scale=30), data, ("resume",))
    with pytest.raises(UserError, match=r"other data \(600 pairs then, 400 pairs now\).*--resume none"):
        check_same_run(work, Settings(), {"pairs": 400, "sha256": "y"}, ("resume",))
    prepare(work, Settings(), {**data, "--model": "m"}, keep=True)
    check_same_run(work, Settings(), {**data, "--model": "m", "further": "y"}, ("resume",))  # of a newer version
    with pytest.raises(UserError, match=r"had another --model\. .*--resume none"):
        check_same_run(work, Settings(), {**data, "--model": "n"}, ("resume",))
    assert (work / "checkpoints" / "checkpoint-5").is_dir()
    prepare(work, Settings(), data, keep=False)
    assert not (work / "checkpoints").exists()


def test_a_card_keeps_the_licence_and_names_only_bases_of_the_hub(tmp_path: Path) -> None:
    (tmp_path / "README.md").write_text(
        "---\nlicense: mit\nlicense_link: https://x.y\nlanguage: [en]\nmodel-index: [a]\n---\n# Base\n", "utf-8"
    )
    made = tmp_path / "made"
    made.mkdir()
    (made / "README.md").write_text(heading(tags=["a"], base=tmp_path, name=str(tmp_path), languages=["en", "sw"]))
    assert read_heading(made) == {
        "library_name": "sentence-transformers",
        "tags": ["a"],
        "license": "mit",
        "license_link": "https://x.y",
        "language": ["en", "sw"],
    }
    text = heading(tags=["a"], base=None, name="intfloat/multilingual-e5-small", languages=[])
    assert "base_model: intfloat/multilingual-e5-small" in text and "language" not in text
    (made / "README.md").write_text("---\n: [broken\n---\n", "utf-8")
    assert read_heading(made) == {} and read_heading(tmp_path / "nothing") == {}


def test_the_shipped_model_has_a_name() -> None:
    assert model_folder("labse-mini") == model_folder("") == LABSE_MINI


def test_folders_that_cannot_be_written_and_unknown_trackers_are_refused(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x")
    for output in ("/proc/sys/x", str(tmp_path / "file" / "x"), ""):
        with pytest.raises(UserError, match="--output"):
            check_output(output)
    for overwrite in (False, True):
        with pytest.raises(UserError, match="is a file"):
            check_output(str(tmp_path / "file"), overwrite=overwrite)
    assert check_output(str(tmp_path), overwrite=True) == tmp_path
    assert check_output(str(tmp_path / "a" / "b")) == tmp_path / "a" / "b"
    assert is_disk(Path("/procedures")) and is_disk(Path("/system/models")) and is_disk(tmp_path)
    assert not is_disk(Path("/proc")) and not is_disk(Path("/sys/kernel"))
    with pytest.raises(UserError, match="no such tracker"):
        check_tracker("paper")
    check_tracker("none")
