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
from pga.params.reading import read_typed, read_yaml, validate
from pga.runtime.errors import UserError

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
    """The entries of the table that are right, and what is wrong with each of the others, which stop nobody who needs none of them.

    Raises:
        UserError: the file cannot be read, or is no table.
    """
    rows = read_yaml(path).get("datasets")
    found: dict[str, Kind] = {}
    wrong: dict[str, str] = {}
    for name, row in rows.items() if isinstance(rows, dict) else read_typed(path, Datasets).datasets.items():
        try:
            found.update(validate({"datasets": {name: row}}, Datasets, path).datasets)
        except UserError as error:
            wrong[name] = str(error)
    return found, wrong
