"""A session without a window: the autopilot walks, the frames become a video, and the report tells how it went."""

from __future__ import annotations

import math
from collections.abc import Callable
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from genie_lite.actions import STEPS_PER_SECOND
from genie_lite.engine.protocol import Frame
from genie_lite.errors import OutputError
from genie_lite.recording.log import VIDEO
from genie_lite.recording.video import VideoWriter
from genie_lite.session.autopilot import Autopilot
from genie_lite.session.frametimes import FrameTimes
from genie_lite.session.manager import EndReason, SessionManager, State
from genie_lite.timing import Stopwatch


class _Film:
    """The walk's video. Where it can no longer be written the walk goes on without it, and `problem` says why."""

    def __init__(self, path: Path) -> None:
        self.problem: str | None = None
        self._video = VideoWriter(path)

    def add(self, image: NDArray[np.uint8]) -> None:
        """Appends a picture, uint8 (H, W, 3)."""
        if self.problem is None:
            self._try(lambda: self._video.write(image))

    def close(self) -> None:
        """Completes the file."""
        self._try(self._video.close)

    def _try(self, write: Callable[[], None]) -> None:
        try:
            write()
        except OutputError as error:
            self.problem = self.problem or f"the video ended early: {error}"


def walk(session: SessionManager, seconds: float, out: Path, times: FrameTimes) -> str | None:
    """Plays `seconds` of world time (0: until the session ends), writes out/video.mp4 and fills in the times by stage.

    The session has ended afterwards: by its cap, by an error, or as `quit` when the seconds were over or at Ctrl-C.
    Returns why the video ended early, None if it did not. Raises OutputError where it cannot be begun.
    """
    film = _Film(out / VIDEO)
    try:
        session.begin()
        if session.frame is not None:
            film.add(session.frame.image)
            _walk(session, seconds, film, times)
    except KeyboardInterrupt:
        pass
    finally:
        session.end(EndReason.QUIT)
        film.close()
    return film.problem


def _walk(session: SessionManager, seconds: float, film: _Film, times: FrameTimes) -> None:
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    autopilot = Autopilot(session.seed)
    steps = math.ceil((seconds or session.cap) * STEPS_PER_SECOND)
    columns = (TextColumn("walking"), BarColumn(), MofNCompleteColumn(), TextColumn("frames"), TimeRemainingColumn())
    with Progress(*columns) as progress:
        task = progress.add_task("walking", total=steps or None)
        while session.state is State.RUNNING and session.frame is not None and (not steps or session.steps < steps):
            times.add(_one_step(session, autopilot, session.frame, film))
            progress.advance(task)


def _one_step(session: SessionManager, autopilot: Autopilot, seen: Frame, film: _Film) -> dict[str, float]:
    """Steps, films the frame unless that failed, and returns milliseconds by stage; "video" is no part of "work"."""
    watch = Stopwatch()
    with watch.stage("step"):
        session.step(autopilot.action(seen))
    drawn = session.frame
    if drawn is None or session.error is not None:
        return {}
    with watch.stage("video"):
        film.add(drawn.image)
    own = watch.milliseconds
    return drawn.timings | own | {"work": own["step"], "interval": own["step"] + own["video"]}
