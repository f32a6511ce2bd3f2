"""`genie-lite sketch`: how a world could begin, for several seeds side by side, before entering it."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from pathlib import Path

from genie_lite.commands.words import tell
from genie_lite.commands.world import WorldOptions, checked_seed
from genie_lite.engine.shipped import find_checkpoint
from genie_lite.errors import OutputError, UsageError

COLUMNS, MOST = 4, 64


@dataclass(frozen=True)
class Options(WorldOptions):
    """Draw first frames of a world with several seeds; the number on a picture is its `play --seed`."""

    seed: int = 1
    """The first picture's seed; the others count on from it, past those that begin at a place already shown."""
    count: int = 8
    """How many pictures, 64 at most."""
    out: Path = Path("sketch.png")
    """The picture file to write."""
    world: str | None = None
    """A world whose weights come with genie_lite (landscape if left out)."""
    checkpoint: Path | None = None
    """Weights of your own: a folder that training wrote."""
    guidance: float = 1.0
    """How closely pictures keep to what is asked for, as with `play`: 0 not at all, 3 very closely."""

    def __post_init__(self) -> None:
        if not 1 <= self.count <= MOST:
            raise UsageError(f"--count {self.count} is not between 1 and {MOST}")
        checked_seed(self.seed)


def main(options: Options) -> int:
    """Draws the sheet and says where it is. Raises GenieLiteError."""
    from PIL import Image, ImageDraw, ImageFont

    from genie_lite.engine.dream import DreamEngine, EngineOptions
    from genie_lite.play.candidates import Candidates
    from genie_lite.play.choice import Choice

    conditions, reading = options.conditions(), options.reading()
    if reading is not None:
        tell(reading)
    checkpoint = find_checkpoint(options.world, options.checkpoint)
    engine = DreamEngine.load(EngineOptions(checkpoint, quality="360p", guidance=options.guidance))
    width, height = engine.info.size
    rows = -(-options.count // COLUMNS)
    sheet = Image.new("RGB", (min(options.count, COLUMNS) * width // 2, rows * height // 2))
    pen, font = ImageDraw.Draw(sheet), ImageFont.load_default(18)
    candidates = Candidates(partial(Choice, conditions), options.seed, options.count)
    while candidates.advance(engine):
        pass
    for number, candidate in enumerate(candidates.all):
        assert candidate.image is not None
        corner = number % COLUMNS * width // 2, number // COLUMNS * height // 2
        sheet.paste(Image.fromarray(candidate.image).resize((width // 2, height // 2)), corner)
        seed = str(candidate.choice.seed)
        pen.text((corner[0] + 8, corner[1] + 6), seed, "white", font, stroke_width=2, stroke_fill="black")
    try:
        sheet.save(options.out)
    except (OSError, ValueError) as error:
        raise OutputError(f"cannot write {options.out} ({error}); give a file such as sketch.png with --out") from error
    print(f"sketch  {options.out}")
    return 0
