"""Recall: what remembered pictures show of the coming view at the frame's full size, put over a dreamed latent.

A network that is unsure answers with a mean, so what is dreamed from one frame to the next blurs within a second. What
has been seen need not be dreamed: it is carried over from the view that saw it, pixel by pixel, as far as depth can be
trusted. Latents are close to a linear map of pictures (see Autoencoder.start_from_pca), so that putting pictures over a
latent takes no network.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional as F

from genie_lite.camera import FAR, FRAME_HEIGHT, FRAME_WIDTH, NEAR, TAN_X, TAN_Y, THUMB_HEIGHT, THUMB_WIDTH
from genie_lite.model.autoencoder import LATENT_BOUND, PATCH, Autoencoder
from genie_lite.model.layers import patchify, unpatch
from genie_lite.model.memory import with_depth
from genie_lite.model.reproject import BEYOND, PIXELS, SKY, between, camera_rays, depth_ahead, project
from genie_lite.model.reproject import log_depth as log_depth_of

STRENGTH = 0.8
"""Share of the way to what is recalled that each step goes, where it is certain."""

YOUNG = 24
"""Frames of a dream until it goes that far: one that follows the truth has nothing to mend yet."""

SAME = 0.15
"""By how much (as a logarithm) the depth where a pixel is looked up may differ from the depth it should have there."""

LARGE = 4.0
"""How much larger than it was seen a thing may be drawn before it is trusted less."""

SPLINTER = 0.05
"""Trust below which a pixel is no company for others."""

COMPANY = 0.4
"""Share of the pixels around that must be known, or a pixel is a splinter and not taken."""


@dataclass(frozen=True, slots=True)
class Rendered:
    """A view as memory shows it. colours: 1 3 144 256; depth: its log-depth, trust: how far each of the thumbnail's
    pixels is to be trusted, in [0, 1], known: which are shown at all, 0 or 1, and view: by which of the views, int64,
    each 1 1 72 128."""

    colours: Tensor
    depth: Tensor
    trust: Tensor
    known: Tensor
    view: Tensor

    def coarse(self) -> Tensor:
        """The older views' half of a hint (see memory.py): 1 4 72 128."""
        return torch.cat([F.avg_pool2d(self.colours, 2) * self.known, self.known], 1)

    def part_of(self, views: Tensor) -> float:
        """How much of the whole picture those of the views (bool, N) show, as far as it is trusted, in [0, 1]."""
        return float((self.trust * views[self.view]).mean())

    def seen_in(self, thumbnail: Tensor) -> Tensor:
        """A dreamed thumbnail (1 4 72 128) with the depth that memory knows."""
        depth = thumbnail[:, 3:]
        return with_depth(thumbnail, depth + self.trust * (self.depth - depth))


class Recall:
    """The linear maps between pictures and latents, and the rays of a thumbnail's pixels."""

    def __init__(self, autoencoder: Autoencoder) -> None:
        self._to_picture, self._to_latent = autoencoder.frame.linear, autoencoder.encoder.linear
        self._rays = camera_rays(torch.device("cpu"))

    @torch.no_grad()
    def picture(self, latent: Tensor) -> Tensor:
        """What memory keeps of a latent, 1 16 18 32: 1 3 144 256 in [-1, 1]."""
        return unpatch(self._to_picture(latent), PATCH).clamp(-1, 1)

    @torch.no_grad()
    def over(self, latent: Tensor, shown: Rendered, age: int) -> Tensor:
        """A dreamed latent (1 16 18 32) under what memory shows of its view; age: frames since the dream began."""
        strength = STRENGTH * min(1.0, age / YOUNG) * F.interpolate(shown.trust, scale_factor=2.0)
        change = strength * (shown.colours - self.picture(latent))
        latent = latent + F.conv2d(patchify(change, PATCH), self._to_latent.weight)
        return latent.clamp(-LATENT_BOUND, LATENT_BOUND)

    @torch.no_grad()
    def rendered(
        self, pictures: Tensor, log_depth: Tensor, poses: Tensor, target: Tensor, certainty: Tensor | None = None
    ) -> Rendered:
        """What N remembered views show of the target pose; where two do, the earlier in the list wins.

        pictures: N 3 144 256; log_depth: N 1 72 128; poses, target: N 5; certainty: how far each view is to be trusted,
        N in [0, 1], wholly if left out.
        """
        turn, offset = between(poses, target)
        ahead, view = _filled(depth_ahead(log_depth, turn, offset, self._rays))
        depth = ahead.clamp_max(BEYOND)
        # Each point is looked up in the view that shows it: where it lies there, and how far its pixels are apart.
        points, across, down = torch.zeros(3, 3, PIXELS).unbind()
        for number, (back, o) in enumerate(zip(turn.transpose(1, 2), offset, strict=True)):
            here = view == number
            points = torch.where(here, back @ (self._rays * depth - o * (depth < BEYOND)), points)
            across = torch.where(here, back[:, :1] * depth * (TAN_X / FRAME_WIDTH), across)
            down = torch.where(here, back[:, 1:2] * depth * (-TAN_Y / FRAME_HEIGHT), down)
        inside, trust = self._trust(points, depth, view, log_depth)
        known = inside & (ahead < torch.inf)
        if certainty is not None:
            trust = trust * certainty[view.long()]
        where = _each_pixel(points, across, down, view, len(pictures))
        colours = F.grid_sample(_stacked(pictures), where, padding_mode="border", align_corners=False)
        far, there, whose = (
            x.reshape(1, 1, THUMB_HEIGHT, THUMB_WIDTH) for x in (log_depth_of(ahead), known.float(), view.long())
        )
        return Rendered(colours, far, _in_company(trust * known), there, whose)

    def _trust(self, points: Tensor, depth: Tensor, view: Tensor, log_depth: Tensor) -> tuple[Tensor, Tensor]:
        """Whether each point (3 9216, in its view's camera space) lies in that view, and how far it is what the view
        shows there: 9216 each."""
        x, y, inside = (part[0] for part in project(points[None]))
        column = ((x + 1) * (THUMB_WIDTH / 2)).long().clamp(0, THUMB_WIDTH - 1)
        row = ((y + 1) * (THUMB_HEIGHT / 2)).long().clamp(0, THUMB_HEIGHT - 1)
        there = log_depth[view.long(), 0, row, column]
        away = points[2].clamp_min(NEAR)
        expected = log_depth_of(away)
        off = (expected - there) * (math.log(FAR / NEAR) / SAME)
        certain = torch.exp(-off.square()) * (LARGE * depth / away).clamp_max(1)
        return inside, torch.where((expected > SKY) & (there > SKY), 1.0, certain)


def _filled(ahead: Tensor) -> tuple[Tensor, Tensor]:
    """The depth at every point of the first of N views (N 1 72 128, metres) that knows it, and whose it is: 9216 each.

    The first wins even where another shows something nearer: more often than not, that was only imagined.
    """
    depth, view = ahead[0].flatten(), torch.zeros(PIXELS)
    for number in range(1, len(ahead)):
        unknown = depth == torch.inf
        depth, view = torch.where(unknown, ahead[number].flatten(), depth), torch.where(unknown, number, view)
    return depth, view


def _each_pixel(points: Tensor, across: Tensor, down: Tensor, view: Tensor, views: int) -> Tensor:
    """Where the frame's pixels lie in `views` pictures that are stacked, for grid_sample: 1 144 256 2. The four pixels
    of a point (3 9216) lie around it, by -+ `across` and `down`."""
    side = torch.tensor([-1.0, 1.0])
    split = (3, THUMB_HEIGHT, 1, THUMB_WIDTH, 1)
    pixels = points.reshape(split) + across.reshape(split) * side + down.reshape(split) * side[:, None, None]
    x, y, _ = project(pixels.reshape(1, 3, -1))
    half = 0.5 / FRAME_HEIGHT
    whose = view.reshape(split[1:]).expand(-1, 2, -1, 2).reshape(1, -1)
    row = ((y + 1) / 2).clamp(half, 1 - half) + whose
    return torch.stack([x, row * (2 / views) - 1], 2).reshape(1, FRAME_HEIGHT, FRAME_WIDTH, 2)


def _in_company(trust: Tensor) -> Tensor:
    """Trust (9216) without splinters: 1 1 72 128."""
    map_ = trust.reshape(1, 1, THUMB_HEIGHT, THUMB_WIDTH)
    around = F.avg_pool2d(F.avg_pool2d((map_ > SPLINTER).float(), 2), 3, 1, 1)
    company = F.interpolate(around, scale_factor=2.0, mode="bilinear")
    return map_ * ((company - COMPANY) * (1.5 / (1 - COMPANY))).clamp(0, 1)


def _stacked(views: Tensor) -> Tensor:
    """N C H W -> 1 C (N H) W, one below the other, so that every pixel can be looked up in another one at once."""
    return views.transpose(0, 1).flatten(1, 2)[None]
