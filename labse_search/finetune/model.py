"""Open a model for training: pooling, window, what is frozen, adapters; and what its training needs in memory."""

from __future__ import annotations

import copy
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal

import torch
from sentence_transformers import SentenceTransformer
from sentence_transformers.sentence_transformer.modules import Pooling, StaticEmbedding
from torch import Tensor

from labse_search.errors import ModelUnavailable, UserError
from labse_search.finetune.loss import Anchor, Features

SHIPPED = Path(__file__).resolve().parent.parent / "models" / "labse-mini"
FEW_WEIGHTS = 10_000_000  # of layers; labse-mini has 1.7 million, LaBSE 86, and between them nothing was tried
MAX_TRAINING_TOKENS = 128  # pairs are sentences; a window of 256 costs memory for padding (notes of LaBSE: 64 … 128)
ADAPTED = ["query", "key", "value", "dense"]  # LoRA on attention and feed-forward of BERT-like encoders


def open_model(name: str, device: str | None = None) -> Any:
    """The model as it was stored. ModelUnavailable when the folder or hub name gives none."""
    try:
        return SentenceTransformer(name or str(SHIPPED), device=device)
    except (OSError, ValueError) as error:
        raise ModelUnavailable(
            f"{name}: no model there ({type(error).__name__}). Give a sentence-transformers folder or a hub name."
        ) from error


def is_static(model: Any) -> bool:
    return isinstance(model[0], StaticEmbedding)


def stored_type(model: Any) -> torch.dtype:
    """Of its weights, before training makes them float32."""
    dtype: torch.dtype = next(model.parameters()).dtype
    return dtype


def set_pooling(model: Any, pooling: Literal["keep", "cls", "mean", "max"]) -> None:
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
    return {name: value.detach().cpu().clone() for name, value in model.state_dict().items()}


def interpolate(base: Mapping[str, Tensor], tuned: Mapping[str, Tensor], alpha: float) -> dict[str, Tensor]:
    """(1 − alpha) · base + alpha · tuned for every weight (WiSE-FT, arXiv 2109.01903); exact at 0 and at 1."""
    if alpha in (0.0, 1.0):
        return dict(base if alpha == 0 else tuned)
    return {
        name: torch.lerp(base[name], value, alpha) if value.is_floating_point() else value
        for name, value in tuned.items()
    }


def frozen_twin(model: Any) -> Anchor:
    """The vectors of the model as it is now, whatever training makes of it."""
    twin = copy.deepcopy(model).eval().requires_grad_(False)

    def anchor(features: Features) -> list[Tensor]:
        twin.to(next(value.device for value in features[0].values() if torch.is_tensor(value)))
        with torch.no_grad():
            return [twin(dict(column))["sentence_embedding"] for column in features]

    return anchor


def training_memory(model: Any, *, batch: int, mini_batch: int, columns: int, world_batch: int, tokens: int) -> int:
    """Bytes one process needs, an estimate: weights, gradients, two Adam moments, activations, logits.

    Activations: 17 numbers for each token, layer and hidden unit and 2.5 for each pair of tokens and head
    (arXiv 2205.05198, section 4, whose bytes are halves of numbers).
    """
    weights = sum(parameter.numel() for parameter in model.parameters())
    trained = sum(parameter.numel() for parameter in model.parameters() if parameter.requires_grad)
    total = 4 * (weights + 3 * trained)
    if not is_static(model):
        config = model[0].auto_model.config
        rows = mini_batch if mini_batch else batch * columns
        heads = getattr(config, "num_attention_heads", 1)
        a_token = 17 * config.hidden_size + 2.5 * heads * tokens
        total += int(4 * rows * tokens * config.num_hidden_layers * a_token)
    return int(total + 2 * 4 * batch * world_batch * columns)
