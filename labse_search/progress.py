"""How far long work is, for a person: one line that grows on a terminal, a line now and then in a log."""

from __future__ import annotations

import sys
import time
from typing import TextIO

LINES_EVERY_SECONDS = 10.0  # where the output is a file
REDRAW_SECONDS = 0.2


class ProgressLine:
    """Called with (done, total), says rate and time left on stderr; quiet about work that is over in a moment."""

    def __init__(self, what: str, *, stream: TextIO | None = None) -> None:
        self.what = what
        self.stream = stream or sys.stderr
        self.is_terminal = self.stream.isatty()
        self.started = time.monotonic()
        self.last = self.started
        self.drawn = False

    def __call__(self, done: int, total: int) -> None:
        now = time.monotonic()
        over = done >= total
        wait = REDRAW_SECONDS if self.is_terminal else LINES_EVERY_SECONDS
        if now - self.last < wait and not (over and self.drawn):
            return
        self.last, self.drawn = now, True
        elapsed = max(now - self.started, 1e-9)
        left = clock(elapsed * (total - done) / max(done, 1))
        line = f"{self.what}: {done:,} of {total:,} ({done / max(total, 1):.0%}), {done / elapsed:,.0f}/s, {left} left"
        end = "\n" if over or not self.is_terminal else ""
        self.stream.write(("\r" if self.is_terminal else "") + line.ljust(100 if self.is_terminal else 0) + end)
        self.stream.flush()


def clock(seconds: float) -> str:
    """As 1:02:03, or 2:03 below an hour."""
    minutes, seconds = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{seconds:02}" if hours else f"{minutes}:{seconds:02}"
