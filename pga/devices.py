"""Where to compute, and the settings that make the same device give the same bytes."""

from __future__ import annotations

import os
import platform

import torch

from pga.errors import UserError


def choose(name: str) -> torch.device:
    """The device for "auto" (a GPU if there is one), "cpu", or "cuda[:k]".

    Raises:
        UserError: a GPU is asked for and there is none.
    """
    if name == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    try:
        device = torch.device(name)
    except RuntimeError as error:
        raise UserError(f"--device {name}: accepted are auto, cpu, cuda, cuda:0, …") from error
    if device.type == "cuda" and not torch.cuda.is_available():
        raise UserError(f"--device {name}: torch sees no GPU here (CUDA_VISIBLE_DEVICES={os.environ.get('CUDA_VISIBLE_DEVICES', 'unset')})")
    return device


def make_deterministic(threads: int) -> None:
    """Fixed thread count, deterministic kernels, full float32 products (no TF32)."""
    os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")
    torch.set_num_threads(threads)
    torch.use_deterministic_algorithms(True)
    torch.backends.cudnn.benchmark = False
    torch.backends.cudnn.allow_tf32 = False
    torch.backends.cuda.matmul.allow_tf32 = False


def describe(device: torch.device) -> str:
    """The kind of device, for provenance: "NVIDIA H100 80GB HBM3", or the CPU's kind."""
    if device.type == "cuda":
        return torch.cuda.get_device_name(device)
    return f"CPU {platform.machine()} ({torch.backends.cpu.get_cpu_capability()})"
