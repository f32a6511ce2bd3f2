"""Spatial memory: RGB-D thumbnails of past frames with their poses, carried over into the view that comes next.

The idea is that of GEN3C (Ren et al. 2025) and HunyuanWorld-Voyager (Huang et al. 2025) at a thousandth of the size.
Shapes: thumbnails B 4 72 128 (RGB in [-1, 1], log-depth in [0, 1]), poses B 5 (x, y, z, yaw, pitch) float32,
hints B 8 72 128 (RGB, zero where unknown, and a 0/1 known mask: first what the last frame shows, then what older views
do; the dynamics decides whom to trust). Batched, because training dreams many worlds at once.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import torch
from torch import Tensor
from torch.nn import functional as F

from genie_lite.camera import FAR, NEAR, TAN_X, TAN_Y, THUMB_HEIGHT, THUMB_WIDTH

PIXELS = THUMB_HEIGHT * THUMB_WIDTH
LATER = 0.4
"""By what share of its depth a point of the next view counts as farther: about the error of the thumbnails' depth."""

SKY, BEYOND = 0.985, 2 * FAR
"""Log-depth above which a point belongs to the sky, and the depth in metres that stands for it."""

DREAMED = 0.6
"""What a dreamed view is worth beside one that was not drawn from another: it is blurred by every step between."""

_PROBE_DEPTHS = (4.0, 16.0, 64.0)
_PROBE_COLUMNS = (-0.85, -0.45, 0.0, 0.45, 0.85)


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


def warp(views: Tensor, view_poses: Tensor, target: Tensor, rays: Tensor) -> tuple[Tensor, Tensor]:
    """How views look from other poses.

    views: N 4 72 128; view_poses, target: N 5; rays: `camera_rays`. Returns colours N 3 72 128, zero where unknown, and
    depth N 1 72 128 in metres, infinite where unknown. Depth goes forwards point by point and has its gaps closed;
    colours are looked up backwards from there, so that nothing behind shines through what has come near.
    """
    n = len(views)
    level = views[:, 3].reshape(n, PIXELS).float()
    depth, sky = NEAR * torch.exp(level * math.log(FAR / NEAR)), level > SKY
    # One affine map takes a view's camera space to the target's; far from the origin this keeps float32 exact.
    to_target = rotation(target).transpose(1, 2)
    turn = to_target @ rotation(view_poses)
    offset = to_target @ (view_poses[:, :3] - target[:, :3])[..., None]
    # The sky has no parallax: its points only turn.
    points = (turn @ rays) * depth[:, None] + offset * ~sky[:, None]
    x, y, inside = _project(points)
    column, row = ((x + 1) * (THUMB_WIDTH / 2)).long(), ((y + 1) * (THUMB_HEIGHT / 2)).long()
    pixel = torch.where(inside, row * THUMB_WIDTH + column, PIXELS)
    nearest = torch.full((n, PIXELS + 1), torch.inf, device=views.device)
    nearest.scatter_reduce_(1, pixel, torch.where(sky, BEYOND, points[:, 2]), "amin")
    ahead = _closed(nearest[:, None, :PIXELS].reshape(n, 1, THUMB_HEIGHT, THUMB_WIDTH)).reshape(n, 1, PIXELS)
    finite = ahead.clamp_max(BEYOND)
    x, y, inside = _project(turn.transpose(1, 2) @ (rays * finite - offset * (finite < BEYOND)))
    where = torch.stack([x, y], 2).reshape(n, THUMB_HEIGHT, THUMB_WIDTH, 2)
    colours = F.grid_sample(views[:, :3].float(), where, padding_mode="border", align_corners=False)
    known = (inside[:, None] & (ahead < torch.inf)).reshape(n, 1, THUMB_HEIGHT, THUMB_WIDTH)
    return colours * known, torch.where(known, ahead.reshape(known.shape), torch.inf)


def _project(points: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Camera-space points N 3 P -> where they lie in the picture, -1 to 1 from left to right and from top to bottom,
    and whether they lie in it: N P each."""
    ahead = points[:, 2].clamp_min(1e-3)
    x, y = points[:, 0] / ahead / TAN_X, -points[:, 1] / ahead / TAN_Y
    return x, y, (points[:, 2] > NEAR) & (x.abs() < 1) & (y.abs() < 1)


def _closed(depth: Tensor) -> Tensor:
    """Gaps of up to two pixels between near points closed (a morphological closing): N 1 H W, infinite where empty."""
    return _picked(_picked(depth, torch.minimum, torch.inf), torch.maximum, -torch.inf)


def _picked(x: Tensor, pick: Callable[[Tensor, Tensor], Tensor], beyond: float) -> Tensor:
    """The least or largest of every 3x3 pixels. A few picks of whole maps, for max_pool2d takes ten times as long."""
    x = F.pad(x, (1, 1, 1, 1), value=beyond)
    x = pick(pick(x[..., :-2], x[..., 1:-1]), x[..., 2:])
    return pick(pick(x[..., :-2, :], x[..., 1:-1, :]), x[..., 2:, :])


class SpatialMemory:
    """A bounded store of thumbnails: constant in size and in cost a frame.

    batch worlds side by side with `slots` remembered views each, of which `worth` says what they are worth (0: nothing
    stored, DREAMED, or 1). A hint is made of the two views that see most of the coming one; on a tie the oldest wins.
    """

    def __init__(self, batch: int, slots: int, device: torch.device, dtype: torch.dtype = torch.float32) -> None:
        self.views = torch.zeros(batch, slots, 4, THUMB_HEIGHT, THUMB_WIDTH, device=device, dtype=dtype)
        self.poses = torch.zeros(batch, slots, 5, device=device)
        self.worth = torch.zeros(batch, slots, device=device)
        self._light = torch.ones(batch, slots, 3, THUMB_HEIGHT, 1, device=device)
        self.rays = camera_rays(device)
        depth = torch.tensor(_PROBE_DEPTHS, device=device)
        column = torch.tensor(_PROBE_COLUMNS, device=device) * TAN_X
        right, ahead = (column[None] * depth[:, None]).flatten(), depth[:, None].expand(-1, len(column)).flatten()
        self._probes = torch.stack([right, torch.zeros_like(right), ahead])

    def store(self, slot: Tensor, thumbnail: Tensor, pose: Tensor, worth: Tensor, where: Tensor) -> None:
        """Writes thumbnail (B 4 72 128), pose (B 5) and worth (B) into slot (B, int64) of the worlds `where` (B, bool)
        is true."""
        rows = torch.nonzero(where).squeeze(1)
        self.views[rows, slot[rows]] = thumbnail[rows].to(self.views.dtype)
        self.poses[rows, slot[rows]] = pose[rows].float()
        self.worth[rows, slot[rows]] = worth[rows]
        self._light[rows, slot[rows]] = 1.0

    def relight(self, gain: Tensor) -> None:
        """Shows every view brighter or darker from now on: each row's colours (0 to 2) times a gain, 1 3 h 1."""
        self._light *= F.interpolate(gain, size=(THUMB_HEIGHT, 1), mode="bilinear")

    def forget(self) -> None:
        """Lets go of every view."""
        self.worth.zero_()

    def coverage(self, target: Tensor) -> Tensor:
        """B S P: how well each slot shows each probe point of the target's view, 0 (not at all) to 1."""
        points = rotation(target) @ self._probes + target[:, :3, None]
        away = points[:, None] - self.poses[:, :, :3, None]
        local = rotation(self.poses).transpose(-1, -2) @ away
        ahead = local[:, :, 2]
        inside = (ahead > NEAR) & ((local[:, :, 0] / ahead.clamp_min(1e-3)).abs() < TAN_X)
        # Seen from much nearer or much farther than the target sees it, a point is drawn coarsely or with holes.
        ratio = (ahead.clamp_min(NEAR) / self._probes[2]).log().abs()
        return inside * self.worth[..., None] * torch.exp(-ratio)

    def hint(self, last: Tensor, last_pose: Tensor, target: Tensor) -> Tensor:
        """What the last frame (B 4 72 128, B 5), and what memory shows of the target pose (B 5): B 8 72 128."""
        parts = []
        for colours, depth in self.look(last, last_pose, target):
            known = depth < torch.inf
            parts += [colours * known, known.float()]
        return torch.cat(parts, 1)

    def look(self, last: Tensor, last_pose: Tensor, target: Tensor) -> tuple[tuple[Tensor, Tensor], ...]:
        """The same as colours (B 3 72 128) and depth (B 1 72 128, metres, infinite where unknown), twice."""
        target = target.float()
        cover = self.coverage(target)
        age_bonus = torch.linspace(1e-3, 0, cover.shape[1], device=cover.device)
        first = (cover.mean(2) + age_bonus).argmax(1)
        rows = torch.arange(len(target), device=target.device)
        gain = (cover - cover[rows, first][:, None]).clamp_min(0).mean(2)
        second = (gain + age_bonus).argmax(1)
        views = torch.cat([last, self._lit(rows, first).to(last.dtype), self._lit(rows, second).to(last.dtype)])
        poses = torch.cat([last_pose.float(), self.poses[rows, first], self.poses[rows, second]])
        colours, depth = warp(views, poses, target.repeat(3, 1), self.rays)
        (newest, one, two), (ahead, ahead1, ahead2) = colours.chunk(3), depth.chunk(3)
        ahead1, ahead2 = (
            torch.where(self.worth[rows, slot][:, None, None, None] > 0, metres, torch.inf)
            for slot, metres in ((first, ahead1), (second, ahead2))
        )
        first_wins = ahead1 <= ahead2 * (1 + LATER)
        older = torch.where(first_wins, one, two), torch.where(first_wins, ahead1, ahead2)
        return (newest, ahead), older

    def _lit(self, rows: Tensor, slot: Tensor) -> Tensor:
        """The views in these slots, B 4 72 128, in the light of now."""
        views, light = self.views[rows, slot], self._light[rows, slot].to(self.views.dtype)
        return torch.cat([((views[:, :3] + 1) * light - 1).clamp(-1, 1), views[:, 3:]], 1)


def empty_hint(batch: int, device: torch.device) -> Tensor:
    """The hint of a model without memory: B 8 72 128 of zeros."""
    return torch.zeros(batch, 8, THUMB_HEIGHT, THUMB_WIDTH, device=device)


def clamp_thumbnail(thumbnail: Tensor) -> Tensor:
    """RGB into [-1, 1] and log-depth into [0, 1]: B 4 72 128."""
    return torch.cat([thumbnail[:, :3].clamp(-1, 1), thumbnail[:, 3:].clamp(0, 1)], 1)
