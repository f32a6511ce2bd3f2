"""What stands where: plants, rocks, houses and ruins of one tile, and what of them bars the way."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from itertools import pairwise
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from genie_lite.conditions import BIOMES, Conditions
from genie_lite.worlds.landscape import meshes
from genie_lite.worlds.landscape.noise import Floats, smoothstep, uniform
from genie_lite.worlds.landscape.terrain import STEEP, Colours, Terrain, rgb

TILE = 48.0
"""Side of a tile in metres."""

_CELLS = 12
_PLAYER_RADIUS = 0.45


class Kind(NamedTuple):
    """levels: its meshes from near to far (fewer than three: not drawn farther); bar: radius in metres that stops the
    player; shadow: radius of the dark patch below; spread: least and largest size; plant: grows with vegetation."""

    levels: tuple[meshes.Packed, ...]
    bar: float
    shadow: float
    spread: tuple[float, float]
    palette: str
    plant: bool = True


def _levels(make: Callable[..., meshes.Mesh], count: int = 3, *args: bool) -> tuple[meshes.Packed, ...]:
    return tuple(meshes.packed(make(level, *args)) for level in range(count))


KINDS = {
    "pine": Kind(_levels(meshes.pine), 0.35, 1.9, (0.85, 1.75), "needles"),
    "snowy_pine": Kind(_levels(meshes.pine, 3, True), 0.35, 1.9, (0.85, 1.75), "needles"),
    "round_tree": Kind(_levels(meshes.broadleaf, 3, False), 0.4, 2.2, (0.85, 1.6), "foliage"),
    "tall_tree": Kind(_levels(meshes.broadleaf, 3, True), 0.4, 1.9, (0.9, 1.65), "foliage"),
    "palm": Kind(_levels(meshes.palm), 0.3, 1.7, (0.85, 1.5), "foliage"),
    "cactus": Kind(_levels(meshes.cactus), 0.5, 0.8, (0.8, 1.6), "foliage"),
    "dead_tree": Kind(_levels(meshes.dead_tree), 0.35, 0.7, (0.7, 1.4), "wood"),
    "mushroom": Kind(_levels(meshes.mushroom), 0.5, 1.7, (0.5, 1.7), "bloom"),
    "crystal": Kind(_levels(meshes.crystal), 0.8, 0.9, (0.6, 1.9), "crystal"),
    "bush": Kind(_levels(meshes.bush, 1), 0.55, 0.9, (0.7, 1.4), "foliage"),
    "grass": Kind(_levels(meshes.grass, 1), 0.0, 0.0, (0.7, 1.5), "foliage"),
    "reeds": Kind(_levels(meshes.reeds, 1), 0.0, 0.0, (0.8, 1.3), "foliage"),
    "flowers": Kind(_levels(meshes.flowers, 1), 0.0, 0.0, (0.8, 1.4), "petals"),
    "rock": Kind(_levels(meshes.rock, 2), 0.95, 1.1, (0.5, 1.7), "stone", False),
    "spire": Kind(_levels(meshes.spire), 1.5, 1.8, (0.7, 1.8), "stone", False),
    "house": Kind(_levels(meshes.house), 0.0, 0.0, (1.0, 1.15), "roof", False),
    "ruin": Kind(_levels(meshes.ruin), 0.0, 0.0, (1.0, 1.2), "stone", False),
}
NAMES = tuple(KINDS)

_SHARES: dict[str, dict[str, float]] = {
    "meadow": {
        "round_tree": 0.15,
        "tall_tree": 0.07,
        "pine": 0.04,
        "bush": 0.12,
        "flowers": 0.22,
        "grass": 0.3,
        "rock": 0.03,
    },
    "autumn": {"round_tree": 0.16, "tall_tree": 0.13, "pine": 0.03, "bush": 0.12, "grass": 0.35, "rock": 0.03},
    "snow": {"snowy_pine": 0.26, "dead_tree": 0.02, "bush": 0.03, "rock": 0.05},
    "desert": {"cactus": 0.12, "bush": 0.05, "grass": 0.12, "palm": 0.012, "rock": 0.05, "spire": 0.012},
    "volcanic": {"dead_tree": 0.13, "rock": 0.09, "spire": 0.05},
    "tropical": {"palm": 0.22, "tall_tree": 0.04, "bush": 0.18, "flowers": 0.14, "grass": 0.26, "rock": 0.025},
    "marsh": {"reeds": 0.5, "dead_tree": 0.09, "tall_tree": 0.14, "bush": 0.1, "grass": 0.3, "rock": 0.015},
    "alien": {"mushroom": 0.17, "crystal": 0.11, "bush": 0.05, "flowers": 0.1, "grass": 0.2, "spire": 0.02},
}
_TABLE = np.array([[_SHARES[b].get(name, 0.0) for name in NAMES] for b in BIOMES])
_IS_PLANT = np.array([kind.plant for kind in KINDS.values()])
_BARS = np.array([kind.bar for kind in KINDS.values()])
_SPREAD = np.array([kind.spread for kind in KINDS.values()])
_REEDS = NAMES.index("reeds")
_RUINED = np.array([0.15, 0.2, 0.15, 0.6, 0.95, 0.5, 0.45, 0.95])

_FOLIAGE = np.stack(
    [
        rgb("6FAE4A 86BE55 5C9C4C 9CC65A"),
        rgb("D9772F C94F30 E3A63C A8863A"),
        rgb("7E9A8C 8FA99C 6F8C84 9CB4AA"),
        rgb("6FA35C 7FAE5A 8FA65A 5E955E"),
        rgb("5A5048 4E4644 62564A 564848"),
        rgb("3FA357 5DB94E 2F9460 86C84F"),
        rgb("6B8448 7A8C45 5C7A50 8E934A"),
        rgb("8E5BD0 5F6FDB B04FC4 49A9C9"),
    ]
)
_PALETTES = {
    "needles": rgb("3F7D4F 35705A 4E8A4C 2F6650"),
    "wood": rgb("5C4C48 6B5850 4C4042 74645A"),
    "bloom": rgb("D04FC0 F0628F 8E5BE8 E07A4F"),
    "crystal": rgb("6FF0E4 7FB4FF B48CFF 7CF7B0"),
    "petals": rgb("F6DC62 F28CA8 FBF3EC C48CF0"),
    "roof": rgb("B4553F A2483C 7C5A4A 566B80"),
}

# Walls of a ruin (see meshes.ruin): centre x, y and half sizes, then its columns: x, y, radius.
_RUIN_WALLS = ((0.0, 3.0, 3.4, 0.35), (-3.2, 0.6, 0.35, 2.2))
_RUIN_COLUMNS = ((3.0, -1.0), (3.0, 1.6), (0.6, -2.6), (-2.6, -2.8))


@dataclass(frozen=True)
class Objects:
    """N things: kind (N,) indexes NAMES; x, y, size, yaw (N,); tint (N, 3); ground (N, 3) the colour they stand on.

    circles (C, 3): x, y, radius and walls (W, 6): x, y, cos, sin, half sizes bar the way.
    """

    kind: NDArray[np.int64]
    x: Floats
    y: Floats
    size: Floats
    yaw: Floats
    tint: Colours
    ground: Colours
    circles: Floats
    walls: Floats


Indices = NDArray[np.int64]
_NO_CIRCLES, _NO_WALLS = np.empty((0, 3)), np.empty((0, 6))


def place(terrain: Terrain, conditions: Conditions, seed: int, ix: Indices, iy: Indices) -> list[Objects]:
    """Everything on each of the tiles (ix, iy), both (T,): many at a time cost little more than one."""
    hx, hy, htile, hkind, hyaw = _buildings(terrain, conditions, seed, ix, iy)
    px, py, ptile, pkind = _scatter(terrain, conditions, seed, ix, iy)
    free = _apart(px, py, ptile, hx, hy, htile)
    px, py, ptile, pkind = px[free], py[free], ptile[free], pkind[free]
    tile = np.concatenate([htile, ptile])
    order = np.argsort(tile, kind="stable")
    tile, kind = tile[order], np.concatenate([hkind, pkind])[order]
    x, y = np.concatenate([hx, px])[order], np.concatenate([hy, py])[order]
    key = np.floor(x * 8), np.floor(y * 8)
    turned = 2 * np.pi * uniform(*key, seed + 21)
    yaw = np.where(order < len(hx), np.append(hyaw, 0.0)[np.minimum(order, len(hx))], turned)
    low, high = _SPREAD[kind].T
    size = low + (high - low) * uniform(*key, seed + 22) ** 1.5
    weights = terrain.biomes(x, y)
    ground, _ = terrain.ground(x, y, np.full_like(x, 3.0), np.ones_like(x), weights)
    tint = _tints(kind, weights, (4 * uniform(*key, seed + 23)).astype(int))
    tint *= (0.93 + 0.14 * uniform(*key, seed + 24))[:, None]
    tint = np.clip(tint, 0, 1).astype(np.float32)
    whole = Objects(kind, x, y, size, yaw, tint, ground, _NO_CIRCLES, _NO_WALLS)
    ends = np.searchsorted(tile, np.arange(len(ix) + 1)).tolist()
    return [_part(whole, slice(*pair)) for pair in pairwise(ends)]


def _part(whole: Objects, own: slice) -> Objects:
    """Those of the things, and what of them bars the way."""
    kind, x, y = whole.kind[own], whole.x[own], whole.y[own]
    size, yaw = whole.size[own], whole.yaw[own]
    return Objects(kind, x, y, size, yaw, whole.tint[own], whole.ground[own], *_bars(kind, x, y, size, yaw))


def _apart(px: Floats, py: Floats, ptile: Indices, hx: Floats, hy: Floats, htile: Indices) -> NDArray[np.bool_]:
    """Which plants stand clear of the buildings of their tile; the plants are in the order of tiles."""
    free = np.ones(len(px), np.bool_)
    for x, y, tile in zip(hx, hy, htile, strict=True):
        own = slice(*np.searchsorted(ptile, (tile, tile + 1)))
        free[own] &= np.hypot(px[own] - x, py[own] - y) > 6.8
    return free


def _lattice(cells: int, seed: int, ix: Indices, iy: Indices, jitter: float) -> tuple[Floats, ...]:
    """One random point in every cell of each tile: x, y, the cell's global indices, and which tile, all (T cells²,)."""
    j, i = (v.ravel() for v in np.mgrid[0:cells, 0:cells])
    gx, gy = ((v[:, None] * cells + w).ravel().astype(np.float64) for v, w in ((ix, i), (iy, j)))
    step, margin = TILE / cells, (1 - jitter) / 2
    x = (gx + margin + jitter * uniform(gx, gy, seed + 31)) * step
    y = (gy + margin + jitter * uniform(gx, gy, seed + 32)) * step
    return x, y, gx, gy, np.repeat(np.arange(len(ix)), cells * cells)


def _scatter(
    terrain: Terrain, conditions: Conditions, seed: int, ix: Indices, iy: Indices
) -> tuple[Floats, Floats, Indices, Indices]:
    """Plants and stones: x, y, tile, kind."""
    x, y, gx, gy, tile = _lattice(_CELLS, seed, ix, iy, 0.9)
    weights = terrain.biomes(x, y)
    z = terrain.height(x, y, weights)
    share = weights.T @ _TABLE
    lush = 1.15 * conditions.vegetation**1.2 * (0.15 + 0.85 * terrain.grove(x, y)) * 1.6
    share *= np.where(_IS_PLANT, lush[:, None], 0.3 + 1.0 * conditions.ruggedness)
    dry = smoothstep(0.5, 1.2, z)
    wet = smoothstep(-0.9, -0.2, z) * smoothstep(2.0, 0.8, z)
    share *= np.where(np.arange(len(NAMES)) == _REEDS, wet[:, None], dry[:, None])
    share *= smoothstep(44.0, 26.0, z)[:, None]
    bounds = np.cumsum(share, 1)
    bounds /= np.maximum(bounds[:, -1:] / 0.92, 1.0)
    kind = (uniform(gx, gy, seed + 33)[:, None] >= bounds).sum(1)
    there = kind < len(NAMES)
    return x[there], y[there], tile[there], kind[there]


def _buildings(
    terrain: Terrain, conditions: Conditions, seed: int, ix: Indices, iy: Indices
) -> tuple[Floats, Floats, Indices, Indices, Floats]:
    """Houses and ruins: x, y, tile, kind, yaw."""
    x, y, gx, gy, tile = _lattice(2, seed + 40, ix, iy, 0.45)
    s = conditions.settlement
    chance = 0.95 * s**0.6 * smoothstep(0.45 - 0.9 * s, 0.7 - 0.9 * s, terrain.village(x, y))
    likely = uniform(gx, gy, seed + 41) < chance
    x, y, gx, gy, tile = (v[likely] for v in (x, y, gx, gy, tile))
    around = np.array([[0, 4, -4, 0, 0], [0, 0, 0, 4, -4]])[:, :, None]
    z = terrain.height(x + around[0], y + around[1])
    fits = (z.min(0) > 0.9) & (np.ptp(z, axis=0) < 3.2)
    x, y, gx, gy, tile = (v[fits] for v in (x, y, gx, gy, tile))
    ruined = uniform(gx, gy, seed + 42) < _RUINED @ terrain.biomes(x, y)
    kind = np.where(ruined, NAMES.index("ruin"), NAMES.index("house"))
    quarter = np.floor(4 * uniform(gx, gy, seed + 43)) * (np.pi / 2)
    return x, y, tile, kind, quarter + 0.5 * (uniform(gx, gy, seed + 44) - 0.5)


def _tints(kind: NDArray[np.int64], weights: Floats, pick: NDArray[np.int64]) -> Colours:
    tint = _FOLIAGE[weights.argmax(0), pick].copy()
    stone = (weights.T @ STEEP).astype(np.float32)
    for index, what in enumerate(KINDS.values()):
        own = kind == index
        if what.palette == "stone":
            tint[own] = stone[own]
        elif what.palette != "foliage":
            tint[own] = _PALETTES[what.palette][pick[own]]
    return tint


def _bars(kind: NDArray[np.int64], x: Floats, y: Floats, size: Floats, yaw: Floats) -> tuple[Floats, Floats]:
    radius = _BARS[kind] * size
    circles = [np.stack([x, y, radius], 1)[radius > 0]]
    walls: list[tuple[float, ...]] = []
    for i in np.flatnonzero(kind >= NAMES.index("house")):
        cos, sin, k = np.cos(yaw[i]), np.sin(yaw[i]), size[i]
        parts = ((0.0, 0.0, 3.5, 2.7),) if NAMES[kind[i]] == "house" else _RUIN_WALLS
        for cx, cy, half_x, half_y in parts:
            at = x[i] + k * (cx * cos - cy * sin), y[i] + k * (cx * sin + cy * cos)
            walls.append((*at, cos, sin, k * half_x, k * half_y))
        if NAMES[kind[i]] == "ruin":
            circles.append(
                np.array(
                    [
                        (x[i] + k * (cx * cos - cy * sin), y[i] + k * (cx * sin + cy * cos), 0.42 * k)
                        for cx, cy in _RUIN_COLUMNS
                    ]
                )
            )
    return np.concatenate(circles), np.array(walls, np.float64).reshape(-1, 6)


def push_out(x: float, y: float, circles: Floats, walls: Floats) -> tuple[float, float]:
    """The nearest point to (x, y) from which a player's body overlaps no circle and no wall (one pass over each)."""
    dx, dy = x - circles[:, 0], y - circles[:, 1]
    reach = circles[:, 2] + _PLAYER_RADIUS
    for i in np.flatnonzero(dx * dx + dy * dy < reach * reach):
        distance = max(float(np.hypot(x - circles[i, 0], y - circles[i, 1])), 1e-6)
        if distance < reach[i]:
            x = circles[i, 0] + (x - circles[i, 0]) * reach[i] / distance
            y = circles[i, 1] + (y - circles[i, 1]) * reach[i] / distance
    for cx, cy, cos, sin, half_x, half_y in walls:
        u, v = (x - cx) * cos + (y - cy) * sin, -(x - cx) * sin + (y - cy) * cos
        over_u, over_v = half_x + _PLAYER_RADIUS - abs(u), half_y + _PLAYER_RADIUS - abs(v)
        if over_u > 0 and over_v > 0:
            if over_u < over_v:
                u += float(np.copysign(over_u, u))
            else:
                v += float(np.copysign(over_v, v))
            x, y = cx + u * cos - v * sin, cy + u * sin + v * cos
    return float(x), float(y)
