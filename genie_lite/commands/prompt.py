"""`genie-lite prompt`: what a text is taken to mean, as JSON."""

from __future__ import annotations

import json
from dataclasses import dataclass

import tyro

from genie_lite.prompt.parser import parse


@dataclass(frozen=True)
class Options:
    """Read a text as `play --prompt` would, and print the conditions it makes."""

    text: tyro.conf.Positional[tuple[str, ...]]
    """What the world should be like, in English."""


def main(options: Options) -> int:
    """Prints one line of JSON; returns the exit status. Raises PromptError if nothing was understood."""
    reading = parse(" ".join(options.text))
    told = {
        "conditions": reading.conditions.to_dict(),
        "understood": [{"phrase": chip.phrase, "sets": chip.sets} for chip in reading.understood],
        "not_understood": reading.not_understood,
    }
    print(json.dumps(told, separators=(",", ":"), ensure_ascii=False))
    return 0
