"""Reduced-precision products for terms that tolerate them, and full ones for those that do not.

bfloat16 and float16 are chosen forward, operation by operation, and the backward pass follows them. TF32 is a switch of the whole process
that is read whenever a product is taken, in backward passes too, and that only NVIDIA's GPUs have; elsewhere `tf32` is float32 to the byte.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

import torch

PRECISIONS = ("float32", "float64", "bfloat16", "float16", "tf32")
"""Names of what products may be taken in; float32 and float64 are the networks' own types."""


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
    """For networks' values that tolerate `precision`."""
    if precision in ("bfloat16", "float16"):
        return torch.autocast(device.type, getattr(torch, precision))
    return backward(precision)


def backward(precision: str) -> contextlib.AbstractContextManager[None]:
    """For backward passes of gradients that tolerate `precision`."""
    return tf32(True) if precision == "tf32" else contextlib.nullcontext()


def exact(device: torch.device) -> contextlib.AbstractContextManager[None]:
    """For differences of nearly equal values, forward and backward: torch's default for convolutions on a GPU is TF32."""
    return tf32(False) if device.type == "cuda" else contextlib.nullcontext()
