"""Fits light and weather (model/weather.py) to the simulator. Light: places under many skies. Flakes and streaks: a
still eye's pictures, less what is there in most of them."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional as F

from genie_lite.data.skies import places_under_skies, still_films
from genie_lite.model.weather import COLOUR_FEATURES, KINDS, MEANT, ROWS, Weather, sky_features

OPACITY = {"snowfall": 0.9, "rain": 0.5}
"""How opaque a flake and a streak are at most: what a picture shows of their colour is that share of it."""

PLACES, SKIES, STILL = 8, 24, 12
"""Where and under which skies colours are looked at, and for how many frames each."""

LIT_PLACES, LIT_SKIES, LIGHT_STEPS = 200, 16, 4000
"""How many places, under how many skies each, the light of rows is learnt from, and for how many batches."""

DARKEST = 0.08
"""No mean colour counts as darker than this, of 2 (white)."""

STANDS_OUT = 16.0
"""Grey levels by which something has to differ from what is behind it for its colour to be known."""

FAINTEST = 0.06
"""What is less opaque is no flake but a cloud that moves."""


def fit_weather(weather: Weather, world: str) -> dict[str, Any]:
    """Sets every buffer, and says how it was done. A world in which nothing falls leaves them at zero. Raises
    RenderError where the world cannot draw."""
    made: dict[str, Any] = {"light": fit_light(weather, *places_under_skies(world, LIT_PLACES, LIT_SKIES)[::2])}
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


def fit_light(weather: Weather, frames: NDArray[np.uint8], conditions: NDArray[np.float32]) -> dict[str, float]:
    """Fits the light to frames, uint8 (N, 144, 256, 3), and their conditions (N, 18); gives its mean error, as a share
    of the brightness."""
    means = frames.reshape(len(frames), ROWS, -1, 3).mean(2, dtype=np.float32)
    wanted = torch.from_numpy(means / 127.5).clamp_min(DARKEST).log().transpose(1, 2).unsqueeze(3)
    known = torch.from_numpy(conditions)
    weather.light.requires_grad_(True)
    last = weather.light[4]
    assert isinstance(last, nn.Linear)
    last.bias.data = wanted.mean(0).flatten()
    optimizer = torch.optim.AdamW(weather.light.parameters(), 3e-3, weight_decay=0.01)
    random = torch.Generator().manual_seed(0)
    for step in range(LIGHT_STEPS):
        optimizer.param_groups[0]["lr"] = 3e-3 * (1 - step / LIGHT_STEPS)
        pick = torch.randint(len(known), (256,), generator=random)
        off = F.smooth_l1_loss(weather.brightness(known[pick]), wanted[pick], beta=0.2)
        optimizer.zero_grad()
        off.backward()
        optimizer.step()
    weather.light.requires_grad_(False)
    with torch.no_grad():
        return {"error": round(float((weather.brightness(known) - wanted).abs().mean()), 3)}


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
