"""Whether a file is the one that the table of sources means: checksums of the file, of its content, or of an archive's members."""

from __future__ import annotations

import gzip
import hashlib
import lzma
import tarfile
import zlib
from pathlib import Path
from typing import IO

from pga.params.sources import Checksum

MAX_CONTENT = 4 << 30
"""Decompressed bytes beyond which a file is an archive bomb."""


class Mismatch(Exception):
    """The file is not the one that is meant; the text says how it differs."""


def hash_stream(stream: IO[bytes], algorithm: str, limit: int = MAX_CONTENT) -> str:
    """Checksum of everything in `stream`, in hexadecimal."""
    hasher, size = hashlib.new(algorithm), 0
    while block := stream.read(1 << 20):
        size += len(block)
        if size > limit:
            raise Mismatch(f"its content exceeds {limit} bytes")
        hasher.update(block)
    return hasher.hexdigest()


def verify(path: Path, checksum: Checksum) -> None:
    """Raise `Mismatch` unless the file at `path` has the checksum."""
    try:
        if checksum.of == "members":
            verify_members(path, checksum)
            return
        with gzip.open(path) if checksum.of == "content" else open(path, "rb") as stream:
            found = hash_stream(stream, checksum.algorithm)  # type: ignore[arg-type]
    except (OSError, EOFError, zlib.error, lzma.LZMAError, tarfile.TarError) as error:
        raise Mismatch(f"it cannot be read ({error})") from error
    assert checksum.value is not None
    if not found.startswith(checksum.value):
        raise Mismatch(f"{checksum.algorithm} of its {checksum.of} is {found}, expected {checksum.value}")


def verify_members(path: Path, checksum: Checksum) -> None:
    """Compare the named members of a tar archive, read as streams: nothing is extracted."""
    missing = dict(checksum.members)
    with tarfile.open(path) as archive:
        for member in archive:
            if member.name in missing and member.isfile():
                stream = archive.extractfile(member)
                assert stream is not None
                found, expected = hash_stream(stream, checksum.algorithm), missing.pop(member.name)
                if not found.startswith(expected):
                    raise Mismatch(f"{checksum.algorithm} of its member {member.name} is {found}, expected {expected}")
    if missing:
        raise Mismatch(f"it lacks the members {', '.join(missing)}")
