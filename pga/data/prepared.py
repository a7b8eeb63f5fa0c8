"""Prepared data sets: one uint8 array per split, checked against the data set's record when it is read."""

from __future__ import annotations

import struct
import tokenize
import zipfile
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Literal

import numpy as np
import numpy.typing as npt
from pydantic import ConfigDict

from pga.runtime.errors import UserError
from pga.runtime.sidecar import Sidecar

Images = npt.NDArray[np.uint8]

UNREADABLE = (
    ValueError, OSError, EOFError, KeyError, TypeError, AttributeError, IndexError, OverflowError, MemoryError, SyntaxError,
    NotImplementedError, RuntimeError, zipfile.BadZipFile, zlib.error, struct.error, tokenize.TokenError,
)  # fmt: skip
"""What numpy raises of a damaged .npy or .npz file (the fuzzing tests found each)."""


def full_batches(n: int, size: int) -> Iterator[tuple[npt.NDArray[np.int64], int]]:
    """(indices of a batch, how many of them count): every image once, the last batch filled up from the start.

    Batch normalisation by the batch in hand would see another law in a smaller batch.
    """
    for start in range(0, n, size):
        yield np.arange(start, start + size) % n, min(size, n - start)


def array_path(folder: str | Path, dataset: str, split: str) -> Path:
    """Path of one split's array: `<dataset>.npy` for training, `<dataset>-test.npy` for test."""
    return Path(folder) / (f"{dataset}.npy" if split == "train" else f"{dataset}-{split}.npy")


def split_of(path: Path, dataset: str) -> str | None:
    """The split whose array has this path; None where it is no prepared data set's of this name."""
    return next((split for split in ("train", "test") if array_path(path.parent, dataset, split) == path), None)


class PreparedRecord(Sidecar):
    """`<dataset>.json`: what a prepared data set was made of, and its files. A kind of data set may add notes of its own.

    Attributes:
        dataset: its name.
        parameters: its entry in `params/datasets.yaml`.
        recipe: digest of everything that it is made by and of (`pga.data.prepare.recipe`).
        shape: height, width and channels of an image.
        n_train, n_test: numbers of images.
        n_classes: number of labels, if it has any.
        sources: file of its source → SHA-256.
    """

    model_config = ConfigDict(extra="allow", frozen=True)

    kind: Literal["prepared"] = "prepared"
    dataset: str
    parameters: dict[str, Any]
    recipe: str
    shape: tuple[int, int, int]
    n_train: int
    n_test: int
    n_classes: int | None
    sources: dict[str, str]

    def checksum(self, split: str) -> str | None:
        """SHA-256 of one split's array."""
        return self.files.get(array_path("", self.dataset, split).name)


def record_path(folder: str | Path, dataset: str) -> Path:
    """Path of a data set's record."""
    return Path(folder) / f"{dataset}.json"


def load_record(folder: str | Path, dataset: str) -> PreparedRecord:
    """The record of a data set; raises UserError if it is absent, or is no such record."""
    path = record_path(folder, dataset)
    if not path.exists():
        raise UserError(f"{path}: no such file; `pga prepare {dataset}` makes it")
    return PreparedRecord.read(path)


def load(folder: str | Path, dataset: str, split: str = "train") -> tuple[Images, str]:
    """Images (N, H, W, C) uint8, read on demand from disk, and the SHA-256 of their file.

    Raises:
        UserError: the file is absent, is not such an array, or differs from what the data set's record says.
    """
    path = array_path(folder, dataset, split)
    if not path.is_file():
        raise UserError(f"{path}: no such file; `pga prepare {dataset}` makes it")
    images, record = load_images(path), load_record(folder, dataset)
    record.check_file(path, record_path(folder, dataset))
    return images, record.files[path.name]


def load_labels(folder: str | Path, dataset: str) -> dict[str, npt.NDArray[np.int64]]:
    """Labels (N,) int64 of both splits, {"train": …, "test": …}.

    Raises:
        UserError: the data set has none, or they differ from what its record says.
    """
    path, record = Path(folder) / f"{dataset}-labels.npz", load_record(folder, dataset)
    if path.name not in record.files:
        raise UserError(f"{path}: no such file: {dataset} has no labels")
    record.check_file(path, record_path(folder, dataset))
    try:
        with np.load(path, allow_pickle=False) as file:
            return {split: file[split] for split in ("train", "test")}
    except UNREADABLE as error:
        raise UserError(f"{path}: not a complete file of labels ({error}); delete it and prepare {dataset} again") from error


def load_images(path: str | Path, ndim: int | None = 4) -> Images:
    """Images (N, H, W, C) uint8 of any .npy file, read on demand from disk.

    With more dimensions (any number where `ndim` is None) they are (…, H, W, C).

    Raises:
        UserError: the file is absent or is not such an array.
    """
    try:
        images = np.load(path, mmap_mode="r", allow_pickle=False)
    except FileNotFoundError as error:
        raise UserError(f"{path}: no such file") from error
    except UNREADABLE as error:
        raise UserError(f"{path}: not a complete .npy array ({error}); delete it and make it again") from error
    if not isinstance(images, np.ndarray) or images.dtype != np.uint8 or images.ndim != (ndim or images.ndim):
        wanted = f"({'N, ' * ((ndim or 4) - 3)}height, width, channels)"
        found = f"{images.dtype} of shape {images.shape}" if isinstance(images, np.ndarray) else "a file of several arrays"
        raise UserError(f"{path}: found {found}; images are uint8 of shape {wanted}")
    return images
