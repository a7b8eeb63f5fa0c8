"""The table of networks, without torch: the parameters' schema and the workflow read it too.

`layers` of a kind of network is its row of `pga.networks.build.LAYERS`. `of_ghosh` says whether it follows Ghosh et al. 2019: images in
[0, 1], running averages in batch normalisation, a bounded σ head.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from pga.runtime.registry import Registry


@dataclass(frozen=True)
class Dcgan:
    """A network of strided 5×5 convolutions.

    Attributes:
        size: height and width of the image.
        channels: channels of the image.
        encoder: strided convolutions as (multiple of the width, batch normalisation follows).
        hidden: fully connected hidden units on both sides, or None; in the encoder batch normalisation follows.
        stem_bn: batch normalisation after the decoder's last fully connected layer.
        decoder: strided transposed convolutions before the output, as (multiple of the width, batch normalisation follows).
        memory_format: how kernels and feature maps lie in memory; sums depend on it (benchmarks/training measures both).
    """

    layers: ClassVar[str] = "dcgan"
    of_ghosh: ClassVar[bool] = False
    size: int
    channels: int
    encoder: tuple[tuple[int, bool], ...]
    decoder: tuple[tuple[int, bool], ...]
    hidden: int | None = None
    stem_bn: bool = False
    memory_format: str = "channels_last"


@dataclass(frozen=True)
class Dense:
    """A small network of fully connected layers, for the digits of the quick experiment (convolutions on 8×8 images only cost time).

    Attributes:
        size, channels: of the image.
        hidden: hidden layers on both sides as multiples of the width; batch normalisation follows each where the run switches it on.
    """

    layers: ClassVar[str] = "dense"
    of_ghosh: ClassVar[bool] = False
    size: int
    channels: int
    hidden: tuple[int, ...]


@dataclass(frozen=True)
class Resnet:
    """A residual network, every block of one width.

    Attributes:
        size, channels: of the image.
        encoder: scale of each block.
        up_blocks: blocks of the decoder.
        memory_format: how kernels and feature maps lie in memory.
    """

    layers: ClassVar[str] = "resnet"
    of_ghosh: ClassVar[bool] = False
    size: int
    channels: int
    encoder: tuple[str, ...]
    up_blocks: int
    memory_format: str = "contiguous_format"


@dataclass(frozen=True)
class Ghosh:
    """A network of Ghosh et al. 2019: images in [0, 1], a sigmoid at the output, ordinary batch normalisation.

    Attributes:
        size, channels: of the image.
        kernel: of every convolution.
        decoder: strided transposed convolutions before the output, as multiples of the width.
        encoder: strided convolutions, as multiples of the width.
        memory_format: how kernels and feature maps lie in memory.
        stem: channels of the decoder's first map, as a multiple of the width.
        signed: whether the encoder takes its images to [-1, 1] first (theirs for CelebA does not).
    """

    layers: ClassVar[str] = "ghosh"
    of_ghosh: ClassVar[bool] = True
    size: int
    channels: int
    kernel: int
    decoder: tuple[int, ...]
    encoder: tuple[int, ...] = (1, 2, 4, 8)
    memory_format: str = "contiguous_format"
    stem: int = 8
    signed: bool = True


NETWORKS: Registry[str, Dcgan | Dense | Resnet | Ghosh] = {
    "dense_8": Dense(8, 1, hidden=(1, 1)),
    "conv_8": Dcgan(8, 1, encoder=((1, False), (2, True)), decoder=((1, False),)),
    "conv_mnist": Dcgan(28, 1, encoder=((1, False), (2, True)), decoder=((1, False),), hidden=1024, stem_bn=True),
    "conv_32": Dcgan(32, 3, encoder=((1, False), (2, True), (4, True)), decoder=((2, True), (1, False))),
    "conv_64": Dcgan(
        64, 3, encoder=((1, False), (2, False), (4, True), (8, True)), decoder=((4, True), (2, True), (1, False))
    ),
    "resnet_8": Resnet(8, 1, encoder=("down", "same"), up_blocks=1),
    "resnet_32": Resnet(32, 3, encoder=("down", "down", "same", "same"), up_blocks=3),
    "ghosh_32_grey": Ghosh(32, 1, kernel=4, decoder=(4, 2)),
    "ghosh_32": Ghosh(32, 3, kernel=4, decoder=(4, 2)),
    "ghosh_64": Ghosh(64, 3, kernel=5, decoder=(4, 2, 1), signed=False),
    "ghosh_64_cv": Ghosh(64, 3, kernel=5, decoder=(4, 2, 1), stem=16, signed=False),  # half the filters, a first map as deep as the others'
}  # fmt: skip


def unit_range(network: str) -> bool:
    """Whether the network's images are in [0, 1] instead of [-1, 1]."""
    return NETWORKS[network].of_ghosh


def keeps_averages(network: str) -> bool:
    """Whether the network's batch normalisation keeps running averages, by which it samples."""
    return NETWORKS[network].of_ghosh
