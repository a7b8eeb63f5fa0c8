"""Grids of texts, text in LaTeX and in Markdown, and grids as Markdown."""

from __future__ import annotations

import re
from dataclasses import dataclass

ESCAPES = {
    "&": r"\&",
    "%": r"\%",
    "#": r"\#",
    "_": r"\_",
    "$": r"\$",
    "{": r"\{",
    "}": r"\}",
    "~": r"\textasciitilde{}",
    "^": r"\textasciicircum{}",
    "\\": r"\textbackslash{}",
    "<": r"\textless{}",
    ">": r"\textgreater{}",
    "|": r"\textbar{}",
    "`": r"\textasciigrave{}",
}
SYMBOLS = {
    "±": r"$\pm$", "×": r"$\times$", "÷": r"$\div$", "≤": r"$\le$", "≥": r"$\ge$", "≠": r"$\ne$", "≈": r"$\approx$", "√": r"$\surd$",
    "·": r"$\cdot$", "∼": r"$\sim$", "⊙": r"$\odot$", "∈": r"$\in$", "−": "$-$", "⟶": r"$\to$", "→": r"$\to$", "←": r"$\gets$",
    "∞": r"$\infty$", "²": "$^2$", "³": "$^3$", "°": r"$^\circ$", "′": "$'$", "x̂": r"$\hat{x}$",
    "–": "--", "—": "---", "é": r"\'e", "‘": "`", "’": "'", "“": "``", "”": "''", "…": r"\ldots{}",
    "𝓓": r"$\mathcal{D}$", "𝓗": r"$\mathcal{H}$", "𝓝": r"$\mathcal{N}$",
}  # fmt: skip
GREEK = {
    "α": "alpha", "β": "beta", "γ": "gamma", "δ": "delta", "ε": "epsilon", "ζ": "zeta", "η": "eta", "θ": "theta", "ι": "iota", "κ": "kappa",
    "λ": "lambda", "μ": "mu", "ν": "nu", "ξ": "xi", "π": "pi", "ρ": "rho", "σ": "sigma", "ς": "varsigma", "τ": "tau", "υ": "upsilon",
    "φ": "phi", "χ": "chi", "ψ": "psi", "ω": "omega", "Γ": "Gamma", "Δ": "Delta", "Θ": "Theta", "Λ": "Lambda", "Ξ": "Xi", "Π": "Pi",
    "Σ": "Sigma", "Υ": "Upsilon", "Φ": "Phi", "Ψ": "Psi", "Ω": "Omega",
}  # fmt: skip
SYMBOLS |= {letter: rf"$\{name}$" for letter, name in GREEK.items()}
SYMBOLS |= dict(zip("οΑΒΕΖΗΙΚΜΝΟΡΤΧ", "oABEZHIKMNOPTX", strict=True))  # Greek letters that LaTeX writes as Latin ones


def latex(text: str) -> str:
    """Text for LaTeX: special characters escaped, the symbols used here translated."""
    text = text.replace("x̂", "\0")  # the one symbol of two characters
    found = "".join(ESCAPES.get(letter) or SYMBOLS.get(letter, letter) for letter in text.replace("--", "-\1-").replace("--", "-\1-"))
    found = found.replace("\0", SYMBOLS["x̂"]).replace("\1", "{}")
    return "{}" + found if found.startswith(("[", "*")) else found  # which LaTeX would take for an argument of the row's end before it


def markdown(text: str) -> str:
    """Text within a Markdown table."""
    return re.sub(r"([\\|*`<>\[\]$~]|(?<![^\W_])_|_(?![^\W_])|&(?=#?\w+;))", r"\\\1", text)


class Formula(str):
    """A cell of LaTeX's mathematics, between dollar signs, which stays as it is; a title with dollar signs is text."""


@dataclass(frozen=True)
class Grid:
    """A table of texts.

    Attributes:
        head: titles of the columns.
        align: "l", "r" or "p{5cm}" for each column.
        rows: texts and formulas.
        title: what stands above, if several grids make one table.
    """

    head: tuple[str, ...]
    align: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    title: str = ""


def as_markdown(grids: list[Grid], caption: str) -> str:
    """Markdown tables with the caption below."""
    parts = []
    for grid in grids:
        rule = "".join("---:|" if align == "r" else "---|" for align in grid.align)
        lines = [f"| {' | '.join(grid.head)} |", f"|{rule}"]
        lines += ["| " + " | ".join(cell if isinstance(cell, Formula) else markdown(cell) for cell in row) + " |" for row in grid.rows]
        parts.append((f"**{markdown(grid.title)}**\n\n" if grid.title else "") + "\n".join(lines))
    return "\n\n".join(parts) + f"\n\n{markdown(caption)}\n"
