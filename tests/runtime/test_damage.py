"""Stored files that are cut, altered, of another run or a trap: named and refused, and no code in them ever runs."""

from __future__ import annotations

import gzip
import hashlib
import io
import json
import pickle
import random
import re
import tarfile
import zipfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
from artifacts import measured, write_records
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from safetensors.torch import save_file
from stored import metrics_content, save_reference, write_curve_record, write_prepared
from test_fetch import a_source
from test_training import CPU, a_run, blobs

from pga.artifacts.collect import COLUMNS, collect, read_metrics, read_table
from pga.artifacts.report.report_artifacts import read
from pga.artifacts.report.rule_graph import draw, read_graph
from pga.artifacts.tables.costs_table import benchmark_seconds
from pga.data import prepared
from pga.data.celeba import archive_reader, read_partition
from pga.data.cifar10 import read_cifar10
from pga.data.datasets import load_datasets
from pga.data.fetch import fetch
from pga.data.idx import read_idx
from pga.evaluation.features.classifier import RECIPES, Classifier, ClassifierFeatures
from pga.evaluation.features.inception import load_inception
from pga.evaluation.features.load_extractor import PixelFeatures
from pga.evaluation.metrics_record import CurveRecord, MetricsRecord
from pga.evaluation.statistics import load_features, load_statistics
from pga.fingerprints.steps import sampling_code, table_code
from pga.params.claims import load_claims
from pga.params.experiment import load_experiment
from pga.params.sources import Checksum, Source, load_sources
from pga.provenance.metadata import ArtifactRecord
from pga.provenance.records import verified_curve
from pga.runtime.checkpoint import load_tensors, save_tensors
from pga.runtime.errors import UserError
from pga.runtime.files import write_record
from pga.sampling.generated import GeneratedRecord, id_of, load_measured, load_samples_of, save_samples
from pga.sampling.sample import load_networks, load_snapshots
from pga.training.loop import checkpoint_folder, load_state, train
from pga.training.run_record import RunRecord
from pga.training.trainer import Trainer

ROOT = Path(__file__).resolve().parents[2]
RUN = a_run(steps=6, snapshots=2, width=4)


@dataclass(frozen=True)
class Stored:
    """A kind of file: what writes a good one, and what reads it into something that can be compared."""

    name: str
    read: Callable[[Path], Any]
    sealed: bool = True
    """Whether a checksum covers all that is read, so that every alteration is noticed."""


def plain(value: Any) -> Any:
    """Tensors, networks and arrays as bytes."""
    if isinstance(value, torch.nn.Module):
        return plain(value.state_dict())
    if isinstance(value, dict):
        return {key: plain(part) for key, part in value.items()}
    if isinstance(value, (list, tuple)):
        return [plain(part) for part in value]
    if isinstance(value, (np.ndarray, torch.Tensor)):
        return np.asarray(value).tobytes()
    return value


STORED = {
    "model": Stored("out/model.safetensors", lambda path: load_networks(path, CPU)),
    "snapshots": Stored("out/snapshots.safetensors", lambda path: load_snapshots(path, CPU)),
    "checkpoint": Stored("state/state.safetensors", lambda path: load_state(path, [])),
    "classifier": Stored("classifier.safetensors", lambda path: ClassifierFeatures(path).model),
    "array": Stored("toy.npy", lambda path: prepared.load(path.parent, "toy")),
    "labels": Stored("toy-labels.npz", lambda path: prepared.load_labels(path.parent, "toy")),
    "provenance": Stored("toy.json", lambda path: prepared.load(path.parent, "toy")[1]),
    "statistics": Stored("reference.npz", lambda path: vars(load_statistics(path)[0])),
    "features": Stored(
        "reference-features.npy",
        lambda path: load_features(path, load_statistics(path.with_name("reference.npz"))[1], path.with_name("reference.json")),
    ),
    "inception": Stored("inception.pth", lambda path: load_inception(path, "0" * 64)),
    "cifar10": Stored("cifar.tar", lambda path: read_cifar10(path, Checksum(of="members", algorithm="md5", members={"a": "0" * 8}))),
    "samples": Stored("samples.npy", lambda path: load_samples_of(path, id_of(RUN))),
    "own images": Stored("own.npy", prepared.load_images, sealed=False),
    "idx": Stored("images.gz", read_idx),
    "samples.json": Stored("samples.json", lambda path: load_samples_of(path.with_suffix(".npy"), id_of(RUN))),
    "run.json": Stored("out/run.json", RunRecord.read),
    "metrics.json": Stored("metrics.json", MetricsRecord.read),
    "metrics.csv": Stored("metrics.csv", lambda path: read_metrics(path).to_csv(), sealed=False),
    "history.csv": Stored("out/history.csv", lambda path: read_table(path, ("step",)).to_csv(), sealed=False),
    "partition": Stored("partition.txt", read_partition, sealed=False),
    "curve.csv": Stored(
        "curve.csv", lambda path: read_table(verified_curve(path, RUN, RunRecord.model_construct(files={})), ("step",)).to_csv()
    ),
    "curve.json": Stored("curve.json", lambda path: CurveRecord.require_beside(path.with_suffix(".csv"))),
    "a table of the report": Stored("notation.csv", lambda path: shown(path).to_csv()),
    "rules.dot": Stored("rules.dot", lambda path: draw(read_graph(path)), sealed=False),
    "times of jobs": Stored("seed0.tsv", benchmark_seconds, sealed=False),
    "zip": Stored("celeba.zip", lambda path: list(archive_reader(path, JPEGS)(JPEGS))),
    **{f"tar.{kind}": Stored(f"archive/a.tar.{kind}", lambda path: fetched(path, MEMBERS)) for kind in ("gz", "bz2", "xz")},
    "gzip": Stored("archive/a.gz", lambda path: fetched(path, {"of": "content", "value": hashlib.sha256(b"abc").hexdigest()})),
}

JPEGS = ["000001.jpg", "000002.jpg"]
MEMBERS = {"of": "members", "members": {"b/a": hashlib.sha256(b"abc").hexdigest()}}


def shown(path: Path) -> pd.DataFrame:
    """A table that the report shows, below the results of an experiment."""
    found = read(SimpleNamespace(results=path.parent), path.stem, {})  # type: ignore[arg-type]
    if found is None:
        raise UserError(f"{path}: not there")
    return found[0]


def fetched(path: Path, checksum: dict[str, Any]) -> bool:
    """Whether a download that is there is the one that is meant."""
    row = {"urls": ["http://127.0.0.1:1/"], "mirror": [], "max_size": 1000, "checksum": {"algorithm": "sha256", **checksum}}
    source = Source.model_validate({"description": "A toy", "licence": "none", "citation": "-", "files": {path.name: row}})
    if not path.exists():
        raise UserError(f"{path}: would be fetched")
    return fetch(path.parent.name, source, path.name, path.parent.parent).exists()


@pytest.fixture(scope="module")
def good(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with one good file of each kind."""
    folder = tmp_path_factory.mktemp("good")
    train(RUN, blobs(), "data", "code", CPU, folder / "out", folder / "scratch")
    state = checkpoint_folder(folder, RUN, "data", "code", CPU)
    trainer = Trainer(RUN, blobs(), CPU)
    trainer.advance()
    tensors, record = trainer.state()
    save_tensors(state / "state.safetensors", tensors, {**record, "of": "state"})
    state.rename(folder / "state")
    recipe = RECIPES[8, 1]
    about = dict(size=8, channels=1, classes=10, accuracy=1.0, required_accuracy=0.9, majority=0.1, features=recipe.features)
    save_tensors(folder / "classifier.safetensors", Classifier(8, 1, 10, recipe).state_dict(), about)
    np.save(folder / "toy.npy", blobs())
    labels = np.arange(100) % 10
    np.savez(folder / "toy-labels.npz", train=labels, test=labels)
    write_prepared(folder, "toy")
    save_reference(folder / "reference.npz", PixelFeatures(), np.eye(5, 2, dtype=np.float32))
    save_samples(folder / "samples.npy", blobs(20), id_of(RUN), sampling_code(RUN))
    np.save(folder / "own.npy", blobs(20))
    write_record(folder / "metrics.json", metrics_content("toy", "lpga", 3, "prior", measured("fid", 1.5)))
    (folder / "images.gz").write_bytes(__import__("kills").idx(blobs(5)))
    (folder / "metrics.csv").write_text(",".join(COLUMNS) + "\ntoy,lpga,0,prior,fid,1.5,,20,train,100,classifier,,0.9\n")
    (folder / "partition.txt").write_text("000001.jpg 0\n000002.jpg 2\n")
    (folder / "curve.csv").write_text("step,metric,value,n\n10,fid,1.5,20\n20,fid,1.25,20\n")
    write_curve_record(folder / "curve.csv", RUN)
    (folder / "notation.csv").write_text("name,symbol\nr,L_r\n")
    notation = ArtifactRecord.of("notation", load_experiment(ROOT / "params/quick.yaml"), {}, "symbols", table_code("notation"))
    notation.write_beside([folder / "notation.csv"])
    (folder / "rules.dot").write_text('digraph {\n0[label = "b"];\n1[label = "a"];\n2[label = "c"];\n1 -> 0\n0 -> 2\n1 -> 2\n}\n')
    (folder / "seed0.tsv").write_text("s\th:m:s\tmax_rss\n1.5\t0:00:01\t20.5\n2.5\t0:00:02\t-\n")
    with zipfile.ZipFile(folder / "celeba.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        for name in JPEGS:
            archive.writestr(f"img_align_celeba/{name}", name * 20)
    (folder / "archive").mkdir()
    for kind in ("gz", "bz2", "xz"):
        with tarfile.open(folder / f"archive/a.tar.{kind}", f"w:{kind}") as packed:
            member = tarfile.TarInfo("b/a")
            member.size = 3
            packed.addfile(member, io.BytesIO(b"abc"))
    (folder / "archive/a.gz").write_bytes(gzip.compress(b"abc", mtime=0))
    (folder / "inception.pth").write_bytes(pickle.dumps({}))
    (folder / "cifar.tar").write_bytes(b"")
    return folder


class Payload:
    """Makes a file when it is unpickled."""

    def __init__(self, marker: Path):
        self.marker = marker

    def __reduce__(self) -> tuple[Any, ...]:
        return Path.touch, (self.marker,)


def refused_or_same(kind: Stored, path: Path, before: Any) -> bool:
    """Whether the file is refused by name; where it is not, it must say what it said before. Anything else raised is a failure."""
    try:
        found = kind.read(path)
    except UserError as error:
        named = path.name.split(".")[0] in str(error)
    else:
        assert not kind.sealed or plain(found) == before
        return False
    assert named
    return True


def read_before(kind: Stored, path: Path) -> Any:
    try:
        return plain(kind.read(path))
    except UserError:  # Inception's weights and CIFAR-10 are not at hand: only refusals can be seen
        return None


@pytest.mark.parametrize("name", STORED)
def test_a_file_that_was_cut_or_altered_is_refused_or_says_the_same(name: str, good: Path) -> None:
    kind, rng = STORED[name], random.Random(name)
    path = good / kind.name
    content, before = path.read_bytes(), read_before(kind, path)
    try:
        for _ in range(60):
            place = rng.randrange(len(content) or 1)
            flipped = bytes([content[place] ^ 1 << rng.randrange(8)]) if content else b""
            damaged = content[:place], content[:place] + flipped + content[place + 1 :]
            for other in damaged:
                path.write_bytes(other)
                refused_or_same(kind, path, before)
        for start in range(0, min(len(content), 400), 7):  # heads, where the structure is
            path.write_bytes(content[:start] + rng.randbytes(4) + content[start + 4 :])
            refused_or_same(kind, path, before)
        if kind.sealed:
            for wrong in (b"", b"\0" * len(content), content[: len(content) // 2], b"no such file at all"):
                path.write_bytes(wrong)
                assert refused_or_same(kind, path, before)
    finally:
        path.write_bytes(content)


@pytest.mark.parametrize("name", STORED)
def test_a_pickle_in_the_place_of_a_file_is_refused_and_never_runs(name: str, good: Path, tmp_path: Path) -> None:
    kind = STORED[name]
    path, marker = good / kind.name, tmp_path / "ran"
    content = path.read_bytes()
    trap = pickle.dumps(Payload(marker))
    array = np.array([Payload(marker)], dtype=object)
    np.save(tmp_path / "trap.npy", array)
    np.savez(tmp_path / "trap.npz", mu=array, sigma=array, train=array, test=array)
    torch.save({"a": Payload(marker)}, tmp_path / "trap.pth")
    assert Payload(marker).__reduce__()[0] is Path.touch
    try:
        for wrong in [trap, *((tmp_path / f"trap.{kind}").read_bytes() for kind in ("npy", "npz", "pth"))]:
            path.write_bytes(wrong)
            with pytest.raises(UserError, match=path.name.split(".")[0]):
                kind.read(path)
    finally:
        path.write_bytes(content)
    assert not marker.exists()
    pickle.loads(trap)
    assert marker.exists()  # the trap is one


@pytest.mark.parametrize("name", STORED)
@pytest.mark.parametrize("what", ["absent", "a folder", "a loop"])
def test_what_is_no_file_is_named(what: str, name: str, tmp_path: Path, good: Path) -> None:
    kind = STORED[name]
    path = tmp_path / Path(kind.name).name
    others = "toy.npy toy.json toy-labels.npz reference.npz reference.json curve.csv curve.json notation.json samples.npy"
    for other in others.split():
        if other != path.name:
            (tmp_path / other).write_bytes((good / other).read_bytes())
    if what == "a folder":
        path.mkdir()
    elif what == "a loop":
        path.symlink_to(path)
    with pytest.raises(UserError, match=path.name.split(".")[0]):
        kind.read(path)


# Of another run, another version


def test_a_checkpoint_of_another_run_is_not_continued(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run, other = a_run(), a_run(seed=4)
    train(run, blobs(), "data", "code", CPU, tmp_path / "whole", tmp_path / "scratch")
    theirs, own = (checkpoint_folder(tmp_path / "scratch", one, "data", "code", CPU) for one in (other, run))
    trainer = Trainer(other, blobs(), CPU)
    trainer.advance()
    tensors, record = trainer.state()
    save_tensors(own / "state.safetensors", tensors, {**record, "of": theirs.name, "wall_s": 0.0, "resumed": []})
    train(run, blobs(), "data", "code", CPU, tmp_path / "out", tmp_path / "scratch")
    assert f"the state of {theirs.name}" in capsys.readouterr().err
    assert (tmp_path / "out/model.safetensors").read_bytes() == (tmp_path / "whole/model.safetensors").read_bytes()


@pytest.mark.parametrize("damage", ["absent", "cut", "of another step"])
def test_a_checkpoint_whose_snapshot_is_damaged_begins_again(damage: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    run = a_run()
    train(run, blobs(), "data", "code", CPU, tmp_path / "whole", tmp_path / "scratch")
    with monkeypatch.context() as patch:
        patch.setattr("pga.training.loop.write_results", lambda *_: (_ for _ in ()).throw(KeyboardInterrupt))
        with pytest.raises(KeyboardInterrupt):
            train(run, blobs(), "data", "code", CPU, tmp_path / "out", tmp_path / "scratch")
    folder = checkpoint_folder(tmp_path / "scratch", run, "data", "code", CPU)
    snapshot = folder / "snapshot002.safetensors"
    if damage == "absent":
        snapshot.unlink()
    else:
        snapshot.write_bytes(snapshot.read_bytes()[:-9] if damage == "cut" else (folder / "snapshot001.safetensors").read_bytes())
    train(run, blobs(), "data", "code", CPU, tmp_path / "out", tmp_path / "scratch")
    for name in ("model.safetensors", "snapshots.safetensors"):
        assert (tmp_path / "out" / name).read_bytes() == (tmp_path / "whole" / name).read_bytes()


def test_samples_say_of_which_run_they_are_and_other_programs_see_only_images(tmp_path: Path) -> None:
    path, images = tmp_path / "samples.npy", blobs(20)
    save_samples(path, images, id_of(RUN), sampling_code(RUN))
    assert np.array_equal(np.load(path, allow_pickle=False), images)
    assert GeneratedRecord.require_beside(path).run_id == ("toy", "lpga", 3, RUN.digest)
    before = path.read_bytes(), path.with_suffix(".json").read_bytes()
    save_samples(path, images, id_of(RUN), sampling_code(RUN))
    assert (path.read_bytes(), path.with_suffix(".json").read_bytes()) == before
    for other, named in ((a_run(seed=4, steps=6, snapshots=2, width=4), "seed 3, wanted 4"), (a_run(seed=3, steps=7), "digest '")):
        with pytest.raises(UserError, match=f"samples.npy: of another run: {named}"):
            load_samples_of(path, id_of(other))
    path.with_suffix(".json").unlink()
    with pytest.raises(UserError, match=r"samples.npy: no .*samples.json says what it is"):
        load_samples_of(path, id_of(RUN))


EVALUATED: dict[str, tuple[Callable[[Path], object], tuple[str, str, int], str]] = {
    "a flipped bit": (lambda path: path.write_bytes(flipped(path.read_bytes(), 200)), ("toy", "lpga", 3), "changed since it was made"),
    "without what it says": (lambda path: path.with_suffix(".json").unlink(), ("toy", "lpga", 3), "samples.json says what it is"),
    "of another seed": (lambda path: None, ("toy", "lpga", 4), "of another run: seed 3, wanted 4"),
    "of another model": (lambda path: None, ("toy", "vpga", 3), "of another run: model 'lpga', wanted 'vpga'"),
}


def flipped(content: bytes, place: int) -> bytes:
    return content[:place] + bytes([content[place] ^ 1]) + content[place + 1 :]


@pytest.mark.parametrize("what", EVALUATED)
def test_samples_that_are_damaged_or_of_another_run_are_not_measured(what: str, tmp_path: Path) -> None:
    spoil, who, named = EVALUATED[what]
    path = tmp_path / "lpga/seed3/prior/samples.npy"
    save_samples(path, blobs(20), id_of(RUN), sampling_code(RUN))
    write_record(tmp_path / "lpga/seed3/run.json", {"run": RUN.asdict()})
    assert np.array_equal(load_measured(path, "toy", "lpga", 3), blobs(20))
    spoil(path)
    with pytest.raises(UserError, match=f"samples.npy: .*{re.escape(named)}"):
        load_measured(path, *who)


def test_real_images_are_measured_only_as_they_were_prepared(tmp_path: Path) -> None:
    path = tmp_path / "toy-test.npy"
    np.save(path, blobs(20))
    write_prepared(tmp_path, "toy")
    assert np.array_equal(load_measured(path, "toy", "real", 0), blobs(20))
    path.write_bytes(flipped(path.read_bytes(), 200))
    with pytest.raises(UserError, match=r"toy-test.npy: changed since it was made: its SHA-256 is"):
        load_measured(path, "toy", "real", 0)


def test_a_file_of_another_version_says_so(good: Path, tmp_path: Path) -> None:
    save_file({"a": torch.zeros(2)}, tmp_path / "old.safetensors", metadata={"pga": json.dumps({"tensors": "0"})})
    with pytest.raises(UserError, match=r"old.safetensors: written by another version of this program"):
        load_tensors(tmp_path / "old.safetensors")
    tensors, record = load_tensors(good / "out/model.safetensors")
    save_tensors(tmp_path / "new.safetensors", tensors, {**record, "run": {**record["run"], "invention": 3}})
    with pytest.raises(UserError, match=r"new.safetensors: written by another version of this program .*invention"):
        load_networks(tmp_path / "new.safetensors", CPU)


NO_METRICS = ["[]", "3", "null", "{}", '{"dataset": "digits", "model": "lpga", "seed": 0}', '{"a": NaN', "[" * 100_000, "\0", "\xff"]


@pytest.mark.parametrize("content", NO_METRICS)
def test_metrics_that_are_none_are_named(content: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    experiment = load_experiment(ROOT / "params/quick.yaml")
    monkeypatch.chdir(tmp_path)
    write_records(experiment)
    for dataset_name, model, sampling in experiment.samplings_of_runs():
        for seed in experiment.seeds:
            path = tmp_path / experiment.results / dataset_name / model / f"seed{seed}" / sampling / "metrics.json"
            path.parent.mkdir(parents=True)
            path.write_bytes(content.encode("latin-1"))
    with pytest.raises(UserError, match="metrics.json"):
        collect(experiment)


# Parameter files

TABLES: dict[str, Callable[[Path], Any]] = {
    "quick.yaml": load_experiment,
    "mnist_lpga.yaml": load_experiment,
    **dict.fromkeys(("quick_terms.yaml", "quick_sweep.yaml", "quick_precision.yaml", "smoke.yaml"), load_experiment),  # extend another
    "sources.yaml": load_sources,
    "datasets.yaml": load_datasets,
    "claims.yaml": load_claims,
}
ODD = st.sampled_from(
    ["", "-", "{}", "[]", "~", "&a [*a]", "*b", "1e400", ".nan", "-.inf", "-1", "0", "1e999999", "2024-01-01", "0x1g", "'", '"', "|", "<<",
     "{a: 1, a: 2}", "[" * 9, "\0", "\x85", "é", "9" * 5000, "!!binary x", "!!set {a}", "? [a]", "true", "1_000", "0o7", "12:30:45",
     "!!python/object/apply:os.system ['touch ran']"]
)  # fmt: skip
"""What YAML may read in a way of its own."""


@pytest.mark.parametrize("name", TABLES)
@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_no_parameter_file_ends_in_a_traceback(name: str, data: st.DataObject, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    lines = (ROOT / "params" / name).read_text().splitlines()
    for _ in range(data.draw(st.integers(1, 3))):
        number = data.draw(st.integers(0, len(lines) - 1))
        line = lines[number]
        start, end = sorted((data.draw(st.integers(0, len(line))), data.draw(st.integers(0, len(line)))))
        new = data.draw(st.one_of(ODD, st.text(max_size=6)))
        if ":" in line and data.draw(st.booleans()):  # a value, whole
            start, end = line.index(":") + 1, len(line)
            new = " " + new
        lines[number] = line[:start] + new + line[end:]
    path = tmp_path / name
    path.write_bytes("\n".join(lines).encode("utf-8", "surrogatepass"))
    for other in (ROOT / "params").glob("*.yaml"):  # what it may extend
        if other.name != name and not (tmp_path / other.name).exists():
            (tmp_path / other.name).write_bytes(other.read_bytes())
    named = True
    try:
        TABLES[name](path)
    except UserError as error:
        named = name in str(error)
    assert named
    assert not (tmp_path / "ran").exists()


def test_scales_that_extend_each_other_are_named(tmp_path: Path) -> None:
    for one, other in (("a", "b"), ("b", "a"), ("self", "self"), ("list", "[]"), ("nothing", "")):
        (tmp_path / f"{one}.yaml").write_text(f"extends: {other}\nresults: results/{one}\n")
    for name, said in (
        ("a", "extends itself (a → b → a)"),
        ("self", "extends itself (self → self)"),
        ("list", "extends: found []: accepted is text"),
        ("nothing", "description: is missing"),
    ):
        with pytest.raises(UserError, match=re.escape(said)) as refused:
            load_experiment(tmp_path / f"{name}.yaml")
        assert f"{name}.yaml" in str(refused.value)


@pytest.mark.parametrize("name", TABLES)
@settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(content=st.binary(max_size=60))
def test_no_bytes_are_taken_for_parameters(name: str, content: bytes, tmp_path: Path) -> None:
    (tmp_path / name).write_bytes(content)
    with pytest.raises(UserError, match=name):
        TABLES[name](tmp_path / name)


def test_sources_accept_no_other_scheme() -> None:
    for url in ("file:///etc/passwd", "ftp://a/b", "a/b", "https:/a", "javascript:1"):
        with pytest.raises(ValueError, match="urls"):
            a_source(url)
