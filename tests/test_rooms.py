"""The layout: rooms import only rooms below them, and docs/design.md draws them as they are."""

from __future__ import annotations

import ast
import re
import sys
from collections import Counter
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
ROOMS = (
    "runtime", "networks", "method", "metrics", "params", "fingerprints", "data",
    "training", "sampling", "evaluation", "provenance", "artifacts", "commands",
)  # fmt: skip
"""From the ground up."""
FILES = sorted((ROOT / "pga").rglob("*.py"))


def imported(tree: ast.AST) -> set[str]:
    """Dotted names of all that a module imports, wherever in it."""
    names = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, "imports are absolute"
            names |= {f"{node.module}.{alias.name}" for alias in node.names}
    return names


def room(name: str) -> str | None:
    """The room of a dotted name; None for what lies directly in the package or outside of it."""
    first, *rest = name.split(".")
    return rest[0] if first == "pga" and rest and rest[0] in ROOMS else None


IMPORTS = {path: imported(ast.parse(path.read_text())) for path in FILES}
ARROWS = {
    (here, there)
    for path, names in IMPORTS.items()
    if (here := room(".".join(path.relative_to(ROOT).with_suffix("").parts)))
    for there in filter(None, map(room, names))
    if there != here
}
"""(room, a room that it imports)."""


def test_rooms_import_only_rooms_below_them() -> None:
    upwards = [f"{here} → {there}" for here, there in ARROWS if ROOMS.index(there) >= ROOMS.index(here)]
    assert not upwards
    assert {path.relative_to(ROOT / "pga").parts[0] for path in FILES} == {*ROOMS, "__init__.py", "__main__.py", "cli.py"}


def test_no_modules_of_a_room_import_each_other_in_a_circle() -> None:
    names = {".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__"): path for path in FILES}
    graph = {name: {there for there in names if there != name and any(i == there or (i.startswith(f"{there}.") and i not in names)
             for i in IMPORTS[path])} for name, path in names.items() if path.name != "__init__.py"}  # fmt: skip
    while free := {name for name, needs in graph.items() if not needs & graph.keys()}:
        graph = {name: needs for name, needs in graph.items() if name not in free}
    assert not graph, f"these import each other: {', '.join(sorted(graph))}"


def test_the_science_knows_nothing_of_the_workflow() -> None:
    found = {str(path) for path, names in IMPORTS.items() if {name.split(".")[0] for name in names} & {"snakemake", "dvc"}}
    assert not found


def test_no_two_modules_share_a_name_and_none_is_called_utils() -> None:
    """A verb of the command line is called as the function that it calls."""
    names = Counter(path.name for path in FILES if path.name != "__init__.py" and path.parent.name != "commands")
    assert [name for name, count in names.items() if count > 1] == []
    assert not {"utils.py", "util.py", "helpers.py", "common.py", "misc.py"} & names.keys()
    tests = Counter(path.name for path in (ROOT / "tests").rglob("*.py"))  # pytest imports each by its name alone
    assert [name for name, count in tests.items() if count > 1] == []


def test_the_picture_in_the_docs_is_that_of_the_code() -> None:
    text = (ROOT / "docs/design.md").read_text()
    drawn = re.search(r"```mermaid\n(.*?)```", text, re.DOTALL)
    assert drawn
    boxes = re.findall(r"^ +(\w+)\[", drawn[1], re.MULTILINE)
    arrows = set(re.findall(r"^ +(\w+) --> (\w+)", drawn[1], re.MULTILINE))
    assert sorted(boxes) == sorted(ROOMS)
    assert arrows == {(below, above) for above, below in reduced(ARROWS)}, (
        "run `python tests/test_rooms.py` and put its lines into the picture"
    )


def reduced(arrows: set[tuple[str, str]]) -> set[tuple[str, str]]:
    """Without the arrows that a way over other rooms implies."""

    def reaches(start: str, end: str) -> bool:
        return any(there == end or reaches(there, end) for here, there in arrows if here == start)

    return {(a, b) for a, b in arrows if not any(here == a and there != b and reaches(there, b) for here, there in arrows)}


if __name__ == "__main__":
    sys.stdout.writelines(f"    {below} --> {above}\n" for above, below in sorted(reduced(ARROWS), key=lambda arrow: ROOMS.index(arrow[0])))
