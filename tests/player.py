"""A player without a display, for tests of the window: an engine, a clock and keys in the test's hands."""

import os
from pathlib import Path

os.environ["SDL_VIDEODRIVER"] = "dummy"

import numpy as np
import pygame

from genie_lite.actions import STEPS_PER_SECOND, Action
from genie_lite.conditions import biome
from genie_lite.engine.fake import FakeEngine
from genie_lite.engine.protocol import Frame
from genie_lite.play.loop import PlayLoop
from genie_lite.play.window import Window
from genie_lite.prompt.parser import Reading
from genie_lite.session.manager import SessionManager

SIZE = (256, 144)
PERIOD = 1 / STEPS_PER_SECOND


class Recorded(FakeEngine):
    """Writes down the actions it is given."""

    def __init__(self) -> None:
        super().__init__(SIZE)
        self.actions: list[Action] = []

    def step(self, action: Action) -> Frame:
        self.actions.append(action)
        return super().step(action)


class Time:
    """A clock and a pace in one: every tick takes exactly one period."""

    def __init__(self) -> None:
        self.now, self.fps = 0.0, 24.0

    def wait(self) -> None:
        self.now += PERIOD

    def restart(self) -> None:
        pass

    def __call__(self) -> float:
        return self.now


class Player:
    """A loop with the keyboard in the test's hands."""

    def __init__(self, out: Path, engine: FakeEngine, cap: float, reading: Reading | None = None) -> None:
        self.engine, self.out = engine, out
        self.queue: list[pygame.event.Event] = []
        self.session = SessionManager(engine, biome("meadow"), 3, cap=cap)
        self.window = Window(SIZE)
        time = Time()
        self.loop = PlayLoop(
            self.session, self.window, out, reading=reading, pace=time, clock=time, events=self._events
        )
        self.loop.begin()

    def _events(self) -> list[pygame.event.Event]:
        events, self.queue = self.queue, []
        return events

    def send(self, kind: int, **attributes: object) -> None:
        self.queue.append(pygame.event.Event(kind, **attributes))

    def press(self, *keys: int) -> None:
        for key in keys:
            self.send(pygame.KEYDOWN, key=key)

    def write(self, text: str, *keys: int) -> None:
        for letter in text:
            self.send(pygame.KEYDOWN, key=pygame.key.key_code(letter), unicode=letter)
        self.press(*keys)

    def tick(self, times: int = 1) -> bool:
        return all(self.loop.tick() for _ in range(times))

    def picture(self) -> np.ndarray:
        return pygame.surfarray.array3d(self.window.surface).transpose(1, 0, 2)
