"""A session without a window: the autopilot walks, the frames become a video, and the report tells how it went."""

from __future__ import annotations

from pathlib import Path

from genie_lite.actions import STEPS_PER_SECOND
from genie_lite.engine.protocol import Frame
from genie_lite.recording.log import VIDEO
from genie_lite.recording.video import VideoWriter
from genie_lite.session.autopilot import Autopilot
from genie_lite.session.frametimes import FrameTimes
from genie_lite.session.manager import EndReason, SessionManager, State
from genie_lite.timing import Stopwatch


def walk(session: SessionManager, seconds: float, out: Path, times: FrameTimes) -> None:
    """Plays `seconds` of world time (0: until the session ends), writes out/video.mp4 and fills in the times by stage.

    The session has ended afterwards: by its cap, by an error, or as `quit` when the seconds were over or at Ctrl-C.
    Raises OutputError where the video cannot be written.
    """
    try:
        with VideoWriter(out / VIDEO) as video:
            session.begin()
            if session.frame is not None:
                video.write(session.frame.image)
                _walk(session, seconds, video, times)
    except KeyboardInterrupt:
        pass
    finally:
        session.end(EndReason.QUIT)


def _walk(session: SessionManager, seconds: float, video: VideoWriter, times: FrameTimes) -> None:
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    autopilot = Autopilot(session.seed)
    steps = round((seconds or session.cap) * STEPS_PER_SECOND)
    columns = (TextColumn("walking"), BarColumn(), MofNCompleteColumn(), TextColumn("frames"), TimeRemainingColumn())
    with Progress(*columns) as progress:
        task = progress.add_task("walking", total=steps or None)
        while session.state is State.RUNNING and session.frame is not None and (not steps or session.steps < steps):
            times.add(_one_step(session, autopilot, session.frame, video))
            progress.advance(task)


def _one_step(session: SessionManager, autopilot: Autopilot, seen: Frame, video: VideoWriter) -> dict[str, float]:
    """Steps, writes the frame unless that failed, and returns milliseconds by stage; "video" is no part of "work"."""
    watch = Stopwatch()
    with watch.stage("step"):
        session.step(autopilot.action(seen))
    drawn = session.frame
    if drawn is None or session.error is not None:
        return {}
    with watch.stage("video"):
        video.write(drawn.image)
    own = watch.milliseconds
    return drawn.timings | own | {"work": own["step"], "interval": own["step"] + own["video"]}
