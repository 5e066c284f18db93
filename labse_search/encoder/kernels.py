"""How this machine multiplies: device, threads, whether bfloat16 pays, and weights in the matrix unit's own order.

oneDNN reorders a plain weight inside every multiplication; prepacked it does not: 10 to 60 % faster on Zen 4, 26 % and
more on Sapphire Rapids, most with few rows. The same operators are what torch.compile emits for a frozen model. Where
oneDNN refuses (bfloat16 without AVX512, other devices), the plain operator is used.

bfloat16 halves memory traffic, but is only faster where the processor multiplies it in hardware: measured against
float32, 7 × on Sapphire Rapids (AMX), 2 × on Zen 4 (AVX512-BF16), 0.25 × on AVX2, 0.4 × on AVX512-VNNI. A processor
that claims the instructions may still be slow at them, or be told not to use them (ONEDNN_MAX_CPU_ISA), so where they
are claimed one multiplication is timed both ways, in one thread: a tenth of a second.
"""

from __future__ import annotations

import functools
import time
from collections.abc import Callable, Sequence
from typing import Any

import torch
import torch.nn.functional as F

from labse_search.machine import usable_cores

ROWS = 2048  # the usual number of rows, told to oneDNN when it chooses the order
ACTIVATIONS = ("none", "gelu", "relu")
_AT_START: int = torch.get_num_threads()  # read before anybody changes it
WORTH = 1.2  # bfloat16 must be this much faster: below, its rounding is not worth it


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
        """(n, out) = rows Wᵀ + b + residual, without the activation."""
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
        """As `PlainLinear.plus`."""
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


def cores() -> int:
    """Cores that this process may use, and no more than torch found at its start (which respects OMP_NUM_THREADS)."""
    return min(usable_cores(), _AT_START)


def set_threads(threads: int | None) -> int:
    """Let torch use that many threads (None: the cores this process may use) and say how many it is."""
    threads = threads or cores()
    if torch.get_num_threads() != threads:
        torch.set_num_threads(threads)
    return threads


def choose_device() -> str:
    """cuda where torch sees a GPU, else cpu."""
    if not torch.cuda.is_available():
        return "cpu"
    spare_cudnn_attention()
    return "cuda"


def spare_cudnn_attention() -> None:
    """Let attention on a GPU be torch's own. On Hopper and later torch prefers cuDNN's, which plans for every new shape
    of a batch, and ours are all of different shapes."""
    torch.backends.cuda.enable_cudnn_sdp(False)


def choose_precision(precision: str, device: str) -> str:
    """fp32 or bf16 for `auto`; what was asked for otherwise."""
    if precision != "auto":
        return precision
    if device == "cuda":
        return gpu_precision()
    return "bf16" if bf16_speedup() >= WORTH else "fp32"


def gpu_precision() -> str:
    """bf16 where the GPU multiplies it in hardware: emulated, as on a T4 or a V100, it is slower than float32."""
    return "bf16" if torch.cuda.is_bf16_supported(including_emulation=False) else "fp32"


@functools.lru_cache(maxsize=1)
def bf16_speedup() -> float:
    """Speed of a bfloat16 multiplication over a float32 one, as the encoder would do them; 0 if not in hardware."""
    able = torch.cpu.get_capabilities()
    if not (able.get("amx_bf16") or able.get("avx512_bf16") or able.get("bf16")):  # the last: Arm
        return 0.0
    kinds = (torch.float32, torch.bfloat16)
    layers = {kind: prepare(torch.ones(1024, 768), torch.ones(1024), kind) for kind in kinds}
    rows = {kind: torch.ones(256, 768, dtype=kind) for kind in kinds}  # 0.4 GFLOP: 1 to 3 ms
    plain, half = fastest([functools.partial(layers[kind], rows[kind]) for kind in kinds])
    return plain / half


def fastest(works: Sequence[Callable[[], object]], times: int = 20) -> list[float]:
    """The seconds that each takes at best, in one thread: on a busy machine threads wait for each other, whatever they
    compute. Measured on Sapphire Rapids at a load of 13 on two cores: a speedup of 0.5 to 18 in two threads, of 5.8 to
    6.6 in one."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    best = [float("inf")] * len(works)
    try:
        for _ in range(times):  # in turn: other programs disturb both alike
            for number, work in enumerate(works):
                start = time.perf_counter()
                work()
                best[number] = min(best[number], time.perf_counter() - start)
    finally:
        torch.set_num_threads(before)
    return best
