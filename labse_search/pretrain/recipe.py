"""A pre-training run in order: read, vocabulary or start, then for each stage grow, train, measure; write the folder.

Every process runs this; what is printed and written is the first process's. The folder is a sentence-transformers
model with LaBSE's stack (Transformer, pooling, Dense with tanh, Normalize): fine-tuning and the app load it as it is.
"""

from __future__ import annotations

import dataclasses
import logging
import math
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from accelerate import PartialState
from accelerate.utils import set_seed
from sentence_transformers import SentenceTransformer
from sentence_transformers.sentence_transformer.modules import Dense, Normalize, Pooling, StaticEmbedding, Transformer
from torch.utils.data import DataLoader
from transformers import (
    AutoModelForMaskedLM,
    AutoTokenizer,
    PreTrainedTokenizerFast,
    PrinterCallback,
    Trainer,
    TrainingArguments,
)
from transformers.trainer_utils import get_last_checkpoint

from labse_search.encoder.folder import OWN_FILE
from labse_search.errors import ModelUnavailable, UserError
from labse_search.finetune.model import open_model
from labse_search.finetune.output import write_json
from labse_search.finetune.trainer import (
    FiniteCallback,
    ProgressCallback,
    Say,
    StopCallback,
    join_processes,
    on_cpu,
    resolve_precision,
)
from labse_search.pretrain.config import PretrainConfig, PretrainResult
from labse_search.pretrain.corpus import Corpus, read_corpus, smoothed
from labse_search.pretrain.masking import KindBatchSampler, MaskedDataset, MaskingCollator
from labse_search.pretrain.stacking import grow, new_encoder
from labse_search.pretrain.static_start import init_from_static
from labse_search.pretrain.vocabulary import as_bert, train_vocabulary

log = logging.getLogger(__name__)


@dataclass
class Start:
    """What the first stage begins with. `dense`: weights of the layer over [CLS], when the start brings them."""

    tokenizer: PreTrainedTokenizerFast
    encoder: Any
    dense: dict[str, torch.Tensor] | None = None


class MaskedTrainer(Trainer):  # type: ignore[misc]
    """Draws whole batches of one kind; accelerate cuts each over the processes (`split_batches`)."""

    def __init__(self, *, sampler: KindBatchSampler, **arguments: Any) -> None:
        self.sampler = sampler
        super().__init__(**arguments)
        # BERT's loss is the mean of its own masked tokens whatever it is told of the others'; believing otherwise, the
        # Trainer would multiply it by the number of processes.
        self.model_accepts_loss_kwargs = False

    def get_train_dataloader(self) -> Any:
        loader = DataLoader(self.train_dataset, batch_sampler=self.sampler, collate_fn=self.data_collator)
        return self.accelerator.prepare(loader)


def run(config: PretrainConfig, say: Callable[[str], None] | None = None) -> PretrainResult:
    state = join_processes()
    tell = (say or log.info) if state.is_main_process else _silence
    folder = check(config, state.num_processes)
    corpus = read_corpus(config.text, config.pairs, held_out=config.held_out, seed=config.seed)
    for line in [*corpus.describe(), *plan_lines(config, state.num_processes)]:
        tell(line)
    if config.dry_run:
        return PretrainResult(folder, ())
    work = folder.with_name(folder.name + ".partial")
    if state.is_main_process:
        if config.resume == "none":
            shutil.rmtree(work, ignore_errors=True)
        (work / "run").mkdir(parents=True, exist_ok=True)
        write_json(work / "run" / "config.json", dataclasses.asdict(config))
    state.wait_for_everyone()

    set_seed(config.seed)
    start = begin(config, corpus, work, state, tell)
    datasets = tokenize(start.tokenizer, corpus)
    held = Held(start.tokenizer, corpus, config)
    losses = [held.losses(start.encoder)]
    tell(f"before: {_shown(losses[0])}")
    encoder = start.encoder
    for stage, (layers, steps) in enumerate(zip(config.stages, config.steps, strict=True)):
        encoder = grow(encoder, layers)
        stopped = train_stage(config, stage, steps, encoder, start.tokenizer, datasets, work, tell)
        if stopped:
            tell(f"stopped with a checkpoint in {work}; go on with the same command and --resume auto")
            return PretrainResult(work, tuple(losses), interrupted=True)
        losses.append(held.losses(encoder))
        tell(f"stage {stage + 1}, {layers} layers, {steps:,} steps: {_shown(losses[-1])}")
    if state.is_main_process:
        write_folder(config, corpus, start, encoder, losses, work, folder)
    state.wait_for_everyone()
    tell(f"written to {folder}; go on with labse_search.finetune --model {folder}")
    return PretrainResult(folder, tuple(losses))


def check(config: PretrainConfig, processes: int) -> Path:
    if not config.output:
        raise UserError("--output: name the folder of the new encoder.")
    if config.init and config.init_static:
        raise UserError("--init and --init-static: an encoder starts from one or from the other.")
    if len(config.stages) != len(config.steps):
        raise UserError(f"--stages has {len(config.stages)} numbers and --steps {len(config.steps)}: give as many.")
    if list(config.stages) != sorted(config.stages):
        raise UserError(f"--stages {config.stages}: each stage has at least the layers of the one before.")
    if config.global_batch_size % processes:
        raise UserError(f"--global-batch-size {config.global_batch_size} does not divide among {processes} processes.")
    folder = Path(config.output)
    if folder.exists():
        raise UserError(f"--output {folder} exists already. Name another folder.")
    return folder


def plan_lines(config: PretrainConfig, processes: int) -> list[str]:
    stages = ", ".join(
        f"{layers} layers × {steps:,} steps" for layers, steps in zip(config.stages, config.steps, strict=True)
    )
    rows = config.global_batch_size // processes
    return [
        f"batch: {processes} processes × {rows} = {config.global_batch_size} lines or pairs; "
        f"{100 * config.masked:g} % of the tokens masked",
        f"stages: {stages}; learning rate {config.learning_rate:g}",
    ]


def begin(config: PretrainConfig, corpus: Corpus, work: Path, state: PartialState, tell: Say) -> Start:
    if config.init:
        try:
            tokenizer = AutoTokenizer.from_pretrained(config.init)
            return Start(tokenizer, AutoModelForMaskedLM.from_pretrained(config.init).float())
        except (OSError, ValueError) as error:
            raise ModelUnavailable(f"--init {config.init}: no encoder there ({type(error).__name__}).") from error
    if config.init_static:
        return _begin_static(config)
    vocabulary = work / "vocabulary"
    if state.is_main_process and not vocabulary.exists():
        trained = train_vocabulary(
            smoothed(corpus.lines, config.smoothing, config.seed),
            size=config.vocabulary,
            pieces=config.pieces,
            window=config.window,
        )
        trained.save_pretrained(vocabulary.with_suffix(".new"))
        vocabulary.with_suffix(".new").rename(vocabulary)
    state.wait_for_everyone()
    tokenizer = PreTrainedTokenizerFast.from_pretrained(vocabulary)
    tell(f"vocabulary: {len(tokenizer):,} {config.pieces} entries")
    return Start(tokenizer, _encoder(config, tokenizer))


def tokenize(tokenizer: PreTrainedTokenizerFast, corpus: Corpus) -> MaskedDataset:
    return MaskedDataset(
        tokenizer, [line for _, line in corpus.lines], [(pair.source, pair.target) for pair in corpus.pairs]
    )


class Held:
    """The loss on lines and on pairs that training never sees, under masks that are always the same."""

    def __init__(self, tokenizer: PreTrainedTokenizerFast, corpus: Corpus, config: PretrainConfig) -> None:
        self.tokenizer = tokenizer
        self.config = config
        lines = MaskedDataset(tokenizer, [line for _, line in corpus.held_lines], [])
        pairs = MaskedDataset(tokenizer, [], [(pair.source, pair.target) for pair in corpus.held_pairs])
        self.kinds = {name: data for name, data in (("mlm", lines), ("tlm", pairs)) if len(data)}

    @torch.no_grad()  # type: ignore[untyped-decorator]
    def losses(self, encoder: Any) -> dict[str, float]:
        training, device = encoder.training, next(encoder.parameters()).device
        encoder.eval()
        found = {}
        for name, data in self.kinds.items():
            collator = MaskingCollator(
                self.tokenizer, window=self.config.window, masked=self.config.masked, seed=self.config.seed
            )
            total = count = 0.0
            with torch.random.fork_rng():
                torch.manual_seed(self.config.seed)
                for at in range(0, len(data), 32):
                    rows = [data[row] for row in range(at, min(at + 32, len(data)))]
                    batch = {key: value.to(device) for key, value in collator(rows).items()}
                    masked = int((batch["labels"] != -100).sum())
                    if masked:
                        total += float(encoder(**batch).loss) * masked
                        count += masked
            found[name] = total / max(1.0, count)
        encoder.train(training)
        return found


def train_stage(
    config: PretrainConfig,
    stage: int,
    steps: int,
    encoder: Any,
    tokenizer: PreTrainedTokenizerFast,
    dataset: MaskedDataset,
    work: Path,
    tell: Say,
) -> bool:
    """Train in place; True when it was stopped on the way. A stage that was finished before is loaded instead."""
    done = work / f"stage-{stage + 1}.pt"
    if done.exists() or not steps:
        if done.exists():
            encoder.load_state_dict(torch.load(done, map_location="cpu"))
        return False
    checkpoints = work / f"checkpoints-{stage + 1}"
    precision = resolve_precision(config.precision)
    arguments = TrainingArguments(
        output_dir=str(checkpoints),
        per_device_train_batch_size=config.global_batch_size,
        accelerator_config={"split_batches": True},
        max_steps=steps,
        learning_rate=config.learning_rate,
        warmup_steps=round(config.warmup * steps),
        lr_scheduler_type="linear",
        weight_decay=config.weight_decay,
        bf16=precision == "bf16",
        fp16=precision == "fp16",
        use_cpu=on_cpu(),
        ddp_backend="gloo" if on_cpu() and PartialState().num_processes > 1 else None,
        ddp_find_unused_parameters=False,
        logging_steps=max(1, steps // 200),
        logging_nan_inf_filter=False,
        save_strategy="steps",
        save_steps=config.save_steps or max(1, math.ceil(steps / 5)),
        save_total_limit=1,
        report_to="none",
        disable_tqdm=True,
        remove_unused_columns=False,
        seed=config.seed + stage,
    )
    finite = FiniteCallback()
    sampler = KindBatchSampler(
        dataset, config.global_batch_size, steps, pair_share=config.pair_batches, seed=config.seed + stage
    )
    with StopCallback() as stop:
        trainer = MaskedTrainer(
            model=encoder,
            args=arguments,
            train_dataset=dataset,
            data_collator=MaskingCollator(
                tokenizer, window=config.window, masked=config.masked, seed=config.seed + PartialState().process_index
            ),
            sampler=sampler,
            callbacks=[ProgressCallback(tell, work / "run" / f"history-{stage + 1}.jsonl"), finite, stop],
        )
        trainer.remove_callback(PrinterCallback)
        trainer.train(resume_from_checkpoint=get_last_checkpoint(str(checkpoints)) if checkpoints.is_dir() else None)
    if finite.broken_at is not None:
        raise UserError(
            f"the loss was no number at step {finite.broken_at} of stage {stage + 1}; lower --learning-rate"
        )
    if PartialState().is_main_process and not stop.stopped:
        torch.save(encoder.state_dict(), done)
        shutil.rmtree(checkpoints, ignore_errors=True)
    PartialState().wait_for_everyone()
    return stop.stopped


def write_folder(
    config: PretrainConfig,
    corpus: Corpus,
    start: Start,
    encoder: Any,
    losses: list[dict[str, float]],
    work: Path,
    folder: Path,
) -> None:
    """The LaBSE stack around the encoder, a card and the numbers; written aside, then renamed."""
    plain = work / "encoder"
    encoder.base_model.save_pretrained(plain)
    start.tokenizer.model_max_length = config.window
    start.tokenizer.save_pretrained(plain)
    transformer = Transformer(str(plain), max_seq_length=config.window)
    hidden = encoder.config.hidden_size
    dense = Dense(hidden, hidden, activation_function=torch.nn.Tanh())
    if start.dense:
        dense.linear.load_state_dict(start.dense)
    model = SentenceTransformer(
        modules=[transformer, Pooling(hidden, pooling_mode=config.pooling), dense, Normalize()], device="cpu"
    )
    made = work / "made"
    model.save(str(made), create_model_card=False)
    languages = sorted({language.split("-")[0].lower() for language, _ in corpus.lines if language})
    write_json(made / OWN_FILE, {"languages": languages})
    (work / "run").rename(made / "run")
    write_json(
        made / "run" / "metrics.json",
        {"held_out_losses": losses, "stages": config.stages, "steps": config.steps, "lines": len(corpus.lines)},
    )
    (made / "README.md").write_text(card(config, corpus, losses, languages), encoding="utf-8")
    made.rename(folder)
    shutil.rmtree(work)


def card(config: PretrainConfig, corpus: Corpus, losses: list[dict[str, float]], languages: list[str]) -> str:
    kinds = list(losses[0])
    names = [
        "before",
        *(f"{layers} layers, {steps:,} steps" for layers, steps in zip(config.stages, config.steps, strict=True)),
    ]
    rows = "\n".join(
        f"| {name} | {' | '.join(f'{values[kind]:.3f}' for kind in kinds)} |"
        for name, values in zip(names, losses, strict=True)
    )
    begun = (
        config.init
        or config.init_static
        or f"random weights, {config.pieces} vocabulary (smoothing {config.smoothing:g})"
    )
    return f"""---
library_name: sentence-transformers
tags: [sentence-transformers, masked-language-modeling]
language: [{", ".join(languages)}]
---

# {Path(config.output).name}

An encoder pre-trained on masked words (MLM) and masked pairs of translations (TLM). It is the start of a
fine-tuning (`labse_search.finetune --model`), not a search model yet: nothing has taught it that translations are
alike.

Started from: {begun}. {"; ".join(corpus.describe())}.

| loss of held-out masked tokens | {" | ".join(kinds)} |
|---|{"---|" * len(kinds)}
{rows}
"""


def _begin_static(config: PretrainConfig) -> Start:
    model = open_model(config.init_static, device="cpu")
    static = model[0]
    if not isinstance(static, StaticEmbedding):
        raise UserError(f"--init-static {config.init_static}: that is no static model. Use --init for an encoder.")
    vectors = static.embedding.weight.detach().float()
    if vectors.shape[1] != config.hidden:
        raise UserError(f"--hidden {config.hidden}: the static model's vectors have {vectors.shape[1]}. Use that.")
    tokenizer = as_bert(static.tokenizer, config.window)
    encoder = _encoder(config, tokenizer, vocabulary=len(vectors))
    dense = torch.nn.Linear(config.hidden, config.hidden)
    special = [tokenizer.pad_token_id, tokenizer.cls_token_id, tokenizer.sep_token_id, tokenizer.mask_token_id]
    init_from_static(encoder.base_model, dense, vectors, special)
    return Start(tokenizer, encoder, dense.state_dict())


def _encoder(config: PretrainConfig, tokenizer: PreTrainedTokenizerFast, vocabulary: int = 0) -> Any:
    return new_encoder(
        vocabulary=vocabulary or len(tokenizer),
        hidden=config.hidden,
        heads=config.heads,
        layers=config.stages[0],
        window=config.window,
        pad=int(tokenizer.pad_token_id),
    )


def _shown(losses: dict[str, float]) -> str:
    return "held-out loss " + ", ".join(f"{kind} {value:.3f}" for kind, value in losses.items())


def _silence(_: str) -> None:
    return None
