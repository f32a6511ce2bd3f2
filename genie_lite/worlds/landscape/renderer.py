"""Draws tiles, sky and weather with OpenGL 3.3 into pictures and depth maps, without a window."""

from __future__ import annotations

import math
import os
import sys
from collections.abc import Iterable
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

import moderngl
import numpy as np
from numpy.typing import NDArray

from genie_lite.camera import FAR, NEAR, TAN_X, TAN_Y, Pose
from genie_lite.conditions import Conditions
from genie_lite.errors import RenderError
from genie_lite.worlds.landscape.sky import Light, cloud_vertices, dome_vertices, star_vertices

_DISC_SIDES = 14
_DROPS = {"rain": 130, "snowfall": 200}


_UNIFORMS = {"u_camera", "u_eye", "u_time", "u_clouds", *(f"u_{field.name}" for field in fields(Light))}


def open_context() -> Any:
    """A moderngl context without a window. Raises RenderError saying which packages to install."""
    # Mesa's software renderer: several processes at once go faster than several threads in each.
    os.environ.setdefault("LP_NUM_THREADS", "1")
    try:
        settings: dict[str, Any] = {"backend": "egl"} if sys.platform.startswith("linux") else {}
        return moderngl.create_standalone_context(require=330, **settings)
    except Exception as error:
        raise RenderError(
            "no OpenGL 3.3 for the landscape world: install a driver (Debian: apt install libegl1 libgl1-mesa-dri)"
            f" and try again [{error}]"
        ) from error


@dataclass(frozen=True)
class Target:
    """A framebuffer of twice the size, and the one it is halved into: multisampling would cost Mesa's renderer more."""

    large: Any
    colour: Any
    depth: Any
    plain: Any


class Renderer:
    """Owns the OpenGL context. Draws what it is given; knows nothing of terrain or time."""

    def __init__(self) -> None:
        self.context = open_context()
        """Make it current (`with renderer.context:`) around every use: a process may hold several worlds."""
        self._targets: dict[tuple[int, int], Target] = {}
        names = ("sky", "cloud", "star", "disc")
        self._programs = {name: self._program(f"{name}.vert", "colour.frag") for name in names}
        self._programs["scene"] = self._program("scene.vert", "flat.frag")
        self._programs["drops"] = self._program("drops.vert", "drops.frag")
        self._uniforms = [
            (program, {name for name in program if name in _UNIFORMS}) for program in self._programs.values()
        ]
        self._light: Light | None = None
        self._resolve = self.context.vertex_array(self._program("resolve.vert", "resolve.frag"), [])
        self._discs = self.context.vertex_array(self._programs["disc"], [])
        self._dome = self._array("sky", dome_vertices().tobytes(), "3f", "dir")
        self._clouds = self._array("cloud", cloud_vertices(5).tobytes(), "3f 3f 3f 1f", "position centre normal rank")
        self._stars = self._array("star", star_vertices(6).tobytes(), "4f", "star")
        seeds = np.random.default_rng(7).random((max(_DROPS.values()), 3)).astype(np.float32)
        self._drops = self._array("drops", np.repeat(seeds, 3, 0).tobytes(), "3f", "seed")

    def _program(self, vertex: str, fragment: str) -> Any:
        here = Path(__file__).parent
        common = (here / "common.glsl").read_text()
        texts = [(here / f"{name}.glsl").read_text() for name in (vertex, fragment)]
        texts = [text if text.startswith("#version") else common + text for text in texts]
        return self.context.program(vertex_shader=texts[0], fragment_shader=texts[1])

    def _array(self, program: str, data: bytes, layout: str, names: str, indices: bytes | None = None) -> Any:
        content = [(self.context.buffer(data), layout, *(f"in_{name}" for name in names.split()))]
        order = None if indices is None else self.context.buffer(indices)
        return self.context.vertex_array(self._programs[program], content, index_buffer=order)

    def upload(self, vertices: NDArray[np.void], faces: NDArray[np.uint32]) -> Any:
        """VERTEX (V,) and their indices (F, 3) as something that `draw` takes; call its `release()` when done."""
        return self._array("scene", vertices.tobytes(), "3f 4f1 4f1", "position normal colour", faces.tobytes())

    def _target(self, width: int, height: int) -> Target:
        if (width, height) not in self._targets:
            make, double = self.context, (2 * width, 2 * height)
            colour, depth = make.texture(double, 4), make.depth_texture(double)
            depth.compare_func = ""
            outputs = [make.renderbuffer((width, height), 4), make.renderbuffer((width, height), 1, dtype="f4")]
            large = make.framebuffer([colour], depth)
            self._targets[width, height] = Target(large, colour, depth, make.framebuffer(outputs))
        return self._targets[width, height]

    def draw(
        self, size: tuple[int, int], pose: Pose, tiles: Iterable[Any], light: Light, conditions: Conditions, time: float
    ) -> None:
        """Draws the view of `size` (width, height) from `pose`; read it with `picture` and `depth`."""
        target, context = self._target(*size), self.context
        self._set_uniforms(pose, light, conditions, time)
        target.large.use()
        context.enable_only(moderngl.DEPTH_TEST | moderngl.CULL_FACE)
        context.depth_func = "<="
        target.large.clear(depth=1.0)
        for tile in tiles:
            tile.render()
        context.disable(moderngl.CULL_FACE)
        self._dome.render()
        if light.night * light.clear > 0:
            self._stars.render()
        if light.clear > 0:
            self._discs.render(vertices=3 * 3 * _DISC_SIDES)
        context.enable(moderngl.CULL_FACE)
        if conditions.clouds > 0:
            self._clouds.render()
        self._draw_drops(target, conditions)
        self._halve(target)

    def _halve(self, target: Target) -> None:
        target.plain.use()
        self.context.enable_only(moderngl.NOTHING)
        target.colour.use(0)
        target.depth.use(1)
        program = self._resolve.program
        program["u_colour"], program["u_depth"] = 0, 1
        program["u_height"], program["u_range"] = target.plain.height, (NEAR, FAR)
        self._resolve.render(vertices=3)

    def _draw_drops(self, target: Target, conditions: Conditions) -> None:
        target.large.depth_mask = False
        self.context.enable_only(moderngl.DEPTH_TEST | moderngl.BLEND)
        for name, count in _DROPS.items():
            amount = getattr(conditions, name)
            if amount > 0.01:
                self._programs["drops"]["u_snow"] = float(name == "snowfall")
                self._programs["drops"]["u_amount"] = amount
                self._drops.render(vertices=3 * count)
        target.large.depth_mask = True

    def _set_uniforms(self, pose: Pose, light: Light, conditions: Conditions, time: float) -> None:
        eye = np.array([pose.x, pose.y, pose.z])
        values: dict[str, Any] = {"u_camera": camera_matrix(pose), "u_eye": eye, "u_time": time}
        if light is not self._light:
            values |= {f"u_{name}": value for name, value in vars(light).items()} | {"u_clouds": conditions.clouds}
            self._light = light
        packed = {name: np.asarray(value, np.float32).tobytes() for name, value in values.items()}
        for program, names in self._uniforms:
            for name in names & packed.keys():
                program[name].write(packed[name])

    def picture(self, size: tuple[int, int]) -> NDArray[np.uint8]:
        """The drawn view, uint8 (height, width, 3)."""
        data = self._target(*size).plain.read(components=3)
        return np.frombuffer(data, np.uint8).reshape(size[1], size[0], 3).copy()

    def depth(self, size: tuple[int, int]) -> NDArray[np.float32]:
        """Planar depth in metres of the drawn view, float32 (height, width); FAR in the sky."""
        data = self._target(*size).plain.read(components=1, attachment=1, dtype="f4")
        return np.frombuffer(data, np.float32).reshape(size[1], size[0]).copy()

    def close(self) -> None:
        """Frees the context and all that it holds."""
        self.context.release()


def camera_matrix(pose: Pose) -> NDArray[np.float32]:
    """Float32 (4, 4), column by column as OpenGL wants it: from metres relative to the eye to clip space."""
    sin, cos = math.sin(pose.yaw), math.cos(pose.yaw)
    dip, rise = math.sin(pose.pitch), math.cos(pose.pitch)
    right = np.array([cos, -sin, 0.0])
    ahead = np.array([sin * rise, cos * rise, dip])
    camera = np.zeros((4, 4))
    camera[0, :3], camera[1, :3] = right / TAN_X, np.cross(right, ahead) / TAN_Y
    camera[2, :3], camera[3, :3] = ahead * (FAR + NEAR) / (FAR - NEAR), ahead
    camera[2, 3] = -2 * FAR * NEAR / (FAR - NEAR)
    return camera.T.astype(np.float32)
