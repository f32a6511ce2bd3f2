"""Another light over what is seen and remembered, as hour and weather change, and what falls from the sky before it.

Dynamics, memory and an eye at rest all hold on to what was there, and that includes its light (light.py).
"""

from __future__ import annotations

from torch import Tensor
from torch.nn import functional as F

from genie_lite.model.autoencoder import PATCH, Autoencoder
from genie_lite.model.layers import patchify
from genie_lite.model.light import Light
from genie_lite.model.weather import Weather


class Relight:
    """Puts latents into another light, and behind what falls."""

    def __init__(self, autoencoder: Autoencoder, weather: Weather) -> None:
        self._encode = autoencoder.encoder.linear.weight.detach().clone()
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

    def in_weather(self, latent: Tensor, thumbnail: Tensor, conditions: Tensor, pose: Tensor, index: int) -> Tensor:
        """The latent (1 16 18 32) with what falls in front of it, to be shown and not to be dreamed on from.

        thumbnail: of the latent, 1 4 72 128; conditions: 1 18; pose: of the eye, 1 5; index: of the frame.
        """
        change = self._weather.change(thumbnail[:, :3], conditions, index, float(pose[0, 3]), float(pose[0, 4]))
        if change is None:
            return latent
        large = F.interpolate(change, scale_factor=2.0, mode="nearest")
        return latent + F.conv2d(patchify(large, PATCH), self._encode)
