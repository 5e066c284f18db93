"""Teach a model a field: pairs in, a model folder out that was measured before and after, or a refusal that says why.

`config` names every flag; `pairs` and `clean` read and check the data; `sampling` makes the batches; `loss` is the
LaBSE objective; `trainer` is sentence-transformers' Trainer with our batches and guards; `gate` measures and decides;
`output` writes the folder; `recipe` is the order of it all and `__main__` the command.
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
