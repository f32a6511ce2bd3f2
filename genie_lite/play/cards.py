"""The cards in the middle of the window: waking up, paused, help, and the end."""

from __future__ import annotations

from dataclasses import dataclass

import pygame

from genie_lite.play.hud import clock, sparkline
from genie_lite.play.keymap import HELP
from genie_lite.play.panels import ACCENT, AMBER, DIM, RED, Panels
from genie_lite.session.manager import EndReason, SessionManager

TITLES = {
    EndReason.CAP: "Time to wake up",
    EndReason.QUIT: "You left",
    EndReason.COHERENCE: "The world came apart",
    EndReason.ERROR: "Something broke",
}
LONGEST_LINE = 74
"""Characters of an error message that fit a card."""

MOST_ALARMS = 3
"""Disturbances that are named."""


@dataclass(frozen=True)
class EndView:
    """What the end card tells. world_time in seconds; curve holds one score a second.

    decay: score at second 0 and half-life in seconds, None where coherence did not fall; note: why it is not
    calibrated, if it is not; best, worst: whole seconds, None where there are none; alarms: when something disturbed
    the dream, in seconds, and what.
    """

    reason: EndReason
    world_time: float
    fps: float
    curve: tuple[float, ...]
    decay: tuple[float, float] | None
    note: str = ""
    best: int | None = None
    worst: int | None = None
    alarms: tuple[tuple[float, str], ...] = ()
    error: str = ""

    @classmethod
    def of(cls, session: SessionManager, fps: float) -> EndView:
        """The view of an ended session."""
        reason = session.end_reason or EndReason.QUIT
        error = "" if session.error is None else str(session.error) or type(session.error).__name__
        meter = session.coherence
        best, worst = meter.best_second, meter.worst_second
        shown = (session.world_time, fps, tuple(meter.curve), meter.decay, meter.note, best, worst)
        return cls(reason, *shown, tuple(meter.alarms), error)


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
            parts.append(_chart(panels, view))
        parts.append(panels.row([panels.text("R  again", 16, ACCENT), panels.text("Q  leave", 16, ACCENT)], 30))
        return panels.box(panels.column(parts, 18), (38, 28))

    return panels.once(view, draw)


_HINT = "F1 shows the keys once you are there"
_PAUSED = "P  go on     N  one step     R  begin again     Q  leave"
_GAMEPAD = "Controller: sticks move and look, A jumps, LB or RB runs, Start pauses"


def _facts(view: EndView) -> list[tuple[str, str]]:
    facts = [("World time", f"{view.world_time:.1f} s"), ("Frame rate", f"{view.fps:.1f} fps")]
    if not view.curve or view.best is None or view.worst is None:
        return [*facts, ("Coherence", "too short to tell")]
    facts.append(("Coherence", f"{sum(view.curve) / len(view.curve):.2f} on average"))
    facts.append(("Half-life", "did not fall" if view.decay is None else f"{view.decay[1]:.0f} s"))
    for name, second in (("Best second", view.best), ("Worst second", view.worst)):
        facts.append((name, f"{view.curve[second]:.2f} at {clock(second)}"))
    if view.alarms:
        facts.append(("Disturbed", ", ".join(f"{clock(at)} {kind}" for at, kind in view.alarms[:MOST_ALARMS])))
    return facts


def _chart(panels: Panels, view: EndView) -> pygame.Surface:
    """The coherence of each second over a faint ground, with the fitted decay; the full height is 1."""
    surface = sparkline(panels, view.curve, view.decay, (400, 72))
    left = [panels.text("coherence", 13, DIM)] + ([panels.text(view.note, 13, AMBER)] if view.note else [])
    words, end = panels.row(left, 10), panels.text(f"{len(view.curve)} s", 13, DIM)
    foot = pygame.Surface((surface.get_width(), max(words.get_height(), end.get_height())), pygame.SRCALPHA)
    foot.blit(words, (0, 0))
    foot.blit(end, end.get_rect(topright=(surface.get_width(), 0)))
    return panels.column([surface, foot], 4)


def _shortened(message: str) -> str:
    line = " ".join(message.split())
    return line if len(line) <= LONGEST_LINE else line[: LONGEST_LINE - 1] + "…"
