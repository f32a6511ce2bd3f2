"""Words on the command line: what was understood is told, and a file of events becomes a script."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

from genie_lite.actions import STEPS_PER_SECOND
from genie_lite.conditions import Conditions
from genie_lite.engine.protocol import Start
from genie_lite.errors import PromptError
from genie_lite.prompt.parser import Chip, Reading, parse
from genie_lite.session.events import Event
from genie_lite.world_file import WorldFile

ALIKE = 1e-3
"""Chips are rounded to this."""


def tell(reading: Reading) -> None:
    """Prints what was understood and what was not."""
    for chip in reading.understood:
        print(f"understood      {chip}")
    if reading.not_understood:
        print(f"not understood  {', '.join(reading.not_understood)}")


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


def script_of(events: Path | None, prompt: str | None, start: Start) -> tuple[Event, ...]:
    """What happens on the way: the events of a file, after the prompt if the world begins from a picture.

    Raises PromptError.
    """
    script = () if events is None else read_events(events)
    return script if prompt is None or isinstance(start, Conditions) else (event_of(prompt), *script)


def event_of(text: str, at_s: float = 0.0) -> Event:
    """The event that a text tells of, at so many seconds of world time. Raises PromptError if it tells of nothing."""
    parse(text, Conditions(meadow=1.0))
    return Event(round(at_s * STEPS_PER_SECOND), lambda now: parse(text, now).conditions, text)


def read_events(path: Path) -> tuple[Event, ...]:
    """The script in a JSON file: a list of {"at_s": seconds, "text": "let it snow"}.

    Raises PromptError, which names the file and the event, for anything else.
    """
    try:
        entries = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise PromptError(f"cannot read {path} ({error.strerror}); give a JSON file of events") from error
    except (ValueError, RecursionError) as error:
        raise PromptError(f"{path} is no JSON ({error}); {_FORMAT}") from error
    if not isinstance(entries, list):
        raise PromptError(f"{path} holds no list; {_FORMAT}")
    return tuple(_event(entry, f"{path}, event {number}") for number, entry in enumerate(entries, 1))


_FORMAT = 'events are written as [{"at_s": 5, "text": "let it snow"}, ...]'


def _event(entry: Any, where: str) -> Event:
    if not isinstance(entry, dict) or entry.keys() != {"at_s", "text"}:
        raise PromptError(f"{where} does not hold at_s and text alone; {_FORMAT}")
    at_s, text = entry["at_s"], entry["text"]
    number = isinstance(at_s, int | float) and not isinstance(at_s, bool)
    if not number or not 0 <= at_s < math.inf:
        raise PromptError(f"{where}: at_s {at_s!r} is no time; give 0 or more seconds")
    if not isinstance(text, str):
        raise PromptError(f"{where}: text {text!r} is no text; {_FORMAT}")
    try:
        return event_of(text, at_s)
    except PromptError as error:
        raise PromptError(f"{where}: {error}") from error
