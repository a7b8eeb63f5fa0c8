"""What a kind of data set is: an entry of `params/datasets.yaml`, and how it is prepared."""

from __future__ import annotations

import os
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import numpy.typing as npt
from pydantic import AfterValidator

from pga.data.decode import Rows, remove
from pga.params.dataset import Dataset
from pga.params.sources import Source
from pga.runtime.errors import UserError
from pga.runtime.locks import Busy, alone

Images = npt.NDArray[np.uint8]
Labels = npt.NDArray[np.int64]

Place = Annotated[Path, AfterValidator(lambda path: Path(os.path.expanduser(path)))]
"""A folder or file of the user's; `~` is the home folder."""


@dataclass
class Context:
    """What a data set is prepared from and with."""

    name: str
    raw: Path
    """Folder of the source's files."""
    source: Source | None
    files: dict[str, str]
    """Files of the source → SHA-256."""
    part: Path
    """Where work in progress may stand."""
    processes: int
    recipe: str
    """Of the data set (`pga.data.prepare.recipe`), by which an interrupted preparation knows what it may continue."""
    held: ExitStack
    """What is released when the data set is complete."""

    def alone(self) -> None:
        """Keep others from the work in progress; raises UserError if another process prepares the same data set."""
        folder = self.part.parent
        folder.mkdir(parents=True, exist_ok=True)
        lock = folder / f".{self.name}.lock"
        try:
            locked = self.held.enter_context(alone(lock))
        except Busy:
            raise UserError(f"{self.name} is being prepared in {folder} by another process; wait for it or stop it") from None
        self.held.callback(lock.unlink, missing_ok=True)  # while it is held: who waits notices that it is gone
        if not locked:  # nobody may continue what somebody else may be writing
            self.part = self.part.with_name(f"{self.part.name}{os.getpid()}")
            self.held.callback(remove, self.part)


@dataclass(frozen=True)
class Prepared:
    """Both splits of a data set, (N, H, W, C) uint8, with their labels (N,) where there are any, and what its record adds."""

    train: Images | Rows
    test: Images | Rows
    labels: tuple[Labels, Labels] | None = None
    notes: dict[str, Any] = field(default_factory=dict)


class Kind(Dataset):
    """An entry of `params/datasets.yaml` with what it says; subclasses add their keys, and are named in `pga.data.kinds`."""

    def prepare(self, context: Context) -> Prepared:
        """Make the arrays; raises UserError if a file is absent, damaged, or not what it should be."""
        raise NotImplementedError
