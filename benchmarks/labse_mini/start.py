"""What labse-mini starts from: LaBSE's stack around multilingual-e5-small, as good as that encoder before any training.

The encoder was trained with mean pooling, LaBSE's stack reads [CLS]. One more layer makes the one out of the other: its
attention is nearly uniform over the tokens, its values are the tokens themselves, and what [CLS] gets from it outweighs
what [CLS] was. Dense(tanh) subtracts the mean vector of sentences in all languages, which an untrained e5 needs to find
across languages: with a small ε, tanh(εx − εμ) is x − μ up to scale.
"""

from __future__ import annotations

import lzma
import random
from collections.abc import Mapping
from pathlib import Path

import torch
from sentence_transformers import SentenceTransformer
from sentence_transformers.sentence_transformer.modules import Dense, Normalize, Pooling, Transformer
from torch import Tensor
from transformers import BertConfig, BertModel, PreTrainedTokenizerFast

from benchmarks.labse_mini.e5 import MATRICES, NORMS, read_e5, tokenizer_settings

WINDOW = 256
ATTENTION = 20.0  # how much the mean of the tokens outweighs [CLS] itself
SHARPNESS = 0.3  # of the last layer's queries and keys in the new layer: 0 would be the mean and could not be trained
EPSILON = 0.05  # vectors less their mean have components of about 0.5; times this, tanh is linear to 2 in 10,000
SENTENCES = 60  # of each language, for the mean


def build_start(weights: Path, tokenizer: Path, dev: Path, output: Path, *, layers: int = 12) -> None:
    """Write the folder: `layers` of the 12 layers, evenly chosen, and the one that pools."""
    config, state = read_e5(weights)
    if layers < config.num_hidden_layers:
        config, state = fewer_layers(config, state, layers)
    config, state = with_pooling_layer(config, state)
    encoder = output / "encoder"
    model = BertModel(config, add_pooling_layer=False)
    model.load_state_dict(state)
    model.save_pretrained(encoder)
    PreTrainedTokenizerFast(
        tokenizer_file=str(tokenizer), model_max_length=WINDOW, **tokenizer_settings()
    ).save_pretrained(encoder)
    transformer = Transformer(str(encoder), max_seq_length=WINDOW)
    pooling = Pooling(config.hidden_size, pooling_mode="cls")
    pooled = SentenceTransformer(modules=[transformer, pooling], device="cpu")
    vectors = pooled.encode(sentences(dev), batch_size=64, convert_to_tensor=True)
    dense = centring(vectors.mean(0))
    SentenceTransformer(modules=[transformer, pooling, dense, Normalize()], device="cpu").save(
        str(output / "model"), create_model_card=False
    )


def fewer_layers(config: BertConfig, state: Mapping[str, Tensor], layers: int) -> tuple[BertConfig, dict[str, Tensor]]:
    """`layers` of them, from the first to the last in even steps."""
    last = config.num_hidden_layers - 1
    kept = [round(at * last / (layers - 1)) for at in range(layers)]
    chosen = {name: value for name, value in state.items() if not name.startswith("encoder.layer.")}
    for new, old in enumerate(kept):
        prefix = f"encoder.layer.{old}."
        chosen |= {
            f"encoder.layer.{new}.{name.removeprefix(prefix)}": value
            for name, value in state.items()
            if name.startswith(prefix)
        }
    return BertConfig(**{**config.to_dict(), "num_hidden_layers": layers}), chosen


def with_pooling_layer(config: BertConfig, state: Mapping[str, Tensor]) -> tuple[BertConfig, dict[str, Tensor]]:
    """One more layer, after which the first token's vector is the mean of all, scaled to unit variance."""
    count = config.num_hidden_layers
    last, new = f"encoder.layer.{count - 1}.", f"encoder.layer.{count}."
    layer = {new + name.removeprefix(last): value.clone() for name, value in state.items() if name.startswith(last)}
    same = torch.eye(config.hidden_size)
    for name in ("query", "key"):
        layer[f"{new}attention.self.{name}.weight"] *= SHARPNESS
        layer[f"{new}attention.self.{name}.bias"].zero_()
    for name, weight in ((MATRICES["v"], same), (MATRICES["ao"], ATTENTION * same)):
        layer[f"{new}{name}.weight"] = weight.clone()
        layer[f"{new}{name}.bias"].zero_()
    layer[f"{new}{MATRICES['fo']}.weight"].zero_()
    layer[f"{new}{MATRICES['fo']}.bias"].zero_()
    for name in NORMS.values():
        layer[f"{new}{name}.weight"].fill_(1)
        layer[f"{new}{name}.bias"].zero_()
    return BertConfig(**{**config.to_dict(), "num_hidden_layers": count + 1}), {**state, **layer}


def centring(mean: Tensor) -> Dense:
    """Dense(tanh) that subtracts `mean`, (dimension,), and scales by EPSILON."""
    size = len(mean)
    dense = Dense(size, size, activation_function=torch.nn.Tanh())
    with torch.no_grad():
        dense.linear.weight.copy_(EPSILON * torch.eye(size))
        dense.linear.bias.copy_(-EPSILON * mean)
    return dense


def sentences(dev: Path) -> list[str]:
    """SENTENCES of each language of the dev sets: no test set, and none that is trained on."""
    chosen = random.Random(0)
    texts: dict[str, list[str]] = {}
    for file in sorted(dev.glob("*.tsv.xz")):
        with lzma.open(file, "rt", encoding="utf-8") as lines:
            for line in lines:
                first, second, source, target = line.rstrip("\n").split("\t")[:4]
                texts.setdefault(first, []).append(source)
                texts.setdefault(second, []).append(target)
    return [text for own in texts.values() for text in chosen.sample(own, min(SENTENCES, len(own)))]
