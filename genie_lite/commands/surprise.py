"""`genie-lite worlds surprise`: a world that chance makes up, of what goes well together."""

from __future__ import annotations

import random
from dataclasses import dataclass
from pathlib import Path

from genie_lite.commands.words import tell
from genie_lite.commands.worlds import keep
from genie_lite.prompt.parser import parse
from genie_lite.world_file import WorldFile

HOURS = (
    "at dawn", "at sunrise", "in the morning", "at noon", "in the late afternoon", "in the golden hour", "at sunset",
    "at dusk", "at night",
)  # fmt: skip

CALM = ("with a clear sky", "with a few clouds", "with light fog")
"""Weather that becomes every land."""

SCENES = {
    "meadow": (
        ("rolling meadows", "a meadow by a lake", "a village in the meadows", "a meadow with scattered trees"),
        (*CALM, "with drizzle"),
    ),
    "autumn": (
        ("an autumn forest", "autumn hills", "an autumn lake", "a hamlet among autumn trees"),
        (*CALM, "with fog", "with drizzle"),
    ),
    "snow": (
        ("a snowy forest", "snowy mountains", "a snowy plain with a cabin", "snowy hills by a lake"),
        (*CALM, "with light snowfall", "with heavy snowfall"),
    ),
    "desert": (
        ("a desert", "a desert with rocks", "a desert canyon", "a desert with ruins"),
        ("with a clear sky", "with a few clouds", "with heat haze"),
    ),
    "volcanic": (
        ("a volcanic plain", "volcanic mountains", "volcanic hills with a lake"),
        (*CALM, "with dark clouds", "with smoke"),
    ),
    "tropical": (
        ("a tropical coast", "a jungle by a river", "a tropical island with huts", "tropical hills"),
        (*CALM, "with rain"),
    ),
    "marsh": (
        ("a marsh", "a marsh with dead trees", "a marsh with many ponds", "a cabin in the marsh"),
        (*CALM, "with thick fog", "with drizzle"),
    ),
    "alien": (
        ("an alien world", "an alien plain", "alien mountains", "an alien lake"),
        CALM,
    ),
}
"""Biome -> its places, and the weather that suits them."""


@dataclass(frozen=True)
class Options:
    """Have chance make up a world that could well be. It is told in words first, so you can make it your own."""

    out: Path
    """The file to write, such as surprise.world.json."""
    seed: int | None = None
    """The same seed makes up the same world; a new one each time if left out."""


def main(options: Options) -> int:
    """Writes the world and says what it is; returns the exit status. Raises GenieLiteError."""
    seed = random.SystemRandom().randrange(2**31) if options.seed is None else options.seed
    prompt = surprise(seed)
    reading = parse(prompt)
    print(f"prompt  {prompt}")
    tell(reading)
    return keep(WorldFile(prompt, seed, prompt, reading.conditions), options.out)


def surprise(seed: int) -> str:
    """Words for a world: a place, an hour and its weather. The same seed always gives the same."""
    chance = random.Random(seed)
    places, weathers = SCENES[chance.choice(list(SCENES))]
    return f"{chance.choice(places)} {chance.choice(HOURS)}, {chance.choice(weathers)}"
