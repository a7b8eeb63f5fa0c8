"""Titles and names are text in every format: LaTeX, Markdown, figures, CSV; and every run, data set and metric has one of its own."""

from __future__ import annotations

import io
from html import escape
from pathlib import Path

import matplotlib.pyplot as plt
import pandas as pd
import pytest
from markdown_it import MarkdownIt
from matplotlib.font_manager import findfont, get_font
from matplotlib.text import Text as DrawnText

from pga.artifacts.collect import read_table
from pga.artifacts.figures import canvas
from pga.artifacts.figures.figure_inputs import literal
from pga.artifacts.run_titles import dataset_titles, run_titles
from pga.artifacts.tables.formats import latex, markdown
from pga.params.artifacts import figure_title
from pga.params.experiment import load_experiment
from pga.params.text import GREEK, LETTERS, SYMBOLS, is_shown
from pga.params.titles import in_words, metric_title, short_metric_title

TITLES = {
    r"$\sigmaa$": r"\$\textbackslash{}sigmaa\$",
    "costs $5_, $6": r"costs \$5\_, \$6",
    "[ours] VAE": "{}[ours] VAE",
    "*": "{}*",
    "a -- b --- c": "a -{}- b -{}-{}- c",
    "λ ≤ 2": r"$\lambda$ $\le$ 2",
    "a|b <c>": r"a\textbar{}b \textless{}c\textgreater{}",
    "_ours_ a_b __c__ &amp; $d$": r"\_ours\_ a\_b \_\_c\_\_ \&amp; \$d\$",
    "~~old~~": r"\textasciitilde{}\textasciitilde{}old\textasciitilde{}\textasciitilde{}",
    "100 % & #1 {x} ~^": r"100 \% \& \#1 \{x\} \textasciitilde{}\textasciicircum{}",
}


@pytest.mark.parametrize("title", TITLES)
def test_a_title_is_text_in_latex_markdown_and_figures(title: str) -> None:
    assert latex(title) == TITLES[title]
    row = MarkdownIt().enable(["table", "strikethrough"]).render(f"| a | b |\n|---|---|\n| {markdown(title)} | 1 |")
    assert f"<td>{escape(title)}</td>\n<td>1</td>" in row
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


EXPERIMENTS = [path for path in sorted(Path("params").glob("*.yaml")) if "results:" in path.read_text()]


@pytest.mark.parametrize("path", EXPERIMENTS, ids=lambda path: path.stem)
def test_no_two_runs_of_an_experiment_are_called_alike(path: Path) -> None:
    experiment = load_experiment(path)
    runs, datasets = run_titles(experiment), dataset_titles(experiment)
    assert set(runs) == {run.name for run in experiment.all_runs()} | {"real"} and len(set(runs.values())) == len(runs)
    assert set(datasets) == set(experiment.datasets) and len(set(datasets.values())) == len(datasets)
    assert not [title for title in (*runs.values(), *datasets.values()) if "_" in title or title.startswith(("lpga", "vae", "ghosh"))]


def test_a_run_is_called_as_table_1_or_a_figure_calls_it_without_its_sampling() -> None:
    titles = run_titles(load_experiment("params/paper.yaml"))
    assert (titles["lpga_ablation"], titles["rae_l2"], titles["lpga_resnet"]) == ("LPGA, α = β = 0", "RAE-L2", "LPGA, ResNet")
    assert (titles["vae"], titles["ghosh_vae"]) == ("VAE", "Ghosh et al.’s VAE")  # "VAE" in Table 1, both


def test_names_without_a_title_are_put_in_words() -> None:
    assert [in_words(name) for name in ("ghosh_rae_sn", "cifar10", "my_digits", "vae2", "null")] == [
        "Ghosh et al.’s RAE-SN", "CIFAR-10", "My digits", "Vae2", "Null",
    ]  # fmt: skip
    assert [figure_title(name) for name in ("figure2", "figure3_batch_norm", "terms_mnist")] == [
        "Figure 2", "Figure 3, batch norm", "Terms MNIST",
    ]  # fmt: skip


def test_metrics_are_called_by_what_they_are_and_their_features() -> None:
    assert metric_title("classifier_fd") == "classifier Fréchet distance" and short_metric_title("classifier_fd") == "classifier FD"
    assert metric_title("fid") == short_metric_title("fid") == "FID" and metric_title("kid") == "KID, Inception features"
    assert metric_title("classifier_kid") == "KID, classifier features" and metric_title("sharpness") == "Sharpness"
    assert metric_title("inception_tf1_other_kid") == "KID, Inception features of other weights"
    assert metric_title("reconstruction_error_255") == "Mean squared error per pixel of 0…255"
