"""What a file says it is: a typed record in JSON, `NAME.json` beside the files `NAME.*` that it is about, under a checksum of its own.

Weights and checkpoints (safetensors) have theirs in the file's header (`pga.runtime.checkpoint`).
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any, Self

from pydantic import BaseModel, ConfigDict, TypeAdapter, ValidationError

from pga.runtime.errors import UserError
from pga.runtime.files import read_json, read_record, sha256, write_record


class Record(BaseModel):
    """The content of a JSON file that says what it is. Its `kind` tells one record from another."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    def write(self, path: Path) -> None:
        """Write it, complete or not at all."""
        write_record(path, self.model_dump(mode="json"))

    @classmethod
    def read(cls, path: Path) -> Self:
        """The record at `path`; raises UserError if it is absent, was changed, or is none of this kind and version."""
        return parsed(path, cls)


class Sidecar(Record):
    """A record of files beside it, `files`: their names → SHA-256."""

    files: dict[str, str] = {}

    def write_beside(self, files: Sequence[Path]) -> None:
        """Write it as `NAME.json` beside files `NAME.*`: after them, so that it never vouches for what is not there."""
        self.model_copy(update={"files": checksums(files)}).write(files[0].with_suffix(".json"))

    @classmethod
    def read_beside(cls, path: Path) -> Self | None:
        """The record beside a file, which the file agrees with; None where no record names it: a file of another program.

        Raises:
            UserError: the file was changed, or the record.
        """
        if (record := sidecar_of(path)) is None:
            return None
        found = cls.read(record)
        found.check_file(path, record)
        return found

    @classmethod
    def require_beside(cls, path: Path) -> Self:
        """As `read_beside`; a file that no record names is refused as well."""
        found = cls.read_beside(path)
        if found is None:
            raise UserError(f"{path}: no {path.with_suffix('.json')} says what it is; delete it and make it again")
        return found

    def check_file(self, path: Path, record: Path) -> Path:
        """`path` itself, a file that this record, which lies at `record`, is of.

        Raises:
            UserError: its content is another than the record names.
        """
        expected = str(self.files.get(path.name))
        if (found := sha256(path)) != expected:
            raise UserError(
                f"{path}: changed since it was made: its SHA-256 is {found[:12]}…, {record} says {expected[:12]}…; make it again"
            )
        return path


def checksums(files: Iterable[Path]) -> dict[str, str]:
    """Name → SHA-256 of each file."""
    return {file.name: sha256(file) for file in files}


def sidecar_of(path: Path) -> Path | None:
    """Where the record beside a file is; None where there is none, or one of another program that does not name it.

    Raises:
        UserError: it is no JSON.
    """
    record = path.with_suffix(".json")
    content = read_json(record) if record.exists() else None
    files = content.get("files") if isinstance(content, dict) else None
    return record if isinstance(files, dict) and path.name in files else None


def parsed(path: Path, kind: Any) -> Any:
    """The record at `path`, of a kind or one of several; raises as `Record.read`."""
    content = read_record(path)
    try:
        return TypeAdapter(kind).validate_json(json.dumps(content), strict=True)
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        where = ".".join(map(str, first["loc"]))
        raise UserError(
            f"{path}: not the record that belongs there, or of another version ({where}: {first['msg']}); delete it and make it again"
        ) from error
