"""DINOv2's class token: the feature space in which Stein et al. (NeurIPS 2023) found Fréchet distances to follow people's judgement.

Its distance is FD-DINOv2, never FID. The networks are timm's (an extra, `pip install 'pga[dinov2]'`), the weights timm's conversions of
Oquab et al. (2023).
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
from PIL import Image
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor, nn

from pga.data.prepared import Images
from pga.metrics.moments import Features
from pga.runtime import devices
from pga.runtime.errors import UserError
from pga.runtime.files import sha256
from pga.runtime.precision import tf32

SIZE = 224
"""Side of the images that the network sees, as in Stein et al.: 16×16 patches of 14×14 pixels."""
NETWORKS = {"vitl14": "vit_large_patch14_dinov2.lvd142m", "vits14": "vit_small_patch14_dinov2.lvd142m"}
"""timm's name of each network; Stein et al. take the large one."""
MEAN, DEVIATION = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
"""Of ImageNet's channels, in [0, 1], with which DINOv2 was trained."""


def network(variant: str) -> nn.Module:
    """A vision transformer without weights: (B, 3, 224, 224) → (B, d), its class token after the last normalisation.

    Raises:
        UserError: timm is not installed.
    """
    try:
        import timm
    except ImportError as error:
        raise UserError("features of DINOv2 need timm; install it by `pip install 'pga[dinov2]'`") from error
    model: nn.Module = timm.create_model(NETWORKS[variant], pretrained=False, num_classes=0, dynamic_img_size=True)
    return model


def load_dinov2(path: Path, variant: str) -> nn.Module:
    """The network with its weights, ready to give features.

    Args:
        path: model.safetensors, which `pga fetch` verifies when it brings it.
        variant: key of `NETWORKS`.

    Raises:
        UserError: the file is absent, damaged or of another network.
    """
    if not path.exists():
        raise UserError(f"{path}: no such file; `pga fetch {path.parent.name}` brings it")
    model = network(variant)
    try:
        model.load_state_dict(load_file(path))
    except (SafetensorError, RuntimeError) as error:
        raise UserError(
            f"{path}: not the weights of {NETWORKS[variant]} ({str(error).splitlines()[0]}); delete it and fetch again"
        ) from error
    return model.eval().requires_grad_(False)


def resize(images: Images) -> Tensor:
    """(B, H, W, 1 or 3) uint8 → (B, 3, 224, 224) float32, by Pillow's bicubic, in units of ImageNet's mean and deviation."""
    colour = np.broadcast_to(images, (*images.shape[:3], 3))
    resized = np.stack([np.asarray(Image.fromarray(image).resize((SIZE, SIZE), Image.Resampling.BICUBIC)) for image in colour])
    mean, deviation = (torch.tensor(values).view(3, 1, 1) for values in (MEAN, DEVIATION))
    return (torch.from_numpy(resized).permute(0, 3, 1, 2) / 255.0 - mean) / deviation


class Dinov2Features:
    """The class token as a feature space (an `Extractor`); grey images are repeated to three channels. Computed in float32 without TF32.

    Args:
        path: the network's weights.
        variant: key of `NETWORKS`.
        device: as for training.

    Raises:
        UserError: as `load_dinov2`.
    """

    accuracy: float | None = None

    def __init__(self, path: Path, variant: str, device: str = "auto"):
        self.label = f"dinov2-{variant}"
        self.device = devices.choose(device)
        self.model = load_dinov2(path, variant).to(self.device)
        self.dim = int(self.model.num_features)  # type: ignore[arg-type]
        self.digest = sha256(path)

    def __call__(self, images: Images) -> Features:
        """(B, H, W, 1 or 3) uint8 → (B, dim) float32."""
        with torch.inference_mode(), tf32(False):
            features: Features = self.model(resize(images).to(self.device)).cpu().numpy()
        return features.astype(np.float32, copy=False)
