"""Tables as LaTeX: booktabs, caption above and a label, ± aligned, never wider than the text.

A document needs booktabs and graphicx. Floats span both columns of a page (`table*`), and what is too wide is scaled down to it.
"""

from __future__ import annotations

import pandas as pd

from pga.artifacts.tables.formats import Formula, Grid, as_markdown, latex

ROWS = 45
"""Rows of one float, at most: what a page has room for."""
PLUS_MINUS = r"r@{\,$\pm$\,}l"
FITTING = r"\resizebox{\ifdim\width>\linewidth\linewidth\else\width\fi}{!}{%"


def bold(text: str, best: bool) -> str:
    """LaTeX text, bold where it is the best."""
    return rf"\textbf{{{text}}}" if best else text


def pair(text: str, best: bool = False) -> str:
    """A number with its error as the two cells on the sides of ±; anything else across both."""
    mean, plus_minus, error = text.partition(" ± ")
    if plus_minus and " " not in error:
        return f"{bold(mean, best)} & {bold(error, best)}"
    return rf"\multicolumn{{2}}{{c}}{{{bold(latex(text), best)}}}"


def floating(caption: str, label: str, align: str, lines: list[str]) -> str:
    """A float around the lines of a tabular, rules and row ends included."""
    return "\n".join(
        [
            r"\begin{table*}", rf"\caption{{{latex(caption)}}}", rf"\label{{tab:{label}}}", r"\vspace{4pt}\centering\small", FITTING,
            rf"\begin{{tabular}}{{{align}}}", r"\toprule", *lines, r"\bottomrule", r"\end{tabular}}", r"\end{table*}",
        ]
    )  # fmt: skip


def as_latex(grids: list[Grid], caption: str, name: str) -> str:
    """One float per grid and page, the caption above the first of each grid, labelled `tab:NAME`, `tab:NAME-2` and so on."""
    parts: list[str] = []
    for grid in grids:
        paired = [kind == "r" and any(" ± " in row[k] for row in grid.rows) for k, kind in enumerate(grid.align)]
        align = "".join(PLUS_MINUS if two else kind for two, kind in zip(paired, grid.align, strict=True))
        head = row_of(grid.head, paired)
        for part, start in enumerate(range(0, max(len(grid.rows), 1), ROWS)):
            body = [row_of(row, paired) for row in grid.rows[start : start + ROWS]]
            said = " ".join(filter(None, [f"{grid.title}." if grid.title else "", "(Continued.)" if part else caption]))
            label = name.replace("_", "-") + (f"-{len(parts) + 1}" if parts else "")
            parts.append(floating(said, label, align, [head, r"\midrule", *body]))
    return "\n\n".join(parts) + "\n"


def texts_of(name: str, found: pd.DataFrame, grids: list[Grid], caption: str) -> dict[str, str]:
    """A table in each format: everything as CSV, the grids for people."""
    csv: str = found.to_csv(index=False, lineterminator="\n")
    return {"csv": csv, "md": as_markdown(grids, caption), "tex": as_latex(grids, caption, name)}


def row_of(cells: tuple[str, ...], paired: list[bool]) -> str:
    """A row; where a column has errors, its cells are pairs. A formula stays as it is."""
    texts = (pair(cell) if two else cell if isinstance(cell, Formula) else latex(cell) for two, cell in zip(paired, cells, strict=True))
    return " & ".join(texts) + r" \\"
