"""Weights with fewer rows in the word table, read and written shard by shard, byte for byte in their number format."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from labse_search.encoder.folder import weight_files
from labse_search.encoder.safetensors import TensorFile, write_tensors
from labse_search.errors import UserError

_TABLES = ("word_embeddings.weight", "embedding.weight", "embeddings")  # transformers, StaticEmbedding, model2vec
_HEADS = ("cls.predictions.", "lm_head.")  # for guessing masked words; they would need cutting, and nobody uses them


def shards_of(folder: Path) -> list[Path]:
    """The .safetensors files that hold the weights, one or several; UserError if they are in another format."""
    shards = [path for path in weight_files(folder) if not path.name.endswith(".index.json")]
    if any(path.suffix != ".safetensors" for path in shards):
        raise UserError(
            f"{folder} has its weights in pytorch_model.bin, and only .safetensors can be trimmed. Write them anew "
            "with transformers: AutoModel.from_pretrained(FOLDER).save_pretrained(FOLDER)."
        )
    return shards


def write_weights(shards: Sequence[Path], target: Path, kept: Sequence[int], size: int) -> None:
    """Write the weights to the folder `target` with the rows `kept` of the table of `size` words only, into as many
    files as before, with an index if there are several.

    Rows beyond `size` are padding, which models with XLM-R's vocabulary have: nothing points to them. Only the kept
    rows of the table are read.
    """
    files = [TensorFile(path) for path in shards]
    table = _table(files, size)
    wanted = [(file, names) for file in files if (names := [n for n in file.tensors if not n.startswith(_HEADS)])]
    listed: dict[str, str] = {}
    total = 0
    for number, (file, names) in enumerate(wanted, 1):
        shard = "model.safetensors" if len(wanted) == 1 else f"model-{number:05}-of-{len(wanted):05}.safetensors"
        tensors = {name: _tensor(file, name, np.asarray(kept) if name == table else None) for name in names}
        write_tensors(target / shard, tensors)
        listed |= dict.fromkeys(names, shard)
        total += sum(raw.nbytes for _, _, raw in tensors.values())
    if len(wanted) > 1:
        index = {"metadata": {"total_size": total}, "weight_map": listed}
        (target / "model.safetensors.index.json").write_text(json.dumps(index, indent=1) + "\n", encoding="utf-8")


def _table(files: Sequence[TensorFile], size: int) -> str:
    """The name of the word table."""
    found = [
        name
        for file in files
        for name, tensor in file.tensors.items()
        if name.endswith(_TABLES) and tensor.shape[0] >= size
    ]
    if len(found) != 1:
        raise UserError(
            f"{files[0].path.parent} has {len(found)} tables of {size} rows or more, expected one: it can't be trimmed."
        )
    return found[0]


def _tensor(
    file: TensorFile, name: str, rows: NDArray[np.int64] | None
) -> tuple[str, tuple[int, ...], NDArray[np.uint8]]:
    """Number format, shape and raw bytes of a tensor, or of some of its rows."""
    tensor = file.tensor(name)
    if rows is not None:
        return tensor.dtype, (len(rows), *tensor.shape[1:]), file.rows(name, rows)
    raw = np.frombuffer(file.buffer, dtype=np.uint8, count=tensor.end - tensor.start, offset=tensor.start)
    return tensor.dtype, tensor.shape, raw
