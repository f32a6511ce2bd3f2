"""Fits what falls from the sky (model/weather.py) to the simulator: flakes and streaks are a still eye's pictures, less
what is there in most of them."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional as F

from genie_lite.data.skies import still_films
from genie_lite.model.weather import COLOUR_FEATURES, KINDS, MEANT, Weather, sky_features

OPACITY = {"snowfall": 0.9, "rain": 0.5}
"""How opaque a flake and a streak are at most: what a picture shows of their colour is that share of it."""

PLACES, SKIES, STILL = 8, 24, 12
"""Where and under which skies colours are looked at, and for how many frames each."""

STANDS_OUT = 16.0
"""Grey levels by which something has to differ from what is behind it for its colour to be known."""

FAINTEST = 0.06
"""What is less opaque is no flake but a cloud that moves."""


def fit_weather(weather: Weather, world: str) -> dict[str, Any]:
    """Sets every buffer, and says how it was done. A world in which nothing falls leaves them at zero. Raises
    RenderError where the world cannot draw."""
    made: dict[str, Any] = {}
    for number, (kind, count) in enumerate(KINDS.items()):
        skies: list[Tensor] = []
        colours: list[Tensor] = []
        for looked, (film, conditions) in enumerate(still_films(world, PLACES, SKIES, STILL, kind)):
            if looked == SKIES and not colours:
                break  # nothing falls in this world
            colour = colour_of(film, OPACITY[kind])
            if colour is not None:
                skies.append(torch.from_numpy(conditions))
                colours.append(torch.from_numpy(colour / 127.5 - 1).float())
        if len(skies) < COLOUR_FEATURES:
            continue
        features, wanted = sky_features(torch.stack(skies)), torch.stack(colours)
        within = features.T @ features + 0.003 * len(features) * torch.eye(COLOUR_FEATURES)
        fitted = torch.linalg.solve(within, features.T @ wanted)
        weather.colours[number] = fitted
        film, conditions = next(iter(still_films(world, 1, 1, count, kind, MEANT)))
        colour = (sky_features(torch.from_numpy(conditions)[None]) @ fitted)[0].clamp(-1, 1)
        getattr(weather, kind).copy_(opacity_of(film, 127.5 * (colour + 1)))
        off = (features @ fitted - wanted).abs().mean()
        made[kind] = {"skies": len(skies), "colour_error": round(float(off) * 127.5, 2)}
    return made


def colour_of(film: NDArray[np.uint8], opacity: float) -> NDArray[np.float64] | None:
    """What colour falls through a still eye's film (T, 144, 256, 3): that of the points that stand out most, as if they
    were not seen through. None if nothing stands out."""
    behind = np.median(film, 0)
    apart = film.astype(np.float64) - behind
    strength = np.abs(apart).mean(3)
    if strength.max() < STANDS_OUT:
        return None
    times, rows, columns = np.nonzero(strength >= 0.8 * strength.max())
    seen = behind[rows, columns] + apart[times, rows, columns] / opacity
    colour: NDArray[np.float64] = np.median(seen, 0).clip(0, 255)
    return colour


def opacity_of(film: NDArray[np.uint8], colour: Tensor) -> Tensor:
    """How opaque something of that colour (3,) is in each point of the film: T 72 128 in [0, 1]."""
    frames = torch.from_numpy(film).float()
    behind = frames.median(0).values
    way = colour - behind
    share = ((frames - behind) * way).sum(3) / way.square().sum(2).clamp_min(300.0)
    share = torch.where(share < FAINTEST, 0.0, share).clamp(0, 1)
    return F.avg_pool2d(share[None], 2)[0]
