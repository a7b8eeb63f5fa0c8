"""`pga provenance`: from every kind of file back to the sources, and what does not agree is named."""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from artifacts import measured, record, write_records
from matplotlib.figure import Figure
from PIL import Image
from stored import metrics_content, write_curve_record, write_prepared
from test_tables import CLAIMS, SCALE, metrics

from pga.artifacts.collect import rows_of
from pga.artifacts.figures import canvas
from pga.artifacts.report.report_artifacts import checked_record
from pga.artifacts.report.report_runs import facts
from pga.cli import VERBS, main
from pga.evaluation.metrics_record import CurveRecord, SpaceId
from pga.evaluation.statistics import StatisticsRecord, load_statistics
from pga.fingerprints.steps import figure_code, reference_code, sampling_code, training_code
from pga.params.experiment import load_experiment
from pga.provenance.metadata import ArtifactRecord
from pga.provenance.records import Place, checked, verified_curve
from pga.runtime.checkpoint import save_tensors
from pga.runtime.errors import UserError
from pga.runtime.files import read_record, sha256, write_record
from pga.sampling.generated import id_of, load_measured, load_samples_of, save_samples
from pga.training.run_record import Acceptance, RunRecord

PLACES = [Place("digits", "lpga", 0), Place("digits", "vpga", 0)]


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory, root: Path) -> Path:
    """Runs of the tiny experiment on prepared digits, which nothing changes."""
    folder = tmp_path_factory.mktemp("made")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        Path("tiny.yaml").write_text(SCALE)
        Path("claims.yaml").write_text(CLAIMS)
        shutil.copytree(root / "params", "params")
        assert main(["prepare", "digits"]) == 0
        write_records(load_experiment("tiny.yaml"))
        for place in PLACES:
            write_record(Path("results/tiny", str(place), "run.json"), of(place))
    return folder


@pytest.fixture
def folder(made: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy of them to change; the current folder."""
    monkeypatch.chdir(shutil.copytree(made, tmp_path / "copy"))
    return tmp_path / "copy"


def of(place: Place, **changes: object) -> dict:
    return record(load_experiment("tiny.yaml"), place, **{"data_sha256": sha256("data/processed/digits.npy"), **changes})


def draw(caption: str = "Samples (of “digits”) \\ 5 % (more)") -> ArtifactRecord:
    """figure2.png and .pdf of the two runs; returns what is said of them."""
    records = {str(place): RunRecord.model_validate(of(place)) for place in PLACES}
    record = ArtifactRecord.of("figure2", load_experiment("tiny.yaml"), records, caption, figure_code("panels"), {"seeds": [0]})
    figure = Figure(figsize=(1, 1))
    figure.subplots().plot([0, 1])
    canvas.save(figure, Path("out"), record)
    return record


def printed(capsys: pytest.CaptureFixture[str], path: str, status: int = 0) -> str:
    capsys.readouterr()
    assert main(["provenance", path]) == status
    return capsys.readouterr().out


def test_a_png_and_a_pdf_name_their_runs_for_whoever_has_them_alone(folder: Path) -> None:
    text = draw().text()
    with Image.open("out/figure2.png") as image:
        assert image.info["Comment"] == text
    assert json.loads(text)["runs"].keys() == {str(place) for place in PLACES}
    assert of(PLACES[0])["digest"].encode() in Path("out/figure2.pdf").read_bytes()


def test_a_figure_leads_to_its_runs_their_data_and_its_source(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    draw()
    said = [re.sub(r"\n +", "\n", printed(capsys, f"out/figure2.{ending}")) for ending in ("json", "png", "pdf", "tex")]
    shown = said[0]
    assert all(text.endswith(shown) for text in said)  # of each file the same
    for place in PLACES:
        assert f"run {place}: parameters {of(place)['digest'][:12]}, commit 0123456789abcdef" in shown
        assert f"results/tiny/{place}/run.json: 300 steps in 10.0 s" in shown
    assert f"data digits (train): SHA-256 {sha256('data/processed/digits.npy')}" in shown and "comes with scikit-learn" in shown
    assert "1,437 training and 360 test images of 8×8×1" in shown


def test_a_figure_tells_its_runs_without_the_results(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    draw()
    shutil.rmtree("results")
    shutil.rmtree("data")
    shown = printed(capsys, "out/figure2.png")
    assert "commit 0123456789abcdef" in shown and "results/tiny/digits/lpga/seed0/run.json: not here" in shown
    assert "`pga prepare digits` makes it" in shown


@pytest.mark.parametrize("ending", ["png", "pdf", "tex", "json"])
def test_no_byte_of_a_figure_or_of_what_is_said_of_it_can_change_unseen(ending: str, folder: Path) -> None:
    said = draw()
    path = Path("out/figure2").with_suffix(f".{ending}")
    content = path.read_bytes()
    altered = [
        content[:place] + bytes([content[place] ^ 1]) + content[place + 1 :] for place in range(0, len(content), len(content) // 100)
    ]
    for other in (*altered, content + b"x", content[:-2]):
        path.write_bytes(other)
        with pytest.raises(UserError):
            ArtifactRecord.require_beside(Path("out/figure2.png" if ending == "json" else path))
    path.write_bytes(content)
    found = ArtifactRecord.require_beside(Path("out/figure2.png"))
    assert found.files.keys() == {"figure2.png", "figure2.pdf", "figure2.tex"} and found.model_copy(update={"files": {}}) == said


def test_a_figure_that_was_painted_over_or_lies_alone_is_no_figure_of_ours(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    draw()
    shutil.copy("out/figure2.png", "alone.png")
    with Image.open("out/figure2.png") as image:
        image.putpixel((5, 5), (255, 0, 0, 255))
        image.save("out/figure2.png")
    assert main(["provenance", "out/figure2.png"]) == 1
    assert "out/figure2.png: changed since it was made: its SHA-256 is" in capsys.readouterr().err
    assert main(["provenance", "alone.png"]) == 1 and "its origin is not recorded" in capsys.readouterr().err


def test_what_was_made_of_other_runs_than_there_are_now_is_a_problem(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    draw()
    write_record(Path("results/tiny", str(PLACES[1]), "run.json"), of(PLACES[1], code="another", wall_s=99.0))
    shown = printed(capsys, "out/figure2.png", status=1)
    [problem] = [line for line in shown.splitlines() if "PROBLEM" in line]
    assert str(PLACES[1]) in problem and "(code differ)" in problem


READERS = {
    "sample": "--run {run} --out x.npy",
    "interpolate": "--run {run} --out x.npy",
    "reconstruct": "--run {run} --out-dir x",
    "curve": "--run {run}/snapshots.safetensors --extractor pixels --reference-images data/processed/digits.npy --out x.csv",
    "evaluate": "--samples {run}/prior/samples.npy --dataset digits --model vae --seed 0 --out x.json",
    "neighbours": "digits --samples {run}/prior/samples.npy --extractor pixels --out x.npy",
    "collect": "--params tiny.yaml --out x.csv",
    "summary": "digits --params tiny.yaml --out x",
    "table": "costs --params tiny.yaml --out-dir x",
    "report": "--params tiny.yaml --out x.html",
}
OTHER_VERBS = {
    "fetch", "prepare", "params", "classifier", "reference",  # read no run
    "train",  # makes it again
    "export",  # passes on what there is, with its record
    "accept", "provenance",  # say what is the matter
    "figure",  # tests/artifacts/test_figures.py
}  # fmt: skip


@pytest.mark.parametrize("verb", READERS)
def test_every_reader_of_a_run_refuses_other_code_by_name(verb: str, folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write_records(load_experiment("tiny.yaml"), code="train:of an earlier version")
    run = Path("results/tiny/digits/vae/seed0")
    write_record(run / "prior/metrics.json", {})
    command = [verb, *READERS[verb].format(run=run).split()]
    assert main(command) == 1
    assert re.search("/run.json: made by other code: what `pga train` runs has changed since", capsys.readouterr().err)
    assert not list(Path().glob("x*"))
    for path in Path("results").rglob("run.json"):
        record = RunRecord.read(path)
        accepted = Acceptance(code=training_code(record.run), because="it is the same", git=record.git)
        record.model_copy(update={"accepted": (accepted,)}).write(path)
    main(command)  # of what the test has not made it may complain
    assert "other code" not in capsys.readouterr().err


def test_what_was_exported_is_of_use_whatever_the_code(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write_records(load_experiment("tiny.yaml"), code="train:of an earlier version")
    run = Path("results/tiny/digits/vae/seed0")
    (run / "config.json").write_text("{}")
    assert main(["sample", "--run", str(run), "--out", "x.npy"]) == 1
    assert "model.safetensors: no such file" in capsys.readouterr().err


def test_every_verb_is_known_to_read_runs_or_not() -> None:
    assert set(READERS) == set(VERBS) - OTHER_VERBS


ACCEPT = ["accept", "--params", "tiny.yaml", "--because"]


def test_an_accepted_run_says_so_until_the_code_is_another_again(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path, experiment = Path("results/tiny", str(PLACES[0]), "run.json"), load_experiment("tiny.yaml")
    write_record(path, of(PLACES[0], code="train:of an earlier version"))
    with pytest.raises(UserError, match="made by other code.*`pga accept`"):
        checked(path, experiment, PLACES[0])
    assert "PROBLEM: " + str(path) + ": of other code than there is now" in printed(capsys, str(path), status=1)
    untouched = RunRecord.read(Path("results/tiny", str(PLACES[1]), "run.json"))
    assert main([*ACCEPT, "a log line more", str(path.parent), str(path)]) == 0
    assert f"{path}: accepted" in capsys.readouterr().out
    record = checked(path, experiment, PLACES[0])
    assert record == RunRecord.model_validate(of(PLACES[0], code="train:of an earlier version", accepted=record.accepted))
    assert "accepted as of the code of commit" in printed(capsys, str(path)) and "a log line more" in printed(capsys, str(path))
    assert main([*ACCEPT, "once more", str(path.parent)]) == 0 and "nothing to accept" in capsys.readouterr().out
    assert RunRecord.read(path) == record and RunRecord.read(Path("results/tiny", str(PLACES[1]), "run.json")) == untouched
    later = record.accepted[0].model_copy(update={"code": "train:of a later version"})
    record.model_copy(update={"accepted": (later,)}).write(path)
    with pytest.raises(UserError, match="made by other code"):
        checked(path, experiment, PLACES[0])
    record.write(path)
    shown = ArtifactRecord.of("figure2", experiment, {str(PLACES[0]): record}, "A figure.", figure_code("panels"))
    assert shown.runs[str(PLACES[0])].accepted == record.accepted
    assert ("Accepted as of the code of commit", "a log line more") in [(key[:33], value) for key, value in facts(record)]


@pytest.mark.parametrize(
    "changes, said",
    [
        ({"digest": "0" * 64}, "trained with other parameters than the experiment's"),
        ({"data_sha256": "0" * 64}, "of data with SHA-256 000000000000"),
        ({"files": {"model.safetensors": "0" * 64}}, "model.safetensors: no such file"),
    ],
)
def test_a_run_of_other_parameters_data_or_bytes_is_not_accepted(
    changes: dict[str, object], said: str, folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    files = [Path("results/tiny", str(place), "run.json") for place in PLACES]
    for path, place, own in zip(files, PLACES, ({}, changes), strict=True):
        write_record(path, of(place, code="train:of an earlier version", **own))
    before = [path.read_bytes() for path in files]
    assert main([*ACCEPT, "it is the same", *(str(path.parent) for path in files)]) == 1
    assert said in capsys.readouterr().err and [path.read_bytes() for path in files] == before
    assert main([*ACCEPT, " ", "results"]) == 1 and "--because: found no text" in capsys.readouterr().err
    assert main([*ACCEPT, "it is the same", "results/nosuch"]) == 1 and "results/nosuch: holds no run.json" in capsys.readouterr().err


def test_a_record_of_before_kinds_acceptances_and_gpus_is_read(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    older = {key: value for key, value in of(PLACES[0]).items() if key not in ("kind", "accepted", "peak_gpu_memory_bytes")}
    path = Path("results/tiny", str(PLACES[0]), "run.json")
    write_record(path, older)
    assert checked(path, load_experiment("tiny.yaml"), PLACES[0]) == RunRecord.model_validate(of(PLACES[0]))
    assert f"run {PLACES[0]} ({path})" in printed(capsys, str(path))


def test_what_other_code_made_of_a_run_is_refused_by_name_until_it_is_accepted(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run, place, figure = load_experiment("tiny.yaml").run(*PLACES[0]), run_folder(), Path("out/figure2.png")
    samples, curve, statistics, numbers = (
        place / "prior/samples.npy",
        place / "curve.csv",
        Path("of-train.npz"),
        place / "prior/metrics.json",
    )
    save_samples(samples, np.zeros((2, 8, 8, 1), np.uint8), id_of(run), "sample:of an earlier version")
    older = {"code": "evaluate:of an earlier version", "inputs": {"samples": sha256(samples)}}
    write_record(numbers, {**metrics_content("digits", "lpga", 0, "prior", measured("classifier_fd", 1.0)), **older})
    curve.write_text("step,metric,value,n\n10,classifier_fd,2.5,200\n")
    CurveRecord(**id_of(run)._asdict(), code="curve:of an earlier version", inputs={}, extractors=[]).write_beside([curve])
    np.savez(statistics, mu=np.zeros(2), sigma=np.eye(2))
    of_images = {"dataset": "digits", "split": "train", "data_sha256": sha256("data/processed/digits.npy"), "n": 5}
    space = SpaceId("classifier", "d" * 64, 0.9)
    StatisticsRecord(**of_images, code="reference:of an earlier version", extractor=space).write_beside([statistics])
    draw().model_copy(update={"code": "figure:of an earlier version"}).write_beside([figure])
    record = RunRecord.read(place / "run.json")
    readers: dict[Path, list[Callable[[], object]]] = {
        samples: [lambda: load_measured(samples, *PLACES[0]), lambda: load_samples_of(samples, id_of(run))],
        numbers: [lambda: rows_of(numbers, {"dataset": "digits", "model": "lpga", "seed": 0, "sampling": "prior"})],
        curve: [lambda: verified_curve(curve, run, record)],
        statistics: [lambda: load_statistics(statistics)],
        figure: [lambda: checked_record(figure, {})],
    }
    for path, calls in readers.items():
        for call in calls:
            with pytest.raises(UserError, match=f"{path}: made by other code: what `pga .*has changed since"):
                call()
        found = printed(capsys, str(path), status=1)
        assert f"PROBLEM: {path.with_suffix('.json')}: of other code than there is now" in found
    assert main(["neighbours", "digits", "--samples", str(samples), "--extractor", "pixels", "--out", "x.npy"]) == 1
    assert f"{samples}: made by other code: what `pga sample`" in capsys.readouterr().err
    times = {path: path.with_suffix(".json").stat().st_mtime_ns for path in readers}
    assert main([*ACCEPT, "a log line more", str(place), "out", str(statistics.with_suffix(".json"))]) == 0
    assert capsys.readouterr().out.count(": accepted as of the code of now") == len(readers)
    for path, calls in readers.items():
        for call in calls:
            call()
        assert "a log line more" in printed(capsys, str(path))
    assert times == {path: path.with_suffix(".json").stat().st_mtime_ns for path in readers}, "or the workflow makes all again"
    later = load_experiment("tiny.yaml").run(*PLACES[1])
    save_samples(samples, np.zeros((2, 8, 8, 1), np.uint8), id_of(later), "sample:of an earlier version")
    assert main([*ACCEPT, "it is the same", str(place)]) == 1 and "samples.json: of another run than" in capsys.readouterr().err


def test_a_table_leads_to_its_runs(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    metrics().to_csv("metrics.csv", index=False)
    arguments = ["--params", "tiny.yaml", "--metrics", "metrics.csv", "--claims", "claims.yaml", "--out-dir", "out", "--data", "elsewhere"]
    write_records(load_experiment("tiny.yaml"))
    assert main(["table", "table1", *arguments]) == 0
    for ending in ("csv", "md", "tex", "json"):
        shown = printed(capsys, f"out/table1.{ending}", status=1)  # its runs are of other digits than are prepared here
        assert shown.count("  run ") == 7 * 3
        assert "PROBLEM: data/processed/digits.json: by now of other images" in shown


def run_folder() -> Path:
    return Path("results/tiny", str(PLACES[0]))


def test_the_files_of_a_run_lead_to_its_parameters_and_data(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run = load_experiment("tiny.yaml").run(*PLACES[0])
    save_tensors(run_folder() / "model.safetensors", {"a": torch.ones(2)}, {"run": run.asdict(), "step": 1})
    save_samples(run_folder() / "prior/samples.npy", np.zeros((2, 8, 8, 1), np.uint8), id_of(run), sampling_code(run))
    inputs = {"samples": sha256(run_folder() / "prior/samples.npy"), "reference classifier": "0" * 64}
    content = metrics_content("digits", "lpga", 0, "prior", measured("classifier_fd", 1.0))
    write_record(run_folder() / "prior/metrics.json", {**content, "inputs": inputs})
    files = {name: sha256(run_folder() / name) for name in ("model.safetensors",)}
    write_record(run_folder() / "run.json", of(PLACES[0], files=files))
    for file in ("run.json", "model.safetensors", "prior/samples.npy", "prior/metrics.json"):
        shown = printed(capsys, str(run_folder() / file))
        assert '"gamma": 0.015' in shown and "learning_rate 0.1" in shown and "comes with scikit-learn" in shown
    assert "samples: results/tiny/digits/lpga/seed0/prior/samples.npy" in shown and "features: classifier" in shown
    curve = run_folder() / "curve.csv"
    curve.write_text("step,metric,value,n\n10,classifier_fd,2.5,200\n")
    snapshots = run_folder() / "snapshots.safetensors"
    save_tensors(snapshots, {"a": torch.ones(2)}, {"run": run.asdict()})
    write_curve_record(curve, run, {"snapshots": sha256(snapshots)})
    for file in (curve, curve.with_suffix(".json")):
        assert f"snapshots: {snapshots}, SHA-256 {sha256(snapshots)[:12]}…" in printed(capsys, str(file))
    curve.write_text(curve.read_text().replace("2.5", "1.5"))
    assert main(["provenance", str(curve)]) == 1
    assert f"{curve}: changed since it was made" in capsys.readouterr().err


def test_metrics_of_other_samples_and_a_model_of_another_run_are_problems(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    other = load_experiment("tiny.yaml").run(*PLACES[1])
    model, samples, history = (run_folder() / name for name in ("model.safetensors", "prior/samples.npy", "history.csv"))
    save_tensors(model, {"a": torch.ones(2)}, {"run": other.asdict(), "step": 1})
    history.write_text("step")
    write_record(run_folder() / "run.json", of(PLACES[0], files={"history.csv": "0" * 64, "model.safetensors": sha256(model)}))
    assert f"PROBLEM: {model}: its own record is of another run" in printed(capsys, str(model), status=1)
    assert f"PROBLEM: {history}: changed since it was made" in printed(capsys, str(history), status=1)
    save_samples(samples, np.zeros((2, 8, 8, 1), np.uint8), id_of(other), sampling_code(other))
    assert "PROBLEM: results/tiny/digits/lpga/seed0/prior/samples.json: of another run: model 'vpga', wanted 'lpga'" in printed(
        capsys, str(samples), status=1
    )
    content = metrics_content("digits", "lpga", 0, "prior", measured("classifier_fd", 1.0))
    write_record(run_folder() / "prior/metrics.json", {**content, "inputs": {"samples": "0" * 64}})
    assert "PROBLEM: samples: none of" in printed(capsys, str(run_folder() / "prior/metrics.json"), status=1)


def of_real(split: str, **changes: object) -> Path:
    """Metrics of real images and the statistics that they name, as the workflow lays them down."""
    statistics = Path(f"data/reference/digits/classifier-{split}.npz")
    statistics.parent.mkdir(parents=True)
    images = {name: f"data/processed/digits{'' if name == 'train' else '-test'}.npy" for name in ("train", "test")}
    np.savez(statistics, mu=np.zeros(2), sigma=np.eye(2))
    space = SpaceId("classifier", "d" * 64, 0.9)
    of_images = {"dataset": "digits", "split": split, "data_sha256": sha256(images[split])}
    content = {**of_images, "code": reference_code(), "extractor": space, "n": 5, **changes}
    StatisticsRecord.model_validate(content).write_beside([statistics])
    path = Path("results/tiny/digits/real/seed0/prior/metrics.json")
    found = metrics_content("digits", "real", 0, "prior", measured("classifier_fd", 1.0, reference=split, n=5))
    other = images["test" if split == "train" else "train"]
    write_record(path, {**found, "inputs": {"samples": sha256(other), "reference classifier": sha256(statistics)}})
    return path


@pytest.mark.parametrize("split, other", [("train", "digits-test.npy"), ("test", "digits.npy")])
def test_metrics_of_real_images_lead_to_both_splits_and_their_source(
    split: str, other: str, folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    shown = printed(capsys, str(of_real(split)))
    assert "real images of digits in the samples' place, drawn from seed 0" in shown
    assert f"samples: data/processed/{other}, SHA-256 {sha256(f'data/processed/{other}')[:12]}" in shown
    assert f"reference classifier: data/reference/digits/classifier-{split}.npz" in shown and f"of 5 {split} images" in shown
    assert "features: classifier" in shown and "comes with scikit-learn" in shown
    assert "comes with scikit-learn" in printed(capsys, f"data/reference/digits/classifier-{split}.npz")
    np.save(f"data/processed/{other}", np.zeros((2, 8, 8, 1), np.uint8))
    assert "PROBLEM: samples: none of" in printed(capsys, "results/tiny/digits/real/seed0/prior/metrics.json", status=1)


def test_a_reference_of_other_images_or_of_another_tool_is_said_to_be_one(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = of_real("train", data_sha256="0" * 64)
    assert "PROBLEM: data/processed/digits.json: by now of other images" in printed(capsys, str(path), status=1)
    write_record(path, {**read_record(path), "inputs": {"foreign classifier": "f" * 64}})
    assert "foreign classifier: SHA-256 ffffffffffff…, of another tool" in printed(capsys, str(path))


def test_prepared_data_lead_to_downloads_with_licence_and_address(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    raw = Path("data/raw/mnist/train-labels-idx1-ubyte.gz")
    raw.parent.mkdir(parents=True)
    raw.write_bytes(b"labels")
    np.save("data/processed/mnist.npy", np.zeros((4, 28, 28, 1), np.uint8))
    sources = {raw.name: sha256(raw), "train-images-idx3-ubyte.gz": "0" * 64}
    write_prepared("data/processed", "mnist", parameters={"kind": "idx", "source": "mnist", "pad": 0}, sources=sources)
    shown = printed(capsys, "data/processed/mnist.json")
    assert shown.count("source mnist/") == 2 and "Licence: CC BY-SA 3.0" in shown
    assert "https://ossci-datasets.s3.amazonaws.com/mnist/train-images-idx3-ubyte.gz" in shown
    assert "md5 of its content 6bbc9ace898e44ae57da46a324031adb" in shown
    shown = printed(capsys, str(raw))
    assert sha256(raw) in shown and "Licence" in shown
    for file in ("digits.npy", "digits-test.npy", "digits-labels.npz", "digits.json"):
        assert "comes with scikit-learn" in printed(capsys, f"data/processed/{file}")
    np.save("data/processed/digits-test.npy", np.zeros((2, 8, 8, 1), np.uint8))
    said = printed(capsys, "data/processed/digits-test.npy", status=1)
    assert "PROBLEM: data/processed/digits-test.npy: changed since it was made" in said


def other_snapshots(curve: Path) -> None:
    """Make the run of a curve one with other snapshots."""
    path = curve.with_name("run.json")
    write_record(path, {**read_record(path), "files": {"snapshots.safetensors": "1" * 64}})


CURVES = {
    "of another run": (lambda path: write_curve_record(path, load_experiment("tiny.yaml").run("digits", "lpga", 1)), "seed 1, wanted 0"),
    "without its record": (lambda path: path.with_suffix(".json").unlink(), "curve.json says what it is"),
    "of another training": (other_snapshots, "made from another snapshots.safetensors than the run has now"),
}


@pytest.mark.parametrize("what", CURVES)
def test_a_curve_that_is_not_of_its_run_is_refused(what: str, folder: Path) -> None:
    spoil, said = CURVES[what]
    path, run = run_folder() / "curve.csv", load_experiment("tiny.yaml").run(*PLACES[0])
    path.write_text("step,metric,value,n\n10,classifier_fd,2.5,200\n")
    write_curve_record(path, run, {"snapshots": "0" * 64})
    assert verified_curve(path, run, RunRecord.read(path.with_name("run.json"))) == path
    spoil(path)
    with pytest.raises(UserError, match=rf"{path}: .*{said}"):
        verified_curve(path, run, RunRecord.read(path.with_name("run.json")))


ALTERED = {
    "a digit": lambda text: text.replace('"n_train": 1437', '"n_train": 1438'),
    "cut": lambda text: text[: len(text) // 2],
    "empty": lambda text: "{}",
    "of another kind": lambda text: '{"sha256": 3}',
}


@pytest.mark.parametrize("what", ALTERED)
def test_what_prepared_data_say_of_themselves_is_refused_by_every_reader_when_it_was_altered(
    what: str, folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = Path("data/processed/digits.json")
    draw()
    path.write_text(ALTERED[what](path.read_text()))
    run = str(run_folder() / "run.json")
    metrics().to_csv("metrics.csv", index=False)
    table = ["table", "table1", "--params", "tiny.yaml", "--metrics", "metrics.csv", "--claims", "claims.yaml", "--out-dir", "out"]
    train = ["train", "--params", "tiny.yaml", "--dataset", "digits", "--model", "lpga", "--seed", "0", "--out", "run"]
    for arguments in (["provenance", str(path)], ["provenance", run], ["provenance", "out/figure2.png"], table, train):
        assert main(arguments) == 1
        assert f"error: {path}: " in capsys.readouterr().err, arguments


@pytest.mark.parametrize(
    "file, said",
    [("nosuch.png", "no such file"), ("results", "a folder"), ("tiny.yaml", "its origin is not recorded")],
)
def test_a_file_that_it_does_not_know_is_named(file: str, said: str, folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["provenance", file]) == 1
    message = capsys.readouterr().err
    assert f"pga provenance: error: {file}: {said}" in message and message.count("\n") == 1
