"""The world changes while you walk: a glide from old conditions to new ones, and events to happen. World time only."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from genie_lite.actions import STEPS_PER_SECOND
from genie_lite.conditions import Conditions

GLIDE_SECONDS = 3.0
GLIDE_STEPS = round(GLIDE_SECONDS * STEPS_PER_SECOND)
SUDDEN_STEPS = STEPS_PER_SECOND
"""A glide that ends with another land everywhere: seeing that takes its time too."""


@dataclass(frozen=True)
class Event:
    """At `step` (1/24 s of world time) the conditions become what `change` makes of those the world is heading for.

    `label` is what the player is told. everywhere: what has been seen already changes too, and is not kept as it was.
    """

    step: int
    change: Callable[[Conditions], Conditions]
    label: str = ""
    everywhere: bool = False


@dataclass(frozen=True)
class Glide:
    """From `begin` to `end` in so many steps: linear in biome weights and strengths, the short way round the clock."""

    begin: Conditions
    end: Conditions
    steps: int = GLIDE_STEPS

    def at(self, step: int) -> Conditions:
        """The conditions after `step` steps; exactly `end` from the last one on."""
        if step >= self.steps:
            return self.end
        return self.begin.towards(self.end, max(0, step) / self.steps)
