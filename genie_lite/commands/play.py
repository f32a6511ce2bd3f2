"""`genie-lite play`: walk through a world that the model draws."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from genie_lite.commands.visit import VisitOptions, visit
from genie_lite.engine.protocol import Engine, Start
from genie_lite.engine.shipped import find_checkpoint
from genie_lite.errors import UsageError


@dataclass(frozen=True)
class Options(VisitOptions):
    """Walk through a world that the model draws, from words, conditions or a picture."""

    world: str | None = None
    """A world whose weights come with genie_lite (landscape if left out)."""
    checkpoint: Path | None = None
    """Weights of your own: a folder that training wrote."""
    image: Path | None = None
    """Begin from this picture instead of conditions; a --prompt then changes it in the first seconds."""
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
    start = start_of(options)
    checkpoint = find_checkpoint(options.world, options.checkpoint)
    return visit(options, start, lambda: _dream(options, checkpoint))


def start_of(options: Options) -> Start:
    """Conditions or a start frame. Raises UsageError when both are asked for, ImageError for an unreadable picture."""
    if options.image is None:
        return options.conditions()
    if options.conditions_given():
        raise UsageError("--image says what the world looks like; leave out --biome, --hour and so on, or use --prompt")
    from genie_lite.commands.pictures import read_picture

    return read_picture(options.image)


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
