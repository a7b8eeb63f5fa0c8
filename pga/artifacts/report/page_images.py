"""Images as data URIs, so that the page needs no other file."""

from __future__ import annotations

import base64
import io
from pathlib import Path

from PIL import Image

from pga.data.prepared import Images

LARGE = 1_500_000
"""Bytes of a PNG above which the page shows a smaller copy."""
SMALLER = 1600
"""Width of that copy in pixels."""
PER_INCH = 128
"""Pixels of the page per inch of a figure: its text of 8 points is then as large as small text of the page."""


def uri(content: bytes, kind: str) -> str:
    """Bytes as a data URI."""
    return f"data:{kind};base64,{base64.b64encode(content).decode('ascii')}"


def png(image: Image.Image) -> str:
    """An image as a data URI."""
    buffer = io.BytesIO()
    image.save(buffer, "PNG", optimize=True)
    return uri(buffer.getvalue(), "image/png")


def of_array(sheet: Images) -> str:
    """(H, W, C) uint8 as a data URI."""
    return png(Image.fromarray(sheet.squeeze(-1) if sheet.shape[-1] == 1 else sheet))


def of_png(path: Path) -> tuple[str, int, int]:
    """A PNG as a data URI, with the width and height at which text is as large as on the page; a large file as a smaller copy."""
    content = path.read_bytes()
    with Image.open(path) as image:
        shown = [round(side / image.info.get("dpi", (300, 300))[0] * PER_INCH) for side in image.size]
        if len(content) > LARGE:
            size = (SMALLER, round(image.height * SMALLER / image.width))
            return png(image.convert("RGB").resize(size, Image.Resampling.LANCZOS)), shown[0], shown[1]
        return uri(content, "image/png"), shown[0], shown[1]
