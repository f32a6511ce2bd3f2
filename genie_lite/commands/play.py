"""`genie-lite play`: walk through a world that the model draws."""

from __future__ import annotations

import sys
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

import tyro

from genie_lite.commands.visit import VisitOptions, visit
from genie_lite.commands.words import reading_of
from genie_lite.commands.world import StartOptions, start_of
from genie_lite.commands.worlds import find_world, remixed
from genie_lite.engine.protocol import Engine
from genie_lite.engine.shipped import find_checkpoint, weights_hash
from genie_lite.errors import UsageError
from genie_lite.world_file import read_world


@dataclass(frozen=True)
class Options(VisitOptions, StartOptions):
    """Walk through a world that the model draws, from words, conditions, a picture or a file."""

    path: tyro.conf.Positional[Path | None] = None
    """A world as a file, or the name of one that `genie-lite worlds list` shows; flags overrule it."""
    world: str | None = None
    """A world whose weights come with genie_lite (landscape if left out)."""
    checkpoint: Path | None = None
    """Weights of your own: a folder that training wrote."""
    quality: Literal["auto", "720p", "360p", "144p"] = "auto"
    """Size of the picture; auto takes the largest that holds 24 frames a second."""
    memory: Literal["on", "off"] = "on"
    """Spatial memory; off forgets everything but the last frames, and shows how fast the world fades without it."""
    runtime: Literal["auto", "openvino", "eager"] = "auto"
    """What runs the networks."""
    dtype: Literal["auto", "bf16", "fp32"] = "auto"
    """Number format; auto measures what this processor does well."""
    threads: int | None = None
    """Processor threads for the networks."""


def main(options: Options) -> int:
    """Plays until the player leaves; returns the exit status. Raises GenieLiteError."""
    if options.path is not None:
        return _enter(options, options.path)
    start = start_of(options)
    checkpoint = find_checkpoint(options.world, options.checkpoint)
    return visit(options, start, lambda: _dream(options, checkpoint), weights=checkpoint)


def _enter(options: Options, path: Path) -> int:
    """Plays the world of a file, as the flags change it."""
    if options.image is not None:
        raise UsageError(f"{path} says what the world begins from; leave out --image, or the file")
    world = remixed(read_world(find_world(path)), options, options.seed)
    checkpoint = find_checkpoint(options.world, options.checkpoint)
    if world.checkpoint is not None and world.checkpoint != (here := weights_hash(checkpoint)):
        other = f"{path} was made with other weights ({world.checkpoint}, and these are {here})"
        print(f"{other}, so it may look different", file=sys.stderr)
    # The words have become conditions already; only a picture is still to be changed by them.
    prompt = world.prompt if world.conditions is None else None
    options = replace(options, seed=world.seed, prompt=prompt)
    return visit(options, world.start(), lambda: _dream(options, checkpoint), reading_of(world), checkpoint)


def _dream(options: Options, checkpoint: Path) -> Engine:
    from genie_lite.engine.dream import DreamEngine, EngineOptions

    return DreamEngine.load(
        EngineOptions(
            checkpoint=checkpoint,
            quality=options.quality,
            memory=options.memory == "on",
            runtime=options.runtime,
            dtype=options.dtype,
            threads=options.threads,
        )
    )
