"""The table of feature spaces: what the Fréchet distance in each is called, and whose weights it needs. Plain data without torch.

FID is the distance in Inception of 2015-12-05 and has no other bearer: with other weights, or in another space, it has another name.
"""

from __future__ import annotations

from dataclasses import dataclass

PIXELS = "pixels"
"""In the place of a feature space: the images themselves, which need neither labels nor weights."""
PIXEL_METRIC = "swd"
"""The headline where there is no feature space, a metric and its value."""
OFFICIAL = "6726825d"
"""First digits of the SHA-256 of the Inception weights of 2015-12-05, which are part of their file's name."""
INCEPTION_DIM = 2048


@dataclass(frozen=True)
class Distance:
    """The Fréchet distance in a feature space.

    Attributes:
        metric: its name in results.
        title: its name in heads and captions.
        prefix: what stands before the name of every other metric in this space, so that the space is always said.
        note: what a caption must say of it.
    """

    metric: str
    title: str
    prefix: str
    note: str = ""


@dataclass(frozen=True)
class FeatureSpace:
    """A row of the table.

    Attributes:
        words: how captions call it.
        source: row of `params/sources.yaml` that has its weights; None: they are trained here, from labels.
        dim: length of a feature vector; None where it depends on the images.
        distance: with the weights that define it.
        other: with other weights (tests); None where any weights bear the same name.
    """

    words: str
    source: str | None
    dim: int | None
    distance: Distance
    other: Distance | None = None


OTHER = "It is taken in the features of an Inception network with other weights than FID's: it is not FID. "
DINOV2 = "It is taken in the features of DINOv2: it is not FID, and not comparable with the paper's numbers. "
FEATURE_SPACES: dict[str, FeatureSpace] = {
    "classifier": FeatureSpace(
        words="the small classifier",
        source=None,
        dim=None,
        distance=Distance(
            "classifier_fd",
            "classifier Fréchet distance",
            "classifier_",
            "It is taken in the features of a small classifier trained here: it is not FID, and not comparable with the paper's numbers. ",
        ),
    ),
    "inception-tf1": FeatureSpace(  # the paper's own: TensorFlow 1's resize; its other metrics have plain names
        words="Inception",
        source="inception",
        dim=INCEPTION_DIM,
        distance=Distance("fid", "FID", ""),
        other=Distance("inception_fd", "Fréchet distance in other Inception features (not FID)", "inception_tf1_other_", OTHER),
    ),
    "inception-pytorch_fid": FeatureSpace(
        words="Inception",
        source="inception",
        dim=INCEPTION_DIM,
        distance=Distance(
            "fid_pytorch_fid",
            "FID (pytorch-fid's resize)",
            "inception_pytorch_fid_",
            "Images were resized by pytorch-fid's resize: compare with numbers of that tool, not with the paper's. ",
        ),
        other=Distance(
            "inception_fd_pytorch_fid",
            "Fréchet distance in other Inception features (not FID, pytorch-fid's resize)",
            "inception_pytorch_fid_other_",
            OTHER,
        ),
    ),
    "dinov2-vitl14": FeatureSpace(  # that of Stein et al. 2023
        words="DINOv2 (ViT-L/14)",
        source="dinov2_vitl14",
        dim=1024,
        distance=Distance("fd_dinov2", "FD-DINOv2 (ViT-L/14)", "dinov2_vitl14_", DINOV2),
    ),
    "dinov2-vits14": FeatureSpace(
        words="DINOv2 (ViT-S/14)",
        source="dinov2_vits14",
        dim=384,
        distance=Distance("fd_dinov2_vits14", "FD-DINOv2 (ViT-S/14)", "dinov2_vits14_", DINOV2),
    ),
}
DISTANCES = [distance for space in FEATURE_SPACES.values() for distance in (space.distance, space.other) if distance]
TITLES = {distance.metric: distance.title for distance in DISTANCES} | {PIXEL_METRIC: "sliced Wasserstein distance × 10³"}
"""Headline metric → how it is called in heads and captions."""
NOTES = {distance.metric: distance.note for distance in DISTANCES} | {
    PIXEL_METRIC: "It is the multi-scale sliced Wasserstein distance of Karras et al. (2018), taken on pixels: it is not FID. "
}
"""Headline metric → what a caption must say of it."""


def distance_in(label: str, official: bool) -> Distance:
    """The Fréchet distance in a feature space; `official`: its weights are those that define it."""
    space = FEATURE_SPACES[label]
    return space.distance if official or space.other is None else space.other


def prefix(label: str, official: bool) -> str:
    """What stands before the name of every metric but the Fréchet distance; nothing on pixels."""
    return "" if label == PIXELS else distance_in(label, official).prefix
