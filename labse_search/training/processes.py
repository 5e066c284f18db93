"""This process in its group: whether on the CPU, and with which precision."""

from __future__ import annotations

import os

import torch
from accelerate import PartialState

from labse_search.encoder.kernels import gpu_precision, spare_cudnn_attention
from labse_search.errors import UserError


def join_processes() -> PartialState:
    """This process in its group. Called before anything else asks: a PartialState made without it would stay alone."""
    if on_cpu():
        return PartialState(cpu=True, backend="gloo") if "RANK" in os.environ else PartialState(cpu=True)
    spare_cudnn_attention()
    return PartialState()


def resolve_precision(precision: str) -> str:
    """auto: bfloat16 where a GPU has it, else float32; a CPU is only faster with it if it has matrix units for it."""
    if precision == "fp16" and on_cpu():
        raise UserError("--precision fp16 needs a GPU. Use --precision bf16 or fp32.")
    if precision != "auto":
        return precision
    return "fp32" if on_cpu() else gpu_precision()


def on_cpu() -> bool:
    """Whether to train on the CPU: there is no GPU, or accelerate was told not to use it."""
    return not torch.cuda.is_available() or os.environ.get("ACCELERATE_USE_CPU", "").lower() == "true"
