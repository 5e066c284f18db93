"""sentence-transformers' Trainer with our batches, and text keys for the loss."""

from __future__ import annotations

import math
from typing import Any

import torch
from sentence_transformers import SentenceTransformerTrainer
from sentence_transformers.sentence_transformer.data_collator import SentenceTransformerDataCollator
from transformers import TrainerCallback

from labse_search.corpora.text_keys import text_key
from labse_search.encoder.folder import Prompts
from labse_search.encoder.protocols import Task
from labse_search.finetune.sampling import PairBatchSampler, SamplingPlan
from labse_search.training.models import prompts_of


class KeyedCollator(SentenceTransformerDataCollator):  # type: ignore[misc]
    """Columns of texts become features, and their text keys the labels: (rows, columns) int64.

    Before each text goes the model's prompt for its task, as it does when the model is used; the column "asked" says
    which rows are questions with their passages.
    """

    task_prompts = Prompts()

    def __call__(self, features: list[dict[str, Any]]) -> dict[str, Any]:
        asked = [row.get("asked", False) for row in features]
        texts = [{name: text for name, text in row.items() if name != "asked"} for row in features]
        prompted = [self.with_prompts(row, question) for row, question in zip(texts, asked, strict=True)]
        batch: dict[str, Any] = super().__call__(prompted)
        batch["label"] = torch.tensor([[text_key(text) for text in row.values()] for row in texts])
        return batch

    def with_prompts(self, row: dict[str, str], asked: bool) -> dict[str, str]:
        """Questions and their passages get the prompts of searching; translations the model's default one, if any."""
        return {name: self.task_prompts.of(task_of(name, asked=asked)) + text for name, text in row.items()}


def task_of(column: str, *, asked: bool) -> Task:
    """What a text of this column is in use: a question, its passage, or, in a translation, neither."""
    if not asked:
        return "text"
    return "query" if column == "source" else "document"


class PairTrainer(SentenceTransformerTrainer):  # type: ignore[misc]
    """Draws batches by a SamplingPlan instead of a uniform shuffle."""

    data_collator_class = KeyedCollator

    def __init__(self, *, plan: SamplingPlan, length_window: int, model: Any, **arguments: Any) -> None:
        self.plan = plan
        self.length_window = length_window
        self.pair_sampler: PairBatchSampler | None = None
        super().__init__(model=model, **arguments)
        self.data_collator.task_prompts = prompts_of(model)

    def get_batch_sampler(self, dataset: Any, batch_size: int, drop_last: bool, **_: Any) -> PairBatchSampler:
        """The Trainer asks for it once; each epoch then iterates it anew."""
        self.pair_sampler = PairBatchSampler(
            dataset, batch_size, plan=self.plan, length_window=self.length_window, seed=self.args.seed
        )
        return self.pair_sampler

    def add_model_card_callback(self, default_args_dict: dict[str, Any]) -> None:
        """None: `output` writes the card, and this one tokenizes examples for a widget before every run."""


class EpochCallback(TrainerCallback):  # type: ignore[misc]
    """Tells the sampler its epoch. The Trainer does so too, but not through the wrappers of a resumed shard."""

    def __init__(self, trainer: PairTrainer) -> None:
        self.trainer = trainer

    def on_epoch_begin(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        """Also right after a checkpoint was resumed in the middle of an epoch."""
        sampler = self.trainer.pair_sampler
        assert sampler is not None
        steps_of_epoch = max(1, math.ceil(len(sampler) / args.gradient_accumulation_steps))
        sampler.set_epoch(state.global_step // steps_of_epoch)
