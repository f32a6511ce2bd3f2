"""Reprojection: what a view with depth shows of another pose. Pure geometry on tensors, nothing learned.

Shapes: log-depth N 1 72 128 in [0, 1], poses N 5 (x, y, z, yaw, pitch) float32, camera space (right, up, ahead) in m.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import cache
from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn import functional as F

from genie_lite.camera import FAR, NEAR, TAN_X, TAN_Y, THUMB_HEIGHT, THUMB_WIDTH

PIXELS = THUMB_HEIGHT * THUMB_WIDTH

SKY, BEYOND = 0.985, 2 * FAR
"""Log-depth above which a point belongs to the sky, and the depth in metres that stands for it."""

COARSER = 2.0
"""How much larger than it was seen a point is drawn before it is split."""

SPLITS = ((4, 1, 8.0), (8, 2, math.inf))
"""Into how many parts each way, drawn as squares of how many pixels, and how much larger a point may be until it takes
the next."""

BEND = 0.3
"""Two neighbours are of one surface if the second difference of 1 / depth, on its flatter side, is below this share of
the smaller 1 / depth."""

OUTSIDE = 3.0
"""Where what lies far outside the picture (at -1 to 1) is taken to lie."""

THINGS = 20
"""Half the width in pixels of the widest thing that stands before the sky."""

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


def skyline(log_depth: Tensor) -> Tensor:
    """The lowest row of the sky in each column of views (N 1 72 128), as if no thing stood before it: float N 128, -1
    where there is no sky.

    A thing before the sky parts it; what is wider than THINGS on either side of it is country.
    """
    rows = torch.arange(THUMB_HEIGHT, dtype=torch.float32, device=log_depth.device)
    lowest = torch.where(log_depth[:, 0] > SKY, rows[:, None], -1.0).amax(1)
    for sign in (1.0, -1.0):
        beside = F.pad(sign * lowest, (THINGS, THINGS), value=-torch.inf)
        lowest = sign * F.max_pool1d(beside[:, None], 2 * THINGS + 1, 1)[:, 0]
    return lowest


class Parts(NamedTuple):
    """The parts of a pixel, P of them: rays, the camera-space points (3 P) at depth 1 of their middles from the pixel's
    own; weights (9 P), how much each takes of the pixels around, which are so far `around` (9) in a map one pixel wider
    on each side; and `between` (P), which of the four squares between those each lies in, in a map of squares."""

    rays: Tensor
    weights: Tensor
    around: Tensor
    between: Tensor

    @classmethod
    def of(cls, number: int) -> Parts:
        """A pixel in so many parts each way."""
        at = (torch.arange(number) + 0.5) / number - 0.5
        down, right = (to.flatten() for to in torch.meshgrid(at, at, indexing="ij"))
        rows, columns = (torch.stack([(-to).clamp_min(0), 1 - to.abs(), to.clamp_min(0)]) for to in (down, right))
        rays = torch.stack([right * (2 * TAN_X / THUMB_WIDTH), down * (-2 * TAN_Y / THUMB_HEIGHT), 0 * right])
        around = torch.arange(3)[:, None] * (THUMB_WIDTH + 2) + torch.arange(3)
        between = (down > 0) * (THUMB_WIDTH + 1) + (right > 0)
        return cls(rays, (rows[:, None] * columns).flatten(0, 1), around.flatten(), between)

    def to(self, device: torch.device) -> Parts:
        """The same on a device."""
        return Parts(*(part.to(device) for part in self))


@cache
def _parts(number: int, device: torch.device) -> Parts:
    """`Parts.of`, kept where they are needed again and again."""
    return Parts.of(number).to(device)


class Surfaces:
    """Views' depth (log-depth N 1 72 128) as surfaces: between the middles of four pixels that are of one, 1 / depth is
    bilinear, as it is in the picture of any plane; elsewhere each pixel has its own."""

    def __init__(self, log_depth: Tensor) -> None:
        level = log_depth.float()
        self.sky, self.depth = (level > SKY).flatten(1), metres(level).flatten(1)
        closeness = F.pad(torch.where(level > SKY, 0.0, 1 / metres(level)), (2, 2, 2, 2), mode="replicate")
        across, down = _of_one(closeness, 3), _of_one(closeness, 2)
        self._right, self._below = across[:, 0, 2:-2, 1:-1], down[:, 0, 1:-1, 2:-2]
        # The closeness of every pixel with one more on each side, and whether the four from each on are of one surface.
        self._closeness = closeness[:, 0, 1:-1, 1:-1]
        row, column = across[:, 0, 1:-1], down[:, 0, :, 1:-1]
        self._whole = row[:, :-1] & row[:, 1:] & column[..., :-1] & column[..., 1:]

    def stretched(self, x: Tensor, y: Tensor) -> Tensor:
        """How many pixels wide or high each point is drawn whose neighbours come to lie at x and y: N 9216."""
        n = len(x)
        x, y = (part.clamp(-OUTSIDE, OUTSIDE).reshape(n, THUMB_HEIGHT, THUMB_WIDTH) for part in (x, y))
        reach = torch.zeros_like(x)
        for dim, of_one in ((2, self._right), (1, self._below)):
            wide, high = x.diff(dim=dim).abs() * (THUMB_WIDTH / 2), y.diff(dim=dim).abs() * (THUMB_HEIGHT / 2)
            step = torch.maximum(wide, high) * of_one
            size = step.shape[dim]
            for at in (0, 1):
                part = reach.narrow(dim, at, size)
                part.copy_(torch.maximum(part, step))
        return reach.flatten(1)

    def split(self, view: Tensor, pixel: Tensor, parts: Parts) -> Tensor:
        """1 / depth of K pixels (0 to 9215) of these views in the middles of their parts: K P."""
        row, column = view * (THUMB_HEIGHT + 2) + pixel // THUMB_WIDTH, pixel % THUMB_WIDTH
        first = row * (THUMB_WIDTH + 2) + column
        around = self._closeness.flatten()[first[:, None] + parts.around]
        first = (row - view) * (THUMB_WIDTH + 1) + column
        whole = self._whole.flatten()[first[:, None] + parts.between]
        return torch.where(whole, around @ parts.weights, around[:, 4, None])

    def closeness_at(self, x: Tensor, y: Tensor) -> Tensor:
        """1 / depth of each view at x and y (-1 to 1, N K), 0 for the sky: N K."""
        where = torch.stack([x, y], 2)[:, None]
        closeness = self._closeness[:, None, 1:-1, 1:-1]
        bent, own = (
            F.grid_sample(closeness, where, mode, padding_mode="border", align_corners=False)[:, 0, 0]
            for mode in ("bilinear", "nearest")
        )
        column = ((x + 1) * (THUMB_WIDTH / 2) + 0.5).long().clamp(0, THUMB_WIDTH)
        row = ((y + 1) * (THUMB_HEIGHT / 2) + 0.5).long().clamp(0, THUMB_HEIGHT)
        return torch.where(self._whole.flatten(1).gather(1, row * (THUMB_WIDTH + 1) + column), bent, own)


def depth_ahead(
    surfaces: Surfaces, turn: Tensor, offset: Tensor, rays: Tensor, skylines: Tensor | None = None
) -> tuple[Tensor, Tensor]:
    """N views' depth as the target sees it: N 1 72 128 metres, BEYOND for the sky, infinite where unknown; and how many
    pixels wide or high each of theirs is drawn: N 9216.

    Points go forwards one by one. One that comes near is drawn as several, along its surface, so that nothing behind
    shines through. Small gaps are closed, and those between rows of ground even where they are wide. With skylines
    (N 128) there is sky behind the things that stand before it too.
    """
    sky, depth = surfaces.sky, surfaces.depth
    # The sky has no parallax: its points only turn.
    turned = turn @ rays
    points = turned * depth[:, None] + offset * ~sky[:, None]
    x, y, inside = project(points)
    ahead = points[:, 2]
    larger = torch.maximum(depth / ahead.clamp_min(NEAR), surfaces.stretched(x, y)).where(~sky, 1.0)
    canvas = _Canvas(len(depth), depth.device)
    every = torch.arange(len(depth), device=depth.device)[:, None].expand(-1, PIXELS)
    canvas.draw(every, x, y, inside & (larger < COARSER), torch.where(sky, BEYOND, ahead), 1)
    near = (ahead > NEAR) & (x.abs() < 1 + larger / THUMB_WIDTH) & (y.abs() < 1 + larger / THUMB_HEIGHT)
    views, pixels = torch.nonzero(near & (larger >= COARSER), as_tuple=True)
    how_large, least = larger[views, pixels], COARSER
    for number, width, most in SPLITS:
        which = torch.nonzero((how_large >= least) & (how_large < most)).squeeze(1)
        least = most
        if len(which):
            view, pixel, parts = views[which], pixels[which], _parts(number, rays.device)
            fine = turned[view, :, pixel][..., None] + (turn @ parts.rays)[view]
            fine = fine / surfaces.split(view, pixel, parts)[:, None] + offset[view]
            x, y, inside = project(fine)
            canvas.draw(view[:, None].expand_as(x), x, y, inside, fine[:, 2], width)
    seen = canvas.depth
    if skylines is not None:
        seen = torch.where(_sky_ahead(skylines, turn, rays).reshape(seen.shape), seen.clamp_max(BEYOND), seen)
    seen = _closed(seen, 1, 1)
    return torch.where(seen < torch.inf, seen, _closed(seen, GAP, 0)), larger


def _of_one(closeness: Tensor, dim: int) -> Tensor:
    """Whether a pixel and the next in a dimension are of one surface, from the second to the last but one: bool."""
    size = closeness.shape[dim] - 3
    before, here, next_, behind = (closeness.narrow(dim, at, size) for at in range(4))
    bend = torch.minimum((before - 2 * here + next_).abs(), (here - 2 * next_ + behind).abs())
    return bend < BEND * torch.minimum(here, next_)


class _Canvas:
    """Depth maps of n views, into which points are drawn as squares, the nearer over the farther."""

    def __init__(self, n: int, device: torch.device) -> None:
        # What lies outside goes into a spare pixel.
        self._n, self._flat = n, torch.full((n * PIXELS + 1,), torch.inf, device=device)

    @property
    def depth(self) -> Tensor:
        """N 1 72 128, infinite where nothing was drawn."""
        return self._flat[:-1].reshape(self._n, 1, THUMB_HEIGHT, THUMB_WIDTH)

    def draw(self, view: Tensor, x: Tensor, y: Tensor, where: Tensor, ahead: Tensor, width: int) -> None:
        """Points of these views (int64) at x and y (-1 to 1), so many metres ahead, all of one shape, as squares so
        many pixels wide."""
        h, w = THUMB_HEIGHT // width, THUMB_WIDTH // width
        # y + 1 may be rounded up to 2, as on CUDA, which divides by multiplying.
        column, row = ((x + 1) * (w / 2)).long().clamp_max(w - 1), ((y + 1) * (h / 2)).long().clamp_max(h - 1)
        pixel = torch.where(where, (view * h + row) * w + column, self._n * h * w).flatten()
        if width == 1:
            self._flat.scatter_reduce_(0, pixel, ahead.flatten(), "amin")
        else:
            nearest = torch.full((self._n * h * w + 1,), torch.inf, device=x.device)
            nearest.scatter_reduce_(0, pixel, ahead.flatten(), "amin")
            drawn = F.interpolate(nearest[:-1].reshape(self._n, 1, h, w), scale_factor=width)
            self.depth.copy_(torch.minimum(self.depth, drawn))


def _sky_ahead(skylines: Tensor, turn: Tensor, rays: Tensor) -> Tensor:
    """Where the target sees the views' sky (above skylines, N 128), which only turns: bool N 9216."""
    x, y, inside = project(turn.transpose(1, 2) @ rays)
    return inside & (y < ((skylines + 1) * (2 / THUMB_HEIGHT) - 1).gather(1, column_at(x)))


def warp(views: Tensor, view_poses: Tensor, target: Tensor, rays: Tensor) -> tuple[Tensor, Tensor]:
    """How views look from other poses.

    views: N 4 72 128; view_poses, target: N 5; rays: `camera_rays`. Returns colours N 3 72 128, zero where unknown, and
    depth N 1 72 128 in metres, infinite where unknown. Colours are looked up backwards from the depth, so that nothing
    behind shines through what has come near.
    """
    n = len(views)
    turn, offset = between(view_poses, target)
    ahead = depth_ahead(Surfaces(views[:, 3:]), turn, offset, rays)[0].reshape(n, 1, PIXELS)
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


def pixel_at(x: Tensor, y: Tensor) -> Tensor:
    """The number of the thumbnail's pixel, 0 to 9215, at x and y (-1 to 1), or of the nearest one."""
    return ((y + 1) * (THUMB_HEIGHT / 2)).long().clamp(0, THUMB_HEIGHT - 1) * THUMB_WIDTH + column_at(x)


def column_at(x: Tensor) -> Tensor:
    """The number of the thumbnail's column, 0 to 127, at x (-1 to 1), or of the nearest one."""
    return ((x + 1) * (THUMB_WIDTH / 2)).long().clamp(0, THUMB_WIDTH - 1)


def nearest_around(depth: Tensor) -> Tensor:
    """The least depth of every pixel and its eight neighbours: N 1 H W."""
    return _picked(depth, torch.minimum, torch.inf, 1, 1)


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
