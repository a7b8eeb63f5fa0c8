"""CIFAR-10: the official archive exactly, however packed; damaged, incomplete and hostile archives named, and nothing of them executed."""

from __future__ import annotations

import gzip
import hashlib
import io
import json
import lzma
import pickle
import shutil
import tarfile
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pytest

from pga.data import cifar10
from pga.data.cifar10 import TEST, TRAIN, batch, read_cifar10
from pga.data.datasets import load_datasets
from pga.data.prepare import prepare
from pga.data.prepared import load, load_labels
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


# The real archive


class Real(NamedTuple):
    folder: Path
    batches: dict[str, bytes]
    """The members as the one pass over the archive met them; verified by the test that reads them."""


@pytest.fixture(scope="module")
def real(mirror: Path, tmp_path_factory: pytest.TempPathFactory) -> Real:
    """The data set prepared from the mirror's archive. Unpacking its xz takes ten seconds, so the members are kept on the way."""
    folder = tmp_path_factory.mktemp("cifar10")
    (folder / "raw" / "cifar10").mkdir(parents=True)
    archive = folder / "raw" / "cifar10" / "cifar-10-python.tar"
    archive.symlink_to(mirror / "cifar10" / "cifar-10-python.tar.xz")
    batches: dict[str, bytes] = {}

    def keeping(content: bytes, where: str) -> Any:
        batches[where.removeprefix(f"{archive}: ")] = content
        return batch(content, where)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(cifar10, "batch", keeping)
        prepare("cifar10", load_datasets(ROOT / "params" / "datasets.yaml")["cifar10"], folder / "raw", folder, SOURCES)
    return Real(folder, batches)


def test_the_real_archive_is_the_official_one_read_independently(real: Real) -> None:
    assert sorted(real.batches) == sorted(MEMBERS)
    images = {split: load(real.folder, "cifar10", split)[0] for split in ("train", "test")}
    labels = load_labels(real.folder, "cifar10")
    assert images["train"].shape == (50_000, 32, 32, 3) and images["test"].shape == (10_000, 32, 32, 3)
    assert images["train"].dtype == images["test"].dtype == np.uint8
    for name, content in real.batches.items():
        assert md5(content) == OFFICIAL.members[name]
        found = pickle.loads(content, encoding="bytes")  # as its web page says; harmless, for it is the official one
        split, start = ("test", 0) if name in TEST else ("train", 10_000 * TRAIN.index(name))
        assert labels[split][start : start + 10_000].tolist() == found[b"labels"]
        for i in (0, 1, 4_711, 9_999):
            row = found[b"data"][i]
            picture = [[[int(row[1024 * colour + 32 * y + x]) for colour in range(3)] for x in range(32)] for y in range(32)]
            assert images[split][start + i].tolist() == picture
    assert labels["train"][:10].tolist() == [6, 9, 9, 4, 1, 1, 2, 7, 8, 3] and labels["test"][:10].tolist() == [
        3,
        8,
        8,
        0,
        6,
        6,
        1,
        6,
        3,
        1,
    ]
    assert np.bincount(labels["train"]).tolist() == [5_000] * 10 and np.bincount(labels["test"]).tolist() == [1_000] * 10
    assert (images["train"].mean((0, 1, 2)) / 255).round(4).tolist() == [0.4914, 0.4822, 0.4465]  # by which everyone normalises CIFAR-10


def test_the_real_ones_provenance_names_the_archive_by_checksum(real: Real) -> None:
    found = json.loads((real.folder / "cifar10.json").read_text(encoding="utf-8"))
    with open(real.folder / "raw" / "cifar10" / "cifar-10-python.tar", "rb") as file:
        assert found["sources"] == {"cifar-10-python.tar": hashlib.file_digest(file, "sha256").hexdigest()}
    assert (found["n_train"], found["n_test"], found["n_classes"], found["shape"]) == (50_000, 10_000, 10, [32, 32, 3])


def test_the_same_members_packed_with_gzip_in_another_order_are_the_same_arrays(real: Real, tmp_path: Path) -> None:
    members = {"cifar-10-batches-py/readme.html": b"<html>"} | {name: real.batches[name] for name in reversed(MEMBERS)}
    found = read_cifar10(pack(tmp_path / "a.tar.gz", members, "w:gz", compresslevel=0), OFFICIAL)
    for split in ("train", "test"):
        assert np.array_equal(found[split][0], np.load(real.folder / ("cifar10.npy" if split == "train" else "cifar10-test.npy"), "r"))
        assert np.array_equal(found[split][1], load_labels(real.folder, "cifar10")[split])


def test_one_changed_byte_in_a_repacked_archive_names_the_member_and_nothing_is_unpickled(
    real: Real, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    content = bytearray(real.batches[TRAIN[2]])
    content[len(content) // 2] ^= 1  # in the middle of the pixels: still a pickle of the right shape
    assert pickle.loads(content, encoding="bytes")[b"data"].shape == (10_000, 3_072)
    path = pack(tmp_path / "a.tar", {TRAIN[2]: bytes(content)})

    def never(*arguments: Any) -> None:
        raise AssertionError("unpickled before its checksum was compared")

    monkeypatch.setattr(cifar10, "batch", never)
    message = f"{path}: md5 of its member {TRAIN[2]} is {md5(content)}, expected {OFFICIAL.members[TRAIN[2]]}; delete it and fetch again"
    with pytest.raises(UserError) as raised:
        read_cifar10(path, OFFICIAL)
    assert str(raised.value) == message


# Archives made here, of ten images per batch so that they are quick


@pytest.fixture
def small(monkeypatch: pytest.MonkeyPatch) -> dict[str, bytes]:
    """As `small_batches`; the reader is told that ten is right."""
    monkeypatch.setattr(cifar10, "IMAGES", 10)
    return small_batches()


def small_batches() -> dict[str, bytes]:
    """Member → batch of ten random images."""
    rng = np.random.default_rng(0)
    squares = np.square(rng.integers(0, 16, (6, 10, 3072), np.uint8))  # few values, so that packing does pack
    return {name: python_2({b"data": data, b"labels": rng.permutation(10).tolist()}) for name, data in zip(MEMBERS, squares, strict=True)}


@pytest.mark.parametrize("packing", ["w", "w:gz", "w:xz", "w:bz2"])
def test_batches_stay_in_their_numbers_order_however_they_are_packed(packing: str, small: dict[str, bytes], tmp_path: Path) -> None:
    shuffled = {name: small[name] for name in (MEMBERS[3], MEMBERS[5], MEMBERS[0], MEMBERS[4], MEMBERS[2], MEMBERS[1])}
    found = read_cifar10(pack(tmp_path / "any-name", shuffled, packing), table(small))
    rows = {
        split: np.concatenate([pickle.loads(small[name])[b"data"] for name in names]) for split, names in (("train", TRAIN), ("test", TEST))
    }
    for split, (images, labels) in found.items():
        assert images.flags["C_CONTIGUOUS"] and images.dtype == np.uint8 and labels.dtype == np.int64
        assert np.array_equal(images.transpose(0, 3, 1, 2).reshape(-1, 3072), rows[split])
        assert len(labels) == len(rows[split])


@pytest.mark.parametrize("form", ["./{}", "./{name}", "{name}"])
def test_members_may_begin_with_a_dot_or_stand_in_no_folder(form: str, small: dict[str, bytes], tmp_path: Path) -> None:
    renamed = {form.format(member, name=member.rpartition("/")[2]): content for member, content in small.items()}
    expected = read_cifar10(pack(tmp_path / "usual.tar", small), table(small))
    path = pack(tmp_path / "other.tar.gz", renamed, "w:gz")
    verify(path, table(small))
    found = read_cifar10(path, table(small))
    assert all(np.array_equal(found[split][0], expected[split][0]) for split in ("train", "test"))


@pytest.mark.parametrize("absent", [TRAIN[1], TEST[0]])
def test_a_missing_member_is_named(absent: str, small: dict[str, bytes], tmp_path: Path) -> None:
    path = pack(tmp_path / "a.tar.gz", {name: content for name, content in small.items() if name != absent}, "w:gz")
    with pytest.raises(UserError) as raised:
        read_cifar10(path, table(small))
    assert str(raised.value) == f"{path}: lacks the members {absent}; delete it and fetch again"


@pytest.mark.parametrize("kind", [tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.DIRTYPE, tarfile.FIFOTYPE])
def test_a_member_that_is_no_file_is_missing(kind: bytes, small: dict[str, bytes], tmp_path: Path) -> None:
    path = pack(tmp_path / "a.tar", {name: content for name, content in small.items() if name != TRAIN[0]})
    with tarfile.open(path, "a") as archive:
        info = tarfile.TarInfo(TRAIN[0])
        info.type, info.linkname = kind, TRAIN[1] if kind == tarfile.LNKTYPE else "data_batch_2"
        archive.addfile(info)
    with pytest.raises(UserError, match=f"lacks the members {TRAIN[0]}"):
        read_cifar10(path, table(small))


@pytest.mark.parametrize("share", [0.0, 0.001, 0.3, 0.7, 0.999])
@pytest.mark.parametrize("packing", ["w", "w:gz", "w:xz"])
def test_a_truncated_archive_is_named(packing: str, share: float, small: dict[str, bytes], tmp_path: Path) -> None:
    path = pack(tmp_path / "a", small, packing)
    content = path.read_bytes()
    if packing == "w":
        content = content.rstrip(b"\0")  # tar pads its end with zeros, which nobody misses
    path.write_bytes(content[: int(len(content) * share)])
    with pytest.raises(UserError, match=rf"(?s)^{path}: (cannot be read \(.*\); delete it and fetch again|lacks the members .*)$"):
        read_cifar10(path, table(small))


@pytest.mark.parametrize("packing", ["w:gz", "w:xz", "w:bz2"])
def test_an_archive_damaged_in_the_middle_is_named(packing: str, small: dict[str, bytes], tmp_path: Path) -> None:
    # As a bad disk leaves it: of the right length, with some bytes overwritten. Each packing has exceptions of its own for that.
    path = pack(tmp_path / "a", small, packing)
    whole, rng = path.read_bytes(), np.random.default_rng(0)
    for start in range(0, len(whole) - 64, len(whole) // 40):
        path.write_bytes(whole[:start] + rng.bytes(64) + whole[start + 64 :])
        with pytest.raises(UserError, match=f"(?s)^{path}: .*delete it and fetch again$"):
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
    "a number": python_2(5),
    "an array": python_2(DATA),
    "no data": python_2({b"labels": LABELS}),
    "no labels": python_2({b"data": DATA}),
    "keys of text": python_2({"data": DATA, "labels": LABELS}),
    "nine images": python_2({b"data": DATA[:9], b"labels": LABELS[:9]}),
    "nine labels": python_2({b"data": DATA, b"labels": LABELS[:9]}),
    "grey images": python_2({b"data": DATA[:, :1024], b"labels": LABELS}),
    "images of four axes": python_2({b"data": DATA.reshape(10, 3, 32, 32), b"labels": LABELS}),
    "data of floats": python_2({b"data": DATA.astype(float), b"labels": LABELS}),
    "data of signed bytes": python_2({b"data": DATA.astype(np.int8), b"labels": LABELS}),
    "data in a list": python_2({b"data": DATA.tolist(), b"labels": LABELS}),
    "objects as data": python_2({b"data": DATA.astype(object), b"labels": LABELS}),
    "labels of text": python_2({b"data": DATA, b"labels": ["cat"] * 10}),
    "ragged labels": python_2({b"data": DATA, b"labels": [[1, 2], *range(9)]}),
    "labels in pairs": python_2({b"data": DATA, b"labels": [[1, 2]] * 10}),
    "no label is None": python_2({b"data": DATA, b"labels": [None] * 10}),
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


def test_failing_leaves_no_output(small: dict[str, bytes], tmp_path: Path) -> None:
    pack(tmp_path / "raw" / "cifar10" / "cifar-10-python.tar", small, "w:gz")  # well formed, not the official one
    with pytest.raises(UserError, match=f"md5 of its member {TRAIN[0]}"):
        prepare("cifar10", load_datasets(ROOT / "params" / "datasets.yaml")["cifar10"], tmp_path / "raw", tmp_path / "out", SOURCES)
    assert not (tmp_path / "out").exists()
    shutil.rmtree(tmp_path / "raw")
    with pytest.raises(UserError, match="cifar-10-python.tar: no such file"):
        prepare("cifar10", load_datasets(ROOT / "params" / "datasets.yaml")["cifar10"], tmp_path / "raw", tmp_path / "out", SOURCES)
