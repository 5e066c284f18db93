"""Progressive stacking (Gong et al. 2019): a deeper encoder starts from a shallower one whose layers repeat upwards."""

from __future__ import annotations

import copy
from typing import Any

import torch
from transformers import BertConfig, BertForMaskedLM

from labse_search.errors import UserError


def new_encoder(*, vocabulary: int, hidden: int, heads: int, layers: int, window: int, pad: int) -> Any:
    """A BERT of random weights; seed torch before."""
    if hidden % heads:
        raise UserError(f"--hidden {hidden} does not divide among --heads {heads}. Use {hidden // heads * heads}.")
    return BertForMaskedLM(
        BertConfig(
            vocab_size=vocabulary,
            hidden_size=hidden,
            num_hidden_layers=layers,
            num_attention_heads=heads,
            intermediate_size=4 * hidden,
            max_position_embeddings=max(window, 64),
            pad_token_id=pad,
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
