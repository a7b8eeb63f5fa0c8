"""Inception of 2015-12-05, pool3: the feature space by which FID is defined (Heusel et al. 2017), as pytorch-fid ported its weights."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
from pytorch_fid.inception import FIDInceptionA, FIDInceptionC, FIDInceptionE_1, FIDInceptionE_2
from torch import Tensor, nn
from torchvision.models import inception_v3

from pga.data.prepared import Images
from pga.data.tf1_resize import resize_matrix
from pga.metrics.moments import Features
from pga.runtime import devices
from pga.runtime.errors import UserError
from pga.runtime.files import sha256
from pga.runtime.precision import tf32

SIZE = 299


def network() -> nn.Module:
    """pytorch-fid's network without weights, up to pool3: (B, 3, 299, 299) → (B, 2048).

    Its own builder downloads weights that nobody verifies, so that its blocks are put together here.
    """
    inception = inception_v3(num_classes=1008, aux_logits=False, weights=None, init_weights=False, transform_input=False)
    inception.Mixed_5b = FIDInceptionA(192, pool_features=32)
    inception.Mixed_5c = FIDInceptionA(256, pool_features=64)
    inception.Mixed_5d = FIDInceptionA(288, pool_features=64)
    inception.Mixed_6b = FIDInceptionC(768, channels_7x7=128)
    inception.Mixed_6c = FIDInceptionC(768, channels_7x7=160)
    inception.Mixed_6d = FIDInceptionC(768, channels_7x7=160)
    inception.Mixed_6e = FIDInceptionC(768, channels_7x7=192)
    inception.Mixed_7b = FIDInceptionE_1(1280)
    inception.Mixed_7c = FIDInceptionE_2(2048)
    return inception


def load_inception(path: Path, pinned: str) -> nn.Module:
    """The network with its weights, ready to give features.

    Args:
        path: a state dictionary, which is a pickle: it is not opened unless its checksum agrees.
        pinned: SHA-256 or its first digits.

    Raises:
        UserError: the file is absent or is not the one that is pinned.
    """
    if not path.exists():
        raise UserError(f"{path}: no such file; `pga fetch inception` brings it, and FID cannot be had without it")
    found = sha256(path)
    if len(pinned) < 8 or not found.startswith(pinned):
        raise UserError(
            f"{path}: its SHA-256 is {found}, the one that is pinned begins with {pinned or '(nothing)'}; delete it and fetch again"
        )
    inception = network()
    inception.load_state_dict(torch.load(path, map_location="cpu", weights_only=True))
    inception.fc = nn.Identity()
    return inception.eval().requires_grad_(False)


def resize_as_tf1(x: Tensor) -> Tensor:
    """(B, 3, H, W) of 0…255 → (B, 3, 299, 299) in [-1, 1): TensorFlow 1's bilinear, then (v − 128) / 128, as inside its graph."""
    rows, columns = (torch.from_numpy(resize_matrix("bilinear", size, SIZE)).to(x) for size in x.shape[2:])
    return (rows @ x @ columns.T - 128.0) / 128.0


def resize_as_pytorch_fid(x: Tensor) -> Tensor:
    """(B, 3, H, W) of 0…255 → (B, 3, 299, 299) in [-1, 1]: PyTorch's bilinear with half-pixel centres."""
    resized = nn.functional.interpolate(x / 255.0, size=(SIZE, SIZE), mode="bilinear", align_corners=False)
    return 2.0 * resized - 1.0


RESIZES = {"tf1": resize_as_tf1, "pytorch_fid": resize_as_pytorch_fid}


class InceptionFeatures:
    """pool3 as a feature space (an `Extractor`); grey images are repeated to three channels. Computed in float32 without TF32.

    Args:
        path: pt_inception-2015-12-05-6726825d.pth.
        pinned: SHA-256 of that file or its first digits; the distance is called FID only for the official one.
        resize: "tf1", the released code's and the one by which FID is defined, or "pytorch_fid".
        device: as for training.

    Raises:
        UserError: the weights are not the ones that define FID.
    """

    dim = 2048
    accuracy: float | None = None

    def __init__(self, path: Path, pinned: str, resize: str, device: str = "auto"):
        self.label = f"inception-{resize}"
        self.resize = RESIZES[resize]
        self.device = devices.choose(device)
        self.model = load_inception(path, pinned).to(self.device)
        self.digest = sha256(path)

    def __call__(self, images: Images) -> Features:
        """(B, H, W, 1 or 3) uint8 → (B, 2048) float32."""
        with torch.inference_mode(), tf32(False):
            # A copy: torch warns of memory that is read-only, as a slice of a memory map is.
            x = torch.from_numpy(np.array(images)).to(self.device).permute(0, 3, 1, 2).float().expand(-1, 3, -1, -1)
            resized = self.resize(x).contiguous(memory_format=torch.channels_last)  # a CPU convolves it half as fast again
            features: Features = self.model(resized).cpu().numpy()
        return features.astype(np.float32, copy=False)
