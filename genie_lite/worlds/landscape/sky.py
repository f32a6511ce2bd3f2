"""Light and air: colours of sky, sun and haze by hour, biome and weather; clouds and stars as low-poly meshes."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from genie_lite.conditions import Conditions
from genie_lite.worlds.landscape.meshes import blob
from genie_lite.worlds.landscape.noise import Floats
from genie_lite.worlds.landscape.terrain import rgb

VIEW_DISTANCE = 250.0
"""Metres; farther land is all haze."""

CLOUDS = 30

_HOURS = np.array([0, 4.3, 5.4, 6.3, 7.6, 10, 14, 16.6, 18.0, 18.9, 19.8, 21, 24.0])
# Colours at those hours: top of the sky, horizon, glow around the low sun, light of sun or moon, light from the sky.
_ZENITH = rgb("0E1838 121D42 34427E 5B82BE 4A93D9 3D8BD8 3D8BD8 4A8AD0 4A6DB4 3E4486 242B62 101A3C 0E1838")
_HORIZON = rgb("26365E 33426E A5809A F0BD9C CFE2EC C6E3F2 C6E3F2 E2DEC8 F3B98C D2859A 6A5D92 2B3A66 26365E")
_GLOW = rgb("26365E 54507C F08C68 FFC070 FFE9B8 F4F4E4 F4F4E4 FFE2A0 FF9A4E FF6E4E B45C78 2F3C68 26365E")
_SUN = rgb("475684 475684 6A5E80 C88A60 C4A680 B2A484 B2A484 C8A26E DC864E 985066 4E5484 475684 475684")
_SKYLIGHT = rgb("434E78 464F78 605F8A 8086A0 808EAA 848FA8 848FA8 8A8EA4 8C7E9C 706996 525884 454F7A 434E78")
_NIGHT = np.array([1, 0.9, 0.25, 0, 0, 0, 0, 0, 0, 0.05, 0.55, 1, 1.0])

# How each of BIOMES colours its air, and how strongly.
_AIR = rgb("BFE3F5 F2DDB8 DCE9F5 F6DDAE A8685C BDEBF0 B7C4A4 C69BE8")
_AIR_STRENGTH = np.array([0.05, 0.22, 0.2, 0.34, 0.55, 0.12, 0.34, 0.5])


@dataclass(frozen=True)
class Light:
    """Everything the shaders need to know about light and air; colours are float32 (3,)."""

    zenith: NDArray[np.floating]
    horizon: NDArray[np.floating]
    glow: NDArray[np.floating]
    sun_colour: NDArray[np.floating]
    skylight: NDArray[np.floating]
    light_dir: NDArray[np.floating]
    sun_dir: NDArray[np.floating]
    moon_dir: NDArray[np.floating]
    night: float
    """0 by day, 1 at night: stars, moon and lit windows."""
    clear: float
    """1 under an open sky, 0 where fog or cloud hides sun and stars."""
    visibility: float
    """Metres at which all is haze."""


def _at(table: NDArray[np.float32], hour: float) -> Floats:
    k = int(np.searchsorted(_HOURS, hour, "right")) - 1
    return table[k] + (hour - _HOURS[k]) / (_HOURS[k + 1] - _HOURS[k]) * (table[k + 1] - table[k])


def _orbit(hour: float) -> Floats:
    """Unit vector to the sun: up in the east at 6, south at noon, down in the west at 18.5."""
    angle = (hour - 5.75) / 12.75 * math.pi
    vector = np.array([math.cos(angle), -0.55 * math.sin(angle), 0.8 * math.sin(angle)])
    return vector / np.linalg.norm(vector)


def light(conditions: Conditions) -> Light:
    """Light under the conditions' hour and weather; the mix of biomes tints the air."""
    c, hour, biomes = conditions, conditions.hour, np.array(conditions.biomes)
    night = float(np.interp(hour, _HOURS, _NIGHT))
    gloom = max(0.65 * c.clouds**2, 0.85 * c.rain, 0.6 * c.snowfall, 0.75 * c.fog)
    zenith, horizon, glow, sun, skylight = (_at(t, hour) for t in (_ZENITH, _HORIZON, _GLOW, _SUN, _SKYLIGHT))
    strength = float(biomes @ _AIR_STRENGTH)
    air = (biomes * _AIR_STRENGTH) @ _AIR / max(strength, 1e-6)
    brightness = float(horizon.mean())
    horizon += strength * (air * brightness / 0.85 - horizon)
    zenith += 0.45 * strength * (air * float(zenith.mean()) / 0.62 - zenith)
    grey = (0.45 * zenith.mean() + 0.5 * brightness) * np.array([0.94, 0.98, 1.05]) * (1 - 0.12 * c.rain)
    horizon += gloom * 0.85 * (grey * 1.06 - horizon)
    zenith += gloom * (grey * 0.92 - zenith)
    zenith += c.fog**0.7 * (horizon - zenith)
    glow = horizon + (1 - gloom) * (glow - horizon)
    dim = 1 - 0.14 * c.rain - 0.06 * gloom
    sun_dir, moon_dir = _orbit(hour), _orbit((hour + 12.4) % 24 + 0.6)
    lamp = sun_dir if night < 0.5 else moon_dir
    lamp = np.array([lamp[0], lamp[1], max(lamp[2], 0.3)])
    visibility = VIEW_DISTANCE * (32.0 / VIEW_DISTANCE) ** c.fog * (1 - 0.4 * c.rain) * (1 - 0.45 * c.snowfall)
    return Light(
        zenith=zenith,
        horizon=horizon,
        glow=glow,
        sun_colour=sun * (1 - 0.8 * gloom),
        skylight=(skylight + 0.28 * gloom * sun.mean()) * dim,
        light_dir=lamp / np.linalg.norm(lamp),
        sun_dir=sun_dir,
        moon_dir=moon_dir,
        night=night,
        clear=max(0.0, 1 - 1.25 * max(gloom, c.fog)),
        visibility=max(visibility, 26.0),
    )


CLOUD_VERTEX = np.dtype([("position", "<f4", 3), ("centre", "<f4", 3), ("normal", "<f4", 3), ("rank", "<f4")])


def cloud_vertices(seed: int) -> NDArray[np.void]:
    """CLOUD_VERTEX (N,): flat-bottomed heaps of blobs on the sky's sphere, in painter's order; rank in [0, 1) says
    from which share of cloudiness on a cloud is there."""
    rng = np.random.default_rng(seed)
    clouds = []
    for index in range(CLOUDS):
        azimuth = (index * 0.618 + rng.uniform(0, 0.06)) * 2 * math.pi
        slant = rng.uniform(0.16, 0.75) ** 1.3 + 0.06
        size = rng.uniform(0.09, 0.16) * (0.75 + slant)
        heap = []
        for lump, (offset, radius) in enumerate(((-1.15, 0.62), (1.2, 0.7), (0.1, 1.0))):
            corners = blob(radius, 0.0, 0.8, int(rng.integers(99)) + lump, 0.12)
            corners[..., 2] = np.maximum(corners[..., 2], -0.2) + 0.1 * radius
            corners[..., 0] += offset + rng.uniform(-0.15, 0.15)
            heap.append(corners)
        corners = np.concatenate(heap) * size
        outward = np.array([math.cos(azimuth), math.sin(azimuth), 0.0])
        side = np.array([-outward[1], outward[0], 0.0])
        corners = corners @ np.stack([side, outward * 0.3, [0, 0, 1.0]])
        centre = np.array([*(math.cos(slant) * outward[:2]), math.sin(slant)])
        clouds.append(_cloud(corners, centre, index / CLOUDS))
    return np.concatenate(clouds)


def cloud_groups(vertices: NDArray[np.void]) -> tuple[NDArray[np.uint32], Floats, Floats]:
    """Each cloud's vertices (CLOUDS, N), the last repeated where it has fewer, and the centre (CLOUDS, 3) and radius
    (CLOUDS,) of a ball that holds it at its largest."""
    own = [np.flatnonzero(vertices["rank"] == rank) for rank in np.unique(vertices["rank"])]
    most = max(len(group) for group in own)
    groups = np.stack([np.pad(group, (0, most - len(group)), "edge") for group in own]).astype(np.uint32)
    # Largest size: see cloud.vert.glsl.
    reach = 1.35 * np.linalg.norm(vertices["position"][groups], axis=2).max(1)
    return groups, vertices["centre"][groups[:, 0]], reach


def clouds_there(clouds: float) -> int:
    """How many clouds have begun to grow at that cloudiness; the others have no size."""
    return math.ceil(min(clouds * 1.18, 1.0) * CLOUDS)


def _cloud(corners: Floats, centre: Floats, rank: float) -> NDArray[np.void]:
    normal = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
    size = np.linalg.norm(normal, axis=1)
    keep = size > 1e-9
    out = np.empty((int(keep.sum()), 3), CLOUD_VERTEX)
    out["position"], out["centre"], out["rank"] = corners[keep], centre, rank
    out["normal"] = (normal[keep] / size[keep, None])[:, None]
    return out.ravel()


def star_vertices(seed: int, count: int = 170) -> NDArray[np.float32]:
    """float32 (3 count, 4): small triangles on the sky's sphere, each with its brightness."""
    rng = np.random.default_rng(seed)
    height = rng.uniform(0.08, 1.0, count)
    azimuth = rng.uniform(0, 2 * math.pi, count)
    flat = np.sqrt(1 - height**2)
    centre = np.stack([flat * np.cos(azimuth), flat * np.sin(azimuth), height], 1)
    side = np.stack([-np.sin(azimuth), np.cos(azimuth), np.zeros(count)], 1)
    up = np.cross(centre, side)
    size = 0.0035 + 0.0035 * rng.random((count, 1)) ** 2
    corners = np.stack(
        [centre - size * side - 0.6 * size * up, centre + size * side - 0.6 * size * up, centre + size * up], 1
    )
    bright = np.broadcast_to(rng.uniform(0.45, 1.0, (count, 1, 1)), (count, 3, 1))
    return np.concatenate([corners, bright], 2).reshape(-1, 4).astype(np.float32)
