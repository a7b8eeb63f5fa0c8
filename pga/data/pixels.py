"""Images as bytes, 0…255, and as a network's tensors, in [-1, 1] or [0, 1]: the one place where one becomes the other."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from pga.data.prepared import Images


def to_network(x: Tensor, unit: bool, dtype: torch.dtype) -> Tensor:
    """uint8 of any shape → [-1, 1], or [0, 1] if `unit`."""
    return x.to(dtype) / 255.0 if unit else x.to(dtype) / 127.5 - 1.0


def batch_to_network(images: Images, unit: bool, dtype: torch.dtype, device: torch.device) -> Tensor:
    """(B, H, W, C) uint8 → (B, C, H, W) on `device`, in the network's range."""
    return to_network(torch.from_numpy(np.array(images.transpose(0, 3, 1, 2), order="C")).to(device), unit, dtype)


def truncate_to_uint8(x: Tensor, unit: bool = False) -> Images:
    """(B, C, H, W) in [-1, 1], or [0, 1] if `unit` → (B, H, W, C) uint8 of 0…255, by truncation as in the released code."""
    images: Images = ((x if unit else (x + 1) / 2) * 255).to(torch.uint8).permute(0, 2, 3, 1).cpu().numpy()
    return images
