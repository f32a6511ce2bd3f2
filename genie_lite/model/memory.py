"""Spatial memory: RGB-D thumbnails of past frames with their poses, splatted into the view that comes next.

The idea is that of GEN3C (Ren et al. 2025) and HunyuanWorld-Voyager (Huang et al. 2025) at a thousandth of the size.
Shapes: thumbnails B 4 72 128 (RGB in [-1, 1], log-depth in [0, 1]), poses B 5 (x, y, z, yaw, pitch) float32,
hints B 8 72 128 (RGB, zero where unknown, and a 0/1 known mask: first what the last frame shows, then what older views
do; the dynamics decides whom to trust). Batched, because training dreams many worlds at once.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor
from torch.nn import functional as F

from genie_lite.camera import FAR, NEAR, TAN_X, TAN_Y, THUMB_HEIGHT, THUMB_WIDTH

PIXELS = THUMB_HEIGHT * THUMB_WIDTH
LATER = 0.4
"""By what share of its depth a point of the next view counts as farther: about the error of the thumbnails' depth."""

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


def splat(views: Tensor, view_poses: Tensor, used: Tensor, target: Tensor, rays: Tensor) -> Tensor:
    """Draws V views as they would look from the target pose; the nearest point wins, but a later view's counts as
    farther, so that two views that agree are not mixed; small holes are filled.

    views: B V 4 72 128; view_poses: B V 5; used: B V bool; target: B 5; rays: `camera_rays`. Returns B 4 72 128.
    """
    b, v = views.shape[:2]
    flat = views.reshape(b, v, 4, PIXELS).float()
    depth = NEAR * torch.exp(flat[:, :, 3] * math.log(FAR / NEAR))
    # One affine map a view takes its camera space to the target's; far from the origin this keeps float32 exact.
    to_target = rotation(target).transpose(-1, -2)[:, None]
    turn = to_target @ rotation(view_poses)
    offset = (to_target @ (view_poses[..., :3] - target[:, None, :3])[..., None]).squeeze(-1)
    # The sky has no parallax: its points only turn.
    offset = offset[..., None] * (flat[:, :, 3] < 0.985)[:, :, None]
    points = (turn @ rays) * depth[:, :, None] + offset
    ahead = points[:, :, 2].clamp_min(1e-3)
    column = ((points[:, :, 0] / ahead / TAN_X + 1) * (THUMB_WIDTH / 2)).floor()
    row = ((1 - points[:, :, 1] / ahead / TAN_Y) * (THUMB_HEIGHT / 2)).floor()
    visible = (points[:, :, 2] > NEAR) & (column >= 0) & (column < THUMB_WIDTH) & (row >= 0) & (row < THUMB_HEIGHT)
    visible &= used[..., None]
    # Depth in the high digits and the point's number in the low ones: one minimum finds the nearest point's colour.
    number = torch.arange(v * PIXELS, device=views.device).reshape(1, v, PIXELS)
    rank = 1 + LATER * torch.arange(v, device=views.device)[:, None]
    key = (ahead * rank * 64).clamp_max(2**30).long() * (v * PIXELS) + number
    pixel = torch.where(visible, (row * THUMB_WIDTH + column).long(), PIXELS)
    empty = torch.iinfo(torch.int64).max
    nearest = torch.full((b, PIXELS + 1), empty, dtype=torch.int64, device=views.device)
    nearest.scatter_reduce_(1, pixel.reshape(b, -1), key.reshape(b, -1), "amin")
    nearest = nearest[:, :PIXELS]
    known = nearest != empty
    source = (nearest % (v * PIXELS)) * known
    colours = flat[:, :, :3].transpose(1, 2).reshape(b, 3, v * PIXELS)
    drawn = colours.gather(2, source[:, None].expand(b, 3, PIXELS)) * known[:, None]
    return fill_holes(torch.cat([drawn, known[:, None].float()], 1).reshape(b, 4, THUMB_HEIGHT, THUMB_WIDTH))


def fill_holes(hint: Tensor) -> Tensor:
    """Unknown pixels with at least three known neighbours take their mean. B 4 H W -> B 4 H W."""
    mean = F.avg_pool2d(hint, 3, stride=1, padding=1)
    known, near = hint[:, 3:], mean[:, 3:]
    fill = (known == 0) & (near > 2.5 / 9)
    return torch.where(fill, torch.cat([mean[:, :3] / near.clamp_min(1e-6), torch.ones_like(near)], 1), hint)


class SpatialMemory:
    """A bounded store of thumbnails: constant in size and in cost a frame.

    batch worlds side by side with `slots` remembered views each. A hint is made of the two remembered views that see
    most of the coming one; on a tie the oldest wins, for it was dreamed with fewer errors.
    """

    def __init__(self, batch: int, slots: int, device: torch.device, dtype: torch.dtype = torch.float32) -> None:
        self.views = torch.zeros(batch, slots, 4, THUMB_HEIGHT, THUMB_WIDTH, device=device, dtype=dtype)
        self.poses = torch.zeros(batch, slots, 5, device=device)
        self.filled = torch.zeros(batch, slots, dtype=torch.bool, device=device)
        self.rays = camera_rays(device)
        depth = torch.tensor(_PROBE_DEPTHS, device=device)
        column = torch.tensor(_PROBE_COLUMNS, device=device) * TAN_X
        right, ahead = (column[None] * depth[:, None]).flatten(), depth[:, None].expand(-1, len(column)).flatten()
        self._probes = torch.stack([right, torch.zeros_like(right), ahead])

    def store(self, slot: Tensor, thumbnail: Tensor, pose: Tensor, where: Tensor) -> None:
        """Writes thumbnail (B 4 72 128) and pose (B 5) into slot (B, int64) of the worlds `where` (B, bool) is true."""
        rows = torch.nonzero(where).squeeze(1)
        self.views[rows, slot[rows]] = thumbnail[rows].to(self.views.dtype)
        self.poses[rows, slot[rows]] = pose[rows].float()
        self.filled[rows, slot[rows]] = True

    def coverage(self, target: Tensor) -> Tensor:
        """B S P: how well each slot saw each probe point of the target's view, 0 (not at all) to 1."""
        points = rotation(target) @ self._probes + target[:, :3, None]
        away = points[:, None] - self.poses[:, :, :3, None]
        local = rotation(self.poses).transpose(-1, -2) @ away
        ahead = local[:, :, 2]
        inside = (ahead > NEAR) & ((local[:, :, 0] / ahead.clamp_min(1e-3)).abs() < TAN_X)
        # Seen from much nearer or much farther than the target sees it, a point is drawn coarsely or with holes.
        ratio = (ahead.clamp_min(NEAR) / self._probes[2]).log().abs()
        return inside * self.filled[..., None] * torch.exp(-ratio)

    def hint(self, last: Tensor, last_pose: Tensor, target: Tensor) -> Tensor:
        """What the last frame (B 4 72 128, B 5), and what memory shows of the target pose (B 5): B 8 72 128."""
        target = target.float()
        cover = self.coverage(target)
        age_bonus = torch.linspace(1e-3, 0, cover.shape[1], device=cover.device)
        first = (cover.mean(2) + age_bonus).argmax(1)
        rows = torch.arange(len(target), device=target.device)
        gain = (cover - cover[rows, first][:, None]).clamp_min(0).mean(2)
        second = (gain + age_bonus).argmax(1)
        chosen, rows = torch.stack([first, second], 1), rows[:, None]
        older = splat(self.views[rows, chosen], self.poses[rows, chosen], self.filled[rows, chosen], target, self.rays)
        always = torch.ones_like(rows, dtype=torch.bool)
        newest = splat(last[:, None], last_pose[:, None].float(), always, target, self.rays)
        return torch.cat([newest, older], 1)


def empty_hint(batch: int, device: torch.device) -> Tensor:
    """The hint of a model without memory: B 8 72 128 of zeros."""
    return torch.zeros(batch, 8, THUMB_HEIGHT, THUMB_WIDTH, device=device)


def clamp_thumbnail(thumbnail: Tensor) -> Tensor:
    """RGB into [-1, 1] and log-depth into [0, 1]: B 4 72 128."""
    return torch.cat([thumbnail[:, :3].clamp(-1, 1), thumbnail[:, 3:].clamp(0, 1)], 1)
