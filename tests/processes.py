"""Processes that tests start: where one fails, the test says with which status and what it wrote to stderr."""

from __future__ import annotations

import subprocess
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
SECONDS = 500  # of patience: less than a test may take, more than a busy machine needs

# Python code for a process of root, after which the rights of files count for it as for everybody.
AS_ANYBODY = """
import ctypes, os
if os.name == "posix" and os.geteuid() == 0:
    libc = ctypes.CDLL(None, use_errno=True)
    head, sets = (ctypes.c_uint32 * 2)(0x20080522, 0), (ctypes.c_uint32 * 6)()
    assert libc.capget(head, sets) == 0
    for at in (0, 1):
        sets[at] &= ~(1 << 1 | 1 << 2)  # CAP_DAC_OVERRIDE, CAP_DAC_READ_SEARCH
    assert libc.capset(head, sets) == 0
"""


def run(*command: str | Path, status: int | None = 0, **options: Any) -> subprocess.CompletedProcess[str]:
    """The command to its end, which must have this exit status; None: any."""
    return finish(start(*command, **options), status=status)


def start(*command: str | Path, **options: Any) -> subprocess.Popen[str]:
    """The command in the repository's folder, going on while the test does."""
    pipes = {"stdin": subprocess.DEVNULL, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    return subprocess.Popen(command, text=True, encoding="utf-8", **{"cwd": ROOT, **pipes, **options})


def finish(process: subprocess.Popen[str], *, status: int | None = 0) -> subprocess.CompletedProcess[str]:
    """What it wrote until it ended, with this exit status; None: any."""
    try:
        output, errors = process.communicate(timeout=SECONDS)
    except subprocess.TimeoutExpired as expired:
        process.kill()
        process.wait()
        # Not read to their ends: a process that it started itself may hold the pipes for longer.
        told = _told(process, expired.output, expired.stderr)
        raise AssertionError(f"not done in {SECONDS} seconds: {told}") from None
    assert status is None or process.returncode == status, _told(process, output, errors)
    return subprocess.CompletedProcess(process.args, process.returncode, output, errors)


def next_line(process: subprocess.Popen[str]) -> str:
    """What it prints next; it fails where the process ends instead."""
    assert process.stdout is not None
    line = process.stdout.readline()
    if not line:
        done = finish(process, status=None)
        raise AssertionError(f"no further line: {_told(process, done.stdout, done.stderr)}")
    return line


def _told(process: subprocess.Popen[str], output: str | bytes | None, errors: str | bytes | None) -> str:
    # None: not a pipe of ours, and pytest shows what went to its own
    written = [one.decode(errors="replace") if isinstance(one, bytes) else one or "" for one in (output, errors)]
    return f"exit status {process.returncode} of {process.args}\nstdout: {written[0]}\nstderr: {written[1]}"
