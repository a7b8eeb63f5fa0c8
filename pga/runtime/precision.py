"""Arithmetic of the networks' products: what `precision` of a run means where a term bears less than float32.

bfloat16 is chosen forward, operation by operation, and the backward pass follows it. TF32 is a switch of the whole process that is read
whenever a product is taken, in backward passes too, and that only a GPU of NVIDIA heeds; elsewhere `tf32` is float32 to the byte.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

import torch


@contextlib.contextmanager
def tf32(on: bool) -> Iterator[None]:
    """Within the block a GPU takes float32's products in TF32, or does not; also those of a backward pass that is called within."""
    products, convolutions = torch.backends.cuda.matmul, torch.backends.cudnn
    before = products.allow_tf32, convolutions.allow_tf32
    products.allow_tf32 = convolutions.allow_tf32 = on
    try:
        yield
    finally:
        products.allow_tf32, convolutions.allow_tf32 = before


def forward(precision: str, device: torch.device) -> contextlib.AbstractContextManager[None]:
    """For networks' values that bear what `precision` says."""
    if precision == "bfloat16":
        return torch.autocast(device.type, torch.bfloat16)
    return backward(precision)


def backward(precision: str) -> contextlib.AbstractContextManager[None]:
    """For backward passes of gradients that bear what `precision` says."""
    return tf32(True) if precision == "tf32" else contextlib.nullcontext()
