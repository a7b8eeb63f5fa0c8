"""A user's own images: which files are read, how each is turned, cropped and converted, what counts as bad, and what then happens."""

from __future__ import annotations

import hashlib
import io
import json
import os
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from child import forked
from PIL import Image

from pga.data.decode import BadImage
from pga.data.folder import Folder, contents, list_files, reader
from pga.data.own_images import decode_file
from pga.data.prepare import prepare
from pga.data.prepared import load
from pga.runtime.errors import UserError

OUTPUTS = ["mine-test.npy", "mine.json", "mine.npy"]


def picture(width: int, height: int, channels: int = 3, seed: int = 0) -> np.ndarray:
    shape = (height, width) if channels == 1 else (height, width, channels)
    return np.random.default_rng(seed).integers(0, 256, shape, np.uint8)


def file_of(image: Image.Image | np.ndarray, kind: str = "PNG", **options: Any) -> bytes:
    file = io.BytesIO()
    (Image.fromarray(image) if isinstance(image, np.ndarray) else image).save(file, kind, **options)
    return file.getvalue()


def decode(
    content: bytes,
    size: int = 8,
    crop: int | None = None,
    channels: int = 3,
    convert: bool = False,
    min_size: int = 8,
    max_pixels: int = 89_478_485,
) -> np.ndarray:
    return decode_file(content, max_pixels, crop=crop, size=size, channels=channels, convert=convert, min_size=min_size)


def write(folder: Path, files: dict[str, bytes]) -> Path:
    for name, content in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(content)
    return folder


def flat(value: int, size: int = 8, channels: int = 3) -> bytes:
    """A PNG of one grey value, by which an image is recognised after preparation."""
    return file_of(np.full((size, size, channels) if channels > 1 else (size, size), value, np.uint8))


def run_prepare(folder: Path, out: Path, **row: Any) -> tuple[np.ndarray, np.ndarray, Any]:
    """Train images, test images, provenance."""
    prepare("mine", Folder(**{"kind": "folder", "path": folder, "size": 8, "test_fraction": 0.5} | row), out / "raw", out, {}, 1)
    found = json.loads((out / "mine.json").read_text(encoding="utf-8"))
    return load(out, "mine")[0], load(out, "mine", "test")[0], found


# Which files


def test_subfolders_are_read_in_sorted_order_and_hidden_files_are_not(tmp_path: Path) -> None:
    names = ["b.png", "a/2.png", "a/10.png", "a/b/c.PNG", "Z.png", "é.png", "a b.png", "a.txt"]
    hidden = [".DS_Store", "a/._2.png", ".git/x.png", "a/.cache/deep/y.png"]
    write(tmp_path, dict.fromkeys(names + hidden, b""))
    (tmp_path / "empty").mkdir()
    assert list_files(tmp_path) == ["Z.png", "a b.png", "a.txt", "a/10.png", "a/2.png", "a/b/c.PNG", "b.png", "é.png"]


def test_a_folder_that_is_absent_empty_or_a_file_is_named(tmp_path: Path) -> None:
    write(tmp_path, {"empty/deeper/.hidden": b"", "file": b""})
    for name, message in (("none", "no such folder"), ("file", "no such folder"), ("empty", "holds no file")):
        with pytest.raises(UserError, match=f"^{tmp_path / name}: {message}"):
            run_prepare(tmp_path / name, tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_links_are_followed_and_end(tmp_path: Path) -> None:
    write(tmp_path, {"elsewhere/cats/1.png": flat(1), "elsewhere/2.png": flat(2), "mine/dogs/3.png": flat(3)})
    mine, elsewhere = tmp_path / "mine", tmp_path / "elsewhere"
    (mine / "linked.png").symlink_to(elsewhere / "2.png")
    (mine / "cats").symlink_to(elsewhere / "cats", target_is_directory=True)
    (mine / "again").symlink_to("dogs", target_is_directory=True)
    (mine / "up").symlink_to(tmp_path, target_is_directory=True)
    (elsewhere / "cats" / "back").symlink_to(mine / "dogs", target_is_directory=True)
    (mine / "dogs" / "round").symlink_to(elsewhere / "cats", target_is_directory=True)  # a circle of two
    assert list_files(mine) == [
        "again/3.png", "again/round/1.png", "cats/1.png", "cats/back/3.png", "dogs/3.png", "dogs/round/1.png", "linked.png",
    ]  # fmt: skip


def test_a_subfolder_that_may_not_be_read_is_named() -> None:
    if os.geteuid() != 0:
        pytest.skip("own images: no right to give up rights")
    with tempfile.TemporaryDirectory(prefix="pga") as place:  # pytest's own folders are closed themselves
        folder = write(Path(place), {"1.png": flat(1), "closed/2.png": flat(2)})
        folder.chmod(0o755), (folder / "closed").chmod(0o700)
        status, said = forked(lambda: list_files(folder) and 0, 65534)
    assert status == 99 and f"UserError: {folder}/closed: cannot be read: Permission denied" in said


def test_a_file_whose_name_is_no_utf_8_is_an_image_or_listed(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = write(tmp_path / "images", {f"{i}.png": flat(i) for i in range(4)})
    for name, content in ((b"caf\xe9.png", flat(50)), (b"\xff\xfe.jpg", b"text")):
        with open(os.path.join(os.fsencode(folder), name), "wb") as file:
            file.write(content)
    with pytest.raises(UserError, match=r"1 of 6 images cannot be used:\n  \\xff\\xfe.jpg: not a"):
        run_prepare(folder, tmp_path / "out")
    train, test, found = run_prepare(folder, tmp_path / "out", on_bad="skip")
    assert sorted([*train[:, 0, 0, 0], *test[:, 0, 0, 0]]) == [0, 1, 2, 3, 50]
    assert [entry["file"] for entry in found["skipped"]] == ["\\xff\\xfe.jpg"]
    assert "  \\xff\\xfe.jpg: not a" in capsys.readouterr().err


def test_the_home_folder_is_meant_by_a_tilde(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    write(tmp_path / "images", {f"{i}.png": flat(i) for i in range(4)})
    assert len(run_prepare(Path("~/images"), tmp_path / "out")[0]) == 2


ODD_FILES = {
    "a pipe": os.mkfifo,
    "a link to itself": lambda path: path.symlink_to(path.name),
    "a link to nothing": lambda path: path.symlink_to("nowhere"),
}


@pytest.mark.parametrize("what", ODD_FILES)
def test_what_is_no_file_among_the_images_is_a_bad_one(what: str, tmp_path: Path) -> None:
    folder = write(tmp_path / "images", {f"{i}.png": flat(i) for i in range(4)})
    ODD_FILES[what](folder / "z.png")
    with pytest.raises(UserError, match="1 of 5 images cannot be used:\n  z.png: "):
        run_prepare(folder, tmp_path / "out")
    train, test, found = run_prepare(folder, tmp_path / "out", on_bad="skip")
    assert len(train) == len(test) == 2
    assert [entry["file"] for entry in found["skipped"]] == ["z.png"]


def test_a_folder_is_known_by_its_content_which_is_read_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = write(tmp_path / "images", {"a": b"1", "b/c": b"2"})

    def known() -> list[tuple[str, str]]:
        return contents(folder, list_files(folder), tmp_path / "known")

    seen = [known()]
    assert seen[0] == [(name, hashlib.sha256(content).hexdigest()) for name, content in (("a", b"1"), ("b/c", b"2"))]
    os.utime(folder / "a", ns=(0, 1_000))
    assert known() == seen[0]
    before = (folder / "a").stat()
    for change in (
        lambda: (write(folder, {"a": b"3"}), os.utime(folder / "a", ns=(0, before.st_mtime_ns))),  # of the same size and time
        lambda: write(folder, {"a": b"12"}),
        lambda: (folder / "a").rename(folder / "d"),
        lambda: write(folder, {"e": b""}),
        lambda: (folder / "b" / "c").unlink(),
    ):
        change()
        assert known() not in seen
        seen.append(known())
    monkeypatch.setattr("pga.data.folder.sha256", None)  # would fail, were a file read again
    assert known() == seen[-1]


def test_a_file_that_vanishes_meanwhile_is_read_as_nothing(tmp_path: Path) -> None:
    write(tmp_path, {"a": b"1"})
    assert list(reader(tmp_path, ["a", "gone"])) == [("a", b"1"), ("gone", b"")]


# One image


@pytest.mark.parametrize("width, height, crop, box", [(20, 12, None, (4, 0, 12)), (12, 21, None, (0, 4, 12)), (20, 15, 8, (6, 3, 8))])
def test_the_centre_is_cropped_by_default_the_largest_square(width: int, height: int, crop: int | None, box: tuple[int, int, int]) -> None:
    pixels = picture(width, height)
    left, top, side = box
    expected = pixels[top : top + side, left : left + side]
    assert np.array_equal(decode(file_of(pixels), size=side, crop=crop), expected)  # its own size, so that only the crop counts
    smaller = Image.fromarray(expected).resize((5, 5), Image.Resampling.BICUBIC)  # antialiased; nothing beyond the crop flows in
    assert np.array_equal(decode(file_of(pixels), size=5, crop=crop), np.asarray(smaller))


@pytest.mark.parametrize("kind", ["PNG", "TIFF"])
def test_an_image_is_turned_as_its_exif_says_and_then_cropped(kind: str) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    pixels = picture(30, 10)
    assert np.array_equal(decode(file_of(pixels, kind, exif=exif), size=10), np.rot90(pixels[:, 10:20], -1))


def test_transparency_becomes_white() -> None:
    pixels, alpha = picture(8, 8), picture(8, 8, 1, seed=1)
    share = alpha[..., None] / 255
    expected = pixels * share + 255 * (1 - share)
    assert np.abs(decode(file_of(np.dstack([pixels, alpha]))) - expected).max() <= 1
    grey = decode(file_of(Image.merge("LA", [Image.fromarray(pixels[..., 0]), Image.fromarray(alpha)])), channels=1)
    assert grey.shape == (8, 8, 1) and np.abs(grey - expected[..., :1]).max() <= 1
    index = np.arange(64, dtype=np.uint8).reshape(8, 8) % 2
    palette = Image.fromarray(index, "P")
    palette.putpalette([10, 20, 30, 40, 50, 60])
    for kind in ("PNG", "GIF"):
        found = decode(file_of(palette, kind, transparency=1))
        assert found.tolist() == np.where(index[..., None] == 1, [255] * 3, [10, 20, 30]).tolist()


@pytest.mark.parametrize("mode", ["1", "L", "RGB"])
def test_a_transparent_colour_without_a_palette_becomes_white(mode: str) -> None:
    image = Image.fromarray((np.indices((8, 8)).sum(0) % 2 * 255).astype(np.uint8)).convert(mode)  # a chequerboard
    content = file_of(image, transparency=(0, 0, 0) if mode == "RGB" else 0)
    assert "transparency" in Image.open(io.BytesIO(content)).info
    assert (decode(content, channels=3 if mode == "RGB" else 1) == 255).all()


def test_grey_images_of_8_bits_and_of_1_bit_are_grey() -> None:
    pixels = picture(8, 8, 1)
    assert np.array_equal(decode(file_of(pixels), channels=1)[..., 0], pixels)
    bits = Image.fromarray(pixels > 127)
    content = file_of(bits)
    assert bits.mode == Image.open(io.BytesIO(content)).mode == "1"
    assert np.array_equal(decode(content, channels=1)[..., 0], (pixels > 127) * 255)


def test_cmyk_is_converted() -> None:
    content = file_of(Image.new("CMYK", (8, 8), (0, 255, 255, 0)), "JPEG", quality=100)
    assert Image.open(io.BytesIO(content)).mode == "CMYK"
    assert np.abs(decode(content).astype(int) - [255, 0, 0]).max() <= 3  # no cyan, all magenta and yellow: red


def test_grey_where_colour_is_wanted_is_bad_unless_converted_and_the_reverse() -> None:
    grey, colour = picture(8, 8, 1), picture(8, 8)
    with pytest.raises(BadImage, match=r"^it is grey; set `convert: true` to convert it to 3 channel\(s\)$"):
        decode(file_of(grey))
    with pytest.raises(BadImage, match=r"^it is colour; set `convert: true` to convert it to 1 channel\(s\)$"):
        decode(file_of(colour), channels=1)
    assert np.array_equal(decode(file_of(grey), convert=True), np.repeat(grey[..., None], 3, 2))
    luma = decode(file_of(colour), channels=1, convert=True)[..., 0]
    assert np.abs(luma - colour @ [0.299, 0.587, 0.114]).max() <= 1
    assert np.array_equal(decode(file_of(colour), convert=True), colour)  # which changes nothing else


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("kind, dtype", [("PNG", np.uint16), ("TIFF", np.uint16), ("TIFF", np.int32), ("TIFF", np.float32)])
def test_more_than_8_bits_are_bad(kind: str, dtype: Any, channels: int) -> None:
    with pytest.raises(BadImage, match="^its mode .+ is not 8 bits per channel$"):
        decode(file_of(Image.fromarray(np.full((8, 8), 1, dtype)), kind), channels=channels, convert=True)


WHOLE_JPEG, WHOLE_PNG = file_of(picture(64, 64), "JPEG"), file_of(picture(64, 64))
UNUSABLE = {
    "a truncated JPEG": (WHOLE_JPEG[:-500], "not a complete image (image file is truncated"),
    "a truncated PNG": (WHOLE_PNG[:-500], "not a complete image ("),
    "a header only": (WHOLE_PNG[:40], "not a"),
    "text": (b"Remember to buy milk\n", "not a"),
    "nothing": (b"", "it is empty, or cannot be read"),
    "one pixel": (flat(0, 1), "1×1, the shorter side must have 8 pixels"),
    "a line": (file_of(picture(100, 7)), "100×7, the shorter side must have 8 pixels"),
}


@pytest.mark.parametrize("content, reason", UNUSABLE.values(), ids=UNUSABLE)
def test_what_cannot_be_used_is_bad_with_its_reason(content: bytes, reason: str) -> None:
    with pytest.raises(BadImage) as raised:
        decode(content)
    assert str(raised.value).startswith(reason) and "\n" not in str(raised.value)
    assert " at 0x" not in str(raised.value)  # the reason stands in the provenance, which is to be the same bytes every time


def test_an_image_must_hold_the_crop_and_min_size() -> None:
    content = file_of(picture(20, 30))
    assert decode(content, crop=20).shape == (8, 8, 3)
    with pytest.raises(BadImage, match="^20×30, the shorter side must have 21 pixels$"):
        decode(content, crop=21)
    with pytest.raises(BadImage, match="^20×30, the shorter side must have 25 pixels$"):
        decode(content, crop=9, min_size=25)
    assert (decode(flat(77, 1), min_size=1) == 77).all()  # one pixel, where it is allowed, fills its square


def test_max_pixels_limits_an_image_and_pillows_own_limit_does_not(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 30)  # instead of 90 million, which would take seconds
    with pytest.raises(BadImage, match="^too large: 81 pixels, accepted 80; `max_pixels` sets it$"):
        decode(flat(1, 9), max_pixels=80)
    assert decode(flat(1, 9), max_pixels=81).shape == (8, 8, 3)
    assert decode(file_of(picture(9, 10)), max_pixels=90).shape == (8, 8, 3)  # no square, so that it is cropped
    assert Image.MAX_IMAGE_PIXELS == 30


@pytest.mark.filterwarnings("ignore")  # Pillow's, of damaged files
@pytest.mark.parametrize("kind", ["JPEG", "PNG", "TIFF", "DDS"])
def test_no_damage_to_a_file_ends_in_another_exception(kind: str) -> None:
    # One that escapes would end the preparation of a large folder with a traceback which does not name the file.
    exif = Image.Exif()
    exif[0x0112], exif[0x010E], exif[0x011A] = 6, "a description", 72.0
    whole = file_of(picture(16, 16), kind, **({} if kind == "DDS" else {"exif": exif}))
    rng, outcomes = np.random.default_rng(0), set()
    for _ in range(200):
        content = bytearray(whole)
        start = rng.integers(len(whole) if rng.random() < 0.4 else min(len(whole), 120))  # the headers are where it hurts
        content[start : start + rng.integers(1, 5)] = rng.bytes(rng.integers(0, 5))
        try:
            outcomes.add(decode(bytes(content), convert=True).shape)
        except BadImage:
            outcomes.add("bad")
    assert outcomes == {(8, 8, 3), "bad"}


# A folder


def test_every_so_manyth_image_is_a_test_image(tmp_path: Path) -> None:
    folder = write(tmp_path / "images", {f"{i:02}.png": flat(i) for i in range(13)})
    train, test, found = run_prepare(folder, tmp_path / "out", test_fraction=0.25)
    assert test[:, 0, 0, 0].tolist() == [3, 7, 11]
    assert train[:, 0, 0, 0].tolist() == [0, 1, 2, 4, 5, 6, 8, 9, 10, 12]
    assert train.shape == (10, 8, 8, 3) and train.dtype == test.dtype == np.uint8
    assert (found["n_train"], found["n_test"], found["n_classes"], found["shape"], found["images"]) == (10, 3, None, [8, 8, 3], 13)
    assert found["skipped"] == [] and found["sources"] == {}
    for fraction, share in ((0.4, 5), (1 / 3, 4), (0.2, 2)):
        assert len(run_prepare(folder, tmp_path / "out", test_fraction=fraction)[1]) == share
    run_prepare(folder, tmp_path / "out", test_fraction=0.25)
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == [".mine.contents", *OUTPUTS]  # no part is left


MIXED = {f"{i}.png": flat(i) for i in range(4)} | {
    "album/cut.jpg": WHOLE_JPEG[:-500],
    "album/grey.png": flat(100, channels=1),
    "album/notes.txt": b"Remember to buy milk",
    "z.png": flat(9),
}


def test_bad_files_are_listed_in_one_error_and_earlier_outputs_stay(tmp_path: Path) -> None:
    folder = write(tmp_path / "images", {f"{i}.png": flat(i + 50) for i in range(4)})
    out = tmp_path / "out"
    run_prepare(folder, out)
    before = {path: (path.read_bytes(), path.stat().st_mtime_ns) for path in map(out.joinpath, OUTPUTS)}
    write(folder, MIXED)
    with pytest.raises(UserError) as raised:
        run_prepare(folder, out)
    first, *listed, last = str(raised.value).splitlines()
    assert first == f"{folder}: 3 of 8 images cannot be used:"
    assert [line.split(": ")[0] for line in listed] == ["  album/cut.jpg", "  album/grey.png", "  album/notes.txt"]
    assert "truncated" in listed[0] and "it is grey; set `convert: true`" in listed[1] and "not a" in listed[2]
    assert last == "Mend or remove them, or set `on_bad: skip` for mine in params/datasets.yaml to leave them out"
    assert {path: (path.read_bytes(), path.stat().st_mtime_ns) for path in before} == before
    assert sorted(path.name for path in out.iterdir()) == [".mine.contents", *OUTPUTS]  # no part is left


def test_bad_files_that_are_skipped_stand_in_the_provenance_and_on_stderr(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = write(tmp_path / "images", MIXED)
    train, test, found = run_prepare(folder, tmp_path / "out", on_bad="skip")
    assert train[:, 0, 0, 0].tolist() == [0, 2, 9] and test[:, 0, 0, 0].tolist() == [1, 3]  # every second one of the usable
    assert found["images"] == 8 and found["n_train"] == 3 and found["n_test"] == 2
    assert [entry["file"] for entry in found["skipped"]] == ["album/cut.jpg", "album/grey.png", "album/notes.txt"]
    errors = capsys.readouterr().err
    assert f"mine: 3 of 8 images were left out, as on_bad says; {tmp_path}/out/mine.json lists them:\n" in errors
    for entry in found["skipped"]:
        assert f"  {entry['file']}: {entry['reason']}\n" in errors


@pytest.mark.parametrize("usable, fraction, n_train, n_test", [(19, 0.1, 18, 1), (3, 0.5, 2, 1), (0, 0.5, 0, 0)])
def test_too_few_images_are_counted(usable: int, fraction: float, n_train: int, n_test: int, tmp_path: Path) -> None:
    folder = write(tmp_path / "images", {f"{i:02}.png": flat(i) for i in range(usable)} | {"a.txt": b"text"})
    with pytest.raises(UserError) as raised:
        run_prepare(folder, tmp_path / "out", on_bad="skip", test_fraction=fraction)
    divided = f"{n_train} for training and {n_test} for test (test_fraction {fraction})"
    assert str(raised.value) == f"{folder}: {usable} usable images give {divided}; at least 2 of each are needed"
    assert not list((tmp_path / "out").glob("mine*"))


def test_twice_is_the_same_bytes_and_a_change_of_the_folder_is_noticed(tmp_path: Path) -> None:
    folder = write(tmp_path / "images", {f"{i}.png": flat(i) for i in range(4)})
    for out in ("one", "two"):
        run_prepare(folder, tmp_path / out)
    for name in OUTPUTS:
        assert (tmp_path / "one" / name).read_bytes() == (tmp_path / "two" / name).read_bytes(), name
    write(folder, {"0.png": flat(200)})
    assert run_prepare(folder, tmp_path / "one")[0][:, 0, 0, 0].tolist() == [200, 2]
