"""`genie-lite play`: walk through a world that the model draws."""

from __future__ import annotations

import sys
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

import tyro

from genie_lite.commands.visit import Before, VisitOptions, display_expected, visit
from genie_lite.commands.world import CONDITION_FLAGS, StartOptions, start_of
from genie_lite.commands.worlds import find_world, folders, remixed
from genie_lite.conditions import BIOMES, Conditions, biome
from genie_lite.engine.protocol import MOST_THREADS, Sketcher
from genie_lite.engine.shipped import find_checkpoint, weights_hash
from genie_lite.errors import UsageError, WorldFileError
from genie_lite.pictures import read_picture
from genie_lite.play.choice import Going, reading_of
from genie_lite.play.draft import Draft, Picture, picture_of
from genie_lite.world_file import WorldFile, read_world


@dataclass(frozen=True)
class DreamOptions:
    """Flags that say what draws, and how."""

    world: str | None = None
    """A world whose weights come with genie_lite (landscape if left out)."""
    checkpoint: Path | None = None
    """Weights of your own: a folder that training wrote."""
    quality: Literal["auto", "720p", "360p", "144p"] = "auto"
    """Size of the picture; auto takes the largest that holds 24 frames a second, or the fastest if none does."""
    memory: Literal["on", "off"] = "on"
    """Spatial memory; off forgets everything but the last frames, and shows how fast the world fades without it."""
    runtime: Literal["auto", "openvino", "eager"] = "auto"
    """What runs the networks."""
    dtype: Literal["auto", "bf16", "fp32"] = "auto"
    """Number format; auto takes bf16 where the processor has instructions for it."""
    threads: int | None = None
    """Processor threads for the networks (all cores if left out)."""
    guidance: float = 1.0
    """How closely the first view keeps to what is asked for: 0 not at all, 3 very closely, and with less variety."""

    def __post_init__(self) -> None:
        if self.threads is not None and not 1 <= self.threads <= MOST_THREADS:
            raise UsageError(f"--threads {self.threads} is not between 1 and {MOST_THREADS}; leave it out for all")


@dataclass(frozen=True)
class Options(DreamOptions, VisitOptions, StartOptions):
    """Walk through a world that the model draws, from words, conditions, a picture or a file."""

    path: tyro.conf.Positional[Path | None] = None
    """A world as a file, or the name of one that `genie-lite worlds list` shows; flags overrule it."""
    sketch: bool = False
    """Sketch the world in the window before you enter: words, sliders, and first frames to choose from. With --image
    that is always done."""


def main(options: Options) -> int:
    """Plays until the player leaves; returns the exit status. Raises GenieLiteError."""
    if options.path is not None:
        return _enter(options, options.path)
    picture = None if options.image is None else picture_of(read_picture(options.image))
    start = start_of(options) if picture is None else picture.framed
    checkpoint, draft = find_checkpoint(options.world, options.checkpoint), _draft(options, picture)
    first = Going.SKETCH if options.sketch or (picture and display_expected() and not options.off_screen) else None
    before = Before(tuple(folders()), first, draft)
    return visit(
        options, start, lambda: _looking(dream(options, checkpoint), picture), before=before, weights=checkpoint
    )


def dream(options: DreamOptions, checkpoint: Path) -> Sketcher:
    """The engine, as the flags set it. Raises CheckpointError, UsageError."""
    from genie_lite.engine.dream import DreamEngine, EngineOptions

    return DreamEngine.load(
        EngineOptions(
            checkpoint=checkpoint,
            quality=options.quality,
            memory=options.memory == "on",
            runtime=options.runtime,
            dtype=options.dtype,
            threads=options.threads,
            guidance=options.guidance,
        )
    )


def _enter(options: Options, path: Path) -> int:
    """Plays the world of a file, as the flags change it."""
    if options.image is not None:
        raise UsageError(f"{path} says what the world begins from; leave out --image, or the file")
    world = remixed(_read(path), options, options.seed)
    checkpoint = find_checkpoint(options.world, options.checkpoint)
    if world.checkpoint is not None and world.checkpoint != (here := weights_hash(checkpoint)):
        other = f"{path} was made with other weights ({world.checkpoint}, and these are {here})"
        print(f"{other}, so it may look different", file=sys.stderr)
    start = world.start()
    # The words have become conditions already; only a picture is still to be changed by them.
    options = replace(options, seed=world.seed, prompt=None if isinstance(start, Conditions) else world.prompt)
    draft = Draft.of(start, world.prompt) if isinstance(start, Conditions) else Draft("", picture_of(start))
    before = Before(tuple(folders()), Going.SKETCH if options.sketch else None, draft, world.prompt)
    return visit(options, start, lambda: dream(options, checkpoint), reading_of(world), before, checkpoint)


def _read(path: Path) -> WorldFile:
    """The world of a file. Raises WorldFileError, which says where words go if there is no such file."""
    try:
        return read_world(find_world(path))
    except WorldFileError as error:
        if not isinstance(error.__cause__, OSError):
            raise
        raise WorldFileError(f"{error}, and what a world should be like goes after --prompt") from error


def _draft(options: Options, picture: Picture | None) -> Draft:
    """What the sketch begins with: words, picture, and sliders where the flags put them."""
    draft = Draft(options.prompt or "", picture)
    if options.biome is not None:
        draft.moved |= dict(zip(BIOMES, biome(options.biome).biomes, strict=True))
    given = {name: getattr(options, name) for name in CONDITION_FLAGS}
    draft.moved |= {name: value for name, value in given.items() if value is not None}
    return draft


def _looking(engine: Sketcher, picture: Picture | None) -> Sketcher:
    """The engine, which has told what it makes of the picture to begin from."""
    if picture is not None:
        look = engine.look(picture.framed)
        seen = ", ".join(f"{name} {value:.2g}" for name, value in look.conditions.to_dict().items() if value >= 0.05)
        print(f"picture  {seen}\n         {look.verdict()}")
    return engine
