"""run.json: which run a folder's files are of, and what training it took."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict

from pga.fingerprints.steps import refuse_other_code
from pga.params.run import Run
from pga.runtime.sidecar import Record, Sidecar


class Git(BaseModel):
    """The commit of the code, and whether the code differed from it; None where that is unknown."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    commit: str | None
    dirty: bool | None

    def __str__(self) -> str:
        return (self.commit or "unknown") + (", with uncommitted changes" if self.dirty else "")


class Acceptance(BaseModel):
    """A person's word that other code gives the same numbers (`pga accept`): its fingerprint, why, and its commit."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    code: str
    because: str
    git: Git


class StepRecord(Record):
    """What a step made that is no training.

    Attributes:
        code: fingerprint of the code that made it (`pga.fingerprints.steps`).
        accepted: of which later code it counts as well.
    """

    code: str
    accepted: tuple[Acceptance, ...] = ()

    def codes(self) -> list[str]:
        """Fingerprints of the code that it counts as made by."""
        return [self.code, *(each.code for each in self.accepted)]

    def refuse_other_code(self, path: Path) -> None:
        """Refuse a file, of which this is the record, if other code made it than there is now; raises UserError."""
        refuse_other_code(path, *self.codes())


class RunIdentity(Record):
    """What two trainings of the same run share.

    Attributes:
        digest: of its parameters.
        data_sha256: of the prepared training images.
        code: fingerprint of the code that trained it.
        accepted: of which later code it counts as well.
        git: that code's commit.
        device: kind of device.
    """

    digest: str
    data_sha256: str
    code: str
    accepted: tuple[Acceptance, ...] = ()
    git: Git
    device: str

    def codes(self) -> list[str]:
        """Fingerprints of the code that it counts as made by."""
        return [self.code, *(each.code for each in self.accepted)]

    def identity(self) -> dict[str, Any]:
        """These values."""
        return {key: getattr(self, key) for key in RunIdentity.model_fields}

    def differences(self, other: RunIdentity) -> list[str]:
        """The names of what makes one another run than the other."""
        return [key for key in ("digest", "data_sha256", "code", "accepted") if getattr(self, key) != getattr(other, key)]

    def __str__(self) -> str:
        return f"parameters {self.digest[:12]}, commit {self.git}, {self.device}"


class RunRecord(RunIdentity, Sidecar):
    """A finished run.

    Attributes:
        run: all of its parameters.
        versions, platform: of Python and packages, of the machine.
        parameters: how many each network has.
        steps: updates.
        selected_step: after which the weights were taken.
        resumed_at_steps: where it went on after an interruption.
        wall_s: seconds of the steps, of all starts together.
        start_up_and_write_s: seconds of everything else.
        peak_memory_bytes, peak_gpu_memory_bytes: the most that the process held; of a GPU, if one was used.
    """

    kind: Literal["run"] = "run"
    run: Run
    versions: dict[str, str]
    platform: dict[str, str]
    parameters: dict[str, int]
    steps: int
    selected_step: int
    resumed_at_steps: list[int]
    wall_s: float
    steps_per_s: float | None
    start_up_and_write_s: float
    peak_memory_bytes: int
    peak_gpu_memory_bytes: int | None = None

    __str__ = RunIdentity.__str__

    def duration(self) -> str:
        """How long it took, and with which versions."""
        return f"{self.steps} steps in {self.wall_s:.1f} s, versions {self.versions_text()}"

    def versions_text(self) -> str:
        """Versions of Python and packages on one line."""
        return ", ".join(f"{name} {version}" for name, version in self.versions.items())

    def verify_own(self, path: Path) -> Path:
        """`path`, which is as the run wrote it if the run wrote it at all; raises UserError."""
        return self.check_file(path, path.with_name("run.json")) if path.name in self.files else path


def refuse_run_of_other_code(file: Path) -> None:
    """Refuse a file in the folder of a run, or in one below it, whose training other code has made; what `pga export` wrote stays of use.

    Raises:
        UserError: names the run's record and the verb whose code is another.
    """
    for folder in list(file.parents)[:2]:
        if (record := folder / "run.json").is_file() and not (folder / "config.json").is_file():
            refuse_other_code(record, *RunRecord.read(record).codes())
