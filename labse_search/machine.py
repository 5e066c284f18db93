"""What this computer lets the process use, and how long it lets it live."""

from __future__ import annotations

import ctypes
import os
import signal
import sys

_PR_SET_PDEATHSIG = 1  # in sys/prctl.h


def usable_cores() -> int:
    """Cores that this process may run on: fewer than the computer has where it is bound to some (taskset, a container's
    cpuset)."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def end_with_parent() -> None:
    """Linux: this process is killed when the thread that started it ends, however that ends. Elsewhere nothing
    happens."""
    if sys.platform != "linux":
        return
    parent = os.getppid()
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent:  # it was gone before we asked
        sys.exit(1)
