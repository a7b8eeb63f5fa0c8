"""A source's files: from a mirror first, then from each address, verified before they get their name."""

from __future__ import annotations

import os
import re
import shutil
import sys
from pathlib import Path

from pga.data.download import Refused, download
from pga.data.verify import Mismatch, verify
from pga.runtime.errors import UserError
from pga.runtime.files import sync_folder
from pga.runtime.locks import alone
from pga.params.sources import Source, SourceFile


def fetch(name: str, source: Source, file: str, folder: Path, mirror: str | None = None) -> Path:
    """Fetch one file of a source into `folder`/`name`/ unless it is there already, and verify it.

    Args:
        name: of the source.
        source: its row.
        file: which file.
        folder: data/raw.
        mirror: a folder or a base URL that is tried first; by default the environment's PGA_MIRROR.

    Raises:
        UserError: no place serves the right file; lists each place and why.
    """
    if file not in source.files:
        raise UserError(f"{name} has no file {file!r}; it has {', '.join(source.files)}")
    row = source.files[file]
    target = folder / name / file
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        with alone(target.parent / f".{file}.lock", wait=True) as locked:
            if target.exists():
                try:
                    verify(target, row.checksum)
                    return target
                except Mismatch as error:
                    raise UserError(f"{target}: not the file that is meant: {error}; delete it and fetch again") from error
            print(f"{name}/{file}: {source.description}. Licence: {source.licence}", file=sys.stderr)
            part = target.with_name(f".{file}.part" if locked else f".{file}.part{os.getpid()}")  # continued by nobody who may not be alone
            obtain(f"{name}/{file}", row, target, part, os.environ.get("PGA_MIRROR") if mirror is None else mirror)
            return target
    except OSError as error:
        raise UserError(f"{target}: cannot be written: {error.strerror or error}") from error


def obtain(name: str, row: SourceFile, target: Path, part: Path, mirror: str | None) -> None:
    """Try every place in turn until one serves the right file."""
    failures: list[str] = []
    for place in places(row, mirror):
        continued = part.exists()
        try:
            try:
                transfer(place, part, row)
            except Mismatch:
                part.unlink(missing_ok=True)
                if not continued:
                    raise
                transfer(place, part, row)  # what an earlier process left may be damaged (a power cut): once more from the start
        except Refused as error:
            failures.append(without_password(f"{place}: {error}"))
        except Mismatch as error:
            failures.append(without_password(f"{place}: serves another file: {error}"))
            part.unlink(missing_ok=True)
        else:
            with open(part, "rb") as file:
                os.fsync(file.fileno())
            os.replace(part, target)
            part.with_name(part.name + ".json").unlink(missing_ok=True)
            sync_folder(target.parent)
            return
    advice = row.by_hand or "Without a network set PGA_MIRROR to a folder or an address that has it, or put the file in place by hand."
    raise UserError(f"{name}: no place serves it.\n" + "\n".join(f"  {line}" for line in failures) + f"\n{advice}\nIts place is {target}")


def without_password(text: str) -> str:
    """Addresses without user and password, which a mirror's may have: messages go into logs."""
    return re.sub(r"(https?://)[^/\s]*@", r"\1", text)


def transfer(place: str, part: Path, row: SourceFile) -> None:
    """Bring the file from one place into `part` and verify it."""
    if place.startswith(("http://", "https://")):
        download(place, part, row.max_size)
    else:
        copy(Path(place), part, row.max_size)
    verify(part, row.checksum)


def places(row: SourceFile, mirror: str | None) -> list[str]:
    """Where the file may be, the mirror first."""
    below = [] if not mirror else [f"{mirror.rstrip('/')}/{path}" for path in row.mirror]
    return [*below, *row.urls]


def copy(source: Path, part: Path, max_size: int) -> None:
    """Copy from a mirror that is a folder."""
    try:
        with open(source, "rb") as file:
            if (size := os.fstat(file.fileno()).st_size) > max_size:
                raise Refused(f"it has {size} bytes, at most {max_size} are accepted")
    except OSError as error:
        raise Refused(error.strerror or str(error)) from error
    shutil.copyfile(source, part)
