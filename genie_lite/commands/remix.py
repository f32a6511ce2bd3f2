"""`genie-lite worlds remix`: another world with one thing changed and the rest kept."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

import tyro

from genie_lite.commands.words import tell
from genie_lite.commands.world import WorldOptions
from genie_lite.commands.worlds import find_world, keep, remixed
from genie_lite.prompt.parser import parse
from genie_lite.world_file import read_world


@dataclass(frozen=True)
class Options(WorldOptions):
    """Change what you name of a world and keep the rest. Words act as they do on the way: "let it snow"."""

    path: tyro.conf.Positional[Path] = field(kw_only=True)
    """The world to begin with, which is left as it is."""
    out: Path = field(kw_only=True)
    """The file to write, such as snowy-lake.world.json."""
    name: str | None = None
    """What the new world is called."""
    seed: int | None = None
    """Another place of the same kind."""


def main(options: Options) -> int:
    """Writes the changed world and says where; returns the exit status. Raises GenieLiteError."""
    world = read_world(find_world(options.path))
    changed = remixed(world, options, options.seed, options.name)
    if options.prompt is not None:
        tell(parse(options.prompt, world.conditions))
    return keep(changed, options.out)
