"""Write a table of the paper as CSV, Markdown and LaTeX, with mean, standard error, n and every seed's value."""

from __future__ import annotations

import argparse
from pathlib import Path

EXAMPLE = "pga table table1 --params params/quick.yaml --metrics results/quick/metrics/table1.csv --out-dir results/quick"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Flags of `pga table`."""
    parser.add_argument("table", choices=("table1", "claims"), help="Table 1, or every number of the paper with ours and a verdict")
    parser.add_argument("--params", required=True, help="the scale's file")
    parser.add_argument("--metrics", required=True, type=Path, help="what `pga collect` wrote")
    parser.add_argument("--claims", default="params/claims.yaml", help="the paper's numbers (default: %(default)s)")
    parser.add_argument("--out-dir", required=True, type=Path, help="folder for table1.csv, .md and .tex, or claims.csv")
    parser.add_argument("--allow-missing", action="store_true", help="write a partial table which names what is missing")


def run(arguments: argparse.Namespace) -> None:
    """Write the table."""
    from pga.collect import read_metrics
    from pga.errors import UserError
    from pga.files import atomic
    from pga.params.claims import load_claims
    from pga.params.scale import load_scale
    from pga.tables import claims as verdicts
    from pga.tables import table1

    scale = load_scale(arguments.params)
    claims = load_claims(arguments.claims)
    if arguments.table == "claims":
        with atomic(arguments.out_dir / "claims.csv", "w") as file:
            verdicts.verdicts(scale, read_metrics(arguments.metrics), claims).to_csv(file, index=False, lineterminator="\n")
        return
    found = table1.entries(scale, read_metrics(arguments.metrics), claims)
    missing = [
        f"{entry.row.on(entry.column)}/{entry.row.model} seed {seed} ({entry.row.sampling})"
        for entry in found
        for seed in entry.cell.missing
    ]
    if missing and not arguments.allow_missing:
        raise UserError(
            f"{arguments.metrics}: runs are missing: {', '.join(missing)}; run them, or pass --allow-missing for a partial table"
        )
    texts = {
        "csv": table1.as_csv(scale, found),
        "md": table1.as_markdown(scale, found, missing),
        "tex": table1.as_latex(scale, found, missing),
    }
    for ending, text in texts.items():
        with atomic(arguments.out_dir / f"table1.{ending}", "w") as file:
            file.write(text)
