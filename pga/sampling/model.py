"""A trained run as an object: what `pga.load` and `pga.fit` return."""

from __future__ import annotations

import dataclasses
import hashlib
import shutil
from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from pga.data.pixels import truncate_to_uint8
from pga.data.prepared import Images, full_batches
from pga.fingerprints.steps import training_code
from pga.networks.architectures import unit_range
from pga.params.library import run_of_preset
from pga.params.sampling import Interpolation
from pga.runtime import devices
from pga.runtime.errors import UserError
from pga.runtime.files import atomic, read_record
from pga.sampling import density as densities
from pga.sampling import hub
from pga.sampling.sample import load_networks, sample
from pga.sampling.standing_statistics import standing
from pga.training.loop import Stopped, train

FILES = ("model.safetensors", "history.csv", "snapshots.safetensors", "run.json")
"""What training writes; run.json, which vouches for the rest, comes last."""


class TrainedModel:
    """A trained run.

    Images are uint8 arrays (N, height, width, channels), in and out. Codes are tensors (N, H) on the model's device. For tensors in the
    networks' own range, (N, channels, height, width) in [-1, 1] (in [0, 1] for networks of Ghosh et al.), call `encoder` and `decoder`.

    Batch normalisation uses the statistics of the batch in hand: what the networks get is filled up to batches of the run's size.

    Attributes:
        run: the run's parameters.
        encoder, decoder: f_φ and g_θ, in evaluation mode.
        device: where they are.
        folder: where the run's files are.
    """

    def __init__(self, folder: Path, device: torch.device, files: Path | None = None, temporary: TemporaryDirectory[str] | None = None):
        """Networks of `files` (by default the folder's model.safetensors); a temporary folder lives as long as the object."""
        self.folder, self.device, self.temporary = folder, device, temporary
        self.run, self.encoder, self.decoder = load_networks(files or folder / "model.safetensors", device)

    @property
    def params(self) -> dict[str, Any]:
        """All parameters of the run."""
        return self.run.asdict()

    @property
    def metrics(self) -> dict[str, dict[str, Any]]:
        """What was measured of the run, by the name of the sampling: the content of each `<sampling>/metrics.json` in its folder."""
        return {path.parent.name: read_record(path) for path in sorted(self.folder.glob("*/metrics.json"))}

    def encode(self, images: Images) -> Tensor:
        """μ_φ(x) of images (N, height, width, channels) uint8: codes (N, H).

        Raises:
            UserError: these are no such images, or of another size than the run's.
        """
        images = self.fitting(images)
        return self.batches(len(images), lambda index: self.encoder(densities.batch_for(self.run, images[index], self.device)))

    def decode(self, codes: Tensor | npt.ArrayLike) -> Images:
        """g(z) of codes (N, H): images (N, height, width, channels) uint8."""
        return self.decoded(torch.as_tensor(codes))

    def reconstruct(self, images: Images) -> Images:
        """x̂ = g(f(x)) of images uint8, the same shape."""
        images = self.fitting(images)
        tensors = self.batches(
            len(images), lambda index: self.decoder(self.encoder(densities.batch_for(self.run, images[index], self.device)))
        )
        return truncate_to_uint8(tensors, unit_range(self.run.network))

    def sample(
        self,
        n: int,
        seed: int | None = None,
        density: str = "normal",
        images: Images | None = None,
        batch_size: int = 1000,
        batch_norm: str = "batch",
    ) -> Images:
        """`n` new images, uint8; with the run's own seed the same bytes as `pga sample`.

        Args:
            n: how many.
            seed: of the codes (default: the run's).
            density: "normal", z ~ N(0, I), as in the paper; "gaussian" or "mixture" (of ten), fitted to the codes of `images`.
            images: training images, for a fitted density.
            batch_size: codes that are decoded together, of which batch normalisation sees the statistics.
            batch_norm: "batch", or "standing" for fixed statistics of 20 batches of prior codes.

        Raises:
            UserError: an argument is not accepted.
        """
        if n < 1 or batch_size < 2:
            raise UserError(f"n {n}, batch_size {batch_size}: accepted are n of at least 1 and batches of at least 2")
        if density not in ("normal", *densities.COMPONENTS) or batch_norm not in ("batch", "standing"):
            raise UserError(
                f"density {density!r}, batch_norm {batch_norm!r}: accepted are normal, {', '.join(densities.COMPONENTS)}; batch, standing"
            )
        if density != "normal" and (images is None or batch_norm == "standing"):
            raise UserError(f"density {density!r} needs the training images (`images`), and batch_norm 'batch'")
        run = self.run if seed is None else dataclasses.replace(self.run, seed=seed)
        dtype, decoder, draw = getattr(torch, run.dtype), self.decoder, None
        with devices.deterministic(threads=1):
            if batch_norm == "standing":
                decoder = standing(decoder, densities.prior(run, self.device, dtype, "standing statistics"), 20, batch_size)
            if images is not None and density != "normal":
                codes = densities.encode(self.encoder, checked(images), run, self.device)
                draw = densities.fitted(density, codes, run, self.device, dtype)
            return sample(decoder, run, n, batch_size, self.device, draw)

    def interpolate(self, a: Images, b: Images, points: int = Interpolation().points) -> Images:
        """g((1 − t) f(a) + t f(b)) for `points` values of t from 0 to 1, between images (N, …) uint8: (N, points, …) uint8."""
        if len(a) != len(b) or points < 2:
            raise UserError(f"{len(a)} and {len(b)} images, {points} points: accepted are equally many images, and at least 2 points")
        start, end = self.encode(a), self.encode(b)
        return np.stack([self.decode(torch.lerp(start, end, float(t))) for t in np.linspace(0, 1, points)], axis=1)

    def save(self, folder: str | Path) -> Path:
        """Copy the run's files into a folder, from which `pga.load`, `pga sample` and the workflow read them; returns the folder."""
        for name in FILES:
            if (source := self.folder / name).exists():
                with source.open("rb") as file, atomic(Path(folder) / name) as copy:
                    shutil.copyfileobj(file, copy)
        return Path(folder)

    def fitting(self, images: Images) -> Images:
        """Images of the run's size; raises UserError if these are no images, or of another size."""
        images = checked(images)
        shape = self.decoded(torch.zeros(1, self.run.latent_dim)).shape[1:]
        if images.shape[1:] != shape:
            raise UserError(f"found images of (height, width, channels) {images.shape[1:]}; the run's are {shape}")
        return images

    def batches(self, n: int, compute: Callable[[npt.NDArray[np.int64]], Tensor]) -> Tensor:
        """What `compute` gives for indices 0 … n − 1, in batches of the run's size."""
        with torch.no_grad():
            found = [compute(index)[:count] for index, count in full_batches(n, self.run.batch_size)]
        return torch.cat(found)

    def decoded(self, codes: Tensor) -> Images:
        """g(z) as uint8."""
        if codes.ndim != 2 or codes.shape[1] != self.run.latent_dim or not len(codes):
            raise UserError(f"found codes of shape {tuple(codes.shape)}; accepted is (N, {self.run.latent_dim}) with N of at least 1")
        codes = codes.to(self.device, getattr(torch, self.run.dtype))
        return truncate_to_uint8(self.batches(len(codes), lambda index: self.decoder(codes[index])), unit_range(self.run.network))

    def __repr__(self) -> str:
        return f"<{self.run.model} on {self.run.dataset}, seed {self.run.seed}, {self.run.network}, H = {self.run.latent_dim}>"


def load(path: str | Path, device: str = "auto") -> TrainedModel:
    """A trained run.

    Args:
        path: the run's folder, its model.safetensors, or hf://user/name (the extra `hub`).
        device: "auto" (a GPU if there is one), "cpu", "cuda" or "cuda:K".

    Raises:
        UserError: a file is absent, damaged, or no trained run.
    """
    path = hub.download(path) if isinstance(path, str) and path.startswith(hub.PREFIX) else Path(path)
    file = path / "model.safetensors" if path.is_dir() else path
    return TrainedModel(file.parent, devices.choose(device), file)


def fit(
    images: Images,
    model: str = "lpga",
    *,
    preset: str,
    seed: int = 0,
    device: str = "auto",
    dataset: str = "images",
    live: str | Path | None = None,
    **changes: Any,
) -> TrainedModel:
    """Train on images in memory. The same images, parameters and seed give the same bytes as the workflow.

    Args:
        images: (N, height, width, channels) or (N, height, width) uint8, of the size of the preset's network.
        model: row of the preset: "lpga", "vpga", "lvpga", "vae", …
        preset: whose network and schedule: "digits" (8×8×1), "mnist" (28×28×1), "cifar10" (32×32×3) or "celeba" (64×64×3).
        seed: from which all randomness comes.
        device: "auto" (a GPU if there is one), "cpu", "cuda" or "cuda:K".
        dataset: what the run calls its data.
        live: folder for log.jsonl and TensorBoard's events while it trains (`pga.training.live`).
        **changes: any value of the run that is to be another than the preset's, e.g. steps=2000, latent_dim=32, gamma=0.02.

    Raises:
        UserError: an argument is not accepted, or the images do not fit.
        Diverged: a term became non-finite or ran away.
        KeyboardInterrupt: interrupted; nothing is kept.
    """
    images = checked(images)
    run = run_of_preset(model, preset, seed, dataset, changes)
    place = devices.choose(device)
    temporary = TemporaryDirectory(prefix="pga-")
    folder = Path(temporary.name)
    digest = hashlib.sha256()
    np.lib.format.write_array(_Hashed(digest.update), images, allow_pickle=False)
    with devices.deterministic(run.threads):
        try:
            train(
                run,
                images,
                digest.hexdigest(),
                training_code(run),
                place,
                folder / "run",
                folder / "scratch",
                live=Path(live) if live else None,
            )
        except Stopped as error:
            raise KeyboardInterrupt from error
    return TrainedModel(folder / "run", place, temporary=temporary)


class _Hashed:
    """A file of which only the checksum is wanted."""

    def __init__(self, write: Callable[[bytes], object]):
        self.write = write


def checked(images: Images) -> Images:
    """Images (N, height, width, channels) of an array; a channel is added to (N, height, width).

    Raises:
        UserError: another type or shape.
    """
    images = np.asarray(images)
    if images.dtype != np.uint8 or images.ndim not in (3, 4) or not len(images):
        raise UserError(f"found {images.dtype} of shape {images.shape}; images are uint8 of shape (N, height, width[, channels])")
    return images[..., None] if images.ndim == 3 else images
