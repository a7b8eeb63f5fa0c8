"""Table 1 as LaTeX in the paper's layout, models down and data sets across, ours beside the paper's; and its numbers as macros."""

from __future__ import annotations

import re
from itertools import groupby

from pga.artifacts.tables.formats import latex
from pga.artifacts.tables.latex_tables import PLUS_MINUS, floating, pair
from pga.artifacts.tables.table1_entries import Entry, claimed, claims_beside
from pga.params.titles import in_words
from pga.runtime.errors import UserError

DIGITS = dict(zip("0123456789", ["Zero", "One", "Two", "Three", "Four", "Five", "Six", "Seven", "Eight", "Nine"], strict=True))


def as_latex(found: list[Entry], caption: str) -> str:
    """The float of Table 1; what is missing is a dash."""
    columns = list(dict.fromkeys(entry.column for entry in found))
    beside = claims_beside(found)
    heads = [rf"\multicolumn{{{4 if beside else 2}}}{{c}}{{{latex(column.title)}}}" for column in columns]
    lines = [" & ".join(["Model", *heads]) + r" \\"]
    if beside:
        rules = [rf"\cmidrule(lr){{{2 + 4 * k}-{5 + 4 * k}}}" for k in range(len(columns))]
        papers = [" & ".join([pair("ours"), pair(f"paper, {in_words(column.paper)}" if column.paper else "paper")]) for column in columns]
        lines += ["".join(rules), " & ".join(["", *papers]) + r" \\"]
    several, last, width = len({entry.row.block for entry in found}) > 1, None, 1 + len(columns) * (4 if beside else 2)
    for (block, title), row in groupby(found, key=lambda entry: (entry.row.block, entry.row.title)):
        if block != last:
            lines.append(r"\midrule")
            lines += [rf"\multicolumn{{{width}}}{{l}}{{\emph{{{latex(block)}}}}} \\"] if several else []
        last = block
        cells = [pair(ours(e), e.best) + (f" & {pair(claimed(e.claim))}" if beside else "") for e in row]
        lines.append(" & ".join([latex(title), *cells]) + r" \\")
    return floating(caption, "table1", "l" + PLUS_MINUS * (len(columns) * (2 if beside else 1)), lines) + "\n"


def ours(entry: Entry) -> str:
    """Our number, with the number of runs where some are missing."""
    if entry.cell.mean is None:
        return "–"
    return entry.cell.text() + (f" (n = {entry.cell.n})" if entry.cell.missing else "")


def name(*parts: str) -> str:
    """Letters of a macro: each part capitalised, digits spelled out, e.g. celeba140 → CelebaOneFourZero."""
    words = "_".join(parts).split("_")
    return "".join("".join(DIGITS.get(letter, letter) for letter in word.capitalize() if letter.isalnum()) for word in words)


def macros(found: list[Entry], metric: str) -> str:
    r"""A macro for every cell, e.g. \PGAfidMnistLpga; with Error and N at the end of ours, with Paper and PaperError the paper's.

    Raises:
        UserError: two numbers would have one name, as of a sampling that is called `paper`.
    """
    lines = [r"% \PGA<metric><data set><model>[<sampling>] is our mean; with Error, N, Paper or PaperError at the end what these say"]
    for entry in found:
        sampling = [] if entry.row.sampling == "prior" else [entry.row.sampling]
        start = rf"\PGA{name(metric)[0].lower()}{name(metric)[1:]}{name(entry.row.on(entry.column), entry.row.model, *sampling)}"
        cell, claim = entry.cell, entry.claim
        values = {
            "": None if cell.mean is None else f"{cell.mean:.2f}",
            "Error": None if cell.standard_error is None else f"{cell.standard_error:.2f}",
            "N": str(cell.n) if cell.n else None,
            "Paper": f"{claim.value:.2f}" if claim else None,
            "PaperError": f"{claim.standard_error:.2f}" if claim and claim.standard_error else None,
        }
        lines += [rf"\newcommand{{{start}{end}}}{{{value}}}" for end, value in values.items() if value is not None]
    lines = list(dict.fromkeys(lines))
    defined = re.findall(r"\\newcommand{(.*?)}", "\n".join(lines))
    if twice := sorted({macro for macro in defined if defined.count(macro) > 1}):
        raise UserError(f"numbers.tex: {', '.join(twice)} would be two numbers of Table 1; call a run or a sampling otherwise")
    return "\n".join(lines) + "\n"
