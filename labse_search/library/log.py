"""One log for the app, its workers and the commands: HOME/logs/labse-search.log.

It holds what happened, to which job, and references of unexpected errors: never a document's text, a question or a key.
"""

from __future__ import annotations

import logging
import os
import sys
from logging.handlers import WatchedFileHandler
from pathlib import Path

FORMAT = "%(asctime)s %(process)d %(name)s %(levelname)s %(message)s"
MOST_BYTES = 5_000_000  # then a new file is begun, and the one before it kept


def log_file(home: Path) -> Path:
    """The log's place, its folder made, a full log put aside."""
    path = home / "logs" / "labse-search.log"
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    if path.exists() and path.stat().st_size > MOST_BYTES:
        os.replace(path, path.with_suffix(".log.1"))
    return path


class LogHandler(WatchedFileHandler):
    """Writes to the home's log, and begins a new file when that is full: an app may run for months, and whoever reaches
    it can make it log that a request was no HTTP. Whichever process does it, the others go on in the new file."""

    def __init__(self, home: Path) -> None:
        super().__init__(log_file(home), encoding="utf-8", errors="backslashreplace")
        self._home = home

    def emit(self, record: logging.LogRecord) -> None:
        """One line; what goes wrong is told on the terminal, never to who logs."""
        try:
            if sys.platform != "win32":  # where a file that is open cannot be moved
                log_file(self._home)
            super().emit(record)
        except OSError:
            self.handleError(record)


def open_log(home: Path) -> None:
    """Let everything that is logged in this process from INFO on go to the log, line by line."""
    handler = LogHandler(home)
    handler.setFormatter(logging.Formatter(FORMAT))
    root = logging.getLogger()
    root.addHandler(handler)
    root.setLevel(logging.INFO)
    for talkative in ("httpx", "httpcore", "urllib3", "filelock"):
        logging.getLogger(talkative).setLevel(logging.WARNING)
