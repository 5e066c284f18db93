"""Align languages: large-scale training of a dual encoder from files of translations, small enough for two CPU cores.

Three things after one another: a static model (a table of word vectors, trained in minutes) learns which words mean the
same; a transformer begins as exactly that mean of word vectors (`pretrain.static_start`) and learns order and context
from batches in which half of the pairs have neighbours; the folder it leaves is a sentence-transformers model in half
precision with LaBSE's stack. Fine-tuning to a field is `labse_search.finetune`.

`config` names every flag; `corpus` tokenizes once; `sampling` draws batches; `neighbours` finds what is hard to tell
apart; `static` and `network` are the two models; `loop` trains either; `recipe` is the order of it all.
"""

from __future__ import annotations

from collections.abc import Callable

from labse_search.align.config import AlignConfig, AlignResult

__all__ = ["AlignConfig", "AlignResult", "align"]


def align(config: AlignConfig, *, say: Callable[[str], None] | None = None) -> AlignResult:
    """Train as `config` says. Raises UserError."""
    from labse_search.align.recipe import run  # torch only once it is needed

    result: AlignResult = run(config, say)
    return result
