"""The way from any file of the project back to the sources: artifact → runs → prepared data → downloads with checksum, licence, address.

Every step is looked up in the files that record it and compared with what is there now; what does not agree is named as a problem.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from pga.params.evaluation import FOREIGN_SPLIT
from pga.params.experiment import REAL
from pga.params.run import Run
from pga.provenance.metadata import commit_of
from pga.provenance.prepared_record import of_data, of_download, of_prepared, of_reference, of_statistics
from pga.provenance.read import READERS, read_about
from pga.provenance.tree import Node, Surroundings, problem
from pga.runtime.errors import UserError
from pga.runtime.files import read_beside, read_json, read_record, sha256
from pga.sampling.generated import load_made, maker, refuse_other


def of_artifact(path: Path, around: Surroundings) -> Node | None:
    """A figure, table, report, or the file beside a table."""
    if path.suffix == ".json":
        content = read_json(path)
        said = read_record(path) if isinstance(content, dict) and "artifact" in content and "runs" in content else None
    else:
        said = read_about(path) if path.suffix in READERS else None
    if said is None:
        return None
    if "experiment" not in said:
        raise UserError(f"{path}: an earlier version of this program made it; make it again")
    experiment = said["experiment"]
    node = Node(
        f"{path}: {said['artifact']} of {experiment['results']} ({experiment['description']})", [Node(f"caption: {said['caption']}")]
    )
    datasets: dict[str, str] = {}
    for name, embedded in said["runs"].items():
        here = Path(experiment["results"], name, "run.json")
        node.causes.append(of_recorded(name, embedded, here))
        datasets[name.split("/")[0]] = embedded["data_sha256"]
    node.causes += [of_data(dataset, checksum, around) for dataset, checksum in datasets.items()]
    return node


def of_recorded(name: str, embedded: dict[str, Any], here: Path) -> Node:
    """A run as an artifact remembers it, compared with the run that is there now."""
    node = Node(f"run {name}: {describe(embedded)}", acceptances(embedded))
    if not here.exists():
        node.causes.append(Node(f"{here}: not here"))
        return node
    now = read_record(here)
    differ = [key for key in ("digest", "data_sha256", "code", "accepted") if now.get(key) != embedded.get(key)]
    if differ:
        node.causes.append(problem(f"{here}: another run by now ({', '.join(differ)} differ); make the artifact again"))
    else:
        node.causes.append(Node(f"{here}: {duration(now)}"))
    return node


def describe(record: dict[str, Any]) -> str:
    """Parameters, commit and device on one line."""
    return f"parameters {str(record.get('digest'))[:12]}, commit {commit_of(record)}, {record.get('device')}"


def acceptances(record: dict[str, Any]) -> list[Node]:
    """Why a run of other code was kept, once for each time."""
    return [Node(f"accepted as of the code of commit {commit_of(each)}: {each['because']}") for each in record.get("accepted", ())]


def duration(record: dict[str, Any]) -> str:
    """How long a run took."""
    return f"{record.get('steps')} steps in {record.get('wall_s', 0):.1f} s, versions " + ", ".join(
        f"{name} {version}" for name, version in (record.get("versions") or {}).items()
    )


def of_run_file(path: Path, around: Surroundings) -> Node | None:
    """A file in a run's folder: its run.json, or what was made from it."""
    beside = [folder / "run.json" for folder in list(path.parents)[:2] if (folder / "run.json").is_file()]
    if not beside:
        return None
    record = read_record(beside[0])
    run = record.get("run") if isinstance(record, dict) else None
    if not isinstance(run, dict):
        raise UserError(f"{beside[0]}: not the record of a run")
    parameters = ", ".join(f"{key} {json.dumps(value)}" for key, value in run.items())
    node = Node(f"run {run['dataset']}/{run['name']}/seed{run['seed']} ({beside[0]}): {describe(record)}")
    node.causes += [
        *acceptances(record),
        Node(duration(record)),
        Node(f"parameters: {parameters}"),
        of_data(run["dataset"], record["data_sha256"], around),
    ]
    if path.name == "run.json":
        return node
    made = Node(f"{path}: SHA-256 {sha256(path)}", [node])
    made.causes[:0] = contents(path, record, around)
    return made


def contents(path: Path, record: dict[str, Any], around: Surroundings) -> list[Node]:
    """What a file in a run's folder itself records, and what run.json says of it."""
    run = record["run"]
    if (expected := record.get("files", {}).get(path.name)) not in (None, sha256(path)):
        return [problem(f"changed since the run wrote it: run.json says {expected[:12]}…")]
    if path.suffix == ".safetensors":
        from pga.runtime.checkpoint import load_tensors

        of = load_tensors(path)[1].get("run")
        return [] if of == run else [problem(f"its own record is of another run: {of}")]
    if path.suffix == ".npy":
        of = load_made(path, ndim=None)[1]
        return [] if of == maker(Run(**run)) else [problem(f"it says of itself: {of or 'nothing'}")]
    if path.stem == "curve":
        said = read_beside(path) if path.suffix == ".csv" else read_record(path)
        refuse_other(path, said, maker(Run(**run)))
        return measured(said, [path.parent / "snapshots.safetensors"], run["dataset"], around)
    if path.name != "metrics.json":
        return []
    return measured(read_record(path), [path.parent / "samples.npy"], run["dataset"], around)


def measured(content: dict[str, Any], samples: list[Path], dataset: str, around: Surroundings) -> list[Node]:
    """What metrics were measured on, and in which features; `samples`: where the images, or what makes them, may lie."""
    foreign = {metric["extractor"] for metric in content.get("metrics", []) if metric.get("reference") == FOREIGN_SPLIT}
    nodes = []
    for key, expected in content.get("inputs", {}).items():
        if key.partition(" ")[2] in foreign:
            nodes.append(Node(f"{key}: SHA-256 {expected[:12]}…, another tool's"))
        else:
            nodes.append(of_input(key, expected, samples, dataset, around))
    return nodes + [Node(f"features: {e.get('name')}, {str(e.get('digest'))[:12]}…") for e in content.get("extractors", [])]


def of_real_images(path: Path, around: Surroundings) -> Node | None:
    """Metrics of real images in the samples' place, which are no run's."""
    content = read_record(path) if path.name == "metrics.json" else {}
    if content.get("model") != REAL:
        return None
    dataset = str(content.get("dataset"))
    images = [around.data / f"{dataset}{split}.npy" for split in ("", "-test")]
    record = around.data / f"{dataset}.json"
    checksum = read_record(record)["sha256"]["train"] if record.exists() else "not recorded here"
    data = of_data(dataset, checksum, around)
    taken = Node(f"{content.get('n'):,} real images of {dataset} in the samples' place, drawn from seed {content.get('seed')}")
    return Node(f"{path}: SHA-256 {sha256(path)}", [taken, *measured(content, images, dataset, around), data])


def of_input(key: str, expected: str, samples: list[Path], dataset: str, around: Surroundings) -> Node:
    """What metrics were measured on, found by its checksum among what is there now."""
    candidates = {
        "samples": samples,
        "snapshots": samples,
        "reference": sorted((around.data.parent / "reference" / dataset).glob("*.npz")),
        "images": [around.data / f"{dataset}-test.npy"],
        "real": [around.data / f"{dataset}.npy", around.data / f"{dataset}-test.npy"],
    }.get(key.partition(" ")[0], [])  # a reference says of which feature space
    present = [file for file in candidates if file.exists()]
    for file in present:
        if sha256(file) == expected:
            causes = [of_statistics(file, dataset, around)] if key.startswith("reference") else []
            return Node(f"{key}: {file}, SHA-256 {expected[:12]}…", causes)
    if present:
        return problem(f"{key}: none of {', '.join(map(str, present))} has SHA-256 {expected[:12]}…; evaluate again")
    return Node(f"{key}: SHA-256 {expected[:12]}…, not here")


KINDS: tuple[Callable[[Path, Surroundings], Node | None], ...] = (
    of_artifact,
    of_prepared,
    of_download,
    of_reference,
    of_run_file,
    of_real_images,
)
"""What a file may be; each answers None to those of another kind."""


def trace(path: Path, around: Surroundings) -> Node:
    """Everything that is known of where `path` comes from.

    Raises:
        UserError: the file is absent, damaged, or none whose origin is recorded.
    """
    if not path.is_file():
        raise UserError(f"{path}: no such file" if not path.exists() else f"{path}: a folder; name a file in it")
    for kind in KINDS:
        if (found := kind(path, around)) is not None:
            return found
    raise UserError(
        f"{path}: its origin is not recorded. Known are figures, tables and reports of this program ({', '.join(READERS)}), what lies in "
        "the folder of a run (run.json beside or above it), metrics and statistics of real images, "
        f"and what lies in {around.data} and {around.raw}"
    )
