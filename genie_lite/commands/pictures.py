"""Reads a picture for a start frame, and packs it for a world file."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageOps

from genie_lite.errors import ImageError

SMALLEST = 64
"""Pixels a side that a start frame needs at least."""

PACKED = 1280, 720
"""Pixels that a packed picture has at most: the largest picture that is drawn."""


def read_picture(path: Path) -> NDArray[np.uint8]:
    """Any picture that Pillow reads, turned upright: uint8 RGB (H, W, 3). Raises ImageError."""
    try:
        with Image.open(path) as image:
            upright = ImageOps.exif_transpose(image).convert("RGB")
    except FileNotFoundError as error:
        raise ImageError(f"no picture at {path}; check the path") from error
    except (OSError, ValueError, Image.DecompressionBombError) as error:
        raise ImageError(f"{path} is not a picture that can be read; use a PNG, JPEG or WebP file") from error
    if min(upright.size) < SMALLEST:
        raise ImageError(f"{path} is too small; use at least {SMALLEST} x {SMALLEST} pixels")
    return np.asarray(upright)


def packed(picture: NDArray[np.uint8]) -> bytes:
    """A picture, uint8 RGB (H, W, 3), as a JPEG file that fits within PACKED."""
    image, file = Image.fromarray(picture), io.BytesIO()
    image.thumbnail(PACKED, Image.Resampling.LANCZOS)
    image.save(file, "JPEG", quality=90)
    return file.getvalue()
