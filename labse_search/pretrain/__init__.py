"""Pre-train the encoder that fine-tuning starts from: masked words in lines of text (MLM) and in pairs of
translations (TLM), as LaBSE (arXiv 2007.01852) and XLM (arXiv 1901.07291) did, small enough for one machine.

`recipe` is the order of it all: `data` reads lines and pairs, `start` opens or makes an encoder and its `vocabulary`,
`stage` trains it on `masking`'s batches and `stacking` grows it, `held_out` measures, `folder` writes. `config` names
every flag.
"""

from __future__ import annotations

from collections.abc import Callable

from labse_search.pretrain.config import PretrainConfig, PretrainResult

__all__ = ["PretrainConfig", "PretrainResult", "pretrain"]


def pretrain(config: PretrainConfig, *, say: Callable[[str], None] | None = None) -> PretrainResult:
    """Pre-train as `config` says; under `accelerate launch` every process calls this. Raises UserError."""
    from labse_search.pretrain.recipe import run  # torch only once it is needed

    result: PretrainResult = run(config, say)
    return result
