"""Figures: the same bytes from the same inputs, and exactly the samples that are on disk, in their order."""

from __future__ import annotations

import itertools
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import matplotlib as mpl
import numpy as np
import pytest
from artifacts import measured, record
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from PIL import Image
from stored import metrics_content, write_prepared
from test_tables import SCALE

from pga.artifacts.figures import canvas, samples_figure
from pga.artifacts.figures.figure_inputs import Sources
from pga.artifacts.figures.sheet import grid, tile
from pga.cli import main
from pga.fingerprints.steps import figure_code, sampling_code
from pga.params.experiment import load_experiment
from pga.provenance.metadata import ArtifactRecord
from pga.provenance.records import Place
from pga.runtime.errors import UserError
from pga.runtime.files import read_record, sha256, write_record
from pga.sampling.generated import id_of, save_samples

MODELS = ("lpga", "vpga")
DATASETS = {"digits": (8, 1), "cifar10": (10, 3)}
"""Data set → size and channels of its images, which differ between panels."""
COMMAND = ["figure", "figure2", "--params", "tiny.yaml", "--out-dir"]
VALUES = {("digits", "lpga"): (1.0, 2.0, 3.0), ("cifar10", "vpga"): (7.5, 7.5, 7.5)}


@pytest.fixture(autouse=True)
def own_settings() -> Iterator[None]:
    """What one test sets in matplotlib reaches no other."""
    with mpl.rc_context():
        yield


@pytest.fixture
def coarse(monkeypatch: pytest.MonkeyPatch) -> None:
    """A third of the resolution, which is nine times as fast."""
    monkeypatch.setattr(canvas, "DPI", 100.0)
    monkeypatch.setitem(canvas.STYLE, "figure.dpi", 100.0)


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Results of an experiment with one figure of 2 × 2 panels, which nothing changes."""
    folder = tmp_path_factory.mktemp("made")
    text = SCALE.replace("{datasets: [digits], models: [lpga, vpga]}", "{datasets: [digits, cifar10], models: [lpga, vpga]}")
    assert text != SCALE
    rng = np.random.default_rng(0)
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        Path("tiny.yaml").write_text(text)
        experiment = load_experiment("tiny.yaml")
        for place in (Place(dataset, model, seed) for dataset in DATASETS for model in MODELS for seed in range(3)):
            size, channels = DATASETS[place.dataset]
            content = record(experiment, place, data_sha256=place.dataset, wall_s=1.0)
            write_record(Path("results", "tiny", str(place), "run.json"), content)
            write_metrics(*place, VALUES.get(place[:2], (4.0, 5.0, 6.0))[place.seed])
            place_samples(place.dataset, place.model, rng.integers(0, 256, (70, size, size, channels), np.uint8), place.seed)
    return folder


@pytest.fixture
def folder(made: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy of them to change; the current folder."""
    monkeypatch.chdir(shutil.copytree(made, tmp_path / "copy"))
    return tmp_path / "copy"


def write_metrics(dataset: str, model: str, seed: int, value: float) -> None:
    path = Path("results", "tiny", dataset, model, f"seed{seed}", "prior", "metrics.json")
    write_record(path, metrics_content(dataset, model, seed, "prior", measured("classifier_fd", value)))


def place_samples(dataset: str, model: str, images: np.ndarray, seed: int = 0) -> None:
    run = load_experiment("tiny.yaml").run(dataset, model, seed)
    save_samples(Path("results", "tiny", dataset, model, f"seed{seed}", "prior", "samples.npy"), images, id_of(run), sampling_code(run))


def drawn(folder: Path) -> dict[str, str]:
    return {ending: sha256(folder / f"figure2.{ending}") for ending in ("png", "pdf", "tex")}


def of_disk(dataset: str, model: str, seed: int = 0) -> np.ndarray:
    return np.load(Path("results", "tiny", dataset, model, f"seed{seed}", "prior", "samples.npy"))


def sources(name: str = "figure2", allow_missing: bool = False, **changes: object) -> Sources:
    """What a figure of the tiny experiment is drawn from, its row changed."""
    experiment = load_experiment("tiny.yaml")
    row = experiment.figures[name].model_copy(update=changes)
    return Sources(experiment.model_copy(update={"figures": {name: row}}), name, Path("data", "processed"), allow_missing)


def narrow(folder: Path, width: float = 3.25) -> None:
    """Give the figure another width."""
    path = folder / "tiny.yaml"
    path.write_text(path.read_text().replace("{datasets: [digits, cifar10],", f"{{width: {width}, datasets: [digits, cifar10],"))


def layout(figure: Figure) -> None:
    """Give every panel its final place, at the resolution of the PNG."""
    FigureCanvasAgg(figure).draw()


def test_the_grid_holds_the_first_images_row_by_row_and_is_white_where_none_is_left() -> None:
    images = np.random.default_rng(0).integers(0, 255, (9, 5, 7, 3), np.uint8)  # higher than wide; no white
    sheet = tile(grid(images, 2, 3), 4)
    assert sheet.dtype == np.uint8 and sheet.shape == (2 * 9 - 4, 3 * 11 - 4, 3)
    found = [sheet[r * 9 :][:5, c * 11 :][:, :7] for r in range(2) for c in range(3)]
    assert np.array_equal(np.stack(found), images[:6])
    assert (sheet != 255).sum() == images[:6].size  # all else is white
    few = tile(grid(images[:5], 2, 3))
    assert (few != 255).sum() == images[:5].size and (few[6:, 16:] == 255).all()


def test_a_divided_sheet_holds_every_image_and_wider_lines_where_it_is_divided() -> None:
    images = np.random.default_rng(0).integers(0, 255, (2, 4, 5, 7, 3), np.uint8)
    sheet = tile(images, gap=2, divided_after=(0, 2))
    assert sheet.shape == (5 + 2 + 5, 4 * 7 + 6 + 2 + 6, 3)
    lefts = (0, 13, 22, 35)
    assert all(np.array_equal(sheet[7 * r :][:5, left:][:, :7], images[r, c]) for r in range(2) for c, left in enumerate(lefts))
    assert (sheet != 255).sum() == images.size


def test_bytes_depend_on_the_samples_and_on_neither_process_day_flag_nor_the_users_settings(folder: Path) -> None:
    narrow(folder)
    assert main([*COMMAND, "one"]) == 0
    Path("matplotlibrc").write_text("font.family: monospace\nsavefig.facecolor: yellow\naxes.titlecolor: red\n")
    surroundings = {"PYTHONHASHSEED": "12345", "SOURCE_DATE_EPOCH": "86400", "TZ": "Asia/Tokyo", "MATPLOTLIBRC": f"{folder}/matplotlibrc"}
    command = [sys.executable, "-m", "pga", *COMMAND, "two", "--allow-missing"]
    done = subprocess.run(command, env={**os.environ, "PYTHONPATH": str(Path(__file__).parents[2]), **surroundings}, capture_output=True)
    assert done.returncode == 0, done.stderr
    before = drawn(folder / "one")
    assert drawn(folder / "two") == before and not re.search(rb"CreationDate|ModDate", Path("one/figure2.pdf").read_bytes())
    other = of_disk("cifar10", "vpga")
    other[63, 0, 0, 0] ^= 0xFF  # one value of the last image that is shown
    place_samples("cifar10", "vpga", other)
    assert main([*COMMAND, "three"]) == 0
    after = drawn(folder / "three")
    assert [ending for ending in before if before[ending] != after[ending]] == ["png", "pdf"]  # its caption says the same


@pytest.mark.parametrize("width", [3.25, 6.75])
def test_every_file_has_the_size_that_it_has_in_a_paper_and_says_what_it_is_of(width: float, folder: Path) -> None:
    narrow(folder, width)
    assert main([*COMMAND, "out"]) == 0
    found = sources()
    said = found.record(caption := samples_figure.draw(found).caption, figure_code("panels"))
    with Image.open("out/figure2.png") as png:
        assert png.size[0] / png.info["dpi"][0] == pytest.approx(width, rel=1e-3) and round(png.info["dpi"][0]) >= 300
        assert (png.info["Title"], png.info["Description"]) == ("Figure 2, for the tests", caption)
        height = png.size[1] / png.info["dpi"][0]
        assert png.info["Comment"] == said.text()
    runs = said.runs
    assert runs.keys() == {f"{run[0]}/{run[1]}/seed{seed}" for run in itertools.product(DATASETS, MODELS) for seed in range(3)}
    assert all((run.git.commit[:4], run.data_sha256) == ("0123", name.split("/")[0]) for name, run in runs.items())
    records = [ArtifactRecord.require_beside(Path(f"out/figure2.{ending}")) for ending in ("png", "pdf", "tex")]
    assert all(record.model_copy(update={"files": {}}) == said for record in records)
    pdf = (folder / "out" / "figure2.pdf").read_bytes()
    assert pdf.startswith(b"%PDF-") and pdf.rstrip().endswith(b"%%EOF") and b"/Title (Figure 2, for the tests)" in pdf
    [box] = re.findall(rb"/MediaBox \[ 0 0 ([\d.]+) ([\d.]+) \]", pdf)
    assert [float(side) / 72 for side in box] == pytest.approx([width, height], abs=0.01)
    latex = Path("out/figure2.tex").read_text()
    assert f"\\includegraphics[width={width}in]{{figure2}}" in latex and "\\label{fig:figure2}" in latex
    assert latex.count("\\begin{figure*}") == (width > 4) and "first 64 samples of seed 0, not picked" in latex


def test_panels_show_the_first_samples_of_the_first_seed_data_sets_down_and_models_across(folder: Path) -> None:
    figure, _ = samples_figure.draw(sources())
    places = [(dataset, model) for dataset in DATASETS for model in MODELS]
    assert len(figure.axes) == len(figure.sheets) == len(places)
    for axes, sheet, (dataset, model) in zip(figure.axes, figure.sheets, places, strict=True):
        assert sheet.axes is axes and np.array_equal(sheet.images, grid(of_disk(dataset, model)))
        assert not np.array_equal(sheet.images, grid(of_disk(dataset, model, 1)))  # so that the line above could fail
    layout(figure)
    corners = [axes.get_window_extent().p0.round(3) for axes in figure.axes]
    assert corners[0][0] == corners[2][0] < corners[1][0] == corners[3][0]
    assert corners[0][1] > corners[2][1] and corners[1][1] > corners[3][1]


@pytest.mark.parametrize(("n", "across", "down"), [(4, 4, 2), (5, 3, 4), (6, 3, 4)])
def test_many_models_stand_in_several_lines_and_their_titles_apart(n: int, across: int, down: int, folder: Path) -> None:
    for seed, value in enumerate((120.1, 130.25, 157.0)):
        write_metrics("cifar10", "vpga", seed, value)
    models = tuple(itertools.islice(itertools.cycle(MODELS), n))
    figure, _ = samples_figure.draw(sources(models=models, titles={"lpga": "β only", "vpga": "α and β, with Eq. 6"}))
    layout(figure)
    shown = [sheet.axes for sheet in figure.sheets]
    corners = np.array([axes.get_window_extent().get_points().mean(axis=0).round() for axes in shown])
    assert (len(np.unique(corners[:, 0])), len(np.unique(corners[:, 1])), len(shown)) == (across, down, 2 * n)
    assert shown[n].get_title().startswith(f"({chr(97 + n)}) CIFAR-10, β only") and corners[n][1] < corners[n - 1][1]
    boxes = [axes.title.get_window_extent().padded(1) for axes in shown]
    assert not any(one.overlaps(other) for one, other in itertools.combinations(boxes, 2))


def test_titles_hold_the_numbers_of_the_table_with_their_seeds(folder: Path) -> None:
    figure, caption = samples_figure.draw(sources())
    titles = [axes.get_title() for axes in figure.axes]
    assert titles[0] == "(a) Digits, LPGA\nclassifier FD\n2.00 ± 0.58 (n = 3)"
    assert titles[3] == "(d) CIFAR-10, VPGA_β & 5 % {x}\nclassifier FD\n7.50 ± 0.00 (n = 3)"
    assert "first 64 samples of seed 0, not picked" in caption and "seeds 0, 1, 2" in caption and "300 samples" in caption


def test_a_panel_tells_its_difference_from_another_run_seed_by_seed(folder: Path) -> None:
    """Figure 4 and its like: the pairs' mean and standard error, of a run that the figure need not show."""
    for models in (MODELS, ("vpga",)):
        found = samples_figure.draw(sources(datasets=("digits",), models=models, against="lpga"))
        titles = [axes.get_title() for axes in found.figure.axes]
        assert titles[-1].endswith("\n5.00 ± 0.58 (n = 3)\nΔ +3.00 ± 0.00")  # 4, 5, 6 against 1, 2, 3
        assert "Δ" not in titles[0] or models == ("vpga",)
        assert "Δ: difference from LPGA of runs with one seed" in found.caption
        assert found.caption.count(": +3.00 ± 0.00") == 1
        canvas.finish(found.figure)
        layout(found.figure)
        inside = found.figure.get_tightbbox()  # no text is wider than the page, above a single panel either
        assert min(inside.p0) >= -0.001 and (inside.p1 <= found.figure.get_size_inches() + 0.001).all()


@pytest.mark.parametrize("size", [10, 32, 64])
def test_every_pixel_is_a_square_of_equal_size_in_the_png_and_the_gap_is_constant(size: int, folder: Path, coarse: None) -> None:
    rng = np.random.default_rng(1)
    for model in MODELS:
        place_samples("cifar10", model, rng.integers(0, 255, (64, size, size, 3), np.uint8))
    assert main([*COMMAND, "out"]) == 0
    with Image.open("out/figure2.png") as png:
        pixels, dots = np.asarray(png.convert("RGB")), round(png.info["dpi"][0])
    figure, _ = samples_figure.draw(sources())
    canvas.finish(figure)
    gap = round(canvas.GAP * dots)
    for axes, (dataset, model) in zip(figure.axes, [(d, m) for d in DATASETS for m in MODELS], strict=True):
        images, extent = grid(of_disk(dataset, model)), axes.get_window_extent()
        times = (round(extent.width) - 7 * gap) // (8 * images.shape[3])
        assert times >= 1 and round(extent.width) == 8 * images.shape[3] * times + 7 * gap
        sheet = tile(images.repeat(times, axis=2).repeat(times, axis=3), gap)
        left, top = round(extent.x0), len(pixels) - round(extent.y1)
        seen = pixels[top : top + sheet.shape[0], left : left + sheet.shape[1]]
        assert np.array_equal(seen, np.broadcast_to(sheet, seen.shape))


@pytest.mark.parametrize("missing", ["samples.npy", "samples.json"])
def test_what_is_missing_is_refused_by_name_or_stands_on_a_partial_figure_and_is_counted_in_its_caption(
    missing: str, folder: Path, coarse: None, capsys: pytest.CaptureFixture[str]
) -> None:
    Path("results", "tiny", "digits", "vpga", "seed0", "prior", missing).unlink()
    assert main([*COMMAND, "out"]) == 1
    assert f"digits/vpga/seed0/prior/{missing}" in capsys.readouterr().err and not Path("out").exists()
    Path("results", "tiny", "cifar10", "lpga", "seed2", "prior", "metrics.json").unlink()
    assert main([*COMMAND, "out", "--allow-missing"]) == 0
    with Image.open("out/figure2.png") as png:
        assert png.info["Description"].endswith("Partial: files of 2 of 12 runs are missing.")
    figure, _ = samples_figure.draw(sources(allow_missing=True))
    assert [sheet.axes for sheet in figure.sheets] == [figure.axes[k] for k in (0, 2, 3)]
    assert [text.get_text() for text in figure.axes[1].texts] == ["missing:\ndigits/vpga seed 0"]
    assert figure.axes[2].get_title().endswith("4.50 ± 0.50 (n = 2)")


def test_what_is_of_other_code_is_refused_by_name_or_left_out_of_a_partial_figure(
    folder: Path, coarse: None, capsys: pytest.CaptureFixture[str]
) -> None:
    samples, run = (Path("results/tiny", path) for path in ("digits/vpga/seed0/prior/samples.json", "cifar10/lpga/seed2/run.json"))
    before = samples.read_bytes()
    for path, verb in ((samples, "sample"), (run, "train")):
        write_record(path, {**read_record(path), "code": f"{verb}:of an earlier version"})
        assert main([*COMMAND, "out"]) == 1
        assert re.search(f"{path.with_suffix('')}.*: made by other code: what `pga {verb}` runs", capsys.readouterr().err)
        samples.write_bytes(before)
    write_record(samples, {**read_record(samples), "code": "sample:of an earlier version"})
    assert main([*COMMAND, "out", "--allow-missing"]) == 0
    with Image.open("out/figure2.png") as png:
        assert png.info["Description"].endswith("Partial: files of 2 of 12 runs are missing, or of other code than there is now.")
    figure, _ = samples_figure.draw(sources(allow_missing=True))
    assert [text.get_text() for text in figure.axes[1].texts] == ["missing:\ndigits/vpga seed 0"]
    assert figure.axes[2].get_title().endswith("4.50 ± 0.50 (n = 2)")


def test_runs_on_other_data_than_what_is_prepared_are_refused_by_name(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    images = Path("data/processed/digits.npy")
    images.parent.mkdir(parents=True)
    images.write_bytes(b"others")
    write_prepared(images.parent, "digits")
    assert main([*COMMAND, "out"]) == 1
    assert re.search(rf"digits/vpga/seed0/run.json: .* data/processed/digits.json says {sha256(images)[:12]}…", capsys.readouterr().err)
    for path in Path("results/tiny/digits").glob("*/*/run.json"):
        write_record(path, {**read_record(path), "data_sha256": sha256(images)})
    assert main([*COMMAND, "out"]) == 0


def test_an_interrupted_figure_leaves_the_one_that_was_there(folder: Path, coarse: None, monkeypatch: pytest.MonkeyPatch) -> None:
    assert main([*COMMAND, "out"]) == 0
    before = drawn(folder / "out")
    place_samples("digits", "lpga", np.zeros((70, 8, 8, 1), np.uint8))
    savefig = Figure.savefig

    def interrupted(figure: Figure, *arguments: object, format: str, **settings: object) -> None:
        savefig(figure, *arguments, format=format, **settings)
        if format == "pdf":
            raise KeyboardInterrupt

    monkeypatch.setattr(Figure, "savefig", interrupted)
    assert main([*COMMAND, "out"]) == 130
    assert drawn(folder / "out") == before and len(list(Path("out").iterdir())) == 4


def test_samples_that_are_no_images_are_refused(folder: Path) -> None:
    path = Path("results", "tiny", "digits", "lpga", "seed0", "prior", "samples.npy")
    np.save(path, np.zeros((70, 8, 8, 1), np.float32))
    with pytest.raises(UserError, match="digits/lpga/seed0/prior/samples.npy: found float32"):
        samples_figure.draw(sources())
