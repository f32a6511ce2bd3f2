"""A replay in the window: it plays, pauses and seeks, until the player walks on from the frame shown, or leaves."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable

import pygame

from genie_lite.actions import STEPS_PER_SECOND
from genie_lite.play.hud import MARGIN
from genie_lite.play.panels import ACCENT, DIM, Panels, panels_for
from genie_lite.play.window import Window
from genie_lite.recording.replay import Replay
from genie_lite.timing import Clock, Pace, Pacer

WALK_KEYS = (pygame.K_w, pygame.K_a, pygame.K_s, pygame.K_d)
LEAVE_KEYS = (pygame.K_q, pygame.K_ESCAPE)
PAUSE_KEYS = (pygame.K_p, pygame.K_SPACE)
KEYS = "P  pause     arrows  seek     W A S D  go on from here     H  hide     Q  leave"
BUDGET = 1 / STEPS_PER_SECOND
"""Seconds of drawing between two looks at the keys while seeking."""


class ReplayLoop:
    """Shows a replay. Left and right move by a second, and by a frame while paused; Home begins anew."""

    def __init__(
        self,
        replay: Replay,
        window: Window,
        *,
        pace: Pace | None = None,
        clock: Clock = time.perf_counter,
        events: Callable[[], Iterable[pygame.event.Event]] = pygame.event.get,
    ) -> None:
        self.replay, self.window = replay, window
        self.paused, self.show_bar = False, True
        self._pace, self._clock, self._events = pace or Pacer(STEPS_PER_SECOND), clock, events
        self._panels = Panels(1.0)
        self._left = False
        self._walk: pygame.event.Event | None = None

    def run(self) -> pygame.event.Event | None:
        """Plays until the player leaves (None) or walks on (the key that was pressed)."""
        try:
            while self.tick():
                pass
        except KeyboardInterrupt:
            return None
        return self._walk

    def tick(self) -> bool:
        """One turn of the loop; False once the player has left or walked on."""
        self._pace.wait()
        for event in self._events():
            self._obey(event)
        if self._left or self._walk is not None:
            return False
        if self.replay.arrived and not self.paused:
            self.replay.seek(self.replay.position + 1)
        began = self._clock()
        while not self.replay.arrived:
            self.replay.advance()
            if self._clock() - began > BUDGET:
                break
        self._draw()
        return True

    def _obey(self, event: pygame.event.Event) -> None:
        if event.type == pygame.QUIT:
            self._left = True
        if event.type != pygame.KEYDOWN:
            return
        step = 1 if self.paused else STEPS_PER_SECOND
        if event.key in LEAVE_KEYS:
            self._left = True
        elif event.key in WALK_KEYS and self.replay.frame is not None:
            self._walk = event
        elif event.key in PAUSE_KEYS:
            self.paused = not self.paused
        elif event.key == pygame.K_LEFT:
            self.replay.seek(self.replay.target - step)
        elif event.key == pygame.K_RIGHT:
            self.replay.seek(self.replay.target + step)
        elif event.key == pygame.K_HOME:
            self.replay.seek(0)
        elif event.key == pygame.K_h:
            self.show_bar = not self.show_bar
        elif event.key == pygame.K_F11:
            self.window.toggle_fullscreen()

    def _draw(self) -> None:
        window, replay = self.window, self.replay
        panels = self._panels = panels_for(window.picture, self._panels)
        if replay.frame is not None:
            window.show(replay.frame.image)
        if self.show_bar:
            bar = self._bar(panels)
            bottom = window.picture.bottom - panels.px(MARGIN)
            window.surface.blit(bar, bar.get_rect(midbottom=(window.picture.centerx, bottom)))
        window.flip()

    def _bar(self, panels: Panels) -> pygame.Surface:
        position, last = self.replay.position, self.replay.last
        state = "seeking" if not self.replay.arrived else "paused" if self.paused else "replay"
        words = f"{state}   {position / STEPS_PER_SECOND:.1f} / {last / STEPS_PER_SECOND:.1f} s"

        def draw() -> pygame.Surface:
            bar = panels.bar(position / max(1, last), 420, ACCENT)
            parts = [panels.row([panels.text(words, 15), bar], 14), panels.text(KEYS, 14, DIM)]
            return panels.box(panels.column(parts, 8))

        return panels.once(("replay", state, position), draw)
