"""Several seeds on one GPU at once, each its own recorded step: as processes, as processes under NVIDIA's service for that, or as streams.

Without the service (MPS) a GPU gives processes turns, one at a time; with it, and among the streams of one process, kernels of several run
side by side.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator

import torch
from growth import together
from subjects import row, trainer_of

CONTROL = "nvidia-cuda-mps-control"


Clock = Callable[[], float]


def seconds_per_step(name: str, own: dict[str, int], device: torch.device, seeds: int, steps: int, read: Clock) -> dict[str, float]:
    """Of all seeds at once, each way; a way that is not to be had here is left out."""
    found = {"processes": together(name, own, str(device), seeds, steps)}
    if device.type == "cuda":
        found["streams"] = in_streams(name, own, device, seeds, steps, read)
        with service() as there:
            if there:
                try:
                    found["processes under MPS"] = together(name, own, str(device), seeds, steps)
                except SystemExit as failed:
                    print(f"MPS: {failed}", file=sys.stderr)
    return found


def in_streams(name: str, own: dict[str, int], device: torch.device, seeds: int, steps: int, read: Clock) -> float:
    """Seconds per step of runs in one process, each in a stream of its own."""
    trainers = [trainer_of(row(*name.split("/"), seed=seed, **own), device) for seed in range(seeds)]
    streams = [torch.cuda.Stream(device) for _ in trainers]

    def turn() -> None:
        for trainer, stream in zip(trainers, streams, strict=True):
            with torch.cuda.stream(stream):
                trainer.advance()

    read()  # the trainers are made in another stream
    for _ in range(2):
        turn()
    started = read()
    for _ in range(steps):
        turn()
    return (read() - started) / steps


@contextlib.contextmanager
def service() -> Iterator[bool]:
    """MPS for the processes that are started within, and whether it runs."""
    if shutil.which(CONTROL) is None:
        print(f"{CONTROL} is not on this machine: processes under MPS are left out", file=sys.stderr)
        yield False
        return
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
        own = {"CUDA_MPS_PIPE_DIRECTORY": folder, "CUDA_MPS_LOG_DIRECTORY": folder}
        os.environ.update(own)
        runs = subprocess.run([CONTROL, "-d"], check=False).returncode == 0
        try:
            yield runs
        finally:
            if runs:
                subprocess.run([CONTROL], input="quit\n", text=True, check=False, stdout=subprocess.DEVNULL)
            for key in own:
                del os.environ[key]
