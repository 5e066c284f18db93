"""Make a model ready to be tuned: pooling, what is frozen, adapters; and interpolate the tuned weights with the old."""

from __future__ import annotations

import copy
from collections.abc import Mapping
from typing import Any, Literal

import torch
from sentence_transformers.sentence_transformer.modules import Pooling
from torch import Tensor

from labse_search.errors import UserError
from labse_search.training.losses import Anchor, Features
from labse_search.training.models import is_static

# LoRA on attention and feed-forward of BERT-like encoders; BERT's own pooler has a "dense" too (see set_trainable).
ADAPTED = r"(?!(.*\.)?pooler\.).*\.(query|key|value|dense)"


def stored_type(model: Any) -> torch.dtype:
    """Of its weights, before training makes them float32."""
    dtype: torch.dtype = next(model.parameters()).dtype
    return dtype


def set_pooling(model: Any, pooling: Literal["keep", "cls", "mean", "max"]) -> None:
    """Replace the model's pooling in place. UserError where it has none."""
    if pooling == "keep":
        return
    at = next((at for at, module in enumerate(model) if isinstance(module, Pooling)), None)
    if at is None:
        raise UserError(f"--pooling {pooling}: this model has no pooling to change. Use --pooling keep.")
    model[at] = Pooling(model[at].embedding_dimension, pooling_mode=pooling)


def set_trainable(model: Any, freeze: Literal["auto", "embeddings", "none"]) -> bool:
    """Freeze what shall stay as it is; True when the word embeddings are frozen.

    BERT's own pooler has no part in the vector (its parameters would never get a gradient, and DDP would wait for it).
    """
    for name, parameter in model.named_parameters():
        parameter.requires_grad_(".pooler." not in name)
    if is_static(model):
        if freeze == "embeddings":
            raise UserError("--freeze embeddings: a static model is nothing but embeddings. Use --freeze none.")
        return False
    words = model[0].auto_model.get_input_embeddings()
    share = words.weight.numel() / sum(parameter.numel() for parameter in model.parameters())
    frozen = freeze == "embeddings" or (freeze == "auto" and share > 0.5)  # LaBSE: 385 of 471 million
    if frozen:
        words.weight.requires_grad_(False)
    return frozen


def layer_weights(model: Any) -> int:
    """How many weights a transformer has beside its table of words."""
    words = model[0].auto_model.get_input_embeddings().weight
    return sum(int(parameter.numel()) for parameter in model.parameters() if parameter is not words)


def add_adapters(model: Any, rank: int) -> None:
    """LoRA of this rank on attention and feed-forward layers. UserError for a static model, or without peft."""
    try:
        from peft import LoraConfig, TaskType
    except ImportError as error:
        raise UserError("--lora-rank needs the package peft: pip install peft") from error
    if is_static(model):
        raise UserError("--lora-rank: a static model has no layers to adapt. Use --lora-rank 0.")
    model.add_adapter(
        LoraConfig(
            task_type=TaskType.FEATURE_EXTRACTION,
            r=rank,
            lora_alpha=2 * rank,
            lora_dropout=0.05,
            target_modules=ADAPTED,
        )
    )


def merge_adapters(model: Any) -> None:
    """Fold every adapter into the layer it adapts: the model has its old parameter names again."""
    from peft.tuners.tuners_utils import BaseTunerLayer

    for name, layer in list(model.named_modules()):
        if isinstance(layer, BaseTunerLayer):
            layer.merge()
            parent, _, attribute = name.rpartition(".")
            setattr(model.get_submodule(parent), attribute, layer.get_base_layer())
    auto_model = model[0].auto_model
    auto_model._hf_peft_config_loaded = False  # else it would be saved as an adapter
    if hasattr(auto_model, "peft_config"):
        del auto_model.peft_config


def state_of(model: Any) -> dict[str, Tensor]:
    """A copy of all weights on the CPU, by name."""
    return {name: value.detach().cpu().clone() for name, value in model.state_dict().items()}


def interpolate(base: Mapping[str, Tensor], tuned: Mapping[str, Tensor], alpha: float) -> dict[str, Tensor]:
    """(1 − alpha) · base + alpha · tuned for every weight (WiSE-FT, arXiv 2109.01903); exact at 0 and at 1."""
    if alpha in (0.0, 1.0):
        return dict(base if alpha == 0 else tuned)
    return {
        name: torch.lerp(base[name], value, alpha) if value.is_floating_point() else value
        for name, value in tuned.items()
    }


def reference_model(model: Any) -> Anchor:
    """The vectors of the model as it is now, whatever training makes of it."""
    reference = copy.deepcopy(model).eval().requires_grad_(False)

    def anchor(features: Features) -> list[Tensor]:
        reference.to(next(value.device for value in features[0].values() if torch.is_tensor(value)))
        with torch.no_grad():
            return [reference(dict(column))["sentence_embedding"] for column in features]

    return anchor
