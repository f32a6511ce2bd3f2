"""What hour and weather do to a picture: the light (light.py), and falling snow and rain, laid over it.

A network that answers doubt with a mean draws no flakes: where they are cannot be foretold, so their mean is nothing.
So they are not dreamed but shown: how opaque they make each point of a still eye's picture was worked out once, by
comparing the simulator's pictures with and without them (train/weather.py), and is played over and over, moved along
as the eye turns. Neither memory nor dynamics sees them, so that no flake is ever remembered as a thing.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from genie_lite.camera import THUMB_HEIGHT, THUMB_WIDTH, VERTICAL_FOV
from genie_lite.conditions import CONDITION_NAMES
from genie_lite.model.light import SKY_FEATURES, Light, sky_features

KINDS = {"snowfall": 32, "rain": 6}
"""What falls, and how many frames of it are kept: flakes are to be followed with the eye, streaks are not."""

MEANT = 0.75
"""The strength that was looked at; weaker weather is fainter."""

BLEND = 8
"""Frames over which the end of the film goes over into its beginning."""

_ROWS_A_RADIAN = THUMB_HEIGHT / VERTICAL_FOV


class Weather(nn.Module):
    """How opaque what falls is, by kind: frames N 72 128 in [0, 1]; linear in what the sky is like, its colour; and the
    light."""

    def __init__(self) -> None:
        super().__init__()
        self.colours: Tensor
        for kind, frames in KINDS.items():
            self.register_buffer(kind, torch.zeros(frames, THUMB_HEIGHT, THUMB_WIDTH))
        self.register_buffer("colours", torch.zeros(len(KINDS), SKY_FEATURES, 3))
        self.light = Light()

    def change(self, picture: Tensor, conditions: Tensor, index: int, yaw: float, pitch: float) -> Tensor | None:
        """What to add to a picture, 1 3 72 128 in [-1, 1], under conditions 1 18; None where nothing falls. index: of
        the frame; yaw, pitch: of the eye, in radians."""
        added = None
        for kind, colours in zip(KINDS, self.colours, strict=True):
            strength = min(1.0, float(conditions[0, CONDITION_NAMES.index(kind)]) / MEANT)
            if strength < 0.02 or not colours.any():
                continue
            opaque = strength * self._opaque(kind, index)
            moved = torch.roll(opaque, (round(pitch * _ROWS_A_RADIAN), round(-yaw * _ROWS_A_RADIAN)), (0, 1))
            colour = (sky_features(conditions) @ colours).clamp(-1, 1).reshape(1, 3, 1, 1)
            below = picture if added is None else picture + added
            over = moved * (colour - below)
            added = over if added is None else added + over
        return added

    def _opaque(self, kind: str, index: int) -> Tensor:
        """72 128; a film of flakes has no end that can be seen."""
        film: Tensor = getattr(self, kind)
        if kind == "rain":
            return film[index % len(film)]
        length = len(film) - BLEND
        at = index % length
        if at >= BLEND:
            return film[at]
        return torch.lerp(film[length + at], film[at], (at + 1) / (BLEND + 1))
