"""The weights of a small module, whichever of the two file formats it has."""

from __future__ import annotations

from pathlib import Path

import torch


def load_weights(folder: Path) -> dict[str, torch.Tensor]:
    """name → tensor, copied into memory."""
    if (path := folder / "model.safetensors").is_file():
        from safetensors.torch import load_file

        return dict(load_file(path))
    return dict(torch.load(folder / "pytorch_model.bin", map_location="cpu", weights_only=True))
