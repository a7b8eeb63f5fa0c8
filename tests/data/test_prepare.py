"""Preparing: exact arrays from the digits and from IDX files, damaged files named, the same bytes every time, alterations noticed."""

from __future__ import annotations

import gzip
import hashlib
import json
import shutil
import struct
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from sklearn.datasets import load_digits

from pga.cli import main
from pga.data.datasets import load_datasets
from pga.data.digits import Digits
from pga.data.idx import Idx, read_idx
from pga.data.prepare import prepare, recipe
from pga.data.prepared import array_path, load, load_labels, load_record
from pga.params.sources import load_sources
from pga.runtime.errors import UserError
from pga.runtime.files import read_record

OUTPUTS = ("{}-labels.npz", "{}-test.npy", "{}.json", "{}.npy")
SOURCES = load_sources(Path(__file__).parents[2] / "params" / "sources.yaml")
MNIST_FILES = [f"{split}-{content}-ubyte.gz" for split in ("train", "t10k") for content in ("images-idx3", "labels-idx1")]


def read(path: Path) -> Any:
    return json.loads(path.read_text(encoding="utf-8"))


def contents(folder: Path) -> dict[str, tuple[bytes, int]]:
    """Bytes and time of last change of every file, hidden ones included."""
    return {path.name: (path.read_bytes(), path.stat().st_mtime_ns) for path in folder.iterdir()}


def header(*shape: int, zeros: int = 0, kind: int = 8, dimensions: int | None = None) -> bytes:
    return struct.pack(f">HBB{len(shape)}I", zeros, kind, len(shape) if dimensions is None else dimensions, *shape)


def write_idx(path: Path, array: np.ndarray) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(gzip.compress(header(*array.shape) + array.astype(np.uint8).tobytes(), mtime=0))


def a_small_mnist(folder: Path, n_train: int = 7, n_test: int = 3) -> dict[str, np.ndarray]:
    """MNIST's four files with a few random images of 5×4; returns their arrays."""
    rng = np.random.default_rng(0)
    arrays = {}
    for split, n in (("train", n_train), ("t10k", n_test)):
        arrays[f"{split}-images-idx3-ubyte.gz"] = rng.integers(1, 256, (n, 5, 4))
        arrays[f"{split}-labels-idx1-ubyte.gz"] = np.arange(n) % 10
    for name, array in arrays.items():
        write_idx(folder / name, array)
    return arrays


# The digits


@pytest.fixture(scope="module")
def digits(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("digits")
    prepare("digits", Digits(kind="digits"), folder / "raw", folder, {})
    return folder


def test_digits_are_scikit_learns_in_order_every_fifth_a_test_image(digits: Path) -> None:
    bunch = load_digits()
    # round(255 v / 16), halves up, for v of 0…16, in whole numbers
    scaled = np.array([(2 * 255 * value + 16) // 32 for value in range(17)])
    assert scaled[[0, 1, 8, 16]].tolist() == [0, 16, 128, 255]
    train, test = load(digits, "digits")[0], load(digits, "digits", "test")[0]
    assert train.dtype == test.dtype == np.uint8
    assert train.shape == (1437, 8, 8, 1) and test.shape == (360, 8, 8, 1)
    expected = scaled[bunch.images.astype(int)]
    assert np.array_equal(test[..., 0], expected[::5])
    assert np.array_equal(train[..., 0], np.delete(expected, np.s_[::5], axis=0))
    labels = load_labels(digits, "digits")
    assert labels["train"].dtype == labels["test"].dtype == np.int64
    assert np.array_equal(labels["test"], bunch.target[::5])
    assert np.array_equal(labels["train"], np.delete(bunch.target, np.s_[::5]))


def test_provenance_says_what_the_arrays_are(digits: Path) -> None:
    found = read_record(digits / "digits.json")
    assert found.pop("recipe") == recipe("digits", Digits(kind="digits"), {}, digits)
    assert found == {
        "kind": "prepared",
        "dataset": "digits",
        "parameters": {"kind": "digits", "source": None, "labelled": True},
        "shape": [8, 8, 1],
        "n_train": 1437,
        "n_test": 360,
        "n_classes": 10,
        "files": {
            name: hashlib.sha256((digits / name).read_bytes()).hexdigest()
            for name in ("digits.npy", "digits-test.npy", "digits-labels.npz")
        },
        "sources": {},
    }
    assert load(digits, "digits")[1] == found["files"]["digits.npy"]
    assert sorted(path.name for path in digits.iterdir()) == sorted(name.format("digits") for name in OUTPUTS)


def test_labels_that_were_altered_are_refused(digits: Path, tmp_path: Path) -> None:
    shutil.copytree(digits, tmp_path, dirs_exist_ok=True)
    labels, path = load_labels(tmp_path, "digits"), tmp_path / "digits-labels.npz"
    np.savez(path, train=labels["train"][::-1], test=labels["test"])
    with pytest.raises(UserError, match=f"^{path}: changed since it was made"):
        load_labels(tmp_path, "digits")


def test_prepared_twice_is_the_same_bytes(digits: Path, tmp_path: Path, root: Path) -> None:
    tables = ["--datasets", str(root / "params" / "datasets.yaml"), "--sources", str(root / "params" / "sources.yaml")]
    for _ in range(2):  # elsewhere, and then over what is there
        assert main(["prepare", "digits", "--raw", str(tmp_path / "raw"), "--out", str(tmp_path / "out"), *tables]) == 0
        for name in (pattern.format("digits") for pattern in OUTPUTS):
            assert (tmp_path / "out" / name).read_bytes() == (digits / name).read_bytes(), name
    with zipfile.ZipFile(digits / "digits-labels.npz") as archive:  # both runs may fall into the two seconds that zip's clock can tell
        assert {member.date_time for member in archive.infolist()} == {(1980, 1, 1, 0, 0, 0)}


@pytest.mark.parametrize("split, other", [("train", "test"), ("test", "train")])
def test_an_altered_array_is_refused_with_both_checksums(split: str, other: str, digits: Path, tmp_path: Path) -> None:
    shutil.copytree(digits, tmp_path, dirs_exist_ok=True)
    path = array_path(tmp_path, "digits", split)
    content = bytearray(path.read_bytes())
    expected = hashlib.sha256(content).hexdigest()
    content[-1] ^= 1  # one bit of the last pixel
    path.write_bytes(content)
    message = f"its SHA-256 is {hashlib.sha256(content).hexdigest()[:12]}…, {tmp_path}/digits.json says {expected[:12]}…; make it again"
    with pytest.raises(UserError, match=f"^{path}: changed since it was made: {message}$"):
        load(tmp_path, "digits", split)
    assert len(load(tmp_path, "digits", other)[0])  # as it was


def test_an_array_that_is_cut_or_absent_or_without_provenance_is_refused(digits: Path, tmp_path: Path) -> None:
    shutil.copytree(digits, tmp_path, dirs_exist_ok=True)
    path = tmp_path / "digits.npy"
    path.write_bytes(path.read_bytes()[:-1])
    with pytest.raises(UserError, match=f"{path}: not a complete .npy array"):
        load(tmp_path, "digits")
    path.unlink()
    with pytest.raises(UserError, match=f"{path}: no such file"):
        load(tmp_path, "digits")
    (tmp_path / "digits.json").unlink()
    with pytest.raises(UserError, match=r"digits.json: no such file; `pga prepare digits` makes it"):
        load(tmp_path, "digits", "test")


# IDX files


@pytest.mark.parametrize("packed", [True, False])
def test_an_idx_file_by_hand(packed: bool, tmp_path: Path) -> None:
    path = tmp_path / "a.gz"  # written out, in case `header` makes the reader's mistakes
    content = bytes.fromhex("00000803 00000002 00000001 00000003") + bytes([1, 2, 3, 4, 5, 255])
    path.write_bytes(gzip.compress(content) if packed else content)
    assert read_idx(path).tolist() == [[[1, 2, 3]], [[4, 5, 255]]]


NOT_IDX, WRONG_SIZE = "not an IDX file of unsigned bytes", r"its header says shape \(.*\), it has \d+ bytes"
WHOLE = gzip.compress(header(4096) + np.random.default_rng(0).integers(0, 9, 4096, np.uint8).tobytes(), mtime=0)
DAMAGED = r"cannot be decompressed \(.*\); delete it and fetch again"
REFUSED = {
    "nothing": (gzip.compress(b""), NOT_IDX),
    "a cut magic number": (gzip.compress(header(2)[:3]), NOT_IDX),
    "no leading zeros": (gzip.compress(header(2, zeros=1) + bytes(2)), NOT_IDX),
    "signed bytes": (gzip.compress(header(2, kind=9) + bytes(2)), NOT_IDX),
    "no dimensions": (gzip.compress(header(dimensions=0) + bytes(1)), NOT_IDX),
    "five dimensions": (gzip.compress(header(1, 1, 1, 1, 1) + bytes(1)), NOT_IDX),
    "a cut header": (gzip.compress(header(2, 3)[:-1]), NOT_IDX),
    "a byte missing": (gzip.compress(header(2, 3) + bytes(5)), WRONG_SIZE),
    "a byte too many": (gzip.compress(header(2, 3) + bytes(7)), WRONG_SIZE),
    "little-endian": (gzip.compress(struct.pack("<I", 0x03080000) + struct.pack("<3I", 1, 2, 3) + bytes(6)), WRONG_SIZE),
    "a size beyond 64 bits": (gzip.compress(header(2**31, 2**31, 4)), WRONG_SIZE),  # the product is 0 in 64 bits, as is the number of bytes
    "cut in the middle": (WHOLE[: len(WHOLE) // 2], DAMAGED),
    "bytes behind the stream": (WHOLE + b"more", DAMAGED),
}


@pytest.mark.parametrize("case", REFUSED)
def test_what_is_no_whole_idx_file_is_named(case: str, tmp_path: Path) -> None:
    path, (content, message) = tmp_path / "a.gz", REFUSED[case]
    path.write_bytes(content)
    with pytest.raises(UserError, match=f"^{path}: {message}$"):
        read_idx(path)


@pytest.mark.parametrize("pad", [0, 3])
def test_images_of_idx_files_stay_in_order_within_a_border_of_zeros(pad: int, tmp_path: Path) -> None:
    arrays = a_small_mnist(tmp_path / "raw" / "mnist")
    prepare("small", Idx(kind="idx", source="mnist", pad=pad), tmp_path / "raw", tmp_path, SOURCES)
    labels = load_labels(tmp_path, "small")
    for split, name in (("train", "train"), ("test", "t10k")):
        images, original = load(tmp_path, "small", split)[0], arrays[f"{name}-images-idx3-ubyte.gz"]
        assert images.dtype == np.uint8 and images.shape == (len(original), 5 + 2 * pad, 4 + 2 * pad, 1)
        assert np.array_equal(images[:, pad : pad + 5, pad : pad + 4, 0], original)
        assert int(images.sum()) == int(original.sum())  # all else is zero
        assert labels[split].tolist() == arrays[f"{name}-labels-idx1-ubyte.gz"].tolist()
    found = load_record(tmp_path, "small")
    assert found.sources == {name: hashlib.sha256((tmp_path / "raw" / "mnist" / name).read_bytes()).hexdigest() for name in MNIST_FILES}
    assert found.parameters == {"kind": "idx", "source": "mnist", "pad": pad, "labelled": True}
    assert (found.shape, found.n_train, found.n_test, found.n_classes) == ((5 + 2 * pad, 4 + 2 * pad, 1), 7, 3, 7)


@pytest.mark.parametrize(
    "name, array, message",
    [
        ("train-labels-idx1-ubyte.gz", np.zeros(6), r"train has images of shape \(7, 5, 4\) and labels of shape \(6,\)"),
        ("t10k-labels-idx1-ubyte.gz", np.zeros((3, 1)), r"t10k has images of shape \(3, 5, 4\) and labels of shape \(3, 1\)"),
        ("train-images-idx3-ubyte.gz", np.zeros((7, 20)), r"train has images of shape \(7, 20\) and labels of shape \(7,\)"),
    ],
)
def test_images_and_labels_that_do_not_belong_together_are_refused(name: str, array: np.ndarray, message: str, tmp_path: Path) -> None:
    folder = tmp_path / "raw" / "mnist"
    a_small_mnist(folder)
    write_idx(folder / name, array)
    with pytest.raises(UserError, match=f"{folder}: {message}"):
        prepare("small", Idx(kind="idx", source="mnist"), tmp_path / "raw", tmp_path / "out", SOURCES)
    assert not (tmp_path / "out").exists()


# Failing


@pytest.mark.parametrize("broken, how", [(MNIST_FILES[0], "cut"), (MNIST_FILES[-1], "absent")])
def test_failing_leaves_earlier_outputs_untouched(broken: str, how: str, tmp_path: Path) -> None:
    a_small_mnist(tmp_path / "raw" / "mnist")
    row = Idx(kind="idx", source="mnist")
    prepare("small", row, tmp_path / "raw", tmp_path / "out", SOURCES)
    before = contents(tmp_path / "out")
    a_small_mnist(tmp_path / "raw" / "mnist", n_train=8, n_test=4)  # what is prepared next would differ
    path = tmp_path / "raw" / "mnist" / broken
    path.write_bytes(path.read_bytes()[:-9]) if how == "cut" else path.unlink()
    with pytest.raises(UserError, match=f"{path}: "):
        prepare("small", row, tmp_path / "raw", tmp_path / "out", SOURCES)
    assert contents(tmp_path / "out") == before


def test_a_write_that_fails_leaves_no_part_and_no_set_that_passes_for_whole(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    a_small_mnist(tmp_path / "raw" / "mnist")
    row = Idx(kind="idx", source="mnist")
    prepare("small", row, tmp_path / "raw", tmp_path / "out", SOURCES)
    before = contents(tmp_path / "out")
    a_small_mnist(tmp_path / "raw" / "mnist", n_train=8, n_test=4)

    def full(file: Any, array: np.ndarray, **options: Any) -> None:
        file.write(array.tobytes()[:20])
        raise OSError(28, "No space left on device")

    original, calls = np.save, []

    def second_fails(file: Any, array: np.ndarray, **options: Any) -> None:
        calls.append(file)
        (full if len(calls) == 2 else original)(file, array, **options)

    monkeypatch.setattr(np, "save", full)
    with pytest.raises(UserError, match=f"{tmp_path}/out/small.npy: cannot be written: No space left on device"):
        prepare("small", row, tmp_path / "raw", tmp_path / "out", SOURCES)
    assert contents(tmp_path / "out") == before
    monkeypatch.setattr(np, "save", second_fails)
    with pytest.raises(UserError, match=f"{tmp_path}/out/small-test.npy: cannot be written: No space left on device"):
        prepare("small", row, tmp_path / "raw", tmp_path / "out", SOURCES)
    after = contents(tmp_path / "out")
    assert {name for name in after if after[name] != before.get(name)} == {"small.npy"}
    with pytest.raises(UserError, match="small.npy: changed since it was made"):  # new images beside an old test set and old labels
        load(tmp_path / "out", "small")


def test_the_command_says_what_is_missing_and_exits_1(tmp_path: Path, root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    common = ["--raw", str(tmp_path / "raw"), "--out", str(tmp_path / "out"), "--datasets", str(root / "params" / "datasets.yaml")]
    common += ["--sources", str(root / "params" / "sources.yaml")]
    assert main(["prepare", "mnist", *common]) == 1
    assert f"pga prepare: error: {tmp_path}/raw/mnist/train-images-idx3-ubyte.gz: no such file" in capsys.readouterr().err
    assert main(["prepare", "emnist", *common]) == 1
    assert "no data set 'emnist'; there are digits, mnist, mnist32" in capsys.readouterr().err
    (tmp_path / "mine.yaml").write_text("datasets: {mine: {kind: idx, source: nowhere}}")
    assert main(["prepare", "mine", *common, "--datasets", str(tmp_path / "mine.yaml")]) == 1
    error = capsys.readouterr().err
    assert all(part in error for part in (f"{tmp_path}/mine.yaml: mine", "source", "'nowhere'", "sources.yaml", "mnist, cifar10"))
    assert not (tmp_path / "out").exists()


def test_mnist_is_the_known_one(mirror: Path, root: Path, tmp_path: Path) -> None:
    prepare("mnist", load_datasets(root / "params" / "datasets.yaml")["mnist"], mirror, tmp_path, SOURCES)
    train, labels = load(tmp_path, "mnist")[0], load_labels(tmp_path, "mnist")
    assert train.shape == (60_000, 28, 28, 1) and load(tmp_path, "mnist", "test")[0].shape == (10_000, 28, 28, 1)
    assert labels["train"][:5].tolist() == [5, 0, 4, 1, 9] and labels["test"][:5].tolist() == [7, 2, 1, 0, 4]
    assert np.bincount(labels["train"]).tolist() == [5923, 6742, 5958, 6131, 5842, 5421, 5918, 6265, 5851, 5949]
    assert round(float(train.mean()) / 255, 4) == 0.1307  # the mean by which everyone normalises MNIST
