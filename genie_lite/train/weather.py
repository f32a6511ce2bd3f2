"""Fits light and weather (model/weather.py) to the simulator. Light: places under many skies. Flakes and streaks: a
still eye's pictures, less what is there in most of them."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional as F

from genie_lite.data.skies import Views, places_under_skies, still_films
from genie_lite.model.light import SKY_FEATURES, Light, distances, follow, heights, sky_features
from genie_lite.model.weather import KINDS, MEANT, Weather

OPACITY = {"snowfall": 0.9, "rain": 0.5}
"""How opaque a flake and a streak are at most: what a picture shows of their colour is that share of it."""

PLACES, SKIES, STILL = 8, 24, 12
"""Where and under which skies colours are looked at, and for how many frames each."""

LIT_PLACES, LIT_SKIES, LIGHT_STEPS = 200, 16, 3000
"""How many places, under how many skies each, the light is learnt from, and for how many batches."""

PAIRS, PIXELS = 64, 256
"""How many places, and how many pixels of each, a batch has."""

DARK = 0.15
"""The brightness, of 1, below which errors weigh hardly more."""

STANDS_OUT = 16.0
"""Grey levels by which something has to differ from what is behind it for its colour to be known."""

FAINTEST = 0.06
"""What is less opaque is no flake but a cloud that moves."""


def fit_weather(weather: Weather, world: str) -> dict[str, Any]:
    """Sets every buffer, and says how it was done. A world in which nothing falls leaves them at zero. Raises
    RenderError where the world cannot draw."""
    views = places_under_skies(world, LIT_PLACES, LIT_SKIES, still=True)
    made: dict[str, Any] = {"light": fit_light(weather.light, views, LIT_SKIES)}
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
        if len(skies) < SKY_FEATURES:
            continue
        features, wanted = sky_features(torch.stack(skies)), torch.stack(colours)
        within = features.T @ features + 0.003 * len(features) * torch.eye(SKY_FEATURES)
        fitted = torch.linalg.solve(within, features.T @ wanted)
        weather.colours[number] = fitted
        film, conditions = next(iter(still_films(world, 1, 1, count, kind, MEANT)))
        colour = (sky_features(torch.from_numpy(conditions)[None]) @ fitted)[0].clamp(-1, 1)
        getattr(weather, kind).copy_(opacity_of(film, 127.5 * (colour + 1)))
        off = (features @ fitted - wanted).abs().mean()
        made[kind] = {"skies": len(skies), "colour_error": round(float(off) * 127.5, 2)}
    return made


def fit_light(light: Light, views: Views, skies: int) -> dict[str, float]:
    """Fits the light to places that were seen by a still eye under so many skies each; gives the mean error in grey
    levels with which it tells what one looks like under another of its skies, and that of telling nothing."""
    pixels = _Pixels(views, skies)
    light.requires_grad_(True)
    optimizer = torch.optim.AdamW(light.parameters(), 3e-3, weight_decay=0.01)
    for step in range(LIGHT_STEPS):
        optimizer.param_groups[0]["lr"] = 3e-3 * (1 - step / LIGHT_STEPS)
        told, true, _ = pixels.draw(light)
        # In the dark small differences are seen too.
        off = F.smooth_l1_loss(told / (true + DARK), true / (true + DARK), beta=0.1)
        optimizer.zero_grad()
        off.backward()
        optimizer.step()
    light.requires_grad_(False)
    told, true, before = (torch.cat(x) for x in zip(*(pixels.draw(light) for _ in range(50)), strict=True))
    errors = {"error": told.clamp(0, 1) - true, "error_unchanged": before - true}
    return {name: round(float(error.abs().mean()) * 255, 2) for name, error in errors.items()}


class _Pixels:
    """Pixels of places, each under two skies."""

    def __init__(self, views: Views, skies: int) -> None:
        self.skies, self.places = skies, len(views.frames) // skies
        frames = torch.from_numpy(views.frames).permute(0, 3, 1, 2)
        self.colours = torch.cat([F.avg_pool2d(some.float() / 255, 2) for some in frames.split(64)])
        self.far = distances(torch.from_numpy(views.depth).float())
        self.sky = sky_features(torch.from_numpy(views.conditions))
        self.height = heights(torch.from_numpy(views.pitch))
        self.random = torch.Generator().manual_seed(0)

    def draw(self, light: Light) -> tuple[Tensor, Tensor, Tensor]:
        """What the light makes of some pixels under another sky, what they are there, and what they were: N 3 each, in
        [0, 1]."""

        def some(most: int) -> Tensor:
            return torch.randint(most, (PAIRS, 1), generator=self.random)

        place = some(self.places) * self.skies
        one, other = place + some(self.skies), place + some(self.skies)
        row, column = (torch.randint(n, (PAIRS, PIXELS), generator=self.random) for n in self.far.shape[1:])
        before, true = (self.colours[at, :, row, column] for at in (one, other))
        height, far = (x[one, row, column][..., None] for x in (self.height, self.far))
        lit = [light(self.sky[at].expand(-1, PIXELS, -1), height, far) for at in (one, other)]
        (air, gain), (other_air, other_gain) = (x.chunk(2, -1) for x in lit)
        told = follow(before, air, other_air, other_gain - gain)
        return told.flatten(0, 1), true.flatten(0, 1), before.flatten(0, 1)


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
