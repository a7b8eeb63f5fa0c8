"""The training of one run: state, step, and what is recorded. One step for every model of the table of terms."""

from __future__ import annotations

import math
from typing import Any

import torch
from torch import Tensor, nn

from pga.data.prepared import Images, full_batches
from pga.method.terms import TERMS
from pga.method.values import Noise, Values, active, backward, draw_noise, network_losses, shares, term_value, weights
from pga.networks.architectures import unit_range
from pga.params.run import Run, steps_per_epoch
from pga.runtime.cuda_graph import Recording
from pga.runtime.errors import UserError
from pga.runtime.seeds import derive, generator
from pga.training.optimisers import OPTIMISERS
from pga.training.weights import build_run, load_network

LOGS = 200
"""Rows of the history of a run, at most."""
RUNAWAY_LOG = 15.0
"""A mean log-ratio beyond this is a collapse of h (healthy runs stay within a few units)."""
RUNAWAY = 1e6
"""No other term of a healthy run comes near this."""

CAUSES = {
    "scaled_latent_error": "; it is divided by the codes' mean square, which is near zero when all images of a batch are alike",
    "log_volume": "; it is the logarithm of a change of h, which is zero when h gives all codes alike",
}
"""What else a term may run away from."""


class Diverged(UserError):
    """The loss became non-finite or ran away."""


class Trainer:
    """Networks, optimiser and randomness of one run, advanced step by step.

    Args:
        run: what to train.
        images: (N, S, S, C) uint8.
        device: where.
    """

    def __init__(self, run: Run, images: Images, device: torch.device):
        self.run, self.device = run, device
        self.dtype = getattr(torch, run.dtype)
        training, held_out = run.split(len(images))
        self.images, self.validation = (  # uint8, (N, C, S, S), stays on the device
            torch.from_numpy(images[part].transpose(0, 3, 1, 2).copy()).to(device) for part in (training, held_out)
        )
        if not len(self.images) or len(self.validation) < run.validation_images:
            raise UserError(
                f"{run.dataset} has {len(images)} images; train_images {run.train_images} and "
                f"validation_images {run.validation_images} need more"
            )
        encoder, decoder = build_run(run, derive(run.seed, "weights"))
        self.encoder, self.decoder = encoder.to(device, self.dtype), decoder.to(device, self.dtype)
        for images_of in filter(len, (self.images, self.validation)):
            check_batch(min(len(images_of), run.batch_size), run)
        check_shape(self.images, self.decoder, run)
        parameters = [*self.encoder.parameters(), *self.decoder.parameters()]
        self.optimiser = OPTIMISERS[run.optimiser](parameters, run)
        self.noise = generator(device, run.seed, "noise")
        self.weights = weights(run.model, run.coefficients)
        self.total_steps = run.total_steps(len(self.images))
        self.log_every = max(1, self.total_steps // LOGS)
        self.step = 0
        self.order_epoch, self.order = -1, torch.empty(0, dtype=torch.int64)
        self.sums = {term: torch.zeros((), dtype=torch.float64, device=device) for term in self.weights}
        self.summed = 0
        self.now = torch.zeros(min(run.batch_size, len(self.images)), dtype=torch.int64, device=device)  # where the step's images are
        self.recording = Recording(device.type == "cuda" and run.graph == "auto")
        self.history: list[dict[str, float | None]] = []
        self.best: dict[str, Tensor] = {}
        self.best_loss, self.best_epoch = math.inf, 0
        self.plateau_loss, self.waited = math.inf, 0

    def places(self) -> Tensor:
        """Where the images of the current step are, (B,): a new uniform permutation each epoch, the incomplete batch dropped."""
        size = self.run.batch_size
        epoch, position = divmod(self.step, steps_per_epoch(len(self.images), size))
        if epoch != self.order_epoch:
            order = torch.randperm(len(self.images), generator=generator("cpu", self.run.seed, "order", epoch))
            self.order_epoch, self.order = epoch, order.to(self.device)
        return self.order[position * size : (position + 1) * size]

    def batch(self) -> Tensor:
        """Images of the current step, (B, C, S, S), in the network's range."""
        return self.scaled(self.images[self.places()])

    def scaled(self, images: Tensor) -> Tensor:
        """uint8 → the network's range."""
        return images.to(self.dtype) / 255.0 if unit_range(self.run.network) else images.to(self.dtype) / 127.5 - 1.0

    def values(self, x: Tensor, noise: Noise, corrupted: Tensor | None = None, shared: bool = False) -> Values:
        """What the terms read, for one batch; the encoder sees `corrupted` where it is given."""
        run = self.run
        return Values(self.encoder, self.decoder, x, noise, run.delta, run.epsilon, run.constant_sigma, corrupted, shared, run.precision)

    def corrupted(self, x: Tensor) -> Tensor | None:
        """The encoder's input with noise, which is clipped at one standard deviation as in the code of Ghosh et al.; None without any."""
        if not self.run.input_noise:
            return None
        drawn = torch.randn(x.shape, generator=self.noise, device=x.device, dtype=x.dtype)
        return x + self.run.input_noise * drawn.clamp(-1.0, 1.0)

    def update(self, places: Tensor, on: tuple[str, ...]) -> tuple[Values, dict[str, Tensor]]:
        """One update of both networks by the terms `on`, from gradients of the same forward values; all on the device."""
        x = self.scaled(self.images[places])
        noise = draw_noise(len(x), self.run.latent_dim, self.noise, self.dtype)
        values = self.values(x, noise, self.corrupted(x), shares(on))
        terms = {term: term_value(term, values) for term in on}
        self.optimiser.forget()
        backward({term: self.weights[term] * value for term, value in terms.items()}, values)
        self.optimiser.step()
        for term, value in terms.items():
            self.sums[term] += value.detach()
        return values, terms

    def changing(self) -> list[Tensor]:
        """Every tensor that `update` changes."""
        networks = [tensor for network in (self.encoder, self.decoder) for tensor in (*network.parameters(), *network.buffers())]
        return [*networks, *(tensor for buffers in self.optimiser.state for tensor in buffers.values()), *self.sums.values()]

    def advance(self) -> None:
        """One step: an update, recorded as a CUDA graph on a GPU, and what is written down of it."""
        on = tuple(filter(self.active, self.weights))
        self.now.copy_(self.places())
        held = (on, self.optimiser.lr)
        values, terms = self.recording.run(lambda: self.update(self.now, on), held, self.noise, self.changing)
        self.step += 1
        self.summed += 1
        if self.step % self.log_every == 0 or self.step == self.total_steps:
            self.log(values, on)
        elif self.device.type == "cpu":  # on a GPU looking at every value would stall it; there the log's own check serves
            self.check({term: float(value.detach()) for term, value in terms.items()})

        if len(self.validation) and self.step % steps_per_epoch(len(self.images), self.run.batch_size) == 0:
            self.validate()

    def active(self, term: str) -> bool:
        """Whether a term is switched on at this step."""
        return active(term, self.weights[term], self.step, self.run.warmup_steps)

    def validate(self) -> None:
        """After an epoch: the validation loss, the best weights so far, and the learning rate's schedule.

        Raises:
            Diverged: the loss is not finite. Of a term that the warm-up leaves out that is no fault: then the epoch does not count.
        """
        noise = generator(self.device, self.run.seed, "validation")  # the same noise after every epoch
        self.encoder.eval(), self.decoder.eval()
        sums = {term: 0.0 for term, weight in self.weights.items() if weight}
        with torch.no_grad():
            for index, count in full_batches(len(self.validation), min(self.run.batch_size, len(self.validation))):
                x = self.scaled(self.validation[torch.from_numpy(index).to(self.device)])
                values = self.values(x, draw_noise(len(x), self.run.latent_dim, noise, self.dtype))
                for term in sums:
                    sums[term] += count * float(term_value(term, values))
        self.encoder.train(), self.decoder.train()
        means = {term: total / len(self.validation) for term, total in sums.items()}
        loss = sum(self.weights[term] * value for term, value in means.items())
        if not math.isfinite(loss):
            self.check({term: value for term, value in means.items() if self.active(term)}, " on the validation images")
            return
        if loss < self.best_loss:
            self.best_loss, self.best_epoch = loss, self.step
            if self.run.selection == "best_validation":
                self.best = {name: tensor.clone() for name, tensor in self.tensors().items()}
        self.waited += 1
        if loss < self.plateau_loss - self.run.lr_min_delta:  # the schedule asks for more than the selection, as Keras's does
            self.plateau_loss, self.waited = loss, 0
        if self.run.lr_patience is not None and self.waited >= self.run.lr_patience:
            self.optimiser.lr *= 0.5
            self.waited = 0

    def result(self) -> dict[str, Tensor]:
        """The weights which the run is judged by: the last, or the best on the validation images."""
        return self.best or self.tensors()

    def log(self, values: Values, on: tuple[str, ...]) -> None:
        """Append a row: the mean since the last row of each term in use, this batch's value (None if not finite) of each that is not."""
        values, row = values.fresh(), dict[str, float | None]()
        means = {term: float(self.sums[term]) / self.summed for term in on}
        for term in self.weights:
            if term in on:
                row[term] = means[term]
            else:
                with torch.no_grad():
                    value = float(term_value(term, values))
                row[term] = value if math.isfinite(value) else None
            self.sums[term].zero_()
        self.summed = 0
        self.check(means)
        tensors = {term: torch.tensor(value) for term, value in means.items()}
        encoder_loss, decoder_loss = network_losses(tensors, self.weights)
        self.history.append({"step": self.step, **row, "encoder_loss": encoder_loss, "decoder_loss": decoder_loss})

    def check(self, terms: dict[str, float], where: str = "") -> None:
        """Refuse to go on with a non-finite or runaway loss.

        Args:
            terms: values by name.
            where: of which images, if not of the step's, for the message.

        Raises:
            Diverged: with the step, the term and what to do.
        """
        for term, value in terms.items():
            limit = RUNAWAY_LOG if TERMS[term].loss == "log_volume" else RUNAWAY
            if not math.isfinite(value) or abs(value) > limit:
                raise Diverged(
                    f"{self.run.dataset}/{self.run.name}, seed {self.run.seed}, stopped at step {self.step}: term {term} "
                    f"({TERMS[term].meaning}) is {value:.4g}{where}, accepted are finite values up to {limit:g}. A longer warmup_steps "
                    f"(now {self.run.warmup_steps}), a smaller learning_rate (now {self.run.learning_rate:g}) or smaller coefficients help"
                    f"{CAUSES.get(TERMS[term].loss, '')}"
                )

    def tensors(self) -> dict[str, Tensor]:
        """The trained weights."""
        return {
            f"{name}.{key}": value
            for name, network in (("encoder", self.encoder), ("decoder", self.decoder))
            for key, value in network.state_dict().items()
        }

    def decoder_tensors(self) -> dict[str, Tensor]:
        """The decoder's weights, for a snapshot."""
        return {f"decoder.{key}": value for key, value in self.decoder.state_dict().items()}

    def state(self) -> tuple[dict[str, Tensor], dict[str, Any]]:
        """Everything that the next step depends on, as tensors and a JSON record.

        Raises:
            Diverged: a weight is not finite, so that a bad state never replaces a good one on disk.
        """
        tensors = self.tensors()
        bad = [name for name, tensor in tensors.items() if not bool(torch.isfinite(tensor).all())]
        if bad:
            raise Diverged(
                f"{self.run.dataset}/{self.run.name}, seed {self.run.seed}, stopped at step {self.step}: {bad[0]} is not finite; "
                f"a smaller learning_rate (now {self.run.learning_rate:g}) helps"
            )
        tensors |= {f"optimiser.{number}.{key}": buffer for number, own in enumerate(self.optimiser.state) for key, buffer in own.items()}
        tensors |= {f"best.{name}": tensor for name, tensor in self.best.items()}
        tensors["noise"] = self.noise.get_state()
        tensors |= {f"sum.{term}": value for term, value in self.sums.items()}
        schedule: dict[str, float | None] = {"lr": self.optimiser.lr, "best_epoch": self.best_epoch, "waited": self.waited}
        for name, loss in (("best_loss", self.best_loss), ("plateau_loss", self.plateau_loss)):
            schedule[name] = None if math.isinf(loss) else loss  # JSON has no infinity
        return tensors, {"step": self.step, "summed": self.summed, "history": self.history, **schedule}

    def restore(self, tensors: dict[str, Tensor], record: dict[str, Any]) -> None:
        """Continue from what `state` returned."""
        load_network(self.encoder, "encoder", tensors)
        load_network(self.decoder, "decoder", tensors)
        for name, tensor in tensors.items():
            kind, _, rest = name.partition(".")
            if kind == "optimiser":
                number, key = rest.split(".")
                self.optimiser.state[int(number)][key].copy_(tensor)
            elif kind == "best":
                self.best[rest] = tensor.to(self.device)
        self.optimiser.lr = record["lr"]
        self.best_epoch, self.waited = record["best_epoch"], record["waited"]
        self.best_loss, self.plateau_loss = (math.inf if record[name] is None else record[name] for name in ("best_loss", "plateau_loss"))
        self.noise.set_state(tensors["noise"])
        for term, total in self.sums.items():
            total.copy_(tensors[f"sum.{term}"])
        self.step, self.summed, self.history = record["step"], record["summed"], record["history"]


def check_batch(n_images: int, run: Run) -> None:
    """Refuse batches of one image where a batch is compared with itself.

    Raises:
        UserError: names what needs more.
    """
    needs = [name for name, there in (("batch normalisation", run.batch_norm), ("the discrepancy of codes", run.model == "wae")) if there]
    if n_images < 2 and needs:
        raise UserError(f"{run.dataset}/{run.name}: batches of {n_images} image (batch_size {run.batch_size}); {needs[0]} needs at least 2")


def check_shape(images: Tensor, decoder: nn.Module, run: Run) -> None:
    """Refuse images that the network is not made for.

    Raises:
        UserError: names both shapes.
    """
    with torch.no_grad():
        probe = torch.zeros(2, run.latent_dim, device=images.device, dtype=next(decoder.parameters()).dtype)
        made = tuple(decoder.eval()(probe).shape[1:])  # in training mode running averages would see the probe
        decoder.train()
    if made != tuple(images.shape[1:]):
        raise UserError(
            f"network {run.network} makes images of (channels, height, width) {made}; {run.dataset} has {tuple(images.shape[1:])}"
        )
