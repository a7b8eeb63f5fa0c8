"""Every kind of figure from results written by hand: it shows just these, readable, with nothing over anything else."""

from __future__ import annotations

import itertools
import re
import shutil
from collections.abc import Iterator
from pathlib import Path
from pkgutil import resolve_name

import matplotlib as mpl
import numpy as np
import pandas as pd
import pytest
from artifacts import measured, record
from experiments import COMMON
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.collections import PolyCollection
from matplotlib.figure import Figure
from matplotlib.text import Text
from PIL import Image
from stored import metrics_content, write_curve_record

from pga.artifacts.figures import canvas
from pga.artifacts.figures.figure_inputs import Sources
from pga.artifacts.figures.sheet import WIDE
from pga.artifacts.figures.training_figure import over_seeds
from pga.cli import main
from pga.fingerprints.steps import sampling_code
from pga.method.terms import MODELS
from pga.params.artifacts import FIGURES, MOST_LINES
from pga.params.experiment import load_experiment
from pga.provenance.records import Place
from pga.runtime.errors import UserError
from pga.runtime.files import sha256, write_record
from pga.sampling.generated import GeneratedRecord, id_of, save_samples

SCALE = (
    """
description: for the tests
results: results/tiny
seeds: [0, 1, 2]
device: cpu
evaluation: {extractor: classifier}
samplings: {prior: {n: 300, batch_size: 100}}
"""
    + COMMON
    + """datasets:
  mnist: &runs
    runs:
      vae: {coefficients: {c: [0.05, inferred]}, seeds: [4]}
      lpga: {coefficients: {gamma: [0.015, paper]}}
      vpga: {coefficients: {vr: [0.01, code], eta: [0.02, paper]}}
  cifar10: *runs
  celeba: *runs
table1:
  columns: [{dataset: mnist, title: MNIST}, {dataset: cifar10, title: CIFAR-10}]
  rows: [{title: The LPGA, model: lpga}]
figures:
  routing: {kind: routing, models: [lpga, vpga]}
  panels: {datasets: &all [mnist, cifar10, celeba], models: [lpga, vpga, vae]}
  training: {kind: training, datasets: *all, models: [lpga, vpga]}
  terms: {kind: terms, datasets: [mnist], models: [lpga, vpga, vae]}
  interpolations: {kind: interpolations, datasets: [celeba], models: [lpga, vpga, vae]}
  reconstructions: {kind: reconstructions, datasets: *all, models: [lpga, vpga, vae]}
  neighbours: {kind: neighbours, datasets: *all, models: [lpga, vpga, vae], titles: {celeba: CelebA}, note: A note of one's own.}
"""
)
SHAPES = {"mnist": (8, 8, 1), "cifar10": (9, 9, 3), "celeba": (12, 12, 3)}
SEEDS = {"lpga": (0, 1, 2), "vpga": (0, 1, 2), "vae": (4,)}
STEPS = (10, 20, 300)


@pytest.fixture(autouse=True)
def own_settings(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """What one test sets in matplotlib reaches no other; a third of the resolution, which is nine times as fast."""
    monkeypatch.setitem(canvas.STYLE, "figure.dpi", 100.0)
    with mpl.rc_context():
        yield


def of(dataset: str, model: str, seed: int, file: str) -> Path:
    return Path("results", "tiny", dataset, model, f"seed{seed}", file)


def write_metrics(dataset: str, model: str, seed: int, sampling: str, metric: str, value: float) -> None:
    content = metrics_content(dataset, model, seed, sampling, measured(metric, value))
    write_record(of(dataset, model, seed, f"{sampling}/metrics.json"), content)


def history(model: str, seed: int) -> pd.DataFrame:
    """Losses from which means and ranges are easily worked out: the seed's number plus a part per term."""
    columns = {term: [seed + k, seed + k + 0.5, seed + k + 0.25] for k, term in enumerate(MODELS[model])}
    return pd.DataFrame({"step": STEPS, **columns, "encoder_loss": [3.0, 2.0, 1.0 + seed], "decoder_loss": [1.0, 1.0, 0.5]})


def place_results() -> None:
    """Results of every run of the experiment, in the current folder."""
    Path("tiny.yaml").write_text(SCALE)
    experiment = load_experiment("tiny.yaml")
    rng = np.random.default_rng(0)
    for dataset, shape in SHAPES.items():
        originals = rng.integers(0, 256, (20, *shape), np.uint8)
        for model, seeds in SEEDS.items():
            for seed in seeds:
                run = experiment.run(dataset, model, seed)
                write_record(of(dataset, model, seed, "run.json"), record(experiment, Place(dataset, model, seed), data_sha256=dataset))
                write_metrics(dataset, model, seed, "prior", "classifier_fd", 10.0 + seed)
                write_metrics(dataset, model, seed, "reconstruction", "reconstruction_error", 0.01 * (seed + 1))
                arrays = {
                    "prior/samples.npy": rng.integers(0, 256, (70, *shape), np.uint8),
                    "prior/neighbours.npy": rng.integers(0, 256, (8, 6, *shape), np.uint8),
                    "interpolations.npy": rng.integers(0, 256, (6, 11, *shape), np.uint8),
                    "reconstruction/reconstructions.npy": np.stack([originals, rng.integers(0, 256, originals.shape, np.uint8)]),
                }
                for file, array in arrays.items() if seed == seeds[0] else ():
                    save_samples(of(dataset, model, seed, file), array, id_of(run), sampling_code(run))
                history(model, seed).to_csv(of(dataset, model, seed, "history.csv"), index=False)
                curve = [(step, metric, value + seed, 300) for step in STEPS for metric, value in (("classifier_fd", 9.0), ("other", 77.0))]
                pd.DataFrame(curve, columns=["step", "metric", "value", "n"]).to_csv(of(dataset, model, seed, "curve.csv"), index=False)
                write_curve_record(of(dataset, model, seed, "curve.csv"), run)


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The results, which nothing changes."""
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder := tmp_path_factory.mktemp("made"))
        place_results()
    return folder


@pytest.fixture
def folder(made: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy of them to change; the current folder."""
    monkeypatch.chdir(shutil.copytree(made, tmp_path / "copy"))
    return tmp_path / "copy"


def draw(name: str, allow_missing: bool = False) -> canvas.DrawnFigure:
    """A figure, finished as `pga figure` does."""
    sources = Sources(load_experiment("tiny.yaml"), name, Path("data"), allow_missing)
    drawn = resolve_name(sources.row.needs.draw)(sources)
    canvas.finish(drawn.figure)
    FigureCanvasAgg(drawn.figure).draw()
    return drawn


def texts(figure: Figure) -> list[Text]:
    """What can be read: ticks have labels also beyond the axis' ends, and where the axis is switched off."""
    off: set[Text] = set()
    for axes in figure.axes:
        for axis in (axes.xaxis, axes.yaxis):
            low, high = sorted(axis.get_view_interval())
            hidden = [tick for tick in axis.get_major_ticks() if not (axes.axison and low <= tick.get_loc() <= high)]
            off |= {text for part in (hidden if axes.axison else [axis]) for text in part.findobj(Text)}
    return [text for text in figure.findobj(Text) if text.get_visible() and text.get_text().strip() and text not in off]


@pytest.mark.parametrize("name", FIGURES)
def test_it_is_readable_on_a_page_and_nothing_lies_over_text(name: str, folder: Path) -> None:
    figure = draw(name).figure
    renderer = FigureCanvasAgg(figure).get_renderer()
    inside = figure.get_tightbbox(renderer)
    assert min(inside.p0) >= -0.01 and inside.x1 <= figure.get_figwidth() + 0.01 and inside.y1 <= figure.get_figheight() + 0.01
    shown = texts(figure)
    assert min(text.get_fontsize() for text in shown) >= 7
    if name == "routing":
        return  # symbols stand on lines there, as they should
    boxes = [(text.get_text(), text.get_window_extent(renderer)) for text in shown if text.get_window_extent(renderer).width > 0]
    for (one, a), (other, b) in itertools.combinations(boxes, 2):
        assert not a.padded(-1).overlaps(b.padded(-1)), f"{one!r} over {other!r}"


def change(dataset: str, model: str, seed: int) -> None:
    """Make everything of a run another, as another training would."""
    write_metrics(dataset, model, seed, "prior", "classifier_fd", 50.0)
    write_metrics(dataset, model, seed, "reconstruction", "reconstruction_error", 0.5)
    history(model, seed + 5).to_csv(of(dataset, model, seed, "history.csv"), index=False)
    for path in of(dataset, model, seed, "").rglob("*.npy"):
        array, record = np.load(path), GeneratedRecord.require_beside(path)
        array[-1] = 255 - array[-1]
        save_samples(path, array[::-1] if path.name == "samples.npy" else array, record.run_id, record.code)


def images(*names: str) -> dict[str, tuple[str, str]]:
    """Figures, drawn anew: the checksums of their two files."""
    found = {}
    for name in names:
        assert main(["figure", name, "--params", "tiny.yaml", "--out-dir", "out"]) == 0
        with Image.open(f"out/{name}.png") as png:
            assert np.asarray(png.convert("L")).std() > 5  # no blank page
        found[name] = (sha256(Path("out", f"{name}.png")), sha256(Path("out", f"{name}.pdf")))
    return found


@pytest.mark.slow
def test_equal_results_give_equal_bytes_and_a_changed_seed_changes_the_figures_that_use_it(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(canvas.STYLE, "figure.dpi", 75.0)  # what is compared does not depend on it
    before = images(*FIGURES)
    change("celeba", "lpga", 2)
    after = images(*FIGURES)
    shows_every_seed, shows_the_first = ["panels", "training", "reconstructions"], ["panels", "interpolations", "neighbours"]
    assert [name for name in FIGURES if before[name] != after[name]] == shows_every_seed
    assert images(*shows_every_seed).items() <= after.items()
    change("celeba", "lpga", 0)
    last = images("terms", *shows_the_first)
    assert [name for name in last if last[name] != after[name]] == shows_the_first


@pytest.mark.parametrize("name", [name for name in FIGURES if name != "routing"])
def test_without_a_run_it_is_refused_by_name_or_says_so(name: str, folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    dataset = load_experiment("tiny.yaml").figures[name].datasets[0]
    for file in of(dataset, "lpga", 0, "").rglob("*.*"):
        file.unlink()
    assert main(["figure", name, "--params", "tiny.yaml", "--out-dir", "out"]) == 1
    assert f"{dataset}/lpga/seed0/run.json" in capsys.readouterr().err
    assert not Path("out").exists()
    assert "Partial: files of 1 of " in draw(name, allow_missing=True).caption


def test_training_shows_mean_and_range_of_the_summed_losses_and_of_the_headline_metric(folder: Path) -> None:
    figure, caption = draw("training")
    loss, distance = figure.axes[:2]
    assert [line.get_label() for line in loss.lines] == ["The LPGA", "VPGA"]
    assert np.array_equal(loss.lines[0].get_xdata(), STEPS)
    assert loss.lines[0].get_ydata() == pytest.approx([4, 3, 2.5])  # 3 + 1, 2 + 1, and the mean of 1.5, 2.5, 3.5
    assert distance.lines[0].get_ydata() == pytest.approx([10, 10, 10])
    [band, _] = [part for part in loss.collections if isinstance(part, PolyCollection)]
    corners = band.get_paths()[0].vertices
    assert {(x, y) for x, y in corners if x == 300} == {(300, 1.5), (300, 3.5)}
    assert "assumed is the sum of the encoder's and the decoder's" in caption and "seeds 0, 1, 2" in caption


def test_a_logarithmic_scale_is_labelled_by_plain_numbers(folder: Path) -> None:
    for model, seeds in SEEDS.items():
        for seed in seeds:
            path = of("mnist", model, seed, "history.csv")
            pd.read_csv(path).assign(encoder_loss=[30.0, 2.0, 0.3], decoder_loss=[1.0, 1.0, 0.1]).to_csv(path, index=False)
    figure, _ = draw("training")
    panel = figure.axes[0]
    shown = {text.get_text() for text in texts(figure) if text in panel.yaxis.findobj(Text)} - {panel.get_ylabel()}
    assert panel.get_yscale() == "log" and shown == {"0.5", "1", "2", "5", "10", "20"}


def test_terms_have_a_panel_each_with_a_line_per_model_that_has_them(folder: Path) -> None:
    figure, _ = draw("terms")
    panels = {axes.get_title(loc="left").split("$")[1]: axes for axes in figure.axes if axes.axison}
    assert [len(panel.lines) for panel in panels.values()] == [2, 2, 2, 1, 1, 1, 2, 1]  # L_r … L_r', in the order of the table
    assert panels["L_r"].lines[0].get_ydata() == pytest.approx([1, 1.5, 1.25])
    weightless, weighed = panels[r"L_{lr,\mathcal{H}}^{\phi}"].lines[0], panels[r"L_{lr,\mathcal{N}}^{\phi}"].lines[0]
    assert weightless.get_linestyle() == "--" and weightless._dash_pattern != weighed._dash_pattern  # β = 0 here, α is not
    assert panels[r"L_{vkl}^{\phi}"].lines[1].get_label() == "VAE"


def test_the_caption_does_not_average_over_one_seed(folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    shutil.copytree(folder, tmp_path / "one")
    monkeypatch.chdir(tmp_path / "one")
    path = Path("tiny.yaml")
    path.write_text(path.read_text().replace("seeds: [0, 1, 2]", "seeds: [0]"))
    for name in ("terms", "training", "reconstructions"):
        caption = draw(name).caption
        assert re.search(r"[Oo]ne run each, of seeds? 0(, 4)?\.", caption)
        assert not re.search("lowest to the highest|standard error over", caption)


def test_interpolations_and_neighbours_show_the_whole_arrays(folder: Path) -> None:
    for name, file, divided in (("interpolations", "interpolations.npy", (0, 9)), ("neighbours", "prior/neighbours.npy", (0,))):
        figure, caption = draw(name)
        shown = {sheet.axes: sheet for sheet in figure.sheets}
        runs = load_experiment("tiny.yaml").figures[name].runs()
        assert len(shown) == len(runs)
        for axes, (dataset, model) in zip(figure.axes, runs, strict=True):
            assert np.array_equal(shown[axes].images, np.load(of(dataset, model, SEEDS[model][0], file)))
            assert tuple(shown[axes].divided_after) == divided
        assert "seeds 0, 4, not picked" in caption or "seeds 0, 4" in caption
    left, right = (axes.get_window_extent() for axes in figure.axes[-2:])
    assert right.x0 - left.x1 > 1.5 * WIDE * canvas.GAP * figure.dpi  # panels stand further apart than the parts of one
    assert figure.axes[-1].get_title() == "(i) CelebA, VAE" and caption.endswith("A note of one's own.")


def test_reconstructions_stand_below_the_images_with_their_error(folder: Path) -> None:
    figure, _ = draw("reconstructions")
    [sheet] = [sheet.images for sheet in figure.sheets if sheet.axes is figure.axes[1]]
    for k, model in enumerate(("lpga", "vpga", "vae"), 1):
        originals, made = np.load(of("cifar10", model, SEEDS[model][0], "reconstruction/reconstructions.npy"))
        assert np.array_equal(sheet[0], originals[:16]) and np.array_equal(sheet[k], made[:16])
    labels = [text.get_text() for text in figure.axes[1].get_yticklabels()]
    assert labels == ["test image", "The LPGA\nMSE 0.0200 ± 0.0058", "VPGA\nMSE 0.0200 ± 0.0058", "VAE\nMSE 0.0500"]


def test_reconstructions_of_other_images_are_refused(folder: Path) -> None:
    path = of("celeba", "vpga", 0, "reconstruction/reconstructions.npy")
    record = GeneratedRecord.require_beside(path)
    save_samples(path, np.load(path)[::-1], record.run_id, record.code)
    with pytest.raises(UserError, match="celeba/vpga: its reconstructions are of other test images"):
        draw("reconstructions")


@pytest.mark.parametrize("content", ["", "step,value\n1,2\n"], ids=["empty", "other columns"])
def test_a_history_that_is_none_is_refused_by_name(content: str, folder: Path) -> None:
    of("mnist", "vpga", 1, "history.csv").write_text(content)
    with pytest.raises(UserError, match="mnist/vpga/seed1/history.csv: "):
        draw("terms")


def test_a_curve_with_another_digit_is_refused_by_name(folder: Path) -> None:
    path = of("mnist", "vpga", 1, "curve.csv")
    path.write_text(path.read_text().replace("10.0", "10.5", 1))
    with pytest.raises(UserError, match="mnist/vpga/seed1/curve.csv: changed since it was made"):
        draw("training")


# How people with one kind of cone missing see linear RGB: Machado, Oliveira and Fernandes 2009, severity 1.
SIGHT = {
    "normal": np.eye(3),
    "protanopia": np.array([[0.152286, 1.052583, -0.204868], [0.114503, 0.786281, 0.099216], [-0.003882, -0.048116, 1.051998]]),
    "deuteranopia": np.array([[0.367322, 0.860646, -0.227968], [0.280085, 0.672501, 0.047413], [-0.011820, 0.042940, 0.968881]]),
    "tritanopia": np.array([[1.255528, -0.076749, -0.178779], [-0.078411, 0.930809, 0.147602], [0.004733, 0.691367, 0.303900]]),
}


def lab(colour: str, sight: np.ndarray) -> np.ndarray:
    """CIE L*a*b* of an sRGB colour, D65."""
    rgb = np.array([int(colour[k : k + 2], 16) for k in (1, 3, 5)]) / 255
    linear = np.clip(sight @ np.where(rgb <= 0.04045, rgb / 12.92, ((rgb + 0.055) / 1.055) ** 2.4), 0, 1)
    to_xyz = np.array([[0.4124564, 0.3575761, 0.1804375], [0.2126729, 0.7151522, 0.0721750], [0.0193339, 0.1191920, 0.9503041]])
    ratio = to_xyz @ linear / [0.95047, 1.0, 1.08883]
    x, y, z = np.where(ratio > 216 / 24389, np.cbrt(ratio), (24389 / 27 * ratio + 16) / 116)
    return np.array([116 * y - 16, 500 * (x - y), 200 * (y - z)])


@pytest.mark.parametrize("sight", SIGHT)
def test_lines_stay_apart_for_colour_blind_readers(sight: str) -> None:
    seen = [lab(line.colour, SIGHT[sight]) for line in canvas.LINES]
    assert min(np.linalg.norm(a - b) for a, b in itertools.combinations(seen, 2)) > 25  # 2 can just be told apart side by side


def test_lines_stay_apart_in_grey_and_differ_in_dash_and_marker() -> None:
    lightness = sorted(lab(line.colour, SIGHT["normal"])[0] for line in canvas.LINES)
    assert min(np.diff(lightness)) > 10 and lightness[-1] < 61.6  # a contrast of 3 to white
    assert len(canvas.LINES) == MOST_LINES
    assert len({line.dash for line in canvas.LINES}) == len({line.marker for line in canvas.LINES}) == len(canvas.LINES)


def test_a_point_that_a_seed_lacks_is_in_no_mean() -> None:
    steps = [10, 20, 30]
    found = over_seeds([pd.Series([1.0, np.nan, 3.0], steps), pd.Series([3.0, 4.0, 7.0], steps)])
    assert found.loc[[10, 30]].to_numpy().tolist() == [[2, 1, 3], [5, 3, 7]] and found.loc[20].isna().all()


def test_the_figures_of_the_faces_that_are_published_show_no_photograph() -> None:
    experiment = load_experiment(Path("params/cpu_faces.yaml"))
    assert {figure.kind for figure in experiment.figures.values()} <= {"panels", "training", "terms"}
    assert "real" not in {model for figure in experiment.figures.values() for model in figure.models}
