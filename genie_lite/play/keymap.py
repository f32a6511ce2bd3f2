"""What keys, mouse and game controller mean: window events in, actions and commands out."""

from __future__ import annotations

import math
from enum import Enum, auto

import pygame

from genie_lite.actions import LOOK_RATE, STEPS_PER_SECOND, TURN_RATE, Action
from genie_lite.play.gamepad import Gamepads

MOUSE_RADIANS = math.radians(0.12)
"""A pixel of mouse movement turns the head by so much."""

MOUSE_BACKLOG = float(STEPS_PER_SECOND)
"""Steps of full turning that a flick of the mouse may leave to be done; the rest of it is dropped."""


class Command(Enum):
    """What the player asks of the window rather than of the world."""

    PAUSE = auto()
    SINGLE_STEP = auto()
    RESTART = auto()
    HUD = auto()
    FULLSCREEN = auto()
    SCREENSHOT = auto()
    RECORD = auto()
    HELP = auto()
    SAY = auto()
    PALETTE = auto()
    BACK = auto()
    CAPTURE_MOUSE = auto()
    RELEASE_MOUSE = auto()
    FOCUS_LOST = auto()
    QUIT = auto()


COMMAND_KEYS = {
    pygame.K_p: Command.PAUSE,
    pygame.K_n: Command.SINGLE_STEP,
    pygame.K_PERIOD: Command.SINGLE_STEP,
    pygame.K_r: Command.RESTART,
    pygame.K_h: Command.HUD,
    pygame.K_F11: Command.FULLSCREEN,
    pygame.K_F12: Command.SCREENSHOT,
    pygame.K_v: Command.RECORD,
    pygame.K_F1: Command.HELP,
    pygame.K_t: Command.SAY,
    pygame.K_e: Command.PALETTE,
    pygame.K_b: Command.BACK,
    pygame.K_q: Command.QUIT,
    pygame.K_ESCAPE: Command.QUIT,
}

HELP = (
    ("W A S D", "walk"),
    ("Arrows", "turn, look up and down"),
    ("Mouse", "click to look, Esc to let go"),
    ("Space", "jump"),
    ("Shift", "run"),
    ("T", "type what happens next"),
    ("E", "pick what happens next"),
    ("P", "pause"),
    ("N  .", "one step while paused"),
    ("R", "begin again"),
    ("B", "back to the sketch"),
    ("V", "record, and stop recording"),
    ("H", "show or hide the display"),
    ("F11  F12", "full screen, screenshot"),
    ("Q  Esc", "leave"),
)
"""What the help overlay lists: keys and their meaning."""


class Controls:
    """Holds which keys are down and how far the mouse moved. A tap shorter than a step still counts for one step."""

    def __init__(self) -> None:
        self.mouse_captured = False
        self._gamepads = Gamepads()
        self._down: set[int] = set()
        self._tapped: set[int] = set()
        self._mouse_turn = self._mouse_look = 0.0

    def handle(self, event: pygame.event.Event) -> Command | None:
        """Takes in one event; returns the command in it, if any."""
        if event.type == pygame.KEYDOWN:
            return self._key_down(event.key)
        if event.type == pygame.KEYUP:
            self._down.discard(event.key)
        elif event.type == pygame.MOUSEMOTION and self.mouse_captured:
            self._mouse_moved(*event.rel)
        elif event.type == pygame.MOUSEBUTTONDOWN and event.button == 1 and not self.mouse_captured:
            return Command.CAPTURE_MOUSE
        elif event.type == pygame.WINDOWFOCUSLOST:
            self.release_all()
            return Command.FOCUS_LOST
        elif event.type == pygame.QUIT:
            return Command.QUIT
        elif self._gamepads.handle(event):
            return Command.PAUSE
        return None

    def action(self) -> Action:
        """The action for the next step; uses up taps and as much of the mouse's movement as one step can turn."""
        held = self._down | self._tapped
        self._tapped.clear()
        pad = self._gamepads.action()
        turn, look = _clamped(self._mouse_turn), _clamped(self._mouse_look)
        self._mouse_turn -= turn
        self._mouse_look -= look
        return Action(
            forward=_clamped(_axis(held, pygame.K_s, pygame.K_w) + pad.forward),
            strafe=_clamped(_axis(held, pygame.K_a, pygame.K_d) + pad.strafe),
            turn=_clamped(_axis(held, pygame.K_LEFT, pygame.K_RIGHT) + turn + pad.turn),
            look=_clamped(_axis(held, pygame.K_DOWN, pygame.K_UP) + look + pad.look),
            jump=pygame.K_SPACE in held or pad.jump,
            run=bool(held & {pygame.K_LSHIFT, pygame.K_RSHIFT}) or pad.run,
        )

    def release_all(self) -> None:
        """Forgets every key, stick and mouse movement, as when the window loses the keyboard."""
        self._down.clear()
        self._tapped.clear()
        self._mouse_turn = self._mouse_look = 0.0
        self._gamepads.release()

    def _key_down(self, key: int) -> Command | None:
        if key == pygame.K_ESCAPE and self.mouse_captured:
            return Command.RELEASE_MOUSE
        if key in COMMAND_KEYS:
            return COMMAND_KEYS[key]
        self._down.add(key)
        self._tapped.add(key)
        return None

    def _mouse_moved(self, right: int, down: int) -> None:
        turn = self._mouse_turn + right * MOUSE_RADIANS * STEPS_PER_SECOND / TURN_RATE
        look = self._mouse_look - down * MOUSE_RADIANS * STEPS_PER_SECOND / LOOK_RATE
        self._mouse_turn = _clamped(turn, MOUSE_BACKLOG)
        self._mouse_look = _clamped(look, MOUSE_BACKLOG)


def _axis(held: set[int], negative: int, positive: int) -> float:
    return float(positive in held) - float(negative in held)


def _clamped(value: float, limit: float = 1.0) -> float:
    return min(limit, max(-limit, value))
