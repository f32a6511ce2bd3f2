"""Records sessions as they are played: watches a session, and leaves a folder for each episode that is recorded.

The first recording lies in the folder it was given, every further one (after a restart, or when recording was switched
on again) in `take-2`, `take-3` and so on within it. A log always begins with frame 0 of its episode, so that it can be
replayed, even where recording was switched on later; the video begins where it was switched on.

Nothing that goes wrong here ends a session. When space runs short the video ends first, then the log.
"""

from __future__ import annotations

import shutil
from collections import deque
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import replace
from itertools import count
from pathlib import Path

from genie_lite.actions import STEPS_PER_SECOND, Action
from genie_lite.conditions import Conditions
from genie_lite.engine.protocol import Frame
from genie_lite.errors import OutputError
from genie_lite.recording.log import LOG, REPORT, VIDEO, End, Header, LogWriter, Step, encode, fingerprint, write_start
from genie_lite.recording.report import prepare_folder, session_report, write_report
from genie_lite.recording.video import LiveVideo
from genie_lite.session.frametimes import FrameTimes
from genie_lite.session.manager import SessionManager

STOPPED = "stopped"
"""Why a recording ended whose session went on."""

RESERVE = 32 << 20
"""Bytes that the video leaves free for log and report; a log grows by some 10 kB a second."""


def free_bytes(folder: Path) -> int:
    """Space left where the folder lies."""
    return shutil.disk_usage(folder).free


class Recorder:
    """An `Observer` that records while it is switched on.

    out: the folder of the first recording. on: record every episode from its beginning. video: write one too. past:
    where the engine goes on from a replay, the steps up to its first frame, that one included. free: bytes left where a
    folder lies. `times` is filled by whoever paces the session and ends in the report; `folders` are the recordings so
    far, `problem` is what went wrong last, and `reported` says whether the last episode has left a report.
    """

    def __init__(
        self,
        out: Path,
        *,
        on: bool = False,
        video: bool = True,
        past: Sequence[Step] = (),
        free: Callable[[Path], int] = free_bytes,
    ) -> None:
        self.on = on
        self.times = FrameTimes()
        self.folders: list[Path] = []
        self.problem: str | None = None
        self.reported = False
        self._out, self._wants_video, self._free = out, video, free
        self._past = [replace(step, hash=None) for step in past]
        self._session: SessionManager | None = None
        self._lines: list[str] = []
        self._conditions: Conditions | None = None
        self._log: LogWriter | None = None
        self._video: LiveVideo | None = None
        self._video_from, self._video_lost, self._video_dropped = 0, False, 0
        self._began = False
        self._finishing: list[LiveVideo] = []
        self._news: deque[str] = deque()

    @property
    def recording(self) -> bool:
        """True while a log is being written."""
        return self._log is not None

    def toggle(self) -> None:
        """Switches recording on or off, for this episode from now on and for those that follow."""
        self.on = not self.on
        if not self.on:
            self._finish(STOPPED)
        elif self._session is not None and self._session.frame is not None:
            self._begin(self._session, self._session.frame)

    def take_news(self) -> str | None:
        """What the player should be told, each piece once."""
        return self._news.popleft() if self._news else None

    def on_start(self, session: SessionManager, frame: Frame) -> None:
        """An episode began."""
        self._session, self._conditions = session, None
        self._began = self.reported = False
        self._lines = [encode(step) for step in self._past]
        for step in self._past:
            self._conditions = step.conditions or self._conditions
        if not self._past:
            self._lines.append(self._line(None, frame))
        if self.on:
            self._begin(session, frame)

    def on_step(self, action: Action, frame: Frame) -> None:
        """The engine consumed the action and drew the frame."""
        self._lines.append(self._line(action, frame))
        if self._log is None:
            return
        try:
            self._log.write(self._lines[-1])
        except OutputError as error:
            self._give_up(error)
            return
        if self._video is not None:
            self._video.offer(frame.image, frame.index - self._video_from)
            self._watch(self._video, frame.index)

    def on_end(self, session: SessionManager) -> None:
        """The episode ended. What was recorded of it may have ended before, but its report tells of all."""
        if self._log is not None:
            self._finish(str(session.end_reason))
        elif self._began:
            self._report()
        self._session, self._lines = None, []

    def close(self) -> None:
        """Waits until every video is complete."""
        for video in self._finishing:
            video.join()
            if video.problem is not None and self.problem is None:
                self._tell_problem(f"the video ended early: {video.problem}")
        self._finishing.clear()

    def _line(self, action: Action | None, frame: Frame) -> str:
        assert self._session is not None
        changed = None if frame.conditions == self._conditions else frame.conditions
        self._conditions = frame.conditions
        name = fingerprint(frame) if self.on else None
        score = self._session.coherence.score
        everywhere = self._session.everywhere
        return encode(Step(frame.index, action, frame.pose, name, score, frame.timings, changed, everywhere))

    def _begin(self, session: SessionManager, frame: Frame) -> None:
        """Starts a log with all that happened since frame 0, and a video from this frame on."""
        start, info = session.start, session.engine.info
        try:
            folder = prepare_folder(self.next_folder())
            conditions = start if isinstance(start, Conditions) else None
            if not isinstance(start, Conditions):
                write_start(folder, start)
            header = Header(info, session.seed, conditions, info.checkpoint or info.name, frame.index)
            self._log = LogWriter(folder)
            self.folders.append(folder)
            self._began = True
            self._log.write(encode(header), *self._lines)
        except OutputError as error:
            self._give_up(error)
            return
        if self._wants_video:
            self._video, self._video_from, self._video_lost = LiveVideo(folder / VIDEO), frame.index, False
            self._video.offer(frame.image, 0)
        self._news.append(f"recording into {folder}")

    def next_folder(self) -> Path:
        """The first folder where neither a recording nor a report lies yet."""
        folders = (self._out if number == 1 else self._out / f"take-{number}" for number in count(1))
        return next(folder for folder in folders if not any((folder / name).exists() for name in (LOG, REPORT)))

    def _finish(self, reason: str) -> None:
        """Ends the recording, if there is one, and writes its report; the video completes itself in its own time."""
        if self._log is None:
            return
        try:
            self._log.write(encode(End(reason, 0 if self._video is None else self._video.dropped)))
        except OutputError as error:
            self._tell_problem(str(error))
        self._let_go()
        self._report()

    def _report(self) -> None:
        """Writes the report of the episode as far as it has come beside what was recorded of it last."""
        assert self._session is not None
        report = session_report(self._session, self.times) | {"video_dropped": self._video_dropped}
        try:
            write_report(self.folders[-1], report)
        except OutputError as error:
            self._tell_problem(str(error))
        else:
            self.reported = True
            self._news.append(f"recorded {self.folders[-1]}")

    def _watch(self, video: LiveVideo, index: int) -> None:
        """Gives up the video before it takes the last space from the log, and tells when it failed by itself."""
        if video.problem is None and index % STEPS_PER_SECOND == 0:
            with suppress(OSError):
                if self._free(self.folders[-1]) < RESERVE:
                    video.give_up("the disk is almost full")
        if video.problem is not None and not self._video_lost:
            self._video_lost = True
            self._tell_problem(f"the video ended early, the log goes on: {video.problem}")

    def _give_up(self, error: OutputError) -> None:
        self._tell_problem(f"recording ended: {error}")
        self._let_go()
        self.on = False

    def _let_go(self) -> None:
        if self._log is not None:
            self._log.close()
        self._video_dropped = 0 if self._video is None else self._video.dropped
        if self._video is not None:
            self._video.finish()
            self._finishing.append(self._video)
        self._log = self._video = None

    def _tell_problem(self, problem: str) -> None:
        self.problem = problem
        self._news.append(problem)
