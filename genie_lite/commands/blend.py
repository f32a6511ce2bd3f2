"""`genie-lite worlds blend`: a world between two others."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

import tyro

from genie_lite.commands.worlds import find_world, keep
from genie_lite.errors import UsageError
from genie_lite.world_file import WorldFile, read_world


@dataclass(frozen=True)
class Options:
    """Mix the conditions of two worlds; between two hours lies what is nearest to both around the clock."""

    first: tyro.conf.Positional[Path]
    """A world, which gives the seed too."""
    second: tyro.conf.Positional[Path]
    """Another."""
    out: Path = field(kw_only=True)
    """The file to write, such as between.world.json."""
    share: float = 0.5
    """How much of the second, 0 to 1."""
    name: str | None = None
    """What the new world is called (as the two if left out)."""
    seed: int | None = None
    """Another seed than the first world's."""

    def __post_init__(self) -> None:
        if not 0 <= self.share <= 1:
            raise UsageError(f"--share {self.share:g} is outside 0 to 1")


def main(options: Options) -> int:
    """Writes the blend and says where; returns the exit status. Raises GenieLiteError."""
    first, second = (read_world(find_world(path)) for path in (options.first, options.second))
    return keep(blended(first, second, options), options.out)


def blended(first: WorldFile, second: WorldFile, options: Options) -> WorldFile:
    """The world between them, which no words describe. Raises UsageError where one begins from a picture."""
    if first.conditions is None or second.conditions is None:
        picture = options.first if first.conditions is None else options.second
        raise UsageError(f"{picture} begins from a picture, and only conditions can be mixed; blend another world")
    return WorldFile(
        name=f"between {first.name} and {second.name}" if options.name is None else options.name,
        seed=first.seed if options.seed is None else options.seed,
        conditions=first.conditions.towards(second.conditions, options.share),
        checkpoint=first.checkpoint if first.checkpoint == second.checkpoint else None,
    )
