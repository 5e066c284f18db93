"""One command, as many processes as it was asked for."""

from argparse import ArgumentParser
from pathlib import Path
from typing import Any

import pytest

from labse_search.training.launch import launch, wanted_processes

MEMBER = """
import os, pathlib, sys
rank, count = os.environ["RANK"], os.environ["WORLD_SIZE"]
pathlib.Path(sys.argv[sys.argv.index("--output") + 1], rank).write_text(" ".join([count, *sys.argv[1:]]))
raise SystemExit(3 * int(rank))
"""


def command() -> ArgumentParser:
    parser = ArgumentParser()
    parser.add_argument("--output", default="nowhere")
    return parser


def never(values: dict[str, Any]) -> int:
    raise AssertionError("this process trains too")


def test_one_process_trains_itself_and_its_status_counts() -> None:
    seen: list[dict[str, Any]] = []
    assert launch("member", command(), ["--output", "there"], lambda values: seen.append(values) or 7) == 7
    assert launch("member", command(), ["--processes", "1"], lambda values: seen.append(values) or 0) == 0
    assert seen == [{"output": "there"}, {"output": "nowhere"}]


def test_several_are_started_with_the_same_flags_and_the_worst_status_counts(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "member.py").write_text(MEMBER)
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    given = ["--processes", "2", "--output", str(tmp_path)]
    assert launch("member", command(), given, never) == 3
    assert [(tmp_path / rank).read_text() for rank in "01"] == [" ".join(["2", *given])] * 2


def test_one_of_several_starts_no_more(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RANK", "1")
    assert launch("member", command(), ["--processes", "2"], lambda values: 5) == 5


def test_the_cpu_launcher_of_accelerate_is_recognised() -> None:
    parent = ["python", "accelerate", "launch", "--cpu", "--num_processes", "3", "-m", "labse_search.finetune"]
    started = {"ACCELERATE_USE_CPU": "True", "MASTER_PORT": "29500"}
    assert wanted_processes(started, parent) == 3
    assert wanted_processes(started, ["accelerate", "--num-processes=2"]) == 2
    assert wanted_processes({**started, "RANK": "0"}, parent) == 1
    assert wanted_processes({}, parent) == 1 and wanted_processes(started, ["python"]) == 1


@pytest.mark.parametrize("kind", ["MULTI_CPU", '"NO"'])
def test_the_number_of_processes_may_stand_in_accelerates_config_file(tmp_path: Path, kind: str) -> None:
    settings = {"compute_environment": "LOCAL_MACHINE", "distributed_type": kind, "num_processes": 2, "use_cpu": "true"}
    file = tmp_path / "cpu.yaml"
    file.write_text("".join(f"{name}: {value}\n" for name, value in settings.items()), "utf-8")
    started = {"ACCELERATE_USE_CPU": "True", "MASTER_PORT": "29500"}
    assert wanted_processes(started, ["accelerate", "launch", "--config_file", str(file), "-m", "x"]) == 2
    assert wanted_processes(started, ["accelerate", "launch", f"--config-file={file}", "--num_processes", "3"]) == 3
    assert wanted_processes(started, ["accelerate", "launch", "--config_file", str(tmp_path / "none.yaml")]) == 1
