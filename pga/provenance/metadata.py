"""What an artifact says of itself, in the record beside it: every run with parameters, commit, data, device and versions.

Only what two builds from the same inputs share, so that they give the same bytes: no date, no wall time, no checksum of run.json (which
holds a wall time). The way from a run's folder to these is `pga.provenance.trace`.
"""

from __future__ import annotations

import json
from typing import Any, Literal

from pydantic import BaseModel

from pga.params.experiment import Experiment
from pga.runtime.files import digest
from pga.runtime.sidecar import Sidecar
from pga.training.run_record import RunIdentity, RunRecord, StepRecord


class ShownRun(RunIdentity):
    """A run that an artifact shows; `environment` is a key of the artifact's `environments`."""

    environment: str


class Environment(BaseModel):
    """Machine and versions."""

    platform: dict[str, str]
    versions: dict[str, str]


class ShownExperiment(BaseModel):
    """The experiment that an artifact is of; `shows`: the values of its file that it shows besides the runs."""

    results: str
    description: str
    shows: Any


class ArtifactRecord(StepRecord, Sidecar):
    """Beside tables, figures and reports.

    Attributes:
        artifact: its name, e.g. "figure2".
        caption: what stands below it.
        experiment: of which it is, so that nobody needs that file to know.
        runs: that it shows, by their folder.
        parameters: of these, for all seeds.
        environments: of these.
    """

    kind: Literal["artifact"] = "artifact"
    artifact: str
    caption: str
    experiment: ShownExperiment
    runs: dict[str, ShownRun]
    parameters: dict[str, dict[str, Any]]
    environments: dict[str, Environment]

    @classmethod
    def of(
        cls, artifact: str, experiment: Experiment, records: dict[str, RunRecord], caption: str, code: str, shows: Any = None
    ) -> ArtifactRecord:
        """That of an artifact which shows these runs, and `shows` of the experiment's file; `code`: fingerprint of its step."""
        runs, parameters, environments = {}, {}, {}
        for name, record in records.items():
            environment = Environment(platform=record.platform, versions=record.versions)
            key = digest(environment.model_dump())[:12]
            environments[key] = environment
            runs[name] = ShownRun(**record.identity(), environment=key)
            parameters[name.rsplit("/", 1)[0]] = {item: value for item, value in record.run.asdict().items() if item != "seed"}
        shown = ShownExperiment(results=experiment.results, description=experiment.description, shows=shows)
        return cls(
            artifact=artifact, caption=caption, code=code, experiment=shown, runs=runs, parameters=parameters, environments=environments
        )

    def text(self) -> str:
        """As one line of ASCII, for the metadata of PNG and PDF, which stay the same where other code draws the same."""
        return json.dumps(self.model_dump(mode="json", exclude={"files", "code", "accepted"}), sort_keys=True)
