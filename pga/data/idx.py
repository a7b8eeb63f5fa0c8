"""MNIST's file format: a big-endian header, then bytes. Own reader: torchvision's wants its own folder layout and downloads."""

from __future__ import annotations

import gzip
import math
import struct
import zlib
from pathlib import Path

import numpy as np
import numpy.typing as npt

from pga.runtime.errors import UserError


def read_idx(path: Path) -> npt.NDArray[np.uint8]:
    """The array in an IDX file of unsigned bytes, gzipped or not.

    Raises:
        UserError: the file is damaged or holds something else.
    """
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
