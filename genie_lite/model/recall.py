"""Recall: what remembered pictures show of the coming view at the frame's full size, put over a dreamed latent.

A network that is unsure answers with a mean, so what is dreamed from one frame to the next blurs within a second. What
has been seen need not be dreamed: it is carried over from the view that saw it, pixel by pixel, as far as depth can be
trusted. Latents are close to a linear map of pictures (see Autoencoder.start_from_pca), so that putting pictures over a
latent takes no network.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional as F

from genie_lite.camera import FAR, FRAME_HEIGHT, FRAME_WIDTH, NEAR, TAN_X, TAN_Y, THUMB_HEIGHT, THUMB_WIDTH
from genie_lite.model.autoencoder import LATENT_BOUND, PATCH, Autoencoder
from genie_lite.model.layers import patchify, unpatch
from genie_lite.model.memory import with_depth
from genie_lite.model.reproject import (
    BEYOND,
    PIXELS,
    SKY,
    Surfaces,
    between,
    camera_rays,
    depth_ahead,
    nearest_around,
    pixel_at,
    project,
    skyline,
)
from genie_lite.model.reproject import log_depth as log_depth_of

STRENGTH = 0.8
"""Share of the way to what is recalled that each step goes, where it is certain."""

YOUNG = 24
"""Frames of a dream until it goes that far: one that follows the truth has nothing to mend yet."""

SAME = 0.15
"""By how much (as a logarithm) the depth where a pixel is looked up may differ from the depth it should have there."""

LARGE, LARGE_EXACT = 1.6, 4.0
"""How much larger than it was seen a thing may be drawn before it is trusted less: where its depth was read off a
picture, and where it is known."""

RATHER = 0.5
"""How much less the first view must be trusted than another for the other to be shown."""

SOFT = 9
"""Pixels of a thumbnail around one that must all be shown for it to be taken wholly, so that edges are soft."""

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

    def within(self) -> Tensor:
        """Which pixels are shown, less and less towards the edge of what is: 1 1 72 128."""
        around = F.avg_pool2d(self.known, SOFT, 1, SOFT // 2, count_include_pad=False)
        return self.known * (2 * around - 1).clamp_min(0)

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
    def sky_of(self, picture: Tensor, log_depth: Tensor) -> Tensor:
        """The picture (N 3 144 256) as if nothing stood before its sky, whose colours go on from where it is clear
        (push-pull, Gortler et al. 1996, The lumigraph); log_depth: N 1 72 128."""
        # Beside a thing the sky has some of its colours.
        clear = -F.max_pool2d(-(log_depth > SKY).float(), 3, 1, 1)
        known = [torch.cat([F.avg_pool2d(picture, 2) * clear, clear], 1)]
        while min(known[-1].shape[-2:]) > 1:
            known.append(F.avg_pool2d(known[-1], 2, ceil_mode=True))
        filled = known.pop()
        while known:
            finer = known.pop()
            wide = F.interpolate(filled / filled[:, 3:].clamp_min(1e-6), size=finer.shape[-2:], mode="bilinear")
            filled = finer + (1 - finer[:, 3:]) * wide
        clear, filled = (F.interpolate(x, scale_factor=2.0, mode="bilinear") for x in (clear, filled))
        return torch.where(clear > 0.99, picture, filled[:, :3])

    @torch.no_grad()
    def over(self, latent: Tensor, shown: Rendered, age: int) -> Tensor:
        """A dreamed latent (1 16 18 32) under what memory shows of its view; age: frames since the dream began."""
        return self.laid_over(latent, shown.colours, STRENGTH * min(1.0, age / YOUNG) * shown.trust)

    @torch.no_grad()
    def laid_over(self, latent: Tensor, picture: Tensor, share: Tensor) -> Tensor:
        """A latent (1 16 18 32) that goes a share (1 1 72 128) of its way to a picture (1 3 144 256)."""
        change = F.interpolate(share, scale_factor=2.0) * (picture - self.picture(latent))
        latent = latent + F.conv2d(patchify(change, PATCH), self._to_latent.weight)
        return latent.clamp(-LATENT_BOUND, LATENT_BOUND)

    @torch.no_grad()
    def rendered(
        self,
        pictures: Tensor,
        skies: Tensor,
        log_depth: Tensor,
        poses: Tensor,
        target: Tensor,
        certainty: Tensor | None = None,
        exact: Tensor | None = None,
    ) -> Rendered:
        """What N remembered views show of the target pose; where two do, the earlier in the list wins (see `_best`).

        pictures: N 3 144 256; skies: the same without what stands before the sky (see `sky_of`); log_depth:
        N 1 72 128; poses, target: N 5; certainty: how far each view is to be trusted, N in [0, 1], wholly if left out;
        exact: whether the depth of each is known (N, bool), of none if left out.
        """
        turn, offset = between(poses, target)
        surfaces = Surfaces(log_depth)
        ahead, larger = depth_ahead(surfaces, turn, offset, self._rays, skyline(log_depth))
        depth = ahead.clamp_max(BEYOND).flatten(1)
        # Each point is looked up in the views: where it lies there, and how far its pixels are apart.
        back = turn.transpose(1, 2)
        points = back @ (self._rays * depth[:, None] - offset * (depth < BEYOND)[:, None])
        x, y, inside = project(points)
        known = inside & (ahead.flatten(1) < torch.inf)
        large = LARGE if exact is None else torch.where(exact, LARGE_EXACT, LARGE)[:, None]
        pixel = pixel_at(x, y)
        trust = self._trust(x, y, points[:, 2], depth, surfaces, (large / larger).gather(1, pixel)) * known
        if certainty is not None:
            trust = trust * certainty[:, None]
        view = _best(trust, known)
        one = view[None]
        depth, known, trust = (part.gather(0, one)[0] for part in (depth, known, trust))
        across = back[:, :, 0].T.index_select(1, view) * (depth * (TAN_X / FRAME_WIDTH))
        down = back[:, :, 1].T.index_select(1, view) * (depth * (-TAN_Y / FRAME_HEIGHT))
        # A thing has the colours that the sky has beside it, but leaves none behind when it is past.
        far = ahead.flatten(1).gather(0, one)
        by_things = nearest_around(far.reshape(1, 1, THUMB_HEIGHT, THUMB_WIDTH)).flatten() < BEYOND
        sky = surfaces.sky.gather(1, pixel).gather(0, one)[0]
        whose = view + len(pictures) * ((far[0] == BEYOND) & ~(by_things & sky))
        at = points.gather(0, view.expand(1, 3, -1))[0]
        where = _each_pixel(at, across, down, whose, 2 * len(pictures))
        # One below the other, every pixel can be looked up in another one at once.
        stacked = torch.cat([*pictures, *skies], 1)[None]
        colours = F.grid_sample(stacked, where, padding_mode="border", align_corners=False)
        there, shown, seen_by = (
            part.reshape(1, 1, THUMB_HEIGHT, THUMB_WIDTH) for part in (log_depth_of(far), known.float(), view)
        )
        return Rendered(colours, there, _in_company(trust), shown, seen_by)

    def _trust(self, x: Tensor, y: Tensor, away: Tensor, depth: Tensor, surfaces: Surfaces, enough: Tensor) -> Tensor:
        """How far what each view shows at x and y is the point `away` metres ahead of it, by whether its pixels there
        are large enough (below 1, they are not); depth: where the point is to be. All N 9216."""
        off = (away.clamp(NEAR, FAR) * surfaces.closeness_at(x, y).clamp(1 / FAR, 1 / NEAR)).log() / SAME
        certain = torch.exp(-off.square()) * enough.clamp_max(1)
        return torch.where(depth == BEYOND, 1.0, certain)


def _best(trust: Tensor, known: Tensor) -> Tensor:
    """Which of N views is to show each point: 9216.

    The first wins even where another shows something nearer, for more often than not that was only imagined, but not
    where it is trusted less than RATHER times as much.
    """
    n = len(trust)
    around = F.avg_pool2d(trust.reshape(1, n, THUMB_HEIGHT, THUMB_WIDTH), 3, 1, 1).reshape(n, PIXELS)
    worth = torch.where(known, around + 1e-3, 0.0)
    view, most = torch.zeros(PIXELS, dtype=torch.int64), worth[0] / RATHER
    for number in range(1, n):
        better = worth[number] > most
        view, most = torch.where(better, number, view), torch.where(better, worth[number], most)
    return view


def _each_pixel(points: Tensor, across: Tensor, down: Tensor, view: Tensor, views: int) -> Tensor:
    """Where the frame's pixels lie in `views` pictures that are stacked, for grid_sample: 1 144 256 2. The four pixels
    of a point (3 9216) lie around it, by -+ `across` and `down`."""
    beside = torch.stack([points - across, points + across])
    x, y, _ = project(torch.cat([beside - down, beside + down]))
    edge = 1 - 1 / FRAME_HEIGHT
    y = (y.clamp(-edge, edge) + (2 * view + (1 - views))) / views
    # Written where they belong at once, which takes a fifth of the time that stacking and permuting does.
    where = points.new_empty(THUMB_HEIGHT, 2, THUMB_WIDTH, 2, 2)
    for axis, at in enumerate((x, y)):
        where[..., axis].permute(1, 3, 0, 2).copy_(at.reshape(2, 2, THUMB_HEIGHT, THUMB_WIDTH))
    return where.reshape(1, FRAME_HEIGHT, FRAME_WIDTH, 2)


def _in_company(trust: Tensor) -> Tensor:
    """Trust (9216) without splinters: 1 1 72 128."""
    map_ = trust.reshape(1, 1, THUMB_HEIGHT, THUMB_WIDTH)
    around = F.avg_pool2d(F.avg_pool2d((map_ > SPLINTER).float(), 2), 3, 1, 1)
    company = F.interpolate(around, scale_factor=2.0, mode="bilinear")
    return map_ * ((company - COMPANY) * (1.5 / (1 - COMPANY))).clamp(0, 1)
