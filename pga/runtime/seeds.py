"""Named random streams: every use of randomness in a run has a seed of its own, derived from the run's."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import torch


def derive(seed: int, *stream: str | int) -> int:
    """A 63-bit seed for one stream, e.g. `derive(0, "order", epoch)`; streams of one run are independent of each other."""
    text = ":".join(map(str, (seed, *stream)))
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:8], "big") >> 1


def generator(device: torch.device | str, seed: int, *stream: str | int) -> torch.Generator:
    """A generator on `device` for one stream."""
    import torch

    return torch.Generator(device=device).manual_seed(derive(seed, *stream))
