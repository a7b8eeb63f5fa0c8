"""Many images as one: white lines between them, every pixel kept."""

from __future__ import annotations

from collections.abc import Collection

import numpy as np

from pga.data.prepared import Images

WIDE = 3
"""How many times as wide a line is where a sheet is divided."""


def tile(images: Images, gap: int = 1, divided_after: Collection[int] = ()) -> Images:
    """Images (rows, columns, H, W, C) as one (height, width, C) uint8, white lines of `gap` pixels between.

    Args:
        images: of one size.
        gap: pixels of a line.
        divided_after: columns after which the line is `WIDE` times as wide.
    """
    rows, columns, height, width, channels = images.shape
    lines = [gap * (WIDE if column in divided_after else 1) for column in range(columns - 1)]
    lefts = [column * width + sum(lines[:column]) for column in range(columns)]
    sheet = np.full((rows * (height + gap) - gap, lefts[-1] + width, channels), 255, np.uint8)
    for row in range(rows):
        for column, left in enumerate(lefts):
            top = row * (height + gap)
            sheet[top : top + height, left : left + width] = images[row, column]
    return sheet


def grid(images: Images, rows: int = 8, columns: int = 8) -> Images:
    """The first rows × columns of the images (n, H, W, C) as (rows, columns, H, W, C), row by row; white where there are too few."""
    shown = np.full((rows * columns, *images.shape[1:]), 255, np.uint8)
    shown[: len(images)] = images[: rows * columns]
    return shown.reshape(rows, columns, *images.shape[1:])
