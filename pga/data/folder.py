"""A folder of images, subfolders included, which may be the images' labels."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator, Sequence
from functools import partial
from pathlib import Path
from stat import S_ISREG
from typing import Any, Literal

from pydantic import Field

from pga.data.kind import Context, Place, Prepared
from pga.data.own_images import LARGEST, OwnImages, decode_file, printable
from pga.params.base import Count
from pga.runtime.errors import UserError
from pga.runtime.files import read_record, sha256, write_record
from pga.runtime.progress import Progress


def list_files(folder: Path) -> list[str]:
    """Every file below `folder` that is not hidden, relative to it, sorted.

    Links are followed, but not those to a folder that holds the place where the walk already is: they lead in a circle.

    Raises:
        UserError: there is no such folder, one cannot be read, or there is no file.
    """
    if not folder.is_dir():
        raise UserError(f"{folder}: no such folder; `path` of a data set of kind folder names the one with the images")
    found = sorted(walk(folder, "", (os.path.realpath(folder),)))
    if not found:
        raise UserError(f"{folder}: holds no file; images are wanted there (JPEG, PNG, … whatever Pillow reads)")
    return found


def walk(folder: Path, below: str, above: tuple[str, ...]) -> Iterator[str]:
    """Files below `folder`, named from `below`; `above` are the real paths of the folders on the way here."""
    try:
        entries = list(os.scandir(folder / below))
    except OSError as error:
        raise UserError(f"{folder / below}: cannot be read: {error.strerror or error}") from error
    for entry in entries:
        name = f"{below}{entry.name}"
        if entry.name.startswith("."):
            continue
        if not os.path.isdir(entry.path):  # a link that leads nowhere is a file that cannot be read
            yield name
            continue
        real = os.path.realpath(entry.path)
        if not any(f"{place}/".startswith(f"{real.rstrip('/')}/") for place in above):
            yield from walk(folder, f"{name}/", (*above, real))


def contents(folder: Path, names: Sequence[str], cache: Path) -> list[tuple[str, str]]:
    """(name, SHA-256) of some files; an empty checksum for one that cannot be read, which reading it reports by name.

    Checksums are kept in the file `cache`; a file is read again when its size or times have changed.
    """
    try:
        known = read_record(cache)
    except UserError:
        known = {}
    found: dict[str, list[Any]] = {}
    with Progress(len(names), f"{folder}, read once to know it by content", "file", quiet=True) as progress:
        for name in names:
            key = printable(name)
            with contextlib.suppress(OSError, UserError):
                stat = (folder / name).stat()
                state = [stat.st_size, stat.st_mtime_ns, stat.st_ctime_ns]
                if not S_ISREG(stat.st_mode):  # a pipe would never end
                    continue
                found[key] = known[key] if known.get(key, [])[:3] == state else [*state, sha256(folder / name)]
            progress.advance()
    if found != known:
        write_record(cache, found)
    return [(key, found[key][3] if key in found else "") for key in map(printable, names)]


def reader(folder: Path, names: Sequence[str]) -> Iterator[tuple[str, bytes]]:
    """Contents of files; of one that cannot be read, or is no file, nothing, which no image is."""
    for name in names:
        try:
            if not (folder / name).is_file():  # a pipe would never end
                raise OSError
            with open(folder / name, "rb") as file:
                yield name, file.read(LARGEST + 1)
        except OSError:
            yield name, b""


class Folder(OwnImages):
    """Any folder of images, subfolders included, in the order of the sorted paths; where it is labelled, its subfolders are the labels."""

    kind: Literal["folder"]
    path: Place
    size: Count = Field(description="side after an antialiased resize")
    channels: Literal[1, 3] = Field(3, description="1 grey, 3 colour")

    def own_files(self) -> tuple[Path, list[str]]:
        """Every file in it."""
        return self.path, list_files(self.path)

    def prepare(self, context: Context) -> Prepared:
        """Decode every file."""
        names = list_files(self.path)
        labels = {name: printable(name.split("/")[0]) for name in names if "/" in name} if self.labelled else None
        decode = partial(decode_file, **self.fitting())
        return self.gather(context, str(self.path), names, partial(reader, self.path), decode, labels)
