"""Every setting of a pre-training run: the fields are the flags, their help is the documentation. No torch in here."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from labse_search.training.flags import flag


@dataclass(frozen=True)
class PretrainConfig:
    """A pre-training run; its fields are the command's flags."""

    text: tuple[str, ...] = flag((), "lines of one language: LANGUAGE=PATH or PATH, .txt (.gz .xz)")
    pairs: tuple[str, ...] = flag((), "parallel lines, in the forms of labse_search.finetune --train")
    output: str = flag("", "folder of the new encoder; must not exist")

    init: str = flag("", "encoder to start from (folder or hub name), with its vocabulary; layers grow from its own")
    vocabulary: int = flag(32000, "entries of the vocabulary that is trained when nothing is given to start from")
    pieces: Literal["wordpiece", "unigram"] = flag("wordpiece", "kind of vocabulary; wordpiece is LaBSE's")
    smoothing: float = flag(0.3, "the vocabulary sees languages in proportion to lines ** smoothing (LaBSE: 0.3)")

    hidden: int = flag(256, "width of the encoder")
    heads: int = flag(4, "attention heads")
    stages: tuple[int, ...] = flag((2, 4), "layers of each stage; each starts from the one before, copied upwards")
    steps: tuple[int, ...] = flag((500, 1000), "steps of each stage; 0: none")
    window: int = flag(128, "tokens of a line, or of both lines of a pair together")
    pooling: Literal["cls", "mean", "max"] = flag("cls", "of the model folder; cls is LaBSE's")

    masked: float = flag(0.2, "share of the tokens to be guessed (LaBSE: 0.2, BERT and XLM: 0.15)")
    pair_batches: float = flag(0.5, "share of the batches that are pairs (TLM) when there are lines and pairs")
    global_batch_size: int = flag(64, "lines or pairs of one step over all processes")
    learning_rate: float = flag(5e-4, "peak of each stage")
    warmup: float = flag(0.05, "share of a stage's steps in which the learning rate rises; it falls linearly after")
    weight_decay: float = flag(0.01, "AdamW's")
    precision: Literal["auto", "fp32", "bf16", "fp16"] = flag("auto", "of the forward pass")
    held_out: int = flag(400, "lines and pairs each that are kept out of training, to measure on")
    save_steps: int = flag(0, "checkpoint every so many steps; 0: five times a stage")
    resume: str = flag("auto", "auto: go on with what an interrupted run of this output left; none: from the start")
    seed: int = flag(42, "of the weights, the order of the batches and the masks")
    dry_run: bool = flag(False, "read everything, print the plan, and stop")


@dataclass(frozen=True)
class PretrainResult:
    """`losses`: mean cross entropy of the masked tokens that were held out, before and after each stage, by kind."""

    path: Path
    losses: tuple[dict[str, float], ...]
    interrupted: bool = False
