"""Images from a trained decoder, drawn as the paper draws them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from pga.data.pixels import truncate_to_uint8
from pga.data.prepared import Images
from pga.networks.architectures import unit_range
from pga.networks.autoencoder import Decoder, Encoder
from pga.params.run import Run
from pga.runtime import devices
from pga.runtime.checkpoint import load_tensors
from pga.runtime.errors import UserError
from pga.runtime.progress import Progress
from pga.sampling.density import Draw, prior
from pga.training.run_record import refuse_run_of_other_code
from pga.training.weights import build_run, fill_network


def load_run(path: Path) -> tuple[Run, dict[str, Tensor], dict[str, Any]]:
    """The run, the tensors and the record of a trained model or a snapshot.

    Raises:
        UserError: the file is absent, damaged, or of another version.
    """
    tensors, record = load_tensors(path)
    try:
        return Run(**record["run"]), tensors, record
    except (KeyError, TypeError) as error:
        raise UserError(f"{path}: written by another version of this program ({error}); train again") from error


def load_networks(path: Path, device: torch.device) -> tuple[Run, Encoder, Decoder]:
    """Encoder and decoder of a trained run, in evaluation mode and of the type that it was trained in."""
    run, tensors, record = load_run(path)
    if "steps" in record:
        raise UserError(f"{path}: snapshots of a run, which `pga curve` reads; wanted is its model.safetensors")
    encoder, decoder = build_run(run, 0)
    fill_network(encoder, "encoder", tensors)
    fill_network(decoder, "decoder", tensors)
    dtype = getattr(torch, run.dtype)
    return run, encoder.to(device, dtype).eval(), decoder.to(device, dtype).eval()


def open_run(path: Path, device: str) -> tuple[Run, Encoder, Decoder, torch.device]:
    """A trained run for one command: its networks, on a device of this name, by deterministic kernels.

    Args:
        path: the run's folder, or its model.safetensors.
        device: "auto", "cpu", "cuda" or "cuda:K".

    Raises:
        UserError: it is no trained run, or of other code than there is now.
    """
    file = path / "model.safetensors" if path.is_dir() else path
    refuse_run_of_other_code(file)
    chosen = devices.choose(device)
    devices.make_deterministic(threads=1)
    return *load_networks(file, chosen), chosen


def load_snapshots(path: Path, device: torch.device) -> tuple[Run, list[tuple[int, Decoder]]]:
    """The decoders kept during training, each with the step after which it was taken."""
    run, tensors, record = load_run(path)
    if "steps" not in record:
        raise UserError(f"{path}: not snapshots of a run; wanted is its snapshots.safetensors")
    made = []
    for number, step in enumerate(record["steps"], 1):
        start = f"{number:03d}."
        own = {name.removeprefix(start): tensor for name, tensor in tensors.items() if name.startswith(start)}
        made.append((step, decoder_of(run, own, device)))
    return run, made


def decoder_of(run: Run, tensors: dict[str, Tensor], device: torch.device) -> Decoder:
    """The run's decoder with the weights under `decoder.`."""
    _, decoder = build_run(run, 0)
    fill_network(decoder, "decoder", tensors)
    return decoder.to(device, getattr(torch, run.dtype)).eval()


def sample(decoder: nn.Module, run: Run, n: int, batch_size: int, device: torch.device, draw: Draw | None = None) -> Images:
    """`n` images g(z), z ~ N(0, I) or from a fitted density, as (n, S, S, C) uint8.

    Codes are drawn in full batches of `batch_size` and what exceeds `n` is dropped, so that batch normalisation always sees a
    full batch, as in the released code (5 × 1000).

    Args:
        decoder: g_θ, or its copy with standing statistics.
        run: whose seed the codes come from.
        n: number of images.
        batch_size: codes per batch.
        device: where the decoder is.
        draw: from which law the codes come (default: the prior).
    """
    draw = draw or prior(run, device, next(decoder.parameters()).dtype)
    made: list[Images] = []
    with torch.inference_mode(), Progress(n, f"sampling {run.dataset}/{run.name} seed {run.seed}", "image") as progress:
        for start in range(0, n, batch_size):
            made.append(decoded(decoder, draw(batch_size), run)[: n - start])
            progress.advance(len(made[-1]))
    return np.concatenate(made)


def decoded(decoder: nn.Module, z: Tensor, run: Run) -> Images:
    """g(z) as (B, S, S, C) uint8; raises UserError if a value is not finite."""
    x = decoder(z)
    if not bool(torch.isfinite(x).all()):
        raise UserError(f"{run.dataset}/{run.name}, seed {run.seed}: the decoder makes non-finite images; the run has diverged")
    return truncate_to_uint8(x, unit_range(run.network))
