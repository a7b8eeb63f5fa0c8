"""Raw files → `<dataset>.npy`, `<dataset>-test.npy`, labels and provenance, each complete or absent, the provenance last."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from pga.data import celeba as aligned
from pga.data import folder as own
from pga.data.cifar10 import read_cifar10
from pga.data.decode import Rows, decode_all, listing, remove
from pga.data.idx import read_idx
from pga.data.prepared import labels_digest
from pga.runtime.errors import UserError
from pga.runtime.files import atomic, digest, sha256, write_record
from pga.runtime.locks import Busy, alone
from pga.params.datasets import Celeba, Cifar10, Digits, Folder, Idx
from pga.params.sources import Source
from pga.runtime.registry import Registry

Array = npt.NDArray[Any]


@dataclass
class Context:
    """What a data set is prepared from and with."""

    name: str
    raw: Path
    """Folder of the source's files."""
    source: Source | None
    files: dict[str, str]
    """Files of the source → SHA-256."""
    part: Path
    """Where work in progress may stand."""
    processes: int
    recipe: str
    """`recipe` of the data set, by which an interrupted preparation knows what it may continue."""
    held: ExitStack
    """What is released when the data set is complete."""

    def alone(self) -> None:
        """Keep others from the work in progress.

        Raises:
            UserError: another process prepares the same data set.
        """
        folder = self.part.parent
        folder.mkdir(parents=True, exist_ok=True)
        lock = folder / f".{self.name}.lock"
        try:
            locked = self.held.enter_context(alone(lock))
        except Busy:
            raise UserError(f"{self.name} is being prepared in {folder} by another process; wait for it or stop it") from None
        self.held.callback(lock.unlink, missing_ok=True)  # while it is held: who waits notices that it is gone
        if not locked:  # nobody may continue what somebody else may be writing
            self.part = self.part.with_name(f"{self.part.name}{os.getpid()}")
            self.held.callback(remove, self.part)


@dataclass(frozen=True)
class Prepared:
    """Both splits of a data set, (N, H, W, C) uint8, and what its provenance adds."""

    train: Array | Rows
    test: Array | Rows
    labels: tuple[Array, Array] | None = None
    notes: dict[str, Any] = field(default_factory=dict)


def digits(row: Digits, context: Context) -> Prepared:
    """scikit-learn's digits, 0…16 scaled to 0…255; every fifth image is a test image."""
    from sklearn.datasets import load_digits

    bunch = load_digits()
    images = np.rint(bunch.images * 255 / 16).astype(np.uint8)[..., None]
    labels = bunch.target.astype(np.int64)
    is_test = np.arange(len(images)) % 5 == 0
    return Prepared(images[~is_test], images[is_test], (labels[~is_test], labels[is_test]))


def idx(row: Idx, context: Context) -> Prepared:
    """MNIST, padded with zeros where the row says so."""
    raw = context.raw
    parts: dict[str, Array] = {}
    for split, name in (("train", "train"), ("test", "t10k")):
        images, labels = read_idx(raw / f"{name}-images-idx3-ubyte.gz"), read_idx(raw / f"{name}-labels-idx1-ubyte.gz")
        if images.ndim != 3 or labels.shape != images.shape[:1]:
            raise UserError(f"{raw}: {name} has images of shape {images.shape} and labels of shape {labels.shape}")
        parts[split] = np.pad(images, ((0, 0), (row.pad, row.pad), (row.pad, row.pad)))[..., None]
        parts[f"{split} labels"] = labels.astype(np.int64)
    return Prepared(parts["train"], parts["test"], (parts["train labels"], parts["test labels"]))


def cifar10(row: Cifar10, context: Context) -> Prepared:
    """CIFAR-10, images in the order of the batches."""
    assert context.source is not None
    [name] = context.source.files
    found = read_cifar10(context.raw / name, context.source.files[name].checksum)
    return Prepared(found["train"][0], found["test"][0], (found["train"][1], found["test"][1]))


def celeba(row: Celeba, context: Context) -> Prepared:
    """CelebA in the order of the official numbers. All images train, as in the authors' code; the official test images are a copy."""
    partition = aligned.read_partition(context.raw / "list_eval_partition.txt")
    names = list(partition)
    if row.folder is None:
        [archive] = [name for name in context.files if name.endswith(".zip")]
        contents = aligned.archive_reader(context.raw / archive, names)
    else:
        contents = aligned.folder_reader(aligned.aligned_folder(row.folder), names)
    key = digest([context.recipe, names, context.files])
    context.alone()
    decode = aligned.decoder(row.crop, row.size, row.resize)
    images, bad = decode_all(names, contents, decode, (row.size, row.size, 3), context.part, key, context.processes, context.name)
    if bad:
        raise UserError(f"{context.name}: {len(bad)} of {len(names)} images are not CelebA's:\n{listing(bad)}")
    splits = {split: [i for i, name in enumerate(names) if partition[name] == split] for split in ("train", "validation", "test")}
    if not splits["test"]:
        raise UserError(f"{context.raw / 'list_eval_partition.txt'}: names no test image (partition 2)")
    notes = {"official_partition": {split: len(index) for split, index in splits.items()}}
    return Prepared(images, images.take(np.array(splits["test"])), notes=notes)


def folder(row: Folder, context: Context) -> Prepared:
    """A user's own images, sorted by path; every so-manyth is a test image."""
    names = own.list_files(row.path)
    context.alone()
    given = row.model_dump(include={"crop", "size", "channels", "convert", "min_size", "max_pixels"})
    decode = partial(own.decode_own, **given)
    shape = (row.size, row.size, row.channels)
    images, bad = decode_all(names, lambda some: own.reader(row.path, some), decode, shape, context.part, context.recipe, context.processes, context.name)
    bad = [(own.printable(name), reason) for name, reason in bad]
    if bad and row.on_bad == "fail":
        remove(context.part)
        raise UserError(
            f"{row.path}: {len(bad)} of {len(names)} files cannot be used:\n{listing(bad)}\n"
            f"Mend or remove them, or set `on_bad: skip` for {context.name} in params/datasets.yaml to leave them out"
        )
    every = round(1 / row.test_fraction)
    is_test = np.arange(len(images)) % every == every - 1
    if is_test.sum() < 2 or len(images) - is_test.sum() < 2:
        raise UserError(
            f"{row.path}: {len(images)} usable images give {len(images) - is_test.sum()} for training and {is_test.sum()} for test "
            f"(test_fraction {row.test_fraction}); at least 2 of each are needed"
        )
    notes = {"files": len(names), "skipped": [{"file": name, "reason": reason} for name, reason in bad]}
    return Prepared(images.take(np.flatnonzero(~is_test)), images.take(np.flatnonzero(is_test)), notes=notes)


def recipe(name: str, row: Any, sources: dict[str, Source], out: Path) -> str:
    """Digest of everything that a prepared data set is made by and of: its parameters, the code, its source's files by their pinned checksums,
    the files of an own folder by their content. The same recipe makes the same bytes."""
    from pga.fingerprints.steps import preparing_code

    pinned = {file: sources[row.source].files[file].checksum.model_dump(mode="json") for file in row.raw_files(sources)}
    files = None
    if isinstance(row, Folder):
        files = own.contents(row.path, own.list_files(row.path), out / f".{name}.contents")
    elif isinstance(row, Celeba) and row.folder is not None:
        place = aligned.aligned_folder(row.folder)
        files = own.contents(place, sorted(path.name for path in place.glob("*.jpg")), out / f".{name}.contents")
    return digest([row.model_dump(mode="json"), preparing_code(row.kind), pinned, files])


KINDS: Registry[str, Callable[[Any, Context], Prepared]] = {"digits": digits, "idx": idx, "cifar10": cifar10, "celeba": celeba, "folder": folder}


def prepare(name: str, row: Any, raw: Path, out: Path, sources: dict[str, Source], processes: int = 0) -> None:
    """Prepare one data set.

    Args:
        name: of the data set.
        row: of params/datasets.yaml.
        raw: data/raw.
        out: data/processed.
        sources: of params/sources.yaml; the provenance records the checksums of their files.
        processes: for decoding images; 0 for all cores.

    Raises:
        UserError: a raw file is absent or not what it should be, or another process prepares the same data set.
    """
    place = raw / row.source if row.source else raw
    files = {file: sha256(place / file) for file in row.raw_files(sources)}
    part = out / f".{name}.part"
    made_by = recipe(name, row, sources, out)
    with ExitStack() as held:
        context = Context(name, place, sources[row.source] if row.source else None, files, part, processes, made_by, held)
        prepared = KINDS[row.kind](row, context)
        write(name, row, prepared, out, files, made_by)
        remove(context.part)
    if bad := prepared.notes.get("skipped"):
        print(f"{name}: {len(bad)} of {prepared.notes['files']} files were left out, as on_bad says; {out / name}.json lists them:", file=sys.stderr)
        print(listing([(entry["file"], entry["reason"]) for entry in bad]), file=sys.stderr)


def write(name: str, row: Any, prepared: Prepared, out: Path, files: dict[str, str], made_by: str) -> None:
    """Write arrays, labels and last the provenance, which names their checksums and those of the source's `files`. What is there already with
    the same bytes is left alone, its time too (`atomic`)."""
    paths = {"train": out / f"{name}.npy", "test": out / f"{name}-test.npy"}
    for split, path in paths.items():
        save_array(path, getattr(prepared, split))
    labels = {}
    if prepared.labels is not None:
        labels["labels"] = labels_digest(*prepared.labels)
        with atomic(out / f"{name}-labels.npz") as file:
            np.savez(file, train=prepared.labels[0], test=prepared.labels[1])
    write_record(
        out / f"{name}.json",
        {
            "dataset": name,
            "parameters": row.model_dump(mode="json"),
            "recipe": made_by,
            "shape": list(prepared.train.shape[1:]),
            "n_train": len(prepared.train),
            "n_test": len(prepared.test),
            "n_classes": None if prepared.labels is None else int(max(part.max() for part in prepared.labels)) + 1,
            "sha256": {split: sha256(path) for split, path in paths.items()} | labels,
            "sources": files,
            **prepared.notes,
        },
    )


def save_array(path: Path, images: Array | Rows) -> None:
    """Write a .npy file, complete or not at all; of rows in a file only a block is in memory."""
    with atomic(path) as file:
        if isinstance(images, Rows):
            np.lib.format.write_array_header_1_0(file, {"descr": "|u1", "fortran_order": False, "shape": images.shape})
            for block in images.blocks():
                file.write(block.tobytes())
        else:
            np.save(file, np.ascontiguousarray(images), allow_pickle=False)
