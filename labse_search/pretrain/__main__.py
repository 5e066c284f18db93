"""python -m labse_search.pretrain, alone or under `accelerate launch`. Exit status: 0 done, 2 something to fix, 130
interrupted with a checkpoint."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from labse_search.errors import quiet_when_unread
from labse_search.pretrain import PretrainConfig, pretrain
from labse_search.settings import write_privately
from labse_search.training.command import INTERRUPTED, run_command, show
from labse_search.training.flags import from_flags, parser

DESCRIPTION = "Pre-train an encoder on lines of text and on pairs of translations: what fine-tuning starts from."
EPILOG = """example:
  accelerate launch --cpu --num_processes 2 -m labse_search.pretrain \\
      --text en=english.txt sw=swahili.txt --pairs en-sw.tsv --output models/my-encoder
  python -m labse_search.finetune --model models/my-encoder --train en-sw.tsv --output models/my-model"""


@quiet_when_unread
def main(arguments: Sequence[str] | None = None) -> int:
    """The exit status; see the module. `arguments`: None takes this process's own."""
    write_privately()
    command = parser(PretrainConfig, "python -m labse_search.pretrain", DESCRIPTION, EPILOG)
    return run_command("labse_search.pretrain", command, arguments, train)


def train(values: dict[str, Any]) -> int:
    """From the values of the flags to the exit status."""
    result = pretrain(from_flags(PretrainConfig, values), say=show)
    return INTERRUPTED if result.interrupted else 0


if __name__ == "__main__":
    raise SystemExit(main())
