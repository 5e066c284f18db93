"""Start the folder's store process, in a session of its own with its log beside the key."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from collections.abc import Sequence
from pathlib import Path

from labse_search.store.edge.wire import LOG

LOG_BYTES = 1 << 20  # then the log starts anew, with the last one beside it


def spawn_process(folder: Path, options: Sequence[str]) -> subprocess.Popen[bytes]:
    """Started, not yet listening. `options` are flags of `process`. It outlives this process."""
    root = Path(__file__).resolve().parents[3]
    environment = dict(os.environ)
    environment["PYTHONPATH"] = os.pathsep.join(filter(None, [str(root), environment.get("PYTHONPATH")]))
    command = [sys.executable, "-m", "labse_search.store.edge.process", str(folder), *options]
    log = folder / LOG
    if log.exists() and log.stat().st_size > LOG_BYTES:
        os.replace(log, log.with_suffix(".log.old"))
    descriptor = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    try:
        process = subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=descriptor,
            stderr=descriptor,
            env=environment,
            start_new_session=True,
        )
    finally:
        os.close(descriptor)
    threading.Thread(target=process.wait, name="reap the store process", daemon=True).start()
    return process


def last_log_line(folder: Path) -> str:
    """In brackets after a space, to end a message with; empty if there is none."""
    try:
        lines = (folder / LOG).read_text("utf-8", "replace").splitlines()
    except OSError:
        return ""
    return f" ({lines[-1]})" if lines else ""
