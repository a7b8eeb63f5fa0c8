"""Trained weights and checkpoints as safetensors: no pickle, one JSON record inside, a checksum over every tensor."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load, save
from torch import Tensor

from pga.runtime.errors import UserError
from pga.runtime.files import atomic, digest, unreadable

RECORD = "pga"  # safetensors writes several metadata keys in random order; one keeps the bytes equal


def tensor_digest(tensors: dict[str, Tensor]) -> str:
    """SHA-256 over names, types, shapes and bytes of all tensors."""
    hasher = hashlib.sha256()
    for name in sorted(tensors):
        tensor = tensors[name]
        hasher.update(f"{name}:{tensor.dtype}:{tuple(tensor.shape)};".encode())
        hasher.update(tensor.contiguous().reshape(-1).view(torch.uint8).numpy().data)
    return hasher.hexdigest()


def record_digest(record: dict[str, Any]) -> str:
    """SHA-256 over a record without its own checksum."""
    return digest({key: value for key, value in record.items() if key != "record"})


def save_tensors(path: str | Path, tensors: dict[str, Tensor], record: dict[str, Any]) -> None:
    """Write tensors and a JSON record, complete or not at all."""
    on_cpu = {name: tensor.detach().to("cpu").contiguous() for name, tensor in tensors.items()}
    complete = {**record, "tensors": tensor_digest(on_cpu)}
    text = json.dumps({**complete, "record": record_digest(complete)}, sort_keys=True, allow_nan=False)
    with atomic(path) as file:
        file.write(save(on_cpu, metadata={RECORD: text}))


def load_tensors(path: str | Path) -> tuple[dict[str, Tensor], dict[str, Any]]:
    """Tensors (on the CPU) and record of a file that `save_tensors` wrote.

    Raises:
        UserError: the file is absent, truncated, altered, or was not written by this program.
    """
    try:
        content = Path(path).read_bytes()  # once: `safe_open` opens a file twice, and another may take its place in between
        header = json.loads(content[8 : 8 + int.from_bytes(content[:8], "little")])
        record = json.loads(header["__metadata__"][RECORD])
        tensors = load(content)
    except OSError as error:
        raise unreadable(path, error) from error
    except (SafetensorError, KeyError, TypeError, ValueError, RuntimeError, RecursionError) as error:
        raise UserError(f"{path}: not a file of this program's, or damaged ({error}); delete it and make it again") from error
    if not isinstance(record, dict) or "record" not in record:
        raise UserError(f"{path}: written by another version of this program; delete it and make it again")
    for part, found in (("record", record_digest(record)), ("tensors", tensor_digest(tensors))):
        if found != record.get(part):
            raise UserError(f"{path}: damaged: its {part} does not match the checksum; delete it and make it again")
    return tensors, record
