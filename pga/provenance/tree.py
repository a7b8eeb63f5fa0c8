"""Steps on the way from a file to its sources, and where they are looked up."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from pga.params.sources import Source


@dataclass
class Node:
    """One step: what is known of it, and what it was made from."""

    text: str
    causes: list[Node] = field(default_factory=list)
    problem: bool = False

    def lines(self, depth: int = 0) -> list[str]:
        """As indented text."""
        mark = "PROBLEM: " if self.problem else ""
        return ["  " * depth + mark + self.text, *(line for cause in self.causes for line in cause.lines(depth + 1))]

    def problems(self) -> list[str]:
        """What does not agree, here and below."""
        return ([self.text] if self.problem else []) + [text for cause in self.causes for text in cause.problems()]


@dataclass(frozen=True)
class Surroundings:
    """Where things are looked up.

    Attributes:
        data: folder of prepared data.
        raw: folder of downloads.
        sources: the table of sources.
    """

    data: Path
    raw: Path
    sources: dict[str, Source]


def problem(text: str) -> Node:
    """A step that does not agree with what is recorded."""
    return Node(text, problem=True)
