"""Draw images from a trained run: one uint8 array (n, height, width, channels), one picture of all, or one picture each."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pga.data.prepared import Images

EXAMPLE = "pga sample --run results/quick/digits/lpga/seed0 --out results/mine/samples.png --n 64"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Flags of `pga sample`."""
    parser.add_argument("--run", required=True, type=Path, help="folder of the trained run, or its model.safetensors")
    parser.add_argument(
        "--out", required=True, type=Path, help="FILE.npy for an array, FILE.png for one picture, a folder for one PNG each"
    )
    parser.add_argument("--n", default=5000, type=int, help="number of images (default: %(default)s, as in the paper)")
    parser.add_argument(
        "--batch-size", default=1000, type=int, help="images per batch; batch normalisation uses its statistics (default: 1000)"
    )
    parser.add_argument(
        "--density",
        default="normal",
        choices=("normal", "gaussian", "mixture"),
        help="law of the codes: N(0, I), or one Gaussian or a 10-component mixture fitted to the training codes (default: normal)",
    )
    parser.add_argument(
        "--batch-norm",
        default="batch",
        choices=("batch", "standing"),
        help="batch: statistics of the batch in hand, as in the paper; standing: fixed ones, estimated from many batches of prior codes"
        " (default: batch)",
    )
    parser.add_argument("--standing-batches", default=20, type=int, help="batches of the estimate (default: %(default)s)")
    parser.add_argument(
        "--data",
        default="data/processed",
        type=Path,
        help="folder of prepared data, for a fitted density and for reconstructions (default: %(default)s)",
    )
    parser.add_argument(
        "--reconstructions",
        type=Path,
        metavar="DIR",
        help="also write there what `pga reconstruct` does with the prepared test images, which is quicker than a command of its own",
    )
    parser.add_argument("--device", default="auto", help="auto, cpu, cuda or cuda:K (default: a GPU if there is one)")


def run(arguments: argparse.Namespace) -> None:
    """Sample."""
    from pga.data.prepared import load
    from pga.evaluation.of_files import measure_reconstructions
    from pga.fingerprints.steps import sampling_code
    from pga.runtime.errors import UserError
    from pga.sampling import density
    from pga.sampling.generated import id_of, save_samples
    from pga.sampling.sample import open_run, sample
    from pga.sampling.standing_statistics import standing

    if arguments.n < 1 or arguments.batch_size < 2:
        raise UserError(f"--n {arguments.n} --batch-size {arguments.batch_size}: accepted are n of at least 1 and batches of at least 2")
    if arguments.out.suffix not in (".npy", ".png", ""):
        raise UserError(f"--out {arguments.out}: accepted are a .npy file, a .png file, or a folder, whose name has no suffix")
    if arguments.batch_norm == "standing" and (arguments.density != "normal" or arguments.standing_batches < 1):
        raise UserError(
            f"--density {arguments.density} --standing-batches {arguments.standing_batches}: "
            "standing statistics are of at least one batch of codes from N(0, I); accepted is --density normal"
        )
    trained, encoder, decoder, device = open_run(arguments.run, arguments.device)
    code = arguments.planned_code or sampling_code(trained)
    if arguments.reconstructions:
        measure_reconstructions(trained, encoder, decoder, arguments.data, arguments.reconstructions, device, code)
    draw = None
    dtype = next(decoder.parameters()).dtype
    if arguments.batch_norm == "standing":
        codes_of_estimate = density.prior(trained, device, dtype, "standing statistics")
        decoder = standing(decoder, codes_of_estimate, arguments.standing_batches, arguments.batch_size)
    if arguments.density != "normal":
        codes = density.encode(encoder, load(arguments.data, trained.dataset)[0], trained, device)
        draw = density.fitted(arguments.density, codes, trained, device, dtype)
    images = sample(decoder, trained, arguments.n, arguments.batch_size, device, draw)
    if arguments.out.suffix == ".npy":
        save_samples(arguments.out, images, id_of(trained), code)
    else:
        save_pictures(arguments.out, images)


def save_pictures(out: Path, images: Images) -> None:
    """Write images (n, height, width, channels) as one PNG, in a square of rows and columns, or into a folder as one PNG each."""
    import math

    from PIL import Image

    from pga.artifacts.figures.sheet import grid, tile
    from pga.runtime.files import atomic

    if out.suffix:
        columns = math.ceil(math.sqrt(len(images)))
        pictures = {out: tile(grid(images, math.ceil(len(images) / columns), columns))}
    else:
        pictures = {out / f"{number:05d}.png": image for number, image in enumerate(images)}
    for path, pixels in pictures.items():
        with atomic(path) as file:
            Image.fromarray(pixels.squeeze(-1) if pixels.shape[-1] == 1 else pixels).save(file, "PNG")
