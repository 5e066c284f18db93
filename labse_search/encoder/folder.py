"""What lies in a sentence-transformers folder: its modules, window and languages. No weight is read here.

A folder that gives no model is ModelUnavailable, with what was looked for and where.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from labse_search.errors import ModelUnavailable

WEIGHTS = ("model.safetensors", "model.safetensors.index.json", "pytorch_model.bin", "pytorch_model.bin.index.json")
TOKENIZERS = ("tokenizer.json", "vocab.txt")  # of those that we read ourselves; others are left to transformers
TOKENIZER_CONFIG = "tokenizer_config.json"
OWN_FILE = "labse.json"  # ours, beside modules.json: what sentence-transformers has no place for
STATIC_WINDOW = 256  # a bag of words has no window of its own; longer texts blur, so it gets LaBSE's
_WINDOW_FILES = tuple(
    f"sentence_{family}_config.json"
    for family in ("bert", "roberta", "distilbert", "camembert", "albert", "xlm-roberta", "xlnet")
)
_WITH_WEIGHTS = ("Transformer", "StaticEmbedding", "Dense")


@dataclass(frozen=True)
class Module:
    """One line of modules.json: its class, its folder and the config.json in it."""

    kind: str  # the last word of its type: Transformer, Pooling, Dense, Normalize, StaticEmbedding, ...
    folder: Path
    config: Mapping[str, Any]


@dataclass(frozen=True)
class ModelFolder:
    path: Path
    modules: tuple[Module, ...]
    window: int  # tokens, special tokens included
    lowercase: bool  # sentence-transformers lowers the text before the tokenizer does anything
    languages: tuple[str, ...]
    weighed_words: bool  # the word table's first column is the log of each token's weight, the rest its direction

    @property
    def kinds(self) -> tuple[str, ...]:
        return tuple(module.kind for module in self.modules)

    @property
    def first(self) -> Module:
        """The module that reads text."""
        return self.modules[0]


def read_folder(path: Path) -> ModelFolder:
    """The folder as it describes itself; ModelUnavailable if something that it needs is not there."""
    listing = path / "modules.json"
    if not listing.is_file():
        raise ModelUnavailable(
            f"{path} is not a sentence-transformers model: there is no modules.json in it. "
            "Name the folder that SentenceTransformer.save wrote."
        )
    modules = tuple(_read_module(path, entry) for entry in _read_json(listing))
    if not modules:
        raise ModelUnavailable(f"{listing} lists no module. Copy the model again.")
    for module in modules:
        if module.kind in _WITH_WEIGHTS and not any((module.folder / name).is_file() for name in WEIGHTS):
            raise ModelUnavailable(
                f"{module.folder} has no weights: looked for {', '.join(WEIGHTS)}. Copy or download the model again."
            )
    first = modules[0]
    windows = _windows(first.folder)
    own = read_json(path / OWN_FILE)
    return ModelFolder(
        path=path,
        modules=modules,
        window=STATIC_WINDOW if first.kind == "StaticEmbedding" else _window(first, windows),
        lowercase=bool(windows.get("do_lower_case")),
        languages=_languages(path, own),
        weighed_words=bool(own.get("weighed_words", False)),
    )


def read_json(path: Path) -> dict[str, Any]:
    """The object in a JSON file; empty if there is no such file."""
    if not path.is_file():
        return {}
    content = _read_json(path)
    if not isinstance(content, dict):
        raise ModelUnavailable(f"{path} holds a {type(content).__name__}, expected an object. Copy the model again.")
    return content


def _read_json(path: Path) -> Any:
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except (ValueError, OSError) as error:
        raise ModelUnavailable(f"{path} cannot be read ({error}). Copy the model again.") from error


def _read_module(path: Path, entry: Any) -> Module:
    if not isinstance(entry, dict) or not isinstance(entry.get("type"), str):
        raise ModelUnavailable(f"{path / 'modules.json'} has an entry without a type. Copy the model again.")
    folder = path / str(entry.get("path", ""))
    return Module(entry["type"].rsplit(".", 1)[-1], folder, read_json(folder / "config.json"))


def _windows(folder: Path) -> dict[str, Any]:
    """sentence_bert_config.json, or the same under the name of another family."""
    for name in _WINDOW_FILES:
        if content := read_json(folder / name):
            return content
    return {}


def _window(module: Module, windows: Mapping[str, Any]) -> int:
    """As sentence-transformers decides it: its own figure, else the smaller of tokenizer's and positions'."""
    if own := windows.get("max_seq_length"):
        return int(own)
    positions = module.config.get("max_position_embeddings") or 512
    if module.config.get("model_type") in ("roberta", "xlm-roberta"):
        positions -= int(module.config.get("pad_token_id") or 0) + 1  # they number positions from there
    tokenizer = read_json(module.folder / TOKENIZER_CONFIG).get("model_max_length") or positions
    return int(min(positions, tokenizer))


def _languages(path: Path, own: Mapping[str, Any]) -> tuple[str, ...]:
    """From `own`, what labse.json says, {"languages": [...]}; else from the model card's heading."""
    if (known := own.get("languages")) is not None:
        return tuple(str(language) for language in known)
    card = path / "README.md"
    if not card.is_file():
        return ()
    return _card_languages(card.read_text(encoding="utf-8", errors="replace"))


def _card_languages(card: str) -> tuple[str, ...]:
    """Two-letter codes under `language:` in the YAML between the first two lines of dashes.

    Three forms are in use: one code, [a, b] on one line, and a list of lines with dashes. YAML itself reads `no`,
    Norwegian, as false, so it is read here as text.
    """
    heading = card.split("---")[1] if card.startswith("---") and card.count("---") > 1 else ""
    found = re.search(r"^language:[ \t]*(.*(?:\n[ \t]*- .*)*)", heading, flags=re.MULTILINE)
    return tuple(dict.fromkeys(re.findall(r"(?<![\w-])[a-z]{2}(?![\w-])", found[1]))) if found else ()
