"""Data sets of the Hugging Face Hub on disk: parquet or arrow files with a column of images, and one of labels."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator, Sequence
from functools import lru_cache, partial
from pathlib import Path
from typing import Any, Literal, NamedTuple

from pydantic import Field

from pga.data.folder import list_files
from pga.data.kind import Context, Place, Prepared
from pga.data.own_images import OwnImages, decode_file
from pga.params.base import Count
from pga.runtime.errors import UserError

SUFFIXES = (".parquet", ".arrow")


class Group(NamedTuple):
    """Rows of a file that are read at once: a row group of parquet; all of an arrow file, which is mapped and not read."""

    path: Path
    number: int
    rows: int


class Parquet(OwnImages):
    """A folder as the Hub has it (`train-00000-of-00001.parquet`) or `save_to_disk` writes it (`train/data-….arrow`), or one such file."""

    kind: Literal["parquet"]
    path: Place
    split: str = Field("train", description="the files to take, by the beginning of their names or their folder; of one file all is taken")
    test_split: str | None = Field(None, description="the split of the test images; by default every so-manyth image of `split` is one")
    image: str = Field("image", description="column of the images, each a file's bytes")
    label: str = Field("label", description="where labelled: column of the labels")
    size: Count = Field(description="side after an antialiased resize")
    channels: Literal[1, 3] = Field(3, description="1 grey, 3 colour")

    def files(self) -> list[tuple[str, str]]:
        """(split, name) of each file."""
        if not self.path.is_dir():
            return [(self.split, self.path.name)]
        return [(split, name) for split in (self.split, self.test_split) if split for name in files_of_split(self.path, split)]

    def own_files(self) -> tuple[Path, list[str]]:
        """The files of both splits."""
        return self.path if self.path.is_dir() else self.path.parent, [name for _, name in self.files()]

    def prepare(self, context: Context) -> Prepared:
        """Decode the column of images."""
        folder, read = self.own_files()
        if self.path.is_dir() and (others := sorted({*tables_below(folder)} - {*read})):
            print(
                f"{context.name}: {len(others)} file{'s' * (len(others) > 1)} of other splits not read: {', '.join(others[:10])}; "
                "`split` and `test_split` name what is",
                file=sys.stderr,
            )
        columns = [self.image, *([self.label] if self.labelled else [])]
        place: dict[str, tuple[Group, int]] = {}
        test: list[str] = []
        labels: dict[str, object] | None = {} if self.labelled else None
        classes: list[str] | None = None
        for split, file in self.files():
            groups, names_of_labels = groups_of(folder / file, columns, self.label)
            classes = classes or names_of_labels
            number = 0
            for group in groups:
                values = column(group, self.label).to_pylist() if labels is not None else [None] * group.rows
                for row, value in enumerate(values):
                    name = f"{file}:{number}"
                    place[name] = group, row
                    number += 1
                    if labels is not None:
                        labels[name] = None if isinstance(value, int) and value < 0 else value
                    if split == self.test_split:
                        test.append(name)

        def contents(some: Sequence[str]) -> Iterator[tuple[str, bytes]]:
            for name in some:
                group, row = place[name]
                yield name, bytes_of(column(group, self.image)[row].as_py())

        decode = partial(decode_file, **self.fitting())
        return self.gather(context, str(self.path), list(place), contents, decode, labels, classes, test if self.test_split else None)


def tables_below(folder: Path) -> list[str]:
    """The parquet and arrow files below a folder, but those in which the library of the Hub keeps what it has computed."""
    return [name for name in list_files(folder) if name.endswith(SUFFIXES) and not Path(name).name.startswith("cache-")]


def files_of_split(folder: Path, split: str) -> list[str]:
    """Files of one split below a folder, sorted: by the beginning of their names, or by the folder that they are in.

    Raises:
        UserError: there are none.
    """
    every = tables_below(folder)
    found = [
        name for name in every if split in Path(name).parent.parts or Path(name).stem == split or Path(name).name.startswith(f"{split}-")
    ]
    if not found and all("/" not in name and name.startswith("data-") for name in every):
        found = every  # `save_to_disk` of a data set without splits
    if not found:
        raise UserError(
            f"{folder}: no file of the split {split!r}, .parquet or .arrow; there are {', '.join(every[:10]) or 'none of any split'}"
        )
    return found


def groups_of(path: Path, columns: Sequence[str], label: str) -> tuple[list[Group], list[str] | None]:
    """The groups of rows of a file, and what its labels are called if it says so.

    Raises:
        UserError: it is absent or damaged, or lacks a column; or pyarrow is not installed.
    """
    try:
        import pyarrow
        from pyarrow import parquet
    except ImportError as error:
        raise UserError(f"{path}: pyarrow reads it, which is not installed: pip install 'pga[parquet]'") from error
    if not path.is_file():
        raise UserError(f"{path}: no such file or folder; `path` of a data set of kind parquet names one")
    try:
        if path.suffix == ".parquet":
            file = parquet.ParquetFile(path)
            schema = file.schema_arrow
            groups = [Group(path, number, file.metadata.row_group(number).num_rows) for number in range(file.metadata.num_row_groups)]
        else:
            table = mapped(path)
            schema, groups = table.schema, [Group(path, 0, table.num_rows)]
    except (OSError, pyarrow.ArrowException) as error:
        raise UserError(f"{path}: not a complete {path.suffix} file ({str(error).splitlines()[0]})") from error
    if missing := [name for name in columns if name not in schema.names]:
        raise UserError(f"{path}: no column {', '.join(missing)}; there are {', '.join(schema.names)} (keys `image` and `label`)")
    try:
        feature = json.loads((schema.metadata or {})[b"huggingface"])["info"]["features"][label]
        return groups, [str(name) for name in feature["names"]]
    except (KeyError, TypeError, ValueError):
        return groups, None


def mapped(path: Path) -> Any:
    """The table in an arrow file (a stream, as `datasets` writes it, or a file with an index), mapped into memory."""
    import pyarrow

    source = pyarrow.memory_map(str(path))
    indexed = source.read(6) == b"ARROW1"
    source.seek(0)
    return (pyarrow.ipc.open_file(source) if indexed else pyarrow.ipc.open_stream(source)).read_all()


@lru_cache(maxsize=2)
def column(group: Group, name: str) -> Any:
    """One column of a group of rows; the last ones stay in memory, because rows are asked for in their order.

    Raises:
        UserError: the file is damaged.
    """
    import pyarrow
    from pyarrow import parquet

    try:
        if group.path.suffix == ".parquet":
            return parquet.ParquetFile(group.path).read_row_group(group.number, columns=[name]).column(name)
        return mapped(group.path).column(name)
    except (OSError, pyarrow.ArrowException) as error:
        raise UserError(f"{group.path}: not a complete {group.path.suffix} file ({str(error).splitlines()[0]})") from error


def bytes_of(value: Any) -> bytes:
    """The image file in a cell: its bytes, or a mapping with them as the Hub's feature Image has it; nothing where there is none."""
    found = value.get("bytes") if isinstance(value, dict) else value
    return found if isinstance(found, bytes) else b""
