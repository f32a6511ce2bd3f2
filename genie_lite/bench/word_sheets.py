"""Contact sheets of what words, events and pictures make of a world, chosen beforehand; nothing is picked."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from genie_lite.actions import STEPS_PER_SECOND
from genie_lite.errors import UsageError

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray
    from PIL import Image

    from genie_lite.engine.protocol import Sketcher, Start
    from genie_lite.session.events import Event

PROMPTS = (
    "a foggy meadow at dawn", "an autumn forest", "a snowy village at night", "sand dunes at noon",
    "a lava field at dusk", "a tropical beach at sunset", "a misty marsh with dead trees", "an alien world",
    "snow creeping into a desert", "a mountain lake in the morning", "thick jungle in heavy rain", "ruins in a desert",
    "a lonely cabin in a blizzard", "rolling green hills, clear sky", "a volcano at night", "an oasis, palms, hot noon",
    "a harvest evening with a few houses", "a frozen lake under stars", "savanna in the golden hour",
    "a stormy coast", "a flat empty plain", "steep mountains in fog", "a town by a river", "a dark swamp at midnight",
)  # fmt: skip

EVENTS = (
    ("a meadow with trees at noon", "let it snow"),
    ("an autumn forest in the afternoon", "night falls"),
    ("a tropical coast in the morning", "fog rolls in"),
    ("a foggy marsh, overcast", "clear up"),
    ("a meadow with trees", "the desert begins here"),
    ("autumn hills", "everything turns to snow"),
)
"""Worlds, and what happens in them after BEFORE seconds."""

BEFORE, AFTER, LATER = 2, (1, 3, 10), (2, 10)
"""Seconds."""

COLUMNS = 4


def prompts(engine: Sketcher) -> Image.Image:
    """The first frame of every prompt, with seed 1."""
    from genie_lite.prompt.parser import parse

    cells = [(text, engine.reset(parse(text).conditions, 1).image) for text in PROMPTS]
    return captioned([cells[at : at + COLUMNS] for at in range(0, len(cells), COLUMNS)])


def events(engine: Sketcher) -> Image.Image:
    """Each event on a walk of the autopilot, seed 1: before it, and seconds after it."""
    from genie_lite.play.choice import event_of
    from genie_lite.prompt.parser import parse

    rows = []
    for world, text in EVENTS:
        moments = [BEFORE, *(BEFORE + seconds for seconds in AFTER)]
        frames = _walk(engine, parse(world).conditions, moments, [event_of(text, BEFORE)])
        names = [world, *(f"{text}, {seconds} s later" for seconds in AFTER)]
        rows.append(list(zip(names, frames, strict=True)))
    return captioned(rows)


def pictures(engine: Sketcher, folder: Path) -> Image.Image:
    """Every picture of a folder, what the model makes of it as a first frame, and later on a walk of the autopilot.

    Raises UsageError where there is none, ImageError.
    """
    from genie_lite.pictures import framed, read_picture

    rows = []
    for path in sorted(folder.glob("*.jpg")):
        start = framed(read_picture(path))
        look = engine.look(start)
        names = (path.stem, f"first frame, strangeness {look.strangeness:.1f}", *(f"{seconds} s" for seconds in LATER))
        rows.append(list(zip(names, [start, *_walk(engine, start, [0, *LATER])], strict=True)))
    if not rows:
        raise UsageError(f"no pictures in {folder}; put some JPEG files there")
    return captioned(rows)


def captioned(rows: Sequence[Sequence[tuple[str, NDArray[np.uint8]]]]) -> Image.Image:
    """Pictures at 256x144 in rows, each with its name below."""
    from PIL import Image, ImageDraw, ImageFont

    width, height, foot, gap = 256, 144, 20, 6
    size = max(map(len, rows)) * (width + gap) + gap, len(rows) * (height + foot + gap) + gap
    sheet = Image.new("RGB", size, "white")
    pen, font = ImageDraw.Draw(sheet), ImageFont.load_default(13)
    for row, cells in enumerate(rows):
        for column, (name, picture) in enumerate(cells):
            x, y = gap + column * (width + gap), gap + row * (height + foot + gap)
            sheet.paste(Image.fromarray(picture).resize((width, height), Image.Resampling.BOX), (x, y))
            pen.text((x + 2, y + height + foot // 2), name, "black", font, "lm")
    return sheet


def _walk(
    engine: Sketcher, start: Start, moments: Sequence[int], script: Sequence[Event] = ()
) -> list[NDArray[np.uint8]]:
    """Pictures at some seconds of a walk."""
    from genie_lite.session.autopilot import Autopilot
    from genie_lite.session.manager import SessionManager

    session = SessionManager(engine, start, 1, cap=0.0, script=script)
    session.begin()
    pilot, pictures = Autopilot(1), []
    for step in range(moments[-1] * STEPS_PER_SECOND + 1):
        if session.error is not None or session.frame is None:
            raise session.error or RuntimeError("no frame")
        if step in [second * STEPS_PER_SECOND for second in moments]:
            pictures.append(session.frame.image)
        session.step(pilot.action(session.frame))
    return pictures
