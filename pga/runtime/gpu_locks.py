"""Which GPU is whose: one lock file per place on a GPU, held by the process that computes there and released when it dies, however it dies.

Snakemake counts GPUs (`--resources gpu=N`) and says nobody which one to use; so processes spread over them by themselves.
"""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable
from pathlib import Path

from pga.runtime.errors import UserError
from pga.runtime.locks import Busy, acquire

RUNS_PER_GPU = "PGA_RUNS_PER_GPU"
LOOK_EVERY_S = 1.0
_held: list[int] = []
"""Locks of this process, which end with it."""


def runs_per_gpu() -> int:
    """How many processes may share a GPU: `PGA_RUNS_PER_GPU`, by default one.

    Raises:
        UserError: the variable is not a positive whole number.
    """
    text = os.environ.get(RUNS_PER_GPU, "1")
    if not text.isdecimal() or int(text) < 1:
        raise UserError(f"{RUNS_PER_GPU}={text}: accepted is a whole number of at least 1")
    return int(text)


def lock_folder() -> Path:
    """Where the locks of this user lie: on the machine, because GPUs are the machine's; not in TMPDIR, which may differ from job to job."""
    return Path("/tmp") / f"pga-gpus-{os.getuid()}"


def claim(identities: list[str], places: int = 1, usable: Callable[[int], bool] = lambda number: True, folder: Path | None = None) -> int:
    """Take a place on one of the GPUs, until this process ends; waits for one where all are taken.

    Args:
        identities: a name for each GPU, the same in every process of the machine.
        places: processes that may share a GPU; GPUs with fewer are taken first.
        usable: whether the GPU at a position answers; asked of those that are free, so that nothing is started on a lost one.
        folder: of the locks.

    Returns:
        The GPU's position in `identities`.

    Raises:
        UserError: none of the GPUs answers, or the locks' folder is another user's.
    """
    folder = folder or lock_folder()
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    if folder.stat().st_uid != os.getuid():
        raise UserError(f"{folder}: locks on GPUs belong there, but it is another user's; --device cuda:0 (or another number) needs none")
    lost: set[int] = set()
    waiting = False
    while True:
        for place, number in [(place, number) for place in range(places) for number in range(len(identities)) if number not in lost]:
            try:
                lock, _ = acquire(folder / f"{identities[number]}-{place}.lock")
            except Busy:
                continue
            if number not in lost and usable(number):
                _held.append(lock)
                return number
            lost.add(number)
            os.close(lock)
        if len(lost) == len(identities):
            raise UserError(f"none of the {len(lost)} GPUs answers; `nvidia-smi` shows what is wrong with them; --device cpu does without")
        if not waiting:
            print(
                f"waiting for a GPU: all {len(identities)} are in use by other processes, {places} each ({folder}); "
                f"--resources gpu={len(identities) * places} starts no more than there is room for",
                file=sys.stderr, flush=True,
            )  # fmt: skip
            waiting = True
        time.sleep(LOOK_EVERY_S)
