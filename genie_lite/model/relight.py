"""Another light over what is seen and remembered, as hour and weather change, and what falls from the sky before it.

Dynamics, memory and an eye at rest all hold on to what was there, and that includes its light (light.py).
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F

from genie_lite.model.autoencoder import LATENT_BOUND, PATCH, Autoencoder
from genie_lite.model.layers import patchify
from genie_lite.model.light import Light, gain_of
from genie_lite.model.weather import Weather


class Relight:
    """Puts latents into another light, and behind what falls."""

    def __init__(self, autoencoder: Autoencoder, weather: Weather) -> None:
        self._encode = autoencoder.encoder.linear.weight.detach().clone()
        # The same maps for a thumbnail's pixels: 48 of a cell, in the order of `pixel_unshuffle`.
        decode = autoencoder.frame.linear
        assert decode.bias is not None
        self._to_thumbnail = _coarse(decode.weight.detach()[:, :, 0, 0]).div(4)[..., None, None]
        self._level = _coarse(decode.bias.detach()[:, None])[:, 0] / 4
        self._from_thumbnail = _coarse(self._encode[:, :, 0, 0].T).T.contiguous()[..., None, None]
        self._weather = weather

    @property
    def light(self) -> Light:
        """What it is learnt from."""
        return self._weather.light

    def change(self, frame: Tensor, log_depth: Tensor, pose: Tensor, before: Tensor, after: Tensor) -> Tensor:
        """What to add to the latent of a frame (1 3 144 256 in [-1, 1], log-depth 1 1 72 128, seen from pose 1 5) when
        conditions (1 18) become others: 1 16 18 32."""
        relit = self.light.relit(frame, log_depth, pose[:, 4].float(), before, after)
        return F.conv2d(patchify(relit - frame, PATCH), self._encode)

    @torch.no_grad()
    def views(self, latents: Tensor, log_depth: Tensor, before: Tensor, after: Tensor) -> Tensor:
        """Latents of level views, N 16 18 32, with their log-depth, N 1 72 128, as they would be under other
        conditions, N 18 each: about a millisecond a view, for all is done with a thumbnail's pixels, cell by cell."""
        air, other_air, gain = self.light.lines(log_depth, torch.zeros(len(latents)), before, after)
        gain = gain_of(gain)
        lifted, gain = (F.pixel_unshuffle(line, PATCH // 2) for line in (2 * (other_air - air * gain), gain - 1))
        colours = F.conv2d(latents, self._to_thumbnail, self._level) + 1
        return (latents + F.conv2d(lifted + gain * colours, self._from_thumbnail)).clamp(-LATENT_BOUND, LATENT_BOUND)

    def in_weather(self, latent: Tensor, thumbnail: Tensor, conditions: Tensor, pose: Tensor, index: int) -> Tensor:
        """The latent (1 16 18 32) with what falls in front of it, to be shown and not to be dreamed on from.

        thumbnail: of the latent, 1 4 72 128; conditions: 1 18; pose: of the eye, 1 5; index: of the frame.
        """
        change = self._weather.change(thumbnail[:, :3], conditions, index, float(pose[0, 3]), float(pose[0, 4]))
        if change is None:
            return latent
        large = F.interpolate(change, scale_factor=2.0, mode="nearest")
        return latent + F.conv2d(patchify(large, PATCH), self._encode)


def _coarse(of_pixels: Tensor) -> Tensor:
    """What belongs to the 192 numbers of a patch (see `patchify`), 192 C, summed up over each 2x2 pixels: 48 C."""
    side = PATCH // 2
    return of_pixels.reshape(side, 2, side, 2, 3, -1).sum((1, 3)).permute(2, 0, 1, 3).reshape(3 * side**2, -1)
