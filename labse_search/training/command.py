"""What the training commands have alike: flags, processes, what a person reads, exit status."""

from __future__ import annotations

import os
import sys
import warnings
from argparse import ArgumentParser
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from labse_search.errors import UserError, told
from labse_search.machine import end_with_parent
from labse_search.settings import write_privately
from labse_search.training.launch import launch

REFUSED, USER_ERROR, INTERRUPTED = 3, 2, 130


def run_command(
    module: str, command: ArgumentParser, arguments: Sequence[str] | None, train: Callable[[dict[str, Any]], int]
) -> int:
    """The exit status of `train`, given the values of the flags; USER_ERROR where it raises a UserError."""
    write_privately()
    if arguments is None and is_launched(os.environ):
        end_with_parent()  # accelerate's launcher, once killed, would leave a training behind that nobody sees

    def quietly(values: dict[str, Any]) -> int:
        from transformers.utils.logging import disable_progress_bar, set_verbosity_error

        # accelerate 1.15 passes DDP a name that torch 2.13 deprecates; nothing a person can do about.
        warnings.filterwarnings("ignore", message="`broadcast_buffers` is deprecated", category=FutureWarning)
        set_verbosity_error()
        disable_progress_bar()
        try:
            return train(values)
        except (UserError, OSError) as error:
            if os.environ.get("RANK", "0") == "0":
                sys.stderr.write(f"error: {told(error)}\n")
            return USER_ERROR

    return launch(module, command, arguments, quietly)


def is_launched(environ: Mapping[str, str]) -> bool:
    """Whether a launcher started this process: accelerate's, torch's, or `launch` as one of several."""
    return "RANK" in environ or any(name.startswith("ACCELERATE_") for name in environ)


def show(line: str) -> None:
    """What a run says, at once even into a pipe."""
    sys.stdout.write(line + "\n")
    sys.stdout.flush()
