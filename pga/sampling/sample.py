"""Images from a trained decoder, drawn as the paper draws them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from pga.data.prepared import Images
from pga.networks.architectures import unit_range
from pga.networks.autoencoder import Decoder, Encoder
from pga.params.run import Run
from pga.runtime.checkpoint import load_tensors
from pga.runtime.errors import UserError
from pga.runtime.progress import Progress
from pga.sampling.density import Draw, prior
from pga.training.weights import build_run, load_network


def to_uint8(x: Tensor, unit: bool = False) -> Images:
    """(B, C, S, S) in [-1, 1], or [0, 1] if `unit` → (B, S, S, C) uint8 of 0…255, by truncation as in the released code."""
    pixels = ((x if unit else (x + 1) / 2) * 255).to(torch.uint8)
    images: Images = pixels.permute(0, 2, 3, 1).cpu().numpy()
    return images


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
    """Encoder and decoder of a trained run, in evaluation order: no gradients."""
    run, tensors, record = load_run(path)
    if "steps" in record:
        raise UserError(f"{path}: snapshots of a run, which `pga curve` reads; wanted is its model.safetensors")
    encoder, decoder = build_run(run, 0)
    load_network(encoder, "encoder", tensors)
    load_network(decoder, "decoder", tensors)
    return run, encoder.to(device).eval(), decoder.to(device).eval()


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
    load_network(decoder, "decoder", tensors)
    return decoder.to(device).eval()


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
            x = decoder(draw(batch_size))
            if not bool(torch.isfinite(x).all()):
                raise UserError(f"{run.dataset}/{run.name}, seed {run.seed}: the decoder makes non-finite images; the run has diverged")
            made.append(to_uint8(x, unit_range(run.network))[: n - start])
            progress.advance(len(made[-1]))
    return np.concatenate(made)
