"""Runs the real window's loop on the autopilot as fast as it goes, and keeps what every frame cost."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from genie_lite.bench.machine import resident_mb
from genie_lite.conditions import Conditions
from genie_lite.engine.protocol import Engine
from genie_lite.play.loop import PlayLoop
from genie_lite.play.window import Window
from genie_lite.session.autopilot import Autopilot
from genie_lite.session.frametimes import FrameTimes
from genie_lite.session.manager import SessionManager

ENGINE_STAGES = ("motion", "imagination", "memory", "dynamics", "decode")
STAGES = (*ENGINE_STAGES, "present")
"""The stages that every report names; "coherence" and "loop" are what else a frame costs."""


class Unpaced:
    """No pacing: the loop never waits."""

    fps = 0.0

    def wait(self) -> None:
        """Returns at once."""

    def restart(self) -> None:
        """Has no schedule to forget."""


@dataclass(frozen=True, slots=True)
class Run:
    """What one size cost. milliseconds: stage -> (frames,) float64, with "total" from one shown frame to the next."""

    size: str
    frames: int
    seconds: float
    milliseconds: dict[str, NDArray[np.float64]]
    rss_mb: float

    @property
    def fps(self) -> float:
        """Frames by wall time, everything included."""
        return self.frames / self.seconds

    def percentiles(self, stage: str) -> tuple[float, float, float]:
        """p50, p95 and p99 in milliseconds."""
        p50, p95, p99 = (round(float(v), 2) for v in np.percentile(self.milliseconds[stage], (50, 95, 99)))
        return p50, p95, p99


def run_window(engine: Engine, start: Conditions, seed: int, warm_up: int, frames: int, out: Path) -> Run:
    """Plays warm_up + frames frames in a window that nobody sees, and measures the last `frames`.

    Raises DisplayError, and what the engine raises.
    """
    with unseen_loop(engine, start, seed, out) as loop:
        tick(loop, warm_up)
        loop.times.clear()
        began = time.perf_counter()
        tick(loop, frames)
        seconds = time.perf_counter() - began
    width, height = engine.info.size
    return Run(f"{width}x{height}", frames, seconds, _stages(loop.times), resident_mb())


@contextmanager
def unseen_loop(engine: Engine, start: Conditions, seed: int, out: Path) -> Iterator[PlayLoop]:
    """A loop that has begun, without cap or pacing, on the autopilot, in a window of 1280x720 that nobody sees.

    Always SDL's dummy driver, so that numbers compare between machines with and without a display: it does all the
    drawing but leaves out the hand-over to a screen. Raises DisplayError.
    """
    os.environ["SDL_VIDEODRIVER"] = "dummy"
    session = SessionManager(engine, start, seed, cap=0)
    with Window() as window:
        loop = PlayLoop(session, window, out, pilot=Autopilot(seed).action, pace=Unpaced())
        loop.begin()
        yield loop


def tick(loop: PlayLoop, frames: int = 1) -> None:
    """Plays so many frames. Raises what the engine raises."""
    for _ in range(frames):
        loop.tick()
        if loop.session.error is not None:
            raise loop.session.error


def _stages(times: FrameTimes) -> dict[str, NDArray[np.float64]]:
    """Arrays of equal length by stage, whose sum is "total"."""
    total = np.array(times.values("interval"))
    stages = {name: np.array(times.values(name)) for name in STAGES}
    stages = {name: values if len(values) else np.zeros_like(total) for name, values in stages.items()}
    drawn = sum((stages[name] for name in ENGINE_STAGES), np.zeros_like(total))
    stages["coherence"] = np.array(times.values("step")) - drawn
    stages["loop"] = total - np.array(times.values("work"))
    return stages | {"total": total}
