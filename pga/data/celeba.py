"""CelebA's aligned images, from the archive or from a folder that is already there: centre crop, resize, official partition."""

from __future__ import annotations

import io
import lzma
import re
import struct
import zipfile
import zlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import Annotated, Literal

import numpy as np
import numpy.typing as npt
from PIL import Image
from pydantic import Field

from pga.data.decode import BadImage, decode_all, listing
from pga.data.kind import Context, Kind, Place, Prepared
from pga.data.tf1_resize import resize_tf1, round_to_uint8
from pga.data.verify import lines_of_table
from pga.params.base import Count, Name
from pga.params.sources import Source
from pga.runtime.errors import UserError
from pga.runtime.files import digest

WIDTH, HEIGHT = 178, 218
LARGEST = 1 << 20
"""Bytes beyond which a member is no aligned CelebA image (the largest has some 30 kB)."""
PARTITIONS = {"0": "train", "1": "validation", "2": "test"}

DAMAGED = (OSError, EOFError, ValueError, RuntimeError, NotImplementedError, struct.error, zipfile.BadZipFile, zlib.error, lzma.LZMAError)
"""What zipfile raises when a member cannot be read, by packing and damage."""

Reader = Callable[[Sequence[str]], Iterable[tuple[str, bytes]]]


def decode_celeba(content: bytes, crop: int, size: int, resize: str) -> npt.NDArray[np.uint8]:
    """One JPEG → (size, size, 3): the centre crop, rows from (218 − crop)//2 and columns from (178 − crop)//2, resized.

    Raises:
        BadImage: no complete RGB JPEG of 178×218.
    """
    try:
        with Image.open(io.BytesIO(content), formats=["JPEG"]) as image:
            if image.size != (WIDTH, HEIGHT) or image.mode != "RGB":
                raise BadImage(f"{image.size[0]}×{image.size[1]} {image.mode}, an aligned CelebA image is {WIDTH}×{HEIGHT} RGB")
            pixels = np.asarray(image)
    except (OSError, SyntaxError, ValueError, Image.DecompressionBombError) as error:
        raise BadImage(f"not a complete JPEG ({str(error).splitlines()[0]})") from error
    top, left = (HEIGHT - crop) // 2, (WIDTH - crop) // 2
    cropped = pixels[top : top + crop, left : left + crop]
    if resize == "antialias":
        return np.asarray(Image.fromarray(cropped).resize((size, size), Image.Resampling.BICUBIC))
    return round_to_uint8(resize_tf1(cropped[None], size, "bicubic"))[0]


def read_partition(path: Path) -> dict[str, str]:
    """Image name → train, validation or test, in the order of the names (which is that of the official numbers).

    Names and numbers may be separated by spaces, tabs or commas: the CSV that goes around holds the same.

    Raises:
        UserError: a line is not a name and 0, 1 or 2, or a name stands twice.
    """
    found: dict[str, str] = {}
    try:
        lines = list(lines_of_table(path.read_bytes()))
    except (OSError, UnicodeDecodeError) as error:
        raise UserError(f"{path}: cannot be read ({error})") from error
    for number, line, words in lines:
        match = re.fullmatch(r"(\d{6}\.jpg) ([012])", " ".join(words))
        if not match or match[1] in found:
            raise UserError(f"{path}:{number}: found {line[:80]!r}, accepted is a new name and its partition, e.g. 000001.jpg 0")
        found[match[1]] = PARTITIONS[match[2]]
    if not found:
        raise UserError(f"{path}: lists no image")
    return dict(sorted(found.items()))


def compare(where: Path, present: Iterable[str], listed: Iterable[str]) -> None:
    """Raise UserError unless the images that are there are those of the partition."""
    there, wanted = set(present), set(listed)
    if there != wanted:
        missing, extra = sorted(wanted - there), sorted(there - wanted)
        raise UserError(
            f"{where}: its images differ from the partition's {len(wanted)}: "
            f"{len(missing)} missing ({', '.join(missing[:5]) or 'none'}), {len(extra)} too many ({', '.join(extra[:5]) or 'none'})"
        )


def archive_reader(path: Path, listed: Sequence[str]) -> Reader:
    """Reads images out of the archive by name; nothing is extracted to the disk.

    Raises:
        UserError: the archive is damaged, has members that do not belong there, or lacks some.
    """
    try:
        archive = zipfile.ZipFile(path)
    except DAMAGED as error:
        raise UserError(f"{path}: not a complete zip archive ({error}); delete it and fetch again") from error
    members: dict[str, str] = {}
    for info in archive.infolist():
        if info.is_dir():
            continue
        match = re.fullmatch(r"(?:img_align_celeba/){0,2}(\d{6}\.jpg)", info.filename)
        if not match or match[1] in members or info.file_size > LARGEST:
            raise UserError(f"{path}: its member {info.filename!r} ({info.file_size} bytes) does not belong in CelebA's archive")
        members[match[1]] = info.filename
    compare(path, members, listed)

    def read(names: Sequence[str]) -> Iterator[tuple[str, bytes]]:
        for name in names:
            try:
                yield name, archive.read(members[name])
            except DAMAGED as error:
                raise UserError(f"{path}: its member {name} is damaged ({error}); delete it and fetch again") from error

    return read


DEEPER = ("img_align_celeba", "img_align_celeba/img_align_celeba", "Img/img_align_celeba", "Img/img_align_celeba/img_align_celeba")
"""Where archives of CelebA have the JPEGs."""


def aligned_folder(folder: Path) -> Path:
    """Where in `folder` the JPEGs are: in itself, or deeper."""
    return next((folder / name for name in ("", *DEEPER) if next((folder / name).glob("*.jpg"), None)), folder)


def folder_reader(folder: Path, listed: Sequence[str]) -> Reader:
    """Reads images out of a folder of aligned JPEGs (of `aligned_folder`).

    Raises:
        UserError: there is no such folder, or its images are not those of the partition.
    """
    present = [path.name for path in folder.glob("*.jpg")]
    if not present:
        lack = f"no .jpg there, nor in its {', '.join(DEEPER)}" if folder.is_dir() else "no such folder"
        raise UserError(f"{folder}: {lack}; datasets: folder: names the one with CelebA's aligned JPEGs (000001.jpg, …)")
    compare(folder, present, listed)

    def read(names: Sequence[str]) -> Iterator[tuple[str, bytes]]:
        for name in names:
            try:
                with open(folder / name, "rb") as file:
                    content = file.read(LARGEST)
            except OSError as error:
                raise UserError(f"{folder / name}: cannot be read: {error.strerror or error}") from error
            yield name, content

    return read


class Celeba(Kind):
    """CelebA, aligned, in the order of the official numbers.

    Every image trains, as in the authors' code; the official test images are also kept apart for evaluation.
    """

    kind: Literal["celeba"]
    source: Name
    folder: Place | None = Field(None, description="a folder of the aligned JPEGs that is already here, read instead of the archive")
    crop: Annotated[int, Field(ge=1, le=178)] = Field(description="side of the centre crop of the 178×218 image")
    size: Count = Field(64, description="side after resizing")
    resize: Literal["tf1_bicubic", "antialias"] = Field("tf1_bicubic", description="the authors' resize, or an antialiased one")
    labelled: Literal[False] = False

    @property
    def shape(self) -> tuple[int, int]:
        """Side and channels of the prepared images."""
        return (self.size, 3)

    def check_name(self, name: str) -> None:
        """The name of a CelebA data set holds `antialias` just when its resize does: such numbers compare with other ones."""
        if (self.resize == "antialias") != ("antialias" in name):
            raise ValueError(f"{name}: resize is {self.resize}; the name of a CelebA data set holds `antialias` just when its resize does")

    def raw_files(self, sources: dict[str, Source]) -> list[str]:
        """Without the archive where a folder is read instead."""
        return [name for name in super().raw_files(sources) if self.folder is None or not name.endswith(".zip")]

    def own_files(self) -> tuple[Path, list[str]] | None:
        """The JPEGs of the folder."""
        if self.folder is None:
            return None
        place = aligned_folder(self.folder)
        return place, sorted(path.name for path in place.glob("*.jpg"))

    def prepare(self, context: Context) -> Prepared:
        """Decode every image of the partition."""
        partition = read_partition(context.raw / "list_eval_partition.txt")
        names = list(partition)
        if self.folder is None:
            [archive] = [name for name in context.files if name.endswith(".zip")]
            contents = archive_reader(context.raw / archive, names)
        else:
            contents = folder_reader(aligned_folder(self.folder), names)
        key = digest([context.recipe, names, context.files])
        context.alone()
        decode = partial(decode_celeba, crop=self.crop, size=self.size, resize=self.resize)
        shape = (self.size, self.size, 3)
        images, bad = decode_all(names, contents, decode, shape, context.part, key, context.processes, context.name)
        if bad:
            raise UserError(f"{context.name}: {len(bad)} of {len(names)} images are not CelebA's:\n{listing(bad)}")
        splits = {split: [i for i, name in enumerate(names) if partition[name] == split] for split in ("train", "validation", "test")}
        if not splits["test"]:
            raise UserError(f"{context.raw / 'list_eval_partition.txt'}: names no test image (partition 2)")
        notes = {"official_partition": {split: len(index) for split, index in splits.items()}}
        return Prepared(images, images.take(np.array(splits["test"])), notes=notes)
