"""Short recordings of the fake engine, for tests of what is done with recordings."""

from pathlib import Path

from genie_lite.actions import Action
from genie_lite.conditions import biome
from genie_lite.engine.fake import FakeEngine
from genie_lite.engine.protocol import Frame, Start
from genie_lite.recording.recorder import Recorder
from genie_lite.session.manager import EndReason, SessionManager

SIZE = (256, 144)
START = biome("snow", hour=7.5)


class Interrupted(FakeEngine):
    """Ctrl-C comes while it draws the frame of that index."""

    def __init__(self, at: int = 5) -> None:
        super().__init__(SIZE)
        self.at = at

    def step(self, action: Action) -> Frame:
        frame = super().step(action)
        if frame.index == self.at:
            raise KeyboardInterrupt
        return frame


def begun(recorder: Recorder, engine: FakeEngine | None = None, start: Start = START) -> SessionManager:
    session = SessionManager(engine or FakeEngine(SIZE), start, 11, observers=[recorder])
    session.begin()
    return session


def walk(session: SessionManager, steps: int) -> None:
    for number in range(steps):
        session.step(Action(forward=1, turn=0.25 * (-1) ** number, run=number % 3 == 0))


def recorded(folder: Path, steps: int = 12) -> Path:
    """A recording of one walk, with an event in its middle."""
    recorder = Recorder(folder, on=True)
    session = begun(recorder)
    walk(session, steps // 2)
    session.engine.set_conditions(biome("desert"))
    walk(session, steps - steps // 2)
    session.end(EndReason.QUIT)
    recorder.close()
    assert recorder.problem is None
    return folder
