"""A user's own images: any folder, subfolders included, cropped and resized to squares of one size."""

from __future__ import annotations

import io
import os
import re
import warnings
from collections.abc import Iterator, Sequence
from functools import partial
from pathlib import Path

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageOps

from pga.data.decode import BadImage
from pga.runtime.errors import UserError

GREY, COLOUR = {"1", "L", "LA"}, {"RGB", "RGBA", "P", "PA", "CMYK", "YCbCr", "HSV", "LAB"}
LARGEST = 512 << 20
"""Bytes beyond which a file is not read."""
ADDRESS = r"<[^<>]* at 0x[0-9a-f]+>"
"""An object in Pillow's messages, which would differ from call to call in the provenance."""


def list_files(folder: Path) -> list[str]:
    """Every file below `folder` that is not hidden, relative to it, sorted; links to folders are not followed.

    Raises:
        UserError: there is no such folder, or it is empty.
    """
    if not folder.is_dir():
        raise UserError(f"{folder}: no such folder; `path` of a data set of kind folder names the one with the images")
    found = []
    for parent, folders, files in os.walk(folder):
        folders[:] = [name for name in folders if not name.startswith(".")]
        found += [(Path(parent) / name).relative_to(folder).as_posix() for name in files if not name.startswith(".")]
    if not found:
        raise UserError(f"{folder}: holds no file; images are wanted there (JPEG, PNG, … whatever Pillow reads)")
    return sorted(found)


def identity(folder: Path) -> list[tuple[str, int, int]]:
    """Names, sizes and times of the files: what changes when the folder does."""
    return identities(folder, list_files(folder))


def identities(folder: Path, names: Sequence[str]) -> list[tuple[str, int, int]]:
    """Name, size and time of some files; zeros of one that cannot be read, which reading it reports by name."""
    found = []
    for name in names:
        try:
            stat = (folder / name).stat()
        except OSError:
            found.append((name, 0, 0))
        else:
            found.append((name, stat.st_size, stat.st_mtime_ns))
    return found


def reader(folder: Path, names: Sequence[str]) -> Iterator[tuple[str, bytes]]:
    """Contents of files; of one that cannot be read, nothing, which no image is."""
    for name in names:
        try:
            with open(folder / name, "rb") as file:
                yield name, file.read(LARGEST)
        except OSError:
            yield name, b""


def decode_own(content: bytes, crop: int | None, size: int, channels: int, convert: bool, min_size: int) -> npt.NDArray[np.uint8]:
    """One image → (size, size, channels): upright as its EXIF says, centre crop, antialiased resize; transparency becomes white.

    Raises:
        BadImage: it is unreadable or truncated, too small, has a mode of more than 8 bits, or is grey where colour is
            wanted (or the reverse) and `convert` is off.
    """
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error", Image.DecompressionBombWarning)
            with Image.open(io.BytesIO(content)) as opened:
                opened.load()
                image = ImageOps.exif_transpose(opened)
    except Exception as error:  # on damaged files Pillow's readers raise whatever they run into, struct.error and RuntimeError among it
        reason = (str(error) or type(error).__name__).splitlines()[0]
        raise BadImage(f"not a complete image ({re.sub(ADDRESS, 'its content', reason)})") from error
    if image.mode not in GREY | COLOUR:
        raise BadImage(f"its mode {image.mode} is not 8 bits per channel")
    if min(image.size) < max(min_size, crop or 0):
        raise BadImage(f"{image.size[0]}×{image.size[1]}, the shorter side must have {max(min_size, crop or 0)} pixels")
    if (image.mode in GREY) != (channels == 1) and not convert:
        raise BadImage(f"it is {'grey' if image.mode in GREY else 'colour'}; set `convert: true` to convert it to {channels} channel(s)")
    if "A" in image.getbands() or "transparency" in image.info:
        image = image.convert("RGBA")
        image = Image.alpha_composite(Image.new("RGBA", image.size, "white"), image)
    image = image.convert("L" if channels == 1 else "RGB")
    side = crop or min(image.size)
    left, top = (image.size[0] - side) // 2, (image.size[1] - side) // 2
    cropped = image.crop((left, top, left + side, top + side))  # first, so that nothing beyond the crop flows in
    return np.asarray(cropped.resize((size, size), Image.Resampling.BICUBIC)).reshape(size, size, channels)


def decoder(crop: int | None, size: int, channels: int, convert: bool, min_size: int) -> partial[npt.NDArray[np.uint8]]:
    """`decode_own` with its parameters bound, to be sent to other processes."""
    return partial(decode_own, crop=crop, size=size, channels=channels, convert=convert, min_size=min_size)
