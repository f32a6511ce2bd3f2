"""`genie-lite worlds save`: a world that words, flags or a picture describe, as a file."""

from __future__ import annotations

import random
from dataclasses import dataclass, field
from pathlib import Path

import tyro

from genie_lite.commands.words import tell
from genie_lite.commands.world import StartOptions, start_of
from genie_lite.commands.worlds import keep, name_from
from genie_lite.conditions import Conditions
from genie_lite.engine.shipped import find_checkpoint, weights_hash
from genie_lite.errors import UsageError
from genie_lite.world_file import WorldFile


@dataclass(frozen=True)
class Options(StartOptions):
    """Save a world as a file, to enter it again with `genie-lite play`, and to share."""

    out: tyro.conf.Positional[Path] = field(kw_only=True)
    """The file to write, such as lake.world.json."""
    name: str | None = None
    """What the world is called (as its file if left out)."""
    seed: int | None = None
    """The same seed gives the same world; a new one if left out."""
    checkpoint: Path | None = None
    """The weights it is made with: a folder that training wrote (those that come with genie_lite if left out)."""
    any_weights: bool = False
    """Do not note which weights it is made with: none is better than another."""


def main(options: Options) -> int:
    """Writes the world and says where; returns the exit status. Raises GenieLiteError."""
    if options.image is not None and options.conditions_given():
        raise UsageError("--image says what the world looks like; leave out --biome, --hour and so on, or use --prompt")
    start, reading = start_of(options), options.reading()
    picture = None
    if not isinstance(start, Conditions):
        from genie_lite.pictures import packed

        picture = packed(start)
    if reading is not None:
        tell(reading)
    world = WorldFile(
        name=name_from(options.out) if options.name is None else options.name,
        seed=random.SystemRandom().randrange(2**31) if options.seed is None else options.seed,
        prompt=options.prompt,
        conditions=start if isinstance(start, Conditions) else None,
        picture=picture,
        checkpoint=None if options.any_weights else weights_hash(find_checkpoint(None, options.checkpoint)),
    )
    return keep(world, options.out)
