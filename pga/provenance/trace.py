"""The way from any file of the project back to the sources: artifact → runs → prepared data → downloads with checksum, licence, address.

Each step is a record (`pga.runtime.sidecar`) that names what it was made from. It is compared with what is there now; what does not agree
is named as a problem.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any

from pydantic import Field

from pga.data.prepared import PreparedRecord, array_path, record_path
from pga.evaluation.metrics_record import ClassifierRecord, CurveRecord, MetricsRecord
from pga.evaluation.statistics import StatisticsRecord
from pga.fingerprints.steps import is_current
from pga.params.experiment import REAL
from pga.params.sources import Source
from pga.provenance.metadata import ArtifactRecord, ShownRun
from pga.runtime.errors import UserError
from pga.runtime.files import read_json, sha256
from pga.runtime.sidecar import parsed
from pga.sampling.generated import GeneratedRecord, OfRun, RunId, id_of
from pga.training.run_record import RunIdentity, RunRecord, StepRecord

AnyRecord = Annotated[
    ArtifactRecord | RunRecord | GeneratedRecord | CurveRecord | MetricsRecord | ClassifierRecord | StatisticsRecord | PreparedRecord,
    Field(discriminator="kind"),
]


@dataclass
class Node:
    """One step: what is known of it, what it was made from, and whether it disagrees with what is recorded."""

    text: str
    causes: list[Node] = field(default_factory=list)
    problem: bool = False

    def lines(self, depth: int = 0) -> Iterator[str]:
        """As indented text."""
        yield "  " * depth + ("PROBLEM: " if self.problem else "") + self.text
        for cause in self.causes:
            yield from cause.lines(depth + 1)

    def problems(self) -> list[str]:
        """What does not agree, here and below."""
        return ([self.text] if self.problem else []) + [text for cause in self.causes for text in cause.problems()]


@dataclass(frozen=True)
class Folders:
    """Where things are looked up: prepared data, downloads, the table of sources."""

    data: Path
    raw: Path
    sources: dict[str, Source]


def trace(path: Path, folders: Folders) -> Node:
    """Everything that is known of where `path` comes from.

    Raises:
        UserError: the file is absent, a record is damaged, or the file is none whose origin is recorded.
    """
    if not path.is_file():
        raise UserError(f"{path}: no such file" if not path.exists() else f"{path}: a folder; name a file in it")
    place = path.resolve()
    if place.parent.parent == folders.raw.resolve() and place.parent.name in folders.sources:
        return Node(str(path), [of_source(place.parent.name, path.name, sha256(path), folders)])
    for where in records_near(path):
        record = RunRecord.read(where) if where.name == "run.json" else parsed(where, AnyRecord)
        if where == path:
            return of_record(record, where, folders)
        node = of_record(record, where, folders)
        return Node(f"{path}: SHA-256 {sha256(path)}", [*disagreements(path, record, where), node])
    raise UserError(
        f"{path}: its origin is not recorded: no record (.json) beside it names it. Known are figures, tables, reports, what a run's "
        f"folder holds, prepared data, statistics of real images, and the downloads in {folders.raw}"
    )


def records_near(path: Path) -> Iterator[Path]:
    """The record that a file is, or the records that name it: beside it, of its run, of its data set."""
    dataset = path.stem.removesuffix("-test").removesuffix("-labels").removesuffix("-features")
    for where in dict.fromkeys([path, path.with_suffix(".json"), path.with_name("run.json"), path.with_name(f"{dataset}.json")]):
        content = read_json(where) if where.suffix == ".json" and where.is_file() else None
        if isinstance(content, dict) and "checksum" in content and (where == path or path.name in content.get("files", {})):
            yield where


def disagreements(path: Path, record: Any, where: Path) -> Iterator[Node]:
    """What a file holds that its record does not say."""
    try:
        record.check_file(path, where)
    except UserError as error:
        yield Node(str(error), problem=True)
    if path.suffix == ".safetensors" and isinstance(record, RunRecord):
        from pga.runtime.checkpoint import load_tensors

        if (found := load_tensors(path)[1].get("run")) != record.run.asdict():
            yield Node(f"{path}: its own record is of another run: {found}", problem=True)


def of_record(record: Any, where: Path, folders: Folders) -> Node:
    """What a record says, and what its subject was made from."""
    match record:
        case ArtifactRecord():
            return of_artifact(record, where, folders)
        case RunRecord():
            run = record.run
            parameters = ", ".join(f"{key} {json.dumps(value)}" for key, value in run.asdict().items())
            causes = [
                *of_code(record, where),
                Node(record.duration()),
                Node(f"parameters: {parameters}"),
                of_images(run.dataset, "train", record.data_sha256, folders),
            ]
            return Node(f"run {run.dataset}/{run.name}/seed{run.seed} ({where}): {record}", causes)
        case CurveRecord() | MetricsRecord():
            features = [Node(f"features: {space.name}, {str(space.digest)[:12]}…") for space in record.extractors]
            read = [*of_inputs(record, where, folders), *features, of_its_run(record, where, folders)]
            return Node(f"{where}: measured", [*of_code(record, where), *read])
        case GeneratedRecord():
            return Node(f"{where}: made from a run", [*of_code(record, where), of_its_run(record, where, folders)])
        case StatisticsRecord():
            features = [Node(f"features: {record.extractor.name}, {str(record.extractor.digest)[:12]}…")]
            images = of_images(record.dataset, record.split, record.data_sha256, folders)
            what = f"{where}: statistics of {record.n:,} {record.split} images of {record.dataset}"
            return Node(what, [*of_code(record, where), *features, images])
        case ClassifierRecord():
            return Node(f"{where}: a classifier of images with SHA-256 {record.data_sha256}", of_code(record, where))
        case PreparedRecord():
            return of_prepared(record, where, folders)
    raise AssertionError(record)


def of_artifact(record: ArtifactRecord, where: Path, folders: Folders) -> Node:
    """A table, figure or report with its runs, each compared with the run that is there now."""
    experiment = record.experiment
    node = Node(f"{where}: {record.artifact} of {experiment.results} ({experiment.description})", [Node(f"caption: {record.caption}")])
    node.causes += of_code(record, where)
    node.causes += [of_shown_run(name, run, Path(experiment.results, name, "run.json")) for name, run in record.runs.items()]
    data = {name.split("/")[0]: run.data_sha256 for name, run in record.runs.items()}
    node.causes += [of_images(dataset, "train", checksum, folders) for dataset, checksum in data.items()]
    return node


def of_shown_run(name: str, run: ShownRun, where: Path) -> Node:
    """A run as an artifact remembers it."""
    if not where.exists():
        return Node(f"run {name}: {run}", [*acceptances(run), Node(f"{where}: not here")])
    now = RunRecord.read(where)
    if differ := now.differences(run):
        found = [Node(f"{where}: another run by now ({', '.join(differ)} differ); make the artifact again", problem=True)]
    else:
        found = [Node(f"{where}: {now.duration()}"), *of_other_code(now, where)]
    return Node(f"run {name}: {run}", [*acceptances(run), *found])


def of_code(record: RunRecord | StepRecord, where: Path) -> list[Node]:
    """That something is of other code than there is now, or why it is kept."""
    return [*of_other_code(record, where), *acceptances(record)]


def of_other_code(record: RunRecord | StepRecord, where: Path) -> list[Node]:
    """That something is of other code than there is now."""
    said = f"{where}: of other code than there is now; make it again, or `pga accept` it"
    return [] if any(map(is_current, record.codes())) else [Node(said, problem=True)]


def acceptances(record: RunIdentity | StepRecord) -> list[Node]:
    """Why what other code has made was kept, once for each time."""
    return [Node(f"accepted as of the code of commit {each.git}: {each.because}") for each in record.accepted]


def of_its_run(record: OfRun | MetricsRecord, where: Path, folders: Folders) -> Node:
    """The run in whose folder a record lies, or the real images that were measured in a run's place."""
    if record.model == REAL:
        return Node(f"real images of {record.dataset} in the samples' place, drawn from seed {record.seed}")
    for folder in list(where.parents)[:2]:
        if (beside := folder / "run.json").is_file():
            found = RunRecord.read(beside)
            node = of_record(found, beside, folders)
            expected = RunId(record.dataset, record.model, record.seed, record.digest if isinstance(record, OfRun) else None)
            if differ := expected.differences(id_of(found.run)):
                node.causes.insert(0, Node(f"{where}: of another run: {differ}", problem=True))
            return node
    return Node(f"run {record.dataset}/{record.model}/seed{record.seed}: its run.json is not here")


def of_inputs(record: CurveRecord | MetricsRecord, where: Path, folders: Folders) -> Iterator[Node]:
    """What was read to measure, found by its checksum among what is there now."""
    arrays = [array_path(folders.data, record.dataset, split) for split in ("train", "test")]
    candidates = {
        "samples": arrays if record.model == REAL else [where.with_name("samples.npy")],
        "snapshots": [where.with_name("snapshots.safetensors")],
        "reference": sorted((folders.data.parent / "reference" / record.dataset).glob("*.npz")),
        "images": arrays,
        "real": arrays,
    }
    for what, expected in record.inputs.items():
        kind = what.partition(" ")[0]
        present = [file for file in candidates.get(kind, []) if file.exists()]
        found = next((file for file in present if sha256(file) == expected), None)
        if found:
            yield Node(f"{what}: {found}, SHA-256 {expected[:12]}…", [trace(found, folders)] if kind == "reference" else [])
        elif present:
            names = ", ".join(map(str, present))
            yield Node(f"{what}: none of {names} has SHA-256 {expected[:12]}…; evaluate again", problem=True)
        else:
            yield Node(f"{what}: SHA-256 {expected[:12]}…, {'of another tool' if kind == 'foreign' else 'not here'}")


def of_images(dataset: str, split: str, checksum: str, folders: Folders) -> Node:
    """The images of a prepared data set that something was made from, compared with those that are there now."""
    where = record_path(folders.data, dataset)
    node = Node(f"data {dataset} ({split}): SHA-256 {checksum}")
    if not where.exists():
        node.causes.append(Node(f"{where}: not here; `pga prepare {dataset}` makes it"))
        return node
    record = PreparedRecord.read(where)
    if (now := record.checksum(split)) != checksum:
        node.causes.append(Node(f"{where}: by now of other images, SHA-256 {str(now)[:12]}…", problem=True))
    node.causes.append(of_prepared(record, where, folders))
    return node


def of_prepared(record: PreparedRecord, where: Path, folders: Folders) -> Node:
    """A prepared data set with its sources."""
    images = f"{record.n_train:,} training and {record.n_test:,} test images of {'×'.join(map(str, record.shape))}"
    node = Node(f"{where}: {images}, prepared with {json.dumps(record.parameters)}")
    source, place = record.parameters.get("source"), record.parameters.get("path")
    if source is None:
        node.causes.append(Node(f"source: {place}" if place else "source: comes with scikit-learn (its data set `digits`)"))
    node.causes += [of_source(str(source), file, found, folders) for file, found in record.sources.items()]
    return node


def of_source(name: str, file: str, found: str, folders: Folders) -> Node:
    """A file of a source: checksum, licence, addresses."""
    source, text = folders.sources.get(name), f"source {name}/{file}: SHA-256 {found}"
    if source is None or file not in source.files:
        return Node(text, [Node("no longer in the table of sources")])
    row = source.files[file]
    pinned = row.checksum.value or f"{len(row.checksum.members)} members"
    lines = [
        f"{source.description}. Licence: {source.licence}",
        f"pinned: {row.checksum.algorithm} of its {row.checksum.of} {pinned}",
        *(row.urls or ("a mirror only",)),
    ]
    return Node(text, list(map(Node, lines)))
