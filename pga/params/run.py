"""A run: everything that training reads, as plain values. Two runs with equal digests give the same bytes."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from typing import Any

from pga.method.terms import MODELS, ONE, RECONSTRUCTIONS
from pga.runtime.files import digest


@dataclass(frozen=True)
class Run:
    """One row of `params/` with one seed.

    Attributes:
        dataset: name of the prepared data.
        name: name of the row, in paths ("lpga_ablation").
        model: key of `pga.method.terms.MODELS`.
        seed: from which all of the run's randomness comes.
        network: key of `pga.networks.architectures.NETWORKS`.
        width: channels of the first convolution.
        latent_dim: H.
        batch_norm: whether batch normalisation is switched on.
        batch_size: images per step.
        learning_rate: constant step size of SGD.
        momentum: of SGD.
        epochs, steps: length; just one of them is given.
        warmup_steps: steps before all terms but the data reconstruction are switched on.
        coefficients: weights of the terms, by the paper's symbols.
        delta: "sphere" or "normal", the law of δ in Eq. 7.
        epsilon: size of δ per latent dimension.
        snapshots: number of decoders kept during training, evenly spaced, the last step included.
        optimiser: "sgd" with `momentum`, or "adam".
        spectral_norm: of every kernel (RAE-SN).
        constant_sigma: the posterior's standard deviation, for models that do not learn it (CV-VAE).
        input_noise: standard deviation of noise added to the encoder's input, in the network's units, clipped at one of it.
        train_images: train on the first so many images only (None: on all).
        validation_images: hold out the next so many images; their loss is computed after every epoch.
        lr_patience: halve the learning rate when the validation loss has not improved for so many epochs (None: never).
        lr_min_delta: a smaller improvement counts as none, for the learning rate only.
        selection: "last" step, or "best_validation" epoch.
        precision: arithmetic of the step: "float32", "float64"; "bfloat16", "tf32" for terms that bear it, else float32.
        threads: threads of the step on a CPU; sums depend on it, so it is part of the run.
        graph: "auto" records the step as a CUDA graph on a GPU, "never" runs it eagerly.
    """

    dataset: str
    name: str
    model: str
    seed: int
    network: str
    width: int
    latent_dim: int
    batch_norm: bool
    batch_size: int
    learning_rate: float
    momentum: float
    warmup_steps: int
    epochs: int | None = None
    steps: int | None = None
    coefficients: dict[str, float] = field(default_factory=dict)
    delta: str = "sphere"
    epsilon: float = 0.01
    snapshots: int = 0
    optimiser: str = "sgd"
    spectral_norm: bool = False
    constant_sigma: float | None = None
    input_noise: float = 0.0
    train_images: int | None = None
    validation_images: int = 0
    lr_patience: int | None = None
    lr_min_delta: float = 0.0
    selection: str = "last"
    precision: str = "float32"
    threads: int = 1
    graph: str = "auto"

    def asdict(self) -> dict[str, Any]:
        """All values, for JSON."""
        return asdict(self)

    @property
    def dtype(self) -> str:
        """Of weights, codes, losses and sums: "float32" or "float64"."""
        return "float64" if self.precision == "float64" else "float32"

    @property
    def digest(self) -> str:
        """Identity of the run's parameters and seed; the row's name is not part of it."""
        return digest({key: value for key, value in asdict(self).items() if key != "name"})

    def split(self, n_images: int) -> tuple[slice, slice]:
        """Training and validation images of `n_images`: disjoint, in the order of the prepared array."""
        end = n_images - self.validation_images if self.train_images is None else self.train_images
        return slice(0, end), slice(end, end + self.validation_images)

    def total_steps(self, n_images: int) -> int:
        """Number of steps on `n_images` training images; an epoch drops its last, incomplete batch."""
        if self.steps is not None:
            return self.steps
        assert self.epochs is not None
        return self.epochs * steps_per_epoch(n_images, self.batch_size)

    def only_warms_up(self, n_images: int) -> bool:
        """Whether the run ends before any term but the reconstruction takes part, though others have a weight."""
        waiting = (name for term, name in MODELS[self.model].items() if term not in RECONSTRUCTIONS)
        return self.warmup_steps >= self.total_steps(n_images) and any(name == ONE or self.coefficients[name] > 0 for name in waiting)

    def snapshot_steps(self, n_images: int) -> list[int]:
        """After how many steps each snapshot is taken; the last one is the end of the run."""
        total = self.total_steps(n_images)
        return [round(total * k / self.snapshots) for k in range(1, self.snapshots + 1)]


def steps_per_epoch(n_images: int, batch_size: int) -> int:
    """Full batches in one pass over the data; a batch larger than the data draws all of it."""
    return max(1, n_images // batch_size)
