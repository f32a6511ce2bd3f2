"""How long the stages of a frame took, kept for a report."""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping

import numpy as np

from genie_lite.actions import STEPS_PER_SECOND

KEPT = STEPS_PER_SECOND * 600
"""Ten minutes of frames, so that an endless session needs no endless memory."""


class FrameTimes:
    """Milliseconds by stage over the latest frames. A stage may be missing from some frames."""

    def __init__(self) -> None:
        self._stages: dict[str, deque[float]] = {}

    def add(self, milliseconds: Mapping[str, float]) -> None:
        """Takes in one frame's stages."""
        for name, value in milliseconds.items():
            self._stages.setdefault(name, deque(maxlen=KEPT)).append(value)

    def clear(self) -> None:
        """Forgets everything, as at the start of an episode."""
        self._stages.clear()

    def values(self, stage: str) -> list[float]:
        """The milliseconds of one stage, oldest first; empty if it never ran."""
        return list(self._stages.get(stage, ()))

    def rate(self, stage: str) -> float:
        """How many a second the mean of this stage allows; 0 if it never ran."""
        values = self._stages.get(stage)
        return 1e3 * len(values) / sum(values) if values and sum(values) > 0 else 0.0

    def summary(self) -> dict[str, dict[str, float]]:
        """By stage: mean, p50, p95 and p99 in milliseconds."""
        return {name: _summary(values) for name, values in self._stages.items()}


def _summary(values: deque[float]) -> dict[str, float]:
    numbers = np.array(values)
    p50, p95, p99 = np.percentile(numbers, (50, 95, 99))
    found = {"mean": numbers.mean(), "p50": p50, "p95": p95, "p99": p99}
    return {name: round(float(value), 3) for name, value in found.items()}
