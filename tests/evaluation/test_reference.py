"""Statistics of features: exact whatever the batches, files that say what they are of, and mismatches that are refused."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from stored import load_reference, save_reference, write_prepared
from test_frechet import from_features

from pga.cli import main
from pga.evaluation import protocol
from pga.evaluation.features.classifier import ClassifierFeatures, train_classifier
from pga.evaluation.features.extractor import stream
from pga.evaluation.metrics_record import ClassifierRecord, Measurement
from pga.evaluation.protocol import Space, random_subset
from pga.evaluation.statistics import StatisticsRecord, load_statistics
from pga.fingerprints.steps import classifier_code, evaluation_code, neighbours_code, reference_code
from pga.metrics.frechet import frechet_distance
from pga.metrics.moments import Statistics, statistics
from pga.metrics.sharpness import sharpness
from pga.metrics.sliced_wasserstein import sliced_wasserstein_distance
from pga.runtime.checkpoint import load_tensors, save_tensors
from pga.runtime.errors import UserError
from pga.runtime.files import read_record, sha256
from pga.runtime.seeds import derive
from pga.sampling.generated import RunId, save_samples

DIM = 64  # of the classifier's features for 8×8 images


def halves(n: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Images whose class is the half that is bright: easy, so that a classifier is trained in a moment."""
    rng = np.random.default_rng(seed)
    labels = rng.integers(0, 2, n)
    images = rng.integers(0, 80, (n, 8, 8, 1), np.uint8)
    for image, label in zip(images, labels, strict=True):
        image[:, 4 * label : 4 * label + 4] += 120
    return images, labels


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Prepared data `halves`, two classifiers of different seeds and samples."""
    folder = tmp_path_factory.mktemp("reference")
    train, test = halves(200, 0), halves(100, 1)
    np.save(folder / "halves.npy", train[0])
    np.save(folder / "halves-test.npy", test[0])
    write_prepared(folder, "halves")
    for seed in (0, 1):
        train_classifier(train, test, folder / f"classifier{seed}.safetensors", sha256(folder / "halves.npy"), seed)
    np.save(folder / "samples.npy", halves(150, 2)[0])
    return folder


@pytest.fixture
def extractor(folder: Path) -> ClassifierFeatures:
    return ClassifierFeatures(folder / "classifier0.safetensors")


def reference(folder: Path, out: Path, *more: str) -> int:
    weights = str(folder / "classifier0.safetensors")
    return main(["reference", "halves", "--data", str(folder), "--extractor", "classifier", "--weights", weights, "--out", str(out), *more])


def evaluation(folder: Path, statistics_file: Path, out: Path, weights: str = "classifier0.safetensors", more: tuple[str, ...] = ()) -> int:
    paths = ["--samples", str(folder / "samples.npy"), "--reference", str(statistics_file), "--weights", str(folder / weights)]
    who = ["--dataset", "halves", "--model", "lpga", "--seed", "3"]
    return main(["evaluate", *paths, *who, "--extractor", "classifier", "--out", str(out), *more])


def evaluate(
    samples: np.ndarray, extractor: Any, own: Statistics, metrics: tuple[str, ...] = (), real: Any = None, few_samples: bool = False
) -> list[dict[str, Any]]:
    """What is measured in one feature space, as metrics.json has it."""
    return [asdict(part) for part in protocol.evaluate(samples, [Space(extractor, own, real)], metrics, few_samples=few_samples)]


def batches(features: np.ndarray, size: int) -> Iterator[np.ndarray]:
    return (features[start : start + size] for start in range(0, len(features), size))


@pytest.mark.parametrize("size", [1, 7, 1000])
@pytest.mark.parametrize("offset", [0.0, 1e4], ids=["centred", "far from zero"])
def test_streamed_mean_and_covariance_are_those_of_the_whole_in_float64(size: int, offset: float) -> None:
    rng = np.random.default_rng(0)
    features = (rng.normal(size=(333, 9)) @ rng.normal(size=(9, 9)) + offset).astype(np.float32)
    found = statistics(batches(features, size))
    whole = features.astype(np.float64)
    expected = np.cov(whole, rowvar=False)
    assert found.n == 333
    assert found.mu.dtype == found.sigma.dtype == np.float64
    np.testing.assert_allclose(found.mu, whole.mean(axis=0), rtol=1e-13, atol=1e-13)
    np.testing.assert_allclose(found.sigma, expected, rtol=0, atol=1e-10 * np.abs(expected).max())


def test_two_images_are_enough_and_give_half_their_squared_difference() -> None:
    found = statistics([np.array([[1.0, 5.0]], np.float32), np.array([[3.0, 1.0]], np.float32)])
    assert found.mu.tolist() == [2.0, 3.0]
    assert found.sigma.tolist() == [[2.0, -4.0], [-4.0, 8.0]]


@pytest.mark.parametrize("n", [0, 1])
def test_fewer_than_two_images_are_refused(n: int) -> None:
    with pytest.raises(UserError, match=f"at least two images, found {n}"):
        statistics(batches(np.ones((n, 4), np.float32), 10))


def test_features_of_a_batch_do_not_depend_on_its_size(folder: Path, extractor: ClassifierFeatures) -> None:
    images = np.load(folder / "samples.npy")
    whole = np.concatenate(list(stream(extractor, images, 150)))
    parts = list(stream(extractor, images, 40))
    assert [len(part) for part in parts] == [40, 40, 40, 30]
    assert whole.shape == (150, DIM) and whole.dtype == np.float32
    difference = np.linalg.norm(np.concatenate(parts).astype(np.float64) - whole, axis=1)
    assert (difference <= 1e-6 * np.linalg.norm(whole.astype(np.float64), axis=1)).all()


NO_IMAGES = {
    "float": (np.zeros((5, 8, 8, 1), np.float32), "features need uint8 images"),
    "no channels": (np.zeros((5, 8, 8), np.uint8), "features need uint8 images"),
    "two channels": (np.zeros((5, 8, 8, 2), np.uint8), "features need uint8 images"),
    "channels first": (np.zeros((5, 1, 8, 8), np.uint8), "features need uint8 images"),
    "another size": (np.zeros((5, 9, 9, 1), np.uint8), r"\(8, 8, 1\), found \(9, 9, 1\)"),
}


@pytest.mark.parametrize("images, message", NO_IMAGES.values(), ids=NO_IMAGES)
def test_images_of_another_type_layout_or_size_are_refused(images: np.ndarray, message: str, extractor: ClassifierFeatures) -> None:
    with pytest.raises(UserError, match=message):
        list(stream(extractor, images))


def test_features_that_are_not_finite_are_refused_and_the_images_named() -> None:
    class Broken:
        label, dim, digest, accuracy = "broken", 2, "", None

        def __call__(self, images: np.ndarray) -> np.ndarray:
            return np.where(images[:, 0, 0] == 7, np.nan, 1.0).repeat(2, axis=1).astype(np.float32)

    images = np.zeros((25, 8, 8, 1), np.uint8)
    images[12] = 7
    with pytest.raises(UserError, match="images 10…19 are not finite"):
        list(stream(Broken(), images, 10))


@pytest.mark.parametrize("split", ["train", "test"])
def test_the_file_records_what_it_is_of(split: str, folder: Path, extractor: ClassifierFeatures, tmp_path: Path) -> None:
    assert reference(folder, tmp_path / "r.npz", "--split", split) == reference(folder, tmp_path / "again.npz", "--split", split) == 0
    assert (tmp_path / "r.npz").read_bytes() == (tmp_path / "again.npz").read_bytes()
    images = np.load(folder / ("halves.npy" if split == "train" else "halves-test.npy"))
    features = extractor(images).astype(np.float64)
    found = load_reference(tmp_path / "r.npz", extractor)
    np.testing.assert_allclose(found.mu, features.mean(axis=0), rtol=1e-6, atol=1e-9)
    np.testing.assert_allclose(found.sigma, np.cov(features, rowvar=False), rtol=1e-5, atol=1e-7)
    assert found.n == len(images)
    kept = np.load(tmp_path / "r-features.npy")
    np.testing.assert_allclose(kept, features, rtol=1e-5, atol=1e-6)
    record = StatisticsRecord.require_beside(tmp_path / "r.npz").model_dump()
    assert record == {
        "kind": "statistics",
        "code": reference_code(),
        "accepted": (),
        "files": {name: sha256(tmp_path / name) for name in ("r.npz", "r-features.npy")},
        "dataset": "halves",
        "split": split,
        "data_sha256": sha256(folder / ("halves.npy" if split == "train" else "halves-test.npy")),
        "extractor": {"name": "classifier", "digest": extractor.digest, "accuracy": extractor.accuracy},
        "dtype": "float64",
        "n": len(images),
    }


def test_a_classifier_of_other_code_is_refused_by_name(folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    weights = tmp_path / "classifier0.safetensors"
    weights.write_bytes((folder / weights.name).read_bytes())
    record = ClassifierRecord.require_beside(folder / weights.name)
    assert record.code == classifier_code() and record.data_sha256 == sha256(folder / "halves.npy")
    record.model_copy(update={"code": "classifier:of an earlier version"}).write_beside([weights])
    with pytest.raises(UserError, match=f"{weights}: made by other code: what `pga classifier` runs"):
        ClassifierFeatures(weights)
    assert main(["provenance", str(weights)]) == 1 and "classifier0.json: of other code than there is now" in capsys.readouterr().err


def test_evaluation_is_the_distance_of_whole_sets_and_names_its_inputs(folder: Path, extractor: ClassifierFeatures, tmp_path: Path) -> None:
    assert reference(folder, tmp_path / "r.npz") == 0
    assert evaluation(folder, tmp_path / "r.npz", tmp_path / "metrics.json") == 0
    found = read_record(tmp_path / "metrics.json")
    real, made = (extractor(np.load(folder / name)).astype(np.float64) for name in ("halves.npy", "samples.npy"))
    expected = frechet_distance(made.mean(axis=0), np.cov(made.T), real.mean(axis=0), np.cov(real.T))
    [metric] = found["metrics"]
    value = metric["value"]
    assert value == pytest.approx(expected, rel=1e-5) and value > 0
    assert metric == asdict(Measurement("classifier_fd", value, None, 150, "train", 200, "classifier"))
    assert found == {
        "kind": "metrics", "code": evaluation_code(), "accepted": [],
        "dataset": "halves", "model": "lpga", "seed": 3, "sampling": "prior", "n": 150, "metrics": [metric],
        "extractors": [{"name": "classifier", "digest": extractor.digest, "accuracy": extractor.accuracy}],
        "inputs": {"samples": sha256(folder / "samples.npy"), "reference classifier": sha256(tmp_path / "r.npz")},
    }  # fmt: skip


def test_evaluation_refuses_samples_of_another_run_and_damaged_ones(
    folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert reference(folder, tmp_path / "r.npz") == 0
    images, place = np.load(folder / "samples.npy"), tmp_path / "run"
    place.mkdir()
    for name in ("samples.npy", "classifier0.safetensors"):
        (place / name).write_bytes((folder / name).read_bytes())
    for seed, status, named in ((3, 0, ""), (4, 1, "samples.npy: of another run: seed 4, wanted 3")):
        save_samples(place / "samples.npy", images, RunId("halves", "lpga", seed, "0" * 64), neighbours_code())
        assert evaluation(place, tmp_path / "r.npz", tmp_path / f"metrics{seed}.json") == status
        assert named in capsys.readouterr().err
    save_samples(place / "samples.npy", images, RunId("halves", "lpga", 3, "0" * 64), neighbours_code())
    content = bytearray((place / "samples.npy").read_bytes())
    content[1000] ^= 1
    (place / "samples.npy").write_bytes(content)
    assert evaluation(place, tmp_path / "r.npz", tmp_path / "metrics4.json") == 1
    assert "samples.npy: changed since it was made" in capsys.readouterr().err and not (tmp_path / "metrics4.json").exists()


def test_fewer_images_than_the_covariance_needs_are_refused_unless_asked_for(folder: Path, extractor: ClassifierFeatures) -> None:
    real, samples = np.load(folder / "halves.npy"), np.load(folder / "samples.npy")
    for n_samples, n_real, what in ((DIM, 200, "samples"), (150, DIM, "real images in the reference")):
        some, own = samples[:n_samples], statistics(stream(extractor, real[:n_real]))
        with pytest.raises(UserError, match=rf"{DIM} {what} are too few for {DIM} feature dimensions \(classifier\)"):
            evaluate(some, extractor, own)
        [metric] = evaluate(some, extractor, own, few_samples=True)
        expected = from_features(*(extractor(part).astype(np.float64) for part in (some, real[:n_real])))
        assert metric["value"] == pytest.approx(expected, rel=1e-6) and metric["reference_n"] == n_real
    assert evaluate(samples[: DIM + 1], extractor, statistics(stream(extractor, real[: DIM + 1])))[0]["n"] == DIM + 1


def test_real_images_that_stand_twice_leave_a_named_absence_and_everything_else(folder: Path, tmp_path: Path) -> None:
    real = np.load(folder / "halves.npy")
    np.save(tmp_path / "halves.npy", np.concatenate([real, real]))
    write_prepared(tmp_path, "halves")
    weights = ["--extractor", "classifier", "--weights", str(folder / "classifier0.safetensors")]
    assert main(["reference", "halves", "--data", str(tmp_path), *weights, "--out", str(tmp_path / "r.npz")]) == 0
    more = ("--metrics", "kid", "manifold", "neighbours", "--reference-features", str(tmp_path / "r-features.npy"))
    assert evaluation(folder, tmp_path / "r.npz", tmp_path / "m.json", more=more) == 0
    found = {metric["metric"]: metric for metric in read_record(tmp_path / "m.json")["metrics"]}
    absent = found.pop("classifier_nearest_real")
    assert absent["value"] is None and "have a duplicate" in absent["absent"]
    assert len(found) == 6 and all(np.isfinite(metric["value"]) and metric["absent"] is None for metric in found.values())


def test_what_a_metric_cannot_take_leaves_a_named_absence_too(folder: Path, extractor: ClassifierFeatures) -> None:
    real = np.load(folder / "halves.npy")
    features = extractor(real)[:5]  # the balls of density and coverage need more than 5 rows
    found = evaluate(np.load(folder / "samples.npy"), extractor, statistics(stream(extractor, real)), ("manifold", "kid"), features)
    values = {metric["metric"]: (metric["value"], metric["absent"]) for metric in found}
    for name in ("precision", "recall", "density", "coverage"):
        assert values[f"classifier_{name}"] == (None, "reference: 5 rows are too few, at least 6 are needed")
    assert values["classifier_kid"][0] is not None and values["classifier_fd"][0] > 0


@pytest.mark.parametrize("levels", [(0, 1), (1,), (0, 1, 255)], ids=["0 and 1", "1", "minus one became 255"])
def test_samples_in_the_range_of_another_type_are_refused(
    levels: tuple[int, ...], folder: Path, tmp_path: Path, extractor: ClassifierFeatures, capsys: pytest.CaptureFixture[str]
) -> None:
    assert reference(folder, tmp_path / "r.npz") == 0
    images = np.random.default_rng(0).choice(levels, (150, 8, 8, 1)).astype(np.uint8)
    np.save(tmp_path / "samples.npy", images)
    assert evaluation(folder, tmp_path / "r.npz", tmp_path / "m.json", more=("--samples", str(tmp_path / "samples.npy"))) == 1
    assert "numbers of [0, 1] or [-1, 1] converted to integers" in capsys.readouterr().err and not (tmp_path / "m.json").exists()
    np.save(tmp_path / "halves.npy", images)
    write_prepared(tmp_path, "halves")
    assert reference(folder, tmp_path / "real.npz", "--data", str(tmp_path)) == 1
    assert "[-1, 1] converted to integers" in capsys.readouterr().err


def test_a_runs_own_samples_that_are_all_but_black_are_measured(folder: Path, tmp_path: Path) -> None:
    """A collapsed run has a number, too, and does not stop the table of the others."""
    assert reference(folder, tmp_path / "r.npz") == 0
    black = np.random.default_rng(0).choice((0, 1), (150, 8, 8, 1)).astype(np.uint8)
    save_samples(tmp_path / "samples.npy", black, RunId("halves", "lpga", 3, "d"), neighbours_code())
    assert evaluation(folder, tmp_path / "r.npz", tmp_path / "m.json", more=("--samples", str(tmp_path / "samples.npy"))) == 0
    assert json.loads((tmp_path / "m.json").read_text())["metrics"][0]["value"] > 0


@pytest.mark.parametrize("levels", [(0,), (0, 255), (0, 1, 2)], ids=["black", "black and white", "dark"])
def test_images_that_are_only_dark_or_without_greys_are_measured(
    levels: tuple[int, ...], folder: Path, extractor: ClassifierFeatures
) -> None:
    images = np.random.default_rng(0).choice(levels, (150, 8, 8, 1)).astype(np.uint8)
    own = statistics(stream(extractor, np.load(folder / "halves.npy")))
    assert evaluate(images, extractor, own)[0]["value"] > 0


def test_evaluate_refuses_statistics_of_another_extractor(folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert reference(folder, tmp_path / "r.npz") == 0
    digests = [ClassifierFeatures(folder / f"classifier{seed}.safetensors").digest for seed in (0, 1)]
    assert digests[0] != digests[1]
    assert evaluation(folder, tmp_path / "r.npz", tmp_path / "metrics.json", "classifier1.safetensors") == 1
    message = capsys.readouterr().err
    assert "r.npz" in message and all(digest[:12] in message for digest in digests)
    assert not (tmp_path / "metrics.json").exists()


EVERYTHING = ("--metrics", "kid", "manifold", "infinity", "neighbours")


def test_everything_is_measured_in_one_call_and_twice_the_same(folder: Path, tmp_path: Path) -> None:
    assert reference(folder, tmp_path / "r.npz") == 0
    np.save(tmp_path / "many.npy", halves(300, 4)[0])
    more = ("--samples", str(tmp_path / "many.npy"), *EVERYTHING, "--reference-features", str(tmp_path / "r-features.npy"))
    for name in ("one.json", "two.json"):
        assert evaluation(folder, tmp_path / "r.npz", tmp_path / name, more=more) == 0
    assert (tmp_path / "one.json").read_bytes() == (tmp_path / "two.json").read_bytes()
    found = json.loads((tmp_path / "one.json").read_text())["metrics"]
    names = "fd kid precision recall density coverage fd_infinity nearest_real"
    assert [metric["metric"] for metric in found] == [f"classifier_{name}" for name in names.split()]
    assert all(np.isfinite(metric["value"]) and metric["extractor"] == "classifier" for metric in found)


def test_at_most_so_many_images_are_a_subset_that_the_seed_draws(folder: Path, extractor: ClassifierFeatures, tmp_path: Path) -> None:
    assert reference(folder, tmp_path / "r.npz") == 0
    assert evaluation(folder, tmp_path / "r.npz", tmp_path / "part.json", more=("--at-most", "100")) == 0
    [metric] = json.loads((tmp_path / "part.json").read_text())["metrics"]
    images = np.load(folder / "samples.npy")
    subset = random_subset(images, 100, seed=3)
    assert metric["n"] == len(subset) == 100
    places = [np.flatnonzero((images == image).all(axis=(1, 2, 3)))[0] for image in subset]
    assert places == sorted(set(places)) and places != list(range(100))
    assert not np.array_equal(subset, random_subset(images, 100, seed=4))
    assert random_subset(images, 150, seed=3) is images
    assert metric["value"] == evaluate(subset, extractor, load_reference(tmp_path / "r.npz", extractor))[0]["value"]


@pytest.mark.parametrize(
    "more, named",
    [
        (EVERYTHING, "needs --reference-features"),
        ((*EVERYTHING, "--reference-features", "a.npy", "b.npy"), "--reference-features: found 2 files; one for each of"),
        (("--foreign", "inception-tf1"), "--foreign inception-tf1: accepted are those of --extractor, classifier"),
        (("--extractor", "classifier", "classifier"), "the same feature space twice"),
        (("--extractor", "classifier", "inception-tf1"), "--weights: found 1 files; one for each of"),
        (("--metrics", "swd"), "--metrics swd needs --reference-images"),
        (("--at-most", "1"), "--at-most 1: accepted is at least 2"),
        (("--at-most", "20"), f"20 samples are too few for {DIM} feature dimensions"),
        (("--at-most", "100", "--metrics", "infinity"), "infinity (classifier): 100 samples are too few, at least 256 are needed"),
    ],
)
def test_flags_that_do_not_fit_are_named(more: tuple[str, ...], named: str, folder: Path, tmp_path: Path, capsys) -> None:
    assert reference(folder, tmp_path / "r.npz") == 0
    assert evaluation(folder, tmp_path / "r.npz", tmp_path / "metrics.json", more=more) == 1
    assert named in capsys.readouterr().err
    assert not (tmp_path / "metrics.json").exists()


def test_statistics_of_another_tool_need_a_word_and_are_recorded_as_such(
    folder: Path, extractor: ClassifierFeatures, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    features = extractor(np.load(folder / "halves.npy")).astype(np.float64)
    np.savez(tmp_path / "other.npz", mu=features.mean(axis=0), sigma=np.cov(features.T))  # as pytorch-fid writes them
    assert evaluation(folder, tmp_path / "other.npz", tmp_path / "metrics.json") == 1
    said = capsys.readouterr().err
    assert "statistics of an unknown feature space" in said and "say --foreign classifier" in said
    assert evaluation(folder, tmp_path / "other.npz", tmp_path / "metrics.json", more=("--foreign", "classifier")) == 0
    assert reference(folder, tmp_path / "r.npz") == 0
    assert evaluation(folder, tmp_path / "r.npz", tmp_path / "own.json") == 0
    [theirs], [ours] = (json.loads((tmp_path / name).read_text())["metrics"] for name in ("metrics.json", "own.json"))
    assert theirs["reference"] == "foreign" and theirs["value"] == pytest.approx(ours["value"], rel=1e-5)
    assert evaluation(folder, tmp_path / "other.npz", tmp_path / "kid.json", more=("--foreign", "classifier", "--metrics", "kid")) == 1
    assert "features of real images are needed" in capsys.readouterr().err


def test_statistics_of_another_tool_of_other_dimensions_are_refused(extractor: ClassifierFeatures, tmp_path: Path) -> None:
    np.savez(tmp_path / "r.npz", mu=np.zeros(2048), sigma=np.eye(2048))
    with pytest.raises(UserError, match=f"r.npz: statistics of 2048 dimensions; classifier has {DIM}"):
        load_reference(tmp_path / "r.npz", extractor, foreign=True)


def test_a_word_does_not_overrule_what_a_file_says(folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert reference(folder, tmp_path / "r.npz") == 0
    assert evaluation(folder, tmp_path / "r.npz", tmp_path / "m.json", "classifier1.safetensors", ("--foreign", "classifier")) == 1
    assert "statistics of classifier" in capsys.readouterr().err


@pytest.mark.parametrize(
    "mu, sigma",
    [(np.zeros(3), np.eye(4)), (np.zeros((3, 3)), np.eye(3)), (np.array([0.0, np.nan]), np.eye(2)), (np.zeros(2), np.diag([1.0, np.inf]))],
    ids=["dimensions", "matrix for mean", "nan", "inf"],
)
def test_statistics_of_wrong_shape_or_not_finite_are_refused(mu: np.ndarray, sigma: np.ndarray, tmp_path: Path) -> None:
    np.savez(tmp_path / "r.npz", mu=mu, sigma=sigma)
    with pytest.raises(UserError, match="r.npz: mean of shape"):
        load_statistics(tmp_path / "r.npz")


def test_a_classifier_that_is_not_good_enough_is_refused(folder: Path, tmp_path: Path) -> None:
    tensors, record = load_tensors(folder / "classifier0.safetensors")
    assert record["accuracy"] >= record["required_accuracy"] > 0.9
    save_tensors(tmp_path / "poor.safetensors", tensors, {**record, "accuracy": 0.9})
    with pytest.raises(UserError, match=r"poor.safetensors: test accuracy 0.9000 is below the 0.96"):
        ClassifierFeatures(tmp_path / "poor.safetensors")
    save_tensors(tmp_path / "blind.safetensors", tensors, {**record, "accuracy": 0.97, "majority": 0.97})
    with pytest.raises(UserError, match="test accuracy 0.9700 is no better than naming the most frequent class, 0.9700"):
        ClassifierFeatures(tmp_path / "blind.safetensors")


@pytest.mark.parametrize("split", ["training", "test"])
def test_a_classifier_of_one_class_is_refused_before_it_is_trained(split: str, tmp_path: Path) -> None:
    images = np.zeros((6, 8, 8, 1), np.uint8)
    one, two = (images, np.full(6, 3)), (images, np.arange(6) % 2)
    parts = (one, two) if split == "training" else (two, one)
    with pytest.raises(UserError, match=rf"the {split} images are of one class \(3\): a classifier of them learns nothing"):
        train_classifier(*parts, tmp_path / "classifier.safetensors", "data")
    assert not (tmp_path / "classifier.safetensors").exists()


class Columns:
    """Pixels of one row as a feature space, so small that few images suffice. It counts the images that all of its kind have seen."""

    accuracy = None
    seen = 0

    def __init__(self, label: str):
        self.label, self.dim, self.digest, self.row = label, 8, f"digest of {label}", 2 if label == "classifier" else 5

    def __call__(self, images: np.ndarray) -> np.ndarray:
        Columns.seen += len(images)
        if self.label == "classifier" and images.shape[2] != self.dim:
            raise UserError(f"second: images of width {self.dim} are needed, found {images.shape[2]}")
        return images[:, self.row, :, 0].astype(np.float32)


def test_several_feature_spaces_are_measured_in_one_call_each_by_its_own_name(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    labels = ("inception-tf1", "inception-pytorch_fid", "classifier")
    monkeypatch.setattr("pga.evaluation.of_files.load_extractor", lambda label, *_: Columns(label))
    images, real = np.load(folder / "samples.npy"), np.load(folder / "halves.npy")
    for label in labels:
        save_reference(tmp_path / f"{label}.npz", Columns(label), Columns(label)(real), split="test")

    def run(order: tuple[str, ...]) -> int:
        files = [str(tmp_path / f"{label}.npz") for label in order]
        who = ["--dataset", "halves", "--model", "lpga", "--seed", "3", "--samples", str(folder / "samples.npy")]
        spaces = ["--extractor", *labels, "--weights", "a", "b", "c", "--reference", *files, "--metrics", "infinity"]
        return main(["evaluate", *who, *spaces, "--out", str(tmp_path / "metrics.json")])

    assert run(labels) == 0
    found = read_record(tmp_path / "metrics.json")
    assert [space["name"] for space in found["extractors"]] == list(labels)
    values = {metric["metric"]: metric for metric in found["metrics"]}
    names = ("inception_fd", "inception_fd_pytorch_fid", "classifier_fd")  # not Inception's own weights: not FID
    assert set(values) == {*names, "inception_tf1_other_fd_infinity", "inception_pytorch_fid_other_fd_infinity", "classifier_fd_infinity"}
    for label, name in zip(labels, names, strict=True):
        own = evaluate(images, Columns(label), load_statistics(tmp_path / f"{label}.npz")[0])[0] | {"reference": "test"}
        assert values[name] == own and own["extractor"] == label and own["reference"] == "test"
    assert {f"reference {label}" for label in labels} < set(found["inputs"])
    assert run((labels[1], labels[0], labels[2])) == 1  # each reference must be of its own space
    assert "statistics of inception-pytorch_fid" in capsys.readouterr().err


@pytest.mark.parametrize(
    "change, named",
    [
        ({"label": "inception-tf1"}, "second.npz: statistics of inception-tf1 digest of in, the samples' features are of classifier"),
        ({"dataset": "digits"}, "second.npz: statistics of digits, the samples are of halves"),
        ({"cut": 100}, "second.npz: not a complete file of statistics"),
        ({"shape": (150, 8, 9, 1)}, "second: images of width 8 are needed, found 9"),
        ({"shape": (20, 8, 8, 1), "metrics": ["infinity"]}, "infinity (inception-tf1): 20 samples are too few, at least 32 are"),
    ],
    ids=["feature space", "data set", "cut", "shape of the samples", "too few samples"],
)
def test_what_does_not_fit_is_refused_before_any_long_work(
    change: dict, named: str, folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("pga.evaluation.of_files.load_extractor", lambda label, *_: Columns(label))
    real = np.load(folder / "halves.npy")
    for name, label in (("first", "inception-tf1"), ("second", change.get("label", "classifier"))):
        dataset = "halves" if name == "first" else change.get("dataset", "halves")
        save_reference(tmp_path / f"{name}.npz", Columns(label), Columns(label)(real), dataset)
    (tmp_path / "second.npz").write_bytes((tmp_path / "second.npz").read_bytes()[: change.get("cut")])
    np.save(tmp_path / "samples.npy", np.resize(np.load(folder / "samples.npy"), change.get("shape", (150, 8, 8, 1))))
    Columns.seen = 0
    who = ["--dataset", "halves", "--model", "lpga", "--seed", "3", "--samples", str(tmp_path / "samples.npy")]
    files = [str(tmp_path / f"{name}.npz") for name in ("first", "second")]
    spaces = ["--extractor", "inception-tf1", "classifier", "--weights", "a", "b", "--reference", *files]
    out = tmp_path / "metrics.json"
    assert main(["evaluate", *who, *spaces, "--metrics", *change.get("metrics", []), "--out", str(out)]) == 1
    assert named in capsys.readouterr().err
    assert Columns.seen <= 2 and not out.exists()


def test_pixels_alone_need_neither_labels_nor_weights(folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    who = ["--dataset", "halves", "--model", "lpga", "--seed", "3", "--samples", str(folder / "samples.npy")]
    real = ["--reference-images", str(folder / "halves-test.npy")]
    for name in ("one.json", "two.json"):
        assert main(["evaluate", *who, *real, "--metrics", "swd", "sharpness", "--out", str(tmp_path / name)]) == 0
    assert (tmp_path / "one.json").read_bytes() == (tmp_path / "two.json").read_bytes()
    found = read_record(tmp_path / "one.json")
    assert found["extractors"] == [{"name": "pixels", "digest": None, "accuracy": None}]
    assert found["inputs"] == {
        key: sha256(folder / f"{file}.npy") for key, file in {"samples": "samples", "real images": "halves-test"}.items()
    }
    swd, sharp = found["metrics"]
    assert (swd["metric"], swd["n"], swd["reference"], swd["reference_n"], swd["extractor"]) == ("swd", 150, "test", 100, "pixels")
    samples, images = (np.load(folder / f"{file}.npy") for file in ("samples", "halves-test"))
    assert swd["value"] == sliced_wasserstein_distance(samples, images, derive(3, "swd") % 2**32).value
    assert (sharp["metric"], sharp["value"], sharp["reference"]) == ("sharpness", sharpness(samples), None)
    for flags, named in {
        (): "nothing to measure",
        ("--metrics", "kid"): "nothing to measure",
        ("--metrics", "kid", "sharpness"): "--metrics kid: a feature space (--extractor) is needed",
        ("--metrics", "swd", "--reference-images", str(tmp_path / "wide.npy")): "real images of shape (8, 9, 1)",
    }.items():
        np.save(tmp_path / "wide.npy", np.random.default_rng(0).integers(0, 256, (9, 8, 9, 1), np.uint8))
        assert main(["evaluate", *who, *flags, "--out", str(tmp_path / "none.json")]) == 1
        assert named in capsys.readouterr().err and not (tmp_path / "none.json").exists()


def test_pixels_stand_beside_feature_spaces(folder: Path, tmp_path: Path) -> None:
    assert reference(folder, tmp_path / "r.npz") == 0
    more = ("--metrics", "infinity", "sharpness", "--samples", str(tmp_path / "many.npy"))
    np.save(tmp_path / "many.npy", halves(300, 4)[0])
    assert evaluation(folder, tmp_path / "r.npz", tmp_path / "m.json", more=more) == 0
    found = read_record(tmp_path / "m.json")
    assert [metric["metric"] for metric in found["metrics"]] == ["classifier_fd", "classifier_fd_infinity", "sharpness"]
    assert [space["name"] for space in found["extractors"]] == ["classifier", "pixels"]


def test_the_nearest_images_by_pixels_are_those_of_least_squares(folder: Path, tmp_path: Path) -> None:
    arguments = ["halves", "--data", str(folder), "--samples", str(folder / "samples.npy"), "--extractor", "pixels", "--n", "3", "--k", "2"]
    assert main(["neighbours", *arguments, "--out", str(tmp_path / "n.npy")]) == 0
    samples, real = (np.load(folder / name).astype(int) for name in ("samples.npy", "halves.npy"))
    found = np.load(tmp_path / "n.npy")
    for row, sample in zip(found, samples[:3], strict=True):
        order = np.argsort(np.square(real - sample).sum(axis=(1, 2, 3)), kind="stable")[:2]
        assert np.array_equal(row, np.concatenate([sample[None], real[order]]))
