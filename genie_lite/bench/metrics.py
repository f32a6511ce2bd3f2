"""What is measured on pictures: pure functions. Pictures are uint8 (H, W, 3) unless said otherwise."""

from __future__ import annotations

import math
from itertools import pairwise

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional as F

from genie_lite.camera import TAN_X, TAN_Y
from genie_lite.session.signals import shift as drawn_shift

Picture = NDArray[np.uint8]

BEST_PSNR = 60.0
"""dB that equal pictures get, so that means stay finite."""

_LUMA = np.array([0.299, 0.587, 0.114], np.float32)


def psnr(one: Picture, other: Picture) -> float:
    """Peak signal-to-noise ratio in dB, at most BEST_PSNR."""
    error = float(np.square(one.astype(np.float32) - other).mean())
    return BEST_PSNR if error == 0 else min(BEST_PSNR, float(10 * np.log10(255.0**2 / error)))


def ssim(one: Picture, other: Picture, window: int = 7) -> float:
    """Structural similarity of the luma (Wang et al. 2004) over square windows: 1 for equal pictures."""
    a, b = _plane(one), _plane(other)
    mean_a, mean_b = _mean(a, window), _mean(b, window)
    variance_a, variance_b = _mean(a * a, window) - mean_a**2, _mean(b * b, window) - mean_b**2
    covariance = _mean(a * b, window) - mean_a * mean_b
    c1, c2 = (0.01 * 255) ** 2, (0.03 * 255) ** 2
    numerator = (2 * mean_a * mean_b + c1) * (2 * covariance + c2)
    return float((numerator / ((mean_a**2 + mean_b**2 + c1) * (variance_a + variance_b + c2))).mean())


def sharpness(picture: Picture) -> float:
    """Mean size of the luma's gradient, in grey levels a pixel."""
    down, right = np.gradient(luma(picture))
    return float(np.hypot(down, right).mean())


def brightness(picture: Picture) -> float:
    """Mean luma, in grey levels."""
    return float(luma(picture).mean())


def contrast(picture: Picture) -> float:
    """Standard deviation of the luma, in grey levels."""
    return float(luma(picture).std())


def shift(before: Picture, after: Picture) -> tuple[float, float]:
    """How far the picture as a whole moved, in pixels: (right, down).

    By phase correlation, as the coherence meter does it.
    """
    return drawn_shift(luma(before), luma(after))


def turned(picture: Picture, angle: float) -> tuple[Picture, NDArray[np.bool_]]:
    """What a level eye that saw the picture sees of it once it has turned to the right by so many radians, and which
    pixels (H, W) it sees: whatever is far or near, for it is still in the same place."""
    height, width = picture.shape[:2]
    x = ((torch.arange(width) + 0.5) / width * 2 - 1) * TAN_X
    y = ((torch.arange(height) + 0.5) / height * 2 - 1) * TAN_Y
    ahead = math.cos(angle) - x * math.sin(angle)
    across = (x * math.cos(angle) + math.sin(angle)) / ahead / TAN_X
    where = torch.stack([across.expand(height, width), y[:, None] / ahead / TAN_Y], 2)
    planes = torch.from_numpy(picture.astype(np.float32)).permute(2, 0, 1)[None]
    found = F.grid_sample(planes, where[None], padding_mode="border", align_corners=False)[0].permute(1, 2, 0)
    return found.round().to(torch.uint8).numpy(), ((where.abs() < 1).all(2) & (ahead > 0)).numpy()


def flow(pictures: NDArray[np.uint8]) -> tuple[float, float]:
    """The sum of the shifts from each picture of (T, H, W, 3) to the next: (right, down) in pixels."""
    shifts = np.array([shift(a, b) for a, b in pairwise(pictures)])
    return float(shifts[:, 0].sum()), float(shifts[:, 1].sum())


def luma(picture: Picture) -> NDArray[np.float32]:
    """Brightness, float32 (H, W) in [0, 255]."""
    grey: NDArray[np.float32] = picture.astype(np.float32) @ _LUMA
    return grey


def _plane(picture: Picture) -> Tensor:
    return torch.from_numpy(luma(picture))[None, None]


def _mean(plane: Tensor, window: int) -> Tensor:
    return F.avg_pool2d(plane, window, stride=1)
