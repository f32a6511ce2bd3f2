"""`genie-lite worlds gallery`: worlds that are files, drawn by the model, to click and walk into."""

from __future__ import annotations

from dataclasses import dataclass, fields
from pathlib import Path

import tyro

from genie_lite.commands import play
from genie_lite.commands.visit import Before, visit
from genie_lite.commands.worlds import folders
from genie_lite.conditions import Conditions
from genie_lite.engine.shipped import find_checkpoint
from genie_lite.play.choice import Going


@dataclass(frozen=True)
class Options(play.DreamOptions):
    """Look at worlds that are files, and walk into them. F2 leads on to sketching one of your own."""

    folder: tyro.conf.Positional[Path | None] = None
    """A folder of worlds (those in ./worlds, and those that come with genie_lite, if left out)."""
    cap: float | None = None
    """Seconds of world time until a visit ends (60 if left out), 0 for no end."""
    record: bool = False
    """Record every visit from its first frame on."""
    out: Path | None = None
    """Folder for recordings, reports and screenshots (sessions/TIME if left out)."""


def main(options: Options) -> int:
    """Shows the gallery until the player leaves; returns the exit status. Raises GenieLiteError."""
    given = {field.name: getattr(options, field.name) for field in fields(options) if field.name != "folder"}
    asked = play.Options(**given)
    checkpoint = find_checkpoint(options.world, options.checkpoint)
    before = Before((options.folder,) if options.folder else tuple(folders()), Going.GALLERY)
    start = Conditions(meadow=1.0)
    return visit(asked, start, lambda: play.dream(options, checkpoint), before=before, weights=checkpoint)
