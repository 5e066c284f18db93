"""python -m labse_search.pretrain, alone or under `accelerate launch`. Exit status: 0 done, 2 something to fix, 130
interrupted with a checkpoint."""

from __future__ import annotations

import os
import sys
import warnings
from collections.abc import Sequence
from typing import Any

from labse_search.errors import UserError
from labse_search.finetune.config import from_flags, parser
from labse_search.finetune.launch import launch
from labse_search.pretrain.config import PretrainConfig

DESCRIPTION = "Pre-train an encoder on lines of text and on pairs of translations: what fine-tuning starts from."
EPILOG = """example:
  accelerate launch --cpu --num_processes 2 -m labse_search.pretrain \\
      --text en=english.txt sw=swahili.txt --pairs en-sw.tsv --output models/my-encoder
  python -m labse_search.finetune --model models/my-encoder --train en-sw.tsv --output models/my-model"""

USER_ERROR, INTERRUPTED = 2, 130


def main(arguments: Sequence[str] | None = None) -> int:
    command = parser(PretrainConfig, "labse_search.pretrain", DESCRIPTION, EPILOG)
    return launch("labse_search.pretrain", command, arguments, train)


def train(values: dict[str, Any]) -> int:
    """From the values of the flags to the exit status."""
    from transformers.utils.logging import disable_progress_bar, set_verbosity_error

    from labse_search.pretrain import pretrain

    # accelerate 1.15 passes DDP a name that torch 2.13 deprecates; nothing a person can do about.
    warnings.filterwarnings("ignore", message="`broadcast_buffers` is deprecated", category=FutureWarning)
    set_verbosity_error()
    disable_progress_bar()
    try:
        result = pretrain(from_flags(PretrainConfig, values), say=lambda line: print(line, flush=True))
    except UserError as error:
        if os.environ.get("RANK", "0") == "0":
            print(f"error: {error}", file=sys.stderr)
        return USER_ERROR
    return INTERRUPTED if result.interrupted else 0


if __name__ == "__main__":
    raise SystemExit(main())
