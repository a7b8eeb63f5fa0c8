"""Reading a parameter file: YAML without duplicate keys, checked against its type, every mistake named at once."""

from __future__ import annotations

from collections.abc import Hashable
from copy import deepcopy
from functools import lru_cache
from pathlib import Path
from typing import Any, TypeVar

import yaml
from pydantic import BaseModel, ValidationError

from pga.runtime.errors import UserError

Model = TypeVar("Model", bound=BaseModel)


class UniqueKeyLoader(yaml.SafeLoader):
    """YAML's safe loader, in which a key that stands twice is an error instead of a silent choice."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Hashable, Any]:
        """As the loader does, after looking for keys that stand twice."""
        seen: set[Any] = set()
        for key_node, _ in node.value:
            if key_node.tag == "tag:yaml.org,2002:merge":  # `<<: *anchor`, spread by the loader itself
                continue
            key = self.construct_object(key_node, deep=True)
            if key in seen:
                raise yaml.constructor.ConstructorError(None, None, f"the key {key!r} stands twice", key_node.start_mark)
            seen.add(key)
        return super().construct_mapping(node, deep)


@lru_cache(maxsize=64)
def parsed(text: str) -> Any:
    """What YAML text holds; a workflow reads each file several times, and parsing takes longer than all else about it."""
    return yaml.load(text, UniqueKeyLoader)


def read_yaml(path: str | Path) -> dict[str, Any]:
    """The mapping in a YAML file.

    Raises:
        UserError: the file is absent, is not YAML, holds a key twice, or is not a mapping.
    """
    try:
        content = deepcopy(parsed(Path(path).read_text(encoding="utf-8")))
    except OSError as error:
        raise UserError(f"{path}: cannot be read: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise UserError(f"{path}: not UTF-8 text: {error}") from error
    except (yaml.YAMLError, ValueError, TypeError, RecursionError) as error:
        raise UserError(f"{path}: not YAML that is accepted here: {error}") from error
    if not isinstance(content, dict):
        raise UserError(f"{path}: found {type(content).__name__}, accepted is a mapping of keys to values")
    return content


def validate(content: dict[str, Any], model: type[Model], path: str | Path) -> Model:
    """`content` as a `model`.

    Raises:
        UserError: lists every mistake with file, key, value found and what is accepted.
    """
    try:
        return model.model_validate(content)
    except ValidationError as error:
        lines = []
        for problem in error.errors(include_url=False):
            key = ".".join(map(str, problem["loc"])) or "(the whole file)"
            found = (
                "" if isinstance(problem["input"], (dict, BaseModel)) or problem["type"] == "missing" else f": found {problem['input']!r}"
            )
            message = problem["msg"].removeprefix("Value error, ")
            if problem["type"] == "extra_forbidden":
                message = f"no such key; accepted here are {', '.join(accepted_keys(model, problem['loc'])) or 'others'}"
            elif problem["type"] == "tuple_type":
                message = "accepted is a list, for a value with its origin [value, origin]"
            lines.append(f"{path}: {key}{found}: {message}")
        raise UserError("\n".join(lines)) from error


def accepted_keys(model: type[BaseModel], location: tuple[int | str, ...]) -> list[str]:
    """The keys accepted beside the unknown one at `location`, found in the model's schema."""
    schema = model.model_json_schema()
    definitions = schema.get("$defs", {})
    here: Any = schema
    for step in location[:-1]:
        here = resolved(here, definitions)
        if isinstance(step, int):
            items = here.get("prefixItems", [])
            here = items[step] if step < len(items) else here.get("items", {})
        else:
            here = (
                here.get("properties", {}).get(step)
                or here.get("additionalProperties")
                or next(iter(here.get("patternProperties", {}).values()), {})
            )
    return sorted(resolved(here, definitions).get("properties", {}))


def resolved(schema: Any, definitions: dict[str, Any]) -> dict[str, Any]:
    """The schema behind a reference or an optional value."""
    while isinstance(schema, dict) and ("$ref" in schema or "anyOf" in schema):
        if "$ref" in schema:
            schema = definitions[schema["$ref"].rsplit("/", 1)[-1]]
        else:
            schema = next((option for option in schema["anyOf"] if option.get("type") != "null"), {})
    return schema if isinstance(schema, dict) else {}


def read_typed(path: str | Path, model: type[Model]) -> Model:
    """A YAML file as a `model`; raises as `read_yaml` and `validate` do."""
    return validate(read_yaml(path), model, path)
