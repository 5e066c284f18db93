"""Teach a model a field: pairs in, a model folder out that was measured before and after, or a refusal that says why.

`recipe` is the order of it all: `checks` the settings, read `data` (`clean`, `split`), `plan`, `train` (`model`,
`sampling`, `trainer`), put it to the `acceptance` test, write the `folder` (`report`, `card`, `plots`). `config` names
every flag.
"""

from __future__ import annotations

from collections.abc import Callable

from labse_search.finetune.config import FinetuneConfig, FinetuneResult, Scores

__all__ = ["FinetuneConfig", "FinetuneResult", "Scores", "finetune"]


def finetune(config: FinetuneConfig, *, say: Callable[[str], None] | None = None) -> FinetuneResult:
    """Fine-tune as `config` says; under `accelerate launch` every process calls this. `say` gets what a person reads,
    on the first process only. Raises UserError for what a person can fix."""
    from labse_search.finetune.recipe import run  # torch only once it is needed

    result: FinetuneResult = run(config, say)
    return result
