"""run.json of the runs that an artifact shows, checked to be the experiment's own and to belong together."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple

from pga.data.prepared import PreparedRecord, record_path
from pga.evaluation.metrics_record import CurveRecord
from pga.fingerprints.steps import names_other_code, refuse_other_code
from pga.params.experiment import Experiment
from pga.params.run import Run
from pga.runtime.errors import UserError
from pga.sampling.generated import id_of
from pga.training.run_record import RunRecord


class Place(NamedTuple):
    """A run of an experiment."""

    dataset: str
    model: str
    seed: int

    @classmethod
    def of(cls, run: Run) -> Place:
        """Where a run's results lie."""
        return cls(run.dataset, run.name, run.seed)

    def __str__(self) -> str:
        """Its folder under the experiment's results."""
        return f"{self.dataset}/{self.model}/seed{self.seed}"


class RunRecords(NamedTuple):
    """The runs that are there, by the folder's name, and those that are not."""

    records: dict[str, RunRecord]
    missing: list[str]


def read_runs(experiment: Experiment, places: Iterable[Place], data: Path, allow_missing: bool = False) -> RunRecords:
    """run.json of each place, once.

    Args:
        experiment: whose results are read, and whose parameters the runs must have.
        places: which runs.
        data: folder of prepared data; where it has the data set, every run must have been trained on just these images.
        allow_missing: go on without the runs that are not there, or are of other code than there is now.

    Raises:
        UserError: a run is missing, is another than its place says, has other parameters than the experiment's now, or was trained on other
            data than the rest.
    """
    records: dict[str, RunRecord] = {}
    missing: list[str] = []
    for place in dict.fromkeys(places):
        path = Path(experiment.results, str(place), "run.json")
        if not path.exists():
            missing.append(str(path))
        elif allow_missing and names_other_code(path):
            missing.append(f"{path} (of other code than there is now)")
        else:
            records[str(place)] = checked(path, experiment, place)
    if missing and not allow_missing:
        raise UserError(f"runs are missing: {', '.join(missing)}; train them, or pass --allow-missing for what there is")
    same_data(experiment, records, data)
    return RunRecords(records, missing)


def checked(path: Path, experiment: Experiment, place: Place) -> RunRecord:
    """The record at `path`, which must be of the experiment's run at `place` and of the code of now.

    Raises:
        UserError: names every parameter that differs, or the code that does.
    """
    record = read_run(path, experiment, place)
    refuse_other_code(path, *record.codes())
    return record


def read_run(path: Path, experiment: Experiment, place: Place) -> RunRecord:
    """The record at `path`, which must be of the experiment's run at `place`, by whatever code.

    Raises:
        UserError: names every parameter that differs.
    """
    record, expected = RunRecord.read(path), experiment.run(*place)
    if record.digest == expected.digest and record.run.name == expected.name:
        return record
    found = record.run.asdict()
    differ = [f"{key} {found[key]!r}, now {value!r}" for key, value in expected.asdict().items() if found[key] != value]
    raise UserError(
        f"{path}: trained with other parameters than the experiment's: {'; '.join(differ) or 'another version of digests'}; train again"
    )


def verified_curve(path: Path, run: Run, record: RunRecord) -> Path:
    """`path` itself, a table that says beside it which run it was made from: `run`, of which `record` is.

    Raises:
        UserError: it is another than was made, or was made from another run, from files which the run no longer has, or by other code.
    """
    curve = CurveRecord.require_beside(path)
    curve.refuse_other(path, id_of(run))
    curve.refuse_other_code(path)
    for file, checksum in record.files.items():
        if curve.inputs.get(Path(file).stem, checksum) != checksum:
            raise UserError(f"{path}: made from another {file} than the run has now; delete it and make it again")
    return path


def same_data(experiment: Experiment, records: dict[str, RunRecord], data: Path) -> None:
    """Refuse runs of one data set that were trained on different images; raises UserError, which names the run and both checksums."""
    expected: dict[str, tuple[str | None, str]] = {}  # data set → (checksum, who says so)
    for name, record in records.items():
        dataset, path = record.run.dataset, Path(experiment.results, name, "run.json")
        if dataset not in expected:
            prepared = record_path(data, dataset)
            of_data = PreparedRecord.read(prepared).checksum("train") if prepared.exists() else None
            expected[dataset] = (of_data, str(prepared)) if prepared.exists() else (record.data_sha256, str(path))
        checksum, whose = expected[dataset]
        if record.data_sha256 != checksum:
            raise UserError(
                f"{path}: trained on data with SHA-256 {record.data_sha256[:12]}…, but {whose} says {str(checksum)[:12]}…; "
                "what is shown together must be of the same data: train this run again"
            )
