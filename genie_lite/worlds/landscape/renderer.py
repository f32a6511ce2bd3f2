"""Draws tiles, sky and weather with OpenGL 3.3 into pictures and depth maps, without a window."""

from __future__ import annotations

import math
import os
import sys
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import moderngl
import numpy as np
from numpy.typing import NDArray

from genie_lite.camera import FAR, NEAR, TAN_X, TAN_Y, Pose
from genie_lite.conditions import Conditions
from genie_lite.errors import RenderError
from genie_lite.worlds.landscape.sky import VIEW_DISTANCE, Light, cloud_vertices, star_vertices

_DROPS = {"rain": 130, "snowfall": 200}
_SAMPLES = 4


def open_context() -> Any:
    """A moderngl context without a window. Raises RenderError saying which packages to install."""
    # Mesa's software renderer: several processes at once go faster than several threads in each.
    os.environ.setdefault("LP_NUM_THREADS", "1")
    try:
        if sys.platform.startswith("linux"):
            return moderngl.create_standalone_context(require=330, backend="egl")
        return moderngl.create_standalone_context(require=330)
    except Exception as error:
        raise RenderError(
            "no OpenGL 3.3 for the landscape world: install a driver (Debian: apt install libegl1 libgl1-mesa-dri)"
            f" and try again [{error}]"
        ) from error


@dataclass(frozen=True)
class Target:
    """A multisampled framebuffer and the plain one it is resolved into."""

    smooth: Any
    plain: Any


class Renderer:
    """Owns the OpenGL context. Draws what it is given; knows nothing of terrain or time."""

    def __init__(self) -> None:
        self._context = open_context()
        self._targets: dict[tuple[int, int], Target] = {}
        self._programs = {
            "scene": self._program("scene.vert", "colour.frag"),
            "sky": self._program("sky.vert", "sky.frag"),
            "cloud": self._program("cloud.vert", "colour.frag"),
            "star": self._program("star.vert", "colour.frag"),
            "drops": self._program("drops.vert", "drops.frag"),
        }
        self._sky = self._context.vertex_array(self._programs["sky"], [])
        self._clouds = self._array("cloud", cloud_vertices(5).tobytes(), "3f 3f 3f 1f", "position centre normal rank")
        self._stars = self._array("star", star_vertices(6).tobytes(), "4f", "star")
        seeds = np.random.default_rng(7).random((max(_DROPS.values()), 3)).astype(np.float32)
        self._drops = self._array("drops", np.repeat(seeds, 3, 0).tobytes(), "3f", "seed")

    def _program(self, vertex: str, fragment: str) -> Any:
        here = Path(__file__).parent
        common = (here / "common.glsl").read_text()
        texts = [(here / f"{name}.glsl").read_text() for name in (vertex, fragment)]
        texts = [text if text.startswith("#version") else common + text for text in texts]
        return self._context.program(vertex_shader=texts[0], fragment_shader=texts[1])

    def _array(self, program: str, data: bytes, layout: str, names: str) -> Any:
        buffer = self._context.buffer(data)
        return self._context.vertex_array(self._programs[program], [(buffer, layout, *(f"in_{n}" for n in names.split()))])

    def upload(self, vertices: NDArray[np.void]) -> Any:
        """A tile's VERTEX array as something that `draw` takes; call its `release()` when done."""
        return self._array("scene", vertices.tobytes(), "3f 4f1 4f1", "position normal colour")

    def _target(self, width: int, height: int) -> Target:
        if (width, height) not in self._targets:
            make, size = self._context, (width, height)
            samples = min(_SAMPLES, self._context.max_samples)
            smooth = make.framebuffer(
                [make.renderbuffer(size, 4, samples=samples)], make.depth_renderbuffer(size, samples=samples)
            )
            plain = make.framebuffer([make.renderbuffer(size, 4)], make.depth_renderbuffer(size))
            self._targets[width, height] = Target(smooth, plain)
        return self._targets[width, height]

    def draw(
        self, size: tuple[int, int], pose: Pose, tiles: Iterable[Any], light: Light, conditions: Conditions, time: float
    ) -> None:
        """Draws the view of `size` (width, height) from `pose`; read it with `picture` and `depth`."""
        target, context = self._target(*size), self._context
        self._set_uniforms(pose, light, conditions, time)
        target.smooth.use()
        context.enable_only(moderngl.DEPTH_TEST | moderngl.CULL_FACE)
        context.depth_func = "<="
        target.smooth.clear(depth=1.0)
        for tile in tiles:
            tile.render()
        self._sky.render(vertices=3)
        context.disable(moderngl.CULL_FACE)
        if light.night * light.clear > 0:
            self._stars.render()
        context.enable(moderngl.CULL_FACE)
        if conditions.clouds > 0:
            self._clouds.render()
        self._draw_drops(target, conditions)
        context.copy_framebuffer(target.plain, target.smooth)

    def _draw_drops(self, target: Target, conditions: Conditions) -> None:
        target.smooth.depth_mask = False
        self._context.enable_only(moderngl.DEPTH_TEST | moderngl.BLEND)
        for name, count in _DROPS.items():
            amount = getattr(conditions, name)
            if amount > 0.01:
                self._programs["drops"]["u_snow"] = float(name == "snowfall")
                self._programs["drops"]["u_amount"] = amount
                self._drops.render(vertices=3 * count)
        target.smooth.depth_mask = True

    def _set_uniforms(self, pose: Pose, light: Light, conditions: Conditions, time: float) -> None:
        camera, rays = camera_matrices(pose)
        values: dict[str, Any] = {f"u_{name}": value for name, value in asdict(light).items()}
        values |= {"u_camera": camera, "u_rays": rays, "u_eye": [pose.x, pose.y, pose.z], "u_time": time}
        values |= {"u_clouds": conditions.clouds, "u_view_distance": VIEW_DISTANCE}
        packed = {name: np.asarray(value, np.float32).tobytes() for name, value in values.items()}
        for program in self._programs.values():
            for name in program:
                if name in packed:
                    program[name].write(packed[name])

    def picture(self, size: tuple[int, int]) -> NDArray[np.uint8]:
        """The drawn view, uint8 (height, width, 3)."""
        data = self._target(*size).plain.read(components=4)
        image = np.frombuffer(data, np.uint8).reshape(size[1], size[0], 4)
        return np.ascontiguousarray(image[::-1, :, :3])

    def depth(self, size: tuple[int, int]) -> NDArray[np.float32]:
        """Planar depth in metres of the drawn view, float32 (height, width); FAR in the sky."""
        data = self._target(*size).plain.read(components=1, attachment=-1, dtype="f4")
        window = np.frombuffer(data, np.float32).reshape(size[1], size[0])[::-1]
        return (NEAR * FAR) / (FAR - window * np.float32(FAR - NEAR))

    def close(self) -> None:
        """Frees the context and all that it holds."""
        self._context.release()


def camera_matrices(pose: Pose) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Column-major float32 (4, 4) matrices for the shaders: eye-relative metres to clip space, and clip space to rays."""
    sin, cos = math.sin(pose.yaw), math.cos(pose.yaw)
    dip, rise = math.sin(pose.pitch), math.cos(pose.pitch)
    right = np.array([cos, -sin, 0.0])
    ahead = np.array([sin * rise, cos * rise, dip])
    up = np.cross(right, ahead)
    camera = np.zeros((4, 4))
    camera[0, :3], camera[1, :3] = right / TAN_X, up / TAN_Y
    camera[2, :3], camera[3, :3] = ahead * (FAR + NEAR) / (FAR - NEAR), ahead
    camera[2, 3] = -2 * FAR * NEAR / (FAR - NEAR)
    rays = np.zeros((4, 4))
    rays[:3, 0], rays[:3, 1], rays[:3, 2] = right * TAN_X, up * TAN_Y, ahead
    return camera.T.astype(np.float32), rays.T.astype(np.float32)
