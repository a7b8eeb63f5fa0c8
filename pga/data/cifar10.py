"""CIFAR-10's python version. Its batches are pickles: read after their checksums were compared, and then only what an array needs."""

from __future__ import annotations

import hashlib
import io
import lzma
import pickle
import tarfile
import zlib
from pathlib import Path
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from pga.data.kind import Context, Kind, Prepared
from pga.data.verify import member_called
from pga.params.base import Name
from pga.params.sources import Checksum
from pga.runtime.errors import UserError

ALLOWED = {("numpy.core.multiarray", "_reconstruct"), ("numpy", "ndarray"), ("numpy", "dtype")}
TRAIN = tuple(f"cifar-10-batches-py/data_batch_{k}" for k in range(1, 6))
TEST = ("cifar-10-batches-py/test_batch",)
IMAGES = 10_000
"""Per batch."""


class ArrayUnpickler(pickle.Unpickler):
    """Builds arrays of numbers and nothing else."""

    def find_class(self, module: str, name: str) -> Any:
        """The three callables that a pickled array names."""
        if (module, name) not in ALLOWED:
            raise pickle.UnpicklingError(f"it asks for {module}.{name}, which no CIFAR-10 batch needs")
        if name == "_reconstruct":
            return np._core.multiarray._reconstruct  # type: ignore[attr-defined]
        return getattr(np, name)


def read_cifar10(path: Path, checksum: Checksum) -> dict[str, tuple[npt.NDArray[np.uint8], npt.NDArray[np.int64]]]:
    """{"train": (images, labels), "test": …} of the archive, images (N, 32, 32, 3), in the order of the batches.

    Args:
        path: .tar.gz or .tar.xz.
        checksum: of each batch; nothing is unpickled before it agrees.

    Raises:
        UserError: the archive is damaged, or a batch is not the official one.
    """
    batches: dict[str, tuple[npt.NDArray[np.uint8], npt.NDArray[np.int64]]] = {}
    try:
        with tarfile.open(path) as archive:
            for member in archive:
                if member.isfile() and (name := member_called(member.name, TRAIN + TEST)):
                    stream = archive.extractfile(member)
                    assert stream is not None
                    content = stream.read()
                    found, expected = hashlib.new(checksum.algorithm, content).hexdigest(), checksum.members[name]
                    if found != expected:
                        raise UserError(
                            f"{path}: {checksum.algorithm} of its member {name} is {found}, expected {expected}; delete it and fetch again"
                        )
                    batches[name] = batch(content, f"{path}: {name}")
    except (OSError, EOFError, tarfile.TarError, zlib.error, lzma.LZMAError) as error:
        raise UserError(f"{path}: cannot be read ({error}); delete it and fetch again") from error
    missing = [name for name in TRAIN + TEST if name not in batches]
    if missing:
        raise UserError(f"{path}: lacks the members {', '.join(missing)}; delete it and fetch again")
    joined = {}
    for split, names in (("train", TRAIN), ("test", TEST)):
        images, labels = zip(*(batches[name] for name in names), strict=True)
        joined[split] = (np.concatenate(images), np.concatenate(labels))
    return joined


def batch(content: bytes, where: str) -> tuple[npt.NDArray[np.uint8], npt.NDArray[np.int64]]:
    """Images (N, 32, 32, 3) and labels of one pickled batch: rows of 3,072 bytes, colour planes one after the other."""
    try:
        found = ArrayUnpickler(io.BytesIO(content), encoding="bytes").load()
        data, labels = found[b"data"], np.asarray(found[b"labels"], np.int64)
    except (pickle.UnpicklingError, EOFError, KeyError, TypeError, ValueError, AttributeError, IndexError, OverflowError) as error:
        raise UserError(f"{where}: not a CIFAR-10 batch ({error})") from error
    if not isinstance(data, np.ndarray) or data.dtype != np.uint8 or data.shape != (IMAGES, 3072) or labels.shape != (IMAGES,):
        raise UserError(f"{where}: not a CIFAR-10 batch of {IMAGES} images")
    if labels.min() < 0 or labels.max() > 9:
        raise UserError(f"{where}: labels from {labels.min()} to {labels.max()}, accepted are 0 to 9")
    return np.ascontiguousarray(data.reshape(-1, 3, 32, 32).transpose(0, 2, 3, 1)), labels


class Cifar10(Kind):
    """The official python version of CIFAR-10, images in the order of the batches."""

    kind: Literal["cifar10"]
    source: Name
    labelled: Literal[True] = True

    @property
    def shape(self) -> tuple[int, int]:
        """Side and channels of the prepared images."""
        return (32, 3)

    def prepare(self, context: Context) -> Prepared:
        """Read the archive."""
        assert context.source is not None
        [name] = context.source.files
        found = read_cifar10(context.raw / name, context.source.files[name].checksum)
        return Prepared(found["train"][0], found["test"][0], (found["train"][1], found["test"][1]))
