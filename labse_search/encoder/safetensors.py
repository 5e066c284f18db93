"""Tensors of .safetensors files, mapped into memory and never copied: rows are paged in when they are read.

Format: 8 bytes of header length (little endian), a JSON header {name: {dtype, shape, data_offsets}}, the raw data
(https://github.com/huggingface/safetensors#format). Read here, because only with our own mapping can pages be given
back after they were used.
"""

from __future__ import annotations

import json
import mmap
import os
import struct
import weakref
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

import numpy as np
from numpy.typing import NDArray

from labse_search.encoder.folder import weight_files
from labse_search.errors import ModelUnavailable


@dataclass(frozen=True)
class Tensor:
    """Where one tensor lies: `start` and `end` are bytes from the beginning of the file."""

    dtype: str
    shape: tuple[int, ...]
    start: int
    end: int


class TensorFile:
    """The tensors of one file. The buffer is private to the process (copy on write) and meant for reading."""

    def __init__(self, path: Path) -> None:
        self.path = path
        with path.open("rb") as file:
            self.tensors = _read_header(path, file)
            self.buffer = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_COPY)
            self._descriptor = os.dup(file.fileno())
        weakref.finalize(self, os.close, self._descriptor)

    def rows(self, name: str, numbers: NDArray[np.int64]) -> NDArray[np.uint8]:
        """(n, bytes a row) of a table, as raw bytes, read and not mapped.

        Linux maps whole large folios of its cache at a touch: 1,000 rows scattered over LaBSE's table made 400 MB
        resident and took three times as long as 1,000 small reads.
        """
        tensor = self.tensor(name)
        size = (tensor.end - tensor.start) // tensor.shape[0]
        if not hasattr(os, "preadv"):  # Windows
            return np.frombuffer(self.buffer, np.uint8, tensor.end - tensor.start, tensor.start).reshape(-1, size)[
                numbers
            ]
        found = np.empty((len(numbers), size), dtype=np.uint8)
        for row, number in zip(found, numbers.tolist(), strict=True):
            os.preadv(self._descriptor, [row.data], tensor.start + number * size)
        return found

    def tensor(self, name: str) -> Tensor:
        """Where it lies; ModelUnavailable if the file has none of that name."""
        if name not in self.tensors:
            raise ModelUnavailable(f"{self.path} has no tensor {name}. Copy or download the model again.")
        return self.tensors[name]

    def release_pages(self) -> None:
        """Drop the pages that were read from this process's memory; they come back from the system's cache."""
        if hasattr(self.buffer, "madvise"):  # not on Windows, which trims its working sets by itself
            self.buffer.madvise(mmap.MADV_DONTNEED)


class Tensors:
    """The tensors of a model's folder, by name, whether they lie in one file or in several."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._files = [TensorFile(path) for path in weight_files(folder) if path.suffix == ".safetensors"]
        self._file_of = {name: file for file in self._files for name in file.tensors}

    def __contains__(self, name: str) -> bool:
        return name in self._file_of

    def file(self, name: str) -> TensorFile:
        """The file that holds the tensor; ModelUnavailable if none does."""
        if name not in self._file_of:
            raise ModelUnavailable(f"{self.folder} has no tensor {name}. Copy or download the model again.")
        return self._file_of[name]

    def release_pages(self) -> None:
        """As `TensorFile.release_pages`, of all files."""
        for file in self._files:
            file.release_pages()


def write_tensors(path: Path, tensors: Mapping[str, tuple[str, tuple[int, ...], NDArray[np.generic]]]) -> None:
    """A .safetensors file of name → (dtype, shape, raw data as an array of any type). Order of names is kept."""
    header: dict[str, object] = {"__metadata__": {"format": "pt"}}
    end = 0
    for name, (dtype, shape, data) in tensors.items():
        header[name] = {"dtype": dtype, "shape": list(shape), "data_offsets": [end, end + data.nbytes]}
        end += data.nbytes
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    with path.open("wb") as file:
        file.write(struct.pack("<Q", len(text)) + text)
        for _, _, data in tensors.values():
            file.write(np.ascontiguousarray(data).data)


def _read_header(path: Path, file: BinaryIO) -> dict[str, Tensor]:
    size = path.stat().st_size
    length = file.read(8)
    end = 8 + struct.unpack("<Q", length)[0] if len(length) == 8 else size + 1
    if end > size:
        raise ModelUnavailable(f"{path} is cut off or is no safetensors file. Copy or download the model again.")
    try:
        header = json.loads(file.read(end - 8))
    except ValueError as error:
        raise ModelUnavailable(f"{path} is no safetensors file ({error}). Copy the model again.") from error
    header.pop("__metadata__", None)
    tensors = {
        name: Tensor(entry["dtype"], tuple(entry["shape"]), *(end + offset for offset in entry["data_offsets"]))
        for name, entry in header.items()
    }
    if any(tensor.end > size for tensor in tensors.values()):
        raise ModelUnavailable(
            f"{path} is cut off: {size} bytes, expected {max(tensor.end for tensor in tensors.values())}. "
            "Copy or download the model again."
        )
    return tensors
