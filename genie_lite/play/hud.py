"""What is drawn over the picture while playing: time left, frame rate, coherence, keys and short messages."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import pygame

from genie_lite.actions import Action
from genie_lite.play.panels import ACCENT, AMBER, DIM, INK, RED, Colour, Panels, rounded

MARGIN = 18
SPARK_SECONDS = 60
"""The sparkline shows the last so many."""

PRESSED = 0.1
"""An axis beyond this lights its key."""


@dataclass(frozen=True)
class HudView:
    """What the HUD shows. time_left in seconds (None: no end); fps as measured; score in [0, 1].

    curve: one score a second so far; decay: score at second 0 and half-life in seconds, None where it does not fall;
    note: why the score is not calibrated, if it is not; alarm: something has just disturbed the dream.
    """

    time_left: float | None
    warning: bool
    fps: float
    action: Action
    score: float
    message: str = ""
    recording: bool = False
    curve: tuple[float, ...] = ()
    decay: tuple[float, float] | None = None
    note: str = ""
    alarm: bool = False


class Hud:
    """Draws a HudView; panels are rendered again only when their text changes."""

    def draw(self, surface: pygame.Surface, picture: pygame.Rect, panels: Panels, view: HudView) -> None:
        """Draws over the picture, which lies at `picture` on the surface."""
        margin = panels.px(MARGIN)
        inner = picture.inflate(-2 * margin, -2 * margin)
        status = _status(panels, view)
        surface.blit(status, inner.topleft)
        coherence = _coherence(panels, view)
        surface.blit(coherence, coherence.get_rect(topright=inner.topright))
        keys = _keys(panels, view.action)
        surface.blit(keys, keys.get_rect(bottomleft=inner.bottomleft))
        if view.warning and view.time_left is not None:
            countdown = _countdown(panels, math.ceil(view.time_left))
            surface.blit(countdown, countdown.get_rect(midtop=inner.midtop))
        if view.message:
            message = panels.once(("message", view.message), lambda: panels.box(panels.text(view.message, 15, DIM)))
            surface.blit(message, message.get_rect(bottomright=inner.bottomright))


def clock(seconds: float) -> str:
    """Seconds as minutes and seconds, rounded up: 0:47."""
    whole = math.ceil(seconds)
    return f"{whole // 60}:{whole % 60:02d}"


def score_colour(score: float) -> Colour:
    """Calm while the world holds, amber when it slips, red when it is going."""
    return ACCENT if score >= 0.66 else AMBER if score >= 0.33 else RED


def _status(panels: Panels, view: HudView) -> pygame.Surface:
    left = "" if view.time_left is None else clock(view.time_left)
    fps = f"{view.fps:.0f} fps"

    def draw() -> pygame.Surface:
        parts = [panels.text(fps, 15, DIM)]
        if left:
            parts.insert(0, panels.text(left, 25, AMBER if view.warning else INK))
        if view.recording:
            parts.append(panels.text("REC", 15, RED))
        return panels.box(panels.row(parts, 14))

    return panels.once(("status", left, fps, view.warning, view.recording), draw)


def _coherence(panels: Panels, view: HudView) -> pygame.Surface:
    shown = f"{view.score:.2f}"

    def draw() -> pygame.Surface:
        words = [panels.text("coherence", 15, DIM)]
        if view.note:
            words.append(panels.text(view.note, 12, AMBER))
        line = sparkline(panels, view.curve[-SPARK_SECONDS:], _since(view.decay, len(view.curve) - SPARK_SECONDS))
        score = panels.text(shown, 17, RED if view.alarm else score_colour(view.score))
        return panels.box(panels.row([panels.column(words, 1, align=0), line, score], 12))

    return panels.once(("coherence", shown, view.curve[-1:], len(view.curve), view.note, view.alarm), draw)


def _since(decay: tuple[float, float] | None, seconds: int) -> tuple[float, float] | None:
    """The same decay, with its second 0 moved to where the sparkline begins."""
    return decay and (decay[0] * 0.5 ** (max(0, seconds) / decay[1]), decay[1])


def sparkline(
    panels: Panels,
    curve: Sequence[float],
    decay: tuple[float, float] | None,
    size: tuple[float, float] = (112, 30),
) -> pygame.Surface:
    """One score a second as a line, and the fitted decay (score at second 0, half-life in seconds) as a fainter one.

    The full height is 1, and a faint line lies at a half. size: in units of a 720p picture.
    """
    width, height = panels.px(size[0]), panels.px(size[1])
    surface = rounded((width, height), panels.px(5), (255, 255, 255, 26))
    pad = panels.px(4)
    across, along = width - 2 * pad, height - 2 * pad
    pygame.draw.line(surface, (255, 255, 255, 44), (pad, pad + along // 2), (pad + across, pad + along // 2))
    if len(curve) < 2:
        return surface

    def points(scores: Sequence[float]) -> list[tuple[float, float]]:
        return [(pad + across * i / (len(scores) - 1), pad + along * (1 - min(1.0, s))) for i, s in enumerate(scores)]

    if decay is not None:
        fitted = [decay[0] * 0.5 ** ((second + 0.5) / decay[1]) for second in range(len(curve))]
        pygame.draw.aalines(surface, (*INK, 130), False, points(fitted))
    for offset in (-0.5, 0, 0.5):
        moved = [(x, y + offset * panels.scale) for x, y in points(curve)]
        pygame.draw.aalines(surface, score_colour(curve[-1]), False, moved)
    return surface


def _countdown(panels: Panels, seconds: int) -> pygame.Surface:
    words = "last second" if seconds <= 1 else f"{seconds} seconds left"
    return panels.once(("countdown", words), lambda: panels.box(panels.text(words, 21, AMBER)))


def _keys(panels: Panels, action: Action) -> pygame.Surface:
    lit = (
        action.forward > PRESSED,
        action.strafe < -PRESSED,
        action.forward < -PRESSED,
        action.strafe > PRESSED,
        action.turn < -PRESSED,
        action.turn > PRESSED,
        action.look > PRESSED,
        action.look < -PRESSED,
        action.jump,
        action.run,
    )

    def draw() -> pygame.Surface:
        w, a, s, d, left, right, up, down, jump, run = lit
        walk = _cross(panels, panels.key("W", w), [panels.key(k, on) for k, on in zip("ASD", (a, s, d), strict=True)])
        arrows = [_arrow(panels, angle, on) for angle, on in ((180, left), (270, down), (0, right))]
        turn = _cross(panels, _arrow(panels, 90, up), arrows)
        wide = panels.column([panels.key("run", run, 58), panels.key("jump", jump, 58)], 4)
        return panels.row([walk, turn, wide], 14).convert_alpha()

    return panels.once(("keys", lit), draw)


def _cross(panels: Panels, top: pygame.Surface, below: list[pygame.Surface]) -> pygame.Surface:
    return panels.column([top, panels.row(below, 4)], 4)


def _arrow(panels: Panels, angle: int, pressed: bool) -> pygame.Surface:
    """A key cap with a small triangle pointing right at 0 degrees, up at 90."""
    surface = panels.key("", pressed)
    colour = (20, 24, 30) if pressed else DIM
    centre, radius = pygame.Vector2(surface.get_rect().center), panels.px(6)
    points = [centre + pygame.Vector2(radius, 0).rotate(turn - angle) for turn in (0, 125, -125)]
    pygame.draw.polygon(surface, colour, points)
    return surface
