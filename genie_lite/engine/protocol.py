"""What an engine is: one reset/step contract that dream, simulator, replay and fake share. No torch here.

Out of scope for every engine: windows, clocks, pacing, caps, files.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from genie_lite.actions import Action
from genie_lite.camera import Pose
from genie_lite.conditions import Conditions

Start = Conditions | NDArray[np.uint8]
"""What a world begins from: conditions, or a start frame (uint8 RGB, height x width x 3, any size)."""


SEEN_EVERY = 6
"""Frames whose index is a multiple of this tell what conditions they show, where the engine can read them."""


@dataclass(frozen=True, slots=True)
class Frame:
    """One drawn instant.

    image: uint8 (H, W, 3), the picture to show; index: frames since reset, 0 for the first.
    latent: float32 (16, 18, 32), normalised per channel, or None where an engine has none.
    thumbnail: float32 (4, 72, 128), RGB in [-1, 1] and log-depth in [0, 1], or None.
    hint: float32 (4, 72, 128), what memory expected to see, RGB in [-1, 1] and a 0/1 known mask, or None.
    timings: milliseconds by stage (motion, imagination, memory, dynamics, decode); of what runs beside another stage,
    what is waited for.
    seen: the conditions that the picture shows, as the model reads them back (see SEEN_EVERY), or None.
    """

    image: NDArray[np.uint8]
    index: int
    pose: Pose
    conditions: Conditions
    latent: NDArray[np.float32] | None = None
    thumbnail: NDArray[np.float32] | None = None
    hint: NDArray[np.float32] | None = None
    timings: dict[str, float] = field(default_factory=dict)
    seen: Conditions | None = None


@dataclass(frozen=True, slots=True)
class EngineInfo:
    """Who draws: for reports, recordings and benchmarks. All values can go into JSON."""

    name: str
    checkpoint: str | None = None
    checkpoint_hash: str | None = None
    size: tuple[int, int] = (1280, 720)
    dtype: str = "float32"
    runtime: str = "none"
    memory: bool = False
    denoising_steps: int = 0
    threads: int = 1


class Engine(Protocol):
    """Draws a world. `reset` before the first `step`; both return the frame to show now."""

    @property
    def info(self) -> EngineInfo:
        """What this engine is and how it is set."""
        ...

    def warm_up(self) -> None:
        """Does whatever makes first calls slow. May take seconds; optional to call."""
        ...

    def reset(self, start: Start, seed: int) -> Frame:
        """Begins an episode and returns frame 0. The same start and seed give the same frame."""
        ...

    def step(self, action: Action) -> Frame:
        """Advances world time by 1/24 s under the action and returns the next frame."""
        ...

    def set_conditions(self, conditions: Conditions) -> None:
        """Changes the world's conditions from the next step on (an event)."""
        ...
