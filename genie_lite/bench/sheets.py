"""`genie-lite bench sheets`: pictures to judge by eye, of worlds that were fixed beforehand; nothing is picked."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from genie_lite.checks import require_least
from genie_lite.errors import OutputError

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray
    from PIL import Image

    from genie_lite.engine.dream import DreamEngine
    from genie_lite.engine.protocol import Engine

SECONDS = (0, 1, 3, 10, 30, 60)
HOURS = {"noon": 12.0, "dusk": 19.0, "night": 0.0}
FILM_RATE = 12
LARGEST = 1_400_000
"""Bytes of a PNG in full colour."""

CROP = (430, 250, 420, 236)
"""What the decoder's sheet shows of 1280x720: left, top, width, height."""

COMPARED, HISTORY = (0, 3, 6), 96
"""Held-out worlds that dream and decoder are shown beside, and the true frames that the dream begins from."""

Sheet = Literal["walk", "idle", "first_frames", "film", "decoder", "beside", "prompts", "events", "pictures"]


@dataclass(frozen=True)
class Options:
    """Draw contact sheets: rollouts of a minute, first frames, a moving picture of play, the 720p decoder, and films of
    the dream beside the truth."""

    world: str | None = None
    """A world whose weights come with genie_lite (landscape if left out)."""
    checkpoint: Path | None = None
    """Weights of your own: a folder that training wrote."""
    out: Path = Path("assets")
    """Folder for the pictures."""
    pictures: Path = Path("assets/pictures")
    """Folder of the pictures that the sheet of pictures begins from."""
    only: tuple[Sheet, ...] = (
        "first_frames",
        "prompts",
        "events",
        "pictures",
        "film",
        "decoder",
        "beside",
        "idle",
        "walk",
    )
    """Which of them to draw; idle and walk take minutes each, since they dream 32 minutes of world time together."""
    threads: int | None = None
    """Processor threads for the networks (all cores if left out)."""

    def __post_init__(self) -> None:
        require_least(self, threads=1)


def main(options: Options) -> int:
    """Draws what was asked for and returns the exit status 0. Raises GenieLiteError."""
    from genie_lite.bench import word_sheets
    from genie_lite.bench.coherence import progress_bar
    from genie_lite.engine.shipped import find_checkpoint
    from genie_lite.recording.report import prepare_folder

    checkpoint = find_checkpoint(options.world, options.checkpoint)
    out = prepare_folder(options.out)

    def engine(quality: str = "144p", memory: bool = True) -> DreamEngine:
        from genie_lite.engine.dream import DreamEngine, EngineOptions

        return DreamEngine.load(EngineOptions(checkpoint, quality=quality, memory=memory, threads=options.threads))

    def draw_minute(name: str, memory: bool) -> None:
        suffix = "" if memory else "_no_memory"
        save_sheet(minute(engine(memory=memory), walking=name == "walk"), out / f"{name}_60s{suffix}.png")

    draw: dict[str, list[Callable[[], None]]] = {
        "first_frames": [lambda: save_sheet(first_frames(engine()), out / "first_frames.png")],
        "film": [lambda: save_film(engine("720p"), out / "walk.webp")],
        "decoder": [lambda: save_sheet(decoder(checkpoint, options.world or "landscape"), out / "decoder_720p.png")],
        "beside": [lambda: film_beside((engine(), engine(memory=False)), options.world or "landscape", out)],
    }
    drawn: dict[str, Callable[[DreamEngine], Image.Image]] = {
        "prompts": word_sheets.prompts,
        "events": word_sheets.events,
        "pictures": partial(word_sheets.pictures, folder=options.pictures),
    }

    def draw_words(name: str) -> None:
        _write(drawn[name](engine()), prepare_folder(out / "sheets") / f"{name}.webp", quality=88)

    draw |= {name: [partial(draw_words, name)] for name in drawn}
    for name in ("idle", "walk"):
        draw[name] = [partial(draw_minute, name, memory) for memory in (True, False)]
    work = [job for name in options.only for job in draw[name]]
    with progress_bar() as bar:
        for job in bar.track(work, description="sheets"):
            job()
    return 0


def minute(engine: DreamEngine, walking: bool, seconds: Sequence[int] = SECONDS) -> Image.Image:
    """One world for each biome, seeds 1 to 8, from conditions alone: walked by the autopilot, or left alone."""
    from genie_lite.actions import STEPS_PER_SECOND
    from genie_lite.conditions import BIOMES, biome

    rows = []
    for seed, name in enumerate(BIOMES, start=1):
        moments = {second * STEPS_PER_SECOND for second in seconds}
        frames = _play(engine, biome(name), seed, max(moments), walking)
        rows.append([image for index, image in enumerate(frames) if index in moments])
    return grid(rows, list(BIOMES), [f"{second} s" for second in seconds])


def first_frames(engine: DreamEngine) -> Image.Image:
    """Each biome at noon, dusk and night, drawn from conditions alone with one seed."""
    from genie_lite.conditions import BIOMES, biome

    rows = [[engine.reset(biome(name, hour=hour), 1).image for name in BIOMES] for hour in HOURS.values()]
    return grid(rows, list(HOURS), list(BIOMES))


def save_film(engine: Engine, path: Path) -> None:
    """Seventeen seconds of the first world of `minute` under keys fixed beforehand, 640x360, as an endless animation
    that tells what is done. Raises OutputError."""
    from genie_lite.actions import STEPS_PER_SECOND

    skip = STEPS_PER_SECOND // FILM_RATE
    film = [_told(frame, words) for index, (frame, words) in enumerate(_scenes(engine)) if index % skip == 0]
    _write(film[0], path, save_all=True, append_images=film[1:], duration=1000 // FILM_RATE, loop=0, quality=60)


def _scenes(engine: Engine) -> Iterator[tuple[NDArray[np.uint8], str]]:
    """Frames of a full turn, a walk there and back, an event, and a walk on, with words for each."""
    from genie_lite.actions import IDLE, STEPS_PER_SECOND, Action
    from genie_lite.conditions import biome
    from genie_lite.prompt.parser import parse

    turn, walk = Action(turn=1.0), Action(forward=1.0)
    start, event = biome("meadow"), parse("night falls", biome("meadow"))
    yield engine.reset(start, 1).image, "a full turn"
    for words, action, seconds in (
        ("a full turn", turn, 4),
        ("straight on", walk, 2),
        ("half a turn", turn, 2),
        ("back", walk, 2),
        ("half a turn", turn, 2),
        ("night falls", IDLE, 2),
        ("straight on", walk, 3),
    ):
        if words == "night falls":
            engine.set_conditions(event.conditions)
        for _ in range(seconds * STEPS_PER_SECOND):
            yield engine.step(action).image, words


def _told(frame: NDArray[np.uint8], words: str) -> Image.Image:
    """The frame at 640x360 with words in its lower left corner."""
    from PIL import Image, ImageDraw, ImageFont

    image = Image.fromarray(frame).resize((640, 360), Image.Resampling.BOX)
    ImageDraw.Draw(image).text(
        (14, 348), words, "white", ImageFont.load_default(20), "ls", stroke_width=2, stroke_fill="black"
    )
    return image


def film_beside(engines: Sequence[DreamEngine], world: str, folder: Path, seconds: int = 60) -> None:
    """Films of held-out worlds along the true actions: the simulator, and each engine's dream. Raises OutputError."""
    import numpy as np

    from genie_lite.actions import STEPS_PER_SECOND
    from genie_lite.bench.heldout import record
    from genie_lite.bench.subject import Dream
    from genie_lite.recording.video import VideoWriter
    from genie_lite.worlds import make_world

    simulator, steps = make_world(world), seconds * STEPS_PER_SECOND
    for number in COMPARED:
        truth = record(simulator, number, HISTORY + steps)
        for engine in engines:
            Dream(engine, "").from_truth(truth, HISTORY - 1, HISTORY)
        with VideoWriter(folder / f"beside_{number}.mp4", small=True) as video:
            for at in range(HISTORY, HISTORY + steps):
                dreamed = [engine.step(truth.actions[at - 1]).image for engine in engines]
                video.write(np.concatenate([truth.frames[at], *dreamed], 1))
    simulator.close()


def decoder(checkpoint: Path, world: str) -> Image.Image:
    """Three held-out instants: the true 720p picture, what the model's 720p head makes of its latent, and the model's
    own and the true 256x144 picture enlarged."""
    from PIL import Image

    from genie_lite.bench.heldout import PICTURE_SIZE, record
    from genie_lite.bench.rollouts import decoded
    from genie_lite.model.checkpoint import load_model
    from genie_lite.worlds import make_world

    model, simulator, instant = load_model(checkpoint, ("autoencoder",)), make_world(world), 48
    left, top, width, height = CROP
    rows = []
    for number in COMPARED:
        truth = record(simulator, number, instant + 1, [instant])
        frames = truth.frames[instant][None]
        drawn, small = (decoded(model.autoencoder, frames, size)[0] for size in ("720p", "144p"))
        enlarged = (
            Image.fromarray(frame).resize(PICTURE_SIZE, Image.Resampling.BICUBIC) for frame in (small, frames[0])
        )
        pictures = (truth.pictures[instant], drawn, *enlarged)
        rows.append([_pixels(picture)[top : top + height, left : left + width] for picture in pictures])
    simulator.close()
    names = [f"world {number}" for number in COMPARED]
    return grid(
        rows, names, ["simulator at 720p", "the model's 720p head", "the model's 144p enlarged", "true 144p enlarged"]
    )


def _play(engine: DreamEngine, start: Any, seed: int, steps: int, walking: bool) -> Iterator[NDArray[np.uint8]]:
    """The first frame and `steps` more."""
    from genie_lite.actions import IDLE
    from genie_lite.session.autopilot import Autopilot

    frame, pilot = engine.reset(start, seed), Autopilot(seed)
    yield frame.image
    for _ in range(steps):
        frame = engine.step(pilot.action(frame) if walking else IDLE)
        yield frame.image


def grid(rows: Sequence[Sequence[NDArray[np.uint8]]], names: Sequence[str], columns: Sequence[str]) -> Image.Image:
    """Pictures of one size in a grid, with names beside the rows and above the columns."""
    from PIL import Image, ImageDraw, ImageFont

    height, width = rows[0][0].shape[:2]
    side, head, gap = 84, 24, 4
    size = (side + len(columns) * (width + gap), head + len(rows) * (height + gap))
    sheet = Image.new("RGB", size, "white")
    pen, font = ImageDraw.Draw(sheet), ImageFont.load_default(14)
    for column, text in enumerate(columns):
        pen.text((side + column * (width + gap) + width // 2, head // 2), text, "black", font, "mm")
    for row, (text, pictures) in enumerate(zip(names, rows, strict=True)):
        y = head + row * (height + gap)
        pen.text((side // 2, y + height // 2), text, "black", font, "mm")
        for column, picture in enumerate(pictures):
            sheet.paste(Image.fromarray(picture), (side + column * (width + gap), y))
    return sheet


def save_sheet(sheet: Image.Image, path: Path) -> None:
    """As a PNG, with 256 colours if it would be too large for a repository."""
    _write(sheet, path, optimize=True)
    if path.stat().st_size > LARGEST:
        _write(sheet.quantize(256), path, optimize=True)


def _write(image: Image.Image, path: Path, **settings: Any) -> None:
    try:
        image.save(path, **settings)
    except OSError as error:
        raise OutputError(f"cannot write {path} ({error.strerror or error}); give another folder with --out") from error


def _pixels(picture: Any) -> NDArray[np.uint8]:
    import numpy as np

    return np.asarray(picture)
