"""How to compute on this machine: device, threads, and whether bfloat16 pays. Decided once a process.

bfloat16 halves memory traffic, but is only faster where the processor multiplies it in hardware: measured against
float32, 7 × on Sapphire Rapids (AMX), 2 × on Zen 4 (AVX512-BF16), 0.25 × on AVX2, 0.4 × on AVX512-VNNI. A processor
that claims the instructions may still be slow at them, or be told not to use them (ONEDNN_MAX_CPU_ISA), so where they
are claimed one multiplication is timed both ways: a tenth of a second.
"""

from __future__ import annotations

import os
import time
from functools import lru_cache

import torch

_AT_START: int = torch.get_num_threads()  # read before anybody changes it
WORTH = 1.2  # bfloat16 must be this much faster: below, its rounding is not worth it


def cores() -> int:
    """Cores that this process may use, and no more than torch found at its start (which heeds OMP_NUM_THREADS)."""
    allowed = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return min(allowed, _AT_START)


def set_threads(threads: int | None) -> int:
    """Let torch use that many threads (None: the cores this process may use) and say how many it is."""
    threads = threads or cores()
    if torch.get_num_threads() != threads:
        torch.set_num_threads(threads)
    return threads


def choose_device() -> str:
    return "cuda" if torch.cuda.is_available() else "cpu"


def choose_precision(precision: str, device: str) -> str:
    """fp32 or bf16 for `auto`; what was asked for otherwise."""
    if precision != "auto":
        return precision
    if device == "cuda":
        return "bf16" if torch.cuda.is_bf16_supported() else "fp32"
    return "bf16" if bf16_speedup() >= WORTH else "fp32"


@lru_cache(maxsize=1)
def bf16_speedup() -> float:
    """Speed of a bfloat16 multiplication over a float32 one, as the encoder would do them; 0 if not in hardware."""
    able = torch.cpu.get_capabilities()
    if not (able.get("amx_bf16") or able.get("avx512_bf16") or able.get("bf16")):  # the last: Arm
        return 0.0
    from labse_search.encoder.linear import prepare

    kinds = (torch.float32, torch.bfloat16)
    layers = {kind: prepare(torch.ones(1024, 768), torch.ones(1024), kind) for kind in kinds}
    rows = {kind: torch.ones(256, 768, dtype=kind) for kind in kinds}  # 0.4 GFLOP: 1 to 3 ms
    best = dict.fromkeys(kinds, float("inf"))
    for _ in range(20):  # in turn, and the best of each: other programs disturb both alike
        for kind in kinds:
            start = time.perf_counter()
            layers[kind](rows[kind])
            best[kind] = min(best[kind], time.perf_counter() - start)
    return best[torch.float32] / best[torch.bfloat16]
