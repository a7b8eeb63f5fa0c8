"""Titles and names are text in every format: LaTeX, Markdown, figures, CSV."""

from __future__ import annotations

import io
from pathlib import Path

import matplotlib.pyplot as plt
import pandas as pd
import pytest
from matplotlib.font_manager import findfont, get_font
from matplotlib.text import Text as DrawnText

from pga.artifacts.collect import read_table
from pga.artifacts.figures import canvas
from pga.artifacts.figures.figure_inputs import literal
from pga.artifacts.tables.formats import latex, markdown
from pga.params.text import GREEK, LETTERS, SYMBOLS, is_shown

TITLES = {
    r"$\sigmaa$": r"\$\textbackslash{}sigmaa\$",
    "costs $5_, $6": r"costs \$5\_, \$6",
    "[ours] VAE": "{}[ours] VAE",
    "*": "{}*",
    "a -- b --- c": "a -{}- b -{}-{}- c",
    "λ ≤ 2": r"$\lambda$ $\le$ 2",
    "a|b <c>": r"a\textbar{}b \textless{}c\textgreater{}",
    "100 % & #1 {x} ~^": r"100 \% \& \#1 \{x\} \textasciitilde{}\textasciicircum{}",
}


@pytest.mark.parametrize("title", TITLES)
def test_a_title_is_text_in_latex_markdown_and_figures(title: str) -> None:
    assert latex(title) == TITLES[title]
    assert markdown(title).replace("\\|", "").count("|") == 0  # one cell of a row
    figure, [[axes]] = canvas.page((3, 2), 1, 1)
    shown = axes.set_title(literal(title))
    figure.savefig(io.BytesIO(), format="pdf")  # parses what it takes for mathematics
    assert DrawnText._preprocess_math(shown, shown.get_text())[0] == title


def test_every_accepted_character_is_in_the_font_and_translated_for_latex() -> None:
    accepted = [character for character in map(chr, range(32, 0x2300)) if is_shown(character)]
    assert set(SYMBOLS + GREEK + LETTERS) < set(accepted)
    assert not set("猫\n\t\u200b¼𝓗") & set(accepted)
    for name in ("DejaVu Sans", "STIXGeneral"):
        font = get_font(findfont(name))
        assert [character for character in accepted if not font.get_char_index(ord(character))] == []
    assert [character for character in SYMBOLS + GREEK if not latex(character).isascii()] == []
    assert plt.get_fignums() == []


def test_names_in_a_table_stay_text_and_numbers_what_they_were(tmp_path: Path) -> None:
    names = ["nan", "null", "NA", "None", "true", "1e5", "inf", "010"]
    numbers = [115.74034166666667, 0.1 + 0.2, 2.2250738585072014e-308, 1.7976931348623157e308, 1 / 3, 5e-324, 0.0, None]
    written = pd.DataFrame({"dataset": "true", "model": names, "sampling": "null", "block": "NA", "metric": names, "value": numbers})
    written.to_csv(tmp_path / "metrics.csv", index=False)
    found = read_table(tmp_path / "metrics.csv", tuple(written))
    assert found.drop(columns="value").equals(written.drop(columns="value"))
    assert list(found.value[:-1]) == numbers[:-1] and pd.isna(found.value.iloc[-1])
