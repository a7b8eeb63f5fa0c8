"""What an artifact says of itself, read back from its metadata or from the file beside it."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

from pga.provenance.seal import KEY, whole
from pga.runtime.errors import UserError
from pga.runtime.files import read_beside, read_json


def of_png(path: Path) -> str | None:
    """The text chunk that `pga.artifacts.figures.canvas.save` writes."""
    from PIL import Image, UnidentifiedImageError

    try:
        with Image.open(path) as image:
            return image.info.get("Comment")
    except (UnidentifiedImageError, OSError, SyntaxError, ValueError) as error:
        raise UserError(f"{path}: not a complete PNG ({error}); delete it and make it again") from error


ESCAPES = {b"n": b"\n", b"r": b"\r", b"t": b"\t", b"b": b"\b", b"f": b"\f"}


def of_pdf(path: Path) -> str | None:
    """The keywords, a literal string of ASCII: matplotlib writes the dictionary that holds it uncompressed."""
    found = re.search(rb"/Keywords \(((?:[^()\\]|\\.|\\\n)*)\)", path.read_bytes(), re.S)
    return found and re.sub(rb"\\(.)", lambda part: ESCAPES.get(part[1], part[1]), found[1], flags=re.S).decode("ascii", "replace")


def of_tex(path: Path) -> str | None:
    """The first line of a figure's float; of a table what stands beside it."""
    first = path.read_text(encoding="utf-8", errors="replace").partition("\n")[0]
    return first.removeprefix("% ") if first.startswith("% {") else of_table(path)


OPEN, CLOSE = '<script type="application/json" id="provenance">', "</script>"
"""Around what a report says of itself."""


def of_html(path: Path) -> str | None:
    """The element that `pga.artifacts.report` writes."""
    page = path.read_text(encoding="utf-8", errors="replace")
    after = page.partition(OPEN)[2]
    return after.partition(CLOSE)[0]


def of_table(path: Path) -> str | None:
    """The record beside a table, which vouches for it; None where there is none.

    Raises:
        UserError: the table is another than it vouches for.
    """
    beside = path.with_suffix(".json")
    said = read_json(beside) if beside.exists() else None
    named = isinstance(said, dict) and isinstance(said.get("files"), dict) and path.name in said["files"]
    return json.dumps(read_beside(path)) if named else None


READERS: dict[str, Callable[[Path], str | None]] = {
    ".png": of_png,
    ".pdf": of_pdf,
    ".html": of_html,
    ".csv": of_table,
    ".md": of_table,
    ".tex": of_tex,
}
"""Ending of an artifact → where it says what it is."""


def read_about(path: Path) -> dict[str, Any] | None:
    """What the artifact at `path` says of itself; None if it is none of this program's.

    Raises:
        UserError: it is not what was made.
    """
    said = READERS[path.suffix](path)
    try:
        found = json.loads(said) if said else None
    except ValueError:
        return None
    if not isinstance(found, dict) or not isinstance(found.get("runs"), dict):
        return None
    if path.suffix in (".csv", ".md") or (path.suffix == ".tex" and of_table(path)):  # what stands beside them vouched for them
        return found
    if found.pop(KEY, None) is None:
        raise UserError(f"{path}: made by another version of this program: it holds no checksum of itself; make it again")
    if not whole(path.read_bytes()):
        raise UserError(f"{path}: changed since it was made: its content does not match the checksum in it; make it again")
    return found
