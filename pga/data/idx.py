"""MNIST and its file format: a big-endian header, then bytes. Own reader: torchvision's wants its own folder layout and downloads."""

from __future__ import annotations

import gzip
import math
import struct
import zlib
from pathlib import Path
from typing import Annotated, Literal

import numpy as np
import numpy.typing as npt
from pydantic import Field

from pga.data.kind import Context, Kind, Prepared
from pga.params.base import Name
from pga.runtime.errors import UserError


def read_idx(path: Path) -> npt.NDArray[np.uint8]:
    """The array in an IDX file of unsigned bytes, gzipped or not; raises UserError if the file is damaged or holds something else."""
    try:
        content = path.read_bytes()
        content = gzip.decompress(content) if content.startswith(b"\x1f\x8b") else content
    except (OSError, EOFError, ValueError, zlib.error) as error:
        raise UserError(f"{path}: cannot be decompressed ({error}); delete it and fetch again") from error
    zeros, kind, dimensions = struct.unpack_from(">HBB", content) if len(content) >= 4 else (1, 0, 0)
    header = 4 + 4 * dimensions
    if zeros != 0 or kind != 8 or not 1 <= dimensions <= 4 or len(content) < header:
        raise UserError(f"{path}: not an IDX file of unsigned bytes")
    shape = struct.unpack_from(f">{dimensions}I", content, 4)
    if len(content) - header != math.prod(shape):
        raise UserError(f"{path}: its header says shape {shape}, it has {len(content) - header} bytes")
    return np.frombuffer(content, np.uint8, offset=header).reshape(shape)


class Idx(Kind):
    """MNIST's files, or others of its format and names; images padded with zeros where the entry says so."""

    kind: Literal["idx"]
    source: Name
    pad: Annotated[int, Field(ge=0)] = Field(0, description="rows and columns of zeros on each side")
    labelled: Literal[True] = True

    @property
    def shape(self) -> tuple[int, int] | None:
        """Side and channels of the prepared images, where the source tells them."""
        return (28 + 2 * self.pad, 1) if self.source == "mnist" else None

    def prepare(self, context: Context) -> Prepared:
        """Read both splits."""
        parts = {}
        for split, name in (("train", "train"), ("test", "t10k")):
            images, labels = (read_idx(context.raw / f"{name}-{kind}-ubyte.gz") for kind in ("images-idx3", "labels-idx1"))
            if images.ndim != 3 or labels.shape != images.shape[:1]:
                raise UserError(f"{context.raw}: {name} has images of shape {images.shape} and labels of shape {labels.shape}")
            padded = np.pad(images, ((0, 0), (self.pad, self.pad), (self.pad, self.pad)))[..., None]
            parts[split] = padded, labels.astype(np.int64)
        return Prepared(parts["train"][0], parts["test"][0], (parts["train"][1], parts["test"][1]))
