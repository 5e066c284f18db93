"""Make a trained labse-mini small enough for the repository: 8 and 16 bits a weight, and the rarest pieces go.

float8_e4m3fn is a standard dtype of safetensors: one byte a weight, 3 % of relative error between 2⁻⁶ and 448. The
embeddings are summed and then normalised, so all of them can be scaled up into that range without changing a vector.
Eight bits for the word table leave a cosine of 0.9999 to the vectors in 32 bits, for the feed-forward matrices of the
layers 0.999. Fewer pieces cost more: with 200,000 of them instead of all, a text of which a piece is missing fell to
0.80 in the worst of 120 texts.
"""

from __future__ import annotations

import json
import lzma
import unicodedata
from collections import Counter
from collections.abc import Iterator
from itertools import islice
from pathlib import Path

import numpy as np
import torch
from safetensors.torch import load_file, save_file
from tokenizers import Tokenizer
from torch import Tensor

from benchmarks.labse_mini.e5 import tokenizer_settings
from benchmarks.labse_mini.start import WINDOW

TOKENIZER_SETTINGS = {*tokenizer_settings(), "tokenizer_class", "backend"}
EVERY = 12  # every twelfth line of the training files is counted
SEEN_OFTEN = 2
EMBEDDINGS = ("word_embeddings", "position_embeddings", "token_type_embeddings")
FEED_FORWARD = (".intermediate.dense.weight", ".output.dense.weight")
LARGEST = 448.0  # of float8_e4m3fn
SCORE_DIGITS = 4  # of the pieces' log probabilities; more digits decide between segmentations that are equally good


def pack(model: Path, train: Path, output: Path, *, pieces: int, languages: list[str]) -> dict[str, int]:
    """Write the small folder; returns how many pieces were kept for which reason."""
    definition = json.loads((model / "tokenizer.json").read_text(encoding="utf-8"))
    vocabulary = [(piece, score) for piece, score in definition["model"]["vocab"]]
    counts = count_pieces(Tokenizer.from_file(str(model / "tokenizer.json")), train)
    kept, reasons = choose(vocabulary, counts, definition, pieces)
    copy_settings(model, output, vocabulary=len(kept))
    (output / "tokenizer.json").write_text(cut_tokenizer(definition, vocabulary, kept), encoding="utf-8")
    write_weights(load_file(str(model / "model.safetensors")), kept, output)
    (output / "labse.json").write_text(json.dumps({"languages": languages}) + "\n", encoding="utf-8")
    return reasons


def count_pieces(tokenizer: Tokenizer, train: Path) -> Counter[int]:
    counts: Counter[int] = Counter()
    for file in sorted(train.glob("*.tsv.xz")):
        with lzma.open(file, "rt", encoding="utf-8") as lines:
            texts = (text for line in islice(lines, 0, None, EVERY) for text in line.rstrip("\n").split("\t")[2:4])
            while batch := list(islice(texts, 4096)):
                for encoding in tokenizer.encode_batch_fast(batch, add_special_tokens=False):
                    counts.update(encoding.ids)
    return counts


def choose(
    vocabulary: list[tuple[str, float]], counts: Counter[int], definition: dict[str, object], pieces: int
) -> tuple[list[int], dict[str, int]]:
    """Ids that stay, in their old order, at most `pieces`: special tokens and single characters, all pieces in scripts
    that the counted texts hardly hold, those seen SEEN_OFTEN times, and the likeliest of the others."""
    added = definition["added_tokens"]
    assert isinstance(added, list)
    special = {int(entry["id"]) for entry in added}
    known = {at for at, (piece, _) in enumerate(vocabulary) if len(piece.strip("▁")) <= 1}
    seen = {at for at, count in counts.items() if count >= SEEN_OFTEN}
    trained = Counter[str]()
    for at in seen:
        trained.update(scripts(vocabulary[at][0]))
    foreign = {
        at for at, (piece, _) in enumerate(vocabulary) if any(trained[script] < 100 for script in scripts(piece))
    }
    kept = special | known | seen | foreign
    others = sorted(set(range(len(vocabulary))) - kept, key=lambda at: -vocabulary[at][1])
    likely = others[: max(0, pieces - len(kept))]
    reasons = {
        "special tokens and characters": len(special | known),
        "in scripts that were not trained": len(foreign - known - special),
        "seen in the training texts": len(seen - foreign - known - special),
        "likely": len(likely),
    }
    return sorted(kept | set(likely)), reasons


def scripts(piece: str) -> Iterator[str]:
    """The first words of the Unicode names of its letters: LATIN, KHMER, ..."""
    for letter in piece:
        if unicodedata.category(letter)[0] == "L":
            yield unicodedata.name(letter, "UNKNOWN").split()[0]


def cut_tokenizer(definition: dict[str, object], vocabulary: list[tuple[str, float]], kept: list[int]) -> str:
    """The tokenizer.json with the kept pieces alone, on one line: indented it is twice as large."""
    new = {old: at for at, old in enumerate(kept)}
    added, model = definition["added_tokens"], definition["model"]
    assert isinstance(added, list) and isinstance(model, dict)
    for entry in added:
        entry["id"] = new[entry["id"]]
    processor = definition["post_processor"]
    assert isinstance(processor, dict)
    for token in processor["special_tokens"].values():
        token["ids"] = [new[old] for old in token["ids"]]
    definition["truncation"] = definition["padding"] = None  # those of training
    model["unk_id"] = new[model["unk_id"]]
    model["vocab"] = [[vocabulary[old][0], round(vocabulary[old][1], SCORE_DIGITS)] for old in kept]
    return json.dumps(definition, ensure_ascii=False, separators=(",", ":"))


def write_weights(state: dict[str, Tensor], kept: list[int], output: Path) -> None:
    """Two shards, the word table and the rest, with the index that transformers reads."""
    state = {name: value for name, value in state.items() if "pooler" not in name}
    words = next(name for name in state if name.endswith("word_embeddings.weight"))
    state[words] = state[words][torch.from_numpy(np.array(kept))]
    largest = max(float(state[name].abs().max()) for name in state if any(part in name for part in EMBEDDINGS))
    factor = 2.0 ** int(np.floor(np.log2(LARGEST / largest)))  # a power of two: no rounding of its own
    for name in state:
        if any(part in name for part in EMBEDDINGS):
            state[name] = state[name] * factor
    shards = [
        {words: state.pop(words).to(torch.float8_e4m3fn)},
        {name: smaller(name, value) for name, value in state.items()},
    ]
    index: dict[str, str] = {}
    for at, shard in enumerate(shards, start=1):
        name = f"model-{at:05}-of-{len(shards):05}.safetensors"
        save_file(shard, str(output / name), metadata={"format": "pt"})
        index |= dict.fromkeys(shard, name)
    total = sum(value.numel() * value.element_size() for shard in shards for value in shard.values())
    listing = {"metadata": {"total_size": total}, "weight_map": index}
    (output / "model.safetensors.index.json").write_text(json.dumps(listing, indent=1) + "\n", encoding="utf-8")


def smaller(name: str, value: Tensor) -> Tensor:
    feeds_forward = name.endswith(FEED_FORWARD) and ".attention." not in name
    return value.to(torch.float8_e4m3fn if feeds_forward else torch.float16).contiguous()


def copy_settings(model: Path, output: Path, *, vocabulary: int) -> None:
    """Everything but weights and tokenizer.json, with the new size of the vocabulary."""
    left_out = {"tokenizer.json", "README.md", "model.safetensors", "labse.json"}
    for file in sorted(model.rglob("*")):
        name = file.relative_to(model)
        checkpoint = file.suffix in (".pt", ".pth", ".bin") or file.name == "trainer_state.json"
        if file.is_dir() or name.parts[0] == "run" or str(name) in left_out or checkpoint:
            continue
        (output / name).parent.mkdir(parents=True, exist_ok=True)
        (output / name).write_bytes(file.read_bytes())
    tokenizer = json.loads((output / "tokenizer_config.json").read_text(encoding="utf-8"))
    kept = {name: value for name, value in tokenizer.items() if name in TOKENIZER_SETTINGS}
    kept |= {"model_max_length": WINDOW}  # training had a shorter one
    (output / "tokenizer_config.json").write_text(json.dumps(kept, indent=2) + "\n", encoding="utf-8")
    config = json.loads((output / "config.json").read_text(encoding="utf-8"))
    config |= {"vocab_size": vocabulary, "dtype": "float32"}
    (output / "config.json").write_text(json.dumps(config, indent=2) + "\n", encoding="utf-8")
