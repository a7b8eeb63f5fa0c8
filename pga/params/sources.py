"""Types of `params/sources.yaml`: where files come from, and the checksums of the content that matters."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field, model_validator

from pga.params.base import Name, Strict
from pga.params.reading import read_rows, read_typed
from pga.runtime.errors import UserError

Hex = Annotated[str, Field(pattern=r"^[0-9a-f]{8,64}$")]


class Checksum(Strict):
    """What must match before a file is accepted."""

    of: Literal["file", "content", "members", "lines"] = Field(
        "file",
        description="the file itself, its decompressed content, an archive's members, or a list's lines however their words are separated",
    )
    algorithm: Literal["md5", "sha256"]
    value: Hex | None = Field(None, description="in hexadecimal; the first digits suffice for sha256")
    members: dict[str, Hex] = Field({}, description="member of the archive → checksum")

    @model_validator(mode="after")
    def _one(self) -> Checksum:
        if (self.of == "members") != bool(self.members) or (self.of == "members") == (self.value is not None):
            raise ValueError("give `members` when `of` is members, `value` otherwise")
        return self


class SourceFile(Strict):
    """One file of a source."""

    urls: tuple[Annotated[str, Field(pattern=r"^https?://")], ...] = Field(description="tried in turn, after PGA_MIRROR")
    mirror: tuple[str, ...] = Field(description="where a mirror keeps it: paths below PGA_MIRROR, tried in turn")
    max_size: int = Field(description="bytes that a download may have at most", gt=0)
    checksum: Checksum
    by_hand: str = Field("", description="what to do when no place serves it")


class Source(Strict):
    """Files that belong together, their licence and whom to cite."""

    description: str
    licence: str
    citation: str
    files: dict[str, SourceFile]


class Sources(Strict):
    """The whole file."""

    sources: dict[Name, Source]


def load_sources(path: str | Path = "params/sources.yaml") -> dict[str, Source]:
    """Read and check the table of sources; raises UserError with every mistake."""
    return read_typed(path, Sources).sources


def read_sources(path: str | Path = "params/sources.yaml") -> tuple[dict[str, Source], dict[str, str]]:
    """The rows of the table that are right, and what is wrong with each of the others; raises as `read_rows` does."""
    return read_rows(path, Sources, "sources")


def source_named(name: str, path: str | Path) -> Source:
    """A row of the table, whatever is wrong with the others.

    Raises:
        UserError: there is no such row, or what is wrong with it.
    """
    found, wrong = read_sources(path)
    if name not in found:
        raise UserError(wrong.get(name, f"{path}: no source {name!r}; there are {', '.join(found)}"))
    return found[name]
