"""The lie of the land: biome weights, heights and ground colours as functions of (x, y), without edges or state."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from genie_lite.conditions import BIOMES, Conditions
from genie_lite.worlds.landscape.noise import Floats, noise, octaves, smoothstep, uniform

Colours = NDArray[np.float32]

WATER_LEVEL = 0.0
"""Height of every lake, metres."""

BIOME_WAVELENGTH = 260.0


def rgb(codes: str) -> Colours:
    """float32 (N, 3) in [0, 1] from N codes such as "7DB84F BB9A48"."""
    return np.array([[int(code[i : i + 2], 16) / 255 for i in (0, 2, 4)] for code in codes.split()], np.float32)


# One row for each of BIOMES: metres of hills, knolls, bumps, mountains, dunes.
RELIEF = np.array(
    [
        [9.0, 2.4, 0.6, 30.0, 0.0],
        [9.0, 2.8, 0.65, 34.0, 0.0],
        [10.0, 3.0, 0.6, 58.0, 0.0],
        [5.0, 1.2, 0.25, 30.0, 4.5],
        [8.0, 4.0, 0.80, 56.0, 0.0],
        [8.0, 2.8, 0.6, 40.0, 0.0],
        [1.4, 1.7, 0.7, 10.0, 0.0],
        [8.0, 4.0, 0.7, 46.0, 0.0],
    ]
)
GROUND = rgb("74AE4A B89544 E6EDF6 E2BA7C 574F58 5BAA50 76914B 5E5096")
PATCHES = rgb("9DC25A C47C3A D2DFF0 D49C5C 453F47 86BE54 9AA052 7E549E")
STEEP = rgb("958C7C 8F7968 8794A9 C27C4C 63504F 8F806C 6F6B57 403B6B")
SHORE = rgb("E4D39C D1BA8A C8D7E6 EFDCA6 5E3A33 F6E6B6 787443 58C9BA")
SHALLOW = rgb("74CBCB 74B6B8 C4E8F1 7AD8C6 FF6A16 78E6D4 86A884 74F0E2")
DEEP = rgb("2B82AE 2F6A92 6CA9CC 2A98A6 FFB52E 1A98BC 3F6E68 3C5FD6")
LAVA, SNOWY = BIOMES.index("volcanic"), BIOMES.index("snow")
LAVA_GLOW = rgb("FF7A22")[0]


class Terrain:
    """Terrain of one seed under the conditions' biome mix, ruggedness and water share."""

    def __init__(self, conditions: Conditions, seed: int) -> None:
        self._seed = seed * 101
        mix = np.array(conditions.biomes)
        self._active = np.flatnonzero(mix > 0.01)
        self._mix = mix[self._active] / mix[self._active].sum()
        self.active: list[int] = self._active.tolist()
        """The numbers of the biomes there are."""
        self.pure = np.eye(len(BIOMES))[self.active[0]] if len(self.active) == 1 else None
        """The weights (8,) everywhere, if there is one biome only."""
        ruggedness = conditions.ruggedness
        self._scale = np.array(
            [0.3 + 1.2 * ruggedness, 0.3 + 1.4 * ruggedness, 0.5 + ruggedness, 0.12 + 1.9 * ruggedness, 1.0]
        )
        self._shift = 0.0
        self._shift = self._water_shift(conditions.water)

    def _water_shift(self, water: float) -> float:
        """How far the land is moved so that about half of `water` of the plain around the start lies under water."""
        x, y = np.random.default_rng(self._seed).uniform(-350, 350, (2, 1500))
        heights = self.height(x, y)
        return -float(np.quantile(heights, 0.5 * water)) if water > 0.02 else 1.5 - float(heights.min())

    def biomes(self, x: Floats, y: Floats) -> Floats:
        """Weights of all biomes, (8, ...) for points (...); they sum to 1 and follow the mix on average."""
        weights = np.zeros((len(BIOMES), *x.shape))
        if len(self._active) == 1:
            weights[self._active[0]] = 1.0
            return weights
        seeds = (self._seed + 11 + self._active).reshape(-1, *[1] * x.ndim)
        wavelengths = np.reshape((BIOME_WAVELENGTH, 60.0), (2, 1, *[1] * x.ndim))
        wide, narrow = noise(x, y, wavelengths, np.stack([seeds, seeds + 50]))
        field = wide + 0.25 * narrow
        share = np.exp(9.0 * field) * (self._mix**1.5).reshape(seeds.shape)
        weights[self._active] = share / share.sum(0)
        return weights

    def height(self, x: Floats, y: Floats, weights: Floats | None = None) -> Floats:
        """Metres above the water level at points (x, y); `weights` as `biomes` gives them, if they are at hand."""
        weights = self.biomes(x, y) if weights is None else weights
        relief = np.tensordot(RELIEF * self._scale, weights, (0, 0))
        plateau, crags, hills, knolls, bumps = octaves(x, y, (330.0, 95.0, 170.0, 58.0, 21.0), self._seed + 1)
        plateau, crags = smoothstep(-0.15, 0.5, plateau), 0.55 + 0.45 * (1 - 2 * np.abs(crags))
        height = relief[0] * hills + relief[1] * knolls + relief[2] * bumps
        height += relief[3] * plateau * crags
        if relief[4].any():
            # Dunes: long crests across the wind, steeper on one side.
            crest = noise(x + 0.35 * y, 0.35 * y, 46.0, self._seed + 6)
            height += relief[4] * (1 - np.abs(crest) * 1.6)
        return height + self._shift

    def grove(self, x: Floats, y: Floats) -> Floats:
        """Where plants gather: 0 in clearings to 1 in the thick of a grove."""
        wide, narrow = octaves(x, y, (75.0, 24.0), self._seed + 7)
        return smoothstep(-0.35, 0.45, wide + 0.4 * narrow)

    def village(self, x: Floats, y: Floats) -> Floats:
        """Where people settle, about [-1, 1]."""
        return noise(x, y, 210.0, self._seed + 9)

    def ground(
        self, x: Floats, y: Floats, z: Floats, up: Floats, weights: Floats
    ) -> tuple[Colours, NDArray[np.float32]]:
        """Colours (N, 3) and glow (N,) of N faces at (x, y, z) whose unit normals have the vertical part `up`."""
        patch = smoothstep(-0.15, 0.25, noise(x, y, 38.0, self._seed + 10))[:, None]
        lawn = weights.T @ GROUND + patch * (weights.T @ (PATCHES - GROUND))
        steep = smoothstep(0.86, 0.74, up)[:, None]
        colour = lawn + steep * (weights.T @ STEEP - lawn)
        high = (smoothstep(24.0, 34.0, z + 4 * (patch[:, 0] - 0.5)) * (1 - 0.8 * steep[:, 0]))[:, None]
        cap = (1 - weights[LAVA])[:, None] * high
        colour += cap * (GROUND[SNOWY] - colour)
        shore = smoothstep(1.1, 0.5, z)[:, None]
        colour += shore * (weights.T @ SHORE - colour)
        grain = uniform(np.floor(x * 4), np.floor(y * 4), self._seed + 12)
        colour *= (0.95 + 0.1 * grain)[:, None]
        crack = smoothstep(0.05, 0.02, np.abs(noise(x, y, 44.0, self._seed + 13))) * (weights[LAVA] > 0.5) * (z > 0.6)
        colour += crack[:, None] * (LAVA_GLOW - colour)
        return colour.astype(np.float32), crack.astype(np.float32)

    def water(self, depth: Floats, weights: Floats) -> tuple[Colours, NDArray[np.float32]]:
        """Colours (N, 3) and glow (N,) of the lake's surface over `depth` metres of water (or lava)."""
        deep = smoothstep(0.0, 3.5, depth)[:, None]
        colour = weights.T @ SHALLOW + deep * (weights.T @ (DEEP - SHALLOW))
        glow = 0.95 * smoothstep(0.35, 0.65, weights[LAVA]) + 0.3 * weights[BIOMES.index("alien")]
        return colour.astype(np.float32), np.minimum(glow, 1.0).astype(np.float32)
