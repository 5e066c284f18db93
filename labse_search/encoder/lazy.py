"""An encoder that reads its weights when the first text comes.

What a collection is compared by (dimension, fingerprint, languages, tokenizer) stands in the folder's descriptions, so
a job in which nothing is new costs neither torch nor weights: seconds and hundreds of megabytes with a transformer.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence

from labse_search.encoder import Encoder, load_encoder
from labse_search.encoder.fingerprint import fingerprint
from labse_search.encoder.folder import ModelFolder, read_folder
from labse_search.encoder.hub import find_model
from labse_search.encoder.small import SmallEncoder
from labse_search.encoder.tokens import open_tokenizer
from labse_search.similarity import Vectors


class LazyEncoder:
    """An Encoder. ModelUnavailable when it is made, for what a folder's descriptions show; when it is first used, for
    what only its weights do."""

    def __init__(self, model: str, folder: ModelFolder, dimension: int, *, precision: str) -> None:
        self.model = model
        self.dimension = dimension
        self.fingerprint = fingerprint(folder)
        self.languages = folder.languages
        self.tokenizer = open_tokenizer(folder)
        self.pause: Callable[[], None] | None = None
        self._precision = precision
        self._loading = threading.Lock()
        self._loaded: Encoder | None = None

    @property
    def abreast(self) -> int:
        return self._loaded.abreast if self._loaded else 1

    def describe(self) -> str:
        """How it computes, once it does."""
        return self._loaded.describe() if self._loaded else "not loaded yet"

    def encode(self, texts: Sequence[str]) -> Vectors:
        """(n, dimension) float32, length 1. A text longer than the window is a ValueError."""
        loaded = self._load()
        loaded.pause = self.pause
        return loaded.encode(texts)

    def expect(self, tokens: int) -> None:
        """Make ready for about so many tokens, which takes seconds: to be called in a thread."""
        loaded = self._load()
        if isinstance(loaded, SmallEncoder):
            loaded.expect(tokens)

    def _load(self) -> Encoder:
        with self._loading:
            if self._loaded is None:
                self._loaded = load_encoder(self.model, precision=self._precision)
            return self._loaded


def open_encoder(model: str, *, precision: str = "auto") -> Encoder:
    """The model, its weights unread where its folder says what vectors it gives; else `load_encoder`'s."""
    folder = read_folder(find_model(model))
    dimension = _dimension(folder)
    if dimension is None:
        return load_encoder(model, precision=precision)
    return LazyEncoder(model, folder, dimension, precision=precision)


def _dimension(folder: ModelFolder) -> int | None:
    """Of the vectors, as the last module that changes it says; None where none says. A static table says it in its
    weights' own heading, and is open at once anyway."""
    if folder.first.kind != "Transformer" or set(folder.kinds[1:]) - {"Pooling", "Dense", "Normalize"}:
        return None
    widths = [module.config.get("out_features") for module in folder.modules if module.kind == "Dense"]
    return int(widths[-1]) if widths and widths[-1] else folder.first.config.get("hidden_size")
