"""Reading `params/datasets.yaml`, which says how each data set is made."""

from __future__ import annotations

from functools import reduce
from operator import or_
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, TypeAlias

from pydantic import Field, model_validator

from pga.data.kind import Kind
from pga.data.kinds import KINDS
from pga.params.base import Name, Strict
from pga.params.reading import read_rows, read_typed

if TYPE_CHECKING:
    Dataset: TypeAlias = Kind
else:
    Dataset = Annotated[reduce(or_, KINDS.values()), Field(discriminator="kind")]


class Datasets(Strict):
    """The whole file."""

    datasets: dict[Name, Dataset]

    @model_validator(mode="after")
    def _names(self) -> Datasets:
        for name, row in self.datasets.items():
            row.check_name(name)
        return self


def load_datasets(path: str | Path = "params/datasets.yaml") -> dict[str, Any]:
    """Name → entry of the table of data sets; raises UserError with every mistake."""
    return read_typed(path, Datasets).datasets


def read_datasets(path: str | Path = "params/datasets.yaml") -> tuple[dict[str, Kind], dict[str, str]]:
    """The entries of the table that are right, and what is wrong with each of the others; raises as `read_rows` does."""
    return read_rows(path, Datasets, "datasets")
