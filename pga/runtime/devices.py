"""Where to compute, and the settings that make the same device give the same bytes."""

from __future__ import annotations

import os
import platform
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache

import torch

from pga.runtime.errors import UserError
from pga.runtime.gpu_locks import claim, runs_per_gpu

GPUS_ASKED_FOR = "PGA_GPUS"
"""How many GPUs the workflow was given (`--resources gpu=N`); its jobs inherit it."""


def choose(name: str) -> torch.device:
    """The device for "auto" (a GPU if there is one), "cpu", or "cuda[:k]"; without k, a GPU that no other process of ours uses.

    Only GPUs that torch sees count, so that a scheduler's CUDA_VISIBLE_DEVICES is respected. The claim ends with the process. The device
    is named on stderr, with a warning where the workflow was given GPUs (`PGA_GPUS`) and this is none.

    Raises:
        UserError: a GPU is asked for and there is none.
    """
    if name == "auto" and not torch.cuda.is_available():
        announce(torch.device("cpu"), os.environ.get(GPUS_ASKED_FOR, "0"))
        return torch.device("cpu")
    try:
        if name == "auto":
            name = "cuda"
        device = torch.device(name)
    except RuntimeError as error:
        raise UserError(f"--device {name}: accepted are auto, cpu, cuda, cuda:0, …") from error
    if device.type not in ("cpu", "cuda"):
        raise UserError(f"--device {name}: accepted are auto, cpu, cuda, cuda:0, …")
    if device.type == "cuda" and not torch.cuda.is_available():
        raise UserError(f"--device {name}: torch sees no GPU here ({why_none()})")
    if (device.index or 0) >= max(torch.cuda.device_count(), 1):
        raise UserError(f"--device {name}: torch sees {torch.cuda.device_count()} GPUs here, accepted are cuda:0 to the last of them")
    if device.type == "cuda":
        device = torch.device("cuda", claimed() if device.index is None else device.index)
        torch.cuda.set_device(device)
    announce(device)
    return device


@cache
def announce(device: torch.device, asked: str = "0") -> None:
    """Name the device on stderr, once in a process; warn where `asked` GPUs were wanted instead."""
    print(f"device: {describe(device)}{f', {device}' if device.type == 'cuda' else ''}", file=sys.stderr, flush=True)
    if asked.isdecimal() and int(asked):
        print(
            f"warning: a GPU was asked for (--resources gpu={asked}), and torch sees none ({why_none()}): computing on the CPU",
            file=sys.stderr, flush=True,
        )  # fmt: skip


def why_none() -> str:
    """Why torch sees no GPU, as far as it can be known."""
    visible = os.environ.get("CUDA_VISIBLE_DEVICES")
    if torch.version.cuda is None and torch.version.hip is None:
        return f"torch {torch.__version__} is built without CUDA"
    if visible == "":
        return "CUDA_VISIBLE_DEVICES is empty"
    try:
        torch.cuda.init()
    except (RuntimeError, AssertionError) as error:
        return f"CUDA_VISIBLE_DEVICES={'unset' if visible is None else visible}; {first_line(error)}"
    return f"CUDA_VISIBLE_DEVICES={visible}"


@cache
def claimed() -> int:
    """Number of the GPU that is this process's own, claimed when it is first asked for."""
    return claim(identities(), runs_per_gpu(), answers)


def identities() -> list[str]:
    """What each GPU that torch sees is called by every process on this machine, whatever CUDA_VISIBLE_DEVICES makes of its number."""
    return [str(torch.cuda.get_device_properties(k).uuid) for k in range(torch.cuda.device_count())]


def answers(number: int) -> bool:
    """Whether a GPU computes at all; says so where it does not."""
    try:
        torch.zeros(1, device=f"cuda:{number}").item()
    except RuntimeError as error:
        print(f"GPU {number} is left out: {first_line(error)}", file=sys.stderr, flush=True)
        return False
    return True


def advice(error: Exception) -> str | None:
    """What to do about a GPU that is full or lost; None if `error` is about something else."""
    if isinstance(error, torch.OutOfMemoryError):
        return (
            f"the GPU is full ({first_line(error)}). Fewer runs at once on each GPU (PGA_RUNS_PER_GPU, now {runs_per_gpu()}), a GPU "
            "that no other program uses (CUDA_VISIBLE_DEVICES) or one with more memory helps; a training continues from its checkpoint"
        )
    if isinstance(error, torch.AcceleratorError):
        return (
            f"the GPU failed ({first_line(error)}); `nvidia-smi` shows whether it is lost. Leave it out with CUDA_VISIBLE_DEVICES "
            "and start again: a training continues from its checkpoint"
        )
    return None


def first_line(error: Exception) -> str:
    """What an exception says, without what follows its first line."""
    return (str(error).splitlines() or [type(error).__name__])[0]


def make_deterministic(threads: int) -> None:
    """Fixed thread count, deterministic kernels, full float32 products (no TF32)."""
    os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")
    torch.set_num_threads(threads)
    torch.set_deterministic_debug_mode("error")  # use_deterministic_algorithms(True), without importing torch's compiler: seconds a job
    torch.utils.deterministic.fill_uninitialized_memory = False  # type: ignore[attr-defined] # nothing reads what it has not written
    torch.backends.cudnn.benchmark = False
    torch.backends.cudnn.allow_tf32 = False
    torch.backends.cuda.matmul.allow_tf32 = False


@contextmanager
def deterministic(threads: int) -> Iterator[None]:
    """`make_deterministic` within the block; afterwards torch's settings are the caller's again."""
    products, convolutions, filling = torch.backends.cuda.matmul, torch.backends.cudnn, torch.utils.deterministic
    before = torch.get_num_threads(), torch.get_deterministic_debug_mode(), filling.fill_uninitialized_memory  # type: ignore[attr-defined]
    on_gpu = products.allow_tf32, convolutions.allow_tf32, convolutions.benchmark
    make_deterministic(threads)
    try:
        yield
    finally:
        torch.set_num_threads(before[0])
        torch.set_deterministic_debug_mode(before[1])
        filling.fill_uninitialized_memory = before[2]  # type: ignore[attr-defined]
        products.allow_tf32, convolutions.allow_tf32, convolutions.benchmark = on_gpu


def describe(device: torch.device) -> str:
    """The kind of device, for provenance: "NVIDIA H100 80GB HBM3", or the CPU's kind."""
    if device.type == "cuda":
        return torch.cuda.get_device_name(device)
    return f"CPU {platform.machine()} ({torch.backends.cpu.get_cpu_capability()})"
