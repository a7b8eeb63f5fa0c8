"""CelebA: the centre crop and the official order, damaged archives and images named, and preparation that goes on where it was killed."""

from __future__ import annotations

import contextlib
import hashlib
import io
import json
import os
import re
import shutil
import signal
import struct
import subprocess
import sys
import time
import zipfile
import zlib
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pytest
from PIL import Image

from pga.data import celeba, decode
from pga.data.celeba import Celeba, archive_reader, decode_celeba, read_partition
from pga.data.decode import CHUNK, BadImage, Rows, decode_all, journal_of, resume
from pga.data.prepare import prepare
from pga.data.prepared import load
from pga.data.tf1_resize import resize_tf1, round_to_uint8
from pga.data.verify import Mismatch, verify
from pga.params.sources import Checksum, load_sources
from pga.runtime.errors import UserError

ROOT = Path(__file__).parents[2]
SOURCES = load_sources(ROOT / "params" / "sources.yaml")
ROW = Celeba(kind="celeba", source="celeba", crop=108)
SMALL = Celeba(kind="celeba", source="celeba", crop=108, size=8)
ARCHIVE, PARTITION = "img_align_celeba.zip", "list_eval_partition.txt"


def jpeg(width: int = 178, height: int = 218, mode: str = "RGB", seed: int = 0, **options: Any) -> bytes:
    """A JPEG file of blurred noise."""
    bands = len(Image.new(mode, (1, 1)).getbands())
    coarse = width // 16 + 1, height // 16 + 1
    noise = Image.frombytes(mode, coarse, np.random.default_rng(seed).bytes(coarse[0] * coarse[1] * bands))
    file = io.BytesIO()
    noise.resize((width, height), Image.Resampling.BICUBIC).save(file, "JPEG", **options)
    return file.getvalue()


def write_zip(path: Path, members: Sequence[tuple[str, bytes]], packing: int = zipfile.ZIP_STORED) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    with zipfile.ZipFile(path, "w", packing) as archive:
        for name, content in members:
            archive.writestr(name, content)
    return path


def write_partition(path: Path, partition: dict[str, int]) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(f"{name} {number}\n" for name, number in partition.items()), encoding="ascii")
    return path


def synthetic(raw: Path, n: int = 6) -> dict[str, bytes]:
    """A source of n small-made images, every third one a test image; returns name → content in the order of the numbers."""
    some = [jpeg(seed=i) for i in range(7)]
    images = {f"{i + 1:06}.jpg": some[i % 7] for i in range(n)}
    shuffled = np.random.default_rng(0).permutation(list(images)).tolist()
    write_zip(raw / "celeba" / ARCHIVE, [(f"img_align_celeba/{name}", images[name]) for name in shuffled])
    write_partition(raw / "celeba" / PARTITION, {name: (int(name[:6]) - 1) % 3 for name in reversed(shuffled)})
    return images


def run_prepare(raw: Path, out: Path, row: Celeba = ROW, processes: int = 1) -> np.ndarray:
    prepare("celeba", row, raw, out, SOURCES, processes)
    return load(out, "celeba")[0]


# One image


@pytest.mark.parametrize("crop, rows, columns", [(108, (55, 162), (35, 142)), (140, (39, 178), (19, 158)), (178, (20, 197), (0, 177))])
def test_the_crop_is_these_rows_and_columns_resized_as_the_row_says(crop: int, rows: tuple[int, int], columns: tuple[int, int]) -> None:
    content = jpeg(quality=95)
    cropped = np.asarray(Image.open(io.BytesIO(content)))[rows[0] : rows[1] + 1, columns[0] : columns[1] + 1]
    authors, antialiased = (decode_celeba(content, crop, 64, resize) for resize in ("tf1_bicubic", "antialias"))
    assert np.array_equal(authors, round_to_uint8(resize_tf1(cropped[None], 64, "bicubic"))[0])
    assert np.array_equal(antialiased, Image.fromarray(cropped).resize((64, 64), Image.Resampling.BICUBIC))
    assert np.abs(authors.astype(int) - antialiased).max() > 1


def huge() -> bytes:
    """A JPEG that claims 65,500×65,500 pixels in the header of its frame."""
    content = jpeg()
    frame = content.index(b"\xff\xc0") + 5
    return content[:frame] + struct.pack(">HH", 65_500, 65_500) + content[frame + 4 :]


BAD = {
    "truncated": (jpeg()[:-200], r"not a complete JPEG \(.*truncated.*\)"),
    "cut in its header": (jpeg()[:100], r"not a.* JPEG.*"),
    "empty": (b"", r"not a.* JPEG.*"),
    "one pixel": (jpeg(1, 1), "1×1 RGB, an aligned CelebA image is 178×218 RGB"),
    "one row short": (jpeg(178, 217), "178×217 RGB, an aligned CelebA image is 178×218 RGB"),
    "turned": (jpeg(218, 178), "218×178 RGB, an aligned CelebA image is 178×218 RGB"),
    "grey": (jpeg(mode="L"), "178×218 L, an aligned CelebA image is 178×218 RGB"),
    "CMYK": (jpeg(mode="CMYK"), "178×218 CMYK, an aligned CelebA image is 178×218 RGB"),
    "a PNG": (b"\x89PNG\r\n\x1a\n", r"not a.* JPEG.*"),
    "a web page": (b"<html>quota exceeded</html>", r"not a.* JPEG.*"),
    "a bomb": (huge(), r"not a complete JPEG \(Image size .* exceeds limit .*\)"),
}


@pytest.mark.parametrize("content, reason", BAD.values(), ids=BAD)
def test_what_is_no_aligned_jpeg_is_bad(content: bytes, reason: str) -> None:
    with pytest.raises(BadImage, match=f"^{reason}$"):
        decode_celeba(content, 108, 64, "tf1_bicubic")


def test_no_damage_to_a_jpeg_ends_in_another_exception() -> None:
    # One that escapes would end the preparation of 202,599 images with a traceback which does not name the file.
    whole, rng = jpeg(), np.random.default_rng(0)
    outcomes = set()
    for _ in range(300):
        content = bytearray(whole)
        start = rng.integers(len(whole) if rng.random() < 0.5 else 700)  # the headers are where it hurts
        content[start : start + rng.integers(1, 9)] = rng.bytes(rng.integers(0, 9))
        try:
            outcomes.add(decode_celeba(bytes(content), 108, 8, "tf1_bicubic").shape)
        except BadImage:
            outcomes.add("bad")
    assert outcomes == {(8, 8, 3), "bad"}


# The partition


def test_the_partition_is_sorted_by_the_official_numbers(tmp_path: Path) -> None:
    path = tmp_path / PARTITION
    path.write_text("000010.jpg 2\r\n000002.jpg 0\n000009.jpg 1\n")
    assert list(read_partition(path).items()) == [("000002.jpg", "train"), ("000009.jpg", "validation"), ("000010.jpg", "test")]


SAME_PARTITION = {
    "Kaggle's comma and heading": "\ufeffimage_id,partition\r\n000001.jpg,0\r\n000002.jpg,2\r\n",
    "tabs": "000001.jpg\t0\n000002.jpg\t2\n",
    "two spaces": "000001.jpg  0 \n000002.jpg  2 \n",
}


@pytest.mark.parametrize("text", SAME_PARTITION.values(), ids=SAME_PARTITION)
@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_a_partition_written_another_way_is_the_same_and_another_one_is_not(end: str, text: str, tmp_path: Path) -> None:
    path, official = tmp_path / PARTITION, f"000001.jpg 0{end}000002.jpg 2{end}".encode()
    path.write_bytes(text.encode())
    assert read_partition(path) == {"000001.jpg": "train", "000002.jpg": "test"}
    checksum = Checksum(of="lines", algorithm="md5", value=hashlib.md5(official).hexdigest())
    verify(path, checksum)
    path.write_bytes(text.replace("000001.jpg", "000003.jpg").encode())
    with pytest.raises(Mismatch, match="md5 of its lines is"):
        verify(path, checksum)


WRONG_LINES = ["000003.jpg", "000003.jpg 3", "3.jpg 0", "000003.png 0", "../003.jpg 0", "000003.jpg 0 0", "000001.jpg 0", "", "<html>"]


@pytest.mark.parametrize("line", WRONG_LINES)
def test_a_line_that_is_none_is_named_with_its_number(line: str, tmp_path: Path) -> None:
    path = tmp_path / PARTITION
    path.write_text(f"000001.jpg 0\n000002.jpg 2\n{line}\n000004.jpg 0\n")
    with pytest.raises(UserError) as raised:
        read_partition(path)
    assert str(raised.value) == f"{path}:3: found {line!r}, accepted is a new name and its partition, e.g. 000001.jpg 0"


@pytest.mark.parametrize("content, message", [(None, "cannot be read"), (b"", "lists no image"), ("é".encode(), "cannot be read")])
def test_a_partition_that_is_absent_empty_or_no_text_is_named(content: bytes | None, message: str, tmp_path: Path) -> None:
    path = tmp_path / PARTITION
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(UserError, match=f"{path}: {message}"):
        read_partition(path)


def test_a_partition_without_test_images_is_refused(tmp_path: Path) -> None:
    images = synthetic(tmp_path / "raw")
    path = write_partition(tmp_path / "raw" / "celeba" / PARTITION, dict.fromkeys(images, 0))
    with pytest.raises(UserError, match=rf"{path}: names no test image \(partition 2\)"):
        run_prepare(tmp_path / "raw", tmp_path, SMALL)
    assert not (tmp_path / "celeba.npy").exists()


# The archive


NAMES = ["000001.jpg", "000002.jpg"]
GOOD = [(f"img_align_celeba/{name}", b"content") for name in NAMES]
FOREIGN = {
    "a path that leads outside": ("../000001.jpg", b"x"),
    "a path through the folder": ("img_align_celeba/../000001.jpg", b"x"),
    "an absolute path": ("/000001.jpg", b"x"),
    "another folder": ("other/000003.jpg", b"x"),
    "a hidden file": ("__MACOSX/._000001.jpg", b"x"),
    "an extra file": ("img_align_celeba/readme.txt", b"x"),
    "the same name in no folder": ("000001.jpg", b"x"),
    "the same name again": ("img_align_celeba/000001.jpg", b"x"),
    "a name of seven digits": ("img_align_celeba/1000001.jpg", b"x"),
    "a huge member": ("img_align_celeba/000003.jpg", bytes((1 << 20) + 1)),
}


@pytest.mark.filterwarnings("ignore:Duplicate name")
@pytest.mark.parametrize("member", FOREIGN.values(), ids=FOREIGN)
def test_a_member_that_does_not_belong_in_the_archive_is_named(member: tuple[str, bytes], tmp_path: Path) -> None:
    path = write_zip(tmp_path / ARCHIVE, [*GOOD, member], zipfile.ZIP_DEFLATED)
    before = sorted(tmp_path.parent.rglob("*"))
    with pytest.raises(UserError) as raised:
        archive_reader(path, NAMES)
    assert str(raised.value) == f"{path}: its member {member[0]!r} ({len(member[1])} bytes) does not belong in CelebA's archive"
    assert sorted(tmp_path.parent.rglob("*")) == before  # nothing was unpacked, wherever its path leads


def test_images_that_lack_or_are_too_many_are_counted_and_named(tmp_path: Path) -> None:
    path = write_zip(tmp_path / ARCHIVE, [("img_align_celeba/", b""), *GOOD])  # with the folder's own entry, as the official one has
    listed = [NAMES[0], *(f"00001{i}.jpg" for i in range(7))]
    with pytest.raises(UserError) as raised:
        archive_reader(path, listed)
    message = f"{path}: its images differ from the partition's 8: 7 missing (000010.jpg, 000011.jpg, 000012.jpg, 000013.jpg, 000014.jpg), "
    assert str(raised.value) == message + "1 too many (000002.jpg)"
    assert dict(archive_reader(path, NAMES)(NAMES[::-1])) == {NAMES[1]: b"content", NAMES[0]: b"content"}


@pytest.mark.parametrize("share", [0, 0.3, 0.99])
def test_a_truncated_archive_is_refused_before_anything_is_written(share: float, tmp_path: Path) -> None:
    synthetic(tmp_path / "raw")
    path = tmp_path / "raw" / "celeba" / ARCHIVE
    path.write_bytes(path.read_bytes()[: int(path.stat().st_size * share)])
    with pytest.raises(UserError, match=rf"^{path}: not a complete zip archive \(.*\); delete it and fetch again$"):
        run_prepare(tmp_path / "raw", tmp_path / "out")
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("packing", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
def test_a_damaged_member_is_named(packing: int, tmp_path: Path) -> None:
    # The archive's end, by which it is opened, is whole; what is wrong shows only when the member is read.
    content, rng = bytes(range(0, 250, 5)) * 40, np.random.default_rng(0)
    path = write_zip(tmp_path / ARCHIVE, [(name, content) for name, _ in GOOD], packing)
    whole = path.read_bytes()
    start = 30 + len(GOOD[0][0])  # behind the first member's own header
    end = zipfile.ZipFile(path).infolist()[1].header_offset
    for where in range(start, end - (end - start) // 3, max((end - start) // 20, 1)):  # the very end may be padding
        path.write_bytes(whole[:where] + rng.bytes(4) + whole[where + 4 :])
        read = archive_reader(path, NAMES)
        with pytest.raises(UserError, match=f"^{path}: its member {NAMES[0]} is damaged"):
            list(read(NAMES))


def test_an_encrypted_member_is_named(tmp_path: Path) -> None:
    path = write_zip(tmp_path / ARCHIVE, GOOD)
    content = bytearray(path.read_bytes())
    content[6] |= 1  # in the first member's header and in the archive's end, the flag that says so
    content[content.index(b"PK\1\2") + 8] |= 1
    path.write_bytes(content)
    with pytest.raises(UserError, match=f"^{path}: "):
        list(archive_reader(path, NAMES)(NAMES))


# The folder


def test_a_folder_that_is_absent_or_lacks_images_is_named(tmp_path: Path) -> None:
    images = synthetic(tmp_path / "raw")
    (tmp_path / "raw" / "celeba" / ARCHIVE).unlink()  # which nobody needs who has the folder
    row = SMALL.model_copy(update={"folder": tmp_path / "faces"})
    with pytest.raises(UserError, match=f"^{tmp_path}/faces: no such folder; datasets: folder: names the one"):
        run_prepare(tmp_path / "raw", tmp_path / "out", row)
    (tmp_path / "faces").mkdir()
    with pytest.raises(UserError, match=f"^{tmp_path}/faces: no .jpg there, nor in its img_align_celeba, .*; datasets: folder: names"):
        run_prepare(tmp_path / "raw", tmp_path / "out", row)
    for name in list(images)[1:]:
        (tmp_path / "faces" / name).write_bytes(images[name])
    (tmp_path / "faces" / "999999.jpg").write_bytes(b"")
    (tmp_path / "faces" / "readme.txt").write_bytes(b"whatever else is there does not matter")
    with pytest.raises(UserError) as raised:
        run_prepare(tmp_path / "raw", tmp_path / "out", row)
    message = f"{tmp_path}/faces: its images differ from the partition's 6: 1 missing (000001.jpg), 1 too many (999999.jpg)"
    assert str(raised.value) == message


@pytest.mark.parametrize("below", ["img_align_celeba/img_align_celeba", "Img/img_align_celeba"])
def test_the_folder_may_be_the_one_around_the_images(below: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    images = synthetic(tmp_path / "raw")
    whole = run_prepare(tmp_path / "raw", tmp_path / "whole", SMALL)
    monkeypatch.setenv("HOME", str(tmp_path))
    (tmp_path / "faces" / below).mkdir(parents=True)
    for name, content in images.items():
        (tmp_path / "faces" / below / name).write_bytes(content)
    (tmp_path / "faces" / "list_attr_celeba.csv").touch()
    row = Celeba(kind="celeba", source="celeba", crop=108, size=8, folder="~/faces")
    assert np.array_equal(run_prepare(tmp_path / "raw", tmp_path / "out", row), whole)


def test_a_file_of_the_folder_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    images = synthetic(tmp_path / "raw", 3)
    (tmp_path / "faces").mkdir()
    for name, content in images.items():
        (tmp_path / "faces" / name).write_bytes(content)
    path = tmp_path / "faces" / "000002.jpg"
    path.unlink(), path.symlink_to("nowhere")
    with pytest.raises(UserError, match=f"{path}: cannot be read: No such file"):
        run_prepare(tmp_path / "raw", tmp_path / "out", SMALL.model_copy(update={"folder": tmp_path / "faces"}))


# The whole


N = 5 * CHUNK + 20
"""Images of a preparation that is interrupted: some chunks, so that their order shows."""


class Source(NamedTuple):
    raw: Path
    images: dict[str, bytes]


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> Source:
    raw = tmp_path_factory.mktemp("raw")
    return Source(raw, synthetic(raw, N))


@pytest.fixture(scope="module")
def prepared(source: Source, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("prepared")
    prepare("celeba", ROW, source.raw, out, SOURCES, 2)
    return out


def check_order(images: dict[str, bytes], partition: dict[str, int], out: Path) -> None:
    """Images in the order of the numbers, all for training, as in the authors' code; those of partition 2 for test."""
    found, test = load(out, "celeba")[0], load(out, "celeba", "test")[0]
    assert found.dtype == test.dtype == np.uint8 and found.shape == (len(images), 64, 64, 3)
    for i in range(0, len(images), 41):
        name = sorted(images)[i]
        pixels = np.asarray(Image.open(io.BytesIO(images[name])))
        assert np.array_equal(found[i], round_to_uint8(resize_tf1(pixels[None, 55:163, 35:143], 64, "bicubic"))[0]), name
    assert np.array_equal(test, found[[partition[name] == 2 for name in sorted(images)]])


def test_images_stand_in_the_official_order_and_the_test_split_is_partition_2(source: Source, prepared: Path) -> None:
    check_order(source.images, {name: i % 3 for i, name in enumerate(source.images)}, prepared)
    found = json.loads((prepared / "celeba.json").read_text(encoding="utf-8"))
    assert found["official_partition"] == {"train": 434, "validation": 433, "test": 433}
    assert (found["n_train"], found["n_test"], found["n_classes"], found["shape"]) == (N, 433, None, [64, 64, 3])
    raw = source.raw / "celeba"
    assert found["sources"] == {name: hashlib.sha256((raw / name).read_bytes()).hexdigest() for name in (ARCHIVE, PARTITION)}
    assert sorted(path.name for path in prepared.iterdir()) == ["celeba-test.npy", "celeba.json", "celeba.npy"]  # no part is left


def test_real_images_are_prepared(mirror: Path, tmp_path: Path) -> None:
    lines = (mirror / "celeba" / PARTITION).read_text().splitlines()
    partition = {name: int(number) for name, number in (line.split() for line in lines[::25])}
    with zipfile.ZipFile(mirror / "celeba" / ARCHIVE) as archive:
        images = {name: archive.read(f"img_align_celeba/{name}") for name in partition}
    write_zip(tmp_path / "raw" / "celeba" / ARCHIVE, list(images.items()))
    write_partition(tmp_path / "raw" / "celeba" / PARTITION, partition)
    run_prepare(tmp_path / "raw", tmp_path)
    check_order(images, partition, tmp_path)


def test_bad_images_are_all_listed_by_name_in_one_error(tmp_path: Path) -> None:
    images = {f"{i + 1:06}.jpg": jpeg(seed=i) for i in range(5)}
    images |= {f"{i + 101:06}.jpg": content for i, (content, _) in enumerate(BAD.values())}
    write_zip(tmp_path / "raw" / "celeba" / ARCHIVE, list(images.items()))
    write_partition(tmp_path / "raw" / "celeba" / PARTITION, dict.fromkeys(images, 2))
    with pytest.raises(UserError) as raised:
        run_prepare(tmp_path / "raw", tmp_path / "out")
    first, *rest = str(raised.value).splitlines()
    assert first == f"celeba: {len(BAD)} of {len(images)} images are not CelebA's:"
    for i, (line, (_, reason)) in enumerate(zip(rest, BAD.values(), strict=True)):
        assert re.fullmatch(f"  {i + 101:06}.jpg: {reason}", line), line
    assert not list((tmp_path / "out").glob("*.npy"))
    with pytest.raises(UserError) as again:  # from the journal, without a look at the images
        run_prepare(tmp_path / "raw", tmp_path / "out")
    assert str(again.value) == str(raised.value)
    for content, name in ((jpeg(), name) for name in images if name >= "000101"):
        images[name] = content
    write_zip(tmp_path / "raw" / "celeba" / ARCHIVE, list(images.items()))
    assert len(run_prepare(tmp_path / "raw", tmp_path / "out", SMALL)) == len(images)  # mended, it is prepared


# Interrupted


class Interrupted(NamedTuple):
    out: Path
    """Of a preparation that was killed."""
    done: int
    """Chunks that it had finished."""
    orphans: list[int]
    """Processes of it that still ran long after its death."""


def command(raw: Path, out: Path) -> list[str]:
    flags = ["--raw", str(raw), "--out", str(out), "--processes", "1"]
    flags += ["--datasets", str(ROOT / "params" / "datasets.yaml"), "--sources", str(ROOT / "params" / "sources.yaml")]
    return [sys.executable, "-m", "pga", "prepare", "celeba", *flags]


def members_of(group: int) -> list[int]:
    """Processes of a process group that are not zombies."""
    found = []
    for stat in Path("/proc").glob("[0-9]*/stat"):
        with contextlib.suppress(OSError):
            state, _, its_group = stat.read_text().rpartition(")")[2].split()[:3]
            if int(its_group) == group and state != "Z":
                found.append(int(stat.parent.name))
    return found


@pytest.fixture(scope="module")
def interrupted(source: Source, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Interrupted]:
    """A preparation by one worker, killed (SIGKILL, as by a power cut or the kernel) once its journal has two chunks or more."""
    out = tmp_path_factory.mktemp("interrupted")
    journal = journal_of(out / ".celeba.part")
    quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    process = subprocess.Popen(command(source.raw, out), cwd=ROOT, start_new_session=True, **quiet)
    try:
        deadline = time.monotonic() + 60
        while not journal.exists() or journal.read_bytes().count(b"\n") < 3:  # the key's line and those of two chunks
            assert process.poll() is None and time.monotonic() < deadline, "it ended or hung before it could be killed"
            time.sleep(0.005)
        os.kill(process.pid, signal.SIGKILL)
        process.wait()
        done = journal.read_bytes().count(b"\n") - 1
        assert 2 <= done < N // CHUNK
        deadline = time.monotonic() + 30  # a loaded machine lets them notice late
        while (orphans := members_of(process.pid)) and time.monotonic() < deadline:
            time.sleep(0.05)
        yield Interrupted(out, done, orphans)
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)  # the group that this fixture started, and nothing else


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Names of the images that are read for decoding, in order, from now on."""
    names: list[str] = []

    def spying(path: Path, listed: Sequence[str]) -> Any:
        read = archive_reader(path, listed)

        def spy(some: Sequence[str]) -> Any:
            names.extend(some)
            return read(some)

        return spy

    monkeypatch.setattr(celeba, "archive_reader", spying)
    return names


def test_killed_in_the_middle_it_goes_on_after_the_last_finished_chunk_to_the_same_bytes(
    interrupted: Interrupted, source: Source, prepared: Path, asked: list[str], tmp_path: Path
) -> None:
    assert not interrupted.orphans
    shutil.copytree(interrupted.out, tmp_path, dirs_exist_ok=True)
    assert not (tmp_path / "celeba.npy").exists()  # nothing passes for whole before it is
    prepare("celeba", ROW, source.raw, tmp_path, SOURCES, 1)
    assert asked == list(source.images)[interrupted.done * CHUNK :]  # not from zero
    assert sorted(path.name for path in tmp_path.iterdir()) == ["celeba-test.npy", "celeba.json", "celeba.npy"]
    for path in prepared.iterdir():  # by another number of processes
        assert (tmp_path / path.name).read_bytes() == path.read_bytes(), path.name


class Enough(Exception):
    """Raised to end a preparation that has shown where it begins."""


CHANGES = {"nothing": {}, "crop": {"crop": 140}, "size": {"size": 32}, "resize": {"resize": "antialias"}}


@pytest.mark.parametrize("change", [*CHANGES, "archive", "partition", "code"])
def test_only_a_part_of_the_same_parameters_images_and_code_is_continued(
    change: str, interrupted: Interrupted, source: Source, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    out, raw = shutil.copytree(interrupted.out, tmp_path / "out"), shutil.copytree(source.raw, tmp_path / "raw")
    if change == "archive":
        with zipfile.ZipFile(raw / "celeba" / ARCHIVE, "a") as archive:
            archive.comment = b"the same images, as far as one can see from its list"
    if change == "partition":
        write_partition(raw / "celeba" / PARTITION, dict.fromkeys(source.images, 2))
    if change == "code":
        monkeypatch.setattr("pga.fingerprints.steps.preparing_code", lambda kind: "another")
    first: list[str] = []

    def reader(path: Path, listed: Sequence[str]) -> Any:
        def read(some: Sequence[str]) -> Any:
            first.append(some[0])
            raise Enough

        return read

    monkeypatch.setattr(celeba, "archive_reader", reader)
    with pytest.raises(Enough):
        prepare("celeba", ROW.model_copy(update=CHANGES.get(change, {})), raw, out, SOURCES, 1)
    done = interrupted.done if change == "nothing" else 0
    assert first == [list(source.images)[done * CHUNK]]
    assert (out / ".celeba.part").stat().st_size == done * CHUNK * 64 * 64 * 3


def dies(content: bytes) -> np.ndarray:
    """A decoder that the kernel kills once it meets b"5", as it does for want of memory."""
    if content == b"5":
        time.sleep(0.3)  # so that the first chunk's result is on its way
        os.kill(os.getpid(), signal.SIGKILL)
    return np.full((1, 1, 1), content[0], np.uint8)


def test_a_killed_worker_is_reported_and_what_was_finished_is_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(decode, "CHUNK", 3)
    names = [str(i) for i in range(9)]

    def contents(some: Sequence[str]) -> Iterator[tuple[str, bytes]]:
        return ((name, name.encode()) for name in some)

    part = tmp_path / ".part"
    with pytest.raises(UserError, match=r"^faces: a worker was killed \(out of memory\?\); start again with fewer --processes"):
        decode_all(names, contents, dies, (1, 1, 1), part, "k", 1, "faces")
    assert part.read_bytes() == b"012" and resume(part, "k", 1) == (1, 3, [])


# The journal


def write_part(folder: Path, chunks: int = 3, size: int = 4) -> Path:
    """A part of chunks of ten images of `size` bytes and its journal under the key "k"; the second chunk had a bad file."""
    part = folder / "part"
    content = bytes(range(10 * chunks)) * size
    part.write_bytes(content)
    rows = [content[start : start + 10 * size] for start in range(0, len(content), 10 * size)]
    lines = [{"key": "k"}] + [
        {"good": 10 * (i + 1), "bad": [["b.jpg", "bad"]] if i == 1 else [], "crc": zlib.crc32(row)} for i, row in enumerate(rows)
    ]
    journal_of(part).write_text("".join(json.dumps(line) + "\n" for line in lines))
    return part


def half_written(part: Path) -> None:
    with part.open("ab") as file, journal_of(part).open("a") as journal:
        file.write(b"of the fourth chunk")
        journal.write('{"good": 40, "b')


def zeros_in_the_second_chunk(part: Path) -> None:
    part.write_bytes(part.read_bytes()[:40] + bytes(40) + part.read_bytes()[80:])


BEGUN = {
    "what was being written": (half_written, (3, 30, [("b.jpg", "bad")])),
    "another key": (lambda part: journal_of(part).write_text(journal_of(part).read_text().replace('"k"', '"other"')), (0, 0, [])),
    "no part": (Path.unlink, (0, 0, [])),
    "no journal": (lambda part: journal_of(part).unlink(), (0, 0, [])),
    "shorter than its journal says": (lambda part: os.truncate(part, 45), (1, 10, [])),  # a power cut: no black images may be trained on
    "zeros": (zeros_in_the_second_chunk, (1, 10, [])),
} | {
    name: (lambda part, content=content: journal_of(part).write_bytes(content), (0, 0, []))
    for name, content in {
        "a journal of zeros": b"\0" * 60 + b"\n",  # its length reached the disk and its content did not
        "zeros after the key": b'{"key": "k"}\n\0\0\0\n',
        "no key": b"{}\n",
        "empty lines": b"\n\n",
        "no text": b"\xff\xfe\n",
        "a chunk of no number": b'{"key": "k"}\n{"good": "x"}\n',
    }.items()
}
"""What became of a part of three chunks → what is left of it: chunks, images, bad files."""


@pytest.mark.parametrize("case", BEGUN)
def test_a_part_is_continued_as_far_as_its_journal_vouches_for_it(case: str, tmp_path: Path) -> None:
    part = write_part(tmp_path)
    whole = part.read_bytes()
    damage, expected = BEGUN[case]
    damage(part)
    for _ in range(2):  # and again, as it stands now
        assert resume(part, "k", 4) == expected
        assert part.read_bytes() == whole[: 4 * expected[1]]


def test_rows_in_blocks_are_the_rows(tmp_path: Path) -> None:
    array = np.random.default_rng(0).integers(0, 256, (2 * CHUNK + 44, 2, 3, 1), np.uint8)
    array.tofile(tmp_path / "part")
    rows = Rows(tmp_path / "part", (2, 3, 1), len(array))
    assert rows.shape == array.shape and np.array_equal(np.concatenate(list(rows.blocks())), array)
    index = np.sort(np.random.default_rng(1).choice(len(array), CHUNK + 7, replace=False))
    some = rows.take(index)
    assert some.shape == (CHUNK + 7, 2, 3, 1) and np.array_equal(np.concatenate(list(some.blocks())), array[index])
