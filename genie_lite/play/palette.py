"""Events to pick while playing, with a number key or the mouse. They take the same road as typed ones."""

from __future__ import annotations

import pygame

from genie_lite.play.panels import ACCENT, DIM, INK, Panels, rounded

EVENTS = (
    "let it snow",
    "night falls",
    "fog rolls in",
    "a storm",
    "clear up",
    "the desert begins here",
    "a village ahead",
    "everything turns to snow",
)
"""What each of them says; the first has the key 1."""

_MARGIN = 18


class Palette:
    """Open or closed. While it is open, the world goes on."""

    def __init__(self) -> None:
        self.open = False
        self._rows: list[pygame.Rect] = []

    def take(self, event: pygame.event.Event) -> str | None:
        """What the player picks by this event; the palette closes then."""
        if not self.open:
            return None
        picked = None
        if event.type == pygame.KEYDOWN and pygame.K_1 <= event.key < pygame.K_1 + len(EVENTS):
            picked = EVENTS[event.key - pygame.K_1]
        elif event.type == pygame.MOUSEBUTTONDOWN and event.button == 1:
            at = next((number for number, row in enumerate(self._rows) if row.collidepoint(event.pos)), None)
            picked = None if at is None else EVENTS[at]
        if picked is not None:
            self.open = False
        return picked

    def holds(self, event: pygame.event.Event) -> bool:
        """True if the event is a click on the palette, or Esc to close it, and so no one else's."""
        if not self.open:
            return False
        if event.type == pygame.KEYDOWN and event.key == pygame.K_ESCAPE:
            self.open = False
            return True
        return event.type == pygame.MOUSEBUTTONDOWN

    def draw(
        self, surface: pygame.Surface, picture: pygame.Rect, panels: Panels, mouse: tuple[int, int] | None = None
    ) -> None:
        """Draws it at the right, if it is open."""
        if not self.open:
            return
        panel = panels.once(("palette",), lambda: _panel(panels))
        place = panel.get_rect(midright=(picture.right - panels.px(_MARGIN), picture.centery))
        surface.blit(panel, place)
        self._rows = _rows(panels, place)
        if mouse is not None:
            for row in self._rows:
                if row.collidepoint(mouse):
                    pygame.draw.rect(surface, ACCENT, row, panels.px(1), panels.px(6))


def _panel(panels: Panels) -> pygame.Surface:
    rows = [panels.row([panels.text(str(number), 15, ACCENT), panels.text(words, 16, INK)], 12)
            for number, words in enumerate(EVENTS, 1)]  # fmt: skip
    height = panels.px(_ROW)
    surface = rounded((max(row.get_width() for row in rows), height * len(rows)), 1, (0, 0, 0, 0))
    for number, row in enumerate(rows):
        surface.blit(row, row.get_rect(midleft=(0, round(height * (number + 0.5)))))
    return panels.box(
        panels.column(
            [panels.text("What happens?", 16, ACCENT), surface, panels.text("E  close", 14, DIM)], 8, align=0
        ),
        _PADDING,
    )


_ROW, _PADDING = 32, (18, 14)


def _rows(panels: Panels, place: pygame.Rect) -> list[pygame.Rect]:
    top = place.top + panels.px(_PADDING[1]) + panels.text("What happens?", 16).get_height() + panels.px(8)
    height, across = panels.px(_ROW), panels.px(8)
    return [
        pygame.Rect(place.left + across, top + height * number, place.width - 2 * across, height)
        for number in range(len(EVENTS))
    ]
