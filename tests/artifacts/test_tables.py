"""Table 1 from metrics written by hand: the right numbers, the same in all three files, nothing missing in silence."""

from __future__ import annotations

import csv
import json
import math
import re
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from artifacts import measured, record, write_records
from experiments import COMMON
from stored import metrics_content

from pga.artifacts.collect import COLUMNS, collect
from pga.artifacts.tables import evaluation_table, table1, table1_entries, table1_latex
from pga.cli import main
from pga.params.claims import load_claims
from pga.params.experiment import Experiment, load_experiment
from pga.provenance.records import Place
from pga.runtime.errors import UserError
from pga.runtime.files import read_record, sha256, write_record

SCALE = (
    """
description: for the tests
results: results/tiny
seeds: [0, 1, 2]
device: cpu
evaluation: {extractor: classifier}
samplings:
  prior: {n: 300, batch_size: 100}
  mixture: {density: mixture, reference: test, n: 1200}
"""
    + COMMON
    + """datasets:
  digits: &runs
    runs:
      vae: {coefficients: {c: [0.05, inferred]}, samplings: [prior, mixture]}
      vpga: {coefficients: {vr: [0.01, code], eta: [0.02, paper]}}
      lpga: {coefficients: {gamma: [0.015, paper]}}
  small_digits: *runs
  cifar10: *runs
table1:
  columns: [{dataset: digits, title: Digits, paper: mnist}, {dataset: cifar10, title: CIFAR-10}]
  rows:
    - {title: VAE, model: vae, block: others}
    - {title: "VAE, mixture", model: vae, sampling: mixture, block: others, datasets: {digits: small_digits}}
    - {title: LPGA, model: lpga}
    - {title: "VPGA_β & 5 % {x}", model: vpga}
figures:
  figure2: {datasets: [digits], models: [lpga, vpga]}
"""
)
CLAIMS = """
metric: fid
least_seeds: 3
level: 0.05
margin: 0.1
protocols: {the paper's own: {n: 5000, reference: train}, Ghosh et al. 2019: {n: 10000, reference: test}}
claims:
  - {artifact: table1, dataset: mnist, model: vae, value: 13.83, standard_error: 0.06, source: the paper's own}
  - {artifact: table1, dataset: mnist, model: vae, density: mixture, value: 8.69, source: Ghosh et al. 2019}
  - {artifact: table1, dataset: cifar10, model: lpga, value: 55.87, standard_error: 0.25, source: the paper's own}
  - {artifact: table1, dataset: digits, model: lpga, value: 1.0, source: the paper's own}
"""
# (data set, model, sampling) → the value of each seed; means, standard errors and the best below are worked out by hand
VALUES = {
    ("digits", "vae", "prior"): (10.0, 11.0, 12.0),  # 11 ± √(1/3)
    ("small_digits", "vae", "mixture"): (4.0, 4.0, 7.0),  # 5 ± 1
    ("digits", "lpga", "prior"): (1.5, 3.5, 4.0),  # 3 ± √(1.75/3)
    ("digits", "vpga", "prior"): (2.25, 2.25, 2.25),  # 2.25 ± 0
    ("cifar10", "vae", "prior"): (0.1, 0.2, 0.3),  # 0.2 ± 0.1/√3
    ("cifar10", "vae", "mixture"): (100.0, 200.0, 300.0),  # 200 ± 100/√3
    ("cifar10", "lpga", "prior"): (1 / 3, 2 / 3, 1.0),  # 2/3 ± (1/3)/√3
    ("cifar10", "vpga", "prior"): (9.0, 9.5, 10.0),  # 9.5 ± 0.5/√3
}
DECOYS = [("digits", "vae", "mixture"), ("small_digits", "lpga", "prior")]  # measured, but not shown
EXPECTED = {  # (row, column) → mean, standard error, best of its block
    ("VAE", "Digits"): (11.0, math.sqrt(1 / 3), False),
    ("VAE", "CIFAR-10"): (0.2, 0.1 / math.sqrt(3), True),
    ("VAE, mixture", "Digits"): (5.0, 1.0, True),
    ("VAE, mixture", "CIFAR-10"): (200.0, 100 / math.sqrt(3), False),
    ("LPGA", "Digits"): (3.0, math.sqrt(1.75 / 3), False),
    ("LPGA", "CIFAR-10"): (2 / 3, 1 / 3 / math.sqrt(3), True),
    ("VPGA_β & 5 % {x}", "Digits"): (2.25, 0.0, True),
    ("VPGA_β & 5 % {x}", "CIFAR-10"): (9.5, 0.5 / math.sqrt(3), False),
}
TEX_TITLES = [r"VAE", r"VAE, mixture", r"LPGA", r"VPGA\_$\beta$ \& 5 \% \{x\}"]


def metrics(values: dict[tuple[str, str, str], tuple[float, ...]] = VALUES, without: tuple[tuple[str, str, int], ...] = ()) -> pd.DataFrame:
    """A tidy table as `pga collect` writes it, without the runs (data set, model, seed) in `without`."""
    rows = [
        {"dataset": dataset, "model": model, "seed": seed, "sampling": sampling, "metric": metric, "value": value, "n": 300}
        for (dataset, model, sampling), found in {**values, **dict.fromkeys(DECOYS, (0.001, 0.001, 0.001))}.items()
        for seed, value in enumerate(found)
        if (dataset, model, seed) not in without
        for metric, value in (("classifier_fd", value), ("another", value / 1000))
    ]
    rows.append({**rows[0], "seed": 7, "metric": "classifier_fd", "value": 1e6})  # a seed that the experiment does not have
    return pd.DataFrame(rows, columns=COLUMNS)


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The tiny experiment with the records of its runs, which nothing changes."""
    folder = tmp_path_factory.mktemp("made")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        Path("tiny.yaml").write_text(SCALE)
        Path("claims.yaml").write_text(CLAIMS)
        write_records(load_experiment("tiny.yaml"))
    return folder


@pytest.fixture
def folder(made: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy of it to change; the current folder."""
    monkeypatch.chdir(shutil.copytree(made, tmp_path / "copy"))
    return tmp_path / "copy"


@pytest.fixture
def experiment(folder: Path) -> Experiment:
    return load_experiment(folder / "tiny.yaml")


def write(folder: Path, found: pd.DataFrame, *more: str) -> int:
    """`pga table` on metrics that went through their file."""
    found.to_csv(folder / "metrics.csv", index=False, lineterminator="\n")
    paths = {"--params": "tiny.yaml", "--metrics": "metrics.csv", "--claims": "claims.yaml", "--out-dir": "out"}
    return main(["table", "table1", *(part for flag, name in paths.items() for part in (flag, str(folder / name))), *more])


def csv_rows(folder: Path) -> dict[tuple[str, str], dict[str, str]]:
    with open(folder / "out" / "table1.csv", newline="") as file:
        return {(row["model"], row["dataset"]): row for row in csv.DictReader(file)}


def markdown_rows(folder: Path) -> list[list[str]]:
    """Cells of each row of the Markdown table, the head first, the rule left out."""
    lines = [line for line in (folder / "out" / "table1.md").read_text().splitlines() if line.startswith("|")]
    assert re.fullmatch(r"\|(-+:?\|)+", lines.pop(1))
    return [[cell.strip() for cell in line.strip("|").split(" | ")] for line in lines]


def latex_rows(folder: Path) -> list[list[str]]:
    """Cells of each row of the LaTeX table but for its head and the names of blocks, a number and its error in one."""
    text = (folder / "out" / "table1.tex").read_text()
    body = text[text.index(r"\midrule") : text.index(r"\bottomrule")]
    lines = [line for line in body.splitlines() if not line.endswith("rule") and r"{l}{\emph{" not in line]
    assert all(line.endswith(r" \\") for line in lines)
    found = []
    for title, *parts in (re.split(r" (?<!\\)& ", line.removesuffix(r" \\")) for line in lines):
        cells, rest = [title], iter(parts)
        for part in rest:
            across = re.fullmatch(r"\\multicolumn\{2\}\{c\}\{(.*)\}", part)
            cells.append(across[1] if across else f"{part} ± {next(rest)}")
        found.append(cells)
    return found


def test_csv_holds_mean_standard_error_n_every_seed_and_the_papers_value(folder: Path) -> None:
    assert write(folder, metrics()) == 0
    found = csv_rows(folder)
    assert list(found) == list(EXPECTED)
    for place, (mean, error, _) in EXPECTED.items():
        assert float(found[place]["mean"]) == pytest.approx(mean, rel=1e-14)
        assert float(found[place]["standard_error"]) == pytest.approx(error, rel=1e-14)
        assert found[place]["n"] == "3" and found[place]["missing_seeds"] == ""
    seeds = {place: tuple(float(row[f"seed{seed}"]) for seed in (0, 1, 2)) for place, row in found.items()}
    assert seeds["VAE, mixture", "Digits"] == VALUES["small_digits", "vae", "mixture"]
    assert seeds["LPGA", "CIFAR-10"] == VALUES["cifar10", "lpga", "prior"]
    claims = {place: (row["paper_dataset"], row["paper_fid"], row["paper_standard_error"]) for place, row in found.items()}
    assert claims["VAE", "Digits"] == ("mnist", "13.83", "0.06")  # of the data set for which Digits stands in
    assert claims["VAE, mixture", "Digits"] == ("mnist", "8.69", "")  # of the same density
    assert claims["VAE, mixture", "CIFAR-10"] == ("cifar10", "", "")
    assert claims["LPGA", "Digits"] == ("mnist", "", "")
    assert claims["LPGA", "CIFAR-10"] == ("cifar10", "55.87", "0.25")
    protocol = {place: [row[key] for key in ("block", "metric", "density", "samples", "reference")] for place, row in found.items()}
    assert protocol["VAE, mixture", "Digits"] == ["others", "classifier_fd", "mixture", "1200", "test"]
    assert protocol["LPGA", "Digits"] == ["paper", "classifier_fd", "normal", "300", "train"]


def test_a_row_with_seeds_of_its_own_has_their_values(folder: Path) -> None:
    text = SCALE.replace("eta: [0.02, paper]}}", "eta: [0.02, paper]}, seeds: [5, 6, 7]}")
    (folder / "own.yaml").write_text(text)
    found = metrics()
    found.loc[found.model == "vpga", "seed"] += 5
    cells = table1_entries.entries(load_experiment(folder / "own.yaml"), found, load_claims(folder / "claims.yaml"))
    rows = list(csv.DictReader(table1.as_csv(load_experiment(folder / "own.yaml"), cells).splitlines()))
    [own] = [row for row in rows if row["dataset"] == "CIFAR-10" and row["model"].startswith("VPGA")]
    [other] = [row for row in rows if row["dataset"] == "CIFAR-10" and row["model"] == "LPGA"]
    assert [own[f"seed{seed}"] for seed in (0, 1, 2, 5, 6, 7)] == ["", "", "", "9.0", "9.5", "10.0"]
    assert other["seed0"] and not other["seed5"] and own["missing_seeds"] == ""


def test_two_numbers_with_one_macro_are_refused_by_its_name(folder: Path) -> None:
    (folder / "own.yaml").write_text(SCALE.replace("mixture:", "n:").replace("sampling: mixture", "sampling: n").replace("mixture]", "n]"))
    found = metrics()
    found["sampling"] = found["sampling"].replace("mixture", "n")
    cells = table1_entries.entries(load_experiment(folder / "own.yaml"), found, load_claims(folder / "claims.yaml"))
    with pytest.raises(UserError, match=r"\\PGAclassifierFdCifarOneZeroVaeN would be two numbers of Table 1"):
        table1_latex.macros(cells, "classifier_fd")


def test_the_long_form_has_the_mean_against_the_test_images_beside_where_it_is_measured(folder: Path) -> None:
    text = SCALE.replace("  mixture: {", "  prior_test: {n: 300, batch_size: 100, reference: test}\n  mixture: {")
    (folder / "tiny.yaml").write_text(text.replace("[prior, mixture]", "[prior, mixture, prior_test]"))
    assert write(folder, metrics({**VALUES, ("digits", "vae", "prior_test"): (20.0, 21.0, 25.0)})) == 0
    found = csv_rows(folder)
    columns = ("mean", "against_test_mean", "against_test_standard_error", "against_test_n")
    assert [float(found["VAE", "Digits"][key]) for key in columns] == pytest.approx([11, 22, math.sqrt(7 / 3), 3])
    assert [found["LPGA", "Digits"][key] for key in columns[1:]] == ["", "", ""]
    assert found["VAE, mixture", "Digits"]["against_test_mean"] == ""  # which is against them itself


def test_captions_say_that_celebas_test_images_were_trained_on(root: Path) -> None:
    paper = load_experiment(root / "params" / "paper.yaml")
    assert "202,599" in table1.caption(paper, [], []) and "no floor" in table1.caption(paper, [], [])
    assert "202,599" in evaluation_table.caption(paper, pd.DataFrame(columns=evaluation_table.COLUMNS), [])
    assert "202,599" not in table1.caption(load_experiment(root / "params" / "smoke.yaml"), [], [])  # other images stand in
    assert paper.notes_on(paper.figures["reconstructions"].datasets) == paper.datasets["celeba"].note


def test_the_caption_says_what_makes_the_papers_numbers_unequal_to_ours(root: Path) -> None:
    paper, claims = load_experiment(root / "params" / "paper.yaml"), load_claims(root / "params" / "claims.yaml")
    text = table1.caption(paper, table1.entries(paper, metrics({}), claims), [])
    for caveat in ("CIFAR-10 statistics may be of the training", "reads CelebA resized before", "LVPGA's MNIST settings", "ten here"):
        assert text.count(caveat) == 1


def test_the_best_of_each_column_and_block_is_bold_and_nothing_else(folder: Path) -> None:
    assert write(folder, metrics()) == 0
    best = [best for _, _, best in EXPECTED.values()]
    cells = [cell for row in markdown_rows(folder)[1:] if not row[0].startswith("*") for cell in row[1::2]]
    assert [cell.startswith("**") and cell.endswith("**") for cell in cells] == best
    cells = [cell for row in latex_rows(folder) for cell in row[1::2]]
    assert [cell.strip().startswith(r"\textbf{") for cell in cells] == best
    assert (folder / "out" / "table1.md").read_text().count("**") == 2 * sum(best)
    assert write(folder, metrics({**VALUES, ("digits", "lpga", "prior"): VALUES["digits", "vpga", "prior"]})) == 0
    assert [row[1] for row in markdown_rows(folder)[-2:]] == ["**2.25 ± 0.00**"] * 2  # equal means are both the best


def test_csv_markdown_and_latex_hold_the_same_numbers(folder: Path) -> None:
    assert write(folder, metrics()) == 0
    expected = []
    for row in csv_rows(folder).values():
        claim = f"{float(row['paper_fid']):.2f}" if row["paper_fid"] else "–"
        claim += f" ± {float(row['paper_standard_error']):.2f}" if row["paper_standard_error"] else ""
        expected += [f"{float(row['mean']):.2f} ± {float(row['standard_error']):.2f}", claim]
    markdown = [row for row in markdown_rows(folder)[1:] if not row[0].startswith("*")]
    assert [cell.strip("*") for row in markdown for cell in row[1:]] == expected
    plain = [re.sub(r"\\textbf\{(.*?)\}", r"\1", cell) for row in latex_rows(folder) for cell in row[1:]]
    assert [cell.replace("--", "–") for cell in plain] == expected


def test_markdown_names_rows_columns_and_blocks(folder: Path) -> None:
    (folder / "tiny.yaml").write_text(SCALE.replace("title: LPGA", 'title: "LPGA | x"'))
    assert write(folder, metrics()) == 0
    head, *rows = markdown_rows(folder)
    assert head == ["Model", "Digits", "Paper (MNIST)", "CIFAR-10", "Paper (CIFAR-10)"]
    assert [row[0] for row in rows] == ["*others*", "VAE", "VAE, mixture", "*paper*", r"LPGA \| x", "VPGA_β & 5 % {x}"]


def test_latex_has_equally_many_cells_in_every_row_and_balanced_groups(folder: Path) -> None:
    assert write(folder, metrics()) == 0
    text = (folder / "out" / "table1.tex").read_text()
    rows = latex_rows(folder)
    assert [len(row) for row in rows] == [5] * 4 and r"\begin{tabular}{l" + 4 * r"r@{\,$\pm$\,}l" + "}" in text
    assert [row[0].strip() for row in rows] == TEX_TITLES
    assert re.findall(r"\\emph\{(.*)\}\}", text) == ["others", "paper"] and text.count(r"\midrule") == 2
    assert text.index(r"\caption") < text.index(r"\label{tab:table1}") < text.index(r"\begin{tabular}")
    begun, ended = (re.findall(rf"\\{word}\{{([\w*]+)\}}", text) for word in ("begin", "end"))
    assert begun == ended[::-1] == ["table*", "tabular"]
    unescaped = re.sub(r"\\[{}]", "", text)
    depth = np.cumsum([{"{": 1, "}": -1}.get(letter, 0) for letter in unescaped])
    assert depth.min() == 0 == depth[-1]
    assert text.isascii()  # or LaTeX would need to know the letters


EXPERIMENTS = [path for path in sorted(Path(__file__).parents[2].glob("params/*.yaml")) if "\nresults:" in path.read_text()]


@pytest.mark.parametrize("path", EXPERIMENTS, ids=lambda path: path.stem)
def test_every_experiment_makes_whole_rows_in_plain_letters(path: Path, root: Path, tmp_path: Path) -> None:
    experiment = load_experiment(path)
    found = table1.entries(experiment, pd.DataFrame(columns=COLUMNS), load_claims(root / "params" / "claims.yaml"))
    rows, columns = len(experiment.table1.rows), len(experiment.table1.columns)
    assert len(found) == rows * columns
    (tmp_path / "out").mkdir()
    for ending, text in {"md": table1.as_markdown(experiment, found, []), "tex": table1_latex.as_latex(found, "")}.items():
        (tmp_path / "out" / f"table1.{ending}").write_text(text)
    blocks = {row.block for row in experiment.table1.rows}
    assert len(markdown_rows(tmp_path)) == 1 + rows + (len(blocks) if len(blocks) > 1 else 0)
    beside = 2 if any(entry.claim for entry in found) else 1  # a sweep's rows are not the paper's
    assert [len(row) for row in latex_rows(tmp_path)] == [1 + beside * columns] * rows
    assert (tmp_path / "out" / "table1.tex").read_text().isascii()


def test_missing_runs_are_refused_by_name(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert write(folder, metrics(without=(("small_digits", "vae", 0), ("cifar10", "vpga", 2)))) == 1
    message = capsys.readouterr().err
    assert "small_digits/vae seed 0" in message and "cifar10/vpga seed 2" in message
    assert message.count("seed ") == 2 and "--allow-missing" in message
    assert not (folder / "out").exists()


def test_missing_runs_are_shown_as_missing_where_that_is_allowed(folder: Path) -> None:
    gone = (("digits", "lpga", 1), *(("digits", "vpga", seed) for seed in (0, 1, 2)), ("cifar10", "vpga", 0), ("cifar10", "vpga", 2))
    assert write(folder, metrics(without=gone), "--allow-missing") == 0
    found = csv_rows(folder)
    one, none = found["LPGA", "Digits"], found["VPGA_β & 5 % {x}", "Digits"]
    assert (float(one["mean"]), float(one["standard_error"]), one["n"]) == (2.75, 1.25, "2")
    assert [one[f"seed{seed}"] for seed in (0, 1, 2)] == ["1.5", "", "4.0"] and one["missing_seeds"] == "1"
    assert [none[key] for key in ("mean", "standard_error", "n", "seed0", "seed1", "seed2")] == ["", "", "0", "", "", ""]
    assert none["missing_seeds"] == "0 1 2"
    single = found["VPGA_β & 5 % {x}", "CIFAR-10"]
    assert (single["mean"], single["standard_error"], single["n"]) == ("9.5", "", "1")  # one run has no standard error
    cells = {row[0]: row[1] for row in markdown_rows(folder)}
    assert cells["LPGA"] == "2.75 ± 1.25 (n = 2; missing: digits/lpga seed 1)"  # the only one of its block and so not its best
    assert cells["VPGA_β & 5 % {x}"] == "missing: digits/vpga seed 0 1 2"
    assert all("PARTIAL: 6 runs are missing." in (folder / "out" / f"table1.{ending}").read_text() for ending in ("md", "tex"))
    [named] = re.findall(r"</summary>\s+(.*?)\s+</details>", (folder / "out" / "table1.md").read_text())
    assert {re.sub(r" \(.*", "", name) for name in named.split(", ")} == {f"{dataset}/{model} seed {seed}" for dataset, model, seed in gone}


def test_the_caption_says_what_the_numbers_are(folder: Path) -> None:
    assert write(folder, metrics(), "--allow-missing") == 0
    caption = (folder / "out" / "table1.md").read_text().splitlines()[-1]
    assert "PARTIAL" not in caption  # nothing is missing
    assert caption.startswith("Classifier Fréchet distance, mean ± standard error over seeds 0, 1, 2; lower is better")
    assert "Digits stands in for the paper's MNIST" in caption and "CIFAR-10 stands in" not in caption
    assert "300 samples against the training images: others; paper." in caption
    assert "1,200 samples against the test images: others." in caption
    assert "small classifier" in caption and "not FID" in caption


@pytest.mark.parametrize("resize, title", [("tf1", "FID, mean"), ("pytorch_fid", "FID (pytorch-fid's resize), mean")])
def test_only_the_classifiers_distance_is_called_one_of_a_small_classifier(resize: str, title: str, folder: Path) -> None:
    (folder / "fid.yaml").write_text(
        SCALE.replace("{extractor: classifier}", f"{{extractor: inception, resize: {resize}, few_samples: true}}")
    )
    caption = table1.caption(load_experiment(folder / "fid.yaml"), [], [])
    assert caption.startswith(title)
    assert "classifier" not in caption


def test_the_caption_has_the_numbers_of_real_images_and_of_those_in_the_samples_place(folder: Path) -> None:
    real = SCALE.replace("{title: LPGA, model: lpga}", "{title: LPGA, model: lpga}\n    - {title: Test images, model: real}")
    assert real != SCALE
    (folder / "tiny.yaml").write_text(real)
    found = metrics({**VALUES, ("digits", "real", "prior"): (0.5,), ("cifar10", "real", "prior"): (0.25,)})
    found["reference_n"] = found.dataset.map({"digits": 1437, "small_digits": 1437, "cifar10": 50000})
    found.loc[found.model == "real", "n"] = 360
    assert write(folder, found) == 0
    caption = (folder / "out/table1.md").read_text().splitlines()[-1]
    assert "300 samples against the training images (Digits 1,437; CIFAR-10 50,000)" in caption
    assert "in the samples' place (Digits 360; CIFAR-10 360), the distance that a perfect generator would reach" in caption
    row = csv_rows(folder)["Test images", "Digits"]
    assert [row[key] for key in ("samples", "images", "reference_n")] == ["", "360", "1437"]


@pytest.mark.parametrize(
    "changes, said",
    [
        ({"seeds: [0, 1, 2]": "seeds: [1]"}, "Classifier Fréchet distance, one run each, of seed 1; lower"),
        ({"vpga: {": "vpga: {seeds: [2], "}, "mean ± standard error over seeds 0, 1, 2, or 2; lower"),
    ],
    ids=["one seed", "a row with seeds of its own"],
)
def test_the_caption_does_not_average_over_one_seed(changes: dict[str, str], said: str, folder: Path) -> None:
    text = SCALE
    for old, new in changes.items():
        assert old in text, text
        text = text.replace(old, new)
    (folder / "tiny.yaml").write_text(text)
    assert said in table1.caption(load_experiment(folder / "tiny.yaml"), [], [])


@pytest.mark.parametrize("content", ["", "dataset,model,seed\ndigits,lpga,0\n"], ids=["empty", "too few columns"])
def test_a_file_that_is_no_table_of_metrics_is_refused(content: str, folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (folder / "other.csv").write_text(content)
    arguments = ["--params", str(folder / "tiny.yaml"), "--metrics", str(folder / "other.csv"), "--out-dir", str(folder / "out")]
    assert main(["table", "table1", *arguments, "--claims", str(folder / "claims.yaml")]) == 1
    assert "other.csv" in capsys.readouterr().err


NEVER_MADE = {
    "in a row": ("{title: LPGA, model: lpga}", "{title: LPGA, model: lpga, sampling: gaussian}"),
    "by a row's run": ("{title: LPGA, model: lpga}", "{title: LPGA, model: lpga, sampling: mixture}"),
    "by a figure's run": ("models: [lpga, vpga]}", "models: [lpga], sampling: mixture}"),
}


@pytest.mark.parametrize("where", NEVER_MADE)
def test_a_sampling_that_is_never_made_is_refused(where: str, folder: Path) -> None:
    old, new = NEVER_MADE[where]
    (folder / "other.yaml").write_text(SCALE.replace(old, new))
    with pytest.raises(UserError, match="gaussian" if "gaussian" in new else "mixture"):
        load_experiment(folder / "other.yaml")


def place_results(experiment: Experiment, without: tuple[tuple[str, str, int, str], ...] = ()) -> None:
    """metrics.json of every run, in the folder where it belongs."""
    for number, run in enumerate(experiment.all_runs()):
        for sampling in (*experiment.params(run.dataset, run.name).samplings, "reconstruction"):
            if (run.dataset, run.name, run.seed, sampling) in without:
                continue
            of = experiment.samplings.get(sampling, experiment.samplings["prior"])
            value = number + len(sampling) / 100
            metric = measured("classifier_fd", value, n=of.n, reference=of.reference)
            write_record(
                Path(experiment.results, run.dataset, run.name, f"seed{run.seed}", sampling, "metrics.json"),
                metrics_content(run.dataset, run.name, run.seed, sampling, metric, accuracy=0.99),
            )


def test_collect_gathers_every_run_once_in_the_order_of_the_experiment(experiment: Experiment) -> None:
    place_results(experiment)
    found, missing = collect(experiment)
    assert list(found.columns) == COLUMNS and missing == []
    assert len(found) == 3 * 3 * (4 + 3)  # data sets × seeds × (one run of two samplings, two of one, and each one's reconstructions)
    assert not found.duplicated(["dataset", "model", "seed", "sampling", "metric"]).any()
    assert list(dict.fromkeys(found.dataset)) == ["digits", "small_digits", "cifar10"]
    lpga = found[(found.dataset == "cifar10") & (found.model == "lpga") & (found.seed == 2)]
    [row] = lpga[lpga.sampling == "prior"].to_dict("records")
    number = [(run.dataset, run.name, run.seed) for run in experiment.all_runs()].index(("cifar10", "lpga", 2))
    assert row["value"] == number + 0.05
    assert (row["reference"], row["extractor"], row["extractor_accuracy"]) == ("train", "classifier", 0.99)


def test_collect_then_table_and_a_missing_run_is_named_by_both(
    experiment: Experiment, folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    place_results(experiment, without=(("digits", "lpga", 1, "prior"),))
    assert main(["collect", "--params", "tiny.yaml", "--out", "metrics.csv"]) == 1
    assert "digits/lpga seed 1 (prior)" in capsys.readouterr().err and not Path("metrics.csv").exists()
    assert main(["collect", "--params", "tiny.yaml", "--out", "metrics.csv", "--allow-missing"]) == 0
    assert "digits/lpga seed 1 (prior)" in capsys.readouterr().err
    arguments = ["table", "table1", "--params", "tiny.yaml", "--metrics", "metrics.csv", "--claims", "claims.yaml", "--out-dir", "out"]
    assert main(arguments) == 1
    assert "digits/lpga seed 1" in capsys.readouterr().err
    assert main([*arguments, "--allow-missing"]) == 0
    assert csv_rows(folder)["LPGA", "Digits"]["n"] == "2"


INCEPTION = {
    "metrics": [measured("fid", 1.0, extractor="inception-tf1")],
    "extractors": [{"name": "inception-tf1", "digest": None, "accuracy": None}],
}
WRONG: dict[str, tuple[dict[str, Any], str]] = {
    "another seed": ({"seed": 1}, ""),
    "another model": ({"model": "vpga"}, ""),
    "another sampling": ({"sampling": "mixture"}, ""),
    "another version": ({"metrics": 3}, ""),
    "no features": ({"extractors": []}, ""),
    "number of samples": ({"metrics": [measured("classifier_fd", 1.0, n=299)]}, "n 299, now 300"),
    "real images": ({"metrics": [measured("classifier_fd", 1.0, reference="test")]}, "'test', now 'train'"),
    "other features": (INCEPTION, "measured in other features than the experiment says, classifier"),
}
"""What is wrong with a metrics.json → what stands there instead, what is said."""


@pytest.mark.parametrize("what", WRONG)
def test_collect_refuses_a_file_of_another_run_version_or_way_of_measuring(what: str, experiment: Experiment) -> None:
    place_results(experiment)
    path = Path(experiment.results, "digits", "lpga", "seed0", "prior", "metrics.json")
    change, said = WRONG[what]
    write_record(path, {**read_record(path), **change})
    with pytest.raises(UserError, match=rf"digits/lpga/seed0/prior/metrics.json: .*{said}"):
        collect(experiment)


def summary(dataset: str = "digits") -> int:
    return main(["summary", dataset, "--params", "tiny.yaml", "--out", "summed"])


def test_a_summary_has_the_mean_over_seeds_of_every_metric_as_dvc_reads_it(experiment: Experiment) -> None:
    place_results(experiment)
    kid = Path(experiment.results, "digits/lpga/seed0/prior/metrics.json")
    content = read_record(kid)
    write_record(kid, {**content, "metrics": [*content["metrics"], measured("classifier_kid", 0.5)]})
    assert summary() == 0
    mean = [(run.name, run.seed) for run in experiment.all_runs()].index(("lpga", 1)) + 0.05
    means = json.loads(Path("summed/summary.json").read_text())
    assert {model: set(ways) for model, ways in means.items()} == {
        "vae": {"prior", "mixture", "reconstruction"}, "vpga": {"prior", "reconstruction"}, "lpga": {"prior", "reconstruction"},
    }  # fmt: skip
    assert means["lpga"]["prior"] == {"classifier_fd": pytest.approx(mean), "classifier_kid": 0.5}
    found = pd.read_csv("summed/summary.csv")
    assert list(found) == ["run", "classifier_fd"] and len(found) == 7
    assert found.set_index("run").classifier_fd["lpga, prior"] == pytest.approx(mean)


def test_a_summary_refuses_what_is_missing_stale_or_unknown_by_name(experiment: Experiment, capsys: pytest.CaptureFixture[str]) -> None:
    place_results(experiment, without=(("digits", "lpga", 1, "prior"),))
    assert summary() == 1 and "runs are missing: digits/lpga seed 1 (prior)" in capsys.readouterr().err
    assert summary("mnist") == 1 and "no data set 'mnist'" in capsys.readouterr().err
    place_results(experiment)
    path = Path(experiment.results, "digits/lpga/seed1/prior/metrics.json")
    write_record(path, {**read_record(path), "metrics": [measured("classifier_fd", 1.0, n=299)]})
    assert summary() == 1
    assert f"{path}: classifier_fd was measured in another way than the experiment says: n 299" in capsys.readouterr().err
    assert not Path("summed").exists()


def test_the_file_beside_a_table_names_every_run_and_vouches_for_the_table(folder: Path, experiment: Experiment) -> None:
    assert write(folder, metrics()) == 0
    said = json.loads(Path("out/table1.json").read_text())
    assert said["files"] == {f"table1.{ending}": sha256(f"out/table1.{ending}") for ending in ("csv", "md", "tex")}
    shown = {(dataset, model) for dataset, model, _ in VALUES}
    assert said["runs"].keys() == {f"{dataset}/{model}/seed{seed}" for dataset, model in shown for seed in (0, 1, 2)}
    for name, run in said["runs"].items():
        dataset, model, seed = name.split("/")
        assert run["digest"] == experiment.run(dataset, model, int(seed[-1])).digest and run["git"]["commit"].startswith("0123")
    assert said["parameters"]["digits/lpga"]["coefficients"]["gamma"] == 0.015
    assert said["caption"] in Path("out/table1.md").read_text()


def test_a_run_of_other_data_is_refused_by_name_even_for_a_partial_table(
    folder: Path, experiment: Experiment, capsys: pytest.CaptureFixture[str]
) -> None:
    place = Place("cifar10", "lpga", 1)
    write_record(Path(experiment.results, str(place), "run.json"), record(experiment, place, data_sha256="f" * 64))
    assert write(folder, metrics(), "--allow-missing") == 1
    assert "lpga/seed1/run.json: trained on data with SHA-256 ffffffffffff…" in capsys.readouterr().err
    assert not Path("out").exists()


def test_what_is_of_other_code_is_refused_by_name_and_left_out_of_partial_tables(
    folder: Path, experiment: Experiment, capsys: pytest.CaptureFixture[str]
) -> None:
    """A run, and metrics of another; neither in the table of metrics nor behind one that was collected before."""
    place = Place("cifar10", "lpga", 1)
    run, numbers = (Path(experiment.results, path) for path in (f"{place}/run.json", "digits/lpga/seed2/prior/metrics.json"))
    place_results(experiment)
    assert main(["collect", "--params", "tiny.yaml", "--out", "before.csv"]) == 0
    write_record(run, record(experiment, place, code="train:of an earlier version"))
    write_record(numbers, {**read_record(numbers), "code": "evaluate:of an earlier version"})
    assert main(["collect", "--params", "tiny.yaml", "--out", "collected.csv"]) == 1
    assert f"{numbers}: made by other code: what `pga evaluate` runs" in capsys.readouterr().err
    assert write(folder, pd.read_csv("before.csv")) == 1 and f"{numbers}: made by other code" in capsys.readouterr().err
    assert main(["collect", "--params", "tiny.yaml", "--out", "collected.csv", "--allow-missing"]) == 0
    said = ["digits/lpga seed 2 (prior, of other code than there is now)", "cifar10/lpga seed 1 (prior, of other code than there is now)"]
    printed = capsys.readouterr().err
    assert all(name in printed for name in said)
    for file in ("before.csv", "collected.csv"):
        assert write(folder, pd.read_csv(file), "--allow-missing") == 0
        assert csv_rows(folder)["LPGA", "Digits"]["missing_seeds"] == "2" and csv_rows(folder)["LPGA", "Digits"]["seed2"] == ""
        assert csv_rows(folder)["LPGA", "CIFAR-10"]["missing_seeds"] == "1"
        text = Path("out/table1.md").read_text()
        assert "PARTIAL: 2 runs are missing." in text and all(name in text for name in said)


def test_of_a_run_with_other_parameters_what_differs_is_named(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (folder / "tiny.yaml").write_text(SCALE.replace("gamma: [0.015, paper]", "gamma: [0.02, paper]"))
    assert write(folder, metrics(), "--allow-missing") == 1
    said = capsys.readouterr().err
    assert "lpga/seed0/run.json: trained with other parameters than the experiment's: coefficients" in said
    assert "'gamma': 0.015" in said and "'gamma': 0.02" in said


def test_a_run_without_its_record_is_refused_by_name_and_missing_in_partial_tables(
    folder: Path, experiment: Experiment, capsys: pytest.CaptureFixture[str]
) -> None:
    """Its numbers may be of an earlier run."""
    path = Path(experiment.results, "digits", "lpga", "seed2", "run.json")
    path.unlink()
    assert write(folder, metrics()) == 1
    assert str(path) in capsys.readouterr().err
    assert write(folder, metrics(), "--allow-missing") == 0
    assert csv_rows(folder)["LPGA", "Digits"]["missing_seeds"] == "2" and csv_rows(folder)["LPGA", "Digits"]["seed2"] == ""
    text = Path("out/table1.md").read_text()
    assert "PARTIAL: 1 run is missing." in text and "</summary>\n\ndigits/lpga seed 2" in text
    place_results(experiment)
    assert main(["collect", "--params", "tiny.yaml", "--out", "collected.csv"]) == 1
    assert "runs are missing: digits/lpga seed 2 (prior)" in capsys.readouterr().err
    assert main(["collect", "--params", "tiny.yaml", "--out", "collected.csv", "--allow-missing"]) == 0
    found = pd.read_csv("collected.csv")
    assert sorted(set(found[(found.dataset == "digits") & (found.model == "lpga")].seed)) == [0, 1]
