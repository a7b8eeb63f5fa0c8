"""A small classifier, trained in the workflow, whose penultimate layer is a feature space where Inception's is not at hand.

Distances in it are called "classifier Fréchet distance" everywhere, never FID.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from pga.data.pixels import batch_to_network
from pga.data.prepared import Images
from pga.evaluation.metrics_record import ClassifierRecord
from pga.fingerprints.steps import classifier_code
from pga.metrics.moments import Features
from pga.runtime import devices
from pga.runtime.checkpoint import load_tensors, save_tensors
from pga.runtime.errors import UserError
from pga.runtime.progress import Progress
from pga.runtime.seeds import derive, generator

Labels = npt.NDArray[np.int64]


@dataclass(frozen=True)
class Recipe:
    """How the classifier of one image size is built and trained.

    Attributes:
        widths: channels of each 3×3 convolution, each followed by 2×2 max pooling.
        features: dimension of the feature layer.
        epochs: passes over the training images, at least; of one's own data as many as make `SEEN` images, at most 100.
        accuracy: test accuracy below which the feature space is not used; None where the data set's entry must say it.
    """

    widths: tuple[int, ...]
    features: int
    epochs: int | None
    accuracy: float | None


RECIPES: dict[tuple[int, int], Recipe] = {
    (8, 1): Recipe(widths=(32,), features=64, epochs=40, accuracy=0.96),
    (28, 1): Recipe(widths=(16, 32), features=128, epochs=3, accuracy=0.985),
    (32, 1): Recipe(widths=(16, 32), features=128, epochs=3, accuracy=0.985),
    (32, 3): Recipe(widths=(32, 64, 128), features=256, epochs=8, accuracy=0.70),
}
"""By (size, channels) of the images; `recipe_for` has one for all others."""

SEEN = 200_000
"""Images, each as often as it is seen, after which a classifier of one's own data is trained."""

BATCH = 64
LEARNING_RATE = 1e-3


class Classifier(nn.Module):
    """Convolutions, one feature layer with ReLU, one linear layer of class scores."""

    def __init__(self, size: int, channels: int, classes: int, recipe: Recipe):
        super().__init__()
        layers: list[nn.Module] = []
        inputs = channels
        for width in recipe.widths:
            layers += [nn.Conv2d(inputs, width, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2)]
            inputs, size = width, size // 2
        self.body = nn.Sequential(*layers, nn.Flatten(), nn.Linear(inputs * size**2, recipe.features), nn.ReLU())
        self.scores = nn.Linear(recipe.features, classes)

    def forward(self, x: Tensor) -> Tensor:
        """(B, C, S, S) in [-1, 1] → (B, classes)."""
        return self.scores(self.body(x))


def as_input(images: Images) -> Tensor:
    """(B, H, W, C) uint8 → (B, C, H, W) in [-1, 1]."""
    return batch_to_network(images, False, torch.float32, torch.device("cpu"))


def recipe_for(size: int, channels: int) -> Recipe:
    """The recipe for images of this shape; where none was tried, poolings down to a side of 4 to 7 and few features, for few images."""
    poolings = max(1, int(math.log2(max(size, 1) / 4)))
    general = Recipe(tuple(min(32 * 2**k, 128) for k in range(poolings)), features=64, epochs=None, accuracy=None)
    return RECIPES.get((size, channels), general)


def train_classifier(
    train: tuple[Images, Labels],
    test: tuple[Images, Labels],
    path: Path,
    data_sha256: str,
    seed: int = 0,
    required: float | None = None,
    code: str | None = None,
) -> None:
    """Train on `train`, measure on `test`, write the weights with what was measured to `path` and print it. Deterministic on a CPU.

    Args:
        train: images (N, S, S, C) uint8 and labels (N,) from 0.
        test: the same of the test images.
        path: of the weights.
        data_sha256: of the training images, for the record.
        seed: of weights and order.
        required: test accuracy below which the features are not used, of one's own data (default: the recipe's).
        code: fingerprint of the step that trains it (default: that of the code of now).

    Raises:
        UserError: the labels are of fewer than two classes, or nobody says which accuracy is required.
    """
    for split, (_, found) in (("training", train), ("test", test)):
        if len(np.unique(found)) < 2:
            raise UserError(f"the {split} images are of one class ({found[0]}): a classifier of them learns nothing, and has no features")
    devices.make_deterministic(threads=1)
    images, labels = np.ascontiguousarray(train[0]), torch.from_numpy(train[1])
    recipe = recipe_for(images.shape[1], images.shape[-1])
    epochs = recipe.epochs if required is None else max(recipe.epochs or 3, min(round(SEEN / len(images)), 100))
    required = required or recipe.accuracy
    if required is None or epochs is None:
        raise UserError(f"no accuracy is known that a classifier of images {images.shape[1:]} must reach; say which is required")
    with torch.random.fork_rng(devices=[]):
        torch.default_generator.manual_seed(derive(seed, "classifier"))
        model = Classifier(images.shape[1], images.shape[-1], int(labels.max()) + 1, recipe)
    optimiser = torch.optim.Adam(model.parameters(), lr=LEARNING_RATE)
    with Progress(epochs, "classifier", "epoch") as progress:
        for epoch in range(epochs):
            for group in optimiser.param_groups:  # straight to zero: no constant to tune
                group["lr"] = LEARNING_RATE * (1 - epoch / epochs)
            order = torch.randperm(len(images), generator=generator("cpu", seed, "classifier order", epoch)).numpy()
            for start in range(0, len(order), BATCH):
                chosen = order[start : start + BATCH]
                loss = F.cross_entropy(model(as_input(images[chosen])), labels[chosen])
                optimiser.zero_grad()
                loss.backward()
                optimiser.step()
            progress.advance(loss=float(loss.detach()))
    reached = accuracy(model, *test)
    record = {
        "size": images.shape[1],
        "channels": images.shape[-1],
        "classes": int(labels.max()) + 1,
        "accuracy": reached,
        "majority": float(np.bincount(test[1]).max() / len(test[1])),
        "required_accuracy": required,
        "features": recipe.features,
        "data_sha256": data_sha256,
    }
    save_tensors(path, model.state_dict(), record)
    ClassifierRecord(code=code or classifier_code(), data_sha256=data_sha256).write_beside([path])
    print(f"test accuracy {reached:.4f}, required {required}")


def accuracy(model: Classifier, images: Images, labels: Labels) -> float:
    """Fraction of images whose highest score is their label's."""
    with torch.inference_mode():
        found = np.concatenate([model(as_input(images[i : i + 500])).argmax(1).numpy() for i in range(0, len(images), 500)])
    return float((found == labels).mean())


class ClassifierFeatures:
    """The classifier's penultimate layer as a feature space (an `Extractor`).

    Raises:
        UserError: the weights are damaged, or of other code than there is now; or its test accuracy is below what its recipe requires or
            not above that of naming the most frequent class.
    """

    label = "classifier"

    def __init__(self, path: Path):
        if beside := ClassifierRecord.read_beside(path):
            beside.refuse_other_code(path)
        tensors, record = load_tensors(path)
        if "required_accuracy" not in record:
            raise UserError(f"{path}: not a classifier; `pga classifier` makes one")
        if record["accuracy"] < record["required_accuracy"]:
            raise UserError(
                f"{path}: test accuracy {record['accuracy']:.4f} is below the {record['required_accuracy']} "
                "that its features need to mean anything (of data of your own, `accuracy` in params/datasets.yaml)"
            )
        if record["accuracy"] <= record["majority"]:
            raise UserError(
                f"{path}: test accuracy {record['accuracy']:.4f} is no better than naming the most frequent class, "
                f"{record['majority']:.4f}: its features mean nothing"
            )
        self.digest: str = record["tensors"]
        self.accuracy: float | None = record["accuracy"]
        self.dim: int = record["features"]
        self.shape = (record["size"], record["size"], record["channels"])
        self.model = Classifier(record["size"], record["channels"], record["classes"], recipe_for(record["size"], record["channels"]))
        self.model.load_state_dict(tensors)

    def __call__(self, images: Images) -> Features:
        """(B, H, W, C) uint8 → (B, dim) float32."""
        if images.shape[1:] != self.shape:
            raise UserError(f"this classifier sees images of shape {self.shape}, found {images.shape[1:]}")
        with torch.inference_mode():
            features: Features = self.model.body(as_input(images)).numpy()
        return features
