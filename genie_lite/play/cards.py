"""The cards in the middle of the window: waking up, paused, help, and the end."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import pygame

from genie_lite.play.hud import score_colour
from genie_lite.play.keymap import HELP
from genie_lite.play.panels import ACCENT, DIM, RED, Panels, rounded
from genie_lite.session.manager import EndReason, SessionManager

TITLES = {
    EndReason.CAP: "Time to wake up",
    EndReason.QUIT: "You left",
    EndReason.COHERENCE: "The world came apart",
    EndReason.ERROR: "Something broke",
}
LONGEST_LINE = 74
"""Characters of an error message that fit a card."""


@dataclass(frozen=True)
class EndView:
    """What the end card tells. world_time and half_life in seconds; curve holds one score a second."""

    reason: EndReason
    world_time: float
    fps: float
    curve: tuple[float, ...]
    half_life: float | None
    error: str = ""

    @classmethod
    def of(cls, session: SessionManager, fps: float) -> EndView:
        """The view of an ended session."""
        reason = session.end_reason or EndReason.QUIT
        error = "" if session.error is None else str(session.error) or type(session.error).__name__
        meter = session.coherence
        return cls(reason, session.world_time, fps, tuple(meter.curve), meter.half_life, error)


def waking(panels: Panels) -> pygame.Surface:
    """Shown until the first frame is there."""

    def draw() -> pygame.Surface:
        return panels.box(panels.column([panels.text("waking up…", 24), panels.text(_HINT, 15, DIM)], 8), (34, 22))

    return panels.once("waking", draw)


def paused(panels: Panels) -> pygame.Surface:
    """A short note; the picture stays visible."""

    def draw() -> pygame.Surface:
        return panels.box(panels.row([panels.text("Paused", 21), panels.text(_PAUSED, 15, DIM)], 18), (20, 12))

    return panels.once("paused", draw)


def help_card(panels: Panels) -> pygame.Surface:
    """All keys and what they do."""

    def draw() -> pygame.Surface:
        parts = [panels.text("Keys", 24), panels.table(HELP, 16), panels.text(_GAMEPAD, 14, DIM)]
        return panels.box(panels.column(parts, 18, align=0), (34, 26))

    return panels.once("help", draw)


def end_card(panels: Panels, view: EndView) -> pygame.Surface:
    """Why it ended, how long and how well it held, and what to press."""

    def draw() -> pygame.Surface:
        parts = [panels.text(TITLES[view.reason], 27)]
        if view.error:
            parts.append(panels.text(_shortened(view.error), 15, RED))
        parts.append(panels.table(_facts(view), 16))
        if len(view.curve) > 1:
            parts.append(_chart(panels, view.curve))
        parts.append(panels.row([panels.text("R  again", 16, ACCENT), panels.text("Q  leave", 16, ACCENT)], 30))
        return panels.box(panels.column(parts, 18), (38, 28))

    return panels.once(view, draw)


_HINT = "F1 shows the keys once you are there"
_PAUSED = "P  go on     N  one step     R  begin again     Q  leave"
_GAMEPAD = "Controller: sticks move and look, A jumps, LB or RB runs, Start pauses"


def _facts(view: EndView) -> list[tuple[str, str]]:
    mean = f"{sum(view.curve) / len(view.curve):.2f} on average" if view.curve else "too short to tell"
    held = "did not fall" if view.half_life is None else f"halves in {view.half_life:.0f} s"
    return [
        ("World time", f"{view.world_time:.1f} s"),
        ("Frame rate", f"{view.fps:.1f} fps"),
        ("Coherence", f"{mean}, {held}" if view.curve else mean),
    ]


def _chart(panels: Panels, curve: Sequence[float]) -> pygame.Surface:
    """The coherence of each second as a line over a faint ground; the full height is 1."""
    width, height = panels.px(400), panels.px(72)
    surface = rounded((width, height), panels.px(6), (255, 255, 255, 26))
    left, top, across, along = panels.px(8), panels.px(8), width - 2 * panels.px(8), height - 2 * panels.px(8)
    pygame.draw.line(surface, (255, 255, 255, 40), (left, top + along // 2), (left + across, top + along // 2))
    steps = len(curve) - 1
    points = [(left + across * i / steps, top + along * (1 - score)) for i, score in enumerate(curve)]
    colour = score_colour(curve[-1])
    for offset in (-0.5, 0, 0.5):
        pygame.draw.aalines(surface, colour, False, [(x, y + offset) for x, y in points])
    labels = [panels.text("coherence", 13, DIM), panels.text(f"{len(curve)} s", 13, DIM)]
    foot = pygame.Surface((width, labels[0].get_height()), pygame.SRCALPHA)
    foot.blit(labels[0], (0, 0))
    foot.blit(labels[1], labels[1].get_rect(topright=(width, 0)))
    return panels.column([surface, foot], 4)


def _shortened(message: str) -> str:
    line = " ".join(message.split())
    return line if len(line) <= LONGEST_LINE else line[: LONGEST_LINE - 1] + "…"
