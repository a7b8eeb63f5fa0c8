"""Notation from the code, parameters with their origin, costs; and every LaTeX in a real LaTeX."""

from __future__ import annotations

import csv
import re
import shutil
import subprocess
from pathlib import Path

import pandas as pd
import pytest
from artifacts import record, write_records
from matplotlib.figure import Figure
from test_tables import CLAIMS, SCALE, metrics

from pga.artifacts.figures.canvas import save
from pga.artifacts.tables import notation_table, parameters_table
from pga.artifacts.tables.formats import SYMBOLS, Formula, Grid, as_markdown, latex
from pga.artifacts.tables.latex_tables import as_latex
from pga.cli import main
from pga.fingerprints.steps import figure_code
from pga.method.terms import MODELS, TERMS, coefficients
from pga.method.values import EXPRESSIONS as COMPUTED
from pga.params.experiment import load_experiment
from pga.provenance.metadata import ArtifactRecord
from pga.provenance.records import Place
from pga.runtime.files import write_record


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The tiny experiment with the records of its runs; the current folder."""
    monkeypatch.chdir(tmp_path)
    Path("tiny.yaml").write_text(SCALE)
    Path("claims.yaml").write_text(CLAIMS)
    write_records(load_experiment("tiny.yaml"))
    metrics().to_csv("metrics.csv", index=False)
    return tmp_path


def write(table: str, *more: str, params: str = "tiny.yaml") -> int:
    return main(["table", table, "--params", params, "--metrics", "metrics.csv", "--claims", "claims.yaml", "--out-dir", "out", *more])


def test_notation_has_every_expression_that_training_computes_and_every_term_and_coefficient() -> None:
    assert set(notation_table.EXPRESSIONS) == set(COMPUTED) | {"z'"}
    names = {kind: [row["name"] for row in notation_table.rows() if row["kind"] == kind] for kind in ("value", "loss", "coefficient")}
    assert set(names["value"]) == {expression for term in TERMS.values() for expression in term.reads} | {"z", "z'"}
    assert names["loss"] == list(TERMS)
    assert set(names["coefficient"]) == {name for model in MODELS for name in coefficients(model)}


def test_a_coefficient_is_said_to_weigh_what_the_table_of_models_says() -> None:
    models = {"a": {"r": "1", "kl": "eta"}, "b": {"vr": "eta", "kl": "eta"}, "c": {"kl": "eta"}}
    assert notation_table.weighs("eta", models) == "weighs kl in A, C; weighs vr, kl in B"


def test_parameters_name_every_value_of_every_run_with_its_origin(folder: Path) -> None:
    assert write("parameters") == 0
    found = pd.read_csv("out/parameters.csv")
    experiment = load_experiment("tiny.yaml")
    for dataset, block in experiment.datasets.items():
        for name, row in block.runs.items():
            own = found[(found.dataset == dataset) & (found.run == name)]
            unused = {"vae": ("delta", "epsilon"), "vpga": ("delta", "epsilon")}.get(name, ())  # no term of theirs reads δ
            expected = [
                (key, str(value).lower() if isinstance(value, bool) else f"{value:g}" if isinstance(value, float) else str(value), origin)
                for key, value, origin in row.listed()
                if key not in unused
            ] + [("seeds", "0 1 2", "")]
            assert [tuple(map(str, line)) for line in own[["key", "value", "origin"]].fillna("").itertuples(index=False)] == expected
    text = Path("out/parameters.md").read_text()
    assert "| gamma | 0.015 | paper | LPGA |" in text and "| momentum | 0.9 | paper | all |" in text
    assert "Origin: paper, the paper; code" in text and "ghosh" not in text


@pytest.mark.parametrize(
    "runs, expected", [("abcde", "all"), ("abcd", "all but E"), ("abc", "A; B; C"), ("a", "A")], ids=lambda value: value
)  # fmt: skip
def test_runs_that_share_a_value_are_said_shortly(runs: str, expected: str) -> None:
    assert parameters_table.shared(list(runs), list("abcde"), {name: name.upper() for name in "abcde"}) == expected


def test_costs_are_means_over_seeds_of_what_the_runs_record_and_the_workflow_measured(folder: Path) -> None:
    head = "s\th:m:s\tmax_rss\n"
    for rule, name, seconds in (
        ("sample", "seed0-prior", 2.0),
        ("evaluate", "seed0-prior", 3.5),
        ("reconstruct", "seed0", 1.0),
        ("curve", "seed0", 4.0),  # made for a figure, before this table or after it
        ("evaluate", "seed0-removed", 7.0),  # a sampling that the experiment no longer has
        ("train", "seed0", 99),
    ):
        path = Path("logs", rule, "results/tiny/digits/lpga", f"{name}.tsv")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(f"{head}{seconds}\t0:00:02\t100\n")
    experiment = load_experiment("tiny.yaml")
    for seed, held in enumerate((1e9, 2e9, 4.5e9)):
        place = Place("digits", "vpga", seed)
        changes = {"device": "NVIDIA H100", "peak_gpu_memory_bytes": int(held)}
        write_record(Path(experiment.results, str(place), "run.json"), record(experiment, place, **changes))
    assert write("costs") == 0
    found = pd.read_csv("out/costs.csv")
    assert len(found) == len(experiment.all_runs())
    own = found[(found.dataset == "digits") & (found.model == "lpga")]
    assert own.training_s.tolist() == [10.0, 11.0, 12.0] and own.parameters.tolist() == [3000] * 3
    assert own.sampling_and_evaluation_s.tolist()[0] == 6.5 and own.sampling_and_evaluation_s.isna().tolist() == [False, True, True]
    rows = [line for line in Path("out/costs.md").read_text().splitlines() if line.startswith("| Digits | LPGA ")]
    mean = (300 / 10 + 300 / 11 + 300 / 12) / 3
    assert rows == [f"| Digits | LPGA | 3 | CPU x86_64 (AVX2) | 3,000 | 300 | {mean:.1f} | 11 | 6 | 200 | – |"]
    [on_gpu] = [line for line in Path("out/costs.md").read_text().splitlines() if "NVIDIA H100" in line]
    assert on_gpu.endswith("| 11 | – | 200 | 2,500 |")
    assert own.peak_gpu_memory_bytes.isna().all()  # on a CPU there is none, which is not zero
    hours = (sum(found.training_s) + 6.5) / 3600
    assert f"27 runs and {hours:.2g} device hours" in Path("out/costs.md").read_text()


def test_partial_costs_name_the_missing_runs(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = Path("results/tiny/digits/lpga/seed1/run.json")
    path.unlink()
    assert write("costs") == 1 and str(path) in capsys.readouterr().err and not Path("out").exists()
    assert write("costs", "--allow-missing") == 0
    assert f"PARTIAL: missing are {path}." in Path("out/costs.md").read_text()
    assert len(pd.read_csv("out/costs.csv")) == 26


def test_a_table_of_metrics_without_its_flag_says_so(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["table", "table1", "--params", "tiny.yaml", "--claims", "claims.yaml", "--out-dir", "out"]) == 1
    assert "--metrics FILE is needed" in capsys.readouterr().err


def test_symbols_are_translated_and_mathematics_is_left_alone() -> None:
    grid = Grid(("a_b", "c"), ("l", "r"), ((Formula(r"$x_1$"), "σ² of x̂ | 5 %"), (r"$\sigmaa$", "a title")))
    text = as_latex([grid], "50 %", "t")
    assert r"$x_1$ & $\sigma$$^2$ of $\hat{x}$ \textbar{} 5 \% \\" in text and r"a\_b & c \\" in text
    assert r"| $x_1$ | σ² of x̂ \| 5 % |" in as_markdown([grid], "")
    assert r"\$\textbackslash{}sigmaa\$ & a title \\" in text and r"| \$\\sigmaa\$ | a title |" in as_markdown([grid], "")
    assert latex("".join(SYMBOLS)).isascii()


TABLES = ("table1", "numbers", "notation", "parameters", "costs")
DOCUMENT = r"""\documentclass[twocolumn]{article}
\usepackage[textwidth=6.75in,textheight=9in,columnsep=0.25in]{geometry}
\usepackage{booktabs,graphicx}
\graphicspath{{figures/}}
\input{out/numbers}
\begin{document}
%s
\end{document}
"""


def write_all() -> dict[str, bytes]:
    """Every table: name → bytes of its files."""
    assert [write(table) for table in TABLES] == [0] * len(TABLES)
    return {path.name: path.read_bytes() for path in sorted(Path("out").iterdir())}


def test_a_paper_with_every_table_and_figure_compiles_and_nothing_leaves_its_column(folder: Path, root: Path) -> None:
    assert main(["table", "parameters", "--params", f"{root}/params/paper.yaml", "--out-dir", "paper"]) == 0
    written = [*(Path("out", name) for name in write_all() if name.endswith(".tex")), Path("paper/parameters.tex")]
    assert all(path.read_text().isascii() for path in written)  # or LaTeX would need to know the letters
    if shutil.which("pdflatex") is None:
        pytest.skip("pdflatex: not installed (Debian: texlive-latex-base, texlive-latex-recommended)")
    figures = []
    for name, image in {"figure1": True, "a_b": False}.items():
        width = 6.75 if image else 3.25
        figure = Figure(figsize=(width, 1))
        caption = "100 % of 𝓗 & x̂ in a caption_with everything: $5, {x}~^\\ “q” ± −1"
        save(figure, Path("figures"), ArtifactRecord.of(name, load_experiment("tiny.yaml"), {}, caption, figure_code("panels")))
        figures.append(f"\\input{{figures/{name}}}")
    tables = [f"\\input{{{path.with_suffix('')}}}\n\\clearpage" for path in written if path.stem != "numbers"]
    vae = r"\PGAclassifierFdDigitsVae"
    quoted = rf"VAE: ${vae} \pm {vae}Error$, $n = {vae}N$, paper {vae}Paper."
    Path("all.tex").write_text(DOCUMENT % "\n".join([quoted, *figures, *tables]))
    done = subprocess.run(
        ["pdflatex", "-interaction=nonstopmode", "-halt-on-error", "all.tex"], capture_output=True, text=True, timeout=120
    )
    assert done.returncode == 0, done.stdout[-3000:]
    assert Path("all.pdf").stat().st_size > 10_000 and "Missing character" not in Path("all.log").read_text(errors="replace")
    assert not re.findall(r"Overfull.*", done.stdout)


def test_equal_inputs_in_any_order_give_equal_bytes(folder: Path) -> None:
    before = write_all()
    metrics().sample(frac=1, random_state=1).to_csv("metrics.csv", index=False)
    assert write_all() == before and len(before) == 18


def test_one_changed_run_changes_only_the_tables_that_use_it_and_wall_times_only_the_costs(folder: Path) -> None:
    experiment, before = load_experiment("tiny.yaml"), write_all()
    place = Place("digits", "lpga", 1)
    write_record(Path(experiment.results, str(place), "run.json"), record(experiment, place, wall_s=99.0, steps_per_s=1.0))
    after = write_all()
    assert {name for name in before if before[name] != after[name]} == {"costs.csv", "costs.md", "costs.tex", "costs.json"}
    with open("out/costs.csv", newline="") as file:
        assert [row["seed"] for row in csv.DictReader(file) if float(row["steps_per_s"]) == 1.0] == ["1"]
