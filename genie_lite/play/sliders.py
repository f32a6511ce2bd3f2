"""Sliders for every condition, in a column."""

from __future__ import annotations

from collections.abc import Collection

import pygame

from genie_lite.conditions import BIOMES, Conditions
from genie_lite.play.draft import SETTINGS
from genie_lite.play.panels import ACCENT, DIM, INK, Panels, glass

NAME_WIDTH, VALUE_WIDTH = 92, 46
GAP_AFTER = BIOMES[-1]
"""Below the biomes there is a gap."""


class Sliders:
    """Draws them, and tells what the mouse moves: name and value, or a name that is to be given back (right click)."""

    def __init__(self) -> None:
        self._tracks: dict[str, pygame.Rect] = {}
        self._rows: dict[str, pygame.Rect] = {}
        self._held: str | None = None

    def take(self, event: pygame.event.Event) -> tuple[str, float | None] | None:
        """The name of a slider and its new value in its own units, or None for it to be given back."""
        if event.type == pygame.MOUSEBUTTONUP and event.button == 1:
            self._held = None
        elif event.type == pygame.MOUSEBUTTONDOWN:
            name = next((name for name, row in self._rows.items() if row.collidepoint(event.pos)), None)
            if name is not None and event.button == 3:
                return name, None
            if name is not None and event.button == 1:
                self._held = name
                return name, self._value(name, event.pos[0])
        elif event.type == pygame.MOUSEMOTION and self._held is not None:
            return self._held, self._value(self._held, event.pos[0])
        return None

    def draw(
        self,
        surface: pygame.Surface,
        area: pygame.Rect,
        panels: Panels,
        conditions: Conditions,
        moved: Collection[str],
        mouse: tuple[int, int],
    ) -> None:
        """Draws them into the area; those moved by hand are lit."""
        surface.blit(panels.once(("sliders", area.size), lambda: glass(area.size, panels.px(10))), area)
        inside = area.inflate(-panels.px(28), -panels.px(20))
        height = inside.height / (len(SETTINGS) + 0.5)
        y = float(inside.top)
        for name in SETTINGS:
            row = pygame.Rect(inside.left, round(y), inside.width, round(height))
            self._draw_row(surface, row, panels, name, getattr(conditions, name), name in moved, mouse)
            y += height * (1.5 if name == GAP_AFTER else 1)

    def _draw_row(
        self,
        surface: pygame.Surface,
        row: pygame.Rect,
        panels: Panels,
        name: str,
        value: float,
        moved: bool,
        mouse: tuple[int, int],
    ) -> None:
        lit = self._held == name or (self._held is None and row.collidepoint(mouse))
        colour = ACCENT if moved else INK if lit or value > 0 else DIM
        label = panels.once(("slider", name, colour), lambda: panels.text(name, 14, colour))
        surface.blit(label, label.get_rect(midleft=row.midleft))
        told = clock_of(value) if name == "hour" else f"{value:.2f}"
        number = panels.once(("number", told, colour), lambda: panels.text(told, 14, colour))
        surface.blit(number, number.get_rect(midright=row.midright))
        left = row.left + panels.px(NAME_WIDTH)
        track = pygame.Rect(left, row.top, row.right - panels.px(VALUE_WIDTH) - left, row.height)
        self._rows[name], self._tracks[name] = row, track
        share = value / 24 if name == "hour" else value
        bar = panels.once(
            ("track", round(share * 200), track.width, colour),
            lambda: panels.bar(share, track.width / panels.scale, ACCENT if moved else (170, 180, 192)),
        )
        surface.blit(bar, bar.get_rect(midleft=track.midleft))
        knob = track.left + round(share * track.width), track.centery
        pygame.draw.circle(surface, INK if lit else colour, knob, panels.px(7 if lit else 5))

    def _value(self, name: str, x: int) -> float:
        track = self._tracks[name]
        share = min(1.0, max(0.0, (x - track.left) / max(1, track.width)))
        return min(23.99, share * 24) if name == "hour" else share


def clock_of(hour: float) -> str:
    """An hour as 18:30."""
    minutes = round(hour * 60) % (24 * 60)
    return f"{minutes // 60}:{minutes % 60:02}"
