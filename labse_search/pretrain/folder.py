"""The folder of a pre-trained encoder: LaBSE's stack around it, a card and the numbers; written aside, then renamed."""

from __future__ import annotations

import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from sentence_transformers import SentenceTransformer
from sentence_transformers.sentence_transformer.modules import Dense, Normalize, Pooling, Transformer
from transformers import PreTrainedTokenizerFast

from labse_search.encoder.folder import OWN_FILE
from labse_search.files import move_into_place, write_json
from labse_search.pretrain.config import PretrainConfig
from labse_search.pretrain.data import Data
from labse_search.training.card import heading, is_hub_name

Losses = Sequence[Mapping[str, float]]  # before, and after each stage, by kind


def write_folder(
    config: PretrainConfig, data: Data, trained: tuple[PreTrainedTokenizerFast, Any], losses: Losses, work: Path
) -> None:
    """Make OUTPUT of what lies in `work`, the run's folder, which goes when it is done. Killed anywhere in between, it
    can be called again."""
    made = work / "made"
    shutil.rmtree(made, ignore_errors=True)
    stack(config, *trained, work / "encoder").save(str(made), create_model_card=False)
    languages = sorted({language.split("-")[0].lower() for language, _ in data.lines if language})
    write_json(made / OWN_FILE, {"languages": languages})
    shutil.copytree(work / "run", made / "run")
    write_json(
        made / "run" / "metrics.json",
        {"held_out_losses": losses, "stages": config.stages, "steps": config.steps, "lines": len(data.lines)},
    )
    (made / "README.md").write_text(card(config, data, losses, languages), encoding="utf-8")
    move_into_place(made, Path(config.output))
    shutil.rmtree(work)


def stack(config: PretrainConfig, tokenizer: PreTrainedTokenizerFast, encoder: Any, folder: Path) -> Any:
    """LaBSE's modules around the encoder, which is written to `folder` on the way."""
    encoder.base_model.save_pretrained(folder)
    tokenizer.model_max_length = config.window
    tokenizer.save_pretrained(folder)
    transformer = Transformer(str(folder), max_seq_length=config.window)
    hidden = encoder.config.hidden_size
    dense = Dense(hidden, hidden, activation_function=torch.nn.Tanh())
    return SentenceTransformer(
        modules=[transformer, Pooling(hidden, pooling_mode=config.pooling), dense, Normalize()], device="cpu"
    )


def card(config: PretrainConfig, data: Data, losses: Losses, languages: Sequence[str]) -> str:
    """README.md of the folder."""
    kinds = list(losses[0])
    names = [
        "before",
        *(f"{layers} layers, {steps:,} steps" for layers, steps in zip(config.stages, config.steps, strict=True)),
    ]
    rows = "\n".join(
        f"| {name} | {' | '.join(f'{values[kind]:.3f}' for kind in kinds)} |"
        for name, values in zip(names, losses, strict=True)
    )
    begun = config.init or f"random weights, {config.pieces} vocabulary (smoothing {config.smoothing:g})"
    name = config.init if is_hub_name(config.init) else ""
    tags = ["sentence-transformers", "masked-language-modeling"]
    return (
        heading(tags=tags, base=None, name=name, languages=languages)
        + f"""
# {Path(config.output).name}

An encoder pre-trained on masked words (MLM) and masked pairs of translations (TLM). It is the start of a
fine-tuning (`labse_search.finetune --model`), not a search model yet: nothing has taught it that translations are
alike.

Started from: {begun}. {"; ".join(data.describe())}.

| loss of held-out masked tokens | {" | ".join(kinds)} |
|---|{"---|" * len(kinds)}
{rows}
"""
    )
