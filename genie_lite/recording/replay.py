"""Draws a recorded episode again: the engine is asked for the same start, seed, events and actions."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterator

from genie_lite.actions import STEPS_PER_SECOND, Action
from genie_lite.conditions import Conditions
from genie_lite.engine.protocol import Engine, EngineInfo, Frame, Start
from genie_lite.recording.log import fingerprint
from genie_lite.recording.reader import Log

KEPT = STEPS_PER_SECOND
"""Frames kept so that a short step back costs nothing; one of 720p takes 3 MB."""


def drive(log: Log, engine: Engine) -> Iterator[Frame]:
    """Every frame of the log, drawn by the engine. Raises what the engine raises, and RecordingError for its start."""
    yield engine.reset(log.start(), log.header.seed)
    for step, conditions in zip(log.steps[1:], log.conditions()[1:], strict=True):
        if step.conditions is not None or step.everywhere:
            engine.set_conditions(conditions, step.everywhere)
        assert step.action is not None
        yield engine.step(step.action)


def verify(log: Log, engine: Engine) -> int | None:
    """The first frame whose fingerprint is not the recorded one, None if there is none. Frames without one count."""
    for step, frame in zip(log.steps, drive(log, engine), strict=True):
        if step.hash not in (None, fingerprint(frame)):
            return step.index
    return None


class Replay:
    """A recorded episode to move about in. `frame` is the one to show, None before the first `advance`.

    The engine only goes forward. Seeking back by more than a second begins anew.
    """

    def __init__(self, log: Log, engine: Engine) -> None:
        self.log, self.frame, self.target = log, None, 0
        self._engine = engine
        self._kept: OrderedDict[int, Frame] = OrderedDict()
        self._frames = drive(log, engine)
        self._drawn = -1

    frame: Frame | None

    @property
    def last(self) -> int:
        """The index of the last frame."""
        return len(self.log.steps) - 1

    @property
    def position(self) -> int:
        """The index of the frame to show; 0 before there is one."""
        return 0 if self.frame is None else self.frame.index

    @property
    def arrived(self) -> bool:
        """True when the frame sought is the one to show."""
        return self.frame is not None and self.frame.index == self.target

    def seek(self, index: int) -> None:
        """Sets out for a frame, or the nearest there is; `advance` goes there."""
        self.target = min(self.last, max(0, index))
        if self.target <= self._drawn and self.target not in self._kept:
            self._frames, self._drawn = drive(self.log, self._engine), -1
            self._kept.clear()

    def advance(self) -> None:
        """Comes closer to the frame sought, by drawing one frame at most."""
        if self.target > self._drawn:
            self._drawn += 1
            self._kept[self._drawn] = next(self._frames)
            if len(self._kept) > KEPT:
                self._kept.popitem(last=False)
            self.frame = self._kept[self._drawn]
        else:
            self.frame = self._kept[self.target]

    def take_over(self) -> Engine:
        """An engine that goes on from the frame shown; this replay is over then."""
        standing = self.frame is not None and self._drawn == self.position
        return _Continued(self.log, self._engine, self.position, self.frame if standing else None)


class _Continued:
    """An engine whose episodes begin where a recording is left, and not with frame 0.

    frame: what the engine drew last, if it stands at that place already.
    """

    def __init__(self, log: Log, engine: Engine, index: int, frame: Frame | None) -> None:
        self._log, self._engine, self._index, self._frame = log, engine, index, frame

    @property
    def info(self) -> EngineInfo:
        return self._engine.info

    def warm_up(self) -> None:
        """The replay has done it."""

    def reset(self, start: Start, seed: int) -> Frame:
        """The frame where the recording is left; start and seed are the recording's own."""
        frame, self._frame = self._frame, None
        if frame is None:
            frame = next(frame for frame in drive(self._log, self._engine) if frame.index == self._index)
        return frame

    def step(self, action: Action) -> Frame:
        return self._engine.step(action)

    def set_conditions(self, conditions: Conditions, everywhere: bool = False) -> None:
        self._engine.set_conditions(conditions, everywhere)
