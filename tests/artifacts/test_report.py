"""The report: self-contained, the same to the byte, complete or saying what is missing; and as a real browser shows it."""

from __future__ import annotations

import math
import re
import shutil
from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import pandas as pd
import pytest
from artifacts import record, run_record, write_records
from browser import chromium, visit
from kills import content
from stored import write_curve_record
from test_tables import CLAIMS, SCALE, place_results

from pga.artifacts.report.charts import line_chart
from pga.artifacts.report.mathml import mathml
from pga.artifacts.report.paper_table import paper_table
from pga.artifacts.report.report_tables import of_frame
from pga.artifacts.report.rule_graph import draw, layers, read_graph
from pga.artifacts.report.rule_times import rule_times
from pga.artifacts.report.verdicts import verdicts
from pga.artifacts.tables.notation_table import rows as notation_rows
from pga.cli import main
from pga.fingerprints.steps import sampling_code, training_code
from pga.params.experiment import load_experiment
from pga.provenance.metadata import ArtifactRecord
from pga.provenance.records import Place
from pga.runtime.checkpoint import save_tensors
from pga.runtime.errors import UserError
from pga.runtime.files import read_record, sha256, write_record
from pga.sampling.generated import id_of, save_samples
from pga.training.weights import build_run

DOT = """digraph snakemake_dag {
    node[shape=box];
    0[label = "table1", color = "0.1 0.6 0.85", style="rounded"];
    1[label = "evaluate", style="rounded"];
    2[label = "train"];
    3[label = "prepare"];
    1 -> 0
    2 -> 1
    3 -> 2
    3 -> 1
}"""
TEXT = (
    SCALE.replace("title: Digits", 'title: "Digits <b>&\\""')
    .replace("  mixture: {", "  prior_test: {n: 300, batch_size: 100, reference: test}\n  mixture: {")
    .replace("[prior, mixture]", "[prior, mixture, prior_test]")
)


PARTS = ("table1", "claims", "costs", "parameters", "notation", "evaluation")
ARGUMENTS = ["report", "--params", "tiny.yaml", "--rules", "rules.dot", "--out", "results/tiny/report.html"]


def make(tmp_path: Path) -> None:
    """Results of the tiny experiment in the current folder: everything that a report shows."""
    Path("tiny.yaml").write_text(TEXT.replace("steps: [300, inferred]", "steps: [300, inferred]\n  snapshots: 7"))
    Path("params").mkdir()
    Path("params/claims.yaml").write_text(CLAIMS)
    Path("rules.dot").write_text(DOT)
    experiment = load_experiment("tiny.yaml")
    write_records(experiment)
    place_results(experiment)
    rng = np.random.default_rng(0)
    for run in experiment.all_runs():
        folder = Path(experiment.results, run.dataset, run.name, f"seed{run.seed}")
        steps = np.arange(1, 21) * 15
        values = {
            "step": steps,
            "r": np.where(steps == 150, np.nan, 1 / steps),  # a value that is absent is no point of a chart
            "nll_phi": -np.log(steps),
            "encoder_loss": 2 / steps,
            "decoder_loss": 1 / steps,
            "images_per_s": rng.random(20),
        }
        pd.DataFrame(values).to_csv(folder / "history.csv", index=False)
        for sampling in experiment.params(run.dataset, run.name).samplings:
            save_samples(folder / sampling / "samples.npy", rng.integers(0, 256, (70, 8, 8, 1), np.uint8), id_of(run), sampling_code(run))
    first = experiment.run("digits", "lpga", 0)
    _, decoder = build_run(first, 1)
    tensors = {f"{k:03d}.decoder.{name}": value * k for k in range(1, 8) for name, value in decoder.state_dict().items()}
    folder = Path(experiment.results, "digits/lpga/seed0")
    save_tensors(folder / "snapshots.safetensors", tensors, {"run": first.asdict(), "steps": [40 * k for k in range(1, 8)]})
    pd.DataFrame({"step": [40, 80], "metric": "classifier_fd", "value": [9.0, 4.5], "n": 300}).to_csv(folder / "curve.csv", index=False)
    write_curve_record(folder / "curve.csv", first)
    assert main(["collect", "--params", "tiny.yaml", "--out", "results/tiny/metrics.csv"]) == 0
    for table in PARTS:
        assert main(["table", table, "--params", "tiny.yaml", "--metrics", "results/tiny/metrics.csv", "--out-dir", "results/tiny"]) == 0
    assert main(["figure", "figure2", "--params", "tiny.yaml", "--out-dir", "results/tiny/figures"]) == 0
    assert main(ARGUMENTS) == 0


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A finished experiment with its report, which nothing changes."""
    folder = tmp_path_factory.mktemp("report")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        make(folder)
    return folder


@pytest.fixture
def folder(made: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy of it to change; the current folder."""
    shutil.copytree(made, tmp_path / "copy")
    monkeypatch.chdir(tmp_path / "copy")
    return tmp_path / "copy"


class Elements(HTMLParser):
    """Every element with its attributes, and whether they are nested as they should be."""

    VOID = ("meta", "img", "link", "br", "input")

    def __init__(self, page: str):
        super().__init__()
        self.found: list[tuple[str, dict[str, str]]] = []
        self.open: list[str] = []
        self.feed(page)
        assert self.open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found.append((tag, {key: value or "" for key, value in attrs}))
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found.append((tag, {key: value or "" for key, value in attrs}))

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag, (tag, self.getpos())

    def all(self, tag: str) -> list[dict[str, str]]:
        return [attributes for name, attributes in self.found if name == tag]


@pytest.fixture(scope="module")
def page(made: Path) -> str:
    return (made / "results/tiny/report.html").read_text()


def test_the_page_is_whole_and_needs_no_other_file(page: str, made: Path) -> None:
    elements = Elements(page)
    assert all(attributes["src"].startswith("data:image/png;base64,") for attributes in elements.all("img"))
    assert all(attributes["alt"] and attributes["width"] and attributes["height"] for attributes in elements.all("img"))
    assert all("src" not in attributes for attributes in elements.all("script"))
    assert [attributes["href"] for attributes in elements.all("link")] == ["data:,"]
    assert not re.search(r"(?<!<a href=\")https?://|@import|url\(", page)
    ids = [attributes["id"] for _, attributes in elements.found if "id" in attributes]
    assert len(ids) == len(set(ids))
    for attributes in elements.all("a"):
        if (target := attributes["href"]).startswith("#"):
            assert target[1:] in ids
        elif not target.startswith(("data:", "https:")):
            assert (made / "results/tiny" / target).is_file(), target


def test_every_run_table_and_figure_of_the_experiment_is_on_the_page(page: str, made: Path) -> None:
    ids = {attributes.get("id") for _, attributes in Elements(page).found}
    experiment = load_experiment(made / "tiny.yaml")
    assert {f"{run.dataset}-{run.name}-seed{run.seed}" for run in experiment.all_runs()} < ids
    assert {*PARTS, "numbers", "figure2", "summary", "environment", "regenerate"} - {"claims"} < ids
    assert "0123456789abcdef" in page and "CPU x86_64 (AVX2)" in page and "snakemake --cores 2 results/tiny/table1.csv" in page
    assert page.index('id="summary"') < page.index('id="main-table"') < page.index('id="figures"') < page.index('id="runs"')
    assert "Partial" not in page
    assert page.count("<svg") == 27 * 5 + 1 + 1 + 1  # four series and a line of each, one metric, ticked runs, rules


def test_people_read_names_and_formulas(page: str) -> None:
    first_run = page.index('<details class="run"')
    for part in (page[page.index("<body>") : page.index('<details id="parameters">')], page[page.index('<section id="runs">') : first_run]):
        shown = re.sub(r"<code>.*?</code>|<[^>]*>|params/\S+", " ", part, flags=re.S)
        assert not re.search(r"classifier_|encoder_loss|nll_phi|small_digits|(?<!e\.g\. )\b(lv|v|l)pga\b", shown)
    assert "classifier Fréchet distance of snapshots" in page and r"\phi" not in page
    assert "<math><msubsup><mi>L</mi><mi>nll</mi><mi>φ</mi></msubsup></math> codes attracted to the origin" in page


def test_every_symbol_of_the_method_has_its_mathml() -> None:
    for symbol in notation_rows():
        ElementTree.fromstring(mathml(symbol["symbol"]))
    assert mathml(r"\hat{x}") == '<math><mover accent="true"><mi>x</mi><mo>^</mo></mover></math>'
    for wrong in (r"\frac12", "{x", "x}"):
        with pytest.raises(ValueError, match="brace|translation"):
            mathml(wrong)


def test_the_time_of_each_step_is_that_of_the_jobs_which_the_page_shows(folder: Path) -> None:
    for file, seconds in {
        "sample/results/tiny/digits/lpga/seed0-prior": 60, "sample/results/tiny/digits/lpga/seed1-prior": 30,
        "sample/results/other/digits/lpga/seed0-prior": 5, "table/results/tiny/numbers": 5, "prepare/digits": 2,
    }.items():  # fmt: skip
        path = Path("logs", f"{file}.tsv")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(f"s\th:m:s\n{seconds}\t0:00:00\n")
    experiment = load_experiment("tiny.yaml")
    times = {Place("digits", "lpga", 0): 100.0, Place("digits", "lpga", 1): 80.0}
    records = {str(place): run_record(experiment, place, wall_s=wall_s) for place, wall_s in times.items()}
    found = rule_times(Path("logs"), experiment, records, list(PARTS))
    assert found == [("prepare", 1, 2.0, 2 / 180), ("train", 2, 180.0, 1.0), ("sample", 2, 90.0, 0.5)]
    assert main(ARGUMENTS) == 0
    assert '<th scope="row">sample</th><td class="number">2</td><td class="number">1.5 minutes</td>' in Path(ARGUMENTS[-1]).read_text()


def test_snapshots_show_the_same_codes_and_at_most_five_of_them(page: str) -> None:
    words = re.findall(r"Samples of LPGA on Digits[^,]*, seed 0, ([^\"]*)\"", page)
    assert words == [*(f"after {step} steps" for step in (40, 120, 160, 200, 280)), "finished, codes from the prior"]


def test_no_claim_is_judged_by_another_metric_than_the_papers(page: str, made: Path) -> None:
    counts = pd.read_csv(made / "results/tiny/claims.csv").verdict.value_counts()
    assert set(counts.index) <= {"not comparable", "not run"}
    metric = "the classifier Fréchet distance"
    assert f"<p>None of the paper’s 4 numbers can be compared: they are FIDs, the metric here is {metric}.</p>" in page
    assert 'class="tiles"' not in page


def test_what_the_paper_says_of_other_data_takes_a_sentence_and_no_table(folder: Path, page: str) -> None:
    assert "with how it was judged" in page and "<summary>The rules" in page
    claims = CLAIMS[: CLAIMS.index("  - ")] + "  - {artifact: table1, dataset: celeba, model: vae, value: 43.6, source: the paper's own}\n"
    Path("params/claims.yaml").write_text(claims)
    table = ["table", "claims", "--params", "tiny.yaml", "--metrics", "results/tiny/metrics.csv", "--out-dir", "results/tiny"]
    assert main(table) == main(ARGUMENTS) == 0
    text = (folder / "results/tiny/report.html").read_text()
    assert "<p>None of the paper’s 1 numbers can be judged by this experiment.</p>" in text
    assert "with how it was judged" not in text and "how each was judged" not in text and "<summary>The rules" not in text


def test_table_1_stands_in_the_papers_layout_with_the_papers_numbers_and_how_it_was_made(page: str) -> None:
    text = re.sub(r"\s+", " ", re.sub(r"<[^>]*>", " ", page[page.index('<table class="paper"') : page.index('id="figures"')]))
    assert "Model Digits &lt;b&gt;&amp;&#34; CIFAR-10 others VAE 1.05 ± 0.58 paper: FID 13.83 ± 0.06 19.05 ± 0.58 VAE, mixture 10" in text
    assert "snakemake --cores 2 results/tiny/table1.csv Copy Where it comes from: pga provenance results/tiny/table1.csv" in text


def test_every_value_by_seed_stands_with_that_against_the_test_images(page: str) -> None:
    assert not re.search(r'points="[^"]*nan', page) and "nan …" not in page
    long_form = page[page.index('aria-label="Table 1, every value by seed"') :]
    assert "Against test images" in long_form[: long_form.index("<tbody>")]


def test_verdicts_are_marked_where_the_paper_can_be_compared(made: Path) -> None:
    experiment = load_experiment(made / "tiny.yaml")
    cells = [
        {"block": row.block, "model": row.title, "dataset": column.title, "mean": 1.0 + k, "standard_error": 0.5, "paper_fid": math.nan,
         "paper_standard_error": math.nan}
        for k, row in enumerate(experiment.table1.rows) for column in experiment.table1.columns
    ]  # fmt: skip
    row, column = experiment.table1.rows[0], experiment.table1.columns[0]
    place = {"dataset": column.paper or column.dataset, "model": row.model, "density": experiment.samplings[row.sampling].density}
    claims = pd.DataFrame([{"kind": "number", **place, "verdict": "reproduced"}])
    found = paper_table(experiment, pd.DataFrame(cells), claims, "")
    assert found.lines[0].values[0][2:4] == ("reproduced", "✓") and found.marks == (("✓", "reproduced"),)
    assert {value.mark for line in found.lines[1:] for value in line.values} == {""}


def test_verdicts_at_a_glance_show_contradictions_and_count_what_is_not_answered(made: Path) -> None:
    def row(
        name: str, dataset: str, verdict: str, ours: float = math.nan, against: float = math.nan, p: float = math.nan
    ) -> dict[str, object]:
        place = {"kind": "statement", "artifact": name, "claim": f"says {name}", "source": "Table 1", "dataset": dataset, "data": "digits"}
        return {**place, "verdict": verdict, "ours": ours, "against": against, "p_holm": p}

    rows = [row("a", "mnist", "holds", 9.0, 14.0, 0.02), row("a", "celeba", "not run"), row("b", "mnist", "contradicted", 9.0, 8.0, 1e-5)]
    numbers = [{**row("table1", "mnist", "not comparable"), "kind": "number"}]
    found = verdicts(load_experiment(made / "tiny.yaml"), pd.DataFrame([*rows, *numbers]))
    assert found.sentence == (
        "Of the paper’s 3 statements 1 holds, 1 is contradicted; 1 cannot be answered by this experiment. "
        "None of its 1 numbers can be compared: they are FIDs, the metric here is the classifier Fréchet distance."
    )
    assert found.counts == ((1, "statement holds", "holds"), (1, "statement is contradicted", "contradicted"))
    assert found.columns == ("MNIST (here Digits)",)  # nothing is answered on CelebA
    assert [statement.answers for statement in found.statements] == [
        (("holds", "✓", "9 against 14, p = 0.02"),),
        (("contradicted", "✗", "9 against 8, p < 0.001"),),
    ]


def test_a_figure_is_said_in_words_with_its_values(page: str) -> None:
    [words] = re.findall(r'<img [^>]*alt="(Figure 2[^"]*)"', page)
    assert words.startswith("Figure 2: samples. classifier Fréchet distance: LPGA on Digits")
    assert " 7.05 ± 0.58; VPGA" in words and words.endswith(" 4.05 ± 0.58.")


def test_text_of_an_experiment_is_escaped(page: str) -> None:
    assert "Digits &lt;b&gt;&amp;&#34;" in page and "<b>&" not in page


def test_the_page_says_of_which_runs_it_is(made: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    said = ArtifactRecord.require_beside(made / "results/tiny/report.html")
    assert len(said.runs) == 27 and said.artifact == "report"
    monkeypatch.chdir(made)
    capsys.readouterr()
    assert main(["provenance", "results/tiny/report.html", "--sources", str(sources())]) == 0
    assert "\n    run digits/lpga/seed0: " in capsys.readouterr().out


def sources() -> Path:
    return Path(__file__).parents[2] / "params/sources.yaml"


def test_equal_inputs_give_equal_bytes(folder: Path, page: str) -> None:
    assert main(ARGUMENTS) == 0
    assert Path("results/tiny/report.html").read_text() == page


def parts(page: str) -> dict[str, str]:
    """The page's text by its sections, figures, tables and runs."""
    found = re.split(r'<(?:section|figure|figure class="table"|details class="run") id="([^"]+)"', page)
    return dict(zip(found[1::2], found[2::2], strict=True))


def test_a_changed_seed_changes_what_the_page_shows_of_it_and_nothing_else(folder: Path, page: str) -> None:
    experiment, place = load_experiment("tiny.yaml"), Place("small_digits", "lpga", 1)
    path = Path(experiment.results, str(place), "prior/metrics.json")
    content = read_record(path)
    content["metrics"][0]["value"] += 1
    write_record(path, content)
    write_record(Path(experiment.results, str(place), "run.json"), record(experiment, place, wall_s=99.0))
    assert main(["collect", "--params", "tiny.yaml", "--out", "results/tiny/metrics.csv"]) == 0
    for table in PARTS:
        assert main(["table", table, "--params", "tiny.yaml", "--metrics", "results/tiny/metrics.csv", "--out-dir", "results/tiny"]) == 0
    assert main(ARGUMENTS) == 0
    before, after = parts(page), parts(Path("results/tiny/report.html").read_text())
    assert before.keys() == after.keys()
    changed = {name for name in before if before[name] != after[name]}
    # the caption of the costs follows on evaluation's last grid, the runs' table on the overlay
    assert changed == {"evaluation-1", "evaluation-5", "costs-0", "times", "overlay", "small_digits-lpga-seed1-metrics"}


def test_of_a_page_only_what_tells_wall_times_differs_after_another_training(folder: Path, made: Path) -> None:
    """What `tests/kills.py` compares of it."""
    experiment = load_experiment("tiny.yaml")
    for run in experiment.all_runs():
        place = Place.of(run)
        write_record(Path(experiment.results, str(place), "run.json"), record(experiment, place, wall_s=99.0, steps_per_s=2.0))
    assert main(["table", "costs", "--params", "tiny.yaml", "--out-dir", "results/tiny"]) == 0
    assert main(ARGUMENTS) == 0
    path = Path("results/tiny/report.html")
    assert path.read_bytes() != (made / path).read_bytes()
    assert content(path) == content(made / path)


PARTIAL = [
    "results/tiny/digits/vpga/seed1/run.json",
    "results/tiny/figures/figure2.png",
    "results/tiny/table1.csv",
    "results/tiny/claims.csv",
]


def test_what_is_missing_is_refused_by_name_and_named_on_a_partial_page(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    before = Path(ARGUMENTS[-1]).read_bytes()
    for path in map(Path, PARTIAL):
        path.rename("aside")
        assert main(ARGUMENTS) == 1
        assert str(path) in capsys.readouterr().err
        assert Path(ARGUMENTS[-1]).read_bytes() == before
        Path("aside").rename(path)
    for path in map(Path, PARTIAL):
        path.unlink()
    assert main([*ARGUMENTS, "--allow-missing"]) == 0
    page = Path(ARGUMENTS[-1]).read_text()
    Elements(page)
    [named] = re.findall(r"<strong>Partial:</strong>.*?</section>", page, re.S)
    caption = ArtifactRecord.require_beside(Path(ARGUMENTS[-1])).caption
    assert "PARTIAL: missing are" in caption and all(f"<code>{path}</code>" in named and path in caption for path in PARTIAL)


def test_of_nothing_at_all_a_partial_page_is_made(folder: Path) -> None:
    shutil.rmtree("results")
    assert main([*ARGUMENTS, "--allow-missing"]) == 0
    Elements(Path("results/tiny/report.html").read_text())


TABLE = ["table", "table1", "--params", "tiny.yaml", "--metrics", "results/tiny/metrics.csv", "--out-dir", "out"]
FIGURE = ["figure", "figure2", "--params", "tiny.yaml", "--out-dir", "out"]
COLLECT = ["collect", "--params", "tiny.yaml", "--out", "out.csv"]
READS = {
    "digits/lpga/seed1/run.json": ('"steps": 300', '"steps": 301', [TABLE, ARGUMENTS]),
    "digits/lpga/seed0/run.json": ('"steps": 300', '"steps": 301', [FIGURE]),
    "digits/lpga/seed1/prior/metrics.json": ('"value": ', '"value": 1', [COLLECT, TABLE, FIGURE, ARGUMENTS]),
    "metrics.csv": ("classifier_fd,", "classifier_fd,1", [TABLE]),
    "digits/lpga/seed0/prior/samples.npy": ("\x55", "\x54", [FIGURE, ARGUMENTS]),
    "digits/lpga/seed0/prior/samples.json": ('"seed": 0', '"seed": 1', [FIGURE, ARGUMENTS]),
    "digits/lpga/seed0/history.csv": ("15,", "14,", [ARGUMENTS]),
    "digits/lpga/seed0/curve.csv": (",4.5,", ",3.5,", [ARGUMENTS]),
    "digits/lpga/seed0/curve.json": ('"model": "lpga"', '"model": "vpga"', [ARGUMENTS]),
    "table1.csv": (",21.05,", ",20.05,", [ARGUMENTS]),
    "table1.json": ("standard error over", "standard error of", [ARGUMENTS]),
    "figures/figure2.png": ("Software", "softwarE", [ARGUMENTS]),
    "figures/figure2.pdf": ("/Creator (pga)", "/Creator (PGA)", [ARGUMENTS]),
}
"""What is read below results/tiny → an alteration that leaves it plausible, and who reads it."""


@pytest.mark.parametrize("file", READS)
def test_a_plausible_alteration_is_refused_by_every_reader(file: str, folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    old, new, readers = READS[file]
    path = Path("results/tiny", file)
    if file.endswith("history.csv"):  # which the record of this made-up run does not list yet
        record = path.with_name("run.json")
        write_record(record, {**read_record(record), "files": {"history.csv": sha256(path)}})
        assert main(ARGUMENTS) == 0
    text = path.read_bytes().decode("latin-1")
    assert old in text
    path.write_bytes(text.replace(old, new, 1).encode("latin-1"))
    for arguments in readers:
        capsys.readouterr()
        assert main(arguments) == 1
        said = capsys.readouterr().err
        assert str(path) in said and re.search("again|see what", said), said
    assert not Path("out").exists() and not Path("out.csv").exists()


def test_a_figure_refuses_the_samples_of_another_run(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = Path("results/tiny/digits/lpga/seed0/prior/samples.npy")
    for ending in (".npy", ".json"):
        shutil.copy(f"results/tiny/digits/vpga/seed0/prior/samples{ending}", path.with_suffix(ending))
    for arguments in (FIGURE, ARGUMENTS):
        assert main(arguments) == 1
        assert f"{path}: of another run: model 'vpga', wanted 'lpga'" in capsys.readouterr().err


def test_an_artifact_of_a_run_that_is_another_by_now_is_refused(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    experiment, place = load_experiment("tiny.yaml"), Place("digits", "lpga", 0)
    code = training_code(experiment.run("digits", "vpga", 0))  # as current as its own
    write_record(Path(experiment.results, str(place), "run.json"), record(experiment, place, code=code))
    for table in ("table1", "claims", "costs"):
        assert main(["table", table, "--params", "tiny.yaml", "--metrics", "results/tiny/metrics.csv", "--out-dir", "results/tiny"]) == 0
    assert main(ARGUMENTS) == 1
    said = "results/tiny/figures/figure2.png: is of another run digits/lpga/seed0 than there is now (code differ)"
    assert said in capsys.readouterr().err


def test_a_chart_holds_every_point_between_its_edges_and_says_itself_in_words() -> None:
    chart = line_chart("a<b", "a<b", [10, 20, 40], [1.0, 3.0, 2.0])
    [points] = re.findall(r'points="([^"]*)"', chart)
    found = [tuple(map(float, point.split(","))) for point in points.split()]
    assert found == [(1.0, 49.0), (67.0, 1.0), (199.0, 25.0)]  # a third of the way at 20; half of the height at 2
    assert "a&lt;b: from 1 to 2 between steps 10 and 40" in chart
    assert "nan" not in line_chart("flat", "flat", [5], [1.0])


def test_a_column_of_truth_values_is_one_of_words() -> None:
    made = of_frame("name", "Title", pd.DataFrame({"flat": [True, False]}), {"flat": "Flat"})
    assert [row[0].text for row in made.rows] == ["True", "False"] and not made.heads[0].numeric


def test_the_graph_is_read_and_layered_by_the_longest_way(tmp_path: Path) -> None:
    (tmp_path / "rules.dot").write_text(DOT)
    graph = read_graph(tmp_path / "rules.dot")
    assert graph.edges == (("evaluate", "table1"), ("prepare", "evaluate"), ("prepare", "train"), ("train", "evaluate"))
    assert layers(graph) == [["prepare"], ["train"], ["evaluate"], ["table1"]]
    drawn = draw(graph)
    assert drawn.count("<rect") == 4 and drawn.count("<path") == 4 and "evaluate reads prepare, train" in drawn
    for text in ("", "digraph {}"):
        (tmp_path / "rules.dot").write_text(text)
        with pytest.raises(UserError, match=r"rules.dot: holds no rules"):
            read_graph(tmp_path / "rules.dot")


def test_a_graph_that_is_absent_is_refused_before_anything_is_read(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    Path("rules.dot").unlink()
    shutil.rmtree("results")
    assert main(ARGUMENTS) == 1
    assert "rules.dot: cannot be read" in capsys.readouterr().err


IMAGES = "Promise.all([...document.images].map((image) => image.decode().then(() => image.naturalWidth)))"
WIDTH = "[document.documentElement.scrollWidth, innerWidth]"
LINKS = "[...document.querySelectorAll(\"a[href^='#']\")].filter((a) => !document.querySelector(a.getAttribute('href'))).length"
COLUMN = """(() => { const table = document.querySelector('#table1 table');
  const column = [...table.tHead.rows[0].cells].findIndex((head) => head.textContent.trim() === 'Mean');
  return {values: [...table.tBodies[0].rows].map((row) => row.cells[column].dataset.key ?? row.cells[column].textContent),
          sort: table.tHead.rows[0].cells[column].getAttribute('aria-sort')}; })()"""
CLICK = "[...document.querySelectorAll('#table1 th button')].find((button) => button.textContent === 'Mean').click()"
FOCUS = "[...document.querySelectorAll('#table1 th button')].find((button) => button.textContent === 'Mean').focus()"
OPENED = """(location.hash = 'digits-vpga-seed1',
  new Promise((done) => setTimeout(() => done(document.getElementById('digits-vpga-seed1').open), 300)))"""
PNG = "document.querySelector(\"#figures a[download='figure2.png']\").href.slice(0, 22)"


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of a real browser's DevTools."""
    with chromium(tmp_path_factory.mktemp("profile")) as address:
        yield address


@pytest.mark.parametrize("width", [1280, 390], ids=["desktop", "phone"])
def test_a_real_browser_shows_it_without_an_error_or_a_request(width: int, made: Path, browser: str) -> None:
    url = (made / "results/tiny/report.html").as_uri()
    unfold = "document.querySelectorAll('details').forEach((part) => part.open = true)"
    page = visit(browser, url, width, [unfold, IMAGES, WIDTH, LINKS, COLUMN, CLICK, COLUMN, CLICK, COLUMN, PNG])
    keyed = visit(browser, url, width, [unfold, FOCUS, COLUMN], keys=["Enter"], dark=True)
    opened = visit(browser, url, width, [OPENED])
    assert page.errors == [] and keyed.errors == [] and opened.errors == []
    assert {request for request in page.requests if not request.startswith("data:")} == {url}
    _, images, (scroll, inner), dangling, before, _, ascending, _, descending, png = page.answers
    assert len(images) > 30 and min(images) > 0
    assert scroll <= inner  # what is wider scrolls within its own region
    assert dangling == 0
    values = sorted(map(float, before["values"]))
    assert before["sort"] == "none" and list(map(float, before["values"])) != values
    assert (ascending["sort"], list(map(float, ascending["values"]))) == ("ascending", values)
    assert (descending["sort"], list(map(float, descending["values"]))) == ("descending", values[::-1])
    assert keyed.answers[-1]["sort"] == "ascending"
    assert png == "data:image/png;base64,"
    assert opened.answers == [True]


FILTERED = """(() => {
  const box = document.getElementById("filter");
  box.value = "small vpga seed 1";
  box.dispatchEvent(new Event("input"));
  const shown = [...document.querySelectorAll("#overview tbody tr")].filter((row) => !row.hidden);
  return shown.map((row) => row.cells[1].textContent + row.cells[2].textContent + row.cells[3].textContent);
})()"""
TICKED = """(() => {
  document.querySelectorAll("#overview input").forEach((box, k) => k < 2 && box.click());
  const figure = document.getElementById("overlay");
  return [figure.hidden, figure.querySelectorAll("polyline").length, figure.querySelector("ul").textContent];
})()"""
RUNS_SEEN = "[...document.querySelectorAll('.run')].filter((part) => part.checkVisibility()).map((part) => part.id)"
FOLLOWED = "new Promise((done) => { location.hash = '#digits-vae-seed1'; setTimeout(done, 200); })"


def test_runs_are_filtered_drawn_together_and_opened_from_one_table(made: Path, browser: str) -> None:
    page = visit(browser, (made / "results/tiny/report.html").as_uri(), 390, [FILTERED, TICKED, RUNS_SEEN, FOLLOWED, RUNS_SEEN])
    assert page.errors == []
    filtered, ticked, before, _, after = page.answers
    assert filtered == ["VPGA_β & 5 % {x}Small digits1"]
    assert ticked == [False, 2, 'VAE on Digits <b>&", seed 0VAE on Digits <b>&", seed 1']
    assert (before, after) == ([], ["digits-vae-seed1"])


HIDDEN = "nav, .links, .made, #overview, #workflow, details:not([open])"
SEEN = f"[...document.querySelectorAll('{HIDDEN}')].filter((part) => part.checkVisibility()).length"
UNFOLD_ONE = "document.getElementById('digits-vae-seed1').open = true"
RUNS_HEADED = "document.getElementById('runs').checkVisibility()"
PAPER = "getComputedStyle(document.body).backgroundColor"
LETTER = 720
"""Pixels across a sheet of paper between its margins."""


def test_paper_shows_what_is_unfolded_and_cuts_nothing_off(made: Path, browser: str) -> None:
    url = (made / "results/tiny/report.html").as_uri()
    scripts = [SEEN, PAPER, RUNS_HEADED, UNFOLD_ONE, RUNS_HEADED, RUNS_SEEN, WIDTH]
    page = visit(browser, url, LETTER, scripts, dark=True, medium="print")
    screen = visit(browser, url, LETTER, [SEEN])
    seen, paper, before, _, after, runs, (scroll, inner) = page.answers
    assert seen == 0 and screen.answers[0] > 0
    assert (before, after, runs) == (False, True, ["digits-vae-seed1"])
    assert paper == "rgb(255, 255, 255)"
    assert scroll <= inner


def test_the_page_is_not_larger_than_its_images_need(page: str, made: Path) -> None:
    embedded = sum(len(part) for part in re.findall(r"data:[a-z/]+;base64,[^\"]+", page))
    assert len(page) - embedded < 600_000
