"""Several training processes on this machine's CPU, from one.

`accelerate launch --cpu --num_processes 2` starts a single process (accelerate 1.15: its CPU launcher leaves several to
MPI and says nothing). So a process that was started that way, or with `--processes N`, starts N of its own kind, with
the environment that torch.distributed and accelerate read, and ends with their worst exit status.
"""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
from argparse import ArgumentParser
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from types import FrameType
from typing import Any

import psutil

from labse_search.machine import usable_cores

SECONDS_BETWEEN_LOOKS = 0.2


def launch(
    module: str, command: ArgumentParser, arguments: Sequence[str] | None, train: Callable[[dict[str, Any]], int]
) -> int:
    """The exit status of `train`, given the flags' values, or the worst one of as many processes of `module` as asked
    for. `arguments`: None takes this process's own."""
    given = list(sys.argv[1:] if arguments is None else arguments)
    command.add_argument("--processes", type=int, default=0, help="so many processes on this CPU", metavar="N")
    values = vars(command.parse_args(given))
    processes = values.pop("processes") or wanted_processes(os.environ, parent_command())
    if processes > 1 and "RANK" not in os.environ:
        return run_processes(module, given, processes)
    return train(values)


def wanted_processes(environ: Mapping[str, str], parent: Sequence[str]) -> int:
    """How many processes accelerate's CPU launcher was asked for, by its flag or its config file, and did not start; 1
    in every other case.

    `parent`: the command line of the parent process.
    """
    # The launcher sets the port where it was asked for several.
    is_cpu_launcher = environ.get("ACCELERATE_USE_CPU", "").lower() == "true" and "MASTER_PORT" in environ
    if not is_cpu_launcher or "RANK" in environ or "LOCAL_RANK" in environ:
        return 1
    asked = _flag(parent, "--num_processes")
    if asked is not None:
        return int(asked) if asked.isdigit() else 1
    return _configured_processes(_flag(parent, "--config_file"))


def _flag(words: Sequence[str], name: str) -> str | None:
    """The value of a flag of accelerate's, written with dashes or underscores, with or without an equals sign."""
    for at, word in enumerate(words):
        given, _, value = word.partition("=")
        if given.startswith("--") and given.replace("-", "_") == name.replace("-", "_"):
            return value or (words[at + 1] if at + 1 < len(words) else "")
    return None


def _configured_processes(file: str | None) -> int:
    """What `accelerate config` wrote, into its own file unless another is named."""
    from accelerate.commands.config.config_args import default_config_file, load_config_from_file

    path = Path(file or default_config_file)
    if not path.is_file():
        return 1
    return max(1, int(load_config_from_file(str(path)).num_processes or 1))


def parent_command() -> list[str]:
    """The command line of the parent process, empty if it is gone."""
    parent = psutil.Process().parent()
    return list(parent.cmdline()) if parent else []


def run_processes(module: str, arguments: Sequence[str], count: int) -> int:
    """Run `python -m module arguments` `count` times as one group on the CPU; the worst exit status.

    Ctrl-C reaches the processes by themselves; SIGTERM is passed on. When one fails, the others are ended.
    """
    processes = [
        subprocess.Popen([sys.executable, "-m", module, *arguments], env=_environment(rank, count, port))
        for port in [free_port()]
        for rank in range(count)
    ]

    def pass_on(number: int, frame: FrameType | None) -> None:
        for process in processes:
            process.send_signal(number)

    previous = {
        signal.SIGINT: signal.signal(signal.SIGINT, signal.SIG_IGN),
        signal.SIGTERM: signal.signal(signal.SIGTERM, pass_on),
    }
    try:
        return _wait(processes)
    finally:
        for number, handler in previous.items():
            signal.signal(number, handler)


def free_port() -> int:
    """A TCP port of 127.0.0.1 that nobody listens on now."""
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        return int(sock.getsockname()[1])


def _wait(processes: Sequence[subprocess.Popen[bytes]]) -> int:
    running = list(processes)
    broken = 0
    while running:
        for process in list(running):
            try:
                status = process.wait(timeout=SECONDS_BETWEEN_LOOKS)
            except subprocess.TimeoutExpired:
                continue
            running.remove(process)
            if status < 0 or status == 1:  # killed, or a bug: the others would wait for it for ever
                broken = broken or (128 - status if status < 0 else status)
                for other in running:
                    other.terminate()
    return broken or max(process.returncode for process in processes)


def _environment(rank: int, count: int, port: int) -> dict[str, str]:
    return {
        **os.environ,
        "ACCELERATE_USE_CPU": "true",
        "MASTER_ADDR": "127.0.0.1",
        "MASTER_PORT": str(port),
        "RANK": str(rank),
        "LOCAL_RANK": str(rank),
        "WORLD_SIZE": str(count),
        "LOCAL_WORLD_SIZE": str(count),
        "OMP_NUM_THREADS": os.environ.get("OMP_NUM_THREADS", str(max(1, usable_cores() // count))),
    }
