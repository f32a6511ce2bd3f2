"""What can be entered: a world from words, from a picture, or from a file. No window here."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum, auto
from pathlib import Path

from genie_lite.actions import STEPS_PER_SECOND
from genie_lite.conditions import Conditions
from genie_lite.engine.protocol import Start
from genie_lite.errors import PromptError
from genie_lite.prompt.parser import Chip, Reading, parse
from genie_lite.session.events import Event
from genie_lite.world_file import WorldFile

ALIKE = 1e-3
"""Chips are rounded to this."""


class Going(Enum):
    """Where the player goes from a screen, if not into a world."""

    SKETCH = auto()
    GALLERY = auto()
    AWAY = auto()


@dataclass(frozen=True, eq=False)
class Choice:
    """A world to enter. reading: what its words were taken to mean; script: what happens by itself on the way.

    prompt: its words. note: what the player should be told at first.
    """

    start: Start
    seed: int
    prompt: str | None = None
    reading: Reading | None = None
    script: tuple[Event, ...] = ()
    note: str = ""


@dataclass(frozen=True)
class Dropped:
    """A file that was dropped onto the window."""

    path: Path


Next = Choice | Going | Dropped
"""What may follow on a screen."""


def choice_of(world: WorldFile, weights: str | None) -> Choice:
    """A world file as it is entered with weights of that hash."""
    other = world.checkpoint not in (None, weights)
    note = "made with other weights, so it may look different" if other else ""
    # The words have become conditions already; only a picture is still to be changed by them.
    script = (event_of(world.prompt),) if world.prompt is not None and world.conditions is None else ()
    return Choice(world.start(), world.seed, world.prompt, reading_of(world), script, note)


def event_of(text: str, at_s: float = 0.0) -> Event:
    """The event that a text tells of, at so many seconds of world time. Raises PromptError if it tells of nothing."""
    reading = parse(text, Conditions(meadow=1.0))
    return Event(round(at_s * STEPS_PER_SECOND), lambda now: parse(text, now).conditions, text, reading.everywhere)


def reading_of(world: WorldFile) -> Reading | None:
    """What its prompt says and its conditions have not been changed away from; None if that is nothing."""
    try:
        reading = None if world.prompt is None else parse(world.prompt)
    except PromptError:
        return None
    if reading is None or world.conditions is None:
        return reading
    chips = []
    for chip in reading.understood:
        true = {
            name: value for name, value in chip.sets.items() if abs(getattr(world.conditions, name) - value) <= ALIKE
        }
        chips += [Chip(chip.phrase, true)] if true else []
    return Reading(world.conditions, tuple(chips), reading.not_understood)
