"""Every setting of a fine-tuning run: the fields are the flags, their help is the documentation. No torch in here."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from labse_search.training.flags import flag


@dataclass(frozen=True)
class FinetuneConfig:
    """A fine-tuning run; its fields are the command's flags."""

    train: tuple[str, ...] = flag(
        (), "pairs: PATH[=WEIGHT], .tsv .csv .jsonl .tmx (.gz .xz), or SOURCE,TARGET: two line-aligned files"
    )
    questions: tuple[str, ...] = flag(
        (), "pairs of question and passage, in the same forms: trained on however unlike their lengths, never measured"
    )
    columns: tuple[str, ...] = flag((), "the two columns of tables that hold the texts, by name or number from 1")
    output: str = flag("", "folder of the new model; must not exist unless --overwrite")
    model: str = flag("", "folder or hub name of the model to start from; default: the shipped labse-mini")
    dev: tuple[str, ...] = flag((), "pairs to measure on, in the same forms; default: cut from the training pairs")
    dev_fraction: float = flag(0.05, "share of the training pairs to measure on when --dev is not given")
    dev_max: int = flag(2000, "at most so many pairs to measure on when --dev is not given")
    regression: tuple[str, ...] = flag((), "what must not get worse: a file of pairs, or tatoeba:DIR[:lang,lang]")
    regression_max: int = flag(1000, "at most so many regression pairs of each language")

    loss: Literal["ams", "infonce"] = flag("ams", "ams: additive margin (LaBSE); infonce: the same with margin 0")
    scale: float = flag(100.0, "factor of the cosines: the released LaBSE's 100; 20 moves the space more")
    margin: float = flag(0.3, "taken from the cosine of each true pair, before the scale (paper: 0.3)")
    reduction: Literal["sum", "mean"] = flag("sum", "of the two directions; sum is the paper's")
    gather: bool = flag(True, "negatives from all processes, with gradient")
    hard_negatives: int = flag(0, "how many hard-negative columns of the data to use")
    anchor_weight: float = flag(0.0, "weight of 1 - cosine to the untouched model's vectors")
    teacher: str = flag(
        "", "folder or hub name of a model whose vectors are taught too: keeps what it knows of questions"
    )
    teacher_side: Literal["source", "target"] = flag("source", "the side of a pair that the teacher reads, for both")
    teacher_vectors: float = flag(5.0, "weight of 1 - cosine to the teacher's vector, of both sides")
    teacher_similarities: float = flag(1.0, "weight of the divergence from the teacher's similarities in the batch")
    teacher_scale: float = flag(15.0, "factor of the cosines in that divergence")
    pair_weight: float = flag(1.0, "weight of the loss of the pairs themselves, beside the teacher's")

    global_batch_size: int = flag(0, "pairs of one step over all processes; 0: as large as the data sensibly allows")
    mini_batch_size: int = flag(32, "texts, of like length, in one forward pass; 0: all, without GradCache")
    grad_cache: Literal["auto", "always", "never"] = flag(
        "auto",
        "compute every forward pass twice and so hold one in memory; auto: if half of what is free is too little",
    )
    accumulation: int = flag(1, "batches of one optimizer step; adds no negatives")
    epochs: float = flag(3.0, "passes over the training pairs")
    max_steps: int = flag(-1, "stop after so many steps; -1: as many as the epochs have")
    learning_rate: float = flag(0.0, "peak; 0: 2e-5, with LoRA or few weights 1e-4, for static models 2e-3")
    warmup: float = flag(0.1, "share of the steps in which the learning rate rises; it falls linearly after")
    weight_decay: float = flag(0.0, "AdamW's")
    clip: float = flag(1.0, "largest norm of the gradient; 0: none")
    max_length: int = flag(0, "tokens of a text while training; 0: the model's own window, at most 128")
    precision: Literal["auto", "fp32", "bf16", "fp16"] = flag("auto", "of the forward pass; logits are always fp32")
    pooling: Literal["keep", "cls", "mean", "max"] = flag("keep", "how token vectors become one vector")
    freeze: Literal["auto", "embeddings", "none"] = flag(
        "auto", "word embeddings stay as they are; auto: when they are most of a transformer's weights"
    )
    lora_rank: int = flag(0, "train low-rank adapters of this rank (needs peft), merged at the end; 0: off")
    temperature: float = flag(1.0, "languages are drawn in proportion to pairs ** temperature; 1: as they are")
    length_window: int = flag(0, "batches of similar length: sort by length within so many batches; 0: off")

    max_ratio: float = flag(3.0, "drop pairs with one side so many times longer (CJK counts threefold)")
    max_characters: int = flag(1000, "drop pairs with a longer side")
    language_check: Literal["script", "langid", "none"] = flag(
        "script", "drop texts in the wrong script, or in the wrong language by py3langid"
    )

    alphas: tuple[float, ...] = flag((0.25, 0.5, 0.75, 1.0), "weights of the tuned model to try against the base's")
    max_regression: float = flag(0.5, "points the regression accuracy may lose")
    max_language_drop: float = flag(2.0, "points any one language of the regression set may lose")
    accept: Literal["strict", "lenient"] = flag(
        "strict", "strict: the 95 %% interval of the gain must lie above 0; lenient: its mean"
    )

    eval_steps: int = flag(0, "measure every so many steps; 0: ten times in all")
    save_steps: int = flag(0, "checkpoint every so many steps; 0: five times in all")
    save_limit: int = flag(2, "how many checkpoints to keep")
    resume: str = flag("auto", "auto: go on from the last checkpoint of this output; none; or a checkpoint folder")
    overwrite: bool = flag(False, "replace the output folder, if the new model is accepted")
    report_to: str = flag("none", "trackers: tensorboard, wandb, trackio")
    seed: int = flag(42, "of the split, the order of the pairs and the dropout")
    dry_run: bool = flag(False, "read and check everything, print the plan with its time and memory, and stop")
    plan: str = flag("", "with --dry-run: write the plan into this file too, as JSON")

    @property
    def used_margin(self) -> float:
        """The margin of the loss that was chosen: infonce has none."""
        return 0.0 if self.loss == "infonce" else self.margin


@dataclass(frozen=True)
class Scores:
    """One model on one set of pairs. Accuracies and reciprocal ranks are means over all pairs, 0..1."""

    pairs: int
    forward: float
    backward: float
    mrr: float
    languages: dict[str, float]  # accuracy, mean of both directions, in each language pair's own pool
    hits: NDArray[np.float64]  # (pairs,) 0, 0.5 or 1: directions in which the partner came first

    @property
    def accuracy(self) -> float:
        """Mean of both directions."""
        return (self.forward + self.backward) / 2


@dataclass(frozen=True)
class FinetuneResult:
    """What came of a run. `before` and `after`: the domain's dev set; `path`: where the model or the refusal lies."""

    before: Scores | None
    after: Scores | None
    accepted: bool
    alpha: float  # weight of the tuned model; 0: the base stays
    path: Path
    reason: str
    interrupted: bool = False
