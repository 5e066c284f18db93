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

from labse_search.encoder.protocols import Task
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
_LEGACY_POOLING = {
    "cls": "pooling_mode_cls_token",
    "mean": "pooling_mode_mean_tokens",
    "max": "pooling_mode_max_tokens",
}
_OTHER_POOLING = ("pooling_mode_mean_sqrt_len_tokens", "pooling_mode_weightedmean_tokens", "pooling_mode_lasttoken")
_WITH_WEIGHTS = ("Transformer", "StaticEmbedding", "Dense")


@dataclass(frozen=True)
class Module:
    """One line of modules.json: its class, its folder and the config.json in it."""

    kind: str  # the last word of its type: Transformer, Pooling, Dense, Normalize, StaticEmbedding, ...
    folder: Path
    config: Mapping[str, Any]

    @property
    def pooling(self) -> str:
        """The one mode of a Pooling: cls, mean, max, ...; "other" for several at once and those of an old form that
        nobody here computes."""
        mode = self.config.get("pooling_mode")
        if mode is None:  # before sentence-transformers 5.4: one flag a mode
            modes = [name for name, flag in _LEGACY_POOLING.items() if self.config.get(flag)]
            mode = "other" if any(self.config.get(flag) for flag in _OTHER_POOLING) else modes or "mean"
        if isinstance(mode, list):
            return str(mode[0]) if len(mode) == 1 else "other"
        return str(mode)

    @property
    def activation(self) -> str:
        """The class name of a Dense's; anything outside torch is what sentence-transformers then takes: Tanh."""
        name = str(self.config.get("activation_function", "torch.nn.modules.activation.Tanh"))
        return name.rsplit(".", 1)[-1] if name.startswith("torch.") else "Tanh"


@dataclass(frozen=True)
class Prompts:
    """What is put before a text for each task; mostly nothing."""

    text: str = ""
    query: str = ""
    document: str = ""

    @property
    def any(self) -> bool:
        """Whether any task has one."""
        return bool(self.text or self.query or self.document)

    def of(self, task: Task) -> str:
        """The prompt of a task, empty if it has none."""
        return str(getattr(self, task))


@dataclass(frozen=True)
class ModelFolder:
    """A model as its folder describes it."""

    path: Path
    modules: tuple[Module, ...]
    window: int  # tokens, special tokens included
    lowercase: bool  # sentence-transformers lowers the text before the tokenizer does anything
    languages: tuple[str, ...]
    prompts: Prompts = Prompts()
    truncate_dim: int | None = None  # so many of a vector's first numbers are kept

    @property
    def kinds(self) -> tuple[str, ...]:
        """Of its modules, in the order in which they compute."""
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
    if (path / "adapter_config.json").is_file() or (modules[0].folder / "adapter_config.json").is_file():
        raise ModelUnavailable(
            f"{path} holds an adapter (LoRA), not a whole model. Merge it into its base and save that."
        )
    for module in modules:
        if module.kind in _WITH_WEIGHTS and not weight_files(module.folder):
            raise ModelUnavailable(
                f"{module.folder} has no weights: looked for {', '.join(WEIGHTS)}. Copy or download the model again."
            )
    first = modules[0]
    if first.kind == "Router":
        raise ModelUnavailable(
            f"{path} begins with a Router: questions and documents go through models of their own, which is not "
            "supported. Save the part that you need as a model by itself."
        )
    windows = _windows(first.folder)
    own = read_json(path / OWN_FILE)
    settings = read_json(path / "config_sentence_transformers.json")
    return ModelFolder(
        path=path,
        modules=modules,
        window=STATIC_WINDOW if first.kind == "StaticEmbedding" else _window(first, windows),
        lowercase=bool(windows.get("do_lower_case")),
        languages=_languages(path, own),
        prompts=read_prompts(settings),
        truncate_dim=settings.get("truncate_dim"),
    )


def weight_files(folder: Path) -> list[Path]:
    """The files that hold a module's weights: one, or an index and the shards that it lists. None: an empty list.
    ModelUnavailable if a shard is not there."""
    found = next((folder / name for name in WEIGHTS if (folder / name).is_file()), None)
    if found is None or not found.name.endswith(".index.json"):
        return [found] if found else []
    shards = sorted({str(name) for name in read_json(found).get("weight_map", {}).values()})
    for name in shards:
        if not (folder / name).is_file():
            raise ModelUnavailable(
                f"{folder} lacks {name}, which {found.name} lists. Copy or download the model again."
            )
    return [found, *(folder / name for name in shards)]


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


def read_prompts(settings: Mapping[str, Any]) -> Prompts:
    """As SentenceTransformer.encode, encode_query and encode_document choose them, except that "passage" and "corpus"
    are heard where there is no "document": sentence-transformers means to (its version 6.2 puts "" in between)."""
    prompts = {str(name): str(prompt) for name, prompt in (settings.get("prompts") or {}).items() if prompt}
    document = next((prompts[name] for name in ("document", "passage", "corpus") if name in prompts), "")
    default = prompts.get(str(settings.get("default_prompt_name")), "")
    return Prompts(text=default, query=prompts.get("query", ""), document=document)


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
