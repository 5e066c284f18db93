"""A training from files in order: read, tokenize, static model, neighbours, transformer, folder, measure.

Everything lies in OUTPUT.partial until the end. What a phase has finished is there under its own name, so an
interrupted run goes on where it stopped; the folder itself appears whole or not at all.
"""

from __future__ import annotations

import dataclasses
import logging
import os
import random
import shutil
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from sentence_transformers.sentence_transformer.modules import StaticEmbedding
from torch import Tensor
from transformers import PreTrainedTokenizerFast

from labse_search.align.config import MAY_CHANGE, AlignConfig, AlignResult, check, check_sources
from labse_search.align.corpus import TokenPairs, find_files, load_pairs, read_rows, source_name
from labse_search.align.cutting import Cuts
from labse_search.align.loop import Loop, Plan, Rates
from labse_search.align.measure import check_sets, measure
from labse_search.align.neighbours import find_groups
from labse_search.align.network import Network, build_network, megabytes, save_network
from labse_search.align.sampling import BatchSampler
from labse_search.align.static import StaticTable, new_vectors, reweigh, save_static
from labse_search.encoder.precision import choose_device, choose_precision
from labse_search.errors import UserError
from labse_search.finetune.model import open_model
from labse_search.finetune.output import check_same_run, write_json
from labse_search.pretrain.corpus import smoothed
from labse_search.pretrain.vocabulary import as_bert, train_vocabulary

log = logging.getLogger(__name__)
Say = Callable[[str], None]

GENTLE_RATE, FRESH_RATE = 5e-3, 0.1  # of vectors that know something, and of random ones
MAX_CHARACTERS = 1000  # of a text that the vocabulary is made from


@dataclass(frozen=True)
class Start:
    """`vectors`: (vocabulary, hidden) float32."""

    tokenizer: PreTrainedTokenizerFast
    vectors: Tensor


@dataclass(frozen=True)
class Run:
    """What all phases share."""

    config: AlignConfig
    work: Path
    pairs: TokenPairs
    weights: NDArray[np.float32]
    device: str
    tell: Say

    @property
    def languages(self) -> list[str]:
        return self.pairs.trained_languages(self.weights)

    def counts(self, vectors: Tensor) -> NDArray[np.int64]:
        return self.pairs.token_counts(len(vectors))

    def loop(self, plan: Plan, model: Any, rates: Rates, sampler: BatchSampler) -> Loop:
        return Loop(
            plan,
            model,
            rates,
            sampler,
            checkpoint=self.work / f"{plan.name}.checkpoint",
            history=self.work / "run" / "history.jsonl",
            save_minutes=self.config.save_minutes,
            tell=self.tell,
        )


def run(config: AlignConfig, say: Callable[[str], None] | None = None) -> AlignResult:
    tell = say or log.info
    folder = check(config)
    files = find_files(config.data, config.dictionaries)
    weight_of = check_sources(config, [source_name(file) for file in files])
    if config.evaluate:
        check_sets(Path(config.evaluate))
    start = open_start(config) if config.start else None
    for line in plan_lines(config, files, weight_of, start):
        tell(line)
    if config.dry_run:
        return AlignResult(folder)
    work = prepare(config, folder)
    start = start or new_start(config, files, work, tell)
    backend = start.tokenizer.backend_tokenizer
    cache = Path(config.cache) if config.cache else work / "tokens"
    pairs = load_pairs(files, backend, cache, max_tokens=config.window - 2, tell=tell)
    check_same_pairs(work, cache)
    weights = pairs.weights(weight_of, balance=config.balance, unbalanced=_words(config))
    current = Run(config, work, pairs, weights, choose_device(), tell)

    vectors = train_static(current, start)
    if vectors is None:
        return stopped(work, tell)
    made = work / "made"
    shutil.rmtree(made, ignore_errors=True)
    if config.layers:
        network = train_network(current, start.tokenizer, vectors)
        if network is None:
            return stopped(work, tell)
        save_network(network, start.tokenizer, made, current.languages)
    else:
        save_static(vectors, start.tokenizer, made, current.languages)
    finish(current, made, folder)
    tell(f"written to {folder}")
    return AlignResult(folder)


def plan_lines(
    config: AlignConfig, files: Sequence[Path], weight_of: dict[str, float], start: Start | None
) -> list[str]:
    lines = [f"{len(files)} sources in {sum(file.stat().st_size for file in files) / 1e6:,.1f} MB:"]
    lines += [
        f"  {name}" + ("" if weight == 1 else f", weight {weight:g}" if weight else ", held out")
        for name, weight in weight_of.items()
    ]
    vocabulary = len(start.vectors) if start else config.vocabulary
    begun = f"from {config.start}" if start else "new vocabulary, random vectors"
    lines.append(f"static model: {vocabulary:,} × {config.hidden}, {begun}, {config.static_pairs:,} pairs")
    if config.layers:
        size = megabytes(
            vocabulary, hidden=config.hidden, layers=config.layers, inner=config.inner, window=config.window
        )
        length = f"{config.minutes:g} minutes" if config.minutes else f"{config.pairs:,} pairs"
        lines.append(
            f"transformer: {config.layers} layers × {config.hidden}, {length} in batches of {config.batch}; "
            f"{size:.1f} MB and the tokenizer"
        )
    return lines


def prepare(config: AlignConfig, folder: Path) -> Path:
    """OUTPUT.partial, with what an interrupted run of the same settings left there."""
    work = folder.with_name(folder.name + ".partial")
    if config.resume == "none":
        shutil.rmtree(work, ignore_errors=True)
    check_same_run(work, config, MAY_CHANGE)
    (work / "run").mkdir(parents=True, exist_ok=True)
    write_json(work / "run" / "config.json", dataclasses.asdict(config))
    return work


def check_same_pairs(work: Path, cache: Path) -> None:
    """UserError when files or vocabulary are no longer those that an interrupted run began with."""
    description = (cache / "description.json").read_text(encoding="utf-8")
    begun_with = work / "pairs.json"
    if not begun_with.exists():
        begun_with.write_text(description, encoding="utf-8")
    elif begun_with.read_text(encoding="utf-8") != description:
        raise UserError(f"the pairs have changed since the run in {work} began. Give --resume none to start anew.")


def open_start(config: AlignConfig) -> Start:
    static = open_model(config.start, device="cpu")[0]
    if not isinstance(static, StaticEmbedding):
        raise UserError(f"--start {config.start}: that is no static model. Leave --start out to begin with none.")
    vectors = static.embedding.weight.detach().float()
    if vectors.shape[1] != config.hidden:
        raise UserError(f"--hidden {config.hidden}: the vectors of --start have {vectors.shape[1]}. Use that.")
    return Start(as_bert(static.tokenizer, config.window), vectors)


def new_start(config: AlignConfig, files: Sequence[Path], work: Path, tell: Say) -> Start:
    """A vocabulary made from the pairs, kept in the work folder, and random vectors."""
    folder = work / "vocabulary"
    if not folder.exists():
        texts = sample_texts(files, config.vocabulary_texts, config.seed)
        trained = train_vocabulary(
            smoothed(texts, config.smoothing, config.seed),
            size=config.vocabulary,
            pieces="unigram",
            window=config.window,
        )
        fresh = folder.with_suffix(".part")
        trained.save_pretrained(fresh)
        os.replace(fresh, folder)
    tokenizer = PreTrainedTokenizerFast.from_pretrained(folder)
    tell(f"vocabulary: {len(tokenizer):,} entries")
    return Start(tokenizer, new_vectors(len(tokenizer), config.hidden, config.seed))


def sample_texts(files: Sequence[Path], count: int, seed: int) -> list[tuple[str, str]]:
    """At most `count` (language, text), each text of the files as likely as any other (reservoir sampling)."""
    chance = random.Random(seed)
    kept: list[tuple[str, str]] = []
    texts = (
        (language, text[:MAX_CHARACTERS])
        for file in files
        for row in read_rows(file)
        for language, text in zip(row[:2], row[2:], strict=True)
    )
    for seen, text in enumerate(texts):
        if seen < count:
            kept.append(text)
        elif (place := chance.randrange(seen + 1)) < count:
            kept[place] = text
    return kept


def train_static(run: Run, start: Start) -> Tensor | None:
    """(vocabulary, hidden) vectors after the first phase; None when it was stopped."""
    config = run.config
    if not config.static_pairs:
        return start.vectors
    vectors = start.vectors
    if config.start and config.reweigh:
        vectors = reweigh(vectors, run.counts(vectors))
    table = StaticTable(vectors).to(run.device)
    plan = Plan("static", config.static_batch, config.static_pairs, config.static_scale, config.margin, config.warmup)
    sampler = BatchSampler(
        run.pairs,
        run.weights,
        batch=config.static_batch,
        seed=config.seed,
        cuts=Cuts(config.static_crops, config.static_crops),
    )
    if run.loop(plan, table, Rates(config.static_rate or (GENTLE_RATE if config.start else FRESH_RATE)), sampler).run():
        return None
    return table.words.detach().cpu()


def train_network(run: Run, tokenizer: PreTrainedTokenizerFast, vectors: Tensor) -> Network | None:
    """The transformer after the second phase; None when it was stopped."""
    config = run.config
    if config.reweigh:
        vectors = reweigh(vectors, run.counts(vectors))
    network = build_network(
        vectors,
        tokenizer,
        layers=config.layers,
        heads=config.heads,
        inner=config.inner,
        window=config.window,
        max_tokens=config.max_tokens or config.window,
        precision=choose_precision(config.precision, run.device),
        seed=config.seed,
    ).to(run.device)
    begun = {name: weights.clone() for name, weights in network.state_dict().items()}  # the same after a resumption
    sampler = BatchSampler(
        run.pairs,
        run.weights,
        batch=config.batch,
        seed=config.seed + 1,
        cuts=Cuts(config.crops, config.long_crops, config.questions, config.passages),
        hard=config.hard,
        group=config.group,
        groups=neighbour_groups(run, vectors) if config.hard else None,
    )
    plan = Plan(
        "transformer",
        config.batch,
        config.pairs,
        config.scale,
        config.margin,
        config.warmup,
        minutes=config.minutes,
        clip=config.clip,
        tail=config.tail,
        reach=config.reach,
        reach_pairs=config.reach_pairs,
    )
    if run.loop(plan, network, Rates(config.word_rate, config.rate), sampler).run():
        return None
    network.load_state_dict(averaged(network.state_dict(), begun, config.start_share))
    trained: Network = network.cpu()
    return trained


def averaged(trained: Mapping[str, Tensor], begun: Mapping[str, Tensor], share: float) -> dict[str, Tensor]:
    """Of the weights after and before training, `share` of the latter: what training on one kind of text takes away
    on others comes back, for little of what it gave (Wortsman et al. 2022, robust fine-tuning)."""
    return {name: torch.lerp(weights, begun[name], share) for name, weights in trained.items()}


def neighbour_groups(run: Run, vectors: Tensor) -> NDArray[np.int32]:
    """(pairs,) cluster of each pair. Dictionaries are grouped by languages instead: a word's nearest neighbours are
    its synonyms, which would be wrong negatives."""
    file = run.work / "neighbours.npy"
    if not file.exists():
        run.tell("neighbours: k-means over the static vectors")
        groups = find_groups(run.pairs.sides[0], vectors, seed=run.config.seed)
        of_words = [number for number, name in enumerate(run.pairs.source_names) if name in _words(run.config)]
        is_word = np.isin(run.pairs.sources, of_words)
        pair = run.pairs.languages[:, 0] * len(run.pairs.language_names) + run.pairs.languages[:, 1]
        groups[is_word] = groups.max() + 1 + pair[is_word]
        aside = file.with_name("neighbours.part.npy")
        np.save(aside, groups)
        os.replace(aside, file)
    found: NDArray[np.int32] = np.load(file)
    return found


def finish(run: Run, made: Path, folder: Path) -> None:
    """Measure, write the card and the numbers, rename."""
    config = run.config
    measured: dict[str, Any] = {}
    if config.evaluate:
        models = [config.start, str(made)] if config.start else [str(made)]
        text, measured = measure(models, Path(config.evaluate), run.languages)
        run.tell(text)
    write_json(run.work / "run" / "metrics.json", {"measured": measured, "languages": run.languages})
    (made / "README.md").write_text(card(run), encoding="utf-8")
    shutil.copytree(run.work / "run", made / "run")
    os.replace(made, folder)
    shutil.rmtree(run.work)


def card(run: Run) -> str:
    """README.md of the model folder."""
    config = run.config
    drawn = np.bincount(run.pairs.sources, minlength=len(run.pairs.source_names))
    weight_of = check_sources(config, run.pairs.source_names)
    rows = "\n".join(
        f"| {name} | {count:,} | {weight_of[name]:g} |"
        for name, count in zip(run.pairs.source_names, drawn.tolist(), strict=True)
    )
    kind = f"A BERT of {config.layers} layers × {config.hidden}" if config.layers else "A static model"
    return f"""---
library_name: sentence-transformers
pipeline_tag: sentence-similarity
tags: [sentence-transformers, sentence-similarity, feature-extraction]
language: [{", ".join(run.languages)}]
---

# {Path(config.output).name}

{kind} in which texts that mean the same in different languages have vectors near to each other.
Trained from files of translations by `python -m labse_search.align`; `run/` has every setting, the losses, and what was
measured.

| source | pairs | weight |
|---|---|---|
{rows}
"""


def stopped(work: Path, tell: Say) -> AlignResult:
    tell(f"stopped with a checkpoint in {work}; go on with the same command")
    return AlignResult(work, interrupted=True)


def _words(config: AlignConfig) -> set[str]:
    return {source_name(Path(name)) for name in config.dictionaries}
