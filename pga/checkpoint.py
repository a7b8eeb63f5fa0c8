"""Trained weights and checkpoints as safetensors: no pickle, one JSON record inside, a checksum over every tensor."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save
from torch import Tensor

from pga.errors import UserError
from pga.files import atomic

RECORD = "pga"  # safetensors writes several metadata keys in random order; one keeps the bytes equal


def tensor_digest(tensors: dict[str, Tensor]) -> str:
    """SHA-256 over names, types, shapes and bytes of all tensors."""
    hasher = hashlib.sha256()
    for name in sorted(tensors):
        tensor = tensors[name]
        hasher.update(f"{name}:{tensor.dtype}:{tuple(tensor.shape)};".encode())
        hasher.update(tensor.contiguous().reshape(-1).view(torch.uint8).numpy().data)
    return hasher.hexdigest()


def save_tensors(path: str | Path, tensors: dict[str, Tensor], record: dict[str, Any]) -> None:
    """Write tensors and a JSON record, complete or not at all."""
    on_cpu = {name: tensor.detach().to("cpu").contiguous() for name, tensor in tensors.items()}
    text = json.dumps({**record, "tensors": tensor_digest(on_cpu)}, sort_keys=True, allow_nan=False)
    with atomic(path) as file:
        file.write(save(on_cpu, metadata={RECORD: text}))


def load_tensors(path: str | Path) -> tuple[dict[str, Tensor], dict[str, Any]]:
    """Tensors (on the CPU) and record of a file that `save_tensors` wrote.

    Raises:
        UserError: the file is absent, truncated, altered, or was not written by this program.
    """
    if not Path(path).exists():
        raise UserError(f"{path}: no such file")
    try:
        with safe_open(path, framework="pt") as file:
            record = json.loads((file.metadata() or {})[RECORD])
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 (not a mapping)
    except (SafetensorError, KeyError, ValueError, OSError) as error:
        raise UserError(f"{path}: not a file of this program's, or damaged ({error}); delete it and make it again") from error
    if tensor_digest(tensors) != record.get("tensors"):
        raise UserError(f"{path}: damaged: its tensors do not match their checksum; delete it and make it again")
    return tensors, record
