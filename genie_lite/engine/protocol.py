"""What an engine is: one reset/step contract that dream, simulator, replay and fake share. No torch here.

Out of scope for every engine: windows, clocks, pacing, caps, files.
"""

from __future__ import annotations

from collections.abc import Iterator
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


ENGINE = 11
"""Counts up whenever the same weights come to dream something else, so that what was fitted to dreams, as the coherence
meter is, is not believed of others."""

MOST_THREADS = 1024
"""More processor threads no engine is given."""

MOST_GUIDANCE = 20.0
"""How closely a first frame may be asked to keep to its conditions; 1 is usual."""


@dataclass(frozen=True, slots=True)
class Frame:
    """One drawn instant.

    image: uint8 (H, W, 3), the picture to show; index: frames since reset, 0 for the first.
    latent: float32 (16, 18, 32), normalised per channel, or None where an engine has none.
    thumbnail: float32 (4, 72, 128), RGB in [-1, 1] and log-depth in [0, 1], or None.
    hint: float32 (4, 72, 128), what memory expected to see, RGB in [-1, 1] and a 0/1 known mask, or None.
    kept: how much of the view memory has from what the dream began with, in [0, 1], or None.
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
    kept: float | None = None
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
    guidance: float = 1.0


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

    def set_conditions(self, conditions: Conditions, everywhere: bool = False) -> None:
        """Changes the world's conditions from the next step on (an event).

        A new land or new houses come into what has not been seen yet; with `everywhere` also into what has been seen,
        which is forgotten as it was.
        """
        ...


@dataclass(frozen=True, slots=True)
class Look:
    """What an engine makes of a picture.

    conditions: as they are estimated from it. strangeness: how far it lies from what the engine knows; 1 is what one
    in a hundred of its own views reaches, and beyond `limit` it knows nothing like it. psnr: dB between the picture and
    the engine's drawing of it.
    """

    conditions: Conditions
    strangeness: float
    limit: float
    psnr: float

    @property
    def strange(self) -> bool:
        """True if the engine knows nothing like it."""
        return self.strangeness > self.limit

    def verdict(self) -> str:
        """One line for the player."""
        score = f"strangeness {self.strangeness:.1f}"
        if self.strange:
            return (
                f"{score}, far from what the model knows (up to {self.limit:.1f}): it may soon look like something else"
            )
        return f"{score}, near to what the model knows (up to {self.limit:.1f})"


class Sketcher(Engine, Protocol):
    """An engine that can also show how worlds would begin, while another is being played or none yet."""

    def sketch(self, start: Start, seed: int) -> Iterator[NDArray[np.uint8]]:
        """The first frame as it forms, a picture (uint8 H W 3) every few milliseconds of work; the last one is the
        image that `reset` would return. The sizes of those before may be smaller."""
        ...

    def look(self, picture: NDArray[np.uint8]) -> Look:
        """What this engine makes of a picture, uint8 RGB (H, W, 3). Raises ImageError for anything else."""
        ...
