"""Images that a run made: a .npy file as any other, and the record beside it that says which run it is of."""

from __future__ import annotations

from pathlib import Path
from typing import Literal, NamedTuple

import numpy as np

from pga.data.prepared import Images, load, load_images, record_path, split_of
from pga.params.run import Run
from pga.runtime.errors import UserError
from pga.runtime.files import atomic
from pga.runtime.sidecar import Sidecar, sidecar_of
from pga.training.run_record import StepRecord


class RunId(NamedTuple):
    """Which run something is of; `digest` is that of its parameters, None where any will do."""

    dataset: str
    model: str
    seed: int
    digest: str | None = None

    def differences(self, wanted: RunId) -> str:
        """What makes this another run than the one that is wanted; empty if it is that."""
        pairs = zip(self._fields, self, wanted, strict=True)
        return "; ".join(
            f"{key} {found!r}, wanted {value!r}" for key, found, value in pairs if None not in (found, value) and found != value
        )


def id_of(run: Run) -> RunId:
    """That of a run."""
    return RunId(run.dataset, run.name, run.seed, run.digest)


class OfRun(StepRecord, Sidecar):
    """Beside what was made from a run: which run that is."""

    dataset: str
    model: str
    seed: int
    digest: str

    @property
    def run_id(self) -> RunId:
        """That run."""
        return RunId(self.dataset, self.model, self.seed, self.digest)

    def refuse_other(self, path: Path, expected: RunId) -> None:
        """Refuse a file, beside which this record lies, that is not of the run `expected`; raises UserError, which names what differs."""
        if differ := self.run_id.differences(expected):
            raise UserError(f"{path}: of another run: {differ}; delete it and make it again")


class GeneratedRecord(OfRun):
    """Beside samples, reconstructions, interpolations and samples with their neighbours."""

    kind: Literal["generated"] = "generated"


def save_samples(path: Path, images: Images, run: RunId | None, code: str) -> None:
    """Write images (…, H, W, C) uint8, complete or not at all, and beside them what they are of, if they are of any run.

    Args:
        path: the .npy file to write.
        images: the images.
        run: that they are of.
        code: fingerprint of the step that made them.
    """
    with atomic(path) as file:
        np.save(file, images, allow_pickle=False)
    if run:
        GeneratedRecord(**run._asdict(), code=code).write_beside([path])


def load_samples_of(path: Path, expected: RunId, ndim: int | None = 4) -> Images:
    """Images (…, H, W, C) uint8, read on demand from disk, that must be of one run.

    Raises:
        UserError: the file is absent, is not such an array, was changed, or is of another run, or of no run, or of other code than there is
            now.
    """
    images = load_images(path, ndim)
    record = GeneratedRecord.require_beside(path)
    record.refuse_other(path, expected)
    record.refuse_other_code(path)
    return images


def load_measured(path: Path, dataset: str, model: str, seed: int) -> Images:
    """What metrics are measured on: samples of a run, prepared images of the data set, or anybody's own array.

    Anybody's own has no record beside it; in the folder of a run (run.json beside or above) that is refused.

    Raises:
        UserError: the file is damaged, of another run or data set than is written into the result, or of other code than there is now.
    """
    if record_path(path.parent, dataset).exists() and (split := split_of(path, dataset)):
        return load(path.parent, dataset, split)[0]
    if sidecar_of(path) or any((folder / "run.json").exists() for folder in list(path.parents)[:2]):
        return load_samples_of(path, RunId(dataset, model, seed))
    return load_images(path)
