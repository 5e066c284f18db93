"""Opening a model: by folder or hub name, at once or when the first text comes."""

from __future__ import annotations

import threading
from collections.abc import Sequence

from labse_search.encoder.fingerprint import fingerprint
from labse_search.encoder.folder import ModelFolder, Module, read_folder, weight_files
from labse_search.encoder.hub import LABSE_MINI, find_model
from labse_search.encoder.protocols import (
    CheckCancelled,
    DescribedEncoder,
    Encoder,
    OpenedModel,
    Task,
    Tokenizer,
    TokenStates,
)
from labse_search.encoder.tokens import open_tokenizer
from labse_search.errors import UserError
from labse_search.similarity import Vectors

PRECISIONS = ("auto", "fp32", "bf16")
# What `packed` computes.
FAMILIES = ("bert", "roberta", "xlm-roberta")
INNER_ACTIVATIONS = ("gelu", "relu")
DENSE_ACTIVATIONS = ("Tanh", "Identity", "ReLU", "GELU", "Sigmoid")
POOLINGS = ("cls", "mean", "max")


def load_encoder(model: str, *, precision: str = "auto", threads: int | None = None) -> Encoder:
    """The model in a folder, or of a hub name that is on disk or can be had within seconds; else ModelUnavailable.

    `precision`: auto, fp32 or bf16. `threads`: None takes the cores this process may use.
    """
    if precision not in PRECISIONS:
        raise UserError(f"The precision is {precision!r}, expected one of {', '.join(PRECISIONS)}.")
    folder = read_folder(find_model(model))
    if can_pack(folder):
        from labse_search.encoder.packed import PackedEncoder

        return PackedEncoder(describe_model(model, folder), folder, precision=precision, threads=threads)
    from labse_search.encoder.reference import ReferenceEncoder

    return ReferenceEncoder(describe_model(model, folder), folder, precision=precision, threads=threads)


def open_encoder(model: str, *, precision: str = "auto") -> Encoder:
    """The model, its weights unread where its folder says what vectors it gives; else `load_encoder`'s.

    What a collection is compared by (dimension, fingerprint, languages, tokenizer) stands in the folder's descriptions,
    so a job in which nothing is new costs neither torch nor weights: seconds and hundreds of megabytes.
    """
    folder = read_folder(find_model(model))
    about = describe_model(model, folder)
    return LazyEncoder(about, precision=precision) if about.dimension else load_encoder(model, precision=precision)


def load_tokenizer(model: str) -> Tokenizer:
    """The model's tokenizer and window, without torch."""
    return open_tokenizer(read_folder(find_model(model)))


def default_model() -> str:
    """The labse-mini that lies beside this package, whatever else is on disk: a name that means the same wherever the
    repository lies, since collections remember it. LaBSE finds translations better and answers worse: a choice."""
    return LABSE_MINI.name


def describe_model(model: str, folder: ModelFolder) -> OpenedModel:
    """What the folder says of itself; its dimension is 0 where it does not say."""
    return OpenedModel(
        model=model,
        dimension=_dimension(folder),
        fingerprint=fingerprint(folder),
        languages=folder.languages,
        tokenizer=open_tokenizer(folder),
    )


class LazyEncoder(DescribedEncoder):
    """An Encoder. ModelUnavailable when it is made, for what a folder's descriptions show; when it is first used, for
    what only its weights do."""

    def __init__(self, about: OpenedModel, *, precision: str) -> None:
        super().__init__(about)
        self._precision = precision
        self._loading = threading.Lock()
        self._loaded: Encoder | None = None

    @property
    def max_concurrent_calls(self) -> int:
        """One until the weights are read, then the loaded encoder's."""
        return self._loaded.max_concurrent_calls if self._loaded else 1

    def describe(self) -> str:
        """How it computes, once it does."""
        return self._loaded.describe() if self._loaded else "not loaded yet"

    def encode(
        self, texts: Sequence[str], task: Task = "text", *, check_cancelled: CheckCancelled | None = None
    ) -> Vectors:
        """(n, dimension) float32, length 1. A text longer than the window is a ValueError."""
        return self.load().encode(texts, task, check_cancelled=check_cancelled)

    def token_states(self, texts: Sequence[str], tasks: Sequence[Task]) -> list[TokenStates] | None:
        """The loaded encoder's."""
        return self.load().token_states(texts, tasks)

    def load(self) -> Encoder:
        """Read the weights if nobody has, which takes a second or two: torch is imported."""
        with self._loading:
            if self._loaded is None:
                self._loaded = load_encoder(self.model, precision=self._precision)
            return self._loaded


def _dimension(folder: ModelFolder) -> int:
    """Of the vectors, as the last module that changes it says; 0 where none says."""
    kinds = {"Pooling", "Dense", "Normalize"}
    if folder.first.kind != "Transformer" or folder.kinds[1:2] != ("Pooling",) or set(folder.kinds[1:]) - kinds:
        return 0
    if folder.modules[1].pooling == "other":  # several at once are as wide as all together
        return 0
    widths = [module.config.get("out_features") for module in folder.modules if module.kind == "Dense"]
    width = int((widths[-1] if widths else None) or folder.first.config.get("hidden_size") or 0)
    return min(width, folder.truncate_dim or width)


def can_pack(folder: ModelFolder) -> bool:
    """Whether `packed` computes the model: a Transformer of the BERT family, Pooling, any Dense, Normalize."""
    config = folder.first.config
    return (
        folder.first.kind == "Transformer"
        and config.get("model_type") in FAMILIES
        and config.get("hidden_act", "gelu") in INNER_ACTIVATIONS
        and config.get("position_embedding_type", "absolute") == "absolute"
        and not config.get("is_decoder", False)
        and any(path.suffix == ".safetensors" for path in weight_files(folder.first.folder))
        and folder.kinds[1:2] == ("Pooling",)
        and folder.modules[1].pooling in POOLINGS
        and (folder.modules[1].config.get("include_prompt", True) or not folder.prompts.any)
        and all(
            module.kind == "Normalize" or (module.kind == "Dense" and _is_plain_dense(module))
            for module in folder.modules[2:]
        )
    )


def _is_plain_dense(module: Module) -> bool:
    config = module.config
    own = "sentence_embedding"
    return (
        module.activation in DENSE_ACTIVATIONS
        and not config.get("use_residual", False)
        and config.get("module_input_name", own) == own
        and (config.get("module_output_name") or own) == own
    )
