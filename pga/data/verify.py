"""Whether a file is the one that the table of sources means: checksums of the file, of its content, or of an archive's members."""

from __future__ import annotations

import gzip
import hashlib
import lzma
import re
import tarfile
import zlib
from collections.abc import Collection, Iterator
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
        if checksum.of == "lines":
            verify_lines(path.read_bytes(), checksum)
            return
        with open_content(path) if checksum.of == "content" else open(path, "rb") as stream:
            found = hash_stream(stream, checksum.algorithm)
    except (OSError, EOFError, zlib.error, lzma.LZMAError, tarfile.TarError) as error:
        raise Mismatch(f"it cannot be read ({error})") from error
    assert checksum.value is not None
    if not found.startswith(checksum.value):
        raise Mismatch(f"{checksum.algorithm} of its {checksum.of} is {found}, expected {checksum.value}")


def open_content(path: Path) -> IO[bytes]:
    """A file for reading, decompressed where it is gzipped: whoever unpacked MNIST has the same content."""
    with open(path, "rb") as file:
        packed = file.read(2) == b"\x1f\x8b"
    return gzip.open(path) if packed else open(path, "rb")  # type: ignore[return-value]


def lines_of_table(content: bytes) -> Iterator[tuple[int, str, list[str]]]:
    """Number, text and words of each line of a list of names and numbers: separated by spaces, tabs or commas, with or without a heading.

    Raises:
        UnicodeDecodeError: it is no ASCII text (behind the mark with which some editors begin a file).
    """
    for number, line in enumerate(content.removeprefix(b"\xef\xbb\xbf").decode("ascii").splitlines(), 1):
        if number > 1 or not line or re.search(r"\d", line):
            yield number, line, re.split(r"[\s,]+", line.strip())


def verify_lines(content: bytes, checksum: Checksum) -> None:
    """Compare the lines of a list, whatever separates their words; the checksum is of one of the usual ways to write them."""
    try:
        lines = [" ".join(words) for _, _, words in lines_of_table(content)]
    except UnicodeDecodeError as error:
        raise Mismatch(f"it is no list ({error})") from error
    ways = ["".join(line + end for line in lines).encode() for end in ("\n", "\r\n", " \n", " \r\n")]
    found = [hashlib.new(checksum.algorithm, way).hexdigest() for way in (content, *ways)]
    if not any(digest.startswith(checksum.value or "-") for digest in found):
        raise Mismatch(f"{checksum.algorithm} of its lines is {found[1]} with line ends of Unix, expected {checksum.value}")


def member_called(name: str, wanted: Collection[str]) -> str | None:
    """Which of the wanted members an archive's is: some archives begin names with `./` or leave out the folder."""
    plain = name.removeprefix("./")
    return next((member for member in wanted if plain in (member, member.rpartition("/")[2])), None)


def verify_members(path: Path, checksum: Checksum) -> None:
    """Compare the named members of a tar archive, read as streams: nothing is extracted."""
    missing = dict(checksum.members)
    with tarfile.open(path) as archive:
        for member in archive:
            if member.isfile() and (name := member_called(member.name, missing)):
                stream = archive.extractfile(member)
                assert stream is not None
                found, expected = hash_stream(stream, checksum.algorithm), missing.pop(name)
                if not found.startswith(expected):
                    raise Mismatch(f"{checksum.algorithm} of its member {name} is {found}, expected {expected}")
    if missing:
        raise Mismatch(f"it lacks the members {', '.join(missing)}")
