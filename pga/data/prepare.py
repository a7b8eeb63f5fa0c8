"""Raw files → `<dataset>.npy`, `<dataset>-test.npy`, labels and provenance, each complete or absent, the provenance last."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from pga.data.idx import read_idx
from pga.errors import UserError
from pga.files import atomic, sha256, write_json
from pga.params.datasets import Digits, Idx

Array = npt.NDArray[Any]


@dataclass(frozen=True)
class Prepared:
    """Both splits of a data set in memory, (N, H, W, C) uint8, and what its provenance adds."""

    train: Array
    test: Array
    labels: tuple[Array, Array] | None = None
    notes: dict[str, Any] = field(default_factory=dict)


def digits(row: Digits, raw: Path) -> Prepared:
    """scikit-learn's digits, 0…16 scaled to 0…255; every fifth image is a test image."""
    from sklearn.datasets import load_digits

    bunch = load_digits()
    images = np.rint(bunch.images * 255 / 16).astype(np.uint8)[..., None]
    labels = bunch.target.astype(np.int64)
    is_test = np.arange(len(images)) % 5 == 0
    return Prepared(images[~is_test], images[is_test], (labels[~is_test], labels[is_test]))


def idx(row: Idx, raw: Path) -> Prepared:
    """MNIST, padded with zeros where the row says so."""
    parts: dict[str, Array] = {}
    for split, name in (("train", "train"), ("test", "t10k")):
        images, labels = read_idx(raw / f"{name}-images-idx3-ubyte.gz"), read_idx(raw / f"{name}-labels-idx1-ubyte.gz")
        if images.ndim != 3 or labels.shape != images.shape[:1]:
            raise UserError(f"{raw}: {name} has images of shape {images.shape} and labels of shape {labels.shape}")
        parts[split] = np.pad(images, ((0, 0), (row.pad, row.pad), (row.pad, row.pad)))[..., None]
        parts[f"{split} labels"] = labels.astype(np.int64)
    return Prepared(parts["train"], parts["test"], (parts["train labels"], parts["test labels"]))


KINDS: dict[str, Callable[[Any, Path], Prepared]] = {"digits": digits, "idx": idx}


def prepare(name: str, row: Any, raw: Path, out: Path, files: list[str]) -> None:
    """Prepare one data set.

    Args:
        name: of the data set.
        row: of params/datasets.yaml.
        raw: data/raw.
        out: data/processed.
        files: of the source, whose checksums the provenance records.

    Raises:
        UserError: a raw file is absent or not what it should be.
    """
    folder = raw / row.source if row.source else raw
    sources = {file: sha256(folder / file) for file in files}
    prepared = KINDS[row.kind](row, folder)
    paths = {"train": out / f"{name}.npy", "test": out / f"{name}-test.npy"}
    for split, path in paths.items():
        save_array(path, getattr(prepared, split))
    if prepared.labels is not None:
        with atomic(out / f"{name}-labels.npz") as file:
            np.savez(file, train=prepared.labels[0], test=prepared.labels[1])
    write_json(
        out / f"{name}.json",
        {
            "dataset": name,
            "parameters": row.model_dump(mode="json"),
            "shape": list(prepared.train.shape[1:]),
            "n_train": len(prepared.train),
            "n_test": len(prepared.test),
            "n_classes": None if prepared.labels is None else int(max(part.max() for part in prepared.labels)) + 1,
            "sha256": {split: sha256(path) for split, path in paths.items()},
            "sources": sources,
            **prepared.notes,
        },
    )


def save_array(path: Path, array: Array) -> None:
    """Write a .npy file, complete or not at all."""
    with atomic(path) as file:
        np.save(file, np.ascontiguousarray(array), allow_pickle=False)
