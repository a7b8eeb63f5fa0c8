"""The handwritten digits that come with scikit-learn."""

from __future__ import annotations

from typing import Literal

import numpy as np

from pga.data.kind import Context, Kind, Prepared


class Digits(Kind):
    """The 1,797 handwritten 8×8 digits that come with scikit-learn, 0…16 scaled to 0…255; every fifth is a test image."""

    kind: Literal["digits"]
    source: None = None
    labelled: Literal[True] = True

    @property
    def shape(self) -> tuple[int, int]:
        """Side and channels of the prepared images."""
        return (8, 1)

    def prepare(self, context: Context) -> Prepared:
        """Take them from the installed package."""
        from sklearn.datasets import load_digits

        bunch = load_digits()
        images = np.rint(bunch.images * 255 / 16).astype(np.uint8)[..., None]
        labels = bunch.target.astype(np.int64)
        is_test = np.arange(len(images)) % 5 == 0
        return Prepared(images[~is_test], images[is_test], (labels[~is_test], labels[is_test]))
