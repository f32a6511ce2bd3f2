"""Reprojection: what a view with depth shows of another pose. Pure geometry on tensors, nothing learned.

Shapes: log-depth N 1 72 128 in [0, 1], poses N 5 (x, y, z, yaw, pitch) float32, camera space (right, up, ahead) in m.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import torch
from torch import Tensor
from torch.nn import functional as F

from genie_lite.camera import FAR, NEAR, TAN_X, TAN_Y, THUMB_HEIGHT, THUMB_WIDTH

PIXELS = THUMB_HEIGHT * THUMB_WIDTH

SKY, BEYOND = 0.985, 2 * FAR
"""Log-depth above which a point belongs to the sky, and the depth in metres that stands for it."""

COARSER = 1.6
"""How much larger than it was seen a point is drawn before it fills a pixel twice as wide, and again from there."""

GAP = 3
"""Half the height in pixels of gaps between the rows of ground, which stretches as it comes near, that are closed."""


def camera_rays(device: torch.device) -> Tensor:
    """3 x 9216 float32: the camera-space point (right, up, ahead) at depth 1 of every thumbnail pixel, row by row."""
    x = ((torch.arange(THUMB_WIDTH, device=device) + 0.5) / THUMB_WIDTH * 2 - 1) * TAN_X
    y = (1 - (torch.arange(THUMB_HEIGHT, device=device) + 0.5) / THUMB_HEIGHT * 2) * TAN_Y
    up, right = torch.meshgrid(y, x, indexing="ij")
    return torch.stack([right, up, torch.ones_like(up)]).reshape(3, PIXELS)


def rotation(pose: Tensor) -> Tensor:
    """... 5 -> ... 3 3, whose columns are the camera's right, up and forward axes in the world."""
    yaw, pitch = pose[..., 3], pose[..., 4]
    sy, cy, sp, cp = yaw.sin(), yaw.cos(), pitch.sin(), pitch.cos()
    zero = torch.zeros_like(sy)
    rows = [cy, -sy * sp, sy * cp, -sy, -cy * sp, cy * cp, zero, cp, sp]
    return torch.stack(rows, -1).reshape(*pose.shape[:-1], 3, 3)


def metres(log_depth: Tensor) -> Tensor:
    """Log-depth in [0, 1] -> depth in metres."""
    return NEAR * torch.exp(log_depth * math.log(FAR / NEAR))


def log_depth(metres: Tensor) -> Tensor:
    """The inverse: depth in metres -> log-depth in [0, 1]."""
    return ((metres.clamp_min(NEAR) / NEAR).log() / math.log(FAR / NEAR)).clamp_max(1)


def between(view_poses: Tensor, target: Tensor) -> tuple[Tensor, Tensor]:
    """The affine map from views' camera space to the target's: turn N 3 3, offset N 3 1, of poses N 5 each.

    Far from the origin this keeps float32 exact.
    """
    to_target = rotation(target).transpose(1, 2)
    return to_target @ rotation(view_poses), to_target @ (view_poses[:, :3] - target[:, :3])[..., None]


def depth_ahead(log_depth: Tensor, turn: Tensor, offset: Tensor, rays: Tensor) -> Tensor:
    """Views' depth as the target sees it: N 1 72 128 metres, BEYOND for the sky, infinite where unknown.

    Points go forwards one by one. What comes nearer fills larger pixels (so that nothing behind shines through), small
    gaps are closed, and those between rows of ground even where they are wide.
    """
    n = len(log_depth)
    level = log_depth.reshape(n, PIXELS).float()
    depth, sky = metres(level), level > SKY
    # The sky has no parallax: its points only turn.
    points = (turn @ rays) * depth[:, None] + offset * ~sky[:, None]
    x, y, inside = project(points)
    larger = torch.where(sky, 1.0, depth / points[:, 2].clamp_min(NEAR))
    points_ahead = torch.where(sky, BEYOND, points[:, 2])
    seen = torch.full((n, 1, THUMB_HEIGHT, THUMB_WIDTH), torch.inf, device=level.device)
    for size, least, most in ((1, 0.0, COARSER), (2, COARSER, 2 * COARSER), (4, 2 * COARSER, torch.inf)):
        h, w = THUMB_HEIGHT // size, THUMB_WIDTH // size
        column, row = ((x + 1) * (w / 2)).long(), ((y + 1) * (h / 2)).long()
        pixel = torch.where(inside & (larger >= least) & (larger < most), row * w + column, h * w)
        # A spare row for what lies outside, and for y + 1 rounded up to 2, as on CUDA, which divides by multiplying.
        nearest = torch.full((n, (h + 1) * w + 1), torch.inf, device=level.device)
        nearest.scatter_reduce_(1, pixel, points_ahead, "amin")
        coarse = nearest[:, None, : h * w].reshape(n, 1, h, w)
        seen = torch.minimum(seen, F.interpolate(coarse, scale_factor=size) if size > 1 else coarse)
    seen = _closed(seen, 1, 1)
    return torch.where(seen < torch.inf, seen, _closed(seen, GAP, 0))


def warp(views: Tensor, view_poses: Tensor, target: Tensor, rays: Tensor) -> tuple[Tensor, Tensor]:
    """How views look from other poses.

    views: N 4 72 128; view_poses, target: N 5; rays: `camera_rays`. Returns colours N 3 72 128, zero where unknown, and
    depth N 1 72 128 in metres, infinite where unknown. Colours are looked up backwards from the depth, so that nothing
    behind shines through what has come near.
    """
    n = len(views)
    turn, offset = between(view_poses, target)
    ahead = depth_ahead(views[:, 3:], turn, offset, rays).reshape(n, 1, PIXELS)
    finite = ahead.clamp_max(BEYOND)
    x, y, inside = project(turn.transpose(1, 2) @ (rays * finite - offset * (finite < BEYOND)))
    where = torch.stack([x, y], 2).reshape(n, THUMB_HEIGHT, THUMB_WIDTH, 2)
    colours = F.grid_sample(views[:, :3].float(), where, padding_mode="border", align_corners=False)
    known = (inside[:, None] & (ahead < torch.inf)).reshape(n, 1, THUMB_HEIGHT, THUMB_WIDTH)
    return colours * known, torch.where(known, ahead.reshape(known.shape), torch.inf)


def project(points: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Camera-space points N 3 P -> where they lie in the picture, -1 to 1 from left to right and from top to bottom,
    and whether they lie in it: N P each."""
    ahead = points[:, 2].clamp_min(1e-3)
    x, y = points[:, 0] / ahead / TAN_X, -points[:, 1] / ahead / TAN_Y
    return x, y, (points[:, 2] > NEAR) & (x.abs() < 1) & (y.abs() < 1)


def _closed(depth: Tensor, rows: int, columns: int) -> Tensor:
    """Gaps of up to twice as many rows and columns closed (a morphological closing): N 1 H W, infinite where empty."""
    return _picked(_picked(depth, torch.minimum, torch.inf, rows, columns), torch.maximum, -torch.inf, rows, columns)


def _picked(x: Tensor, pick: Callable[[Tensor, Tensor], Tensor], beyond: float, rows: int, columns: int) -> Tensor:
    """The least or largest of every pixel's neighbours so many rows and columns around. A few picks of whole maps, for
    max_pool2d takes ten times as long."""
    for dim, reach in ((-2, rows), (-1, columns)):
        for _ in range(reach):
            x = F.pad(x, (0, 0, 1, 1) if dim == -2 else (1, 1, 0, 0), value=beyond)
            size = x.shape[dim] - 2
            x = pick(pick(x.narrow(dim, 0, size), x.narrow(dim, 1, size)), x.narrow(dim, 2, size))
    return x
