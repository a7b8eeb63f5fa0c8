"""What the benchmarks of training run: a row of the paper on random images, our step and others' on the same networks and batch."""

from __future__ import annotations

import contextlib
import dataclasses
import importlib.util
import io
import logging
import sys
import tempfile
import time
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import torch

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT), str(ROOT / "benchmarks"), str(ROOT / "tests/support")]

import reference_step as literal

from pga.method.values import draw_noise
from pga.networks.architectures import NETWORKS, unit_range
from pga.params.experiment import load_experiment
from pga.params.run import Run
from pga.training.trainer import Trainer

EVER = 10**9
"""More steps than a benchmark takes, so that none of them writes a row of the history."""

WINDOW = 20
"""Steps on a GPU between two readings of the clock."""

STILL = 1e-6
"""A learning rate at which random images do no harm; it does not change how long a step takes."""


def row(dataset: str, model: str, **changes: Any) -> Run:
    """A row of params/paper.yaml without its warm-up, so that every term is in use from the first step, and hardly moving."""
    run = load_experiment(ROOT / "params/paper.yaml").run(dataset, model, 0)
    return dataclasses.replace(run, **{"warmup_steps": 0, "epochs": None, "steps": EVER, "snapshots": 0, "learning_rate": STILL, **changes})


def trainer_of(run: Run, device: torch.device, batches: int = 10) -> Trainer:
    """Our trainer on random images; what they show does not change how long a step takes."""
    shape = NETWORKS[run.network]
    n = run.batch_size * batches + run.validation_images
    images = np.random.default_rng(0).integers(0, 256, (n, shape.size, shape.size, shape.channels), np.uint8)
    return Trainer(dataclasses.replace(run, train_images=None), images, device)


def window(advance: Callable[[], None], device: torch.device) -> tuple[Callable[[], None], int]:
    """What is timed as one, and how many steps that is: on a GPU many, since a wait for each would leave it idle in between."""
    steps = WINDOW if device.type == "cuda" else 1

    def several() -> None:
        for _ in range(steps):
            advance()

    return several, steps


def contiguous(trainer: Trainer) -> Trainer:
    """The same with kernels, and so feature maps, in the other memory format."""
    for parameter in trainer.optimiser.parameters:
        parameter.data = parameter.data.contiguous()
    for state in trainer.optimiser.state:
        state["momentum_buffer"] = state["momentum_buffer"].contiguous()
    return trainer


def literal_step(trainer: Trainer) -> Callable[[], None]:
    """The tests' literal transcription: each term on its own, one backward pass per network that it moves, plain momentum by hand."""
    run, optimiser = trainer.run, torch.optim.SGD(trainer.optimiser.parameters, lr=trainer.run.learning_rate, momentum=trainer.run.momentum)

    def advance() -> None:
        x = trainer.batch()
        noise = draw_noise(len(x), run.latent_dim, trainer.noise, trainer.dtype)
        step = literal.Step(trainer.encoder, trainer.decoder, x, noise.z_n, noise.xi, noise.xi_delta, run.epsilon, run.delta)
        used = {name for name, weight in literal.LOSSES[run.model](run.coefficients).items() if weight}
        with only_terms(run.model, used):
            gradients = literal.literal_gradients(step, run.model, run.coefficients)
        for network, found in zip((trainer.encoder, trainer.decoder), gradients, strict=True):
            for name, parameter in network.named_parameters():
                parameter.grad = found[name]
        optimiser.step()
        trainer.step += 1

    return advance


@contextlib.contextmanager
def only_terms(model: str, used: set[str]) -> Any:
    """The literal loss without its terms of weight zero, which our step does not compute either."""
    whole = literal.LOSSES[model]
    literal.LOSSES[model] = lambda c: {name: weight for name, weight in whole(c).items() if name in used}
    try:
        yield
    finally:
        literal.LOSSES[model] = whole


@cache
def has_pythae() -> bool:
    """Whether pythae is here; says so where it is not."""
    found = importlib.util.find_spec("pythae") is not None
    if not found:
        print("pythae is not installed: its column stays empty", file=sys.stderr)
    return found


def pythae_epoch(trainer: Trainer, batches: int) -> Callable[[], None]:
    """An epoch of `batches` steps by pythae's own trainer, on our networks: VAE, WAE-MMD and RAE-L2 are in both."""
    logging.disable(logging.WARNING)
    from pythae.data.datasets import BaseDataset
    from pythae.models import RAE_L2, VAE, WAE_MMD, RAE_L2_Config, VAEConfig, WAE_MMD_Config
    from pythae.trainers import BaseTrainer, BaseTrainerConfig
    from pythae_networks import Decoder, Encoder

    kind, config = {"vae": (VAE, VAEConfig), "wae": (WAE_MMD, WAE_MMD_Config), "rae_l2": (RAE_L2, RAE_L2_Config)}[trainer.run.model]
    images = trainer.scaled(trainer.images[: batches * trainer.run.batch_size]).cpu()  # where its data loader expects them
    settings = config(input_dim=tuple(images.shape[1:]), latent_dim=trainer.run.latent_dim)
    settings.reconstruction_loss = "mse"
    made = BaseTrainer(
        kind(settings, Encoder(trainer.encoder), Decoder(trainer.decoder)),
        BaseDataset(images, torch.zeros(len(images))),
        training_config=BaseTrainerConfig(
            output_dir=tempfile.mkdtemp(), per_device_train_batch_size=trainer.run.batch_size, learning_rate=1e-6, keep_best_on_train=True,
            optimizer_cls="SGD", optimizer_params={"momentum": trainer.run.momentum}, no_cuda=trainer.device.type == "cpu",
        ),
    )  # fmt: skip
    with contextlib.redirect_stdout(io.StringIO()):
        made.prepare_training()

    def epoch() -> None:
        with contextlib.redirect_stderr(io.StringIO()):
            made.train_step(1)

    return epoch


def clock(device: torch.device, kind: str) -> Callable[[], float]:
    """Reads the time: "wall", or "cpu" seconds of this process, which other work on a shared machine disturbs less (one thread only)."""

    def read() -> float:
        if device.type == "cuda":
            torch.cuda.synchronize()
        return time.process_time() if kind == "cpu" else time.perf_counter()

    return read


def in_turn(variants: dict[str, tuple[Callable[[], None], int]], seconds: float, read: Callable[[], float]) -> dict[str, list[float]]:
    """Seconds per step of each variant, measured in turn until `seconds` have passed, so that a disturbance meets all of them.

    Args:
        variants: name → (what to call, steps that one call takes).
        seconds: for all of them together, three calls each at least.
        read: the clock.
    """
    found: dict[str, list[float]] = {name: [] for name in variants}
    for advance, _ in variants.values():  # allocations, the choice of kernels
        advance()
    end = read() + seconds
    while read() < end or min(map(len, found.values())) < 3:
        for name, (advance, steps) in variants.items():
            started = read()
            advance()
            found[name].append((read() - started) / steps)
    return found


__all__ = [
    "NETWORKS", "ROOT", "clock", "contiguous", "has_pythae", "in_turn", "literal_step", "pythae_epoch", "row", "trainer_of", "unit_range",
    "window",
]  # fmt: skip
