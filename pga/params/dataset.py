"""What experiments read of a data set: an entry of `params/datasets.yaml`, whatever its kind (`pga.data.kinds`)."""

from __future__ import annotations

from pathlib import Path

from pga.params.base import Name, Strict
from pga.params.sources import Source


class Dataset(Strict):
    """An entry of `params/datasets.yaml`."""

    kind: str
    source: Name | None = None
    labelled: bool = False

    @property
    def shape(self) -> tuple[int, int] | None:
        """Side and channels of the prepared images; None where only the data tell."""
        return None

    def check_name(self, name: str) -> None:
        """Raise ValueError where a data set may not be called `name`."""

    def raw_files(self, sources: dict[str, Source]) -> list[str]:
        """Files of the source that preparing reads."""
        return list(sources[self.source].files) if self.source else []

    def own_files(self) -> tuple[Path, list[str]] | None:
        """A folder of the user's, and the files in it that preparing reads; None where all comes from the source.

        Raises:
            UserError: there is no such folder or file.
        """
        return None
