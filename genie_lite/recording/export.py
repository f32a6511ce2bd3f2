"""Recordings in forms that other programs open: mp4, gif, webp, PNG files, and a Hugging Face data set."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import astuple
from itertools import chain, islice
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from genie_lite.actions import ACTION_DIM, STEPS_PER_SECOND
from genie_lite.conditions import CONDITION_NAMES
from genie_lite.engine.protocol import Engine
from genie_lite.errors import OutputError, RecordingError, UsageError
from genie_lite.files import all_or_none, drafted
from genie_lite.recording.log import VIDEO, Step
from genie_lite.recording.reader import Log
from genie_lite.recording.replay import drive
from genie_lite.recording.video import VideoWriter, read_video

MOVING_WIDTH = 480
"""Pixels across a gif or webp; they are for showing around, not for keeping."""

Pictures = Iterator[NDArray[np.uint8]]
"""uint8 (H, W, 3), one for each frame."""

CARD = """# Sessions recorded with genie_lite

`load_dataset("videofolder", data_dir="THIS FOLDER")` opens it. A row is a video and, for each of its frames, a list:

- `actions`: forward, strafe, turn, look, jump, run; the action at frame t leads to frame t + 1 (at the last one: zeros)
- `poses`: x, y, z in metres, yaw and pitch in radians
- `conditions`: {names}
- `coherence`: the meter's score, 0 to 1
"""


def export(log: Log, kind: str, out: Path, engine: Engine | None = None) -> None:
    """Writes the recording to `out` as one of KINDS. Its pictures come from its video, or from the engine if given.

    It is written whole or not at all. A data set may exist already and gains a row; nothing else is overwritten. Raises
    OutputError, RecordingError where there is no video to read, and UsageError for a name that ends like another kind.
    """
    ending = out.suffix.lower().removeprefix(".")
    if ending in KINDS and ending != kind:
        raise UsageError(f"{out} ends like another kind than {kind}; give --to {ending}, or another name with --out")
    if kind != "dataset" and out.exists():
        raise OutputError(f"{out} exists already; give another name with --out")
    first = 0 if engine else log.header.video_from
    if first >= len(log.steps):
        raise RecordingError("its log ends before its video begins; add --redraw to draw its frames anew")
    pictures = _pictures(log, engine)
    # Before anything is made: there may be none.
    head = next(pictures, None)
    if head is None:
        raise RecordingError(f"{log.folder / VIDEO} shows nothing; add --redraw to draw its frames anew")
    try:
        KINDS[kind](log, chain([head], pictures), first, out)
    except OSError as error:
        reason = error.strerror or error
        raise OutputError(f"cannot write {out} ({reason}); free some space or use another --out") from error


def _pictures(log: Log, engine: Engine | None) -> Pictures:
    """A picture for every frame from the first on that has one; where the video lacks one, the one before it."""
    if engine is not None:
        return (frame.image for frame in drive(log, engine))
    return islice(_filmed(log), len(log.steps) - log.header.video_from)


def _filmed(log: Log) -> Pictures:
    count, image = 0, None
    for index, following in read_video(log.folder / VIDEO):
        # A damaged video may claim any time.
        while image is not None and count < min(index, len(log.steps)):
            yield image
            count += 1
        image = following
        yield image
        count += 1
    while image is not None:
        yield image


def _mp4(log: Log, pictures: Pictures, first: int, out: Path) -> None:
    with all_or_none(out), VideoWriter(out) as video:
        for picture in pictures:
            video.write(picture)


def _frames(log: Log, pictures: Pictures, first: int, out: Path) -> None:
    """frame-00000.png and so on, numbered like the frames of the log."""
    out.mkdir(parents=True)
    files = [out / f"frame-{index:05d}.png" for index in range(first, len(log.steps))]
    with all_or_none(*files, out):
        for file, picture in zip(files, pictures, strict=True):
            Image.fromarray(picture).save(file)


def _gif(log: Log, pictures: Pictures, first: int, out: Path) -> None:
    # A gif counts in hundredths of a second: every second frame for 8 of them is as near to 24 a second as it gets.
    _moving(islice(pictures, 0, None, 2), out, "GIF", duration=80)


def _webp(log: Log, pictures: Pictures, first: int, out: Path) -> None:
    _moving(pictures, out, "WEBP", duration=round(1000 / STEPS_PER_SECOND), quality=80)


def _moving(pictures: Pictures, out: Path, form: str, **options: Any) -> None:
    shrunk = (_shrunk(Image.fromarray(picture)) for picture in pictures)
    with all_or_none(out):
        next(shrunk).save(out, form, save_all=True, append_images=shrunk, loop=0, **options)


def _shrunk(image: Image.Image) -> Image.Image:
    if image.width <= MOVING_WIDTH:
        return image
    return image.resize((MOVING_WIDTH, round(image.height * MOVING_WIDTH / image.width)), Image.Resampling.BOX)


def _dataset(log: Log, pictures: Pictures, first: int, out: Path) -> None:
    """A video, a row for it in metadata.parquet, and a card that explains the columns."""
    try:
        import pyarrow
        from pyarrow import parquet
    except ImportError as error:
        raise OutputError('a data set needs pyarrow: pip install "genie_lite[export]"') from error
    out.mkdir(parents=True, exist_ok=True)
    name, metadata = f"{log.folder.resolve().name}.mp4", out / "metadata.parquet"
    if (out / name).exists():
        raise OutputError(f"{out} holds {name} already; give another folder with --out")
    rows = pyarrow.Table.from_pylist([{"file_name": name} | _row(log, first)])
    try:
        if metadata.exists():
            # What one recording does not know (of coherence, say) has no type of its own.
            rows = pyarrow.concat_tables([parquet.read_table(metadata), rows], promote_options="permissive")
    except pyarrow.ArrowException as error:
        raise OutputError(f"{metadata} is not of a data set of ours; give another folder with --out") from error
    with all_or_none(out / name, out), drafted(metadata) as draft:
        _mp4(log, pictures, first, out / name)
        parquet.write_table(rows, draft)
        (out / "README.md").write_text(CARD.format(names=", ".join(CONDITION_NAMES)), encoding="utf-8")


def _row(log: Log, first: int) -> dict[str, Any]:
    header, steps = log.header, log.steps[first:]
    return {
        "world": header.world,
        "seed": str(header.seed),
        "fps": STEPS_PER_SECOND,
        "checkpoint_hash": header.engine.checkpoint_hash,
        "actions": actions_from(steps),
        "poses": [[_known(value) for value in astuple(step.pose)] for step in steps],
        "conditions": [[float(v) for v in conditions.to_array()] for conditions in log.conditions()[first:]],
        "coherence": [_known(step.coherence) for step in steps],
    }


def actions_from(steps: tuple[Step, ...]) -> list[list[float]]:
    """For each frame the action that leads to the next one; zeros at the last."""
    taken = (step.action.to_array().tolist() for step in steps[1:] if step.action is not None)
    return list(chain(taken, [[0.0] * ACTION_DIM]))


def _known(value: float) -> float | None:
    return None if math.isnan(value) else value


KINDS: dict[str, Callable[[Log, Pictures, int, Path], None]] = {
    "mp4": _mp4,
    "gif": _gif,
    "webp": _webp,
    "frames": _frames,
    "dataset": _dataset,
}
"""What a recording can be exported as, besides a training episode."""
