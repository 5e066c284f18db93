"""python -m labse_search.finetune, alone or under `accelerate launch`. Exit status: 0 accepted, 3 refused, 2 something
to fix, 130 interrupted with a checkpoint. Under `accelerate launch` every status but 0 arrives as the launcher's 1."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from labse_search.errors import quiet_when_unread
from labse_search.finetune import FinetuneConfig, finetune
from labse_search.settings import write_privately
from labse_search.training.command import INTERRUPTED, REFUSED, run_command, show
from labse_search.training.flags import from_flags, parser

DESCRIPTION = "Teach the model your field with pairs of texts that mean the same. Measured before and after."
EPILOG = """example:
  accelerate launch --cpu --num_processes 2 -m labse_search.finetune \\
      --train pairs.tsv --output models/my-field --regression tatoeba:../shared/data/test/tatoeba:deu,fra,swh

exit status: 0 accepted; 3 refused, the base stays; 2 something to fix; 130 interrupted, go on with --resume auto"""


@quiet_when_unread
def main(arguments: Sequence[str] | None = None) -> int:
    """The exit status; see the module. `arguments`: None takes this process's own."""
    write_privately()
    command = parser(FinetuneConfig, "python -m labse_search.finetune", DESCRIPTION, EPILOG)
    return run_command("labse_search.finetune", command, arguments, train)


def train(values: dict[str, Any]) -> int:
    """From the values of the flags to the exit status."""
    config = from_flags(FinetuneConfig, values)
    result = finetune(config, say=show)
    if result.interrupted:
        return INTERRUPTED
    return 0 if result.accepted or config.dry_run else REFUSED


if __name__ == "__main__":
    raise SystemExit(main())
