"""Words on the command line: what was understood is told, and a file of events becomes a script."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from genie_lite.errors import PromptError
from genie_lite.play.choice import event_of
from genie_lite.prompt.parser import Reading
from genie_lite.session.events import Event

LATEST = 1e6
"""Seconds into a visit, eleven days; no event comes later."""


def tell(reading: Reading) -> None:
    """Prints what was understood and what was not."""
    for chip in reading.understood:
        print(f"understood      {chip}")
    if reading.not_understood:
        print(f"not understood  {', '.join(reading.not_understood)}")


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
    if not number or not 0 <= at_s <= LATEST:
        raise PromptError(f"{where}: at_s {at_s!r} is no time; give 0 to {LATEST:.0f} seconds")
    if not isinstance(text, str):
        raise PromptError(f"{where}: text {text!r} is no text; {_FORMAT}")
    try:
        return event_of(text, at_s)
    except PromptError as error:
        raise PromptError(f"{where}: {error}") from error
