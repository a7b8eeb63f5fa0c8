"""Keeping results after a change of the code that means nothing: a person's word, written into the record of each run."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from pga.data.prepared import PreparedRecord, record_path
from pga.fingerprints.steps import is_current, training_code
from pga.params.experiment import Experiment
from pga.provenance.records import Place, read_run
from pga.runtime import environment
from pga.runtime.errors import UserError
from pga.training.run_record import Acceptance, Git, RunRecord


def accept(paths: Sequence[Path], experiment: Experiment, because: str, data: Path) -> dict[Path, RunRecord]:
    """Accept finished runs of other code as runs of the code of now: their run.json says so, with the reason and the commit of now.

    All are checked before the first record is written. Nothing else changes: `code` goes on to say what made the run.

    Args:
        paths: folders of runs, or folders above them.
        experiment: whose parameters the runs must have.
        because: why the change means nothing to their numbers.
        data: folder of prepared data; where it has the data set, the runs must have been trained on just these images.

    Returns:
        run.json of each run that was of other code → its new content.

    Raises:
        UserError: there is no reason, a path holds no run, or a run has other parameters than the experiment's, other
            data, or files that are not those which it wrote.
    """
    if not because.strip():
        raise UserError("--because: found no text; say why the change means nothing to these numbers")
    records = {file: verified(file, experiment, data) for path in paths for file in records_in(path)}
    git, changed = Git.model_validate(environment.git_state()), {}
    for file, record in records.items():
        if not any(map(is_current, record.codes())):
            accepted = Acceptance(code=training_code(record.run), because=because.strip(), git=git)
            changed[file] = record.model_copy(update={"accepted": (*record.accepted, accepted)})
    for file, record in changed.items():
        record.write(file)
    return changed


def records_in(path: Path) -> list[Path]:
    """Every run.json in a folder and below it, or `path` itself; raises UserError if there is none."""
    found = [path] if path.name == "run.json" else sorted(path.rglob("run.json"))
    if not found:
        raise UserError(f"{path}: holds no run.json, so no finished run")
    return found


def verified(file: Path, experiment: Experiment, data: Path) -> RunRecord:
    """A run's record, which must agree with the experiment, the prepared data and the run's files.

    Raises:
        UserError: it does not.
    """
    run = RunRecord.read(file).run
    record = read_run(file, experiment, Place(run.dataset, run.name, run.seed))
    prepared = record_path(data, run.dataset)
    if prepared.exists() and (now := PreparedRecord.read(prepared).checksum("train")) != record.data_sha256:
        raise UserError(
            f"{file}: trained on data with SHA-256 {record.data_sha256[:12]}…, but {prepared} says {str(now)[:12]}…; train it again"
        )
    for name in record.files:
        record.check_file(file.with_name(name), file)
    return record
