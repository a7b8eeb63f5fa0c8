"""Types of `params/datasets.yaml`: how each data set is made of its source."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated, Literal

from pydantic import AfterValidator, Field, model_validator

from pga.params.base import Count, Name, Strict
from pga.params.reading import read_typed, read_yaml, validate
from pga.params.sources import Source
from pga.runtime.errors import UserError

Place = Annotated[Path, AfterValidator(lambda path: Path(os.path.expanduser(path)))]
"""A folder or file of the user's; `~` is the home folder."""


class Digits(Strict):
    """The 1,797 handwritten 8×8 digits that come with scikit-learn; every fifth is a test image."""

    kind: Literal["digits"]
    source: None = None
    labelled: Literal[True] = True

    @property
    def shape(self) -> tuple[int, int]:
        """Side and channels of the prepared images."""
        return (8, 1)

    def raw_files(self, sources: dict[str, Source]) -> list[str]:
        """Files of the source that preparing reads."""
        return []


class Idx(Strict):
    """MNIST's file format."""

    kind: Literal["idx"]
    source: Name
    pad: Annotated[int, Field(ge=0)] = Field(0, description="rows and columns of zeros on each side")
    labelled: Literal[True] = True

    @property
    def shape(self) -> tuple[int, int] | None:
        """Side and channels of the prepared images, where the source tells them."""
        return (28 + 2 * self.pad, 1) if self.source == "mnist" else None

    def raw_files(self, sources: dict[str, Source]) -> list[str]:
        """Files of the source that preparing reads."""
        return list(sources[self.source].files)


class Cifar10(Strict):
    """The official python version of CIFAR-10."""

    kind: Literal["cifar10"]
    source: Name
    labelled: Literal[True] = True

    @property
    def shape(self) -> tuple[int, int]:
        """Side and channels of the prepared images."""
        return (32, 3)

    def raw_files(self, sources: dict[str, Source]) -> list[str]:
        """Files of the source that preparing reads."""
        return list(sources[self.source].files)


class Celeba(Strict):
    """CelebA, aligned: every image trains, as in the authors' code; the official test partition is also kept apart for evaluation."""

    kind: Literal["celeba"]
    source: Name
    folder: Place | None = Field(None, description="a folder of the aligned JPEGs that is already here, read instead of the archive")
    crop: Annotated[int, Field(ge=1, le=178)] = Field(description="side of the centre crop of the 178×218 image")
    size: Count = Field(64, description="side after resizing")
    resize: Literal["tf1_bicubic", "antialias"] = Field("tf1_bicubic", description="the authors' resize, or an antialiased one")
    labelled: Literal[False] = False

    @property
    def shape(self) -> tuple[int, int]:
        """Side and channels of the prepared images."""
        return (self.size, 3)

    def raw_files(self, sources: dict[str, Source]) -> list[str]:
        """Files of the source that preparing reads."""
        return [name for name in sources[self.source].files if self.folder is None or not name.endswith(".zip")]


class Folder(Strict):
    """Any folder of images, subfolders included."""

    kind: Literal["folder"]
    source: None = None
    path: Place
    crop: Count | None = Field(None, description="side of the centre crop; by default the largest square")
    size: Count = Field(description="side after an antialiased resize")
    channels: Literal[1, 3] = Field(3, description="1 grey, 3 colour")
    convert: bool = Field(False, description="convert grey images to colour (or the reverse) instead of counting them as bad")
    test_fraction: Annotated[float, Field(gt=0, le=0.5)] = Field(0.1, description="every so-manyth image is a test image")
    on_bad: Literal["fail", "skip"] = Field("fail", description="what to do with files that cannot be used: stop, or list and leave out")
    min_size: Count = Field(8, description="pixels that the shorter side must have")
    max_pixels: Count = Field(89_478_485, description="pixels that an image may have; more need memory (the default is Pillow's)")
    labelled: Literal[False] = False

    @property
    def shape(self) -> tuple[int, int]:
        """Side and channels of the prepared images."""
        return (self.size, self.channels)

    def raw_files(self, sources: dict[str, Source]) -> list[str]:
        """Files of the source that preparing reads."""
        return []


Dataset = Annotated[Digits | Idx | Cifar10 | Celeba | Folder, Field(discriminator="kind")]


class Datasets(Strict):
    """The whole file."""

    datasets: dict[Name, Dataset]

    @model_validator(mode="after")
    def _names_say_the_resize(self) -> Datasets:
        for name, row in self.datasets.items():
            if isinstance(row, Celeba) and (row.resize == "antialias") != ("antialias" in name):
                raise ValueError(
                    f"{name}: resize is {row.resize}; the name of a CelebA data set holds `antialias` just when its resize does"
                )
        return self


def load_datasets(path: str | Path = "params/datasets.yaml") -> dict[str, Digits | Idx | Cifar10 | Celeba | Folder]:
    """Read and check the table of data sets; raises UserError with every mistake."""
    return read_typed(path, Datasets).datasets


def read_datasets(path: str | Path = "params/datasets.yaml") -> tuple[dict[str, Dataset], dict[str, str]]:
    """The rows of the table that are right, and what is wrong with each of the others, which stop nobody who needs none of them.

    Raises:
        UserError: the file cannot be read, or is no table.
    """
    rows = read_yaml(path).get("datasets")
    found: dict[str, Dataset] = {}
    wrong: dict[str, str] = {}
    for name, row in rows.items() if isinstance(rows, dict) else read_typed(path, Datasets).datasets.items():
        try:
            found.update(validate({"datasets": {name: row}}, Datasets, path).datasets)
        except UserError as error:
            wrong[name] = str(error)
    return found, wrong
