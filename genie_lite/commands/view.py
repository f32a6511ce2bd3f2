"""`genie-lite worlds view`: walk through the simulator itself, in the same window as the dream."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from genie_lite.commands.visit import VisitOptions, visit
from genie_lite.engine.protocol import Engine

SIZES = {"720p": (1280, 720), "360p": (640, 360), "144p": (256, 144)}


@dataclass(frozen=True)
class Options(VisitOptions):
    """Walk through the simulator that the model learned from. Needs the training packages and OpenGL."""

    world: str = "landscape"
    """Which simulator."""
    quality: Literal["720p", "360p", "144p"] = "360p"
    """Size of the picture; 720p wants a graphics card."""


def main(options: Options) -> int:
    """Shows the world until the player leaves; returns the exit status. Raises GenieLiteError."""
    return visit(options, options.conditions(), lambda: _simulator(options))


def _simulator(options: Options) -> Engine:
    from genie_lite.engine.simulator import SimulatorEngine
    from genie_lite.worlds import make_world

    world = make_world(options.world)
    return SimulatorEngine(world.unwrapped, SIZES[options.quality], name=f"{options.world} simulator")
