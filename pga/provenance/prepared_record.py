"""The lower part of the way: prepared data, statistics of real images, downloads with checksum, licence and address."""

from __future__ import annotations

import json
from pathlib import Path

from pga.provenance.tree import Node, Surroundings, problem
from pga.runtime.files import read_record, sha256


def of_prepared(path: Path, around: Surroundings) -> Node | None:
    """An array, labels or provenance of a prepared data set."""
    if path.resolve().parent != around.data.resolve():
        return None
    for name in (path.stem, path.stem.removesuffix("-test").removesuffix("-labels")):
        record = around.data / f"{name}.json"
        if record.exists():
            content = read_record(record)
            split = {".npy": "test" if path.stem != name else "train"}.get(path.suffix)
            node = of_data(content["dataset"], content["sha256"]["train"], around)
            if split and (found := sha256(path)) != content["sha256"][split]:
                node.causes.append(problem(f"{path}: its SHA-256 is {found[:12]}…, {record} says {content['sha256'][split][:12]}…"))
            return Node(f"{path}: {split or 'labels or provenance'} of {content['dataset']}", [node])
    return None


def of_data(dataset: str, checksum: str | None, around: Surroundings) -> Node:
    """A prepared data set, as its provenance records it."""
    node = Node(f"data {dataset}: SHA-256 {checksum}")
    path = around.data / f"{dataset}.json"
    if not path.exists():
        node.causes.append(Node(f"{path}: not here; `pga prepare {dataset}` makes it"))
        return node
    content = read_record(path)
    if content["sha256"]["train"] != checksum:
        node.causes.append(problem(f"{path}: by now of other images, SHA-256 {content['sha256']['train'][:12]}…"))
    images = f"{content['n_train']:,} training and {content['n_test']:,} test images of {'×'.join(map(str, content['shape']))}"
    node.causes.append(Node(f"{path}: {images}, prepared with {json.dumps(content['parameters'])}"))
    name = content["parameters"].get("source")
    if name is None:
        place = content["parameters"].get("path")
        node.causes.append(Node(f"source: the folder {place}" if place else "source: comes with scikit-learn (its data set `digits`)"))
    for file, found in content["sources"].items():
        node.causes.append(of_source(name, file, found, around))
    return node


def of_source(name: str, file: str, found: str | None, around: Surroundings) -> Node:
    """A file of a source: checksum, licence, addresses."""
    source = around.sources.get(name)
    node = Node(f"source {name}/{file}: SHA-256 {found or 'not recorded'}")
    if source is None or file not in source.files:
        node.causes.append(Node("no longer in the table of sources"))
        return node
    row = source.files[file]
    said = row.checksum.value or f"{len(row.checksum.members)} members"
    node.causes += [
        Node(f"{source.description}. Licence: {source.licence}"),
        Node(f"pinned: {row.checksum.algorithm} of its {row.checksum.of} {said}"),
        *(Node(url) for url in row.urls or ("a mirror only",)),
    ]
    return node


def of_download(path: Path, around: Surroundings) -> Node | None:
    """A file of data/raw."""
    place = path.resolve()
    if place.parent.parent != around.raw.resolve() or place.parent.name not in around.sources:
        return None
    return Node(f"{path}", [of_source(place.parent.name, path.name, sha256(path), around)])


def of_reference(path: Path, around: Surroundings) -> Node | None:
    """Statistics of real images, or the classifier in whose features they are."""
    if path.suffix == ".npz":
        from pga.evaluation.statistics import load_statistics

        said = load_statistics(path).about
    elif path.name == "classifier.safetensors":
        from pga.runtime.checkpoint import load_tensors

        said = load_tensors(path)[1]
    else:
        return None
    dataset = said.get("dataset") or path.resolve().parent.name
    shown = {key: value for key, value in said.items() if key != "tensors"}
    node = Node(f"{path}: {json.dumps(shown, sort_keys=True)}")
    split = said.get("split", "train")
    if split == "train":
        node.causes.append(of_data(dataset, said.get("data_sha256"), around))
    else:
        node.causes.append(Node(f"{split} images of {dataset}: SHA-256 {said.get('data_sha256')}"))
    return node


def of_statistics(path: Path, dataset: str, around: Surroundings) -> Node:
    """Of which images statistics are, compared with those that are prepared now."""
    from pga.evaluation.statistics import load_statistics

    said = load_statistics(path).about
    split, checksum = str(said.get("split")), said.get("data_sha256")
    record = around.data / f"{dataset}.json"
    now = read_record(record)["sha256"].get(split) if record.exists() else checksum
    text = f"of {said.get('n', 0):,} {split} images, SHA-256 {str(checksum)[:12]}…"
    return Node(text) if now == checksum else problem(f"{path}: {text}, but {record} says {str(now)[:12]}…")
