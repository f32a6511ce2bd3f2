"""The simulator behind the engine's contract, so that one window shows dream and simulator alike."""

from __future__ import annotations

import time
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from genie_lite.actions import Action
from genie_lite.camera import THUMB_HEIGHT, THUMB_WIDTH, log_depth
from genie_lite.conditions import Conditions
from genie_lite.engine.protocol import EngineInfo, Frame, Start
from genie_lite.errors import UsageError


class World(Protocol):
    """The part of a Gymnasium environment that is used: RGB observations, and pose, depth and conditions in `info`."""

    def reset(self, *, seed: int | None, options: dict[str, Any] | None) -> tuple[Any, dict[str, Any]]:
        """Begins an episode."""
        ...

    def step(self, action: NDArray[np.float32], /) -> tuple[Any, Any, bool, bool, dict[str, Any]]:
        """One step for a float32 (6,) action."""
        ...

    def set_conditions(self, conditions: Conditions, /) -> None:
        """Changes weather, hour and land from the next step on."""
        ...

    def picture(self, width: int, height: int, /) -> NDArray[np.uint8]:
        """The present instant, uint8 (height, width, 3)."""
        ...


class SimulatorEngine:
    """Shows a world's own pictures at `size` (width, height). It remembers nothing, so its frames carry no hint."""

    def __init__(self, world: World, size: tuple[int, int] = (1280, 720), name: str = "simulator") -> None:
        self.info = EngineInfo(name=name, size=size, runtime="simulator")
        self._world, self._index = world, 0

    def warm_up(self) -> None:
        """Draws one picture, which compiles shaders and loads the driver."""
        self._world.reset(seed=0, options=None)
        self._world.picture(*self.info.size)

    def reset(self, start: Start, seed: int) -> Frame:
        """Frame 0. Raises UsageError for a start frame: a simulator begins from conditions only."""
        if not isinstance(start, Conditions):
            raise UsageError("a simulated world cannot begin from a picture; give conditions such as --biome snow")
        self._index = 0
        started = time.perf_counter()
        _, info = self._world.reset(seed=seed, options={"conditions": start})
        return self._frame(info, started)

    def step(self, action: Action) -> Frame:
        """The next frame; a world that ends an episode is simply stepped on."""
        self._index += 1
        started = time.perf_counter()
        *_, info = self._world.step(action.to_array())
        return self._frame(info, started)

    def set_conditions(self, conditions: Conditions, everywhere: bool = False) -> None:
        """Passes the event on to the world."""
        self._world.set_conditions(conditions)

    def _frame(self, info: dict[str, Any], started: float) -> Frame:
        stepped = time.perf_counter()
        image = self._world.picture(*self.info.size)
        timings = {"simulate": (stepped - started) * 1e3, "decode": (time.perf_counter() - stepped) * 1e3}
        thumbnail = np.concatenate([_thumbnail(image), log_depth(_sampled(info["depth"]))[None]])
        return Frame(image, self._index, info["pose"], info["conditions"], thumbnail=thumbnail, timings=timings)


def _sampled(array: NDArray[Any]) -> NDArray[Any]:
    """Every n-th row and column of (H, W, ...), 72 x 128 of them."""
    rows = np.arange(THUMB_HEIGHT) * array.shape[0] // THUMB_HEIGHT
    columns = np.arange(THUMB_WIDTH) * array.shape[1] // THUMB_WIDTH
    return array[rows[:, None], columns]


def _thumbnail(image: NDArray[np.uint8]) -> NDArray[np.float32]:
    return (_sampled(image).astype(np.float32) / 127.5 - 1).transpose(2, 0, 1)
