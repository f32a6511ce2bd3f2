"""Example latents that may explain another one, laid out so that comparing and mixing them takes a millisecond."""

from __future__ import annotations

import math
from functools import cache

import torch
from torch import Tensor
from torch.nn import functional as F

from genie_lite.camera import TAN_Y, THUMB_HEIGHT
from genie_lite.model.autoencoder import LATENT_CHANNELS, LATENT_HEIGHT, LATENT_WIDTH

_CELLS = LATENT_HEIGHT * LATENT_WIDTH


class Candidates:
    """numbers: N int64, which examples they are; latents: N 16 18 32; log_prior: N 18 32, the logarithm of how likely
    each is beforehand, cell by cell; depths: N 16 18 32, log-depth of the 4x4 thumbnail pixels of each cell."""

    def __init__(self, numbers: Tensor, latents: Tensor, log_prior: Tensor, depths: Tensor) -> None:
        self.numbers, self.latents, self.log_prior, self.depths = numbers, latents, log_prior, depths
        # Cell by cell and in both orders, for products of a contiguous matrix are ten times as fast.
        self._cells, self._depths = (part.flatten(2).permute(2, 0, 1).contiguous() for part in (latents, depths))
        self._columns = self._cells.transpose(1, 2).contiguous()
        self._squares = self._cells.square().sum(2)

    def error(self, latent: Tensor, scale: float = 1.0) -> Tensor:
        """Mean squared difference over the channels between a latent (1 16 18 32) and each candidate times `scale`:
        N 18 32."""
        cells = latent.reshape(LATENT_CHANNELS, _CELLS).T.contiguous()
        alike = torch.bmm(cells[:, None], self._columns)[:, 0]
        squares = cells.square().sum(1, keepdim=True) + scale**2 * self._squares
        return ((squares - 2 * scale * alike) / LATENT_CHANNELS).T.reshape(-1, LATENT_HEIGHT, LATENT_WIDTH)

    def latent(self, share: Tensor) -> Tensor:
        """The candidates' mean, 1 16 18 32, by `shares`."""
        return _mean(self._cells, share)

    def depth(self, share: Tensor) -> Tensor:
        """The candidates' mean log-depth, 1 1 72 128, by `shares`."""
        return F.pixel_shuffle(_mean(self._depths, share), THUMB_HEIGHT // LATENT_HEIGHT)

    def tilted(self, pitch: float) -> Candidates:
        """The same, which look about level, moved up or down by whole cells to where an eye at `pitch` looks."""
        rows = (torch.arange(LATENT_HEIGHT) - cells_of(pitch)).clamp(0, LATENT_HEIGHT - 1)
        return Candidates(self.numbers, self.latents[:, :, rows], self.log_prior, self.depths[:, :, rows])


def shares(log_share: Tensor) -> Tensor:
    """What part each candidate has in each cell, N 18 32, by the logarithm of their unnormalised shares; parts pass
    into each other over three cells."""
    return blurred(log_share.softmax(0), (3, 3))


def _mean(cells: Tensor, share: Tensor) -> Tensor:
    mean = torch.bmm(share.reshape(-1, _CELLS).T.contiguous()[:, None], cells)[:, 0]
    return mean.T.reshape(1, cells.shape[2], LATENT_HEIGHT, LATENT_WIDTH)


def cells_of(pitch: float) -> int:
    """By how many cells the view moves down when the eye looks up by `pitch` radians."""
    return round(math.tan(pitch) / TAN_Y * LATENT_HEIGHT / 2)


def blurred(x: Tensor, window: tuple[int, int]) -> Tensor:
    """Mean over a window, as far as it lies within the picture: ... H W -> ... H W."""
    return _band(x.shape[-2], window[0], x.device) @ x @ _band(x.shape[-1], window[1], x.device).T


@cache
def _band(size: int, width: int, device: torch.device) -> Tensor:
    """size size: each row the mean over `width` neighbours. A product with it is far quicker than pooling."""
    place = torch.arange(size, device=device)
    near = ((place[:, None] - place).abs() <= width // 2).float()
    return near / near.sum(1, keepdim=True)
