"""What an artifact says of itself, read back from its metadata or from the file beside it."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

from pga.errors import UserError
from pga.files import read_json, sha256


def of_png(path: Path) -> str | None:
    """The text chunk that `pga.figures.canvas.save` writes."""
    from PIL import Image, UnidentifiedImageError

    try:
        with Image.open(path) as image:
            return image.info.get("Description")
    except (UnidentifiedImageError, OSError, SyntaxError) as error:
        raise UserError(f"{path}: not a complete PNG ({error}); delete it and make it again") from error


ESCAPES = {b"n": b"\n", b"r": b"\r", b"t": b"\t", b"b": b"\b", b"f": b"\f"}


def of_pdf(path: Path) -> str | None:
    """The subject, a literal string of ASCII: matplotlib writes the dictionary that holds it uncompressed."""
    found = re.search(rb"/Subject \(((?:[^()\\]|\\.|\\\n)*)\)", path.read_bytes(), re.S)
    return found and re.sub(rb"\\(.)", lambda part: ESCAPES.get(part[1], part[1]), found[1], flags=re.S).decode("ascii", "replace")


OPEN, CLOSE = '<script type="application/json" id="provenance">', "</script>"
"""Around what a report says of itself."""


def of_html(path: Path) -> str | None:
    """The element that `pga.report` writes."""
    page = path.read_text(encoding="utf-8", errors="replace")
    start = page.find(OPEN)
    return None if start < 0 else page[start + len(OPEN) : page.index(CLOSE, start)]


def of_table(path: Path) -> str | None:
    """The file beside a table, whose checksum of the table must hold.

    Raises:
        UserError: the table is another than it vouches for.
    """
    beside = path.with_suffix(".json")
    if not beside.exists():
        return None
    said = read_json(beside)
    expected = said.get("files", {}).get(path.name) if isinstance(said, dict) else None
    if expected is None:
        return None
    if (found := sha256(path)) != expected:
        raise UserError(f"{path}: changed since it was made: its SHA-256 is {found[:12]}…, {beside} says {expected[:12]}…; make it again")
    return json.dumps(said)


READERS: dict[str, Callable[[Path], str | None]] = {
    ".png": of_png,
    ".pdf": of_pdf,
    ".html": of_html,
    ".csv": of_table,
    ".md": of_table,
    ".tex": of_table,
}
"""Ending of an artifact → where it says what it is."""


def read_about(path: Path) -> dict[str, Any] | None:
    """What the artifact at `path` says of itself; None if it is none of this program's."""
    said = READERS[path.suffix](path)
    try:
        found = json.loads(said) if said else None
    except ValueError:
        return None
    return found if isinstance(found, dict) and isinstance(found.get("runs"), dict) else None
