"""Low-poly meshes of everything that stands on the ground, each in a near, a middle and a far version.

A maker's `level` says which: 0 near, 1 in the middle, 2 far. Meshes stand on the ground at z = 0, and reach a little
into it.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from genie_lite.worlds.landscape.terrain import rgb

Triangles = NDArray[np.float32]


@dataclass(frozen=True)
class Mesh:
    """T flat faces: corners (T, 3, 3) in metres, counter-clockwise from outside; colour (T, 3).

    tint (T,) in [0, 1] says how far an instance's own colour replaces the mesh's; its brightness stays.
    glow (T,): 1 shines by itself, -1 shines at night only (windows). blade (T,): lit like the ground it grows on.
    """

    corners: Triangles
    colour: Triangles
    tint: NDArray[np.float32]
    glow: NDArray[np.float32]
    blade: NDArray[np.bool_]


@dataclass(frozen=True)
class Packed:
    """A mesh for flat shading with about one vertex a face: a face's last vertex is its own and holds its colour,
    the other two belong to other faces. points, normal, colour (V, 3), tint, glow (V,), faces (F, 3)."""

    points: NDArray[np.floating]
    normal: NDArray[np.floating]
    colour: Triangles
    tint: NDArray[np.float32]
    glow: NDArray[np.float32]
    faces: NDArray[np.int64]

    @property
    def brightness(self) -> float:
        """Mean brightness of what is tinted."""
        return float(self.colour[self.tint > 0].max(1).mean()) if self.tint.any() else 1.0


def own_corners(faces: NDArray[np.int64]) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]]:
    """Shares vertices among flat faces that are given as point indices (F, 3).

    Returns vertices' points (V,), the faces they take their colour from (V,), and faces as vertex indices (F, 3).
    """
    vertex_of: dict[int, int] = {}
    turned = []
    for face, corners in enumerate(faces.tolist()):
        last = next((k for k in range(3) if corners[k] not in vertex_of), 2)
        vertex_of.setdefault(corners[last], face)
        turned.append([corners[(last + 1) % 3], corners[(last + 2) % 3], corners[last]])
    points, source = [face[2] for face in turned], list(range(len(turned)))
    for face, corners in enumerate(turned):
        for point in corners[:2]:
            if point not in vertex_of:
                vertex_of[point] = len(points)
                points.append(point)
                source.append(face)
    indices = [[vertex_of[a], vertex_of[b], face] for face, (a, b, _) in enumerate(turned)]
    return np.array(points), np.array(source), np.array(indices)


def packed(mesh: Mesh) -> Packed:
    """The mesh with shared vertices."""
    points, ids = np.unique(np.round(mesh.corners.reshape(-1, 3), 4), axis=0, return_inverse=True)
    at, source, faces = own_corners(ids.reshape(-1, 3))
    normal = np.where(mesh.blade[source, None], [0.0, 0.0, 1.0], face_normals(mesh.corners)[source])
    return Packed(points[at], normal, mesh.colour[source], mesh.tint[source], mesh.glow[source], faces)


def face_normals(corners: NDArray[np.floating]) -> NDArray[np.floating]:
    """Unit normals (M, 3) of triangles (M, 3, 3)."""
    normal = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
    return normal / np.maximum(np.linalg.norm(normal, axis=1, keepdims=True), 1e-9)


def join(*parts: Mesh) -> Mesh:
    """One mesh of several."""
    return Mesh(
        *(np.concatenate([getattr(p, n) for p in parts]) for n in ("corners", "colour", "tint", "glow", "blade"))
    )


def paint(
    corners: Triangles,
    code: str,
    tint: float = 0.0,
    glow: float = 0.0,
    shade: tuple[float, float] = (1, 1),
    blade: bool = False,
) -> Mesh:
    """A mesh in one colour that goes from `shade[0]` at its foot to `shade[1]` at its top: cheap ambient occlusion."""
    heights = corners[:, :, 2].mean(1)
    span = max(float(np.ptp(heights)), 1e-3)
    ramp = shade[0] + (shade[1] - shade[0]) * (heights - heights.min()) / span
    count = len(corners)
    tints, glows = np.full(count, tint, np.float32), np.full(count, glow, np.float32)
    colour = (rgb(code) * ramp[:, None]).astype(np.float32)
    return Mesh(corners.astype(np.float32), colour, tints, glows, np.full(count, blade))


def ring(sides: int, radius: float, height: float, twist: float = 0.0) -> Triangles:
    """Points (sides, 3) on a circle."""
    angle = (np.arange(sides) + twist) * (2 * math.pi / sides)
    return np.stack([radius * np.cos(angle), radius * np.sin(angle), np.full(sides, height)], 1).astype(np.float32)


def lathe(sides: int, *profile: tuple[float, float]) -> Triangles:
    """The surface of turning (radius, height) points about the z axis; a radius of 0 closes it in a point."""
    faces: list[Sequence[NDArray[np.float32]]] = []
    for (r0, z0), (r1, z1) in pairwise(profile):
        low, high = ring(sides, r0, z0), ring(sides, r1, z1)
        for i in range(sides):
            j = (i + 1) % sides
            if r0 > 0:
                faces.append((low[i], low[j], high[i]))
            if r1 > 0:
                faces.append((high[i], low[j], high[j]))
    return np.array(faces, np.float32)


def blob(radius: float, height: float, squash: float, seed: int, rough: float = 0.14, full: bool = True) -> Triangles:
    """A rough ball about (0, 0, height): an icosahedron (20 faces) or, if not `full`, an octahedron (8 faces)."""
    if full:
        belt = math.atan(0.5)
        upper = ring(5, math.cos(belt), math.sin(belt))
        lower = ring(5, math.cos(belt), -math.sin(belt), 0.5)
        points = np.concatenate([[[0, 0, 1]], upper, lower, [[0, 0, -1]]])
        faces = [f for i in range(5) for f in _icosahedron_column(i)]
    else:
        points = np.concatenate([[[0, 0, 1]], ring(4, 1, 0), [[0, 0, -1]]])
        faces = [f for i in range(4) for f in ((0, 1 + i, 1 + (i + 1) % 4), (5, 1 + (i + 1) % 4, 1 + i))]
    points = points * (1 + np.random.default_rng(seed).uniform(-rough, rough, (len(points), 1))) * radius
    points = points * [1, 1, squash] + [0, 0, height]
    return points[np.array(faces)].astype(np.float32)


def _icosahedron_column(i: int) -> tuple[tuple[int, int, int], ...]:
    j = (i + 1) % 5
    return ((0, 1 + i, 1 + j), (1 + i, 6 + i, 1 + j), (1 + j, 6 + i, 6 + j), (6 + i, 11, 6 + j))


def box(
    x: float, y: float, z: float, low: float = 0.0, turn: float = 0.0, at: tuple[float, float] = (0, 0)
) -> Triangles:
    """The four sides and the top of a box of half sizes x and y from height `low` to `z`, turned about `at`."""
    flat = np.array([[-x, -y], [x, -y], [x, y], [-x, y]])
    sin, cos = math.sin(turn), math.cos(turn)
    flat = flat @ np.array([[cos, sin], [-sin, cos]]) + at
    a, b = (np.column_stack([flat, np.full(4, h)]) for h in (low, z))
    faces = [f for i in range(4) for f in ((a[i], a[i - 3], b[i]), (b[i], a[i - 3], b[i - 3]))]
    return np.array([*faces, (b[0], b[1], b[2]), (b[0], b[2], b[3])], np.float32)


def moved(corners: Triangles, x: float = 0.0, y: float = 0.0, z: float = 0.0, lean: float = 0.0) -> Triangles:
    """Corners shifted, after leaning by `lean` metres eastward for each metre of height."""
    shear = corners + np.array([x, y, z], np.float32)
    shear[..., 0] += lean * corners[..., 2]
    return shear


def both_sides(corners: Triangles) -> Triangles:
    """Faces that can be seen from either side."""
    return np.concatenate([corners, corners[:, ::-1]])


def pine(level: int, snow: bool = False) -> Mesh:
    """Cones on a stem; snow, if asked for, lies on each."""
    green, tint = "3F7D4F", 0.9
    if level == 2:
        return paint(lathe(4, (1.7, 1.2), (0, 7.8)), "B9CBD4" if snow else green, 0.3 if snow else tint)
    sides, trunk = (6, 4) if level == 0 else (4, 3)
    stem = paint(lathe(trunk, (0.32, -0.4), (0.24, 2.6)), "6B4A35")
    # (radius, foot, tip): the lowest starts above the player's eyes.
    layers = ((2.1, 2.1, 4.5), (1.65, 3.6, 6.1), (1.1, 5.1, 7.9)) if level == 0 else ((2.0, 1.9, 5.2), (1.35, 4.0, 7.9))
    shades = (0.86, 0.96, 1.08)
    cones = [
        paint(lathe(sides, (r, a), (0, b)), green, tint, shade=(s, s))
        for (r, a, b), s in zip(layers, shades, strict=False)
    ]
    if level == 0:
        cones.append(
            paint(lathe(sides, (0, layers[0][1]), (layers[0][0], layers[0][1])), "2C5A3C", tint, shade=(0.6, 0.6))
        )
    if snow:
        cones += [paint(lathe(sides, (r * 0.62, a + (b - a) * 0.42), (0, b + 0.12)), "F2F6FC") for r, a, b in layers]
    return join(stem, *cones)


def broadleaf(level: int, tall: bool) -> Mesh:
    """A tree with a crown that is round, or taller than it is wide."""
    height, squash = (4.9, 1.35) if tall else (4.1, 0.92)
    if level == 2:
        return paint(
            lathe(3, (0, 1.2), (2.3, height - 0.3), (0, height + 1.9 * squash)), "6FAE4A", 1.0, shade=(0.85, 1.05)
        )
    stem = paint(lathe(4 if level == 0 else 3, (0.34, -0.4), (0.2, height - 1.2)), "70503A")
    if level == 1:
        return join(stem, paint(blob(2.15, height, squash, 3, full=False), "6FAE4A", 1.0, shade=(0.78, 1.1)))
    crown = [paint(blob(1.95, height, squash, 3), "6FAE4A", 1.0, shade=(0.72, 1.1))]
    crown.append(
        paint(moved(blob(1.4, height + 0.7, squash, 5, full=False), 1.25, 0.5), "6FAE4A", 1.0, shade=(0.8, 1.14))
    )
    if not tall:
        crown.append(
            paint(moved(blob(1.3, height - 0.4, squash, 6, full=False), -1.3, -0.7), "6FAE4A", 1.0, shade=(0.76, 1.06))
        )
    return join(stem, *crown)


def palm(level: int) -> Mesh:
    """A leaning stem with leaves that droop."""
    leaves, lean = (7, 5, 4)[level], 0.16
    stem = paint(moved(lathe((5, 3, 3)[level], (0.3, -0.4), (0.18, 5.6)), lean=lean), "9A7A55")
    crown = []
    for i in range(leaves):
        angle = (i + 0.3) * 2 * math.pi / leaves
        out, side = np.array([math.cos(angle), math.sin(angle), 0]), np.array([-math.sin(angle), math.cos(angle), 0])
        root, knee, tip = np.zeros(3), out * 1.5 + [0, 0, 0.55], out * 2.9 + [0, 0, -0.9]
        faces = [(root, knee - side * 0.55, knee + side * 0.55), (knee - side * 0.55, tip, knee + side * 0.55)]
        crown.append(both_sides(np.array(faces, np.float32)))
    fronds = paint(moved(np.concatenate(crown), x=5.6 * lean, z=5.6), "58A94C", 1.0, shade=(0.85, 1.12))
    return join(stem, fronds)


def cactus(level: int) -> Mesh:
    """A column with two arms; far off without them."""
    sides = (6, 4, 3)[level]
    body = paint(lathe(sides, (0.42, -0.3), (0.46, 2.6), (0.28, 3.4), (0, 3.6)), "5E9A5A", 0.6, shade=(0.85, 1.1))
    if level == 2:
        return body
    arm = lathe(4, (0.24, 0), (0.26, 1.1), (0, 1.45))
    arms = [
        box(0.5, 0.2, 1.72, 1.35, 0.0, (0.7, 0)),
        moved(arm, 1.05, 0, 1.4),
        box(0.45, 0.18, 1.28, 0.95, 0.0, (-0.65, 0)),
        moved(arm, -0.95, 0, 0.98),
    ]
    return join(body, paint(np.concatenate(arms), "66A562", 0.6))


def dead_tree(level: int) -> Mesh:
    """A bare stem with three limbs; far off without them."""
    stem = paint(moved(lathe((5, 4, 3)[level], (0.34, -0.4), (0.2, 2.2), (0, 5.2)), lean=0.08), "5C4C48", 0.7)
    if level == 2:
        return stem
    branch = lathe(3, (0.13, 0), (0, 2.3))
    limbs = [
        moved(branch, 0.1, 0, 2.0, lean=0.9),
        moved(branch, 0.1, 0, 2.6, lean=-0.8),
        moved(branch[..., [1, 0, 2]][:, ::-1], 0.15, 0, 1.6, lean=0.0),
    ]
    limbs[2][..., 1] += 0.8 * (limbs[2][..., 2] - 1.6)
    return join(stem, paint(np.concatenate(limbs), "5C4C48", 0.7))


def mushroom(level: int) -> Mesh:
    """A mushroom as tall as a tree, glowing from below."""
    sides = (8, 6, 5)[level]
    stem = paint(lathe((6, 4, 3)[level], (0.5, -0.4), (0.26, 2.4), (0.34, 4.3)), "C9B8E8", 0.15)
    under = paint(lathe(sides, (0.3, 4.0), (2.2, 3.7))[:, ::-1], "FF9BE8", 0.2, glow=0.7)
    cap = paint(lathe(sides, (2.2, 3.7), (1.7, 4.8), (0, 5.6)), "D04FC0", 1.0, glow=0.28, shade=(0.9, 1.15))
    return join(stem, cap) if level == 2 else join(stem, under, cap)


def crystal(level: int) -> Mesh:
    """A glowing shard with two smaller ones that lean; far off alone."""
    shard = lathe((5, 4, 3)[level], (0.42, -0.3), (0.55, 1.7), (0, 3.1))
    parts = (
        [shard]
        if level == 2
        else [shard, moved(0.62 * shard, 0.6, 0.2, lean=0.3), moved(0.5 * shard, -0.5, 0.3, lean=-0.35)]
    )
    return paint(np.concatenate(parts), "6FF0E4", 1.0, glow=0.5, shade=(0.8, 1.15))


def bush(level: int) -> Mesh:
    """A rough ball of leaves."""
    return paint(blob(0.85, 0.4, 0.75, 8, 0.18, full=level == 0), "6FAE4A", 1.0, shade=(0.7, 1.08))


def rock(level: int) -> Mesh:
    """A rough ball of stone."""
    return paint(blob(1.0, 0.2, 0.72, 9, 0.3, full=level == 0), "8E8B88", 1.0, shade=(0.85, 1.1))


def spire(level: int) -> Mesh:
    """A leaning needle of stone."""
    body = lathe((6, 5, 4)[level], (1.5, -0.6), (1.15, 1.6), (0.5, 4.2), (0, 5.2))
    return paint(moved(body, lean=0.12), "6A5A58", 1.0, shade=(0.85, 1.1))


def reeds(level: int) -> Mesh:
    """Four upright blades, as tall as a player; farther off fewer."""
    blades = [
        both_sides(_blade(0.5 * math.cos(a), 0.5 * math.sin(a), h))
        for a, h in ((0, 1.7), (1.9, 1.3), (4.0, 1.5), (5.2, 1.9))
    ]
    return paint(np.concatenate(blades[: 4 - level]), "8FA653", 1.0, shade=(0.75, 1.1), blade=True)


def flowers(level: int) -> Mesh:
    """Three stalks with a head each, the same at every level."""
    places = [(0.45 * math.cos(a), 0.45 * math.sin(a)) for a in (0.4, 2.6, 4.4)]
    stalks = np.concatenate([_blade(x, y, 0.4) for x, y in places])
    heads = [moved(lathe(4, (0.16, 0.36), (0, 0.5)), 1.5 * x, 1.5 * y) for x, y in places]
    return join(paint(both_sides(stalks), "5E9A48", blade=True), paint(np.concatenate(heads), "F4D65A", 1.0))


def grass(level: int) -> Mesh:
    """A tuft of three blades, the same at every level."""
    blades = [_blade(0.22 * math.cos(a), 0.22 * math.sin(a), h) for a, h in ((0.2, 0.55), (2.3, 0.4), (4.2, 0.65))]
    return paint(both_sides(np.concatenate(blades)), "7FB652", 1.0, blade=True)


def _blade(x: float, y: float, height: float) -> Triangles:
    return np.array([[(x - 0.13, y, -0.2), (x + 0.13, y, -0.2), (x * 1.5, y * 1.5, height)]], np.float32)


def house(level: int) -> Mesh:
    """A gabled house, 7 by 5.4 m, its door to the south."""
    walls = paint(box(3.5, 2.7, 3.2, -1.5), "F4E6C6", 0.0, shade=(0.92, 1.0))
    eave, ridge = 3.0, 5.6
    x, y = 4.0, 3.25
    a, b, c, d = (-x, -y, eave), (x, -y, eave), (x, y, eave), (-x, y, eave)
    e, f = (-x, 0, ridge), (x, 0, ridge)
    roof = paint(both_sides(np.array([(a, b, f), (a, f, e), (c, d, e), (c, e, f)], np.float32)), "B4553F", 1.0)
    g = 3.5
    gables = np.array([((-g, 2.7, 3.2), (-g, -2.7, 3.2), (-g, 0, 5.3)), ((g, -2.7, 3.2), (g, 2.7, 3.2), (g, 0, 5.3))])
    parts = [walls, roof, paint(gables.astype(np.float32), "EADBB8")]
    if level < 2:
        parts.append(paint(_panels(), "8FB4C4", glow=-1.0))
    if level == 0:
        parts.append(paint(_panel(0.0, -2.74, 0.55, 0.0, 2.1), "6B4632"))
        parts.append(paint(box(0.35, 0.35, 6.2, 3.8, 0.0, (2.2, 1.2)), "8C6A5A"))
    return join(*parts)


def _panel(x: float, y: float, half: float, low: float, high: float) -> Triangles:
    """An upright rectangle that faces away from the x axis."""
    s = half if y < 0 else -half
    p, q, r, t = (x - s, y, low), (x + s, y, low), (x + s, y, high), (x - s, y, high)
    return np.array([(p, q, r), (p, r, t)], np.float32)


def _panels() -> Triangles:
    return np.concatenate([_panel(x, y, 0.55, 1.1, 2.2) for y in (-2.74, 2.74) for x in (-2.0, 2.0)])


def ruin(level: int) -> Mesh:
    """Two broken walls and columns."""
    stone = [
        box(3.4, 0.35, 1.9, -1.0, 0.0, (0, 3)),
        box(1.4, 0.36, 3.3, -1.0, 0.0, (-2, 3)),
        box(0.35, 2.2, 1.3, -1.0, 0.0, (-3.2, 0.6)),
    ]
    if level < 2:
        sides = 6 if level == 0 else 4
        tops = ((3.0, -1.0, 3.8), (3.0, 1.6, 2.2), (0.6, -2.6, 3.2), (-2.6, -2.8, 1.2))
        stone += [moved(lathe(sides, (0.42, -1.0), (0.34, h), (0, h + 0.02)), x, y) for x, y, h in tops]
    return paint(np.concatenate(stone), "B5AD9C", 0.6, shade=(0.88, 1.06))
