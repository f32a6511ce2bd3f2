"""The log of a recording: what was asked of an engine, frame by frame, so that it can be asked again.

A recording is a folder. `log.jsonl` grows by a line a frame: a header, frame 0 (which no action led to), a step for
every action that the engine consumed, and at last why it ended. Each line reaches the system at once, so a process that
is killed loses nothing but a torn last line, which the reader ignores.
"""

from __future__ import annotations

import errno
import hashlib
import json
from dataclasses import asdict, astuple, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from genie_lite import __version__
from genie_lite.actions import Action
from genie_lite.camera import Pose
from genie_lite.conditions import Conditions
from genie_lite.engine.protocol import EngineInfo, Frame
from genie_lite.errors import OutputError

FORMAT, VERSION = "genie_lite recording", 1
LOG, VIDEO, REPORT, START = "log.jsonl", "video.mp4", "report.json", "start.png"
CURVE, PAGE = "coherence.png", "report.html"
"""The files of a recording. There is a start picture only where the world began from one; CURVE and PAGE are the
report for people."""

FAR_AWAY = 1e12
"""No number in a log is larger."""

ROWS = 8
"""A fingerprint takes in the whole latent and every eighth row of the picture."""


@dataclass(frozen=True, slots=True)
class Header:
    """How the episode began. start: conditions, None where it was the picture beside the log. world: a name.

    video_from: the frame that the video begins with, if there is one. program: the version that wrote it.
    """

    engine: EngineInfo
    seed: int
    start: Conditions | None
    world: str
    video_from: int = 0
    program: str = __version__


@dataclass(frozen=True, slots=True)
class Step:
    """One frame, and the action that led to it (None for frame 0).

    hash: the frame's fingerprint, None for frames before the recording was switched on. conditions: None where
    unchanged. timings: milliseconds by stage. everywhere: the conditions, changed or not, were set for what had been
    seen already too. Numbers that are not finite are read back as NaN.
    """

    index: int
    action: Action | None
    pose: Pose
    hash: str | None
    coherence: float
    timings: dict[str, float]
    conditions: Conditions | None = None
    everywhere: bool = False


@dataclass(frozen=True, slots=True)
class End:
    """The last line. end: an EndReason, or `stopped` by the player. dropped: frames that the video lacks."""

    end: str
    dropped: int = 0


def fingerprint(frame: Frame) -> str:
    """64 bits over latent and picture, as hexadecimal digits: equal for equal frames.

    A picture of 720p costs 3 ms to hash whole. It follows from its latent, so next to that an eighth of its rows
    will do.
    """
    digest = hashlib.blake2b(digest_size=8)
    if frame.latent is not None:
        digest.update(frame.latent.tobytes())
    rows = frame.image if frame.latent is None else frame.image[::ROWS]
    digest.update(np.ascontiguousarray(rows).data)
    return digest.hexdigest()


def encode(entry: Header | Step | End) -> str:
    """The entry as one line of JSON, without the line's end."""
    if isinstance(entry, Header):
        values = _plain_header(entry)
    else:
        values = _plain_step(entry) if isinstance(entry, Step) else asdict(entry)
    return json.dumps(values, separators=(",", ":"), allow_nan=False)


class LogWriter:
    """Appends lines to a new file. Raises OutputError when the disk refuses or the file exists."""

    def __init__(self, folder: Path) -> None:
        self._path = folder / LOG
        try:
            self._file = self._path.open("xb", buffering=0)
        except OSError as error:
            raise self._failure(error) from error

    def write(self, *lines: str) -> None:
        """Appends them; they outlive this process from here on."""
        data = "".join(f"{line}\n" for line in lines).encode()
        try:
            while data:
                written = self._file.write(data)
                if not written:
                    raise OSError(errno.ENOSPC, "No space left on device")
                data = data[written:]
        except OSError as error:
            raise self._failure(error) from error

    def close(self) -> None:
        """Lets the file go."""
        self._file.close()

    def _failure(self, error: OSError) -> OutputError:
        return OutputError(f"cannot write {self._path} ({error.strerror}); free some space or use another --out")


def write_start(folder: Path, image: NDArray[np.uint8]) -> None:
    """Stores a start picture, uint8 (H, W, 3). Raises OutputError."""
    try:
        Image.fromarray(image).save(folder / START, compress_level=1)
    except OSError as error:
        raise OutputError(f"cannot write {folder / START} ({error}); free some space or use another --out") from error


def _plain_header(header: Header) -> dict[str, Any]:
    start = {"image": START} if header.start is None else {"conditions": header.start.to_dict()}
    return {"format": FORMAT, "version": VERSION} | asdict(header) | {"start": start}


def _plain_step(step: Step) -> dict[str, Any]:
    values: dict[str, Any] = {
        "index": step.index,
        "action": None if step.action is None else list(astuple(step.action)),
        "pose": [_finite(value) for value in astuple(step.pose)],
        "hash": step.hash,
        "coherence": _finite(round(step.coherence, 4)),
        "timings": {name: _finite(round(value, 3)) for name, value in step.timings.items()},
    }
    if step.conditions is not None:
        values["conditions"] = step.conditions.to_dict()
    return values | {"everywhere": True} if step.everywhere else values


def _finite(value: float) -> float | None:
    """JSON knows no infinity; a dream that fell apart may have walked there."""
    return float(value) if abs(value) <= FAR_AWAY else None
