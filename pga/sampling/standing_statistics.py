"""Standing statistics of batch normalisation: a decoder whose image of a code does not depend on the other codes of its batch."""

from __future__ import annotations

import copy
from typing import Any

import torch
from torch import Tensor, nn

from pga.networks.autoencoder import Decoder
from pga.runtime.errors import UserError
from pga.runtime.progress import track
from pga.sampling.density import Draw

Moments = list[Tensor]
"""Sums over batches of a layer's input and of its square, per channel."""


def by_the_batch(decoder: nn.Module) -> list[nn.BatchNorm1d | nn.BatchNorm2d]:
    """The layers that normalise by the statistics of the batch in hand."""
    return [layer for layer in decoder.modules() if isinstance(layer, (nn.BatchNorm1d, nn.BatchNorm2d)) and layer.running_mean is None]


def standing(decoder: Decoder, draw: Draw, batches: int, batch_size: int) -> Decoder:
    """A copy of the decoder with fixed statistics in place of the batch's.

    They are the mean and the variance (divided by n, as the batch's own) of each layer's input over `batches` batches of codes taken
    together, while every layer below normalises by the batch in hand, as in training.

    Args:
        decoder: g_θ, in evaluation order.
        draw: from which law the codes come.
        batches: how many.
        batch_size: codes of each.

    Raises:
        UserError: no layer normalises by the batch in hand.
    """
    fixed = copy.deepcopy(decoder)
    layers = by_the_batch(fixed)
    if not layers:
        raise UserError(
            "the decoder does not normalise by the batch in hand: it has no standing statistics; leave out --batch-norm standing"
        )
    sums: dict[nn.Module, Moments] = {}
    hooks = [layer.register_forward_pre_hook(lambda module, inputs: add(sums, module, inputs[0])) for layer in layers]
    with torch.inference_mode():
        for _ in track(range(batches), batches, "standing statistics", "batch"):
            fixed(draw(batch_size))
    for hook in hooks:
        hook.remove()
    for layer in layers:
        mean, square = (total / batches for total in sums[layer])
        dtype: Any = layer.weight.dtype
        layer.running_mean = mean.to(dtype)
        layer.running_var = (square - mean.square()).clamp(min=0.0).to(dtype)
    return fixed


def add(sums: dict[nn.Module, Moments], layer: nn.Module, x: Tensor) -> None:
    """Add a batch's moments, (B, channels, …) → (channels,) each, in float64."""
    over = [axis for axis in range(x.ndim) if axis != 1]
    moments = [x.double().mean(dim=over), x.double().square().mean(dim=over)]
    sums[layer] = [total + part for total, part in zip(sums[layer], moments, strict=True)] if layer in sums else moments
