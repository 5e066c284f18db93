"""A linear layer whose weight was put into the matrix unit's own order once, instead of at every call.

oneDNN reorders a plain weight inside every multiplication; prepacked it does not: 10 to 60 % faster on Zen 4, 26 % and
more on Sapphire Rapids, most with few rows. The same operators are what torch.compile emits for a frozen model. Where
oneDNN refuses (bfloat16 without AVX512, other devices), the plain operator is used.
"""

from __future__ import annotations

from typing import Any

import torch
import torch.nn.functional as F

ROWS = 2048  # the usual number of rows, told to oneDNN when it chooses the order
ACTIVATIONS = ("none", "gelu", "relu")


class PlainLinear:
    """y = act(x Wᵀ + b [+ residual]) with torch's own operator."""

    packed = False

    def __init__(self, weight: torch.Tensor, bias: torch.Tensor, activation: str) -> None:
        self.weight, self.bias, self.activation = weight, bias, activation

    def __call__(self, rows: torch.Tensor) -> torch.Tensor:
        out = F.linear(rows, self.weight, self.bias)
        if self.activation == "gelu":
            return F.gelu(out)
        return out.relu_() if self.activation == "relu" else out

    def plus(self, rows: torch.Tensor, residual: torch.Tensor) -> torch.Tensor:
        return F.linear(rows, self.weight, self.bias).add_(residual)


class PackedLinear:
    """The same with a prepacked weight; the activation or the residual is fused into the multiplication."""

    packed = True

    def __init__(self, weight: torch.Tensor, bias: torch.Tensor, activation: str) -> None:
        self.weight: Any = torch.ops.mkldnn._reorder_linear_weight(weight, ROWS)
        self.bias, self.activation = bias, activation

    def __call__(self, rows: torch.Tensor) -> torch.Tensor:
        out: torch.Tensor = torch.ops.mkldnn._linear_pointwise(
            rows, self.weight, self.bias, self.activation, [], "none"
        )
        return out

    def plus(self, rows: torch.Tensor, residual: torch.Tensor) -> torch.Tensor:
        out: torch.Tensor = torch.ops.mkldnn._linear_pointwise.binary(rows, residual, self.weight, self.bias, "add")
        return out


def prepare(
    weight: torch.Tensor, bias: torch.Tensor, dtype: torch.dtype, *, activation: str = "none", device: str = "cpu"
) -> PlainLinear | PackedLinear:
    """The layer for a (out, in) weight and an (out,) bias of any float type. The weight given is not kept on a CPU
    that packs, so its pages can be given back."""
    weight, bias = weight.to(device, dtype), bias.to(device, dtype)
    if device == "cpu" and torch.backends.mkldnn.is_available() and hasattr(torch.ops.mkldnn, "_linear_pointwise"):
        try:
            layer = PackedLinear(weight, bias, activation)
            layer(torch.zeros(1, weight.shape[1], dtype=dtype))
            return layer
        except RuntimeError:  # oneDNN has no such kernel here: bfloat16 on AVX2
            pass
    return PlainLinear(weight, bias, activation)
