"""Draws tiles, sky and weather with OpenGL 3.3 into pictures and depth maps, without a window."""

from __future__ import annotations

import os
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import moderngl
import numpy as np
from numpy.typing import NDArray

from genie_lite.camera import FAR, NEAR, TAN_X, TAN_Y
from genie_lite.conditions import Conditions
from genie_lite.errors import RenderError
from genie_lite.worlds.landscape.buffers import Drawing, Pool
from genie_lite.worlds.landscape.frustum import Frustum
from genie_lite.worlds.landscape.sky import (
    Light,
    cloud_groups,
    cloud_vertices,
    clouds_there,
    star_vertices,
)

_DISC_SIDES = 14
_DROPS = {"rain": 130, "snowfall": 200}
_POOL_BYTES = 16 << 20
_WIDER = 4
"""How much wider and higher than the picture the viewport is: Mesa's renderer is slow with all that its edges cut."""

# name, numbers; those without a name fill up to four.
_FIELDS = (
    ("camera", 16), ("eye", 3), ("time", 1), ("zenith", 3), ("night", 1), ("horizon", 3), ("clear", 1), ("glow", 3),
    ("visibility", 1), ("sun_colour", 3), ("clouds", 1), ("skylight", 3), ("", 1), ("light_dir", 3), ("", 1),
    ("sun_dir", 3), ("", 1), ("moon_dir", 3), ("", 1),
)  # fmt: skip
_FRAME = np.dtype([(name, "<f4", (count,) if count > 1 else ()) for name, count in _FIELDS])
"""The block of uniforms that all shaders share, as std140 lays it out; see common.glsl."""


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
        self._values = np.zeros(1, _FRAME)
        self._light: Light | None = None
        self._frame = self.context.buffer(self._values, dynamic=True)
        self._frame.bind_to_uniform_block(0)
        self._resolve = self.context.vertex_array(self._program("resolve.vert", "resolve.frag"), [])
        self._resolve.program["u_colour"], self._resolve.program["u_depth"] = 0, 1
        self._resolve.program["u_range"], self._resolve.program["u_wider"] = (NEAR, FAR), _WIDER
        self._discs = self.context.vertex_array(self._program("disc.vert", "colour.frag"), [])
        self.pool = Pool(self.context, _POOL_BYTES)
        """Where tiles keep their vertices, VERTEX."""
        scene = self._program("scene.vert", "flat.frag")
        self._scene = Drawing(self.context, scene, self.pool.buffer, "3f 4f1 4f1", "position normal colour")
        self._stars = self._array(self._program("star.vert", "colour.frag"), star_vertices(6), "4f", "star")
        clouds, program = cloud_vertices(5), self._program("cloud.vert", "colour.frag")
        names = "position centre normal rank"
        self._clouds = Drawing(self.context, program, self.context.buffer(clouds), "3f 3f 3f 1f", names)
        self._cloud_groups, self._cloud_centres, self._cloud_radii = cloud_groups(clouds)
        self._drop_program = self._program("drops.vert", "drops.frag")
        seeds = np.random.default_rng(7).random((max(_DROPS.values()), 3)).astype(np.float32)
        self._drops = self._array(self._drop_program, np.repeat(seeds, 3, 0), "3f", "seed")

    def _program(self, vertex: str, fragment: str) -> Any:
        here = Path(__file__).parent
        common = (here / "common.glsl").read_text()
        texts = [(here / f"{name}.glsl").read_text() for name in (vertex, fragment)]
        texts = [text if text.startswith("#version") else common + text for text in texts]
        program = self.context.program(vertex_shader=texts[0], fragment_shader=texts[1])
        if "Frame" in program:
            program["Frame"].binding = 0
        return program

    def _array(self, program: Any, vertices: NDArray[np.float32], layout: str, name: str) -> Any:
        return self.context.vertex_array(program, [(self.context.buffer(vertices), layout, f"in_{name}")])

    def _target(self, width: int, height: int) -> Target:
        if (width, height) not in self._targets:
            make, double = self.context, (2 * width, 2 * height)
            colour, depth = make.texture(double, 4), make.depth_texture(double)
            colour.filter, depth.filter = (moderngl.LINEAR,) * 2, (moderngl.NEAREST,) * 2
            for texture in (colour, depth):
                texture.repeat_x = texture.repeat_y = False
            depth.compare_func = ""
            outputs = [make.renderbuffer((width, height), 4), make.renderbuffer((width, height), 1, dtype="f4")]
            large = make.framebuffer([colour], depth)
            margin = (1 - _WIDER) * width, (1 - _WIDER) * height
            large.viewport = *margin, double[0] * _WIDER, double[1] * _WIDER
            self._targets[width, height] = Target(large, colour, depth, make.framebuffer(outputs))
        return self._targets[width, height]

    def draw(
        self,
        size: tuple[int, int],
        view: Frustum,
        faces: NDArray[np.uint32],
        light: Light,
        conditions: Conditions,
        time: float,
    ) -> None:
        """Draws the view as a picture of `size` (width, height); read it with `picture` and `depth`.

        faces: (3 F,) vertex numbers in the pool, what is near first.
        """
        target, context = self._target(*size), self.context
        self._set_frame(view, light, conditions, time)
        target.large.use()
        context.enable_only(moderngl.DEPTH_TEST | moderngl.CULL_FACE)
        context.depth_func = "<="
        target.large.clear(depth=1.0)
        self._scene.render(faces)
        context.disable(moderngl.CULL_FACE)
        if light.night * light.clear > 0:
            self._stars.render()
        if light.clear > 0:
            self._discs.render(vertices=3 * 3 * _DISC_SIDES)
        context.enable(moderngl.CULL_FACE)
        self._draw_clouds(view, conditions)
        self._draw_drops(target, conditions)
        self._halve(target)

    def _halve(self, target: Target) -> None:
        target.plain.use()
        self.context.enable_only(moderngl.NOTHING)
        target.colour.use(0)
        target.depth.use(1)
        self._resolve.render(vertices=3)

    def _draw_clouds(self, view: Frustum, conditions: Conditions) -> None:
        seen = view.sees_balls(self._cloud_centres, self._cloud_radii)
        seen[clouds_there(conditions.clouds) :] = False
        self._clouds.render(self._cloud_groups[seen])

    def _draw_drops(self, target: Target, conditions: Conditions) -> None:
        amounts = {name: getattr(conditions, name) for name in _DROPS}
        if max(amounts.values()) <= 0.01:
            return
        target.large.depth_mask = False
        self.context.enable_only(moderngl.DEPTH_TEST | moderngl.BLEND)
        # Colours come out multiplied by alpha, which is how much hides the sky.
        over = moderngl.SRC_ALPHA, moderngl.ONE_MINUS_SRC_ALPHA
        self.context.blend_func = over[0], over[1], moderngl.ONE, moderngl.ONE_MINUS_SRC_ALPHA
        for name, amount in amounts.items():
            if amount > 0.01:
                self._drop_program["u_snow"] = float(name == "snowfall")
                self._drop_program["u_amount"] = amount
                self._drops.render(vertices=3 * _DROPS[name])
        target.large.depth_mask = True

    def _set_frame(self, view: Frustum, light: Light, conditions: Conditions, time: float) -> None:
        values = self._values[0]
        if light is not self._light:
            for name, value in vars(light).items():
                values[name] = value
            self._light = light
        values["camera"], values["eye"], values["time"] = camera_matrix(view).ravel(), view.eye, time
        values["clouds"] = conditions.clouds
        self._frame.write(self._values)

    def picture(self, size: tuple[int, int]) -> NDArray[np.uint8]:
        """The drawn view, uint8 (height, width, 3)."""
        image = np.empty((size[1], size[0], 3), np.uint8)
        self._target(*size).plain.read_into(image, components=3)
        return image

    def depth(self, size: tuple[int, int]) -> NDArray[np.float32]:
        """Planar depth in metres of the drawn view, float32 (height, width); FAR in the sky."""
        depth = np.empty((size[1], size[0]), np.float32)
        self._target(*size).plain.read_into(depth, components=1, attachment=1, dtype="f4")
        return depth

    def close(self) -> None:
        """Frees the context and all that it holds."""
        self.context.release()


def camera_matrix(view: Frustum) -> NDArray[np.float32]:
    """Float32 (4, 4), column by column as OpenGL wants it: from metres relative to the eye to clip space."""
    camera = np.zeros((4, 4))
    camera[0, :3], camera[1, :3] = view.right / (TAN_X * _WIDER), view.up / (TAN_Y * _WIDER)
    camera[2, :3], camera[3, :3] = view.ahead * (FAR + NEAR) / (FAR - NEAR), view.ahead
    camera[2, 3] = -2 * FAR * NEAR / (FAR - NEAR)
    return camera.T.astype(np.float32)
