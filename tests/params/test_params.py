"""Parameters: strict, with origins, spread from the common blocks, and in step with the schema and with `method.md`."""

from __future__ import annotations

import math
import re
from pathlib import Path

import jsonschema
import pytest

from pga.cli import main
from pga.data.datasets import load_datasets
from pga.params import schema
from pga.params.catalogue import read_catalogue
from pga.params.experiment import Experiment, load_experiment
from pga.params.reading import read_yaml
from pga.runtime.errors import UserError

EXPERIMENTS = [path for path in sorted(Path("params").glob("*.yaml")) if "results:" in path.read_text()]


@pytest.mark.parametrize("path", EXPERIMENTS, ids=lambda path: path.stem)
def test_every_experiment_loads_and_fits_the_schema(path: Path) -> None:
    experiment = load_experiment(path)
    assert len({run.digest for run in experiment.all_runs()}) == len(experiment.all_runs()) > 0
    jsonschema.validate(read_yaml(path), schema.schema())


def test_the_schema_in_its_file_is_that_of_the_types() -> None:
    assert schema.FILE.read_text() == schema.text(), "run `python -m pga.params.schema`"


BAD = {
    "out of range": ("learning_rate: [0.1, code]", "learning_rate: [-1, code]", r"common\.learning_rate\.0: found -1: .*greater than 0"),
    "out of range, no origin": ("learning_rate: [0.1, code]", "learning_rate: -1", r"common\.learning_rate: found -1: .*greater than 0"),
    "not finite": ("learning_rate: [0.1, code]", "learning_rate: [.inf, code]", "learning_rate.0: found inf.*finite"),
    "unknown key": ("momentum: [0.9, paper]", "momentun: [0.9, paper]", "common.momentun.*no such key; accepted here are .*momentum"),
    "unknown key of the file": ("common:", "comon:", "comon: no such key; accepted here are .*common.*extends.*seeds"),
    "unknown network": ("[dense_8, inferred]", "[conv_99, inferred]", "network.0: found 'conv_99': accepted: dense_8"),
    "unknown origin": ("alpha: [0.0075, inferred]", "alpha: [0.0075, guess]", "alpha.1: found 'guess'.*'paper', 'code'"),
    "unknown preset": ("snapshots: 5", "preset: paper/celebb", "preset: found 'paper/celebb'; .*paper.yaml has paper, mnist, cifar10"),
    "a preset on itself": (
        "common:",
        "presets: {a: {preset: b}, b: {preset: a}}\ncommon:\n  preset: a",
        r"preset: a builds on itself \(quick/a → quick/b → quick/a\)",
    ),
    "a coefficient of no model": ("alpha: [0.0075, inferred]", "alhpa: [0.0075, inferred]", "alpha"),
    "another model's coefficient": (
        "{c: [0.05, inferred]}",
        "{c: [0.05, inferred], eta: [1, code]}",
        "runs.vae: coefficients of vae are c; found .*eta",
    ),
    "seed twice": ("seeds: [0, 1, 2]", "seeds: [0, 0]", "holds a seed twice"),
    "a number of seeds": ("seeds: [0, 1, 2]", "seeds: 3", r"seeds: found 3: accepted is a list, e\.g\. \[0, 1\]"),
    "results elsewhere": ("results: results/quick", "results: /tmp/x", "results: found '/tmp/x'"),
    "a key twice": ("  prior:", "  prior: {}\n  prior:", "'prior' stands twice"),
    "a table of absent runs": ("model: lpga_ablation, block", "model: nothing, block", "wants the run digits/nothing"),
    "both lengths": ("steps: [3000, inferred]", "steps: [5000, inferred]\n  epochs: [3, inferred]", "one of `epochs` and `steps`"),
    "a python object": ("seeds: [0, 1, 2]", "seeds: !!python/object/apply:os.system ['true']", "python/object"),
    "a date by its tag": ("seeds: [0, 1, 2]", "seeds: [!!timestamp 2020-01-01]", "not YAML that is accepted here: .*date"),
    "a truth value for a number": ("momentum: [0.9, paper]", "momentum: true", "common.momentum: found True: .*number"),
    "text for a number": ("momentum: [0.9, paper]", "momentum: '0.9'", "common.momentum: found '0.9': .*number"),
    "base 60": ("steps: [3000, inferred]", "steps: 1:40", "common.steps: found '1:40': .*integer"),
    "an underscore": ("steps: [3000, inferred]", "steps: 1_000", "common.steps: found '1_000': .*integer"),
    "a warm-up that never ends": (
        "steps: [3000, inferred]",
        "steps: 400",
        r"runs\.lpga: warmup_steps: found 500, but the run has 400 steps: .*\(so in 4 more runs\)$",
    ),
    "more snapshots than steps": ("snapshots: 5", "snapshots: 3001", r"runs\.\w+: snapshots: found 3001, but the run has 3000 steps"),
    "too few samples": (
        "extractor: classifier\n  metrics: [kid, manifold, infinity, neighbours, swd, sharpness]\n\nsamplings:\n"
        "  prior: {density: normal, n: 5000",
        "extractor: inception\n\nsamplings:\n  prior: {density: normal, n: 2048",
        r"samplings\.prior: n: found 2048; a distance in Inception's 2048",
    ),
    "a character that not every font has": ("title: VAE", "title: 猫", r"table1\.rows\.0\.title: found '猫': '猫' cannot be shown"),
    "a title of two lines": ("title: VAE", 'title: "V\\nAE"', r"title: found 'V\\nAE': '\\n' cannot be shown"),
    "a number for a title": ("title: VAE", "title: 3", r"table1\.rows\.0\.title: found 3: accepted is text; put quotes around it"),
}  # fmt: skip


@pytest.mark.parametrize("case", BAD)
def test_mistakes_are_refused_by_name(case: str, tmp_path: Path) -> None:
    old, new, message = BAD[case]
    text = Path("params/quick.yaml").read_text()
    assert old in text
    path = tmp_path / "quick.yaml"
    path.write_text(text.replace(old, new))
    (tmp_path / "paper.yaml").write_text(Path("params/paper.yaml").read_text())
    with pytest.raises(UserError, match=rf"(?s)quick\.yaml: .*{message}"):
        load_experiment(path)


def test_a_mistake_in_a_shared_block_is_told_once(tmp_path: Path) -> None:
    text = Path("params/quick.yaml").read_text()
    for old, new, place in (
        ("momentum: [0.9, ", "momentum: [1.9, ", "common.momentum.0"),
        ("  momentum: [0.9, paper]\n", "", "vae.momentum"),
    ):
        (tmp_path / "quick.yaml").write_text(text.replace(old, new))
        with pytest.raises(UserError) as caught:
            load_experiment(tmp_path / "quick.yaml")
        assert len(str(caught.value).splitlines()) == 1 and place in str(caught.value)


NUMBERS = {"0777": 777, "010": 10, "1e4": 10000, "+3": 3, "3_0": None, "0o17": None, "0x1F": None, "1:40": None, "yes": None, "12.0": None}


@pytest.mark.parametrize("written", NUMBERS)
def test_a_number_is_the_decimal_one_that_stands_there_or_refused(written: str, tmp_path: Path) -> None:
    """As DVC reads it, which reads the same files: YAML 1.1 takes 0777 for 511, 1:40 for 100 and `yes` for true."""
    path = tmp_path / "quick.yaml"
    path.write_text(Path("params/quick.yaml").read_text().replace("seeds: [0, 1, 2]", f"seeds: [{written}]"))
    if (number := NUMBERS[written]) is None:
        with pytest.raises(UserError, match=r"seeds\.0: found"):
            load_experiment(path)
    else:
        assert load_experiment(path).seeds == (number,)


def test_a_name_is_the_text_that_stands_there(tmp_path: Path) -> None:
    """Runs, samplings, data sets: none of them becomes YAML's null, a truth value or a number."""
    names = ["null", "nan", "none", "true", "yes", "on", "inf"]
    text = Path("params/quick.yaml").read_text()
    for name in names:
        text = text.replace("    runs:\n", f"    runs:\n      {name}: {{model: vae, coefficients: {{c: 1}}, samplings: ['{name}']}}\n")
        text = text.replace("samplings:\n", f"samplings:\n  {name}: {{n: 100}}\n", 1)
    (tmp_path / "quick.yaml").write_text(text)
    experiment = load_experiment(tmp_path / "quick.yaml")
    assert set(names) < set(experiment.datasets["digits"].runs) and set(names) < set(experiment.samplings)
    (tmp_path / "quick.yaml").write_text(text.replace("title: VAE, model: vae", "title: VAE, model: null"))
    with pytest.raises(UserError, match=r"rows\.0\.model: found None: accepted is text; put quotes around it"):
        load_experiment(tmp_path / "quick.yaml")


BOMB = "a: &a [x, x, x, x, x, x, x, x, x]\n" + "".join(
    f"{new}: &{new} [{', '.join([f'*{old}'] * 9)}]\n" for old, new in zip("abcdefgh", "bcdefghi", strict=True)
)


@pytest.mark.parametrize(
    "text",
    [BOMB, "a: &a [*a]\n"],
    ids=["bomb", "circle"],
)  # fmt: skip
def test_aliases_are_bounded(text: str, tmp_path: Path) -> None:
    (tmp_path / "quick.yaml").write_text(text)
    with pytest.raises(UserError, match=r"quick\.yaml: not YAML that is accepted here: .*alias"):
        load_experiment(tmp_path / "quick.yaml")


def test_the_papers_values_and_origins_are_those_on_record(paper: Experiment) -> None:
    """As they stood before presets and an origin per block: one line per data set, key and value, with the runs that have it."""
    lines = []
    for dataset, block in paper.datasets.items():
        values: dict[str, dict[str, list[str]]] = {}
        for name, row in block.runs.items():
            for key, value, origin in row.listed():
                values.setdefault(key, {}).setdefault(f"{value!r} {origin}".strip(), []).append(name)
        for key, found in values.items():
            for text, runs in found.items():
                lines.append(f"{dataset} {key} = {text}: {'all' if len(runs) == len(block.runs) else ' '.join(runs)}")
    assert lines == Path("tests/params/paper_runs.txt").read_text().splitlines()


def test_an_origin_stands_once_for_a_block_and_reaches_no_other(tmp_path: Path) -> None:
    path = tmp_path / "mine.yaml"
    (tmp_path / "paper.yaml").write_text(Path("params/paper.yaml").read_text())
    path.write_text("""
description: my own
results: results/mine
seeds: [0]
evaluation: {extractor: inception}
presets:
  short: {origin: inferred, steps: 5000, warmup_steps: [10, code]}
datasets:
  celeba:
    common: {preset: paper/celeba, width: 32}
    runs:
      lpga: {preset: short, coefficients: {gamma: [0.01, paper]}}
      vae: {origin: ghosh, warmup_steps: 0, coefficients: {c: 0.011}}
""")
    experiment = load_experiment(path)
    lpga, vae = (
        {key: (value, origin) for key, value, origin in experiment.params("celeba", name).listed() if origin} for name in ("lpga", "vae")
    )
    assert (lpga["steps"], lpga["warmup_steps"], lpga["width"]) == ((5000, "inferred"), (10, "code"), (32, "own"))
    assert (lpga["learning_rate"], lpga["momentum"], lpga["alpha"]) == ((0.4, "code"), (0.9, "paper"), (0.03, "code"))
    assert "epochs" not in lpga and (vae["epochs"], vae["c"], vae["warmup_steps"]) == ((100, "code"), (0.011, "ghosh"), (0, "ghosh"))
    assert [row.title for row in experiment.table1.rows] == ["LPGA", "VAE"] and [c.title for c in experiment.table1.columns] == ["CelebA"]


def test_a_title_of_table_1_is_part_of_the_figures_that_show_it_and_of_no_other(tmp_path: Path) -> None:
    text = Path("params/quick.yaml").read_text()
    (tmp_path / "quick.yaml").write_text(text.replace('title: "LPGA, α = β = 0"', "title: LPGA without α"))
    before, after = load_experiment("params/quick.yaml"), load_experiment(tmp_path / "quick.yaml")
    changed = {name for name in before.figures if before.shows(name) != after.shows(name)}
    assert changed == {name for name, figure in before.figures.items() if "lpga_ablation" in figure.models} != set()
    assert before.shows("table1") != after.shows("table1") and before.measures() != after.measures()


def test_a_row_may_have_seeds_of_its_own(tmp_path: Path) -> None:
    text = Path("params/quick.yaml").read_text()
    path = tmp_path / "quick.yaml"
    path.write_text(text.replace("      lvpga:\n", "      lvpga:\n        seeds: [7]\n"))
    before, after = load_experiment("params/quick.yaml"), load_experiment(path)
    assert after.seeds_of("digits", "lvpga") == (7,) and after.seeds_of("digits", "vpga") == (0, 1, 2)
    assert [run.seed for run in after.all_runs() if run.name == "lvpga"] == [7]
    assert after.run("digits", "lvpga", 0).digest == before.run("digits", "lvpga", 0).digest
    path.write_text(text.replace("      lvpga:\n", "      lvpga:\n        seeds: [7, 7]\n"))
    with pytest.raises(UserError, match=r"datasets\.digits\.runs\.lvpga\.seeds: \[7, 7\] holds a seed twice"):
        load_experiment(path)


# Ghosh et al.: data set, model, learning rate, weight of the mean error, weights of the other means, epochs, batch, width, H
GHOSH_ROWS = """
mnist32    vae     1e-4  32*32         kl=0.312*16             100  100   128  16
cifar10    vae     1e-4  32*32         kl=0.024*128            100  100   128  128
celeba140  vae     1e-4  64*64         kl=0.09024*64           70   1000  128  64
mnist32    cvvae   1e-4  32*32         kl=0.039*16             100  100   128  16
cifar10    cvvae   1e-4  32*32         kl=9e-4*128             70   100   128  128
celeba140  cvvae   1e-4  64*64         kl=0.01*64              70   100   64   64
mnist32    wae     1e-3  1             mmd=0.03                100  100   128  16
cifar10    wae     1e-3  1             mmd=0.006               70   100   128  128
celeba140  wae     1e-3  0.05*64*64*3  mmd=100                 70   100   128  64
mnist32    rae_l2  5e-4  1             b=1e-4,l=1e-7           100  100   128  16
cifar10    rae_l2  5e-4  1             b=1e-3,l=1e-6           100  100   128  128
celeba140  rae_l2  1e-3  1             b=1e-4,l=1e-7           70   100   128  64
mnist32    rae_sn  5e-4  1             b=0.009                 100  100   128  16
cifar10    rae_sn  5e-4  1             b=0.03                  100  100   128  128
celeba140  rae_sn  1e-3  1             b=2.4e-3                70   100   128  64
"""


def rows(table: str) -> list[list[str]]:
    return [line.split() for line in table.strip().splitlines()]


def product(text: str) -> float:
    return math.prod(float(factor) for factor in text.split("*"))


@pytest.fixture(scope="module")
def paper() -> Experiment:
    return load_experiment("params/paper.yaml")


@pytest.mark.parametrize("dataset", ["mnist", "cifar10", "celeba"])
@pytest.mark.parametrize("model", ["lpga", "vpga", "lvpga"])
def test_the_papers_runs_are_sampled_and_judged_in_its_way_first(dataset: str, model: str, paper: Experiment) -> None:
    """Their values stand in docs/released-code.md (below)."""
    first, *beside = paper.params(dataset, model).samplings
    assert first == "prior" and beside == ["prior_10k", "prior_50k", "prior_test"] + ["prior_standing"] * (dataset != "mnist")
    protocol = {"density": "normal", "n": 5000, "batch_size": 1000, "reference": "train", "batch_norm": "batch"}
    changes = [{}, {"n": 10000}, {"n": 50000}, {"reference": "test"}, {"batch_norm": "standing"}]
    for name, change in zip((first, *beside), changes, strict=False):
        assert paper.samplings[name].model_dump(include=set(protocol)) == protocol | change


@pytest.mark.parametrize("row", rows(GHOSH_ROWS), ids=lambda row: "-".join(row[:2]))
def test_the_rows_of_ghosh_et_al(row: list[str], paper: Experiment) -> None:
    """Their sums over pixels and codes as weights of means; both protocols; in the paper's the images are in [-1, 1], errors four times."""
    dataset, name, rate, reconstruction, others, epochs, batch, width, latent_dim = row
    run = paper.run(dataset, f"ghosh_{name}", 0)
    theirs = {"rec": product(reconstruction)} | {key: product(value) for key, value in (part.split("=") for part in others.split(","))}
    assert run.model == {"vae": "vae_rec", "rae_sn": "rae"}.get(name, name)
    assert run.coefficients == pytest.approx(theirs)
    assert (run.learning_rate, run.epochs, run.batch_size, run.width, run.latent_dim) == (
        float(rate), int(epochs), int(batch), int(width), int(latent_dim)
    )  # fmt: skip
    assert (run.optimiser, run.batch_norm, run.lr_patience, run.lr_min_delta, run.selection) == ("adam", True, 5, 1e-4, "best_validation")
    assert (run.constant_sigma, run.spectral_norm) == (0.7 if name == "cvvae" else None, name == "rae_sn")
    assert run.input_noise == (0.01 if (dataset, name) == ("celeba140", "wae") else 0)
    split = (162770, 19867) if dataset == "celeba140" else (None, 10000)
    assert (run.train_images, run.validation_images) == split
    quoted, mixture = paper.params(dataset, f"ghosh_{name}").samplings
    assert [paper.samplings[key].density for key in (quoted, mixture)] == ["normal" if name in ("vae", "wae") else "gaussian", "mixture"]
    assert {(paper.samplings[key].n, paper.samplings[key].reference) for key in (quoted, mixture)} == {(10000, "test")}

    if name != "vae":  # the plain VAE in the paper's protocol is the paper's own row
        ours = {"mnist32": "mnist", "celeba140": "celeba"}.get(dataset, dataset)
        run, vpga = paper.run(ours, name, 0), paper.run(ours, "vpga", 0)
        pixels = {"mnist": 28 * 28, "cifar10": 32 * 32, "celeba": 64 * 64}[ours]
        per_pixel = theirs["rec"] if name != "cvvae" else 1
        expected = {key: 4 * value / per_pixel for key, value in theirs.items() if key != "rec"}
        if name == "cvvae":
            expected["kl"] = 4 * product(others.removeprefix("kl=").split("*")[0]) * run.latent_dim / pixels
        assert run.coefficients == pytest.approx({"rec": 1, **expected}, rel=1e-3)
        for key in ("network", "width", "batch_norm", "latent_dim", "learning_rate", "batch_size", "momentum", "optimiser", "selection"):
            assert getattr(run, key) == getattr(vpga, key)


def test_grids_give_every_coefficient_the_same_factors_on_a_seed_that_no_table_uses() -> None:
    for name in ("sweep", "quick_sweep"):
        grid, base = load_experiment(f"params/{name}.yaml"), load_experiment(f"params/{'paper' if name == 'sweep' else 'quick'}.yaml")
        assert not set(grid.seeds) & set(base.seeds) and [row.model for row in grid.table1.rows] == list(
            next(iter(grid.datasets.values())).runs
        )
        for dataset, block in grid.datasets.items():
            points: dict[tuple[str, str], list[float]] = {}
            for row, params in block.runs.items():
                model, coefficient, _ = row.rsplit("_", 2)
                points.setdefault((model, coefficient), []).append(params.coefficients[coefficient][0])
                others = {key: value for key, value in grid.run(dataset, row, 100).coefficients.items() if key != coefficient}
                if model in ("vae", "lpga"):  # the other coefficients are those of the row
                    assert others == {key: base.run(dataset, model, 0).coefficients[key] for key in others}
            c = base.run(dataset, "vae", 0).coefficients["c"]
            assert points["vae", "c"] == pytest.approx([c / 4, c / 2, c, 2 * c, 4 * c])
            assert ("lpga", "alpha") in points or name == "sweep"
            for values in points.values():  # the middle of a second grid of a model is that of its first
                assert [value / values[0] for value in values] == pytest.approx([1, 2, 4, 8, 16] if len(values) == 5 else [1, 2, 8, 16])


def test_variants_of_a_run_are_all_that_a_grid_has_and_its_values_are_the_runs() -> None:
    for grid, base in (("terms", "paper"), ("quick_terms", "quick")):
        experiment, original = load_experiment(f"params/{grid}.yaml"), load_experiment(f"params/{base}.yaml")
        assert set(experiment.datasets) == {column.dataset for column in original.table1.columns}
        for dataset, block in experiment.datasets.items():
            own = original.run(dataset, "lpga", 0)
            alpha, gamma = own.coefficients["alpha"], own.coefficients["gamma"]
            full = {"alpha": alpha, "beta": alpha, "gamma_phi": gamma, "gamma_theta": gamma}
            off = {
                "alpha_only": ["beta"], "beta_only": ["alpha"], "alpha_and_beta": [], "neither": ["alpha", "beta"],
                "without_gamma_phi": ["beta", "gamma_phi"], "without_gamma_theta": ["beta", "gamma_theta"],
            }  # fmt: skip
            assert list(block.runs) == list(off)
            for name, zero in off.items():
                run = experiment.run(dataset, name, 0)
                assert run.coefficients == {**full, **dict.fromkeys(zero, 0)}
                assert {**run.asdict(), "name": "lpga", "model": "lpga", "coefficients": own.coefficients} == own.asdict()


def test_a_variant_without_a_coefficient_that_there_is_is_refused(tmp_path: Path) -> None:
    for name in ("quick", "quick_terms"):
        text = Path(f"params/{name}.yaml").read_text()
        (tmp_path / f"{name}.yaml").write_text(text.replace("zero: [alpha]", "zero: [gamma]"))
    with pytest.raises(UserError, match=r"beta_only.zero: \['gamma'\] not among alpha, beta, gamma_phi, gamma_theta"):
        load_experiment(tmp_path / "quick_terms.yaml")


SCRIPTED = {"lpga", "vpga", "lvpga"}


def shown(value: object) -> str:
    """A value as docs/released-code.md writes it."""
    return f"{value:g}" if isinstance(value, float) else str(value).lower()


def released_code() -> dict[tuple[str, str, str], str]:
    """(data set, model, key) → value of docs/released-code.md, which names the line of each."""
    lines = Path("docs/released-code.md").read_text(encoding="utf-8").splitlines()
    cells = [[cell.strip() for cell in line.strip("|").split("|")] for line in lines if line.startswith("| ")][1:]
    assert all(re.search(r"\.(py|md)", where) for *_, where in cells)
    return {
        (dataset, model, key): value
        for key, value, datasets, models, _ in cells
        for dataset in datasets.split()
        for model in models.split()
    }  # fmt: skip


def test_every_value_of_the_released_code_is_listed_with_its_line(paper: Experiment) -> None:
    found = {
        (dataset, name, key): shown(value)
        for dataset, block in paper.datasets.items()
        for name, params in block.runs.items()
        for key, value, origin in params.listed()
        if origin == "code"
    }
    assert found == released_code()


@pytest.mark.parametrize("path", EXPERIMENTS, ids=lambda path: path.stem)
def test_only_rows_of_the_released_scripts_have_values_of_theirs(path: Path) -> None:
    """No script covers the plain VAE, the ablation, the residual network, other crops and widths, or the models of Ghosh et al."""
    values = {(model, key): set() for _, model, key in released_code()}
    for (_, model, key), value in released_code().items():
        values[model, key].add(value)
    for dataset, block in load_experiment(path).datasets.items():
        for name, params in block.runs.items():
            listed = [(key, value) for key, value, origin in params.listed() if origin == "code"]
            if listed and not path.stem.endswith(("terms", "precision", "sweep")):
                assert name in SCRIPTED and dataset != "celeba140", (path, dataset, name, listed)
            for key, value in listed:
                assert shown(value) in values[params.model.replace("_parts", ""), key], (path, dataset, name, key, value)


def test_a_wrong_row_of_the_table_of_data_sets_stops_only_who_needs_it(tmp_path: Path) -> None:
    table, out = tmp_path / "datasets.yaml", tmp_path / "out"
    table.write_text("datasets:\n  digits: {kind: digits}\n  dogs: {kind: folder, path: /dogs, size: -1}\n")
    prepare = ["--datasets", str(table), "--raw", str(tmp_path), "--out", str(out)]
    assert main(["prepare", "digits", *prepare]) == 0 and (out / "digits.npy").exists()
    with pytest.raises(UserError, match=r"datasets\.dogs\.size: found -1"):
        load_datasets(table)
    assert main(["prepare", "dogs", *prepare]) == 1


def test_outside_of_the_project_commands_say_where_to_stand(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    for command in (["fetch", "mnist"], ["prepare", "digits"], ["params", "--params", "params/quick.yaml"]):
        assert main(command) == 1
        said = capsys.readouterr().err
        assert f"there is no such file in {tmp_path}" in said and "project's folder" in said and len(said.splitlines()) == 1


def test_what_nothing_measures_is_trained_sampled_and_drawn_without_numbers(tmp_path: Path) -> None:
    trial = load_experiment("params/trial.yaml")
    assert {place for place in trial.measurements() if place[0] == "celeba5k"} == {
        ("celeba5k", "vae", "reconstruction"), ("celeba5k", "lpga", "reconstruction")
    }  # fmt: skip
    drawn = [file.removeprefix("celeba5k/lpga/seed0/") for file in trial.files_of_figure("figure2") if file.startswith("celeba5k/lpga")]
    assert drawn == ["prior/samples.npy", "prior/samples.json", "run.json"]

    text = Path("params/trial.yaml").read_text()
    (tmp_path / "paper.yaml").write_text(Path("params/paper.yaml").read_text())
    for old, new, said in (
        ("figures:", "figures:\n  figure3: {kind: training, datasets: [celeba5k], models: [lpga]}", "a table or figure wants its metrics"),
        ("title: CIFAR-10}]", "title: CIFAR-10}, {dataset: celeba5k, title: CelebA}]", "a table or figure wants its metrics"),
        ("    measured: false # without labels there is no classifier\n", "", "classifier needs labels, which celeba5k is without"),
        ("paper/celeba", "paper/cifar10", "conv_32 is for images of 32x32x3, those of celeba5k are 64x64x3; accepted are conv_64, ghosh"),
        ("  celeba5k:", "  unknown:", "datasets.unknown: no such data set in params/datasets.yaml; there are digits, mnist"),
    ):
        assert old in text
        changed = text.replace(old, new)
        (tmp_path / "trial.yaml").write_text(changed.replace(", celeba5k], models", "], models") if "unknown" in new else changed)
        found = read_catalogue(tmp_path, (), load_datasets(), {})
        [reason] = [reason for file, reason in found.left_out.items() if file.endswith("trial.yaml")]
        assert said in reason and reason.startswith(f"{tmp_path}/trial.yaml: ")


def test_table1_shows_what_is_measured_where_the_file_says_nothing_of_it(tmp_path: Path) -> None:
    (tmp_path / "paper.yaml").write_text(Path("params/paper.yaml").read_text())
    values = "{preset: paper/mnist, steps: 20, warmup_steps: 0, coefficients: {c: 1}}"
    rows = [f"  {name}: {{runs: {{vae: {values}}}, measured: false}}\n" for name in ("mnist", "cats")]
    text = "description: d\nresults: results/own\nseeds: [0]\nevaluation: {extractor: pixels}\ndatasets:\n" + "".join(rows)
    (tmp_path / "own.yaml").write_text(text)
    with pytest.raises(UserError, match=r"own\.yaml: datasets: none is measured; .*extractor: pixels"):
        load_experiment(tmp_path / "own.yaml")
    (tmp_path / "own.yaml").write_text(text.replace("measured: false", "measured: true", 1))
    assert [column.dataset for column in load_experiment(tmp_path / "own.yaml").table1.columns] == ["mnist"]


def test_fewer_real_images_than_features_are_refused_before_training(root: Path) -> None:
    paper = load_experiment(root / "params/paper.yaml")
    paper.check_images("mnist", {"train": 60_000, "test": 10_000})
    with pytest.raises(ValueError, match=r"the 258 test images of mnist; a distance in .* 2048 features needs more real images"):
        paper.check_images("mnist", {"train": 60_000, "test": 258})
    quick = load_experiment(root / "params/quick.yaml")  # in the classifier's features, which are known when it is trained
    quick.check_images("digits", {"train": 200, "test": 20})


def test_more_snapshots_than_an_epoch_has_steps_are_refused_before_training(tmp_path: Path) -> None:
    text = Path("params/quick.yaml").read_text().replace("steps: [3000, inferred]", "epochs: 600")
    (tmp_path / "quick.yaml").write_text(text.replace("snapshots: 5", "snapshots: 601"))
    with pytest.raises(ValueError, match=r"digits\.runs\.\w+\.snapshots: found 601, but on 60 images the run has 600 steps"):
        load_experiment(tmp_path / "quick.yaml").check_images("digits", {"train": 60, "test": 60})


def test_a_figure_that_is_called_as_a_kind_is_of_that_kind(tmp_path: Path) -> None:
    text = Path("params/quick.yaml").read_text()
    for name, kind in (("terms", "terms"), ("samples", "panels")):
        (tmp_path / "quick.yaml").write_text(text.replace("  terms: {kind: terms,", f"  {name}: {{"))
        assert load_experiment(tmp_path / "quick.yaml").figures[name].kind == kind


@pytest.mark.parametrize(
    "row, told",
    [
        ("{kind: folder, path: a, sise: 64}", "mine.sise: found 64: no such key; accepted here are accuracy, channels, .*size"),
        ("{kind: folder, path: a}", "datasets.mine.size: is missing"),
        ("{kind: folders, path: a}", "datasets.mine.kind: found 'folders': accepted: digits, idx, cifar10, celeba, folder, array, parquet"),
        ("{path: a}", "datasets.mine.kind: is missing"),
        ("{kind: folder, path: a, path: b}", "the key 'path' stands twice\n  at line 2, column 33"),
    ],
)
def test_a_mistake_in_the_table_of_data_sets_is_named_as_it_stands_there(row: str, told: str, tmp_path: Path) -> None:
    (tmp_path / "datasets.yaml").write_text(f"datasets:\n  mine: {row}\n")
    with pytest.raises(UserError, match=told):
        load_datasets(tmp_path / "datasets.yaml")["mine"]


def test_an_experiments_folder_is_not_that_of_the_papers_runs_on_a_data_set(tmp_path: Path) -> None:
    (tmp_path / "paper.yaml").write_text(Path("params/paper.yaml").read_text())
    (tmp_path / "mine.yaml").write_text("extends: paper\ndescription: d\nresults: results/mnist\n")
    found = read_catalogue(tmp_path, (), load_datasets("params/datasets.yaml"), {})
    assert list(found.experiments) == ["results"]
    assert found.left_out == {
        f"{tmp_path}/mine.yaml": f"{tmp_path}/mine.yaml: results: results/mnist is the folder of the paper's runs on that data set"
    }
