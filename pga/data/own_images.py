"""Images of the user's own, whatever they lie in: which are usable, how each becomes a square of one size, which are test images."""

from __future__ import annotations

import contextlib
import io
import os
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Annotated, Any, Literal

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageOps
from pydantic import Field, model_validator

from pga.data.decode import BadImage, decode_all, listing, remove
from pga.data.kind import Context, Images, Kind, Labels, Prepared
from pga.params.base import Count
from pga.runtime.errors import UserError

GREY, COLOUR = {"1", "L", "LA"}, {"RGB", "RGBA", "P", "PA", "CMYK", "YCbCr", "HSV"}
LARGEST = 512 << 20
"""Bytes that an image file may have."""
ADDRESS = r"<[^<>]* at 0x[0-9a-f]+>"
"""An object in Pillow's messages, which would differ from call to call in the record."""


class OwnImages(Kind):
    """What all kinds of one's own data have in common; with `labelled: true` each image has a label."""

    source: None = None
    crop: Count | None = Field(None, description="side of the centre crop; by default the largest square")
    size: Count | None = Field(description="side after an antialiased resize")
    channels: Literal[1, 3] | None = Field(3, description="1 grey, 3 colour")
    convert: bool = Field(False, description="convert grey images to colour (or the reverse) instead of counting them as bad")
    test_fraction: Annotated[float, Field(gt=0, le=0.5)] = Field(0.1, description="share of test images, evenly spaced")
    on_bad: Literal["fail", "skip"] = Field("fail", description="what to do with images that cannot be used: stop, or list and leave out")
    min_size: Count = Field(8, description="pixels that the shorter side must have")
    max_pixels: Count = Field(89_478_485, description="pixels that an image may have; more need memory (the default is Pillow's)")
    accuracy: Annotated[float, Field(gt=0, lt=1)] | None = Field(
        None, description="where labelled: test accuracy that the classifier must reach before distances in its features count"
    )

    @model_validator(mode="after")
    def _labels_are_for_a_classifier(self) -> OwnImages:
        if self.labelled and self.accuracy is None:
            raise ValueError(
                "labelled: true needs `accuracy`, the test accuracy (0.9, say) that a classifier of the labels must reach before distances "
                "in its features count"
            )
        return self

    @property
    def shape(self) -> tuple[int, int] | None:
        """Side and channels of the prepared images, where the entry says them."""
        return (self.size, self.channels) if self.size and self.channels else None

    def fitting(self) -> dict[str, Any]:
        """The arguments of `fit`."""
        return self.model_dump(include={"crop", "size", "channels", "convert", "min_size", "max_pixels"})

    def gather(
        self,
        context: Context,
        where: str,
        names: Sequence[str],
        contents: Callable[[Sequence[str]], Iterable[tuple[str, bytes]]],
        decode: Callable[[bytes], Images],
        labels: Mapping[str, object] | None = None,
        classes: Sequence[str] | None = None,
        test: Sequence[str] | None = None,
    ) -> Prepared:
        """Decode all images and divide them.

        Args:
            context: of the preparation.
            where: the images lie, for messages.
            names: of the images, in the order that they are to have.
            contents: yields (name, bytes) of some of them.
            decode: bytes → (size, size, channels); raises BadImage.
            labels: name → label where the data are labelled; an image without one is bad.
            classes: names of the labels, if these are numbers from 0; by default the labels found, sorted.
            test: names of the test images; by default `test_fraction` of the usable ones, evenly spaced, of labelled ones label by label.

        Raises:
            UserError: images cannot be used and `on_bad` is fail; too few are left, or they are of one class.
        """
        context.alone()
        if odd := next(((name, label) for name, label in (labels or {}).items() if isinstance(label, list | dict)), None):
            raise UserError(f"{where}: the label of {odd[0]} is {odd[1]!r}; accepted is one whole number or text for each image")
        bad = [] if labels is None else [(name, "it has no label") for name in names if labels.get(name) is None]
        wanted = [name for name in names if labels is None or labels.get(name) is not None]
        shape = (self.size or 0, self.size or 0, self.channels or 0)
        images, undecoded = decode_all(wanted, contents, decode, shape, context.part, context.recipe, context.processes, context.name)
        left_out = {name for name, _ in undecoded}
        bad = [(printable(name), reason) for name, reason in (*bad, *undecoded)]
        if bad and self.on_bad == "fail":
            remove(context.part)
            raise UserError(
                f"{where}: {len(bad)} of {len(names)} images cannot be used:\n{listing(bad)}\n"
                f"Mend or remove them, or set `on_bad: skip` for {context.name} in params/datasets.yaml to leave them out"
            )
        usable = [name for name in wanted if name not in left_out]
        notes: dict[str, Any] = {"images": len(names), "skipped": [{"file": name, "reason": reason} for name, reason in bad]}
        coded = np.zeros(len(usable), np.int64)
        if labels is not None:
            coded, notes["classes"] = code([labels[name] for name in usable], classes)
        if test is None:
            is_test = np.zeros(len(usable), bool)
            taken = np.floor(np.arange(len(usable) + 1) * self.test_fraction + 1e-9)  # so many of the first 0, 1, 2, …
            is_test[np.argsort(coded, kind="stable")[np.diff(taken) > 0]] = True  # label by label, so that each has its share
        else:
            is_test = np.isin(usable, list(test))
        if is_test.sum() < 2 or len(usable) - is_test.sum() < 2:
            how = f"test_fraction {self.test_fraction}" if test is None else "the split of test images"
            raise UserError(
                f"{where}: {len(usable)} usable images give {len(usable) - is_test.sum()} for training and {is_test.sum()} for test "
                f"({how}); at least 2 of each are needed"
            )
        if labels is not None and len(np.unique(coded)) < 2:
            raise UserError(f"{where}: all {len(usable)} usable images have the label {notes['classes'][coded[0]]}; labels are two or more")
        divided = None if labels is None else (coded[~is_test], coded[is_test])
        return Prepared(images.take(np.flatnonzero(~is_test)), images.take(np.flatnonzero(is_test)), divided, notes)


def code(labels: Sequence[Any], classes: Sequence[str] | None) -> tuple[Labels, list[str]]:
    """Labels as numbers from 0, and the name of each number: `classes`, or the labels that there are, sorted."""
    if classes is not None:
        return np.array(labels, np.int64), list(classes)
    found = sorted(set(labels))
    number = {label: index for index, label in enumerate(found)}
    return np.array([number[label] for label in labels], np.int64), [str(label) for label in found]


def printable(name: str) -> str:
    """A file's name as text: a byte that is not UTF-8 stands as its hexadecimal escape."""
    return os.fsencode(name).decode("utf-8", "backslashreplace")


def decode_file(content: bytes, max_pixels: int, **fitting: Any) -> Images:
    """An image file → (size, size, channels), upright as its EXIF says; of several frames the first. The rest as `fit`.

    Raises:
        BadImage: it is unreadable, truncated or too large, or `fit` raises.
    """
    if not content:
        raise BadImage("it is empty, or cannot be read")
    if len(content) > LARGEST:
        raise BadImage(f"too large: more than {LARGEST:,} bytes")
    try:
        with any_number_of_pixels(), Image.open(io.BytesIO(content)) as opened:
            refuse_large(opened, max_pixels)
            opened.load()
            image = ImageOps.exif_transpose(opened)
    except BadImage:
        raise
    except Exception as error:  # on damaged files Pillow's readers raise whatever they run into, struct.error and RuntimeError among it
        reason = (str(error) or type(error).__name__).splitlines()[0]
        raise BadImage(f"not a complete image ({re.sub(ADDRESS, 'its content', reason)})") from error
    return fit(image, max_pixels=max_pixels, **fitting)


def refuse_large(image: Image.Image, max_pixels: int) -> None:
    """Raise BadImage if an image has more pixels than it may."""
    if (pixels := image.width * image.height) > max_pixels:
        raise BadImage(f"too large: {pixels:,} pixels, accepted {max_pixels:,}; `max_pixels` sets it")


@contextlib.contextmanager
def any_number_of_pixels() -> Iterator[None]:
    """Within the block Pillow opens and crops images of any size; by itself it has a limit that is no parameter."""
    before, Image.MAX_IMAGE_PIXELS = Image.MAX_IMAGE_PIXELS, None
    try:
        yield
    finally:
        Image.MAX_IMAGE_PIXELS = before


@any_number_of_pixels()
def fit(
    image: Image.Image, crop: int | None, size: int, channels: int, convert: bool, min_size: int, max_pixels: int
) -> npt.NDArray[np.uint8]:
    """An image → (size, size, channels): centre crop, antialiased resize; transparency becomes white.

    Raises:
        BadImage: it is too small or too large, has a mode of more than 8 bits, or is grey where colour is wanted (or the reverse) and
            `convert` is off.
    """
    refuse_large(image, max_pixels)
    if image.mode not in GREY | COLOUR:
        raise BadImage(f"its mode {image.mode} is not 8 bits per channel")
    if min(image.size) < max(min_size, crop or 0):
        raise BadImage(f"{image.size[0]}×{image.size[1]}, the shorter side must have {max(min_size, crop or 0)} pixels")
    if (image.mode in GREY) != (channels == 1) and not convert:
        raise BadImage(f"it is {'grey' if image.mode in GREY else 'colour'}; set `convert: true` to convert it to {channels} channel(s)")
    if "A" in image.getbands() or "transparency" in image.info:
        image = image.convert("RGBA")
        image = Image.alpha_composite(Image.new("RGBA", image.size, "white"), image)
    image = image.convert("L" if channels == 1 else "RGB")
    side = crop or min(image.size)
    left, top = (image.size[0] - side) // 2, (image.size[1] - side) // 2
    cropped = image.crop((left, top, left + side, top + side))  # first, so that nothing beyond the crop flows in
    return np.asarray(cropped.resize((size, size), Image.Resampling.BICUBIC)).reshape(size, size, channels)
