"""What is measured: one setting of the engine, put behind the true past of a held-out world."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from genie_lite.actions import Action
from genie_lite.bench.heldout import Truth
from genie_lite.bench.plan import Tick
from genie_lite.engine.dream import DreamEngine
from genie_lite.engine.protocol import Frame
from genie_lite.session.calibration import Calibration

NO_MEMORY = "_no_memory"


@dataclass(frozen=True)
class Dream:
    """One setting of the engine under test. suffix: what its measurements' names end in; calibration: of the live
    coherence meter for these weights, if they have one."""

    engine: DreamEngine
    suffix: str
    calibration: Calibration | None = None

    def from_truth(self, truth: Truth, frame: int, history: int) -> Frame:
        """The engine after the true frames up to and including `frame`, `history` of them at most."""
        first = max(0, frame + 1 - history)
        past = slice(first, frame + 1)
        given = truth.frames[past], truth.poses[past], truth.actions[:frame], truth.conditions[frame]
        return self.engine.follow(*given, truth.seed)

    def film(self, truth: Truth, frame: int, history: int, actions: Sequence[Action], tick: Tick) -> NDArray[np.uint8]:
        """The start as the decoder shows it and one drawn frame for each action: uint8 (1 + actions, 144, 256, 3)."""
        first = self.from_truth(truth, frame, history).image
        drawn = np.empty((1 + len(actions), *first.shape), np.uint8)
        drawn[0] = first
        for index, action in enumerate(actions, 1):
            drawn[index] = self.engine.step(action).image
            tick(1)
        return drawn
