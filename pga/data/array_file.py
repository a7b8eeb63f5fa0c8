"""Images in a NumPy file: an array in .npy, or one of several in .npz, with or without labels."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import Any, Literal

import numpy as np
import numpy.typing as npt
from PIL import Image
from pydantic import Field

from pga.data.kind import Context, Place, Prepared
from pga.data.own_images import OwnImages, fit
from pga.data.prepared import UNREADABLE
from pga.params.base import Count
from pga.runtime.errors import UserError


class ArrayFile(OwnImages):
    """Images (N, height, width, channels) or (N, height, width), uint8, in a .npy or .npz file; left as they are where no size is given."""

    kind: Literal["array"]
    path: Place
    images: str = Field("images", description="name of the images' array in a .npz file")
    labels: str = Field(
        "labels", description="where labelled: name of the labels' array in a .npz file, or a .npy file of them beside a .npy"
    )
    size: Count | None = Field(None, description="side after an antialiased resize; by default the shorter side, or `crop`")
    channels: Literal[1, 3] | None = Field(None, description="1 grey, 3 colour; by default the array's")

    def own_files(self) -> tuple[Path, list[str]]:
        """The file, and that of the labels."""
        beside = [os.path.relpath(self.labels_file(), self.path.parent)] if self.labelled and self.path.suffix == ".npy" else []
        return self.path.parent, [self.path.name, *beside]

    def labels_file(self) -> Path:
        """Where the labels of a .npy file are."""
        return self.path.parent / os.path.expanduser(self.labels)

    def prepare(self, context: Context) -> Prepared:
        """Check the array and cut its images to size."""
        arrays = load_arrays(self.path, self.images, self.labels if self.labelled else None, self.labels_file())
        images = arrays[0]
        wrong = complaint(images)
        if wrong:
            raise UserError(
                f"{self.path}: found {images.dtype} of shape {images.shape}: {wrong}; accepted is uint8 (N, height, width, 1 or 3)"
            )
        grey = images.ndim == 3 or images.shape[-1] == 1
        defaults = {"size": self.size or self.crop or min(images.shape[1:3]), "channels": self.channels or (1 if grey else 3)}
        row = self.model_copy(update=defaults)
        names = [str(index) for index in range(len(images))]
        labels = None
        if self.labelled:
            found = arrays[1].reshape(-1) if arrays[1].size == len(images) else arrays[1]
            if found.shape != images.shape[:1] or found.dtype.kind not in "iuU":
                raise UserError(
                    f"{self.path}: found labels {arrays[1].dtype} of shape {arrays[1].shape} for images of shape {images.shape}; "
                    "accepted is one whole number or text for each image"
                )
            labels = {
                name: None if found.dtype.kind == "i" and label < 0 else label for name, label in zip(names, found.tolist(), strict=True)
            }

        def contents(some: Sequence[str]) -> Iterator[tuple[str, bytes]]:
            for name in some:
                yield name, images[int(name)].tobytes()

        decode = partial(decode_row, shape=images.shape[1:3] if grey else images.shape[1:], **row.fitting())
        return row.gather(context, str(self.path), names, contents, decode, labels)


def load_arrays(path: Path, images: str, labels: str | None, labels_file: Path) -> list[npt.NDArray[Any]]:
    """The array of images, and that of labels unless `labels` is None.

    Raises:
        UserError: a file is absent or damaged, is a pickle, or lacks an array of that name.
    """
    now = path
    try:
        if path.suffix != ".npz":
            found = [np.load(path, mmap_mode="r", allow_pickle=False)]
            now = labels_file
            found += [] if labels is None else [np.load(labels_file, allow_pickle=False)]
            if not all(isinstance(array, np.ndarray) for array in found):
                raise UserError(f"{path}: not one array, but a file of several: such files end in .npz")
            return found
        with np.load(path, allow_pickle=False) as file:
            names = [images, *([] if labels is None else [labels])]
            if missing := [name for name in names if name not in file.files]:
                raise UserError(f"{path}: no array {', '.join(missing)}; there are {', '.join(file.files)} (keys `images` and `labels`)")
            return [file[name] for name in names]
    except FileNotFoundError as error:
        raise UserError(f"{now}: no such file; `path` (and `labels`) of a data set of kind array name NumPy's files") from error
    except UNREADABLE as error:
        raise UserError(f"{now}: not a complete file of NumPy's, or one of objects, which are not read ({error})") from error


def complaint(images: npt.NDArray[Any]) -> str | None:
    """Why an array is not one of images; None if it is."""
    if images.dtype != np.uint8:
        return "values are to be 0 … 255, for floats of 0 … 1 `(255 * x).round().astype('uint8')`"
    if images.ndim == 4 and images.shape[-1] not in (1, 3, 4) and images.shape[1] in (1, 3):
        return "channels come last, `x.transpose(0, 2, 3, 1)`"
    if images.ndim not in (3, 4) or (images.ndim == 4 and images.shape[-1] not in (1, 3, 4)) or not images.size:
        return "these are no images"
    if images.max() == 1:
        return "values are to be 0 … 255, these are 0 and 1: `255 * x`"
    return None


def decode_row(content: bytes, shape: tuple[int, ...], **fitting: Any) -> npt.NDArray[np.uint8]:
    """One image of the array → (size, size, channels), as `fit`."""
    return fit(Image.fromarray(np.frombuffer(content, np.uint8).reshape(shape)), **fitting)
