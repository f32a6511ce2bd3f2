"""An engine without weights: a checkered plain under a sky, for tests and for measuring everything but the model."""

from __future__ import annotations

import time
from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from genie_lite.actions import RUN_SPEED, STEPS_PER_SECOND, WALK_SPEED, Action
from genie_lite.camera import EYE_HEIGHT, TAN_X, TAN_Y, THUMB_HEIGHT, THUMB_WIDTH, Pose, log_depth
from genie_lite.conditions import Conditions
from genie_lite.engine.protocol import EngineInfo, Frame, Look, Start

SKY_DEPTH = 512.0
LATENT_SHAPE = (16, 18, 32)


class FakeEngine:
    """Obeys every action, hits nothing and draws the same frames for the same seed and actions.

    size: (width, height) of the image, which is the thumbnail enlarged: cheap at any size.
    """

    def __init__(self, size: tuple[int, int] = (1280, 720)) -> None:
        self.info = EngineInfo(name="fake", size=size)
        self._index, self._pose, self._conditions = 0, Pose(z=EYE_HEIGHT), Conditions(meadow=1.0)
        self._noise = np.random.default_rng(0)
        self._hue = 0.0
        self._seen_from: Pose | None = None

    def warm_up(self) -> None:
        """Nothing here is slow at first."""

    def reset(self, start: Start, seed: int) -> Frame:
        """Frame 0 at the origin; the seed chooses the colour of the ground."""
        if isinstance(start, Conditions):
            self._conditions = start
        self._index, self._pose = 0, Pose(z=EYE_HEIGHT)
        self._noise = np.random.default_rng(seed)
        self._hue = float(self._noise.random())
        self._seen_from = None
        return self._frame()

    def step(self, action: Action) -> Frame:
        """Turns and walks exactly as asked."""
        distance = (RUN_SPEED if action.run else WALK_SPEED) / STEPS_PER_SECOND
        self._pose = self._pose.rotated(action).moved(action.forward * distance, action.strafe * distance, 0.0)
        self._index += 1
        return self._frame()

    def set_conditions(self, conditions: Conditions, everywhere: bool = False) -> None:
        """Only reported in the frames; the plain looks the same."""
        self._conditions = conditions

    def sketch(self, start: Start, seed: int) -> Iterator[NDArray[np.uint8]]:
        """Fades in."""
        image = FakeEngine(self.info.size).reset(start, seed).image
        for quarter in (1, 2, 3):
            yield (image * (quarter / 4)).astype(np.uint8)
        yield image

    def look(self, picture: NDArray[np.uint8]) -> Look:
        """A bright picture is a snowy day to it, a dark one a night, and a colourful one is strange."""
        light, colour = float(picture.mean() / 255), np.ptp(picture.mean((0, 1))) / 255
        conditions = Conditions(snow=light, meadow=1 - light, hour=12 * light)
        return Look(conditions, float(3 * colour), 1.2, 30.0)

    def _frame(self) -> Frame:
        started = time.perf_counter()
        if self._seen_from != self._pose:
            colours, depth = self._draw()
            rgb = (colours * 2 - 1).transpose(2, 0, 1)
            self._image = _enlarged((colours * 255).astype(np.uint8), *self.info.size)
            self._thumbnail = np.concatenate([rgb, log_depth(depth)[None]])
            self._hint = np.concatenate([rgb, np.ones_like(rgb[:1])])
            self._seen_from = self._pose
        latent = self._noise.standard_normal(LATENT_SHAPE, np.float32)
        timings = {"decode": (time.perf_counter() - started) * 1e3}
        return Frame(
            self._image, self._index, self._pose, self._conditions, latent, self._thumbnail, self._hint, None, timings
        )

    def _draw(self) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """Colours in [0, 1], float32 (72, 128, 3), and planar depth in metres, float32 (72, 128)."""
        width, height = THUMB_WIDTH, THUMB_HEIGHT
        right = (np.arange(width, dtype=np.float32) + 0.5) / width * 2 * TAN_X - TAN_X
        up = TAN_Y - (np.arange(height, dtype=np.float32)[:, None] + 0.5) / height * 2 * TAN_Y
        sin_pitch, cos_pitch = np.float32(np.sin(self._pose.pitch)), np.float32(np.cos(self._pose.pitch))
        climb = up * cos_pitch + sin_pitch
        ground = climb < -EYE_HEIGHT / SKY_DEPTH
        depth = np.where(ground, EYE_HEIGHT / np.maximum(-climb, 1e-6), SKY_DEPTH).astype(np.float32)
        ahead, aside = depth * (cos_pitch - up * sin_pitch), depth * right
        sin, cos = np.float32(np.sin(self._pose.yaw)), np.float32(np.cos(self._pose.yaw))
        east = np.float32(self._pose.x) + ahead * sin + aside * cos
        north = np.float32(self._pose.y) + ahead * cos - aside * sin
        checker = ((np.floor(east / 3) + np.floor(north / 3)) % 2) * np.exp(-depth / 40)
        soil = np.array([0.25 + 0.3 * self._hue, 0.5 - 0.2 * self._hue, 0.22], np.float32)
        land = soil * (0.8 + 0.35 * checker[..., None]) + 0.25 * (1 - np.exp(-depth / 120))[..., None]
        haze = np.clip(climb * 1.4, 0, 1)[..., None]
        sky = np.array([0.78, 0.86, 0.93], np.float32) * (1 - haze) + np.array([0.3, 0.52, 0.83], np.float32) * haze
        colours = np.where(ground[..., None], land, np.broadcast_to(sky, land.shape))
        return np.clip(colours, 0, 1).astype(np.float32), np.broadcast_to(depth, (height, width))


def _enlarged(small: NDArray[np.uint8], width: int, height: int) -> NDArray[np.uint8]:
    """The nearest pixels of (H, W, 3) at another size."""
    rows = np.arange(height) * small.shape[0] // height
    columns = np.arange(width) * small.shape[1] // width
    return small.take(columns, axis=1).take(rows, axis=0)
