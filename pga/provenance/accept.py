"""Keeping results after a change of the code that means nothing: a person's word, written into the record of each run."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from pga.fingerprints.steps import is_current, training_code
from pga.params.experiment import Experiment
from pga.provenance.records import Place, read_run, same_data
from pga.runtime import environment
from pga.runtime.errors import UserError
from pga.training.run_record import Acceptance, Git, RunRecord


def accept(paths: Sequence[Path], experiment: Experiment, because: str, data: Path) -> dict[Path, RunRecord]:
    """Accept finished runs of other code as runs of the code of now: their run.json says so, with the reason and the commit of now.

    All are checked before the first record is written. Nothing else changes: `code` goes on to say what made the run.

    Args:
        paths: folders of runs, or folders above them.
        experiment: whose runs.
        because: why the change means nothing to their numbers.
        data: folder of prepared data; where it has the data set, the runs must have been trained on just these images.

    Returns:
        run.json of each run that was of other code → its new content.

    Raises:
        UserError: there is no reason, a path holds no run of the experiment, or a run has other parameters than the experiment's, other
            data, or files that are not those which it wrote.
    """
    if not because.strip():
        raise UserError("--because: found no text; say why the change means nothing to these numbers")
    runs = {Path(experiment.results, run.dataset, run.name, f"seed{run.seed}", "run.json"): run for run in experiment.all_runs()}
    finished = [file for file in runs if file.exists()]
    for path in paths:
        if not any(file.resolve().is_relative_to(path.resolve()) for file in finished):
            raise UserError(f"{path}: holds no run.json of this experiment, whose results are in {experiment.results}")
    chosen = [file for file in finished if any(file.resolve().is_relative_to(path.resolve()) for path in paths)]
    places = {file: Place(runs[file].dataset, runs[file].name, runs[file].seed) for file in chosen}
    records = {file: read_run(file, experiment, place) for file, place in places.items()}
    same_data(experiment, {str(places[file]): record for file, record in records.items()}, data)
    for file, record in records.items():
        for name in record.files:
            record.check_file(file.with_name(name), file)
    git, changed = Git.model_validate(environment.git_state()), {}
    for file, record in records.items():
        if not any(map(is_current, record.codes())):
            accepted = Acceptance(code=training_code(runs[file]), because=because.strip(), git=git)
            changed[file] = record.model_copy(update={"accepted": (*record.accepted, accepted)})
    for file, record in changed.items():
        record.write(file)
    return changed
