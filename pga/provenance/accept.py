"""Keeping results after a change of the code that means nothing: a person's word, written into their records."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

from pga.data.prepared import PreparedRecord, record_path
from pga.evaluation.metrics_record import MetricsRecord
from pga.evaluation.statistics import StatisticsRecord
from pga.fingerprints.steps import code_now, is_current, training_code
from pga.params.experiment import Experiment
from pga.provenance.records import Place, read_run
from pga.provenance.trace import AnyRecord
from pga.runtime import environment
from pga.runtime.errors import UserError
from pga.runtime.files import read_json
from pga.runtime.sidecar import Sidecar, parsed
from pga.sampling.generated import OfRun, RunId, id_of
from pga.training.run_record import Acceptance, Git, RunRecord, StepRecord


def accept(paths: Sequence[Path], experiment: Experiment, because: str, data: Path) -> dict[Path, RunRecord | StepRecord]:
    """Accept results of other code as results of the code of now: their records say so, with the reason and the commit of now.

    All are checked before the first record is written. Nothing else changes: `code` goes on to say what made them.

    Args:
        paths: folders of runs, of what was made from runs, or of statistics of real images; or folders above them; or single records.
        experiment: whose parameters the runs must have.
        because: why the change means nothing to their numbers.
        data: folder of prepared data; where it has the data set, the runs must have been trained on just these images.

    Returns:
        The record of each result that was of other code → its new content.

    Raises:
        UserError: there is no reason, a path holds no result, or a run has other parameters than the experiment's or other data; or a
            result is of another run than that in whose folder it lies, or has files that are not those which its step wrote.
    """
    if not because.strip():
        raise UserError("--because: found no text; say why the change means nothing to these numbers")
    records = {file: verified(file, experiment, data) for path in paths for file in records_in(path)}
    git, changed = Git.model_validate(environment.git_state()), dict[Path, RunRecord | StepRecord]()
    for file, record in records.items():
        if not any(map(is_current, record.codes())):
            code = training_code(record.run) if isinstance(record, RunRecord) else code_now(record.code)
            if code is None:
                raise UserError(f"{file}: made by {record.code.rpartition(':')[0]}, which is no step any more; delete it")
            accepted = Acceptance(code=code, because=because.strip(), git=git)
            changed[file] = record.model_copy(update={"accepted": (*record.accepted, accepted)})
    for file, record in changed.items():
        before = file.stat()
        record.write(file)
        if not isinstance(record, RunRecord):  # of which tables say that they were accepted: nothing else is to be made again
            os.utime(file, ns=(before.st_atime_ns, before.st_mtime_ns))
    return changed


def records_in(path: Path) -> list[Path]:
    """The records in a folder and below it that name the code of a step, or `path` itself; raises UserError if there is none."""
    found = [file for file in ([path] if path.is_file() else sorted(path.rglob("*.json"))) if names_code(file)]
    if not found:
        raise UserError(f"{path}: holds no run.json, so no finished run, and no other record (.json) of a result")
    return found


def names_code(file: Path) -> bool:
    """Whether a JSON file is the record of a result that says which code made it."""
    content = read_json(file)
    return isinstance(content, dict) and {"code", "checksum"} <= content.keys()


def verified(file: Path, experiment: Experiment, data: Path) -> RunRecord | StepRecord:
    """A record, which must agree with the experiment, the prepared data, the run in whose folder it lies, and the files that it is of.

    Raises:
        UserError: it does not.
    """
    record: RunRecord | StepRecord = parsed(file, RunRecord if file.name == "run.json" else AnyRecord)
    match record:
        case RunRecord(run=run):
            read_run(file, experiment, Place.of(run))
            refuse_other_images(file, run.dataset, "train", record.data_sha256, data)
        case StatisticsRecord():
            refuse_other_images(file, record.dataset, record.split, record.data_sha256, data)
        case OfRun() | MetricsRecord():
            refuse_other_run(file, record)
    if isinstance(record, Sidecar):
        for name in record.files:
            record.check_file(file.with_name(name), file)
    return record


def refuse_other_images(file: Path, dataset: str, split: str, checksum: str, data: Path) -> None:
    """Refuse what was made of other prepared images than there are now, if there are any; raises UserError."""
    prepared = record_path(data, dataset)
    if prepared.exists() and (now := PreparedRecord.read(prepared).checksum(split)) != checksum:
        raise UserError(f"{file}: of data with SHA-256 {checksum[:12]}…, but {prepared} says {str(now)[:12]}…; make it again")


def refuse_other_run(file: Path, record: OfRun | MetricsRecord) -> None:
    """Refuse what is of another run than that in whose folder it lies; raises UserError."""
    found = record.run_id if isinstance(record, OfRun) else RunId(record.dataset, record.model, record.seed)
    for run in (folder / "run.json" for folder in list(file.parents)[:2]):
        if run.is_file() and (differ := found.differences(id_of(RunRecord.read(run).run))):
            raise UserError(f"{file}: of another run than {run}: {differ}; make it again")
