"""One session in a dreamed world: when it begins, pauses and ends. Counts world time; knows no window, disk, clock."""

from __future__ import annotations

from collections.abc import Sequence
from enum import StrEnum
from typing import Protocol

from genie_lite.actions import STEPS_PER_SECOND, Action
from genie_lite.conditions import Conditions
from genie_lite.engine.protocol import Engine, Frame, Start
from genie_lite.session.coherence import CoherenceMeter
from genie_lite.session.events import GLIDE_STEPS, SUDDEN_STEPS, Event, Glide

DEFAULT_CAP = 60.0
"""Seconds of world time that a visit lasts."""

WARNING = 10.0
"""Seconds before the end from which on the player is warned."""

LOST_AFTER = 3
"""So many seconds in a row below the floor end a session for lack of coherence."""


class State(StrEnum):
    """Where a session stands."""

    IDLE = "idle"
    WARMING_UP = "warming_up"
    RUNNING = "running"
    PAUSED = "paused"
    ENDED = "ended"


class EndReason(StrEnum):
    """Why a session ended."""

    CAP = "cap"
    QUIT = "quit"
    COHERENCE = "coherence"
    ERROR = "error"


class Observer(Protocol):
    """Told of everything that happens, such as a recorder. What it raises ends the session like an engine's error."""

    def on_start(self, session: SessionManager, frame: Frame) -> None:
        """An episode began with this frame."""
        ...

    def on_step(self, action: Action, frame: Frame) -> None:
        """The engine consumed the action and drew the frame."""
        ...

    def on_end(self, session: SessionManager) -> None:
        """The episode ended; `session.end_reason` says why."""
        ...


class SessionManager:
    """Drives an engine through idle -> warming_up -> running <-> paused -> ended, and back by `restart`.

    cap: seconds of world time (steps / 24), 0 for no end. floor: a coherence score; after three whole seconds
    below it the session ends (0 never does). An exception of the engine or of an observer ends it as well, and is
    kept in `error`. script: events that happen by themselves, in every life of the world. coherence: the meter, one
    that is not calibrated if left out.
    Raises ValueError for a negative cap or a floor outside [0, 1].
    """

    def __init__(
        self,
        engine: Engine,
        start: Start,
        seed: int,
        *,
        cap: float = DEFAULT_CAP,
        floor: float = 0.0,
        observers: Sequence[Observer] = (),
        script: Sequence[Event] = (),
        coherence: CoherenceMeter | None = None,
    ) -> None:
        if cap < 0 or not 0 <= floor <= 1:
            raise ValueError(f"cap={cap} must not be negative and floor={floor} must be within [0, 1]")
        self.engine, self.start, self.seed, self.cap, self.floor = engine, start, seed, cap, floor
        self.observers = list(observers)
        self.script = tuple(sorted(script, key=lambda event: event.step))
        self.last_event: Event | None = None
        self.coherence = coherence or CoherenceMeter()
        self.state = State.IDLE
        self.steps = 0
        self.restarts = 0
        self.frame: Frame | None = None
        self.end_reason: EndReason | None = None
        self.error: Exception | None = None
        self._glide: Glide | None = None
        self._glide_began = 0
        self._glide_everywhere = False
        self.everywhere = False
        """True while the last step changed what has been seen already too."""
        self._asked: Conditions | None = None

    @property
    def heading(self) -> Conditions:
        """The conditions of the world, or those that it glides to. Raises RuntimeError before the first frame."""
        if self.frame is None:
            raise RuntimeError("a session that has not begun has no conditions")
        return self._glide.end if self._glide else self.frame.conditions

    def change(self, conditions: Conditions, everywhere: bool = False) -> None:
        """An event: from the next step on the world glides to these conditions. Raises RuntimeError without a frame.

        everywhere: another land comes over what has been seen already, too, at the end of a shorter glide.
        """
        if self.frame is None:
            raise RuntimeError("a session that has not begun has no conditions")
        # An event in the middle of another goes on from what that one asked for, and to wherever it reaches.
        reaches = self._glide is not None and self._glide_everywhere
        self._glide_everywhere = (everywhere or reaches) and not conditions.same_land(self.frame.conditions)
        steps = SUDDEN_STEPS if self._glide_everywhere else GLIDE_STEPS
        self._glide, self._glide_began = Glide(self.frame.conditions, conditions, steps), self.steps

    @property
    def world_time(self) -> float:
        """Seconds lived in this world; pauses are no part of it."""
        return self.steps / STEPS_PER_SECOND

    @property
    def time_left(self) -> float | None:
        """Seconds of world time until the cap, None when there is none."""
        return max(0.0, self.cap - self.world_time) if self.cap else None

    @property
    def warning(self) -> bool:
        """True in the last ten seconds before the cap, while the session lives."""
        left = self.time_left
        return self.state in (State.RUNNING, State.PAUSED) and left is not None and left <= WARNING

    def begin(self) -> None:
        """Warms the engine up and draws the first frame; `running` afterwards, or `ended` by an error."""
        self._require(State.IDLE)
        self.state = State.WARMING_UP
        try:
            self.engine.warm_up()
        except Exception as error:
            self._fail(error)
        else:
            self._reset()

    def step(self, action: Action) -> None:
        """One step of world time while running."""
        self._require(State.RUNNING)
        self._advance(action)

    def single_step(self, action: Action) -> None:
        """One step of world time while paused; stays paused unless that was the last one."""
        self._require(State.PAUSED)
        self._advance(action)

    def pause(self) -> None:
        """Stops world time; does nothing unless running."""
        if self.state is State.RUNNING:
            self.state = State.PAUSED

    def resume(self) -> None:
        """Goes on after a pause; does nothing unless paused."""
        if self.state is State.PAUSED:
            self.state = State.RUNNING

    def end(self, reason: EndReason) -> None:
        """Ends the session; the first reason stays."""
        if self.state is State.ENDED:
            return
        self.state, self.end_reason = State.ENDED, reason
        for observer in self.observers:
            try:
                observer.on_end(self)
            except Exception as error:
                self.end_reason, self.error = EndReason.ERROR, self.error or error

    def restart(self) -> None:
        """Begins the same world anew, whatever came before; an unfinished episode ends as `quit` first."""
        if self.state in (State.IDLE, State.WARMING_UP):
            raise RuntimeError("a session that has not begun cannot restart")
        self.end(EndReason.QUIT)
        self.restarts += 1
        self._reset()

    def _reset(self) -> None:
        self.steps, self.end_reason, self.error = 0, None, None
        self._glide, self.last_event, self.everywhere = None, None, False
        self.coherence.reset()
        try:
            self.frame = self.engine.reset(self.start, self.seed)
            self._asked = self.frame.conditions
            self.coherence.update(self.frame, None, self._asked)
            self.state = State.RUNNING
            for observer in self.observers:
                observer.on_start(self, self.frame)
        except Exception as error:
            self._fail(error)

    def _advance(self, action: Action) -> None:
        try:
            self._let_events_happen()
            self.frame = self.engine.step(action)
            self.steps += 1
            self.coherence.update(self.frame, action, self._asked)
            for observer in self.observers:
                observer.on_step(action, self.frame)
        except Exception as error:
            self._fail(error)
            return
        if self.cap and self.world_time >= self.cap:
            self.end(EndReason.CAP)
        elif self._lost():
            self.end(EndReason.COHERENCE)

    def _let_events_happen(self) -> None:
        """Starts what the script has for this step, and takes a glide one step further."""
        for event in self.script:
            if event.step == self.steps:
                self.change(event.change(self.heading), event.everywhere)
                self.last_event = event
        self.everywhere = False
        if self._glide is not None:
            gone = self.steps + 1 - self._glide_began
            self.everywhere = self._glide_everywhere and gone >= self._glide.steps
            self._asked = self._glide.at(gone)
            self.engine.set_conditions(self._asked, self.everywhere)
            if gone >= self._glide.steps:
                self._glide = None

    def _lost(self) -> bool:
        last = self.coherence.curve[-LOST_AFTER:]
        return self.floor > 0 and len(last) == LOST_AFTER and max(last) < self.floor

    def _fail(self, error: Exception) -> None:
        self.error = error
        self.end(EndReason.ERROR)

    def _require(self, state: State) -> None:
        if self.state is not state:
            raise RuntimeError(f"the session is {self.state}, not {state}")
