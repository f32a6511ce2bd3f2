"""`genie-lite worlds list`: which worlds there are as files; and what their other commands share."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import tyro

from genie_lite.commands.world import WorldOptions
from genie_lite.conditions import BIOMES, Conditions
from genie_lite.engine.shipped import world_folders
from genie_lite.errors import UsageError, WorldFileError
from genie_lite.world_file import SUFFIX, WorldFile, read_world, write_world

WORLDS = Path("worlds")
"""Where your own worlds are looked for."""


@dataclass(frozen=True)
class Options:
    """List worlds that `genie-lite play` opens."""

    folder: tyro.conf.Positional[Path | None] = None
    """A folder of worlds (those that come with genie_lite, and those in ./worlds, if left out)."""


def main(options: Options) -> int:
    """Prints a table for every folder that holds worlds; returns the exit status."""
    asked = [options.folder] if options.folder else folders()
    found = {folder: sorted(folder.glob(f"*{SUFFIX}")) for folder in asked}
    for folder, paths in found.items():
        if paths:
            _show(folder, paths)
    if any(found.values()):
        print(f"enter one with: genie-lite play {options.folder / 'NAME' if options.folder else 'NAME'}")
    else:
        print(
            f"no worlds in {', '.join(map(str, asked))}; make one with: genie-lite worlds surprise --out NAME{SUFFIX}"
        )
    return 0


def folders() -> list[Path]:
    """Where worlds are looked for by name: your own first."""
    return [WORLDS, *world_folders()]


def find_world(path: Path) -> Path:
    """The path as given or, where nothing is, the world of that name in one of `folders`, whatever its ending."""
    named = (folder / f"{path}{ending}" for folder in (Path(), *folders()) for ending in ("", SUFFIX))
    # Where a folder is closed or a text too long for a name, is_file would raise, and access finds nothing.
    return next((file for file in named if os.access(file, os.F_OK) and file.is_file()), path)


def remixed(world: WorldFile, options: WorldOptions, seed: int | None = None, name: str | None = None) -> WorldFile:
    """The world with what words, flags, seed and name change; the rest stays. Raises UsageError.

    The words are an event to it: what they do not mention stays too.
    """
    if world.conditions is None and options.conditions_given():
        raise UsageError("this world begins from a picture, which says what it looks like; change it by --prompt alone")
    options.reading()
    said = [text for text in (world.prompt, options.prompt) if text is not None]
    return replace(
        world,
        name=world.name if name is None else name,
        seed=world.seed if seed is None else seed,
        prompt="; ".join(said) if said else None,
        conditions=None if world.conditions is None else options.conditions(world.conditions),
    )


def keep(world: WorldFile, path: Path) -> int:
    """Writes the world, says where, and returns the exit status. Raises UsageError, OutputError."""
    write_world(path, world)
    print(f"world   {path}")
    return 0


def name_from(path: Path) -> str:
    """What a world is called that has only a file's name."""
    return path.name.removesuffix(SUFFIX).replace("-", " ").replace("_", " ")


def _show(folder: Path, paths: Sequence[Path]) -> None:
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    table = Table(title=Text(str(folder)), title_justify="left")
    for column in ("name", "hour", "biomes", "words"):
        table.add_column(column, overflow="fold")
    for path in paths:
        try:
            row = _row(read_world(path))
        except WorldFileError as error:
            row = "", "", str(error)
        table.add_row(*(Text(cell) for cell in (path.name.removesuffix(SUFFIX), *row)))
    Console().print(table)


def _row(world: WorldFile) -> tuple[str, str, str]:
    hour, land = ("", "a picture") if world.conditions is None else _told(world.conditions)
    return hour, land, world.prompt or world.name


def _told(conditions: Conditions) -> tuple[str, str]:
    """The time of day and the biomes, the largest first."""
    minutes = round(conditions.hour * 60) % (24 * 60)
    shares = sorted(zip(conditions.biomes, BIOMES, strict=True), key=lambda share: -share[0])
    return f"{minutes // 60:02}:{minutes % 60:02}", ", ".join(name for share, name in shares if share >= 0.05)
