"""run.json of the runs that an artifact shows, checked to be the experiment's own and to belong together."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any, NamedTuple

from pga.fingerprints.steps import refuse_other_code
from pga.params.experiment import Experiment
from pga.params.run import Run
from pga.runtime.errors import UserError
from pga.runtime.files import read_beside, read_record, sha256
from pga.sampling.generated import maker, refuse_other

Record = dict[str, Any]
"""The content of a run.json."""


class Place(NamedTuple):
    """A run of an experiment."""

    dataset: str
    model: str
    seed: int

    def __str__(self) -> str:
        """Its folder under the experiment's results."""
        return f"{self.dataset}/{self.model}/seed{self.seed}"


class Found(NamedTuple):
    """The runs that are there, by the folder's name, and those that are not."""

    records: dict[str, Record]
    missing: list[str]


def read_runs(experiment: Experiment, places: Iterable[Place], data: Path, allow_missing: bool = False) -> Found:
    """run.json of each place, once.

    Args:
        experiment: whose results are read, and whose parameters the runs must have.
        places: which runs.
        data: folder of prepared data; where it has the data set, every run must have been trained on just these images.
        allow_missing: go on without the runs that are not there.

    Raises:
        UserError: a run is missing, is another than its place says, has other parameters than the experiment's now, or was trained on other
            data than the rest.
    """
    records: dict[str, Record] = {}
    missing: list[str] = []
    for place in dict.fromkeys(places):
        path = Path(experiment.results, str(place), "run.json")
        if path.exists():
            records[str(place)] = checked(path, experiment, place)
        else:
            missing.append(str(path))
    if missing and not allow_missing:
        raise UserError(f"runs are missing: {', '.join(missing)}; train them, or pass --allow-missing for what there is")
    same_data(experiment, records, data)
    return Found(records, missing)


def checked(path: Path, experiment: Experiment, place: Place) -> Record:
    """The record at `path`, which must be of the experiment's run at `place` and of the code of now.

    Raises:
        UserError: names every parameter that differs, or the code that does.
    """
    record = read_run(path, experiment, place)
    refuse_other_code(path, record)
    return record


def read_run(path: Path, experiment: Experiment, place: Place) -> Record:
    """The record at `path`, which must be of the experiment's run at `place`, by whatever code.

    Raises:
        UserError: names every parameter that differs.
    """
    record: Record = read_record(path)
    expected = experiment.run(*place)
    if not isinstance(record.get("run"), dict):
        raise UserError(f"{path}: not the record of a run; delete the run's folder and train again")
    if record.get("digest") == expected.digest and record["run"].get("name") == expected.name:
        return record
    now = expected.asdict()
    differ = [f"{key} {record['run'].get(key)!r}, now {value!r}" for key, value in now.items() if record["run"].get(key) != value]
    raise UserError(
        f"{path}: trained with other parameters than the experiment's: {'; '.join(differ) or 'another version of digests'}; train again"
    )


def vouched(path: Path, record: Record) -> Path:
    """`path` itself, a file of the run that `record` is of.

    Raises:
        UserError: it is another than the run wrote.
    """
    expected = record.get("files", {}).get(path.name)
    if expected is not None and (found := sha256(path)) != expected:
        raise UserError(
            f"{path}: changed since the run wrote it: its SHA-256 is {found[:12]}…, run.json says {expected[:12]}…; train this run again"
        )
    return path


def made_from(path: Path, run: Run, record: Record) -> Path:
    """`path` itself, a table that says beside it which run it was made from: `run`, of which `record` is.

    Raises:
        UserError: it is another than was made, or was made from another run or from files which the run no longer has.
    """
    said = read_beside(path)
    refuse_other(path, said, maker(run))
    for file, checksum in record.get("files", {}).items():
        if said.get("inputs", {}).get(Path(file).stem, checksum) != checksum:
            raise UserError(f"{path}: made from another {file} than the run has now; delete it and make it again")
    return path


def same_data(experiment: Experiment, records: dict[str, Record], data: Path) -> None:
    """Refuse runs of one data set that were trained on different images.

    Raises:
        UserError: names the run and both checksums.
    """
    expected: dict[str, tuple[str, str]] = {}  # data set → (checksum, who says so)
    for name, record in records.items():
        dataset = name.split("/")[0]
        path = Path(experiment.results, name, "run.json")
        prepared = data / f"{dataset}.json"
        if dataset not in expected:
            says = (
                (read_record(prepared)["sha256"]["train"], str(prepared))
                if prepared.exists()
                else (str(record.get("data_sha256")), str(path))
            )
            expected[dataset] = says
        checksum, whose = expected[dataset]
        if record.get("data_sha256") != checksum:
            raise UserError(
                f"{path}: trained on data with SHA-256 {str(record.get('data_sha256'))[:12]}…, but {whose} says {checksum[:12]}…; "
                "what is shown together must be of the same data: train this run again"
            )
