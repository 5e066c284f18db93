"""One log for the app, its workers and the commands: HOME/logs/labse-search.log.

It holds what happened, to which job, and references of unexpected errors: never a document's text, a question or a key.
"""

from __future__ import annotations

import logging
import os
from pathlib import Path

FORMAT = "%(asctime)s %(process)d %(name)s %(levelname)s %(message)s"
MOST_BYTES = 5_000_000  # then a new file is begun, and the one before it kept


def log_file(home: Path) -> Path:
    """The log's place, its folder made, a full log put aside."""
    path = home / "logs" / "labse-search.log"
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    if path.exists() and path.stat().st_size > MOST_BYTES:
        os.replace(path, path.with_suffix(".log.1"))  # whoever has it open goes on in there until it ends
    return path


def open_log(home: Path) -> None:
    """Let everything that is logged in this process from INFO on go to the log, line by line."""
    handler = logging.FileHandler(log_file(home), encoding="utf-8", errors="backslashreplace")
    handler.setFormatter(logging.Formatter(FORMAT))
    root = logging.getLogger()
    root.addHandler(handler)
    root.setLevel(logging.INFO)
    for talkative in ("httpx", "httpcore", "urllib3", "filelock"):
        logging.getLogger(talkative).setLevel(logging.WARNING)
