"""Pictures as the beginning of a world: whatever file it is, upright, without transparency, and cut to 16:9.

A file may have come from anywhere. What it holds counts, not what it is called, and its size is checked before anything
in it is unpacked.
"""

from __future__ import annotations

import io
import warnings
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageOps

from genie_lite.camera import FRAME_HEIGHT, FRAME_WIDTH
from genie_lite.checks import printable
from genie_lite.errors import ImageError

FORMATS = ("PNG", "JPEG", "WEBP", "BMP")
SMALLEST = 64
"""Pixels a side that a picture needs at least."""

LARGEST_FILE, LARGEST_AREA = 64 << 20, 64_000_000
"""Bytes and pixels."""

FRAMED_SMALLEST, FRAMED_LARGEST = (256, 144), (1280, 720)
"""Pixels of a framed picture: as many as the model looks at, and as many as it draws."""

_WANTED = f"use a PNG, JPEG or WebP file of at least {SMALLEST} x {SMALLEST} pixels"

Box = tuple[float, float, float, float]
"""Left, top, right, bottom in pixels."""


def read_picture(path: Path) -> NDArray[np.uint8]:
    """A picture file as uint8 RGB (H, W, 3), see `picture_from`. Raises ImageError, one line that says what to do."""
    try:
        if path.exists() and not path.is_file():
            raise ImageError(f"{path} is no file; {_WANTED}")
        with path.open("rb") as file:
            data = file.read(LARGEST_FILE + 1)
    except FileNotFoundError as error:
        raise ImageError(f"no picture at {path}; check the path") from error
    except (OSError, ValueError) as error:
        raise ImageError(f"{path} cannot be read ({getattr(error, 'strerror', None) or error}); {_WANTED}") from error
    return picture_from(data, str(path))


def picture_from(data: bytes, name: str) -> NDArray[np.uint8]:
    """The bytes of a picture file, turned upright as its EXIF data say: uint8 RGB (H, W, 3).

    Of an animation it is the first picture. Transparent parts take the mean colour of the rest, which adds nothing that
    the picture does not have. Sixteen bits become eight. Raises ImageError, with `name` in it.
    """
    try:
        if len(data) > LARGEST_FILE:
            raise ValueError(f"it has more than {LARGEST_FILE >> 20} MB")
        with warnings.catch_warnings():
            # Our own limit is stricter than the size that Pillow warns of.
            warnings.simplefilter("ignore")
            with Image.open(io.BytesIO(data), formats=FORMATS) as image:
                return _upright(image)
    # Pillow's readers raise whatever they trip over in a damaged file.
    except Exception as error:
        said = printable(str(error)[:80])
        said = "it is none, or damaged" if "cannot identify" in said else said
        raise ImageError(f"{name} is not a picture that can be used ({said}); {_WANTED}") from error


def crop_box(width: int, height: int) -> Box:
    """The largest 16:9 part in the middle of a picture."""
    wide, high = min(width, height * 16 / 9), min(height, width * 9 / 16)
    left, top = (width - wide) / 2, (height - high) / 2
    return left, top, left + wide, top + high


def framed(picture: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """The 16:9 part of a picture, uint8 RGB (H, W, 3), that a world begins from: from FRAMED_SMALLEST to
    FRAMED_LARGEST in size."""
    box = crop_box(picture.shape[1], picture.shape[0])
    wide = min(FRAMED_LARGEST[0], max(FRAMED_SMALLEST[0], round((box[2] - box[0]) / 16) * 16))
    size = wide, wide * 9 // 16
    filter_ = Image.Resampling.BOX if size[0] < box[2] - box[0] else Image.Resampling.BICUBIC
    return np.array(Image.fromarray(picture).resize(size, filter_, box))


def as_frame(picture: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """The 16:9 part of any RGB picture (H, W, 3) as a frame: uint8 (144, 256, 3). Raises ImageError."""
    if picture.ndim != 3 or picture.shape[2] != 3 or picture.dtype != np.uint8 or min(picture.shape[:2]) < 1:
        raise ImageError(f"a start frame is an RGB picture (height, width, 3) of bytes, not {picture.shape}")
    box = crop_box(picture.shape[1], picture.shape[0])
    return np.array(Image.fromarray(picture).resize((FRAME_WIDTH, FRAME_HEIGHT), Image.Resampling.BOX, box))


def packed(picture: NDArray[np.uint8]) -> bytes:
    """A picture, uint8 RGB (H, W, 3), framed and as a JPEG file."""
    file = io.BytesIO()
    Image.fromarray(framed(picture)).save(file, "JPEG", quality=90)
    return file.getvalue()


def _upright(image: Image.Image) -> NDArray[np.uint8]:
    if image.width * image.height > LARGEST_AREA:
        raise ValueError(f"its {image.width}x{image.height} pixels are more than {LARGEST_AREA // 10**6} million")
    if min(image.size) < SMALLEST:
        raise ValueError(f"it has only {image.width}x{image.height} pixels")
    if image.format == "JPEG":
        # Reads a large photograph at a half, a quarter or an eighth of its size.
        image.draft("RGB", (2 * FRAMED_LARGEST[0], 2 * FRAMED_LARGEST[0]))
    upright = ImageOps.exif_transpose(image)
    if upright.mode.startswith("I"):
        wide = np.asarray(upright).astype(np.float64)
        upright = Image.fromarray((wide / 257).clip(0, 255).astype(np.uint8))
    if upright.has_transparency_data:
        return _on_its_mean(np.array(upright.convert("RGBA")))
    return np.array(upright.convert("RGB"))


def _on_its_mean(picture: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """RGBA (H, W, 4) over the mean colour of what can be seen of it; grey if that is nothing."""
    alpha = picture[..., 3:].astype(np.float32) / 255
    seen = float(alpha.sum())
    colours = picture[..., :3].astype(np.float32)
    mean = (colours * alpha).sum((0, 1)) / seen if seen > 0 else np.full(3, 128, np.float32)
    return (colours * alpha + mean * (1 - alpha)).round().astype(np.uint8)
