"""python -m labse_search.finetune, alone or under `accelerate launch`. Exit status: 0 accepted, 3 refused, 2 something
to fix, 130 interrupted with a checkpoint. Under `accelerate launch` every status but 0 arrives as the launcher's 1."""

from __future__ import annotations

import os
import sys
import warnings
from collections.abc import Sequence
from typing import Any

from labse_search.errors import UserError
from labse_search.finetune.config import FinetuneConfig, from_flags, parser
from labse_search.finetune.launch import launch

DESCRIPTION = "Teach the model your field with pairs of texts that mean the same. Measured before and after."
EPILOG = """example:
  accelerate launch --cpu --num_processes 2 -m labse_search.finetune \\
      --train pairs.tsv --output models/my-field --regression tatoeba:../shared/data/test/tatoeba:deu,fra,swh

exit status: 0 accepted; 3 refused, the base stays; 2 something to fix; 130 interrupted, go on with --resume auto"""

REFUSED, USER_ERROR, INTERRUPTED = 3, 2, 130


def main(arguments: Sequence[str] | None = None) -> int:
    command = parser(FinetuneConfig, "labse_search.finetune", DESCRIPTION, EPILOG)
    return launch("labse_search.finetune", command, arguments, train)


def train(values: dict[str, Any]) -> int:
    """From the values of the flags to the exit status."""
    from transformers.utils.logging import disable_progress_bar, set_verbosity_error

    from labse_search.finetune import finetune

    # accelerate 1.15 passes DDP a name that torch 2.13 deprecates; nothing a person can do about.
    warnings.filterwarnings("ignore", message="`broadcast_buffers` is deprecated", category=FutureWarning)
    set_verbosity_error()
    disable_progress_bar()
    config = from_flags(FinetuneConfig, values)
    try:
        result = finetune(config, say=lambda line: print(line, flush=True))
    except UserError as error:
        if os.environ.get("RANK", "0") == "0":
            print(f"error: {error}", file=sys.stderr)
        return USER_ERROR
    if result.interrupted:
        return INTERRUPTED
    return 0 if result.accepted or config.dry_run else REFUSED


if __name__ == "__main__":
    raise SystemExit(main())
