"""Stereo: depth that was read off one picture, set right by pictures of the same place from elsewhere.

A plane sweep (Collins 1996, A space-sweep approach to true multi-image matching): every pixel is tried at depths around
the one it is given, and what the other pictures show there is compared with it. Pixels lend support to those around
them that are alike (Yoon and Kweon 2006, Adaptive support-weight approach), and the depth is the mean of those that are
tried, by how well they fit (the soft argmin of Kendall et al. 2017). Where nothing tells, the given depth stays.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor
from torch.nn import functional as F

from genie_lite.camera import FAR, NEAR, THUMB_HEIGHT, THUMB_WIDTH
from genie_lite.model.reproject import SKY, between, camera_rays, metres, project

FARTHER, TRIED = 0.8, 25
"""Depths that are tried: up to so much (as a logarithm) nearer and farther, and how many."""

UNLIKE = 0.15
"""Mean difference of two colours (from -1 to 1) from which on they are no more alike: behind something else, as often
as not."""

LIKELY, DOUBT = 0.35, 0.005
"""Prior on the given depth: changing it by LIKELY (natural log) costs as much as a colour difference of DOUBT."""

FIT = 0.002
"""Difference of colours by which a depth fits so much worse than another that it hardly counts."""

AROUND, ALIKE, LEVEL = 2, 0.2, 0.1
"""How many pixels on each side lend support, and by what difference of colours, and of depth as a logarithm, it
falls to a third."""

_NATURAL = math.log(FAR / NEAR)
"""What 1 is of log-depth as a natural logarithm."""


@torch.no_grad()
def set_right(log_depth: Tensor, picture: Tensor, pose: Tensor, others: Tensor, poses: Tensor) -> Tensor:
    """The log-depth (1 1 72 128, in [0, 1]) of a picture (1 3 144 256 in [-1, 1], from pose 1 5) as other pictures of
    the same moment's world (N 3 144 256, from poses N 5) tell it. The sky stays where it is."""
    if not len(others):
        return log_depth
    change = torch.linspace(-FARTHER, FARTHER, TRIED, device=log_depth.device)
    small = F.avg_pool2d(picture, 2)
    unlike = _supported(_unlike(log_depth, small, pose, others, poses, change), small, log_depth)
    unlike = unlike + DOUBT * (change / LIKELY).square()[:, None, None]
    better = (torch.softmax(-unlike / FIT, 0) * change[:, None, None]).sum(0) / _NATURAL
    return torch.where(log_depth > SKY, log_depth, (log_depth + better).clamp(0, 1))


def _unlike(log_depth: Tensor, small: Tensor, pose: Tensor, others: Tensor, poses: Tensor, change: Tensor) -> Tensor:
    """How unlike its colour (small: 1 3 72 128) the others show each pixel if it is farther by each change: D 72 128.
    What lies outside another's picture is as unlike there as can be."""
    depth = metres(log_depth).flatten() * change.exp()[:, None]
    rays, (turn, offset) = camera_rays(depth.device), between(pose, poses)
    total = torch.zeros(len(change), THUMB_HEIGHT, THUMB_WIDTH, device=depth.device)
    for other, back, o in zip(others, turn, offset, strict=True):
        x, y, inside = (part.reshape(total.shape) for part in project(back @ rays * depth[:, None] + o))
        # Looked up between four of its pixels it is their mean, like the small picture.
        shown = F.grid_sample(
            other.expand(len(change), -1, -1, -1), torch.stack([x, y], -1), padding_mode="border", align_corners=False
        )
        total += torch.where(inside, (shown - small).abs().mean(1).clamp_max(UNLIKE), UNLIKE)
    return total / len(others)


def _supported(unlike: Tensor, small: Tensor, log_depth: Tensor) -> Tensor:
    """The mean (D 72 128) over the pixels around that are alike in colour (1 3 72 128) and depth (1 1 72 128)."""
    padding = (AROUND,) * 4
    cost = F.pad(unlike[None], padding, mode="replicate")[0]
    look = torch.cat([small[0] / ALIKE / 3, log_depth[0] * (_NATURAL / LEVEL)])
    beside = F.pad(look[None], padding, mode="replicate")[0]
    total, weights = torch.zeros_like(unlike), torch.zeros_like(log_depth[0, 0])
    for row in range(2 * AROUND + 1):
        for column in range(2 * AROUND + 1):
            at = slice(row, row + THUMB_HEIGHT), slice(column, column + THUMB_WIDTH)
            weight = torch.exp(-(beside[:, *at] - look).abs().sum(0))
            total += weight * cost[:, *at]
            weights += weight
    return total / weights
