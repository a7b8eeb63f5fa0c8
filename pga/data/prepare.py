"""Raw files → `<dataset>.npy`, `<dataset>-test.npy`, labels and the record of these, each complete or absent, the record last."""

from __future__ import annotations

import sys
from contextlib import ExitStack
from pathlib import Path

import numpy as np

from pga.data.decode import Rows, listing, remove
from pga.data.folder import contents
from pga.data.kind import Context, Images, Kind, Prepared
from pga.data.kinds import KINDS
from pga.data.prepared import PreparedRecord, array_path
from pga.params.sources import Source
from pga.runtime.files import atomic, digest, sha256


def recipe(name: str, row: Kind, sources: dict[str, Source], out: Path) -> str:
    """Digest of everything that a prepared data set is made by and of; the same recipe makes the same bytes.

    That is its entry, the code, its source's files by their pinned checksums, the user's own files by their content.
    """
    from pga.fingerprints.steps import preparing_code

    pinned = (
        {file: sources[row.source].files[file].checksum.model_dump(mode="json") for file in row.raw_files(sources)} if row.source else {}
    )
    own = row.own_files()
    return digest(
        [row.model_dump(mode="json"), preparing_code(row.kind), pinned, contents(*own, out / f".{name}.contents") if own else None]
    )


def prepare(name: str, row: Kind, raw: Path, out: Path, sources: dict[str, Source], processes: int = 0) -> None:
    """Prepare one data set.

    Args:
        name: of the data set.
        row: of params/datasets.yaml.
        raw: data/raw.
        out: data/processed.
        sources: of params/sources.yaml; the record names the checksums of their files.
        processes: for decoding images; 0 for all cores.

    Raises:
        UserError: a raw file is absent or not what it should be, or another process prepares the same data set.
    """
    place = raw / row.source if row.source else raw
    files = {file: sha256(place / file) for file in row.raw_files(sources)}
    part = out / f".{name}.part"
    made_by = recipe(name, row, sources, out)
    with ExitStack() as held:
        source = sources[row.source] if row.source else None
        context = Context(name, place, source, files, part, processes, made_by, held)
        prepared = KINDS[row.kind].prepare(row, context)  # by the table, so that the fingerprint of code holds this kind alone
        write(name, row, prepared, out, files, made_by)
        remove(context.part)
    if bad := prepared.notes.get("skipped"):
        print(
            f"{name}: {len(bad)} of {prepared.notes['images']} images were left out, as on_bad says; {out / name}.json lists them:",
            file=sys.stderr,
        )
        print(listing([(entry["file"], entry["reason"]) for entry in bad]), file=sys.stderr)


def write(name: str, row: Kind, prepared: Prepared, out: Path, files: dict[str, str], made_by: str) -> None:
    """Write arrays, labels and last their record, which names their checksums and those of the source's `files`.

    What is there already with the same bytes is left alone, its time too (`atomic`).
    """
    paths = {split: array_path(out, name, split) for split in ("train", "test")}
    for split, path in paths.items():
        save_array(path, getattr(prepared, split))
    if prepared.labels is not None:
        paths["labels"] = out / f"{name}-labels.npz"
        with atomic(paths["labels"]) as file:
            np.savez(file, train=prepared.labels[0], test=prepared.labels[1])
    record = PreparedRecord(
        dataset=name,
        parameters=row.model_dump(mode="json"),
        recipe=made_by,
        shape=prepared.train.shape[1:],
        n_train=len(prepared.train),
        n_test=len(prepared.test),
        n_classes=None if prepared.labels is None else int(max(part.max() for part in prepared.labels)) + 1,
        sources=files,
        **prepared.notes,
    )
    record.write_beside(list(paths.values()))


def save_array(path: Path, images: Images | Rows) -> None:
    """Write a .npy file, complete or not at all; of rows in a file only a block is in memory."""
    with atomic(path) as file:
        if isinstance(images, Rows):
            np.lib.format.write_array_header_1_0(file, {"descr": "|u1", "fortran_order": False, "shape": images.shape})
            for block in images.blocks():
                file.write(block.tobytes())
        else:
            np.save(file, np.ascontiguousarray(images), allow_pickle=False)
