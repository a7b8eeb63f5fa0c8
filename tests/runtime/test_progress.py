"""Progress in a terminal of 80 columns."""

from __future__ import annotations

import os
import re
import sys
from pathlib import Path

import pytest
from terminal import WIDTH, in_a_terminal

ROOT = Path(__file__).parents[2]
WORK = """
import time
from pga.runtime.progress import Progress
with Progress({total}, {title!r}, "step") as progress:
    for done in range(5):
        time.sleep(0.12)
        progress.advance(1, encoder_loss=0.12345, decoder_loss=0.5678)
"""


@pytest.mark.parametrize(
    ("total", "title", "figures"),
    [
        (3000, "digits/lpga seed 0", "encoder 0.123 decoder 0.568"),
        (562_200, "celeba140/lpga_resnet seed 0", "encoder 0.123"),
        (562_200, "a title that takes half of the line", ""),
    ],
)
def test_the_bar_has_ten_columns_or_more_and_figures_are_whole_or_absent(total: int, title: str, figures: str) -> None:
    command = [sys.executable, "-c", WORK.format(total=total, title=title)]
    shown = in_a_terminal(command, ROOT, {**os.environ, "PYTHONPATH": str(ROOT)})
    lines = [line for line in re.split(r"[\r\n]+", re.sub(r"\x1b\[\w", "", shown)) if "|" in line]
    assert len(lines) >= 3 and all(len(line) <= WIDTH and len(line.split("|")[1]) >= 10 for line in lines)
    assert lines[-1].startswith(f"{title} |") and re.search(
        rf" 5/{total} \S+ left{f', {re.escape(figures)}' if figures else ''} *$", lines[-1]
    )
