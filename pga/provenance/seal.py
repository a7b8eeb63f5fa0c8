"""A checksum that a figure or a report carries of its own bytes: whoever has the file alone can tell whether it is still what was made.

It stands in what the file says of itself (`pga.provenance.metadata`), as 64 digits which count as zeros: first zeros are written.
"""

from __future__ import annotations

import hashlib
import re
import zlib

KEY = "sha256_of_file"
BLANK = "0" * 64
"""What stands in the place of the checksum while it is computed."""
PLACE = re.compile(rb'"' + KEY.encode() + rb'": "([0-9a-f]{64})"')
PNG = b"\x89PNG\r\n\x1a\n"


def put(content: bytes, place: int, digits: bytes) -> bytes:
    """`content` with `digits` at `place`, and in a PNG with the CRC of the chunk that they stand in."""
    changed = content[:place] + digits + content[place + len(digits) :]
    if not content.startswith(PNG):
        return changed
    start = len(PNG)
    while start < len(content):  # a chunk: length, type, data, CRC of type and data
        end = start + 8 + int.from_bytes(content[start : start + 4])
        if start < place < end:
            return changed[:end] + zlib.crc32(changed[start + 4 : end]).to_bytes(4) + changed[end + 4 :]
        start = end + 4
    return changed


def sealed(content: bytes) -> bytes:
    """A file's content, in which the checksum is blank, with its checksum."""
    [place] = PLACE.finditer(content)
    return put(content, place.start(1), hashlib.sha256(content).hexdigest().encode())


def whole(content: bytes) -> bool:
    """Whether a sealed file is what was made."""
    places = list(PLACE.finditer(content))
    return len(places) == 1 and content == sealed(put(content, places[0].start(1), BLANK.encode()))
