"""A user's own images: any folder, subfolders included, cropped and resized to squares of one size."""

from __future__ import annotations

import contextlib
import io
import os
import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageOps

from pga.data.decode import BadImage
from pga.runtime.errors import UserError
from pga.runtime.files import read_record, sha256, write_record
from pga.runtime.progress import Progress

GREY, COLOUR = {"1", "L", "LA"}, {"RGB", "RGBA", "P", "PA", "CMYK", "YCbCr", "HSV", "LAB"}
LARGEST = 512 << 20
"""Bytes that an image file may have."""
ADDRESS = r"<[^<>]* at 0x[0-9a-f]+>"
"""An object in Pillow's messages, which would differ from call to call in the provenance."""


def list_files(folder: Path) -> list[str]:
    """Every file below `folder` that is not hidden, relative to it, sorted.

    Links are followed, but not those to a folder that holds the place where the walk already is: they lead in a circle.

    Raises:
        UserError: there is no such folder, one cannot be read, or there is no file.
    """
    if not folder.is_dir():
        raise UserError(f"{folder}: no such folder; `path` of a data set of kind folder names the one with the images")
    found = sorted(walk(folder, "", (os.path.realpath(folder),)))
    if not found:
        raise UserError(f"{folder}: holds no file; images are wanted there (JPEG, PNG, … whatever Pillow reads)")
    return found


def walk(folder: Path, below: str, above: tuple[str, ...]) -> Iterator[str]:
    """Files below `folder`, named from `below`; `above` are the real paths of the folders on the way here."""
    try:
        entries = list(os.scandir(folder / below))
    except OSError as error:
        raise UserError(f"{folder / below}: cannot be read: {error.strerror or error}") from error
    for entry in entries:
        name = f"{below}{entry.name}"
        if entry.name.startswith("."):
            continue
        if not os.path.isdir(entry.path):  # a link that leads nowhere is a file that cannot be read
            yield name
            continue
        real = os.path.realpath(entry.path)
        if not any(f"{place}/".startswith(f"{real.rstrip('/')}/") for place in above):
            yield from walk(folder, f"{name}/", (*above, real))


def printable(name: str) -> str:
    """A file's name as text: bytes that are not UTF-8 are written `\\xff`."""
    return os.fsencode(name).decode("utf-8", "backslashreplace")


def contents(folder: Path, names: Sequence[str], cache: Path) -> list[tuple[str, str]]:
    """(name, SHA-256) of some files; an empty checksum for one that cannot be read, which reading it reports by name.

    Checksums are kept in the file `cache`; a file is read again when its size or times have changed.
    """
    try:
        known = read_record(cache)
    except UserError:
        known = {}
    found: dict[str, list[Any]] = {}
    with Progress(len(names), f"{folder}, read once to know it by content", "file", quiet=True) as progress:
        for name in names:
            key = printable(name)
            with contextlib.suppress(OSError, UserError):
                stat = (folder / name).stat()
                state = [stat.st_size, stat.st_mtime_ns, stat.st_ctime_ns]
                found[key] = known[key] if known.get(key, [])[:3] == state else [*state, sha256(folder / name)]
            progress.advance()
    if found != known:
        write_record(cache, found)
    return [(key, found[key][3] if key in found else "") for key in map(printable, names)]


def reader(folder: Path, names: Sequence[str]) -> Iterator[tuple[str, bytes]]:
    """Contents of files; of one that cannot be read, or is no file, nothing, which no image is."""
    for name in names:
        try:
            if not (folder / name).is_file():  # a pipe would never end
                raise OSError
            with open(folder / name, "rb") as file:
                yield name, file.read(LARGEST + 1)
        except OSError:
            yield name, b""


def decode_own(
    content: bytes, crop: int | None, size: int, channels: int, convert: bool, min_size: int, max_pixels: int
) -> npt.NDArray[np.uint8]:
    """One image → (size, size, channels): upright as its EXIF says, centre crop, antialiased resize; transparency becomes white.

    Raises:
        BadImage: it is unreadable or truncated, too small or too large, has a mode of more than 8 bits, or is grey where colour is
            wanted (or the reverse) and `convert` is off.
    """
    if len(content) > LARGEST:
        raise BadImage(f"too large: more than {LARGEST:,} bytes")
    try:
        with any_number_of_pixels(), Image.open(io.BytesIO(content)) as opened:
            if opened.width * opened.height > max_pixels:
                raise BadImage(f"too large: {opened.width * opened.height:,} pixels, accepted {max_pixels:,}; `max_pixels` sets it")
            opened.load()
            image = ImageOps.exif_transpose(opened)
    except BadImage:
        raise
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


@contextlib.contextmanager
def any_number_of_pixels() -> Iterator[None]:
    """Within the block Pillow opens images of any size, whose pixels it has not read yet; by itself it has a limit that is no parameter."""
    before, Image.MAX_IMAGE_PIXELS = Image.MAX_IMAGE_PIXELS, None
    try:
        yield
    finally:
        Image.MAX_IMAGE_PIXELS = before
