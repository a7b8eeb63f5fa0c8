"""A source's files: from a mirror first, then from each address, verified before they get their name."""

from __future__ import annotations

import os
import re
import shutil
import sys
import tarfile
from pathlib import Path

from pga.data.download import Refused, download, read_notes
from pga.data.verify import Mismatch, verify
from pga.params.sources import Source, SourceFile
from pga.runtime.errors import UserError
from pga.runtime.files import sync_folder
from pga.runtime.locks import alone


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
                    advice = f"\n{row.by_hand}" if row.by_hand else ""
                    raise UserError(f"{target}: not the file that is meant: {error}; delete it and fetch again{advice}") from error
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
        continued = read_notes(part.with_name(part.name + ".json")).get("url") == place
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
        copy(Path(place), part, row)
    verify(part, row.checksum)


def places(row: SourceFile, mirror: str | None) -> list[str]:
    """Where the file may be, the mirror first.

    A mirror that is a folder may also be one of the folders on the way: with `MNIST/raw/…` among the places, the folder `MNIST/raw`.
    """
    if not mirror:
        return list(row.urls)
    if mirror.startswith(("http://", "https://")):
        return [*(f"{mirror.rstrip('/')}/{path}" for path in row.mirror), *row.urls]
    folder = Path(mirror.removeprefix("file://")).expanduser()
    ends = [folder.joinpath(*parts[start:]) for parts in (Path(path).parts for path in row.mirror) for start in range(1, len(parts) + 1)]
    found = [
        end for end in ends if end.is_file() or (end.is_dir() and row.checksum.of == "members" and end.name in map(name_of, row.mirror))
    ]
    return list(dict.fromkeys([*(f"{folder / path}" for path in row.mirror), *map(str, found), *row.urls]))


def name_of(path: str) -> str:
    """The last part of a path."""
    return path.rpartition("/")[2]


def copy(source: Path, part: Path, row: SourceFile) -> None:
    """Copy from a mirror that is a folder; pack what is an archive of members and lies there unpacked."""
    try:
        if source.is_dir() and row.checksum.of == "members":
            pack(source, part, row)
            return
        with open(source, "rb") as file:
            if (size := os.fstat(file.fileno()).st_size) > row.max_size:
                raise Refused(f"it has {size} bytes, at most {row.max_size} are accepted")
    except OSError as error:
        raise Refused(error.strerror or str(error)) from error
    shutil.copyfile(source, part)


def pack(folder: Path, part: Path, row: SourceFile) -> None:
    """An archive of the members, which lie unpacked in `folder`; without times or owners, so that it is the same everywhere."""
    files = {member: folder / name_of(member) for member in row.checksum.members}
    if missing := [path.name for path in files.values() if not path.is_file()]:
        raise Refused(f"it lacks {', '.join(missing)}")
    if (size := sum(path.stat().st_size for path in files.values())) > row.max_size:
        raise Refused(f"it has {size} bytes, at most {row.max_size} are accepted")
    with tarfile.open(part, "w") as archive:
        for member, path in files.items():
            info = tarfile.TarInfo(member)
            info.size = path.stat().st_size
            with open(path, "rb") as file:
                archive.addfile(info, file)
