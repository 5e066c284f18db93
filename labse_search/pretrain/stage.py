"""One stage: the encoder goes on from where it is, for so many steps."""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from accelerate import PartialState
from torch.utils.data import DataLoader
from transformers import PreTrainedTokenizerFast, PrinterCallback, Trainer, TrainingArguments

from labse_search.corpora.values import Say
from labse_search.errors import UserError
from labse_search.files import move_into_place
from labse_search.pretrain.config import PretrainConfig
from labse_search.pretrain.masking import KindBatchSampler, MaskedDataset, make_collator
from labse_search.training.arguments import OneGpu, Steps, training_arguments
from labse_search.training.callbacks import FiniteCallback, ProgressCallback, StopCallback
from labse_search.training.run_folder import find_checkpoint


@dataclass(frozen=True)
class Stage:
    """One of the run's stages and its files in `work`."""

    number: int  # from 1
    steps: int
    work: Path

    @property
    def weights(self) -> Path:
        """What a finished stage leaves."""
        return self.work / f"stage-{self.number}.pt"

    @property
    def checkpoints(self) -> Path:
        """Where it is while it goes on."""
        return self.work / f"checkpoints-{self.number}"


class MaskedArguments(OneGpu, TrainingArguments):  # type: ignore[misc]
    """transformers' own."""


class MaskedTrainer(Trainer):  # type: ignore[misc]
    """Draws whole batches of one kind; accelerate cuts each over the processes (`split_batches`)."""

    def __init__(self, *, sampler: KindBatchSampler, **arguments: Any) -> None:
        self.sampler = sampler
        super().__init__(**arguments)
        # BERT's loss is the mean of its own masked tokens whatever it is told of the others'; believing otherwise, the
        # Trainer would multiply it by the number of processes.
        self.model_accepts_loss_kwargs = False

    def get_train_dataloader(self) -> Any:
        """Batches of `sampler`, each cut over the processes."""
        loader = DataLoader(self.train_dataset, batch_sampler=self.sampler, collate_fn=self.data_collator)
        return self.accelerator.prepare(loader)


def train_stage(
    stage: Stage,
    config: PretrainConfig,
    encoder: Any,
    data: tuple[PreTrainedTokenizerFast, MaskedDataset],
    tell: Say,
) -> bool:
    """Train in place; True when it was stopped on the way. A stage that was finished before is loaded instead."""
    if stage.weights.exists() or not stage.steps:
        if stage.weights.exists():
            encoder.load_state_dict(torch.load(stage.weights, map_location="cpu"))
        return False
    finite = FiniteCallback()
    with StopCallback() as stop:
        trainer = _trainer(stage, config, encoder, data)
        for callback in (ProgressCallback(tell, stage.work / "run" / f"history-{stage.number}.jsonl"), finite, stop):
            trainer.add_callback(callback)
        trainer.remove_callback(PrinterCallback)
        trainer.train(resume_from_checkpoint=find_checkpoint(config.resume, stage.checkpoints, tell))
    if finite.broken_at is not None:
        raise UserError(
            f"the loss was no number at step {finite.broken_at} of stage {stage.number}; lower --learning-rate"
        )
    if PartialState().is_main_process and not stop.stopped:
        aside = stage.weights.with_suffix(".new")  # a file that is cut off would be loaded as a finished stage
        torch.save(encoder.state_dict(), aside)
        move_into_place(aside, stage.weights)
        shutil.rmtree(stage.checkpoints, ignore_errors=True)
    PartialState().wait_for_everyone()
    return stop.stopped


def _trainer(
    stage: Stage, config: PretrainConfig, encoder: Any, data: tuple[PreTrainedTokenizerFast, MaskedDataset]
) -> MaskedTrainer:
    tokenizer, dataset = data
    seed = config.seed + stage.number - 1
    sampler = KindBatchSampler(
        dataset, config.global_batch_size, stage.steps, pair_share=config.pair_batches, seed=seed
    )
    arguments = training_arguments(
        MaskedArguments,
        config,
        Steps(config.global_batch_size, stage.steps, config.learning_rate, seed),
        stage.checkpoints,
        max_steps=stage.steps,
        remove_unused_columns=False,
    )
    own_seed = config.seed + PartialState().process_index
    return MaskedTrainer(
        model=encoder,
        args=arguments,
        train_dataset=dataset,
        data_collator=make_collator(config, tokenizer, encoder, seed=own_seed),
        sampler=sampler,
    )
