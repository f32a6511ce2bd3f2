"""Spatial memory: RGB-D thumbnails of past frames with their poses, carried over into the view that comes next.

The idea is that of GEN3C (Ren et al. 2025) and HunyuanWorld-Voyager (Huang et al. 2025) at a thousandth of the size.
Shapes: thumbnails B 4 72 128 (RGB in [-1, 1], log-depth in [0, 1]), poses B 5 (x, y, z, yaw, pitch) float32,
hints B 8 72 128 (RGB, zero where unknown, and a 0/1 known mask: first what the last frame shows, then what older views
do; the dynamics decides whom to trust). Batched, because training dreams many worlds at once.
"""

from __future__ import annotations

from copy import copy

import torch
from torch import Tensor

from genie_lite.camera import NEAR, TAN_X, THUMB_HEIGHT, THUMB_WIDTH
from genie_lite.conditions import CONDITIONS_DIM
from genie_lite.model.light import Light
from genie_lite.model.reproject import camera_rays, rotation, warp

LATER = 0.4
"""By what share of its depth a point of the next view counts as farther: about the error of the thumbnails' depth."""

DREAMED = 0.5
"""What a dreamed view is worth beside one that was not drawn from another: it is blurred by every step between."""

ENLARGED, SHRUNK = 0.8, 0.5
"""Exponents by which a view is worth less where the target sees things so many times larger or smaller than it does:
the one shows how coarse they are, the other leaves only holes."""

_PROBE_DEPTHS = (4.0, 16.0, 64.0)
_PROBE_COLUMNS = (-0.85, -0.45, 0.0, 0.45, 0.85)


class SpatialMemory:
    """A bounded store of thumbnails: constant in size and in cost a frame.

    batch worlds side by side with `slots` remembered views each, of which `worth` says what they are worth (0: nothing
    stored, DREAMED, or 1). A hint is made of the two views that see most of the coming one; on a tie the oldest wins.
    With a light, views are shown under the conditions (1 18) of now, whichever they were stored under.
    """

    def __init__(
        self,
        batch: int,
        slots: int,
        device: torch.device,
        dtype: torch.dtype = torch.float32,
        light: Light | None = None,
        conditions: Tensor | None = None,
    ) -> None:
        self.views = torch.zeros(batch, slots, 4, THUMB_HEIGHT, THUMB_WIDTH, device=device, dtype=dtype)
        self.poses = torch.zeros(batch, slots, 5, device=device)
        self.worth = torch.zeros(batch, slots, device=device)
        self._light = light
        self._now = torch.zeros(1, CONDITIONS_DIM, device=device) if conditions is None else conditions
        self._conditions = torch.zeros(batch, slots, CONDITIONS_DIM, device=device)
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
        self._conditions[rows, slot[rows]] = self._now

    def come_under(self, conditions: Tensor) -> None:
        """Shows and stores views under other conditions (1 18) from now on."""
        self._now = conditions

    def branch(self) -> SpatialMemory:
        """The same views, kept apart from now on."""
        other = copy(self)
        other.views, other.poses = self.views.clone(), self.poses.clone()
        other.worth, other._conditions = self.worth.clone(), self._conditions.clone()
        return other

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
        farther = (ahead.clamp_min(NEAR) / self._probes[2]).log()
        cost = torch.maximum(ENLARGED * farther, -SHRUNK * farther)
        return inside * self.worth[..., None] * torch.exp(-cost)

    def best(self, target: Tensor) -> tuple[Tensor, Tensor]:
        """Of each world the slot that shows most of the target's view (B 5), and the one that adds most: B each."""
        cover = self.coverage(target)
        age_bonus = torch.linspace(1e-3, 0, cover.shape[1], device=cover.device)
        first = (cover.mean(2) + age_bonus).argmax(1)
        rows = torch.arange(len(target), device=target.device)
        gain = (cover - cover[rows, first][:, None]).clamp_min(0).mean(2)
        return first, (gain + age_bonus).argmax(1)

    def hint(self, last: Tensor, last_pose: Tensor, target: Tensor) -> Tensor:
        """What the last frame (B 4 72 128, B 5), and what memory shows of the target pose (B 5): B 8 72 128."""
        return torch.cat([_half(*shown) for shown in self.look(last, last_pose, target)], 1)

    def newest(self, last: Tensor, last_pose: Tensor, target: Tensor) -> Tensor:
        """The first half of a hint, which the last frame alone gives: B 4 72 128."""
        return _half(*warp(last, last_pose.float(), target.float(), self.rays))

    def look(self, last: Tensor, last_pose: Tensor, target: Tensor) -> tuple[tuple[Tensor, Tensor], ...]:
        """The same as colours (B 3 72 128) and depth (B 1 72 128, metres, infinite where unknown), twice."""
        target = target.float()
        first, second = self.best(target)
        rows = torch.arange(len(target), device=target.device)
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

    def lit(self, pictures: Tensor, slots: Tensor, skies: bool = False) -> Tensor:
        """Pictures (N 3 H W) of the first world's views in these slots, or of nothing but their sky, in the light of
        now."""
        return self._relit(pictures, torch.zeros_like(slots), slots, skies)

    def _lit(self, rows: Tensor, slot: Tensor) -> Tensor:
        """The views in these slots, B 4 72 128, in the light of now."""
        views = self.views[rows, slot]
        return torch.cat([self._relit(views[:, :3], rows, slot), views[:, 3:]], 1)

    def _relit(self, colours: Tensor, rows: Tensor, slot: Tensor, skies: bool = False) -> Tensor:
        before = self._conditions[rows, slot]
        if self._light is None or torch.equal(before, self._now.expand_as(before)):
            return colours
        depth = self.views[rows, slot, 3:]
        depth = torch.ones_like(depth) if skies else depth
        return self._light.relit(colours, depth, self.poses[rows, slot, 4], before, self._now)


def _half(colours: Tensor, depth: Tensor) -> Tensor:
    """Half a hint: colours B 3 72 128, depth B 1 72 128, infinite where unknown -> B 4 72 128."""
    known = depth < torch.inf
    return torch.cat([colours * known, known.float()], 1)


def empty_hint(batch: int, device: torch.device) -> Tensor:
    """The hint of a model without memory: B 8 72 128 of zeros."""
    return torch.zeros(batch, 8, THUMB_HEIGHT, THUMB_WIDTH, device=device)


def clamp_thumbnail(thumbnail: Tensor) -> Tensor:
    """RGB into [-1, 1] and log-depth into [0, 1]: B 4 72 128."""
    return torch.cat([thumbnail[:, :3].clamp(-1, 1), thumbnail[:, 3:].clamp(0, 1)], 1)


def with_depth(thumbnail: Tensor, log_depth: Tensor) -> Tensor:
    """A thumbnail (B 4 72 128) whose log-depth (B 1 72 128) is known better than it says."""
    return torch.cat([thumbnail[:, :3], log_depth], 1)
