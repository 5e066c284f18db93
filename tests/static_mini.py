"""The shipped model's words as a static model: it opens in a tenth of a second and without torch.

For tests of everything but the model itself, which start many processes.
"""

from __future__ import annotations

import atexit
import functools
import json
import shutil
import tempfile
from pathlib import Path

import numpy as np
from safetensors.numpy import load_file, save_file

from labse_search.encoder.hub import LABSE_MINI

MODULES = [
    ("", "sentence_transformers.sentence_transformer.modules.static_embedding.StaticEmbedding"),
    ("1_Normalize", "sentence_transformers.base.modules.normalize.Normalize"),
]


@functools.cache
def static_mini() -> Path:
    """A folder that lies there until this process ends."""
    folder = Path(tempfile.mkdtemp(prefix="labse-static-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    table = load_file(LABSE_MINI / "model.safetensors")["embeddings.word_embeddings.weight"].astype(np.float32)
    weights = np.exp(table[:, :1])  # the log of a word's weight comes first
    table[:, 0] = 0
    words = table / np.maximum(np.linalg.norm(table, axis=1, keepdims=True), 1e-6) * weights
    save_file({"embedding.weight": words.astype(np.float16)}, folder / "model.safetensors")
    shutil.copy(LABSE_MINI / "tokenizer.json", folder)
    shutil.copy(LABSE_MINI / "labse.json", folder)
    listed = [{"idx": n, "name": str(n), "path": path, "type": kind} for n, (path, kind) in enumerate(MODULES)]
    (folder / "modules.json").write_text(json.dumps(listed), encoding="utf-8")
    (folder / "1_Normalize").mkdir()
    return folder
