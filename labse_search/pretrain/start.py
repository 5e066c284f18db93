"""What the first stage begins with: an encoder of random weights and a vocabulary of its own, or another encoder."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from accelerate import PartialState
from transformers import AutoModelForMaskedLM, AutoTokenizer, PreTrainedTokenizerFast

from labse_search.corpora.values import Say
from labse_search.errors import ModelUnavailable, UserError
from labse_search.files import move_into_place
from labse_search.pretrain.config import PretrainConfig
from labse_search.pretrain.data import Data, smoothed
from labse_search.pretrain.stacking import EncoderShape, new_encoder
from labse_search.pretrain.vocabulary import train_vocabulary
from labse_search.training.models import model_folder

NEEDED = ("cls_token_id", "sep_token_id", "pad_token_id", "mask_token_id")


def begin(config: PretrainConfig, data: Data, work: Path, tell: Say) -> tuple[PreTrainedTokenizerFast, Any]:
    """Tokenizer and encoder, the same on every process. UserError when --init names none that can be used."""
    if config.init:
        return open_encoder(config)
    state = PartialState()
    folder = work / "vocabulary"
    if state.is_main_process and not folder.exists():
        trained = train_vocabulary(
            smoothed(data.lines, config.smoothing, config.seed),
            size=config.vocabulary,
            pieces=config.pieces,
            window=config.window,
        )
        trained.save_pretrained(folder.with_suffix(".new"))
        move_into_place(folder.with_suffix(".new"), folder)
    state.wait_for_everyone()
    tokenizer = PreTrainedTokenizerFast.from_pretrained(folder)
    tell(f"vocabulary: {len(tokenizer):,} {config.pieces} entries")
    shape = EncoderShape(
        vocabulary=len(tokenizer),
        hidden=config.hidden,
        heads=config.heads,
        layers=config.stages[0],
        window=config.window,
        pad=int(tokenizer.pad_token_id),
    )
    return tokenizer, new_encoder(shape)


def open_encoder(config: PretrainConfig) -> tuple[PreTrainedTokenizerFast, Any]:
    """The encoder of --init with its vocabulary: the folder or hub name of a sentence-transformers model, or of a plain
    encoder."""
    try:
        name = str(model_folder(config.init))
    except ModelUnavailable:  # a hub's encoder without modules.json
        name = config.init
    try:
        tokenizer = AutoTokenizer.from_pretrained(name)
        encoder = AutoModelForMaskedLM.from_pretrained(name).float()
    except (OSError, ValueError, KeyError) as error:
        raise ModelUnavailable(f"--init {config.init}: no encoder there ({type(error).__name__}).") from error
    missing = [name.removesuffix("_id") for name in NEEDED if getattr(tokenizer, name) is None]
    if missing or not hasattr(getattr(encoder.base_model, "encoder", None), "layer"):
        lacking = f"its tokenizer has no {', '.join(missing)}" if missing else "it has no stack of layers like BERT's"
        raise UserError(f"--init {config.init}: {lacking}. Start from an encoder of BERT's or RoBERTa's kind.")
    positions = int(getattr(encoder.config, "max_position_embeddings", config.window))
    room = positions - (int(tokenizer.pad_token_id) + 1 if "roberta" in encoder.config.model_type else 0)
    if config.window > room:
        raise UserError(f"--window {config.window}: the encoder of --init has {room} positions. Use --window {room}.")
    return tokenizer, encoder
