"""Images that a run made: one .npy file that also says of which run it is, under a checksum.

After the array a second one stands in the same file, as numpy's format allows: a text, the record. `np.load` reads the first alone, so that
other programs see nothing but images, and the two can never be parted.
"""

from __future__ import annotations

import hashlib
import io
import json
from pathlib import Path
from typing import Any

import numpy as np

from pga.data.prepared import UNREADABLE, Images, array_path, load, open_images
from pga.params.experiment import REAL
from pga.params.run import Run
from pga.runtime.errors import UserError
from pga.runtime.files import atomic

Maker = dict[str, Any]
"""The run that made images: data set, model, seed and digest of its parameters."""


def maker(run: Run) -> Maker:
    """What the images of a run say of it."""
    return {"dataset": run.dataset, "model": run.name, "seed": run.seed, "digest": run.digest}


def seal(content: Any, of: Maker) -> str:
    """SHA-256 over the bytes of an array's file and over the record that follows it."""
    hasher = hashlib.sha256(content)
    hasher.update(json.dumps(of, sort_keys=True).encode())
    return hasher.hexdigest()


def save_made(path: Path, images: Images, of: Maker) -> None:
    """Write images (…, H, W, C) uint8 and the run that they are of, complete or not at all."""
    array, record = io.BytesIO(), io.BytesIO()
    np.save(array, images, allow_pickle=False)
    text = json.dumps({**of, "checksum": seal(array.getbuffer(), of)}, sort_keys=True)
    np.save(record, np.array(text), allow_pickle=False)
    with atomic(path) as file:
        file.write(array.getbuffer())
        file.write(record.getbuffer())


def load_made(path: Path, ndim: int | None = 4) -> tuple[Images, Maker | None]:
    """Images (…, H, W, C) uint8, read on demand from disk, and the run that they are of; None in a file of another program.

    Raises:
        UserError: the file is absent, is not such an array, or differs from its own checksum.
    """
    images, end, content = open_images(path, ndim)
    if len(content) == end:
        return images, None
    try:
        of = json.loads(str(np.load(io.BytesIO(content[end:].tobytes()), allow_pickle=False)))
        whole = of.pop("checksum") == seal(content[:end], of)
    except UNREADABLE as error:
        raise UserError(f"{path}: damaged: what it says of itself cannot be read ({error}); delete it and make it again") from error
    if not whole:
        raise UserError(f"{path}: damaged: its content does not match its checksum; delete it and make it again")
    return images, of


def load_of(path: Path, run: Run, ndim: int = 4) -> Images:
    """Images that must be of `run`.

    Raises:
        UserError: as `load_made`, or they are of another run, or of no run.
    """
    images, of = load_made(path, ndim)
    refuse_other(path, of, maker(run))
    return images


def load_measured(path: Path, dataset: str, model: str, seed: int) -> Images:
    """What metrics are measured on: samples of a run, images of the data set for the pseudo model `real`, or anybody's own array.

    Anybody's own says nothing of a run; in the folder of a run (run.json beside or above) that is refused.

    Raises:
        UserError: the file is damaged, or of another run or data set than is written into the result.
    """
    if model == REAL:
        splits = [split for split in ("train", "test") if array_path(path.parent, dataset, split) == path]
        if splits and (path.parent / f"{dataset}.json").exists():
            return load(path.parent, dataset, splits[0])[0]
    images, of = load_made(path)
    if of is not None or any((folder / "run.json").exists() for folder in list(path.parents)[:2]):
        refuse_other(path, of, {"dataset": dataset, "model": model, "seed": seed})
    return images


def refuse_other(path: Path, of: Maker | None, expected: Maker) -> None:
    """Refuse images that are not of the run `expected`.

    Raises:
        UserError: names what differs.
    """
    if of is None:
        raise UserError(f"{path}: does not say of which run it is; delete it and make it again")
    if differ := [f"{key} {of.get(key)!r}, wanted {value!r}" for key, value in expected.items() if of.get(key) != value]:
        raise UserError(f"{path}: of another run: {'; '.join(differ)}; delete it and make it again")
