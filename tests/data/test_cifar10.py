"""CIFAR-10: the official archive exactly, however packed; damaged, incomplete and hostile archives named, and nothing of them executed."""

from __future__ import annotations

import gzip
import hashlib
import io
import lzma
import pickle
import tarfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from pga.data import cifar10
from pga.data.cifar10 import TEST, TRAIN, batch, read_cifar10
from pga.data.datasets import load_datasets
from pga.data.prepare import prepare
from pga.data.prepared import load_record
from pga.data.verify import verify
from pga.params.sources import Checksum, load_sources
from pga.runtime.errors import UserError

ROOT = Path(__file__).parents[2]
SOURCES = load_sources(ROOT / "params" / "sources.yaml")
OFFICIAL = SOURCES["cifar10"].files["cifar-10-python.tar"].checksum
MEMBERS = (*TRAIN, *TEST)


def md5(content: bytes) -> str:
    return hashlib.md5(content).hexdigest()


def pack(path: Path, members: dict[str, bytes], mode: str = "w", **options: Any) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    with tarfile.open(path, mode, **options) as archive:
        for name, content in members.items():
            info = tarfile.TarInfo(name)
            info.size = len(content)
            archive.addfile(info, io.BytesIO(content))
    return path


def table(members: dict[str, bytes]) -> Checksum:
    """A table of checksums that agrees with `members`, whatever they are: as if the table itself were hostile."""
    return Checksum(of="members", algorithm="md5", members={name: md5(members.get(name, b"")) for name in MEMBERS})


def python_2(content: Any) -> bytes:
    """`content` pickled with NumPy's old names, as the official batches have them."""
    return pickle.dumps(content, protocol=3).replace(b"numpy._core.multiarray", b"numpy.core.multiarray")


def test_the_real_first_batch_is_read_as_its_web_page_says(mirror: Path) -> None:
    # Unpacking all of them takes long: tests/workflow/test_smoke.py does, and compares their checksums.
    with tarfile.open(mirror / "cifar10" / "cifar-10-python.tar.xz") as archive:
        content = next(archive.extractfile(member).read() for member in archive if member.name == TRAIN[0])
    assert md5(content) == OFFICIAL.members[TRAIN[0]]
    images, labels = batch(content, "")
    found = pickle.loads(content, encoding="bytes")  # harmless, for it is the official one
    assert labels.tolist() == found[b"labels"] and labels[:10].tolist() == [6, 9, 9, 4, 1, 1, 2, 7, 8, 3]
    for i in (0, 4_711, 9_999):
        row = found[b"data"][i]
        assert images[i].tolist() == [[[row[1024 * colour + 32 * y + x] for colour in range(3)] for x in range(32)] for y in range(32)]


# Archives made here, of ten images per batch so that they are quick


def small_batches() -> dict[str, bytes]:
    """Member → batch of ten random images."""
    rng = np.random.default_rng(0)
    squares = np.square(rng.integers(0, 16, (6, 10, 3072), np.uint8))  # few values, so that packing does pack
    return {name: python_2({b"data": data, b"labels": rng.permutation(10).tolist()}) for name, data in zip(MEMBERS, squares, strict=True)}


@pytest.fixture
def small(monkeypatch: pytest.MonkeyPatch) -> dict[str, bytes]:
    """As `small_batches`; the reader is told that ten is right."""
    monkeypatch.setattr(cifar10, "IMAGES", 10)
    return small_batches()


@pytest.mark.parametrize("packing", ["w", "w:gz", "w:xz"])
@pytest.mark.parametrize("form", ["cifar-10-batches-py/{}", "./cifar-10-batches-py/{}", "./{}", "{}"])
def test_batches_stay_in_their_numbers_order_however_they_are_packed(
    form: str, packing: str, small: dict[str, bytes], tmp_path: Path
) -> None:
    shuffled = (MEMBERS[i] for i in (3, 5, 0, 4, 2, 1))
    path = pack(tmp_path / "any-name", {form.format(name.rpartition("/")[2]): small[name] for name in shuffled}, packing)
    verify(path, table(small))
    for split, (images, labels) in read_cifar10(path, table(small)).items():
        batches = [pickle.loads(small[name]) for name in (TRAIN if split == "train" else TEST)]
        assert images.flags["C_CONTIGUOUS"] and images.dtype == np.uint8 and labels.dtype == np.int64
        assert np.array_equal(images.transpose(0, 3, 1, 2).reshape(-1, 3072), np.concatenate([one[b"data"] for one in batches]))
        assert labels.tolist() == [label for one in batches for label in one[b"labels"]]


def test_a_changed_byte_names_the_member_and_nothing_is_unpickled(
    small: dict[str, bytes], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def never(*arguments: Any) -> None:
        raise AssertionError("unpickled before its checksum was compared")

    monkeypatch.setattr(cifar10, "batch", never)
    path, changed = tmp_path / "a.tar", small[TRAIN[2]][:-1]
    pack(path, {TRAIN[2]: changed})
    message = f"md5 of its member {TRAIN[2]} is {md5(changed)}, expected {md5(small[TRAIN[2]])}; delete it and fetch again"
    with pytest.raises(UserError, match=f"^{path}: {message}$"):
        read_cifar10(path, table(small))


def test_a_missing_member_is_named(small: dict[str, bytes], tmp_path: Path) -> None:
    path = pack(tmp_path / "a.tar.gz", {name: content for name, content in small.items() if name != TRAIN[1]}, "w:gz")
    with pytest.raises(UserError, match=f"^{path}: lacks the members {TRAIN[1]}; delete it and fetch again$"):
        read_cifar10(path, table(small))


@pytest.mark.parametrize("kind", [tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.FIFOTYPE])
def test_a_member_that_is_no_file_is_missing(kind: bytes, small: dict[str, bytes], tmp_path: Path) -> None:
    path = pack(tmp_path / "a.tar", {name: content for name, content in small.items() if name != TRAIN[0]})
    with tarfile.open(path, "a") as archive:
        info = tarfile.TarInfo(TRAIN[0])
        info.type, info.linkname = kind, TRAIN[1] if kind == tarfile.LNKTYPE else "data_batch_2"
        archive.addfile(info)
    with pytest.raises(UserError, match=f"lacks the members {TRAIN[0]}"):
        read_cifar10(path, table(small))


@pytest.mark.parametrize("share", [0.001, 0.3, 0.999])
@pytest.mark.parametrize("packing", ["w", "w:gz", "w:xz"])
def test_a_truncated_archive_is_named(packing: str, share: float, small: dict[str, bytes], tmp_path: Path) -> None:
    path = pack(tmp_path / "a", small, packing)
    content = path.read_bytes()
    if packing == "w":
        content = content.rstrip(b"\0")  # tar pads its end with zeros, which nobody misses
    path.write_bytes(content[: int(len(content) * share)])
    with pytest.raises(UserError, match=rf"(?s)^{path}: (cannot be read \(.*\); delete it and fetch again|lacks the members .*)$"):
        read_cifar10(path, table(small))


def test_an_archive_that_is_absent_or_none_is_named(tmp_path: Path) -> None:
    for content in (None, b"", b"<html>quota exceeded</html>", bytes(100_000), gzip.compress(b"no tar"), lzma.compress(b"no tar")):
        path = tmp_path / "a"
        if content is not None:
            path.write_bytes(content)
        with pytest.raises(UserError, match=f"^{path}: (cannot be read|lacks the members)"):
            read_cifar10(path, OFFICIAL)


def test_members_with_paths_that_lead_outside_are_never_written(
    small: dict[str, bytes], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "raw" / "cifar10"
    hostile = {"../outside": b"x", "../../outside": b"x", str(tmp_path / "absolute"): b"x", "cifar-10-batches-py/../../../up": b"x"}
    path = pack(folder / "cifar-10-python.tar", hostile | small | {"../" + TRAIN[0]: b"x"}, "w:gz")
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    before = sorted(tmp_path.rglob("*"))
    found = read_cifar10(path, table(small))
    assert len(found["train"][0]) == 50 and len(found["test"][0]) == 10  # they are passed over
    assert sorted(tmp_path.rglob("*")) == before and not list(tmp_path.parent.glob("outside"))


# Pickles


class Calls:
    """Pickles as a call of `function`, which whoever unpickles it without care would make."""

    def __init__(self, function: Any, *arguments: Any):
        self.what = function, arguments

    def __reduce__(self) -> Any:
        return self.what


def hostile(marker: Path) -> dict[str, bytes]:
    """Pickles that each create `marker` once they are loaded carelessly."""
    shell, expression = f"touch {marker}", f"open({str(marker)!r}, 'w').close()"
    return {
        "os.system": f"cposix\nsystem\n(S'{shell}'\ntR.".encode(),
        "builtins.eval": pickle.dumps(Calls(eval, expression), protocol=2),
        "builtins.exec, protocol 5": pickle.dumps(Calls(exec, expression), protocol=5),
        "inside a batch": python_2({b"data": Calls(eval, expression), b"labels": []}),
        "an instance": f"(S'{shell}'\niposix\nsystem\n.".encode(),
        "a dotted name": b"\x80\x04\x8c\x05numpy\x8c\x0edtype.__init__\x93.",
        "os through numpy": b"\x80\x04\x8c\x05numpy\x8c\x02os\x93.",
        "a file by numpy": f"cnumpy\nfromfile\n(S'{marker}'\ntR.".encode(),
        "an extension": b"\x80\x02\x82\x01.",
        "a persistent name": b"Psomething\n.",
    }


HOSTILE = list(hostile(Path("marker")))


@pytest.mark.parametrize("which", HOSTILE)
def test_a_hostile_pickle_is_refused_and_not_executed(which: str, small: dict[str, bytes], tmp_path: Path) -> None:
    marker = tmp_path / "marker"
    members = small | {TRAIN[0]: hostile(marker)[which]}
    path = pack(tmp_path / "a.tar", members)
    with pytest.raises(UserError, match=rf"(?s)^{path}: {TRAIN[0]}: not a CIFAR-10 batch \(.*\)$"):
        read_cifar10(path, table(members))  # whose checksums agree, so that only the unpickler is left to refuse it
    assert not marker.exists()


@pytest.mark.parametrize("which", ["os.system", "builtins.eval", "inside a batch", "an instance"])
def test_the_hostile_pickles_would_do_harm(which: str, tmp_path: Path) -> None:
    pickle.loads(hostile(tmp_path / "marker")[which], encoding="bytes")  # else the test above proves nothing
    assert (tmp_path / "marker").exists()


DATA, LABELS = np.zeros((10, 3072), np.uint8), list(range(10))
WRONG = {
    "no pickle": b"<html></html>",
    "nothing": b"",
    "cut": python_2({b"data": DATA, b"labels": LABELS})[:-500],
    "a list": python_2([1, 2]),
    "an array": python_2(DATA),
    "no data": python_2({b"labels": LABELS}),
    "no labels": python_2({b"data": DATA}),
    "keys of text": python_2({"data": DATA, "labels": LABELS}),
    "nine images": python_2({b"data": DATA[:9], b"labels": LABELS[:9]}),
    "grey images": python_2({b"data": DATA[:, :1024], b"labels": LABELS}),
    "data of floats": python_2({b"data": DATA.astype(float), b"labels": LABELS}),
    "data in a list": python_2({b"data": DATA.tolist(), b"labels": LABELS}),
    "objects as data": python_2({b"data": DATA.astype(object), b"labels": LABELS}),
    "labels of text": python_2({b"data": DATA, b"labels": ["cat"] * 10}),
    "ragged labels": python_2({b"data": DATA, b"labels": [[1, 2], *range(9)]}),
    "labels in pairs": python_2({b"data": DATA, b"labels": [[1, 2]] * 10}),
    "a label of 10": python_2({b"data": DATA, b"labels": [10, *range(9)]}),
    "a label of -1": python_2({b"data": DATA, b"labels": [-1, *range(9)]}),
    "a label beyond 64 bits": python_2({b"data": DATA, b"labels": [2**70, *range(9)]}),
}


@pytest.mark.parametrize("content", WRONG.values(), ids=WRONG)
def test_a_batch_of_another_form_is_named(content: bytes, small: dict[str, bytes], tmp_path: Path) -> None:
    members = small | {TEST[0]: content}
    path = pack(tmp_path / "a.tar", members)
    with pytest.raises(UserError, match=rf"^{path}: {TEST[0]}: (not a CIFAR-10 batch|labels from -?\d+ to \d+, accepted are 0 to 9)"):
        read_cifar10(path, table(members))


def test_the_official_archive_alone_is_prepared(small: dict[str, bytes], tmp_path: Path) -> None:
    archive = pack(tmp_path / "raw" / "cifar10" / "cifar-10-python.tar", small, "w:gz")
    row = load_datasets(ROOT / "params" / "datasets.yaml")["cifar10"]
    with pytest.raises(UserError, match=f"md5 of its member {TRAIN[0]}"):
        prepare("cifar10", row, tmp_path / "raw", tmp_path / "out", SOURCES)
    assert not (tmp_path / "out").exists()
    file = SOURCES["cifar10"].files[archive.name].model_copy(update={"checksum": table(small)})
    source = SOURCES["cifar10"].model_copy(update={"files": {archive.name: file}})
    prepare("cifar10", row, tmp_path / "raw", tmp_path / "out", {"cifar10": source})
    record = load_record(tmp_path / "out", "cifar10")
    assert record.sources == {archive.name: hashlib.sha256(archive.read_bytes()).hexdigest()}
    assert (record.n_train, record.n_test, record.n_classes, record.shape) == (50, 10, 10, (32, 32, 3))
