"""Reading a parameter file: YAML without duplicate keys, checked against its type, every mistake named at once."""

from __future__ import annotations

import json
import re
from collections.abc import Hashable
from functools import lru_cache
from pathlib import Path
from typing import Any, TypeVar

import yaml
from pydantic import BaseModel, ValidationError

from pga.runtime.errors import UserError

Model = TypeVar("Model", bound=BaseModel)


class PlainLoader(yaml.SafeLoader):
    """YAML's safe loader with the scalars of YAML 1.2 (as DVC reads the same files), text as keys, and no key that stands twice.

    YAML 1.1 takes `010` for 8, `1:40` for 100, `1_000` for 1000, `on` for true and `1e4` for text.
    """

    yaml_implicit_resolvers: dict[str, list[tuple[str, re.Pattern[str]]]] = {}  # noqa: RUF012 (its own, not the base class's)

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Hashable, Any]:
        """As the loader does, with every key as the text that stands in the file: a run may be called `null`."""
        seen = set()
        for key, _ in node.value:
            if not isinstance(key, yaml.ScalarNode):
                raise yaml.constructor.ConstructorError(None, None, "a key must be text", key.start_mark)
            if key.tag != MERGE:
                key.tag = "tag:yaml.org,2002:str"
            if key.value in seen:
                raise yaml.constructor.ConstructorError(None, None, f"the key {key.value!r} stands twice", key.start_mark)
            seen.add(key.value)
        return super().construct_mapping(node, deep)

    def construct_number(self, node: yaml.ScalarNode) -> int | float:
        """A decimal number; one that is written with an exponent and without a point is whole where its value is (`1e4`)."""
        text = str(node.value).lower()
        if re.fullmatch(r"[-+]?[0-9]+", text):
            return int(text)
        value = float(text.replace(".inf", "inf").replace(".nan", "nan"))
        return int(value) if "." not in text and value.is_integer() else value


MERGE = "tag:yaml.org,2002:merge"
NUMBER = "tag:yaml.org,2002:float"
for tag, pattern, first in (
    ("tag:yaml.org,2002:null", r"~|null|Null|NULL|", ["~", "n", "N", ""]),
    ("tag:yaml.org,2002:bool", r"true|True|TRUE|false|False|FALSE", list("tTfF")),
    (NUMBER, r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]{1,3})?|[-+]?\.(inf|Inf|INF)|\.(nan|NaN|NAN)", list("-+.0123456789")),
    (MERGE, r"<<", ["<"]),
):
    PlainLoader.add_implicit_resolver(tag, re.compile(rf"^(?:{pattern})$"), first)
PlainLoader.add_constructor(NUMBER, PlainLoader.construct_number)

MOST_NODES = 100_000
"""Keys and values that a file may hold once its aliases are written out; `params/paper.yaml` holds 2,000."""


def nodes(node: yaml.Node, counted: dict[int, int]) -> int:
    """How many keys and values `node` holds, everything that an alias repeats counted again.

    Raises:
        ValueError: an alias stands within what it repeats.
    """
    if id(node) in counted:
        if not counted[id(node)]:
            raise ValueError("an alias repeats what it stands in")
        return counted[id(node)]
    counted[id(node)] = 0
    parts = [part for pair in node.value for part in pair] if isinstance(node, yaml.MappingNode) else node.value
    counted[id(node)] = 1 if isinstance(node, yaml.ScalarNode) else 1 + sum(nodes(part, counted) for part in parts)
    return counted[id(node)]


@lru_cache(maxsize=64)
def parsed(text: str) -> Any:
    """What YAML text holds; a workflow reads each file several times, and parsing takes longer than all else about it."""
    loader = PlainLoader(text)
    try:
        node = loader.get_single_node()
        if node is not None and nodes(node, {}) > MOST_NODES:
            raise ValueError(f"its aliases repeat more than {MOST_NODES:,} keys and values")
        return None if node is None else loader.construct_document(node)
    finally:
        loader.dispose()


def read_yaml(path: str | Path) -> dict[str, Any]:
    """The mapping in a YAML file; a copy, which the caller may change.

    Raises:
        UserError: the file is absent, is not YAML, holds a key twice, or is not a mapping.
    """
    try:
        content = json.loads(json.dumps(parsed(Path(path).read_text(encoding="utf-8"))))  # mappings, lists, text and numbers only
    except FileNotFoundError as error:
        here = "" if Path(path).is_absolute() else f" in {Path.cwd()}; paths are those of the project's folder: call pga from there"
        raise UserError(f"{path}: there is no such file{here}") from error
    except OSError as error:
        raise UserError(f"{path}: cannot be read: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise UserError(f"{path}: not UTF-8 text: {error}") from error
    except (yaml.YAMLError, ValueError, TypeError, RecursionError) as error:
        told = str(error).replace('in "<unicode string>", ', "at ")
        raise UserError(f"{path}: not YAML that is accepted here: {told}") from error
    if not isinstance(content, dict):
        raise UserError(f"{path}: found {type(content).__name__}, accepted is a mapping of keys to values")
    return content


def validate(content: dict[str, Any], model: type[Model], path: str | Path) -> Model:
    """`content` as a `model`; text, numbers and truth values are not taken for each other.

    Raises:
        UserError: lists every mistake with file, key, value found and what is accepted.
    """
    try:
        return model.model_validate_json(json.dumps(content), strict=True)
    except ValidationError as error:
        raise UserError("\n".join(f"{path}: {line}" for line in mistakes(error, model))) from error


VALUE, WITH_ORIGIN = "a value", "[value, origin]"
"""The two forms of a value in a file; pydantic names the one it tried in a mistake's place."""


def mistakes(error: ValidationError, model: type[BaseModel]) -> list[str]:
    """Each mistake that was found in a `model`: key, value found, what is accepted. One that several runs share is told once."""
    places: dict[tuple[str, str], list[str]] = {}
    for problem in error.errors(include_url=False):
        location, accepted = place_of(model, tuple(step for step in problem["loc"] if step not in (VALUE, WITH_ORIGIN)))
        found = "" if isinstance(problem["input"], (dict, BaseModel)) or problem["type"] == "missing" else f": found {problem['input']!r}"
        message = problem["msg"].removeprefix("Value error, ")
        if problem["type"] == "extra_forbidden":
            message = f"no such key; accepted here are {', '.join(accepted)}"
        elif problem["type"] == "missing":
            message = "is missing"
        elif problem["type"] == "union_tag_invalid":
            location, found = (*location, problem["ctx"]["discriminator"].strip("'")), f": found {problem['ctx']['tag']!r}"
            message = f"accepted: {problem['ctx']['expected_tags']}".replace("'", "")
        elif problem["type"] == "union_tag_not_found":
            location, message = (*location, problem["ctx"]["discriminator"].strip("'")), "is missing"
        elif problem["type"] == "string_type":
            message = "accepted is text; put quotes around it"
        elif problem["type"] == "tuple_type":
            message = "accepted is a list, e.g. [0, 1]"
        of_run = location[:1] == ("datasets",) and location[2:3] == ("runs",)
        key = ".".join(map(str, location))
        shared = ".".join(map(str, location[4:])) if of_run else key
        places.setdefault((shared, f"{found}: {message}"), []).append(key)
    return [
        f"{first}{text}".removeprefix(": ") + (f" (so in {len(others)} more runs)" if others else "")
        for (_, text), (first, *others) in places.items()
    ]  # fmt: skip


def place_of(model: type[BaseModel], location: tuple[int | str, ...]) -> tuple[tuple[int | str, ...], list[str]]:
    """Where in the file a mistake at pydantic's `location` stands, and the keys that are accepted there, found in the model's schema.

    Pydantic's has a step more where a kind decides which keys there are (`datasets.mycats.folder.size`).
    """
    schema = model.model_json_schema()
    definitions = schema.get("$defs", {})
    steps: list[int | str] = []
    around = here = resolved(schema, definitions)
    for step in location:
        if "discriminator" in here:
            here = resolved({"$ref": here["discriminator"]["mapping"][step]}, definitions)
            continue
        steps.append(step)
        around = here
        if isinstance(step, int):
            items = here.get("prefixItems", [])
            inner: Any = items[step] if step < len(items) else here.get("items", {})
        else:
            inner = (
                here.get("properties", {}).get(step)
                or here.get("additionalProperties")
                or next(iter(here.get("patternProperties", {}).values()), {})
            )
        here = resolved(inner, definitions)
    return tuple(steps), sorted(around.get("properties", {}))


def resolved(schema: Any, definitions: dict[str, Any]) -> dict[str, Any]:
    """The schema behind a reference or an optional value."""
    while isinstance(schema, dict) and schema.keys() & {"$ref", "anyOf"}:
        if "$ref" in schema:
            schema = definitions[schema["$ref"].rsplit("/", 1)[-1]]
        else:
            schema = next((option for option in schema["anyOf"] if option.get("type") != "null"), {})
    return schema if isinstance(schema, dict) else {}


def read_typed(path: str | Path, model: type[Model]) -> Model:
    """A YAML file as a `model`; raises as `read_yaml` and `validate` do."""
    return validate(read_yaml(path), model, path)


def read_rows(path: str | Path, model: type[Model], table: str) -> tuple[dict[str, Any], dict[str, str]]:
    """The rows of a table that are right, and what is wrong with each of the others, which stop nobody who needs none of them.

    Args:
        path: of the file.
        model: the whole file, with one key, `table`.
        table: name → row.

    Raises:
        UserError: the file cannot be read, or holds no table.
    """
    content = read_yaml(path)
    if not isinstance(rows := content.get(table), dict) or len(content) > 1:
        return getattr(validate(content, model, path), table), {}
    found: dict[str, Any] = {}
    wrong: dict[str, str] = {}
    for name, row in rows.items():
        try:
            found.update(getattr(validate({table: {name: row}}, model, path), table))
        except UserError as error:
            wrong[name] = str(error)
    return found, wrong
