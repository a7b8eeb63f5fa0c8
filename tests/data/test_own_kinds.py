"""One's own data besides a plain folder: subfolders as labels, NumPy's files, data sets of the Hugging Face Hub on disk."""

from __future__ import annotations

import io
import json
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml
from PIL import Image

from pga.cli import main
from pga.data.datasets import load_datasets
from pga.data.prepare import prepare
from pga.data.prepared import load, load_labels
from pga.runtime.errors import UserError

N = 24
GREY = np.random.default_rng(0).integers(0, 256, (N, 12, 10), np.uint8)
LABELS = np.arange(N) % 3


def png(pixels: np.ndarray) -> bytes:
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, "PNG")
    return file.getvalue()


def run_prepare(place: Path, **row: Any) -> dict[str, Any]:
    """Prepare a data set by the text of its entry; returns its record."""
    entry = {"size": 8, "channels": 1, "test_fraction": 0.25} | ({"accuracy": 0.5} if row.get("labelled") else {}) | row
    said = {key: value for key, value in entry.items() if value is not None}
    (place / "datasets.yaml").write_text(yaml.safe_dump({"datasets": {"mine": said}}))
    prepare("mine", load_datasets(place / "datasets.yaml")["mine"], place / "raw", place / "out", {}, 1)
    return json.loads((place / "out/mine.json").read_text())


def arrays(place: Path) -> list[np.ndarray]:
    return [np.array(load(place / "out", "mine", split)[0]) for split in ("train", "test")]


@pytest.fixture(scope="module")
def expected(tmp_path_factory: pytest.TempPathFactory) -> list[np.ndarray]:
    """The images as a plain folder of files gives them."""
    place = tmp_path_factory.mktemp("expected")
    (place / "images").mkdir()
    for number, pixels in enumerate(GREY):
        (place / "images" / f"{number:02}.png").write_bytes(png(pixels))
    run_prepare(place, kind="folder", path=str(place / "images"))
    return arrays(place)


def labels_of_images(place: Path, expected: list[np.ndarray]) -> list[int]:
    """The label of each image of GREY, found by its pixels, and that both splits have all labels."""
    labels = load_labels(place / "out", "mine")
    assert all(set(part) == {0, 1, 2} for part in labels.values())
    found = {
        image.tobytes(): int(label)
        for part, split in zip(arrays(place), labels, strict=True)
        for image, label in zip(part, labels[split], strict=True)
    }
    everything = np.empty((N, 8, 8, 1), np.uint8)
    everything[3::4], everything[np.arange(N) % 4 != 3] = expected[1], expected[0]
    return [found[image.tobytes()] for image in everything]


# Subfolders as labels


def labelled_folder(place: Path) -> Path:
    for number, pixels in enumerate(GREY):
        path = place / "images" / ["cat", "dog", "bird"][LABELS[number]] / "deeper" / f"{number:02}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(png(pixels))
    return place / "images"


def test_subfolders_are_labels_of_the_images_that_can_be_used(tmp_path: Path) -> None:
    folder = labelled_folder(tmp_path)
    (folder / "bird" / "00.txt").write_text("no image")
    (folder / "stray.png").write_bytes(png(GREY[0]))
    with pytest.raises(UserError, match=r"2 of 26 images cannot be used:\n  stray.png: it has no label\n  bird/00.txt: not a"):
        run_prepare(tmp_path, kind="folder", path=str(folder), labelled=True)
    found = run_prepare(tmp_path, kind="folder", path=str(folder), labelled=True, on_bad="skip")
    assert (found["n_train"], found["n_test"], found["n_classes"], found["classes"]) == (18, 6, 3, ["bird", "cat", "dog"])
    labels = load_labels(tmp_path / "out", "mine")
    assert labels["test"].tolist() == [0] * 2 + [1] * 2 + [2] * 2 and labels["train"].tolist() == [0] * 6 + [1] * 6 + [2] * 6


def test_labels_of_one_class_or_without_a_required_accuracy_are_refused(tmp_path: Path) -> None:
    folder = labelled_folder(tmp_path)
    with pytest.raises(UserError, match=r"mine.*: labelled: true needs `accuracy`, the test accuracy"):
        run_prepare(tmp_path, kind="folder", path=str(folder), labelled=True, accuracy=None)
    with pytest.raises(UserError, match=f"{folder / 'dog'}: all 8 usable images have the label deeper; labels are two or more"):
        run_prepare(tmp_path, kind="folder", path=str(folder / "dog"), labelled=True)
    assert not list((tmp_path / "out").glob("mine*"))


def test_a_classifier_of_ones_own_labels_needs_the_accuracy_that_was_asked_for(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    images = np.kron(np.tile([30, 220], 20)[:, None, None], np.ones((1, 12, 12))).astype(np.uint8)
    np.savez(tmp_path / "a.npz", images=images, labels=np.tile(["dark", "light"], 20))
    row = {"kind": "array", "path": str(tmp_path / "a.npz"), "labelled": True, "size": None, "channels": None, "test_fraction": 0.1}
    for accuracy in (0.9, 0.95):  # nothing but the entry differs
        run_prepare(tmp_path, accuracy=accuracy, **row)
        assert main(["classifier", "mine", "--data", str(tmp_path / "out"), "--out", str(tmp_path / "c.safetensors")]) == 0
        assert capsys.readouterr().out == f"test accuracy 1.0000, required {accuracy}\n"


# NumPy's files


def test_arrays_are_the_same_as_files_of_the_same_images(tmp_path: Path, expected: list[np.ndarray]) -> None:
    np.save(tmp_path / "a.npy", GREY), np.save(tmp_path / "l.npy", LABELS)
    np.savez(tmp_path / "a.npz", images=GREY, labels=LABELS[:, None])
    for row in ({"path": "a.npy", "labels": "l.npy"}, {"path": "a.npz"}):
        row["path"] = str(tmp_path / row["path"])
        run_prepare(tmp_path, kind="array", **row)
        assert all(map(np.array_equal, arrays(tmp_path), expected))
        assert run_prepare(tmp_path, kind="array", labelled=True, **row)["classes"] == ["0", "1", "2"]
        assert labels_of_images(tmp_path, expected) == LABELS.tolist()
    for order in ("C", "F"):
        np.save(tmp_path / "colour.npy", np.asarray(np.repeat(GREY[..., None], 3, 3), order=order))
        run_prepare(tmp_path, kind="array", path=str(tmp_path / "colour.npy"), size=None, channels=None)
        train, _ = arrays(tmp_path)
        assert train.shape == (18, 10, 10, 3) and np.array_equal(train[0], np.repeat(GREY[0, 1:11, :, None], 3, 2))


WRONG_IMAGES = {
    "floats": (GREY / 255, r"found float64 of shape \(24, 12, 10\): values are to be 0 … 255"),
    "channels first": (np.zeros((9, 3, 8, 8), np.uint8), "channels come last"),
    "one image": (GREY[0], "these are no images"),
    "five channels": (np.zeros((9, 8, 8, 5), np.uint8), "these are no images"),
    "none": (GREY[:0], "these are no images"),
    "zeros and ones": (GREY % 2, r"values are to be 0 … 255, these are 0 and 1: `255 \* x`"),
    "too small": (GREY[:, :4, :4], "24 of 24 images cannot be used:\n  0: 4×4, the shorter side must have 8 pixels"),
    "colour": (np.zeros((9, 8, 8, 3), np.uint8), "9 of 9 images cannot be used:\n  0: it is colour; set `convert: true`"),
    "objects": (np.array([None, "a"]), "not a complete file of NumPy's, or one of objects, which are not read"),
}


@pytest.mark.parametrize("array, message", WRONG_IMAGES.values(), ids=WRONG_IMAGES)
def test_arrays_that_are_no_images_are_named(array: np.ndarray, message: str, tmp_path: Path) -> None:
    np.save(tmp_path / "a.npy", array)
    with pytest.raises(UserError, match=f"^{tmp_path}/a.npy: {message}|^{tmp_path}/a.npy: found .*{message}"):
        run_prepare(tmp_path, kind="array", path=str(tmp_path / "a.npy"))


WRONG_FILES = {
    "no such array": ({"pictures": GREY}, False, "no array images; there are pictures"),
    "no labels": ({"images": GREY}, True, "no array labels; there are images"),
    "too few labels": ({"images": GREY, "labels": LABELS[1:]}, True, r"found labels int64 of shape \(23,\)"),
    "one label": ({"images": GREY, "labels": np.array(3)}, True, r"found labels int64 of shape \(\) "),
    "one-hot labels": (
        {"images": GREY, "labels": np.eye(3)[LABELS]},
        True,
        r"found labels float64 of shape \(24, 3\) .* accepted is one",
    ),
}


def test_labels_in_another_folder_count_by_their_content(tmp_path: Path) -> None:
    (tmp_path / "sub").mkdir()
    np.save(tmp_path / "a.npy", GREY)
    entry = {"kind": "array", "path": str(tmp_path / "a.npy"), "labelled": True, "labels": str(tmp_path / "sub/l.npy")}
    found = []
    for labels in (LABELS, LABELS[::-1]):
        np.save(tmp_path / "sub/l.npy", labels)
        found.append(run_prepare(tmp_path, **entry)["recipe"])
    assert found[0] != found[1]


@pytest.mark.parametrize("content, labelled, message", WRONG_FILES.values(), ids=WRONG_FILES)
def test_files_of_several_arrays_that_lack_one_are_named(content: dict[str, Any], labelled: bool, message: str, tmp_path: Path) -> None:
    np.savez(tmp_path / "a.npz", **content)
    with pytest.raises(UserError, match=f"^{tmp_path}/a.npz: {message}"):
        run_prepare(tmp_path, kind="array", path=str(tmp_path / "a.npz"), labelled=labelled)


def test_max_pixels_limits_the_images_of_an_array(tmp_path: Path) -> None:
    np.save(tmp_path / "a.npy", GREY)
    with pytest.raises(UserError, match="24 of 24 images cannot be used:\n  0: too large: 120 pixels, accepted 119; `max_pixels`"):
        run_prepare(tmp_path, kind="array", path=str(tmp_path / "a.npy"), max_pixels=119)


def test_a_damaged_or_absent_file_of_arrays_is_named(tmp_path: Path) -> None:
    np.save(tmp_path / "a.npy", GREY), np.savez(tmp_path / "a.npz", images=GREY)
    for name in ("a.npy", "a.npz"):
        (tmp_path / name).write_bytes((tmp_path / name).read_bytes()[:-100])
        with pytest.raises(UserError, match=f"^{tmp_path}/{name}: not a complete file of NumPy's"):
            run_prepare(tmp_path, kind="array", path=str(tmp_path / name))
    with pytest.raises(UserError, match=f"^{tmp_path}/b.npy: no such file"):
        run_prepare(tmp_path, kind="array", path=str(tmp_path / "b.npy"))


def test_images_with_a_negative_label_have_none(tmp_path: Path) -> None:
    np.savez(tmp_path / "a.npz", images=GREY, labels=np.where(LABELS == 2, -1, LABELS))
    row = {"kind": "array", "path": str(tmp_path / "a.npz"), "labelled": True}
    with pytest.raises(UserError, match="8 of 24 images cannot be used:\n  2: it has no label"):
        run_prepare(tmp_path, **row)
    assert run_prepare(tmp_path, on_bad="skip", **row)["n_classes"] == 2


# The Hub's files


def write_table(path: Path, start: int, stop: int, **changes: Any) -> None:
    """A file as the library `datasets` writes it: images as a mapping with their bytes, names of the labels in the metadata."""
    pyarrow = pytest.importorskip("pyarrow")
    from pyarrow import parquet

    path.parent.mkdir(parents=True, exist_ok=True)
    image = pyarrow.struct([("bytes", pyarrow.binary()), ("path", pyarrow.string())])
    columns = {
        "image": pyarrow.array([{"bytes": png(GREY[i]), "path": None} for i in range(start, stop)], image),
        "label": pyarrow.array(LABELS[start:stop]),
    }
    features = {"image": {"_type": "Image"}, "label": {"names": ["cat", "dog", "bird"], "_type": "ClassLabel"}}
    table = pyarrow.table(columns | changes).replace_schema_metadata({"huggingface": json.dumps({"info": {"features": features}})})
    if path.suffix == ".parquet":
        parquet.write_table(table, path, row_group_size=5)
        return
    with pyarrow.OSFile(str(path), "wb") as file:
        opened = pyarrow.ipc.new_stream if "stream" in path.name or "data-" in path.name else pyarrow.ipc.new_file
        with opened(file, table.schema) as writer:
            writer.write_table(table, max_chunksize=7)


LAYOUTS = {
    "the Hub's": ["data/train-00000-of-00002.parquet", "data/train-00001-of-00002.parquet"],
    "save_to_disk": ["data-00000-of-00002.arrow", "data-00001-of-00002.arrow"],
    "save_to_disk of splits": ["train/data-00000-of-00002.arrow", "train/data-00001-of-00002.arrow"],
    "with an index": ["train-0.arrow", "train-1.arrow"],
}


@pytest.mark.parametrize("files", LAYOUTS.values(), ids=LAYOUTS)
def test_a_data_set_of_the_hub_is_the_same_as_files_of_its_images(files: list[str], tmp_path: Path, expected: list[np.ndarray]) -> None:
    for name, (start, stop) in zip(files, ((0, 11), (11, N)), strict=True):
        write_table(tmp_path / "hub" / name, start, stop)
    for other in ("dataset_info.json", "cache-0123.arrow", ".cache/train-00000.parquet"):
        (tmp_path / "hub" / other).parent.mkdir(exist_ok=True)
        (tmp_path / "hub" / other).write_text("{}")
    row = {"kind": "parquet", "path": str(tmp_path / "hub")}
    run_prepare(tmp_path, **row)
    assert all(map(np.array_equal, arrays(tmp_path), expected))
    assert run_prepare(tmp_path, labelled=True, **row)["classes"] == ["cat", "dog", "bird"]
    assert labels_of_images(tmp_path, expected) == LABELS.tolist()


def test_a_split_of_its_own_gives_the_test_images_and_one_that_is_not_read_is_named(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write_table(tmp_path / "hub/train-00000-of-00001.parquet", 0, 20)
    write_table(tmp_path / "hub/test-00000-of-00001.parquet", 20, N)
    row = {"kind": "parquet", "path": str(tmp_path / "hub"), "size": 10}
    run_prepare(tmp_path, **row)
    assert "mine: 1 file of other splits not read: test-00000-of-00001.parquet; `split` and" in capsys.readouterr().err
    found = run_prepare(tmp_path, test_split="test", **row)
    assert "not read" not in capsys.readouterr().err
    assert (found["n_train"], found["n_test"], found["n_classes"]) == (20, 4, None)
    assert np.array_equal(arrays(tmp_path)[1][..., 0], GREY[20:, 1:11])
    with pytest.raises(
        UserError, match="hub: no file of the split 'tes', .parquet or .arrow; there are test-00000-of-00001.parquet, train-"
    ):
        run_prepare(tmp_path, test_split="tes", **row)


@pytest.mark.parametrize("suffix", ["parquet", "arrow"])
def test_a_file_of_another_form_or_damaged_is_named(suffix: str, tmp_path: Path) -> None:
    path = tmp_path / f"train.{suffix}"
    write_table(path, 0, N)
    row = {"kind": "parquet", "path": str(path)}
    assert run_prepare(tmp_path, **row)["n_train"] == 18  # a file alone
    with pytest.raises(UserError, match=f"^{path}: no column img; there are image, label"):
        run_prepare(tmp_path, image="img", **row)
    whole = path.read_bytes()
    for content in (whole[: len(whole) // 2], b"", b"text"):
        path.write_bytes(content)
        with pytest.raises(UserError, match=f"^{path}: not a complete .{suffix} file"):
            run_prepare(tmp_path, **row)
    with pytest.raises(UserError, match=f"nosuch.{suffix}: no such file or folder"):
        run_prepare(tmp_path, kind="parquet", path=str(tmp_path / f"nosuch.{suffix}"))


def test_cells_without_an_image_or_a_label_are_listed(tmp_path: Path) -> None:
    pyarrow = pytest.importorskip("pyarrow")
    cells = [png(pixels) for pixels in GREY]
    cells[5], labels = None, [None if i == 7 else ["even", "odd"][i % 2] for i in range(N)]
    write_table(tmp_path / "train.parquet", 0, N, image=pyarrow.array(cells, pyarrow.binary()), label=pyarrow.array(labels))
    row = {"kind": "parquet", "path": str(tmp_path / "train.parquet"), "labelled": True}
    bad = "2 of 24 images cannot be used:\n  train.parquet:7: it has no label\n  train.parquet:5: it is empty"
    with pytest.raises(UserError, match=bad):
        run_prepare(tmp_path, **row)


def test_without_pyarrow_the_message_says_how_to_install_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "train.parquet").write_bytes(b"")
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    with pytest.raises(UserError, match=r"train.parquet: pyarrow reads it, which is not installed: pip install 'pga\[parquet\]'"):
        run_prepare(tmp_path, kind="parquet", path=str(tmp_path / "train.parquet"))
