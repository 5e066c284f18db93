"""Progressive stacking (Gong et al. 2019): a deeper encoder starts from a shallower one whose layers repeat upwards."""

from __future__ import annotations

import copy
from dataclasses import dataclass
from typing import Any

import torch
from transformers import BertConfig, BertForMaskedLM

from labse_search.errors import UserError


@dataclass(frozen=True)
class EncoderShape:
    """Of a BERT: `vocabulary` entries, `window` tokens of a text, `pad` the padding token's id."""

    vocabulary: int
    hidden: int
    heads: int
    layers: int
    window: int
    pad: int


def new_encoder(shape: EncoderShape) -> Any:
    """A BERT of random weights; seed torch before. UserError where its width does not divide among its heads."""
    if shape.hidden % shape.heads:
        fitting = shape.hidden // shape.heads * shape.heads
        raise UserError(f"--hidden {shape.hidden} does not divide among --heads {shape.heads}. Use {fitting}.")
    return BertForMaskedLM(
        BertConfig(
            vocab_size=shape.vocabulary,
            hidden_size=shape.hidden,
            num_hidden_layers=shape.layers,
            num_attention_heads=shape.heads,
            intermediate_size=4 * shape.hidden,
            max_position_embeddings=max(shape.window, 64),
            pad_token_id=shape.pad,
        )
    )


def grow(model: Any, layers: int) -> Any:
    """The same model with so many layers: layer i is a copy of layer i mod the old number. Nothing else changes."""
    old = model.config.num_hidden_layers
    if layers == old:
        return model
    if layers < old:
        raise UserError(f"--stages: a stage of {layers} layers cannot follow one of {old}. Stages grow.")
    config = copy.deepcopy(model.config)
    config.num_hidden_layers = layers
    taller = type(model)(config)
    layer_list = model.base_model.encoder.layer
    grown = torch.nn.ModuleList(copy.deepcopy(layer_list[at % old]) for at in range(layers))
    taller.load_state_dict(model.state_dict(), strict=False)  # all but the new layers
    taller.base_model.encoder.layer = grown
    return taller.train(model.training)
