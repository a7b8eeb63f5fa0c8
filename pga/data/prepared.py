"""Prepared data sets: one uint8 array per split, checked against its provenance when it is read."""

from __future__ import annotations

import hashlib
import math
import struct
import tokenize
import zipfile
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from pga.runtime.errors import UserError
from pga.runtime.files import read_record, sha256

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


def provenance(folder: str | Path, dataset: str) -> dict[str, Any]:
    """The data set's provenance file.

    Raises:
        UserError: it is absent, or is no such file.
    """
    path = Path(folder) / f"{dataset}.json"
    if not path.exists():
        raise UserError(f"{path}: no such file; `pga prepare {dataset}` makes it")
    found = read_record(path)
    if not isinstance(found.get("sha256"), dict):
        raise UserError(f"{path}: not the provenance of a prepared data set: it lacks sha256; delete it and prepare {dataset} again")
    return found


def load(folder: str | Path, dataset: str, split: str = "train") -> tuple[Images, str]:
    """Images (N, H, W, C) uint8, read on demand from disk, and the SHA-256 of their file.

    Raises:
        UserError: the file is absent, is not such an array, or differs from what its provenance recorded.
    """
    path = array_path(folder, dataset, split)
    if not path.is_file():
        raise UserError(f"{path}: no such file; `pga prepare {dataset}` makes it")
    images = load_images(path)
    found, expected = sha256(path), provenance(folder, dataset)["sha256"].get(split)
    if found != expected:
        raise UserError(
            f"{path}: its SHA-256 is {found[:12]}…, its provenance says {str(expected)[:12]}…; delete it and prepare {dataset} again"
        )
    return images, found


def labels_digest(train: npt.NDArray[np.int64], test: npt.NDArray[np.int64]) -> str:
    """SHA-256 of the labels themselves."""
    return hashlib.sha256(train.tobytes() + test.tobytes()).hexdigest()


def load_labels(folder: str | Path, dataset: str) -> dict[str, npt.NDArray[np.int64]]:
    """Labels (N,) int64 of both splits, {"train": …, "test": …}.

    Raises:
        UserError: the data set has none, or they differ from what its provenance recorded.
    """
    path = Path(folder) / f"{dataset}-labels.npz"
    expected = provenance(folder, dataset)["sha256"].get("labels")
    try:
        with np.load(path, allow_pickle=False) as file:
            labels = {split: file[split] for split in ("train", "test")}
    except FileNotFoundError as error:
        raise UserError(f"{path}: no such file: {dataset} has no labels or is not prepared") from error
    except UNREADABLE as error:
        raise UserError(f"{path}: not a complete file of labels ({error}); delete it and prepare {dataset} again") from error
    whole = all(part.dtype == np.int64 and part.ndim == 1 for part in labels.values())
    if not whole or labels_digest(labels["train"], labels["test"]) != expected:
        raise UserError(f"{path}: its labels are not those that its provenance records; delete it and prepare {dataset} again")
    return labels


def load_images(path: str | Path, ndim: int = 4) -> Images:
    """Images (N, H, W, C) uint8 of any .npy file, read on demand from disk; with more dimensions, (…, H, W, C).

    Raises:
        UserError: the file is absent or is not such an array.
    """
    return open_images(path, ndim)[0]


def open_images(path: str | Path, ndim: int | None = 4) -> tuple[Images, int, npt.NDArray[np.uint8]]:
    """Images as `load_images` (with any number of dimensions where `ndim` is None), where in their file they end, and all of its bytes.

    Raises:
        UserError: as `load_images`.
    """
    try:
        with open(path, "rb") as file:  # once: another file may take its place in between
            content = np.memmap(file, np.uint8, "r")
            file.seek(0)
            read = {(1, 0): np.lib.format.read_array_header_1_0, (2, 0): np.lib.format.read_array_header_2_0}
            shape, by_columns, dtype = read[np.lib.format.read_magic(file)](file)
            start = file.tell()
        end = start + math.prod(shape) * dtype.itemsize
        if dtype.hasobject or len(content) < end:
            raise ValueError(f"{len(content)} bytes, {end} are needed")
        images = np.ndarray(shape, dtype, content[start:end], order="F" if by_columns else "C")
    except FileNotFoundError as error:
        raise UserError(f"{path}: no such file") from error
    except UNREADABLE as error:
        raise UserError(f"{path}: not a complete .npy array ({error}); delete it and make it again") from error
    if images.dtype != np.uint8 or images.ndim != (ndim or images.ndim):
        wanted = f"({'N, ' * ((ndim or 4) - 3)}height, width, channels)"
        raise UserError(f"{path}: found {images.dtype} of shape {images.shape}; images are uint8 of shape {wanted}")
    return images, end, content
